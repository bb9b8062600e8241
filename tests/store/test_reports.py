"""What people ask the state: counts, the inventory, everything about one name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from jwstwatch.core.model import FileState
from jwstwatch.core.retrying import FailureKind
from jwstwatch.store.engine import Database
from jwstwatch.store.outlook import Outlook
from jwstwatch.store.reports import FileQuery, ProfileCounts
from jwstwatch.store.runs import Counts
from tests.store.conftest import SQLITE
from tests.store.desk import DAY, HOUR, JPG, NOW, OTHER, RATE, Desk, digest, file_names, observation, row

UNCAL = "jw01345002001_02101_00001_nrca1_uncal.fits"
FOREIGN = "jw02561001001_02101_00001_nrca1_rate.fits"


def one_of_each(desk: Desk) -> dict[str, str]:
    """One file in each state there is, tried or untried in a second run; what each stands for, by name."""
    fates = (
        "arrived",
        "was there",
        "replaced",
        "stale, failed",
        "stale, waiting",
        "failed",
        "failed before",
        "in the way",
        "refused",
        "no token",
        "not reached",
        "outage",
        "gone",
        "declined",
    )
    names = dict(zip(fates, file_names(len(fates)), strict=True))
    desk.fetch(
        *(names[fate] for fate in ("was there", "replaced", "stale, failed", "stale, waiting", "gone"))
    )
    desk.want(names["failed before"])
    desk.fail(*desk.claim(), again=NOW + DAY)
    run = desk.next_run()
    run.list(*(row(names[fate], size=2000) for fate in ("replaced", "stale, failed", "stale, waiting")))
    wanted = ("arrived", "failed", "in the way", "refused", "not reached", "outage", "declined")
    ids = run.want(*(names[fate] for fate in wanted))
    run.want(names["no token"], state=FileState.WITHHELD, reason="no token")
    run.set_file([ids[names["declined"]]], declined=True)
    run.set_file([run.file_id(f"01345/{names['gone']}")], state="gone")
    claims = {claim.name: claim for claim in run.claim()}
    run.fail(claims[names["outage"]], claims[names["stale, waiting"]])
    run.store.transfers.forgive_outage(run.run.id, now=NOW)
    run.place(claims[names["arrived"]], claims[names["replaced"]])
    run.fail(claims[names["failed"]], claims[names["stale, failed"]], kind=FailureKind.CONTENT)
    run.fail(claims[names["in the way"]], kind=FailureKind.LOCAL)
    run.fail(
        claims[names["refused"]],
        kind=FailureKind.UNAUTHORISED,
        state=FileState.WITHHELD,
        reason="not authorised",
    )
    return {"run": str(run.run.id), **names}


def test_each_file_of_a_run_is_in_exactly_one_of_the_five_counts(desk: Desk) -> None:
    names = one_of_each(desk)
    counts = desk.store.reports.of_run(int(names["run"]), desk.profile)
    assert counts == Counts(downloaded=2, unchanged=2, withheld=2, failed=4, waiting=3)
    assert counts.products == len(names) - 2  # without the run, and what was dropped on purpose
    assert desk.store.reports.of_run(int(names["run"]), OTHER) == Counts()


def test_what_arrived_in_an_earlier_run_is_unchanged_in_the_next(desk: Desk) -> None:
    desk.fetch(RATE)
    assert desk.store.reports.of_run(desk.run.id, desk.profile) == Counts(downloaded=1)
    run = desk.next_run()
    assert run.store.reports.of_run(run.run.id, run.profile) == Counts(unchanged=1)


def test_a_file_of_two_profiles_counts_for_both(desk: Desk) -> None:
    desk.want(RATE)
    other = desk.of(OTHER)
    other.replan()
    desk.place(*desk.claim())
    assert desk.store.reports.of_run(desk.run.id, desk.profile) == Counts(downloaded=1)
    assert desk.store.reports.of_run(other.run.id, OTHER) == Counts(unchanged=1)


def test_the_counts_of_a_profile_say_what_is_there_and_what_is_to_come(desk: Desk) -> None:
    assert desk.store.reports.counts() == {}
    one_of_each(desk)
    desk.of(OTHER).want(FOREIGN)
    counts = desk.store.reports.counts()
    assert counts[desk.profile] == ProfileCounts(
        files={
            FileState.PRESENT: 3,
            FileState.STALE: 2,
            FileState.FAILED: 3,
            FileState.WITHHELD: 2,
            FileState.WANTED: 2,
            FileState.GONE: 1,
        },
        bytes_present=6 * 1000,
        bytes_wanted=2 * 2000 + 5 * 1000,
    )
    assert counts[OTHER] == ProfileCounts(files={FileState.WANTED: 1}, bytes_wanted=1000)


def test_sizes_beyond_what_four_bytes_hold_are_summed(desk: Desk) -> None:
    desk.list(*(row(name, size=2**42) for name in file_names(3)))
    for name in file_names(3):
        desk.replan(name)
    assert desk.store.reports.counts()[desk.profile].bytes_wanted == 3 * 2**42
    assert desk.store.transfers.planned(desk.run.id, desk.profile, now=NOW) == (3, 3 * 2**42)


@pytest.mark.parametrize("backend", [SQLITE])
def test_how_things_stand_is_told_without_a_look_at_what_is_simply_present(desk: Desk) -> None:
    one_of_each(desk)
    database = desk.store.database
    asked: dict[str, Callable[[], object]] = {
        "counts": desk.store.reports.counts,
        "of a run": lambda: desk.store.reports.of_run(desk.run.id, desk.profile),
        "unselected": lambda: desk.store.reports.unselected([desk.profile]),
        "troubled": lambda: desk.store.reports.troubled(desk.profile),
        "withheld": lambda: Outlook(database).withheld(desk.profile, now=NOW),
        "roots": desk.store.roots.all,
        "used": lambda: desk.store.reservations.used(desk.profile),
        "profiles": desk.store.profiles.all,
    }
    for question, ask in asked.items():
        plan = "; ".join(plans_of(database, ask))
        assert plan, question
        assert not re.search(r"SCAN (file|want|product|listing)\b", plan), (question, plan)
        # One index entry for each file of the profile: that of other profiles is read where copies may go.
        if question != "unselected":
            assert not re.search(r"SEARCH want USING [^;(]*\(profile=\?\)", plan), (question, plan)


def statements_of(database: Database, ask: Callable[[], object]) -> list[tuple[str, Any]]:
    """Return the statements, with their parameters, that a question takes."""
    asked: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", keep)
    try:
        ask()
    finally:
        event.remove(database.engine, "before_cursor_execute", keep)
    return asked


def plans_of(database: Database, ask: Callable[[], object]) -> list[str]:
    """Return what SQLite says of how it answers a question."""
    asked = statements_of(database, ask)
    with database.read() as connection:
        return [
            str(row[3])
            for statement, parameters in asked
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]


def test_what_did_not_arrive_though_it_was_tried_is_told(desk: Desk) -> None:
    names = one_of_each(desk)
    told = {report.name for report in desk.store.reports.troubled(desk.profile)}
    assert told == {names[fate] for fate in ("stale, failed", "failed", "failed before", "in the way")}
    assert desk.store.reports.troubled(OTHER) == []


# The inventory


def names_of(desk: Desk, **asked: object) -> list[str]:
    return [entry.name for entry in desk.store.reports.files(FileQuery(**asked))]  # type: ignore[arg-type]


def inventory(desk: Desk) -> None:
    desk.fetch(RATE)
    later = desk.later(DAY)
    later.want(JPG)
    later.fetch(UNCAL)
    other = later.of(OTHER)
    other.want(FOREIGN)


def test_the_inventory_has_every_file_as_it_is(desk: Desk) -> None:
    inventory(desk)
    assert set(names_of(desk)) == {RATE, JPG, UNCAL, FOREIGN}
    found = {entry.name: entry for entry in desk.store.reports.files(FileQuery())}
    entry = found[RATE]
    assert (entry.path, entry.uri) == (desk.root.path / "01345" / RATE, row().uri)
    assert (entry.proposal, entry.obsnum, entry.filetype) == (1345, 1, "_rate.fits")
    assert (entry.state, entry.reason, entry.size) == (FileState.PRESENT, None, 1000)
    assert (entry.sha256, entry.revision, entry.changed_at) == (digest("content"), 1, NOW)
    assert (found[JPG].size, found[JPG].sha256, found[JPG].revision) == (1000, None, None)


NARROWED: tuple[tuple[dict[str, object], set[str]], ...] = (
    ({"profile": OTHER}, {FOREIGN}),
    ({"states": (FileState.PRESENT,)}, {RATE, UNCAL}),
    ({"states": (FileState.PRESENT, FileState.WANTED), "profile": "nircam"}, {RATE, UNCAL, JPG}),
    ({"states": (FileState.GONE,)}, set()),
    ({"proposals": {2561: ()}}, {FOREIGN}),
    ({"proposals": {1345: (2,)}}, {UNCAL}),
    ({"proposals": {1345: (1,), 2561: ()}}, {RATE, JPG, FOREIGN}),
    ({"filetypes": ("_rate.fits",)}, {RATE, FOREIGN}),
    ({"changed_since": NOW + HOUR}, {JPG, UNCAL, FOREIGN}),
    ({"arrived_since": NOW + HOUR}, {UNCAL}),
    ({"arrived_since": NOW + HOUR, "filetypes": ("_rate.fits",)}, set()),
)


def test_the_inventory_can_be_narrowed(desk: Desk) -> None:
    inventory(desk)
    found = [set(names_of(desk, **asked)) for asked, _ in NARROWED]
    assert found == [names for _, names in NARROWED]


def test_the_copies_of_some_products_are_found_by_their_addresses(desk: Desk) -> None:
    inventory(desk)
    elsewhere = replace(desk, root=desk.store.roots.add(Path("/elsewhere"), now=NOW)).of("third")
    elsewhere.replan()
    many = [f"mast:JWST/product/{number}.fits" for number in range(1200)]
    found = desk.store.reports.local([row().uri, *many, row(JPG).uri])
    assert {uri: len(copies) for uri, copies in found.items()} == {row().uri: 2, row(JPG).uri: 1}
    assert {entry.path.parent.parent for entry in found[row().uri]} == {desk.root.path, Path("/elsewhere")}


def test_the_shelf_of_a_profile_has_all_that_its_tables_need(desk: Desk) -> None:
    desk.observe(observation(2), observation(1, t_min=58000.0), observation(3, calib_level=-1, t_min=None))
    inventory(desk)
    desk.of("third").observe(observation(4))
    second = row(parent=1002)
    desk.list(second)
    shelf = desk.store.reports.shelf(desk.profile)
    assert {product.name for product in shelf.products} == {RATE, JPG, UNCAL}
    assert {row(), second} in [set(product.rows) for product in shelf.products]
    assert [entry.obsid for entry in shelf.observations] == [1001, 1002, 1003]
    kept = shelf.local[row().uri]
    assert (kept.path, kept.state) == (desk.root.path / "01345" / RATE, FileState.PRESENT)
    assert kept.attempted_by == desk.run.id
    assert shelf.local[row(JPG).uri].state is FileState.WANTED


# Why


def test_everything_about_a_name_is_told(desk: Desk) -> None:
    desk.list(row(parent=1002), row(parent=1001))
    desk.want(RATE)
    later = desk.later(HOUR)
    (claim,) = later.claim()
    later.fail(claim, message="it is cut", kind=FailureKind.CONTENT)
    later.list(row(parent=1001, size=2000))
    desk.of(OTHER).replan()
    (report,) = desk.store.reports.product(RATE)
    assert (report.uri, report.name, report.proposal, report.obsnum) == (row().uri, RATE, 1345, 1)
    assert (report.size, report.revision) == (2000, 2)
    assert (report.first_seen_at, report.changed_at) == (NOW, NOW + HOUR)
    assert [listed.parent_obsid for listed in report.rows] == [1001, 1002]
    (copy,) = report.files
    assert (copy.state, copy.attempts, copy.last_error) == (FileState.FAILED, 1, "it is cut")
    assert copy.next_attempt_at == NOW + 2 * HOUR
    assert copy.profiles == (OTHER, desk.profile)
    told = [(event.at, event.kind, event.detail, event.path) for event in report.events]
    assert told == [
        (NOW, "wanted", "new", f"01345/{RATE}"),
        (NOW + HOUR, "failed", "it is cut", f"01345/{RATE}"),
        (NOW + HOUR, "revised", "caom.size was 1000, now 2000", None),
    ]


def test_nothing_is_told_about_a_name_that_was_never_listed(desk: Desk) -> None:
    desk.list(row())
    assert desk.store.reports.product("unheard_of.fits") == []


def test_names_that_hold_a_word_are_suggested_whatever_its_case(desk: Desk) -> None:
    desk.list(*(row(name) for name in (RATE, JPG, UNCAL, FOREIGN)))
    assert set(desk.store.reports.names_like("_nrca1_RATE", limit=9)) == {RATE, JPG, FOREIGN}
    assert len(desk.store.reports.names_like("jw01345", limit=2)) == 2
    # What SQL reads as a wildcard is a sign like any other.
    assert desk.store.reports.names_like("jw%rate", limit=9) == []
    assert desk.store.reports.names_like("nrca1.rate", limit=9) == []
