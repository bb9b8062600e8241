"""`--propID` as the commands read it that are narrowed by proposal."""

from __future__ import annotations

import pytest

from jwstwatch.cli import proposals
from jwstwatch.errors import UsageError


def test_observations_of_a_proposal_that_is_named_twice_are_united() -> None:
    read = proposals.read([["1345", "1"], ["1345", "2"], ["2733"]])
    assert {choice.proposal: choice.obsnums for choice in read} == {1345: (1, 2), 2733: ()}


def test_a_whole_proposal_is_not_narrowed_by_some_of_its_observations() -> None:
    (whole,) = proposals.read([["01345"], ["1345", "2"]])
    assert (whole.proposal, whole.obsnums) == (1345, ())


def test_nothing_typed_narrows_nothing() -> None:
    assert proposals.read(None) == ()


def test_what_is_no_number_is_a_wrong_use() -> None:
    with pytest.raises(UsageError, match="--propID: "):
        proposals.read([["first"]])
