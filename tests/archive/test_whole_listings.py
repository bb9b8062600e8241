"""A listing counts only if it is whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jwstwatch.archive.mast import MastArchive
from jwstwatch.core.query import ObservationQuery
from jwstwatch.errors import ArchiveError, ArchiveTimeoutError, IncompleteListingError
from tests.archive.server import Asked, Mast, Reply, as_reply, envelope, in_turn, paged

Connect = Callable[..., MastArchive]
ANY = ObservationQuery(proposals=(1345,))


def rows(count: int, *, start: int = 1) -> list[dict[str, Any]]:
    return [
        {"obsID": 7, "parent_obsid": 9, "dataURI": f"mast:JWST/product/jw{number}_uncal.fits"}
        for number in range(start, start + count)
    ]


def test_all_pages_make_the_listing(mast: Mast, connect: Connect) -> None:
    mast.invoke = paged(rows(7))
    assert len(connect(pagesize=3).products([9])) == 7
    assert [asked.request["page"] for asked in mast.questions] == [1, 2, 3]


def test_an_executing_answer_is_asked_again_unchanged(mast: Mast, connect: Connect) -> None:
    waits: list[float] = []
    mast.invoke = in_turn(*[as_reply({"status": "EXECUTING"})] * 3, paged(rows(1)))
    assert len(connect(sleep=waits.append).products([9])) == 1
    bodies = [asked.request for asked in mast.questions]
    assert len(bodies) == 4
    assert all(body == bodies[0] for body in bodies)
    assert waits == pytest.approx([0.2, 0.3, 0.45])


def test_a_question_that_executes_for_ever_is_a_time_out(mast: Mast, connect: Connect) -> None:
    mast.invoke = in_turn(as_reply({"status": "EXECUTING"}))
    with pytest.raises(ArchiveTimeoutError, match="still at work"):
        connect(question_limit=0.05).products([9])


def test_an_empty_listing_is_whole(mast: Mast, connect: Connect) -> None:
    mast.invoke = in_turn(as_reply(envelope([], pagesFiltered=0)))
    assert connect().products([9]) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"rowsFiltered": 4},
        {"rowsFiltered": 2},
        {"rowsFiltered": None},
        {"rowsFiltered": "many"},
        {"page": 2},
        {"page": None},
    ],
)
def test_a_listing_that_does_not_add_up_is_refused(
    mast: Mast, connect: Connect, changes: dict[str, Any]
) -> None:
    mast.invoke = in_turn(as_reply(envelope(rows(3), **changes)))
    with pytest.raises(IncompleteListingError) as raised:
        connect().products([9])
    assert mast.url in raised.value.message
    assert len(mast.questions) == 1


def test_counts_written_as_text_are_understood(mast: Mast, connect: Connect) -> None:
    mast.invoke = in_turn(as_reply(envelope(rows(3), rowsFiltered="3", page="1", pagesFiltered="1")))
    assert len(connect().products([9])) == 3


@pytest.mark.parametrize("missing", ["paging", "data"])
def test_an_answer_without_its_paging_or_its_rows_is_refused(
    mast: Mast, connect: Connect, missing: str
) -> None:
    mast.invoke = in_turn(as_reply({key: part for key, part in envelope(rows(3)).items() if key != missing}))
    with pytest.raises(IncompleteListingError):
        connect().products([9])


def test_a_lost_page_is_noticed(mast: Mast, connect: Connect) -> None:
    def without_the_second(asked: Asked) -> Reply:
        reply = paged(rows(6))(asked)
        if asked.request["page"] != 2:
            return reply
        return as_reply(envelope([], page=2, pageSize=2, pagesFiltered=3, rowsFiltered=6))

    mast.invoke = without_the_second
    with pytest.raises(IncompleteListingError, match="announced 6 rows and sent 4"):
        connect(pagesize=2).products([9])


def test_a_server_that_sends_one_page_over_and_over_is_noticed(mast: Mast, connect: Connect) -> None:
    mast.invoke = in_turn(as_reply(envelope(rows(2), page=1, pagesFiltered=3, rowsFiltered=6)))
    with pytest.raises(IncompleteListingError, match="asked for page 2 and sent page 1"):
        connect(pagesize=2).products([9])


def test_a_count_that_changes_between_pages_is_noticed(mast: Mast, connect: Connect) -> None:
    mast.invoke = in_turn(
        as_reply(envelope(rows(2), page=1, pageSize=2, pagesFiltered=2, rowsFiltered=3)),
        as_reply(envelope(rows(2, start=3), page=2, pageSize=2, pagesFiltered=2, rowsFiltered=4)),
    )
    with pytest.raises(IncompleteListingError, match="changed its listing"):
        connect(pagesize=2).products([9])


def test_a_row_that_moved_to_the_next_page_while_reading_is_noticed(mast: Mast, connect: Connect) -> None:
    # A new row at the front and one that left: the count stays, row 2 is seen twice, row 4 never... and then.
    moved = [*rows(1, start=99), *rows(3)]
    mast.invoke = in_turn(
        as_reply(envelope(rows(2), page=1, pageSize=3, pagesFiltered=2, rowsFiltered=4)),
        as_reply(envelope(moved[2:], page=2, pageSize=3, pagesFiltered=2, rowsFiltered=4)),
        paged(moved),
    )
    with pytest.raises(IncompleteListingError, match="gave 3 and then 4 rows"):
        connect(pagesize=3).products([9])


def test_repeated_rows_that_are_the_archives_own_are_accepted(mast: Mast, connect: Connect) -> None:
    mast.invoke = paged([*rows(3), *rows(2)])
    listed = connect(pagesize=3).products([9])
    assert len(listed) == 5
    assert len({row.uri for row in listed}) == 3


def test_an_answer_cut_at_the_page_size_is_noticed(mast: Mast, connect: Connect) -> None:
    def cut(asked: Asked) -> Reply:
        size = asked.request["pagesize"]
        return as_reply(envelope(rows(size), pageSize=size))

    mast.invoke = cut
    with pytest.raises(IncompleteListingError, match="gave 10 and then 8 rows"):
        connect(pagesize=10).products([9])


def test_a_listing_of_exactly_a_page_is_read_twice_and_accepted(mast: Mast, connect: Connect) -> None:
    mast.invoke = paged(rows(10))
    assert len(connect(pagesize=10).products([9])) == 10
    assert [asked.request["pagesize"] for asked in mast.questions] == [10, 8, 8]


def test_a_short_answer_to_one_pattern_spoils_the_whole(mast: Mast, connect: Connect) -> None:
    good = [{"obsid": 1, "obs_id": "a"}]
    mast.invoke = in_turn(as_reply(envelope(good)), as_reply(envelope(good, rowsFiltered=2)))
    with pytest.raises(IncompleteListingError):
        connect().observations(ObservationQuery(instrument_patterns=("NIRCAM*", "MIRI*")))


def test_an_incomplete_listing_is_an_archive_error() -> None:
    assert issubclass(IncompleteListingError, ArchiveError)
