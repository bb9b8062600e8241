"""What whole product lists lack, and which files are gone by that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import event, select

from jwstwatch.core import products
from jwstwatch.core.model import FileState, ListingRow
from jwstwatch.core.planning import DiskKind, OnDisk
from jwstwatch.store import tables
from tests.store.desk import DAY, HOUR, NOW, OTHER, PROFILE, RATE, Desk, file_names, observation, row

ON_DISK = OnDisk(DiskKind.FILE, 1000)


def listed(
    desk: Desk, *rows: ListingRow, parents: tuple[int, ...] = (1001,), heard_at: datetime | None = None
) -> None:
    """Record whole product lists."""
    desk.store.listings.record_products(
        desk.run.id, products.group(rows, {}), now=desk.now, parents=parents, heard_at=heard_at
    )


def missing(desk: Desk) -> dict[tuple[str, int], tuple[float, float]]:
    """When which pair was missing first, and when it was confirmed last, in hours after the beginning."""
    query = select(tables.product.c.name, tables.listing).join(
        tables.product, tables.product.c.id == tables.listing.c.product_id
    )
    with desk.store.database.read() as connection:
        return {
            (entry.name, entry.parent_obsid): (
                (entry.missing_since - NOW) / HOUR,
                (entry.missing_at - NOW) / HOUR,
            )
            for entry in connection.execute(query)
            if entry.missing_since is not None
        }


def mark(desk: Desk, profile: str = PROFILE, *, superseded_only: bool = False) -> list[str]:
    """Mark what is gone; returns the names."""
    ids = desk.store.withdrawals.mark_gone(
        profile, run_id=desk.run.id, now=desk.now, superseded_only=superseded_only
    )
    return sorted(entry.name for entry in desk.rows(tables.product) if entry.id in ids)


# -- which pairs are missing


def test_what_a_whole_list_lacks_is_missing_until_it_is_listed_again(desk: Desk) -> None:
    kept, lost = file_names(2)
    listed(desk, row(kept), row(lost), row(lost, parent=1002), parents=(1001, 1002))
    assert missing(desk) == {}
    for hours in (1, 2, 23):
        listed(desk.later(hours * HOUR), row(kept))
        assert missing(desk) == {(lost, 1001): (1, 1)}
    listed(desk.later(26 * HOUR), row(kept))
    assert missing(desk) == {(lost, 1001): (1, 26)}
    listed(desk.later(27 * HOUR), row(kept), row(lost))
    assert missing(desk) == {}


def test_lists_that_were_not_asked_for_or_not_whole_lack_nothing(desk: Desk) -> None:
    kept, lost = file_names(2)
    listed(desk, row(kept), row(lost), row(lost, parent=1002), parents=(1001, 1002))
    desk.list(row(kept))
    listed(desk, row(kept, parent=1003), parents=(1003,))
    assert missing(desk) == {}


def test_only_the_row_that_is_lacking_is_missing(desk: Desk) -> None:
    listed(desk, row(obsid=5000), row(obsid=5001))
    listed(desk, row(obsid=5001))
    with desk.store.database.read() as connection:
        query = select(tables.listing.c.obsid).where(tables.listing.c.missing_since.is_not(None))
        assert connection.execute(query).scalars().all() == [5000]


def test_an_empty_list_is_confirmed_only_by_a_query_that_would_tell_of_another_number(desk: Desk) -> None:
    listed(desk, row())
    for hours, heard_at, confirmed in ((1, NOW, 1), (30, None, 1), (31, NOW, 1), (32, NOW + HOUR, 32)):
        listed(desk.later(hours * HOUR), heard_at=heard_at)
        assert missing(desk) == {(RATE, 1001): (1, confirmed)}


def test_what_a_clock_noted_that_was_ahead_is_noted_anew(desk: Desk) -> None:
    kept, lost = file_names(2)
    listed(desk, row(kept), row(lost))
    listed(desk.later(400 * DAY), row(kept))
    listed(desk.later(HOUR), row(kept))
    assert missing(desk) == {(lost, 1001): (1, 1)}


def test_many_pairs_that_did_not_change_cost_few_statements(desk: Desk) -> None:
    names = file_names(1200)
    rows = [row(name) for name in names]
    listed(desk, *rows)
    with statements(desk) as usual:
        desk.list(*rows)
    with statements(desk) as whole:
        listed(desk, *rows)
    assert len(whole) == len(usual) + 1
    with statements(desk) as lacking:
        listed(desk.later(HOUR), *rows[:600])
    with statements(desk) as fewer:
        desk.list(*rows[:600])
    assert len(lacking) <= len(fewer) + 7
    assert len(missing(desk)) == 600
    with statements(desk) as emptied:
        listed(desk.later(2 * HOUR))
    assert len(emptied) <= 7
    assert len(missing(desk)) == 1200


@contextmanager
def statements(desk: Desk) -> Iterator[list[str]]:
    """Keep the statements that are executed."""
    heard: list[str] = []

    def hear(*arguments: object) -> None:
        heard.append(str(arguments[2]))

    engine = desk.store.database.engine
    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(engine, "before_cursor_execute", hear)


# -- observations with other numbers


def test_what_is_known_of_an_observation_goes_on_under_its_new_number(desk: Desk) -> None:
    own = "jw01345001001_02101_00001_nrca1"
    desk.observe(observation(1), observation(2, obs_id=own))
    listed(desk, row(obsid=1002), row(obsid=1002, parent=1002), parents=(1001, 1002))
    listed(desk, parents=(1001,))
    desk.observe(observation(2, obs_id=own, obsid=7))
    assert pairs(desk) == {(1001, 7), (7, 7)}
    assert list(missing(desk)) == [(RATE, 1001)]
    # What was listed under the new number before that was known stays, and the other goes.
    listed(desk, row(obsid=8, parent=8, size=1000), row(obsid=8), parents=(8, 1001))
    desk.observe(observation(2, obs_id=own, obsid=8))
    assert pairs(desk) == {(1001, 8), (8, 8)}
    assert missing(desk) == {}


def test_observations_may_take_each_other_s_numbers(desk: Desk) -> None:
    names = file_names(3)
    desk.observe(observation(1), observation(2), observation(3))
    listed(desk, *(row(name, parent=1001 + at) for at, name in enumerate(names)), parents=(1001, 1002, 1003))
    desk.observe(observation(1, obsid=1002), observation(2, obsid=1001), observation(3, obsid=9))
    parents = {entry.product_id: entry.parent_obsid for entry in desk.rows(tables.listing)}
    assert [parents[desk.product_id(name)] for name in names] == [1002, 1001, 9]


def pairs(desk: Desk) -> set[tuple[int, int]]:
    return {(entry.parent_obsid, entry.obsid) for entry in desk.rows(tables.listing)}


# -- which files are gone


def vanish(desk: Desk, *kept: ListingRow, parents: tuple[int, ...] = (1001,)) -> Desk:
    """Have two whole lists, a day apart, hold no more than `kept`; returns the desk a day later."""
    for day in (desk, desk.later(DAY)):
        listed(day, *kept, parents=parents, heard_at=day.now)
    return desk.later(DAY)


def test_a_file_is_gone_when_every_list_lacks_it_twice_a_day_apart(desk: Desk) -> None:
    kept, lost = file_names(2)
    desk.observe(observation(1), observation(2))
    ids = desk.fetch(kept, lost)
    listed(desk, row(lost, parent=1002), parents=(1002,))
    day = vanish(desk, row(kept))
    assert day.store.withdrawals.withdrawn(PROFILE).confirmed == 0
    assert mark(day) == []
    for late, gone in ((desk, []), (day, [lost])):
        listed(late, row(kept, parent=1002), parents=(1002,))
        assert mark(late) == gone
    entry = day.row_of(ids[lost])
    assert (entry.state, entry.size) == ("gone", 1000)
    assert entry.reason == "the archive no longer lists it (since 2026-03-01)"
    assert day.kinds(lost)[-1] == "gone"
    assert mark(day) == []
    counts = day.store.reports.of_run(day.run.id, PROFILE)
    assert (counts.failed, counts.waiting) == (0, 0)
    # Listed again, it is present again, and nothing is fetched.
    listed(day, row(kept), row(lost))
    assert day.replan(lost, on_disk=ON_DISK).state is FileState.PRESENT
    assert day.states()[lost] is FileState.PRESENT


def test_what_has_no_copy_is_tried_no_more_until_it_is_listed_again(desk: Desk) -> None:
    names = file_names(4)
    desk.observe(observation(1))
    desk.want(*names)
    claims = {claim.name: claim for claim in desk.claim(4)}
    desk.fail(claims[names[0]])
    desk.fail(claims[names[1]], state=FileState.WITHHELD, reason="not authorised")
    desk.place(claims[names[3]])
    next_run = desk.next_run()
    day = vanish(next_run, row(names[3]))
    assert mark(day) == names[:3]
    assert day.claim(force=True) == []
    assert day.file(names[0]).last_error is None
    listed(day, *(row(name) for name in names))
    assert [day.replan(name).state for name in names[:3]] == [FileState.WANTED] * 3
    assert [claim.name for claim in day.claim()] == names[:3]


def test_what_somebody_put_where_a_file_without_a_copy_would_be_is_looked_at_first(desk: Desk) -> None:
    desk.observe(observation(1))
    desk.want(RATE)
    day = vanish(desk)
    assert mark(day) == [RATE]
    listed(day, row())
    assert day.replan(on_disk=ON_DISK).action == "adopt"


def test_another_content_of_what_was_gone_makes_its_copy_stale(desk: Desk) -> None:
    desk.observe(observation(1))
    desk.fetch(RATE)
    day = vanish(desk.next_run())
    assert mark(day) == [RATE]
    listed(day, row(size=2000, prvversion="1.18.0"))
    assert day.replan(on_disk=ON_DISK).state is FileState.STALE
    assert [claim.revision for claim in day.claim()] == [2]


def test_dropped_files_and_those_that_are_under_way_stay_as_they_are(desk: Desk) -> None:
    names = file_names(3)
    desk.observe(observation(1))
    desk.want(*names)
    desk.store.drops.drop(desk.store.drops.choose([names[2]]), now=NOW)
    first, second = desk.claim(3)
    desk.intend(second)
    day = vanish(desk)
    assert mark(day) == []
    day.fail(first)
    assert mark(day) == [first.name]


def test_a_file_that_nobody_wants_is_gone_by_the_profile_that_found_its_observation(desk: Desk) -> None:
    desk.observe(observation(1))
    desk.fetch(RATE)
    desk.plan(skipped=[desk.product_id(RATE)])
    day = vanish(desk)
    assert mark(day, OTHER) == []
    assert mark(day) == [RATE]


def test_each_profile_judges_its_own_files(desk: Desk, tmp_path: Path) -> None:
    desk.observe(observation(1))
    desk.fetch(RATE)
    other = replace(desk.of(OTHER), root=desk.store.roots.add(tmp_path / "other", now=NOW))
    other.want(RATE)
    day = vanish(desk)
    assert mark(day) == [RATE]
    states = [entry.state for entry in day.rows(tables.file)]
    assert states == ["gone", "wanted"]
    assert mark(other.later(DAY), OTHER) == [RATE]


def test_how_much_is_gone_is_told_without_what_is_superseded(desk: Desk) -> None:
    names = file_names(5)
    desk.observe(observation(1))
    ids = desk.fetch(*names)
    listed(desk, *(row(name) for name in names[2:]))
    listed(desk.later(DAY), *(row(name) for name in names[3:]))
    desk.set_file([ids[names[0]]], superseded=True)
    found = desk.store.withdrawals.withdrawn(PROFILE)
    assert (found.confirmed, found.missing, found.files) == (1, 1, 4)
    assert (found.examples, found.since) == ((names[1],), NOW)
    assert mark(desk.later(DAY), superseded_only=True) == [names[0]]
    assert desk.store.reports.counts()[PROFILE].files == {FileState.PRESENT: 4}, "that is no loss"


# -- who is asked again


def test_a_missing_product_is_asked_for_once_more_after_a_day(desk: Desk) -> None:
    kept, lost, elsewhere = file_names(3)
    desk.observe(observation(1), observation(2))
    desk.fetch(kept, lost, elsewhere)
    listed(desk, row(elsewhere, parent=1002), parents=(1002,))
    listed(desk, row(kept))

    def due(hours: int) -> list[int]:
        now = NOW + hours * HOUR
        return desk.store.withdrawals.due(PROFILE, {PROFILE}, now=now, heard_at=None)

    assert (due(23), due(24)) == ([], [1001])
    listed(desk.later(DAY), row(kept))
    assert due(1000) == []
    assert mark(desk.later(DAY)) == [lost]
    # What another list still has is not looked for.
    listed(desk.later(2 * DAY), row(kept), row(lost))
    listed(desk.later(3 * DAY), row(kept), row(lost))
    assert due(24 * 5) == []


def test_an_empty_list_is_asked_for_again_when_a_query_was_asked_that_tells_of_another_number(
    desk: Desk,
) -> None:
    desk.observe(observation(1))
    desk.fetch(RATE)
    listed(desk)

    def due(heard_at: datetime | None) -> list[int]:
        return desk.store.withdrawals.due(PROFILE, {PROFILE}, now=NOW + 9 * DAY, heard_at=heard_at)

    assert (due(None), due(NOW - HOUR), due(NOW)) == ([], [], [1001])


def test_lists_that_nobody_asks_for_are_told_where_they_alone_have_a_product(desk: Desk) -> None:
    desk.observe(observation(1))
    desk.of("former").observe(observation(2))
    desk.fetch(RATE)
    listed(desk, row(parent=1002), parents=(1002,))
    due = desk.store.withdrawals.due_elsewhere
    assert due(PROFILE, {PROFILE}, now=NOW) == []
    day = vanish(desk)
    assert mark(day) == []
    assert due(PROFILE, {PROFILE, "former"}, now=day.now) == []
    assert due(PROFILE, {PROFILE}, now=day.now) == [1002]
    listed(day, parents=(1002,), heard_at=day.now)
    assert due(PROFILE, {PROFILE}, now=day.now) == []
    again = day.later(DAY)
    assert due(PROFILE, {PROFILE}, now=again.now) == [1002]
    listed(again, parents=(1002,), heard_at=again.now)
    assert mark(again) == [RATE]
    assert due(PROFILE, {PROFILE}, now=again.now) == []


# -- superseded


def association(stamp: str) -> str:
    return f"jw01345-o001_{stamp}_image3_00001_asn.json"


def test_older_editions_are_flagged_wherever_they_lie_until_the_newer_is_gone(desk: Desk) -> None:
    old, new = association("20250101t000000"), association("20250401t000000")
    desk.observe(observation(1))
    desk.fetch(old, new, RATE)

    def judge(at: Desk) -> dict[str, bool]:
        everything = [entry.id for entry in at.rows(tables.product)]
        at.store.withdrawals.supersede(everything, run_id=at.run.id, now=at.now)
        flags = {entry.product_id: entry.superseded for entry in at.rows(tables.file)}
        return {name: flags[at.product_id(name)] for name in (old, new, RATE)}

    assert judge(desk) == {old: True, new: False, RATE: False}
    assert judge(desk) == {old: True, new: False, RATE: False}
    assert (desk.kinds(old)[-1], desk.product(old).events[-1].detail) == ("superseded", new)
    assert desk.kinds(old).count("superseded") == 1
    # It takes two lists to say that the newer one is no more.
    listed(desk, row(old), row(RATE))
    assert judge(desk)[old]
    listed(desk.later(DAY), row(old), row(RATE))
    assert mark(desk.later(DAY)) == [new]
    flags = {entry.product_id: entry.superseded for entry in desk.rows(tables.file)}
    assert flags[desk.product_id(old)] is False
    assert desk.kinds(old)[-1] == "reinstated"
