"""What becomes of reprocessed files: what may be written, and which file type it means."""

from __future__ import annotations

from typing import Any

import pytest

from jwstwatch.core.model import FileState
from jwstwatch.core.parameter_kinds import UNSET, ValueNotAllowedError
from jwstwatch.core.parameter_reactions import ReactionChoice
from jwstwatch.core.planning import NEWER_REVISION, Decision, DiskKind, Known, OnDisk, Target, plan
from jwstwatch.core.reactions import REPLACE_ALL, Reaction, Reactions
from jwstwatch.core.space import BETWEEN, waits_for_budget

KEEP, REPLACE = Reaction.KEEP, Reaction.REPLACE
KIND = ReactionChoice()


@pytest.mark.parametrize(
    "written",
    [
        {"uncal": "keep", "others": "replace"},
        {"uncal": "keep"},
        {"others": "Replace", "UNCAL": " keep "},
        ["uncal=keep"],
        ["uncal=keep", "replace"],
        "uncal=keep, others=replace",
    ],
)
def test_a_mapping_a_list_and_a_text_mean_the_same(written: Any) -> None:
    value = KIND.read(written)
    assert value == Reactions((("uncal", KEEP),), REPLACE)
    assert KIND.write(value) == ["uncal=keep"]


@pytest.mark.parametrize("written", ["keep", ["keep"], {"others": "keep"}, ["others=keep"], "KEEP"])
def test_one_word_is_for_all_files(written: Any) -> None:
    value = KIND.read(written)
    assert value == Reactions(others=KEEP)
    assert KIND.write(value) == "keep"
    assert KIND.read("replace") == REPLACE_ALL


def test_words_of_an_option_are_read_in_their_order() -> None:
    value = KIND.read_words(["jpg=replace", "uncal=keep", "others=keep"])
    assert value == Reactions((("jpg", REPLACE), ("uncal", KEEP)), KEEP)
    assert KIND.write(value) == ["jpg=replace", "uncal=keep", "others=keep"]
    assert KIND.take(None) is UNSET


@pytest.mark.parametrize(
    ("written", "because"),
    [
        ("hold", "'hold' is neither replace nor keep"),
        ({"uncal": "replace", "other": "keep"}, "'other' is no file type such as uncal, nor others"),
        ({"uncal": "maybe"}, "'maybe' is neither replace nor keep"),
        ({"uncal": None}, "None is neither"),
        ({"uncal": ["keep"]}, "[keep] is neither"),
        ([], "is not replace or keep"),
        ({}, "is not replace or keep"),
        ([["uncal=keep"]], "is not replace or keep"),
        ("=keep", "'' is no file type"),
        ("level3=keep", "'level3' is no file type"),
        ({"two words": "keep"}, "'two words' is no file type"),
        ("uncal=keep _uncal.fits=replace", "'_uncal.fits' is there twice"),
        ("keep others=replace", "'others' is there twice"),
    ],
)
def test_what_is_no_reaction_is_refused_with_the_reason(written: Any, because: str) -> None:
    with pytest.raises(ValueNotAllowedError) as refused:
        KIND.read(written)
    assert because in str(refused.value)


def test_a_file_goes_by_the_first_word_that_means_it_and_words_mean_what_they_mean_in_filetypes() -> None:
    value = KIND.read("uncal=keep jpg=keep fits=replace others=keep")
    asked = ["_uncal.fits", "_rate.fits", "_rate.jpg", "_asn.json", "_x1d.fits"]
    assert [value.of(filetype) for filetype in asked] == [KEEP, REPLACE, KEEP, KEEP, REPLACE]
    assert KIND.read("fits=replace uncal=keep").of("_uncal.fits") is REPLACE
    assert {REPLACE_ALL.of(filetype) for filetype in asked} == {REPLACE}


def planned(*, revision: int | None, reason: str | None = None) -> Decision:
    """What a copy of some revision needs where the archive has the second."""
    target = Target(revision=2, filetype="_rate.fits", calib_level=2, exclusive=False)
    known = Known(state=FileState.STALE, revision=revision, size=10, reason=reason)
    return plan(target, known, OnDisk(DiskKind.FILE, 10), has_token=False)


def test_only_a_copy_of_a_known_revision_comes_after_all_new_files() -> None:
    new = planned(revision=2)
    assert new.state is FileState.PRESENT
    assert planned(revision=None).priority == new.priority
    assert planned(revision=1).priority > new.priority + 1000


def test_why_a_new_revision_waits_is_not_forgotten_when_it_is_listed_again() -> None:
    why = f"{NEWER_REVISION}{BETWEEN}{waits_for_budget('20.0 GB')}"
    assert planned(revision=1, reason=why).reason == why
    assert planned(revision=1, reason="asked for again (clobber)").reason == NEWER_REVISION
    assert planned(revision=1).reason == NEWER_REVISION
