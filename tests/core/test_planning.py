"""kept x known x on disk -> what a path needs, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.model import FileState
from jwstwatch.core.planning import (
    NO_TOKEN,
    NOT_AUTHORISED,
    TOKEN_REJECTED,
    Action,
    Decision,
    DiskKind,
    Known,
    OnDisk,
    Ranking,
    Target,
    plan,
    priority,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TARGET = Target(revision=2, filetype="_rate.fits", calib_level=2, exclusive=False, listed_size=1000)
FILE = OnDisk(DiskKind.FILE, 1000)
PRESENT = Known(state=FileState.PRESENT, revision=2, size=1000)
HAS_COPY = (FileState.PRESENT, FileState.STALE, FileState.GONE)

W, P, S, F, H, G = (
    FileState.WANTED,
    FileState.PRESENT,
    FileState.STALE,
    FileState.FAILED,
    FileState.WITHHELD,
    FileState.GONE,
)


@pytest.mark.parametrize(
    ("known", "on_disk", "action", "state", "reason"),
    [
        # nothing known
        (None, None, Action.FETCH, W, "new"),
        (None, FILE, Action.ADOPT, W, "found on disk without a record"),
        # a copy as it should be
        (PRESENT, FILE, Action.NOTHING, P, None),
        (replace(PRESENT, size=None), FILE, Action.NOTHING, P, None),
        (replace(PRESENT, state=G), FILE, Action.NOTHING, P, None),
        (replace(PRESENT, state=S, reason="asked for again"), FILE, Action.NOTHING, P, None),
        # a copy of an older content
        (replace(PRESENT, state=S, revision=1), FILE, Action.FETCH, S, "the archive has a newer revision"),
        (replace(PRESENT, revision=1), FILE, Action.FETCH, S, "the archive has a newer revision"),
        (replace(PRESENT, state=S, revision=None), FILE, Action.FETCH, S, "the archive has a newer revision"),
        # a copy that is not as it was left
        (PRESENT, None, Action.FETCH, W, "missing on disk"),
        (replace(PRESENT, state=S, revision=1), None, Action.FETCH, W, "missing on disk"),
        (replace(PRESENT, state=G), None, Action.FETCH, W, "missing on disk"),
        (PRESENT, OnDisk(DiskKind.FILE, 400), Action.FETCH, W, "400 of 1000 bytes on disk"),
        # not there yet
        (Known(state=W, reason="new"), None, Action.FETCH, W, "new"),
        (Known(state=W, reason="new"), FILE, Action.ADOPT, W, "found on disk without a record"),
        (Known(state=F, reason="HTTP 404", next_attempt_at=NOW), None, Action.FETCH, F, "HTTP 404"),
        (Known(state=F, reason="a link"), None, Action.FETCH, W, "its path is free again"),
        (
            Known(state=F, reason="HTTP 404", next_attempt_at=NOW),
            FILE,
            Action.ADOPT,
            W,
            "found on disk without a record",
        ),
        (Known(state=H, reason=NOT_AUTHORISED), None, Action.FETCH, W, "released"),
    ],
)
def test_what_a_path_of_public_data_needs(
    known: Known | None, on_disk: OnDisk | None, action: Action, state: FileState, reason: str | None
) -> None:
    decision = plan(TARGET, known, on_disk, has_token=False)
    assert (decision.action, decision.state, decision.reason) == (action, state, reason)


@pytest.mark.parametrize(
    ("known", "has_token", "action", "state", "reason"),
    [
        (None, False, Action.NOTHING, H, NO_TOKEN),
        (None, True, Action.FETCH, W, "new"),
        (Known(state=W, reason="new"), False, Action.NOTHING, H, NO_TOKEN),
        (Known(state=H, reason=NO_TOKEN), False, Action.NOTHING, H, NO_TOKEN),
        (Known(state=H, reason=NO_TOKEN), True, Action.FETCH, W, "a token is there"),
        (Known(state=H, reason=TOKEN_REJECTED), True, Action.FETCH, W, "a token is there"),
        (
            Known(state=H, reason=NOT_AUTHORISED, next_attempt_at=NOW),
            True,
            Action.FETCH,
            H,
            NOT_AUTHORISED,
        ),
        (PRESENT, False, Action.NOTHING, H, NO_TOKEN),
    ],
)
def test_what_a_path_of_exclusive_data_needs_that_has_no_copy(
    known: Known | None, has_token: bool, action: Action, state: FileState, reason: str
) -> None:
    decision = plan(replace(TARGET, exclusive=True), known, None, has_token=has_token)
    assert (decision.action, decision.state, decision.reason) == (action, state, reason)


def test_a_copy_of_exclusive_data_is_kept_without_a_token() -> None:
    exclusive = replace(TARGET, exclusive=True)
    assert plan(exclusive, PRESENT, FILE, has_token=False).state is P
    stale = replace(PRESENT, state=S, revision=1)
    assert plan(exclusive, stale, FILE, has_token=False).state is S


states = st.sampled_from(FileState)
knowns = st.none() | st.builds(
    Known,
    state=states,
    revision=st.none() | st.integers(1, 3),
    size=st.none() | st.sampled_from([400, 1000]),
    reason=st.sampled_from([None, NO_TOKEN, NOT_AUTHORISED, TOKEN_REJECTED, "HTTP 404"]),
    next_attempt_at=st.sampled_from([None, NOW]),
    declined=st.booleans(),
)
disks = st.none() | st.builds(OnDisk, st.sampled_from(DiskKind), st.sampled_from([400, 1000]))
targets = st.builds(
    Target,
    revision=st.integers(1, 3),
    filetype=st.sampled_from(["_rate.fits", "_uncal.fits", ".jpg", "_pool.csv", ""]),
    calib_level=st.none() | st.integers(-1, 4),
    exclusive=st.booleans(),
    listed_size=st.none() | st.just(1000),
)


@given(targets, knowns, disks, st.booleans())
def test_a_plan_after_success_is_empty(
    target: Target, known: Known | None, on_disk: OnDisk | None, has_token: bool
) -> None:
    decision = plan(target, known, on_disk, has_token=has_token)
    if decision.action is Action.NOTHING:
        return
    # Whether it was fetched or adopted: a verified copy of this revision stands there now.
    done = Known(state=FileState.PRESENT, revision=target.revision, size=1000)
    for token in (True, False):
        after = plan(target, done, OnDisk(DiskKind.FILE, 1000), has_token=token)
        assert (after.action, after.state, after.reason) == (Action.NOTHING, FileState.PRESENT, None)


@given(targets, knowns, disks, st.booleans())
def test_a_plan_that_was_recorded_and_not_carried_out_is_the_same_plan(
    target: Target, known: Known | None, on_disk: OnDisk | None, has_token: bool
) -> None:
    first = plan(target, known, on_disk, has_token=has_token)
    declined = known is not None and known.declined
    has_copy = first.state in HAS_COPY and known is not None
    recorded = Known(
        state=first.state,
        revision=known.revision if has_copy and known else None,
        size=known.size if has_copy and known else None,
        reason=first.reason,
        next_attempt_at=known.next_attempt_at if known and known.state is first.state else None,
        declined=declined,
    )
    second = plan(target, recorded, on_disk, has_token=has_token)
    third = plan(
        target, replace(recorded, state=second.state, reason=second.reason), on_disk, has_token=has_token
    )
    assert (third.state, third.reason) == (second.state, second.reason)
    if first.state is not FileState.FAILED:
        assert second.state is first.state


@given(targets, knowns, st.sampled_from([DiskKind.LINK, DiskKind.OTHER]), st.booleans())
def test_what_is_no_file_is_left_alone(
    target: Target, known: Known | None, kind: DiskKind, has_token: bool
) -> None:
    decision = plan(target, known, OnDisk(kind, 1000), has_token=has_token)
    assert decision.action is Action.NOTHING
    if known is None or not known.declined:
        assert decision.state is FileState.FAILED
        assert ("a link" in str(decision.reason)) is (kind is DiskKind.LINK)


@given(targets, knowns.filter(lambda known: known is not None), disks, st.booleans())
def test_a_declined_file_needs_nothing_whatever_is_there(
    target: Target, known: Known, on_disk: OnDisk | None, has_token: bool
) -> None:
    declined = replace(known, declined=True)
    decision = plan(target, declined, on_disk, has_token=has_token)
    assert decision == Decision(
        action=Action.NOTHING, state=known.state, reason=known.reason, priority=priority(target)
    )


@given(targets, knowns, disks)
def test_nothing_is_asked_of_the_archive_that_it_would_refuse(
    target: Target, known: Known | None, on_disk: OnDisk | None
) -> None:
    decision = plan(replace(target, exclusive=True), known, on_disk, has_token=False)
    if decision.action is Action.FETCH:
        # Only a copy that is there is asked to be replaced; its transfer says what stands against it.
        assert on_disk is not None


def test_small_files_come_first_raw_ones_last_and_new_data_before_new_revisions() -> None:
    def rank(filetype: str, level: int | None) -> int:
        return priority(replace(TARGET, filetype=filetype, calib_level=level))

    order = [
        rank(".jpg", 1),
        rank("_i2d.fits", 3),
        rank("_rate.fits", 2),
        rank("_rateints.fits", 2),
        rank("_cal.fits", 2),
        rank("_ramp.fits", 1),
        rank("_uncal.fits", 1),
    ]
    assert order == sorted(set(order))
    small = ("_rate.jpg", "_x1d.png", "_asn.json", "_pool.csv", "_cat.ecsv", "_rate.txt")
    assert max(rank(filetype, 3) for filetype in small) < rank("_i2d.fits", 3)
    assert rank("_i2d.fits", 4) < rank("_rate.fits", 2)
    assert rank("_dark.fits", 1) > rank("_cal.fits", None) == rank("_x1d.fits", 2) == rank("", None)
    replacement = plan(TARGET, replace(PRESENT, revision=1), FILE, has_token=False)
    assert replacement.priority > max(order)
    missing = plan(TARGET, PRESENT, None, has_token=False)
    assert missing.priority == rank("_rate.fits", 2)


@pytest.mark.parametrize(
    ("words", "ordered"),
    [
        (("uncal", "others", "jpg"), ["_uncal.fits", "_rate.fits", "_rate.jpg"]),
        # what no word means comes last where `others` is left out
        (("jpg",), ["_rate.jpg", "_uncal.fits"]),
        (("RATE.JPG", "_cal.fits", "fits", "others"), ["_rate.jpg", "_cal.fits", "_uncal.fits", "_asn.json"]),
        (("txt", "others"), ["_phot.txt", "_rate.fits"]),
    ],
)
def test_files_are_ranked_by_the_words_of_a_priority(words: tuple[str, ...], ordered: list[str]) -> None:
    ranks = [Ranking(words).of(filetype, 2) for filetype in ordered]
    assert ranks == sorted(set(ranks))


def test_a_file_goes_by_the_first_word_that_means_it() -> None:
    assert Ranking(("level3", "jpg")).of("_i2d.jpg", 3) == 0
    assert Ranking(("jpg", "level3")).of("_i2d.jpg", 3) == 0
    assert Ranking(("jpg", "level3")).of("_i2d.fits", 3) == 1
    assert Ranking(("level3", "level2")).of("_cal.fits", 2) == 1
    assert Ranking(()).of("_uncal.fits", 1) == Ranking(()).of(".jpg", None)


@given(
    st.lists(st.sampled_from(["jpg", "rate", "level2", "level3", "others", "uncal"]), unique=True),
    st.sampled_from([".jpg", "_rate.fits", "_i2d.fits", ""]),
    st.none() | st.integers(-1, 4),
)
def test_what_replaces_comes_after_all_that_is_new(
    words: list[str], filetype: str, level: int | None
) -> None:
    ranking = Ranking(words)
    new = max(ranking.of(kind, number) for kind in (".jpg", "_uncal.fits", "") for number in (None, 1, 3))
    assert ranking.of(filetype, level, replaces=True) > new
