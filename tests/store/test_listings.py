"""What the archive lists is kept; a product changed only where a fact contradicts itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select, update

from jwstwatch.core import products
from jwstwatch.core.model import FileState
from jwstwatch.store import bulk, tables
from jwstwatch.store.engine import Database, open_database
from jwstwatch.store.store import Store
from tests.store.desk import DAY, HOUR, NOW, OTHER, RATE, Desk, file_names, observation, row

SECOND_PARENT = "jw01345-o001_t001_nircam_clear-f200w"


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """Gather the statements that are sent meanwhile; one for many rows counts once."""
    statements: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        statements.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


# Observations


def test_an_observation_is_kept_as_it_was_listed(desk: Desk) -> None:
    first = observation(
        1, t_min=59752.123456789012, s_ra=214.912345678901, s_dec=-52.5, filters="F200W;CLEAR", t_exptime=0.0
    )
    bare = replace(
        observation(2), **dict.fromkeys(("proposal", "t_min", "t_max", "instrument_name", "calib_level"))
    )
    desk.observe(first, bare)
    assert desk.store.listings.observations([1001, 1002, 7]) == {1001: first, 1002: bare}
    assert desk.store.listings.count_observations(desk.profile) == 2
    assert desk.store.listings.count_observations(OTHER) == 0


def test_numbers_as_large_as_the_archive_can_state_are_kept(desk: Desk) -> None:
    largest = 2**63 - 1
    odd = observation(1, obsid=largest, proposal=largest, calib_level=largest, t_exptime=1.5e300)
    desk.observe(odd)
    assert desk.store.listings.observations([largest]) == {largest: odd}
    listed = row(
        "oddity_rate.fits", parent=largest, obsid=largest, size=largest, proposal=largest, calib_level=largest
    )
    desk.list(listed)
    assert desk.product("oddity_rate.fits").rows == (listed,)


def test_an_observation_that_changed_is_kept_as_it_is_now(desk: Desk) -> None:
    desk.observe(observation(1), observation(2))
    again = observation(1, obsid=9001, obs_title="Another title")
    desk.later(DAY).observe(again, observation(2))
    assert desk.store.listings.observations([1001, 1002, 9001]) == {9001: again, 1002: observation(2)}
    assert desk.store.listings.count_observations(desk.profile) == 2
    seen = {entry.obs_id: entry.first_seen_at for entry in desk.rows(tables.observation)}
    assert set(seen.values()) == {NOW}


def test_a_new_title_makes_the_pages_of_its_proposal_due_and_nothing_else_does(desk: Desk) -> None:
    desk.observe(observation(1))
    desk.want(RATE)
    changes = page_changes(desk)
    desk.observe(observation(1))
    assert page_changes(desk) == changes
    desk.observe(observation(1, obs_title="Another title"))
    assert page_changes(desk) == changes + 1
    desk.observe(observation(2))
    assert page_changes(desk) == changes + 2
    desk.observe(observation(3, proposal=2561))
    assert page_changes(desk) == changes + 2


def page_changes(desk: Desk) -> int:
    page, _, _ = desk.store.sites.pages(desk.root.id)[1345]
    return page.changes


# Products


def test_a_product_and_its_rows_are_kept_as_they_were_listed(desk: Desk) -> None:
    rows = (
        row(
            parent=1001, filters="F200W;CLEAR", type="S", subgroup="RATE", description="exposure", project="x"
        ),
        row(
            parent=1002, obsid=6000, obs_id=SECOND_PARENT, prvversion=None, size=None, product_type="SCIENCE"
        ),
    )
    recorded = desk.list(*rows)[RATE]
    report = desk.product()
    assert (recorded.revision, recorded.obsnum) == (1, 1)
    assert (report.uri, report.name, report.proposal, report.obsnum) == (rows[0].uri, RATE, 1345, 1)
    assert (report.size, report.revision, report.facts) == (1000, 1, {})
    assert report.rows == rows
    assert report.first_seen_at == report.changed_at == NOW


def test_what_is_listed_again_without_a_change_is_not_written_again(desk: Desk) -> None:
    rows = [row(name, parent=parent) for name in file_names(20) for parent in (1001, 1002)]
    desk.list(*rows)
    with counted(desk.store.database) as statements:
        desk.later(DAY).list(*rows)
    assert [words for words in statements if not words.startswith(("SELECT", "BEGIN"))] == []


@pytest.mark.parametrize("changed", ["size", "prvversion"])
def test_a_contradicted_fact_raises_the_revision_once(desk: Desk, changed: str) -> None:
    new = {"size": 2000} if changed == "size" else {"prvversion": "1.20.2"}
    desk.list(row(parent=1001), row(parent=1002))
    later = desk.later(DAY)
    # The parents come in two batches, and the next day once more.
    assert later.list(row(parent=1001, **new))[RATE].revision == 2
    assert later.list(row(parent=1002, **new))[RATE].revision == 2
    assert later.later(DAY).list(row(parent=1001, **new), row(parent=1002, **new))[RATE].revision == 2
    report = desk.product()
    assert (report.revision, report.changed_at, report.first_seen_at) == (2, NOW + DAY, NOW)
    assert report.size == new.get("size", 1000)
    assert [(entry.kind, entry.at, entry.path) for entry in report.events] == [("revised", NOW + DAY, None)]
    assert str(report.events[0].detail).startswith(f"caom.{changed} was ")
    # And a second change is a second revision.
    assert desk.later(3 * DAY).list(row(parent=1002, size=5))[RATE].revision == 3


def test_a_change_is_seen_although_the_observation_has_another_number_since(desk: Desk) -> None:
    desk.fetch(RATE)
    assert desk.list(row(obsid=6000))[RATE].revision == 1
    assert desk.list(row(obsid=7000, size=2000))[RATE].revision == 2
    assert desk.states() == {RATE: FileState.STALE}


def test_another_parent_whose_list_lags_tells_of_no_second_change(desk: Desk) -> None:
    desk.list(row(), row(parent=1002))
    assert desk.list(row(prvversion="1.18.0"))[RATE].revision == 2
    desk.list(row(parent=1002))
    assert desk.list(row(parent=1002, prvversion="1.18.0"))[RATE].revision == 2
    assert desk.list(row(parent=1002, prvversion="1.19.0"))[RATE].revision == 3


def test_every_copy_of_a_revised_product_is_stale_at_once_and_stays_where_it_is(desk: Desk) -> None:
    names = file_names(3)
    ids = desk.fetch(*names)
    later = desk.later(DAY)
    changes = page_changes(desk)
    later.list(row(names[0], size=2000), row(names[1]))
    assert desk.states() == {
        names[0]: FileState.STALE,
        names[1]: FileState.PRESENT,
        names[2]: FileState.PRESENT,
    }
    stale = desk.row_of(ids[names[0]])
    assert (stale.revision, stale.size, stale.changed_at) == (1, 1000, NOW + DAY)
    assert stale.sha256 == desk.row_of(ids[names[1]]).sha256
    assert page_changes(desk) > changes
    (claim,) = later.next_run().claim()
    assert (claim.name, claim.revision, claim.replaces, claim.listed_size) == (names[0], 2, True, 2000)


def test_a_stale_copy_that_failed_is_tried_at_once_when_there_is_a_newer_content_still(desk: Desk) -> None:
    desk.fetch(RATE)
    desk.list(row(size=2000))
    run = desk.next_run()
    (claim,) = run.claim()
    run.fail(claim, again=NOW + DAY)
    run = run.next_run()
    assert run.claim() == []
    run.list(row(size=3000))
    (claim,) = run.claim()
    assert (claim.revision, claim.attempts) == (3, 0)


def test_facts_of_the_transfer_belong_to_one_content(desk: Desk) -> None:
    desk.want(RATE)
    (claim,) = desk.claim()
    desk.place(claim, facts={"http.etag": '"a"'})
    assert desk.product().facts == {"http.etag": '"a"'}
    desk.list(row(size=2000))
    assert desk.product().facts == {}


def test_facts_of_a_row_that_vanish_are_kept_and_compared_when_they_are_back(desk: Desk) -> None:
    desk.list(row())
    assert desk.list(row(size=None, prvversion=None))[RATE].revision == 1
    (kept,) = desk.product().rows
    assert (kept.size, kept.prvversion) == (1000, "1.17.1")
    assert desk.product().size == 1000
    assert desk.list(row())[RATE].revision == 1
    assert desk.list(row(size=2000, prvversion=None))[RATE].revision == 2
    # What is not stated for the new content is not taken over from the old one.
    assert desk.product().rows[0].prvversion is None


def test_what_is_no_evidence_is_taken_over_without_a_revision(desk: Desk) -> None:
    desk.list(row(data_rights="EXCLUSIVE_ACCESS", description="old", calib_level=1))
    desk.list(row(data_rights="PUBLIC", description="new", calib_level=2))
    report = desk.product()
    assert (report.revision, report.rows[0].description, report.rows[0].calib_level) == (1, "new", 2)
    desk.want(RATE)
    assert not desk.claim()[0].exclusive


def test_rows_that_always_disagreed_on_the_size_do_not_turn_it_to_and_fro(desk: Desk) -> None:
    small, large = row(parent=1001, size=1000), row(parent=1002, size=3000)
    desk.list(small)
    for batch in ((large,), (small,), (small, large), (large,)):
        desk.list(*batch)
        assert (desk.product().size, desk.product().revision) == (1000, 1)


def test_a_product_listed_twice_under_one_parent_is_no_change_and_no_trouble(desk: Desk) -> None:
    twice = (row(description="a"), row(description="b"))
    desk.list(*twice)
    desk.list(*reversed(twice))
    assert (len(desk.product().rows), desk.product().revision) == (1, 1)


def test_an_observation_number_that_is_learned_later_is_kept(desk: Desk) -> None:
    name = "jw01345_20260101t000000_pool.csv"
    pool = row(name, obs_id="jw01345", prvversion=None)
    assert desk.list(pool)[name].obsnum is None
    assert desk.list(pool, row())[name].obsnum == 1
    assert desk.list(pool)[name].obsnum == 1
    assert desk.product(name).obsnum == 1


_batches = itertools.count(1)

parents = st.integers(2001, 2006)
truths = st.dictionaries(
    parents,
    st.tuples(
        st.sampled_from([None, "1.17.1", "1.20.2"]),
        st.sampled_from([None, 1000, 3000]),
        st.booleans(),
    ),
    min_size=1,
)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    print_blob=False,
)
@given(truths, st.data())
def test_any_order_and_any_subset_of_unchanged_rows_is_no_change(
    desk: Desk, truth: dict[int, tuple[str | None, int | None, bool]], data: st.DataObject
) -> None:
    name = f"jw01345001001_02101_{next(_batches):05d}_nrca1_rate.fits"
    rows = [
        row(
            name,
            parent=parent,
            prvversion=version,
            size=size,
            **({} if own else {"obs_id": SECOND_PARENT, "obsid": 6000}),
        )
        for parent, (version, size, own) in truth.items()
    ]
    subsets = st.lists(st.sampled_from(rows), min_size=1, unique_by=lambda r: r.parent_obsid)
    first = data.draw(subsets)
    desk.list(*first)
    for batch in data.draw(st.lists(subsets, max_size=3)):
        desk.later(DAY).list(*batch)
    report = desk.product(name)
    assert report.revision == 1
    assert report.events == ()
    sizes = {r.size for r in rows} - {None}
    assert report.size in sizes | {None}


# How much it costs


@pytest.mark.parametrize("method", ["record_observations", "record_products"])
def test_unchanged_rows_cost_statements_by_the_chunk_only(desk: Desk, method: str) -> None:
    names = file_names(2 * bulk.CHUNK + 1)
    seen = [observation(number) for number in range(1, len(names) + 1)]
    rows = [row(name, parent=1001) for name in names]

    def record(count: int) -> int:
        with counted(desk.store.database) as statements:
            if method == "record_observations":
                desk.observe(*seen[:count])
            else:
                desk.list(*rows[:count])
        return len(statements)

    record(len(names))
    few, chunk, more = record(10), record(bulk.CHUNK), record(2 * bulk.CHUNK + 1)
    assert few == chunk
    assert chunk < more <= 3 * chunk


def test_a_large_listing_is_many_rows_in_few_statements(desk: Desk) -> None:
    rows = [row(name, parent=parent) for name in file_names(1500) for parent in (1001, 1002)]
    with counted(desk.store.database) as statements:
        desk.list(*rows)
    assert len(statements) < 40
    assert len(desk.rows(tables.listing)) == 3000


# What a profile wants


def test_what_a_profile_wants_comes_with_every_row_known_of_it(desk: Desk) -> None:
    wanted, other = file_names(2)
    ids = desk.want(wanted)
    desk.list(row(other))
    later = row(wanted, parent=1002, calib_level=3)
    desk.list(later)
    numbers = [desk.product_id(name) for name in (wanted, other)]
    found = desk.store.listings.wanted_products(desk.profile, numbers)
    assert list(found) == [numbers[0]]
    assert set(found[numbers[0]].rows) == {row(wanted), later}
    (regrouped,) = products.group([row(wanted), later], {})
    assert found[numbers[0]] == replace(regrouped, rows=found[numbers[0]].rows)
    assert desk.store.listings.wanted_products(OTHER, numbers) == {}
    assert ids


# When a product list is asked for again

SETTLE, RECHECK = 14 * DAY, 7 * DAY


def due(desk: Desk, profile: str | None = None) -> list[int]:
    return desk.store.listings.due_observations(
        profile or desk.profile, now=desk.now, settle=SETTLE, recheck=RECHECK
    )


def checked(desk: Desk, *numbers: int) -> None:
    desk.store.listings.mark_checked(desk.profile, [1000 + number for number in numbers], now=desk.now)


def test_an_observation_is_asked_about_until_its_list_was_whole(desk: Desk) -> None:
    desk.observe(observation(1), observation(2))
    assert due(desk) == [1001, 1002]
    checked(desk, 2)
    assert due(desk) == [1001]
    checked(desk, 1)
    assert due(desk) == []


def test_an_observation_is_asked_about_again_when_it_is_time_to_recheck(desk: Desk) -> None:
    desk.observe(observation(1), observation(2), observation(3))
    checked(desk.later(2 * HOUR), 1)
    checked(desk.later(HOUR), 2)
    checked(desk.later(3 * DAY), 3)
    assert due(desk.later(RECHECK)) == []
    # Oldest first, so that a batch that is cut short takes the most urgent ones.
    assert due(desk.later(RECHECK + 2 * HOUR)) == [1002, 1001]
    desk.observe(observation(4))
    assert due(desk.later(RECHECK + 2 * HOUR)) == [1004, 1002, 1001]


def test_the_oldest_checked_are_asked_about_up_to_the_quota(desk: Desk) -> None:
    desk.observe(*(observation(number) for number in range(1, 6)), observation(6, calib_level=-1))
    for number in (3, 1, 5, 2, 4):
        checked(desk.later(number * HOUR), number)

    def within(quota: int) -> list[int]:
        return desk.store.listings.due_observations(
            desk.profile, now=NOW + 6 * HOUR, settle=SETTLE, recheck=RECHECK, quota=quota
        )

    assert [within(quota) for quota in (0, 2, 9)] == [[], [1001, 1002], [1001, 1002, 1003, 1004, 1005]]
    assert desk.store.listings.count_observations(desk.profile) == 6
    assert desk.store.listings.count_observations(desk.profile, executed=True) == 5


def test_a_list_that_a_clock_ahead_of_today_saw_is_asked_for_again(desk: Desk) -> None:
    desk.observe(observation(1))
    checked(desk.later(400 * 24 * HOUR), 1)
    assert due(desk) == [1001]


def mjd(days_ago: float) -> float:
    from jwstwatch.core.dates import to_mjd

    return to_mjd(NOW - timedelta(days=days_ago))


@pytest.mark.parametrize(
    ("changes", "unsettled"),
    [
        ({"t_min": mjd(20), "t_max": mjd(13.9)}, True),
        ({"t_min": mjd(20), "t_max": mjd(14.1)}, False),
        ({"t_min": mjd(13.9), "t_max": None}, True),
        ({"t_min": mjd(14.1), "t_max": None}, False),
        ({"t_min": None, "t_max": None}, False),
    ],
)
def test_a_young_observation_is_asked_about_at_every_run(
    desk: Desk, changes: dict[str, float | None], unsettled: bool
) -> None:
    desk.observe(observation(1, **changes))
    checked(desk, 1)
    assert due(desk) == ([1001] if unsettled else [])


def test_what_is_only_planned_is_never_asked_about_until_it_was_executed(desk: Desk) -> None:
    planned = observation(1, calib_level=-1, t_min=None, t_max=None)
    desk.observe(planned, observation(2, calib_level=None))
    assert due(desk) == [1002]
    desk.observe(replace(planned, calib_level=2, t_min=mjd(1)))
    assert due(desk) == [1001, 1002]


def test_an_observation_that_changed_is_asked_about_by_every_profile_that_has_it(desk: Desk) -> None:
    other = desk.of(OTHER)
    for each in (desk, other):
        each.observe(observation(1), observation(2))
        checked(each, 1, 2)
    desk.observe(observation(1), observation(2, t_exptime=77.0))
    assert due(desk) == [1002]
    assert due(other) == [1002]
    other.observe(observation(1), observation(2, t_exptime=77.0))
    assert due(other) == [1002]


def test_a_changed_query_asks_about_everything_it_ever_found(desk: Desk) -> None:
    other = desk.of(OTHER)
    for each in (desk, other):
        each.observe(observation(1), observation(2), observation(3))
        checked(each, 1, 2, 3)
    desk.observe(observation(1), observation(2), everything=True)
    assert due(desk) == [1001, 1002, 1003], "the files of the third are judged by the new rules"
    assert due(other) == []


def test_a_list_is_settled_once_each_of_its_files_is_there_or_certainly_gone(desk: Desk) -> None:
    first, second = file_names(2)
    said = {1001: "a" * 64, 1002: "b" * 64}
    desk.observe(observation(1), observation(2))
    desk.want(first, second)
    listings, file = desk.store.listings, tables.file

    def settled() -> frozenset[int]:
        return listings.settled(desk.profile, said)

    def become(state: FileState, *names: str) -> None:
        with desk.store.database.write() as connection:
            ids = [desk.file_id(f"01345/{name}") for name in names]
            connection.execute(update(file).where(file.c.id.in_(ids)).values(state=state.value, revision=1))

    def list_first_alone(later: Desk) -> None:
        listed = products.group([row(first)], {})
        listings.record_products(desk.run.id, listed, now=later.now, parents=[1001])

    listings.mark_checked(desk.profile, [1001, 1002], now=NOW, digests={1001: said[1001]})
    assert settled() == frozenset()
    become(FileState.PRESENT, first, second)
    assert settled() == {1001}
    listings.mark_checked(desk.profile, [1001], now=NOW)
    assert settled() == {1001}
    list_first_alone(desk)
    assert settled() == frozenset()
    list_first_alone(desk.later(2 * DAY))
    assert settled() == frozenset()
    become(FileState.GONE, second)
    assert settled() == {1001}
    desk.observe(replace(observation(2), obsid=1001))
    assert settled() == frozenset()


def test_an_observation_of_another_profile_is_none_of_ours(desk: Desk) -> None:
    desk.of(OTHER).observe(observation(1))
    assert due(desk) == []


def failed_file(desk: Desk) -> None:
    desk.observe(observation(1), observation(2))
    desk.want(RATE)
    checked(desk, 1, 2)
    (claim,) = desk.claim()
    desk.fail(claim)


def test_an_observation_with_a_file_that_failed_is_asked_about_again(desk: Desk) -> None:
    failed_file(desk)
    assert due(desk) == [1001]
    (claim,) = desk.later(HOUR).next_run().claim()
    desk.place(claim)
    assert due(desk) == []


@pytest.mark.parametrize("how", ["declined", "no longer selected", "another profile's"])
def test_a_failed_file_that_the_profile_does_not_want_is_no_reason_to_ask(desk: Desk, how: str) -> None:
    failed_file(desk)
    other = desk.of(OTHER)
    other.observe(observation(1))
    checked(other, 1)
    if how == "declined":
        desk.set_file([desk.file_id(f"01345/{RATE}")], declined=True)
    elif how == "no longer selected":
        desk.plan(skipped=[desk.product_id(RATE)])
    assert due(other if how == "another profile's" else desk) == []


def withheld(desk: Desk, *, release: float | None) -> None:
    desk.observe(observation(1, t_obs_release=release, data_rights="EXCLUSIVE_ACCESS"))
    desk.want(RATE, state=FileState.WITHHELD, reason="no token")
    checked(desk, 1)


def test_a_withheld_file_is_asked_about_again_once_it_was_released(desk: Desk) -> None:
    withheld(desk, release=mjd(-1))
    assert due(desk) == []
    assert due(desk.later(DAY)) == [1001]


def test_a_withheld_file_without_a_release_date_waits_for_the_recheck(desk: Desk) -> None:
    withheld(desk, release=None)
    assert due(desk.later(DAY)) == []
    assert due(desk.later(RECHECK)) == [1001]


def test_an_observation_with_a_missing_file_is_listed_again_until_it_is_there(desk: Desk) -> None:
    desk.observe(observation(1))
    desk.want(RATE)
    checked(desk, 1)
    assert due(desk) == [1001]
    (claim,) = desk.claim()
    desk.place(claim)
    assert due(desk) == []


def test_marking_many_observations_takes_few_statements(desk: Desk) -> None:
    desk.observe(*(observation(number) for number in range(1, 1202)))
    with counted(desk.store.database) as statements:
        checked(desk, *range(1, 1202))
    assert len(statements) <= 7
    assert due(desk) == []


@pytest.mark.parametrize("backend", ["sqlite"])
def test_finding_what_is_due_costs_in_proportion_to_what_is_known(url: str, tmp_path: Path) -> None:
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    def cost(size: int) -> int:
        """Instructions, by the hundred, that SQLite needs with so many observations of one file each."""
        nonlocal steps
        names = [f"{number:06d}_rate.fits" for number in range(size)]
        desk.observe(*(observation(number) for number in range(size)))
        desk.list(*(row(name, parent=1000 + number) for number, name in enumerate(names)))
        desk.want(*names)
        desk.set_file((desk.file_id(f"01345/{name}") for name in names[20:]), state="present")
        desk.set_file((desk.file_id(f"01345/{name}") for name in names[:20]), state="failed")
        desk.store.listings.mark_checked(desk.profile, range(1000, 1000 + size), now=NOW)
        steps = 0
        assert len(due(desk)) == 20
        return steps

    database = open_database(url)
    event.listen(database.engine, "connect", lambda raw, _: raw.set_progress_handler(count, 100))
    with Store(database) as store:
        desk = Desk.set_up(store, tmp_path)
        few, many = cost(200), cost(800)
    assert many < 6 * few


def test_two_products_with_one_name_are_two(desk: Desk) -> None:
    elsewhere = row()._replace(uri=f"mast:JWST/other/{RATE}")
    desk.list(row(), elsewhere)
    assert {report.uri for report in desk.store.reports.product(RATE)} == {row().uri, elsewhere.uri}
    numbers = select(tables.product.c.revision)
    with desk.store.database.read() as connection:
        assert list(connection.execute(numbers).scalars()) == [1, 1]
