"""A scratch copy has everything that planning reads, and keeps to itself what happens to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from jwstwatch.core.model import Outcome, Trigger
from jwstwatch.store import tables
from jwstwatch.store.scratch import end_run_of, scratch_copy
from jwstwatch.store.store import Store
from tests.store.desk import JPG, NOW, OTHER, RATE, Desk, observation, row


def rows(store: Store, table: Any) -> Sequence[Any]:
    with store.database.read() as connection:
        return connection.execute(select(table).order_by(*table.primary_key)).all()


def everything(store: Store) -> dict[str, Sequence[Any]]:
    return {table.name: rows(store, table) for table in tables.metadata.sorted_tables}


def a_state(desk: Desk) -> None:
    desk.observe(observation(1), observation(2, calib_level=-1, t_min=None))
    desk.fetch(RATE)
    desk.want(JPG)
    desk.intend(desk.claim()[0], facts={"http.etag": '"a"'})
    desk.store.tokens.saw("a token", accepted=True, now=NOW)


def test_the_copy_is_as_the_state_is(desk: Desk) -> None:
    a_state(desk)
    with scratch_copy(desk.store) as scratch:
        copied, original = everything(scratch), everything(desk.store)
    for name in original.keys() - {"event", "keywords", "page", "page_part", "arrival"}:
        assert copied[name] == original[name], name
    assert original["intent"][0].facts == {"http.etag": '"a"'}


def test_what_happens_to_the_copy_reaches_nobody(desk: Desk) -> None:
    a_state(desk)
    before = everything(desk.store)
    with scratch_copy(desk.store) as scratch:
        scratch.runs.begin(OTHER, Trigger.MANUAL, now=NOW)
        copy = Desk(store=scratch, root=desk.root, run=desk.run, profile=desk.profile, now=NOW)
        copy.observe(observation(3))
        copy.list(row(size=999))
        copy.fetch("jw01345001001_02101_00009_nrca1_rate.fits")
        scratch.notices.raise_("clock", kind="clock", text="odd", now=NOW)
        assert everything(scratch) != before
    assert everything(desk.store) == before


def test_what_happens_to_the_state_later_does_not_reach_the_copy(desk: Desk) -> None:
    a_state(desk)
    with scratch_copy(desk.store) as scratch:
        before = everything(scratch)
        desk.observe(observation(3))
        assert everything(scratch) == before


def test_a_run_that_goes_on_is_taken_for_ended_with_its_claims(desk: Desk) -> None:
    desk.want(RATE, JPG)
    assert len(desk.claim()) == 2
    with scratch_copy(desk.store) as scratch:
        assert not end_run_of(scratch, OTHER)
        assert end_run_of(scratch, desk.profile)
        assert not end_run_of(scratch, desk.profile)
        (run,) = rows(scratch, tables.run)
        assert run.outcome == Outcome.CANCELLED.value
        assert {file.claimed_by for file in rows(scratch, tables.file)} == {None}
    assert {file.claimed_by for file in rows(desk.store, tables.file)} == {desk.run.id}
