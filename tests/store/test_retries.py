"""Trying again now what failed, whenever its next attempt would have been."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from jwstwatch.core.model import FileState
from jwstwatch.core.planning import NO_TOKEN, NOT_AUTHORISED
from jwstwatch.core.retrying import FailureKind
from jwstwatch.errors import UsageError
from jwstwatch.store import tables
from jwstwatch.store.retries import ASKED_AGAIN
from tests.store.desk import DAY, HOUR, NOW, OTHER, PROFILE, Desk, file_names, observation, row


def failed(desk: Desk, count: int) -> tuple[Desk, list[str]]:
    """Let so many files fail, to be tried again in a day; returns the desk of the next run."""
    names = file_names(count)
    desk.want(*names)
    desk.fail(*desk.claim(), again=NOW + DAY)
    return desk.next_run().later(HOUR), names


def retry(desk: Desk, *names: str, profiles: tuple[str, ...] = ()) -> tuple[int, list[str]]:
    return desk.store.transfers.retry(names, profiles=profiles, now=desk.now)


def test_failed_files_are_tried_at_once_as_if_for_the_first_time(desk: Desk) -> None:
    later, names = failed(desk, 3)
    assert later.claim() == []
    assert retry(later) == (3, [PROFILE])
    claims = later.claim()
    assert sorted(claim.name for claim in claims) == names
    assert {claim.attempts for claim in claims} == {0}
    file = later.product(names[0]).files[0]
    assert (file.state, file.reason, file.last_error) == (FileState.WANTED, ASKED_AGAIN, None)
    assert later.kinds(names[0]) == ["wanted", "failed", "retry"]


def test_only_what_was_named_is_tried_again(desk: Desk) -> None:
    later, names = failed(desk, 3)
    assert retry(later, names[1], str(desk.root.path / "01345" / names[2])) == (2, [PROFILE])
    assert sorted(claim.name for claim in later.claim()) == names[1:]
    # What is known and did not fail is no mistake.
    assert retry(later, names[1]) == (0, [])
    with pytest.raises(UsageError, match="no file is known as nonsense"):
        retry(later, "nonsense", names[0])
    assert later.product(names[0]).files[0].state is FileState.FAILED


def test_only_the_files_of_the_named_profiles_are_tried_again(desk: Desk) -> None:
    later, names = failed(desk, 2)
    other = later.of(OTHER)
    other.want("jw01345001001_02101_00001_nrcb1_rate.fits", names[0], folder="01345b")
    other.fail(*other.claim(), again=NOW + DAY)
    assert retry(later, profiles=(OTHER,)) == (2, [OTHER])
    assert later.claim() == []
    assert retry(later) == (2, [PROFILE])


def test_a_file_of_two_profiles_concerns_both(desk: Desk) -> None:
    later, names = failed(desk, 1)
    other = later.of(OTHER)
    other.replan(names[0])
    typed = later.of("one-off:0123456789ab")
    typed.replan(names[0])
    assert retry(later) == (1, [OTHER, PROFILE])  # nobody can run a typed download but who typed it


def test_what_the_archive_refused_to_hand_out_is_asked_for_again(desk: Desk) -> None:
    names = file_names(2)
    desk.want(*names)
    first, second = desk.claim()
    options = {"state": FileState.WITHHELD, "kind": FailureKind.UNAUTHORISED, "again": NOW + DAY}
    desk.fail(first, reason=NOT_AUTHORISED, **options)  # type: ignore[arg-type]
    desk.fail(second, reason=NO_TOKEN, **options)  # type: ignore[arg-type]
    later = desk.next_run().later(HOUR)
    assert retry(later)[0] == 1  # without a token there is nothing to try
    assert [claim.name for claim in later.claim()] == [first.name]


def test_a_replacement_that_failed_leaves_its_readable_copy_what_it_is(desk: Desk) -> None:
    desk.observe(observation(1))
    name = file_names(1)[0]
    desk.fetch(name)
    desk.list(row(name, prvversion="1.18.0"))
    again = desk.next_run()
    again.fail(*again.claim(), again=NOW + DAY)
    later = again.next_run().later(HOUR)
    assert later.claim() == []
    assert retry(later) == (1, [PROFILE])
    file = later.product(name).files[0]
    assert (file.state, file.attempts, file.size) == (FileState.STALE, 0, 1000)
    assert [claim.replaces for claim in later.claim()] == [True]


def test_what_is_present_wanted_or_dropped_is_left_alone(desk: Desk) -> None:
    later, names = failed(desk, 1)
    desk.store.drops.drop(desk.store.drops.choose(names), now=NOW)
    later.fetch("jw01345001001_02101_00001_nrcb1_rate.fits")
    later.want("jw01345001001_02101_00001_nrcb2_rate.fits")
    assert retry(later) == (0, [])
    assert later.product(names[0]).files[0].declined


def why_not(desk: Desk, name: str) -> str:
    (untried,) = desk.store.retries.pointless([name])
    return untried.why


def test_what_there_is_nothing_to_try_again_for_is_told_in_a_sentence(desk: Desk) -> None:
    present, damaged, gone, lost, stale, wanted, held, dropped, refused = names = file_names(9)
    desk.fetch(present, damaged, gone, lost, stale)
    desk.want(wanted)
    desk.want(held, state=FileState.WITHHELD, reason=NO_TOKEN)
    desk.want(refused, state=FileState.WITHHELD, reason=NOT_AUTHORISED)
    desk.want(dropped)
    desk.store.drops.drop(desk.store.drops.choose([dropped]), now=NOW)
    change(desk, damaged, damage="another SHA-256")
    change(desk, gone, state="gone")
    change(desk, lost, state="gone", size=None)
    change(desk, stale, state="stale", reason="the archive has a newer revision")
    expected = {
        present: "it is there",
        damaged: "verify --repair",
        gone: "the copy is kept",
        lost: "no copy is here",
        stale: "newer revision",
        wanted: "next run",
        held: "token set",
        dropped: "undrop",
    }
    for name, words in expected.items():
        assert words in why_not(desk, name)
    assert desk.store.retries.pointless([refused]) == []
    with pytest.raises(UsageError, match="nonsense"):
        desk.store.retries.pointless(["nonsense"])
    # The two are of one mind.
    assert retry(desk, *names)[0] == 1


def change(desk: Desk, name: str, **values: object) -> None:
    with desk.store.database.write() as connection:
        connection.execute(
            update(tables.file).where(tables.file.c.id == desk.file_id(f"01345/{name}")).values(**values)
        )
