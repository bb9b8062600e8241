"""Which profile wants which file where, and in which state: decided once, kept, taken back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jwstwatch.core.model import FileState
from jwstwatch.core.planning import NO_TOKEN, NOT_AUTHORISED, TOKEN_REJECTED, Action, DiskKind, OnDisk
from jwstwatch.core.retrying import FailureKind
from jwstwatch.store import bulk, tables
from jwstwatch.store.plans import Adopted, PlanRow
from tests.store.desk import DAY, HOUR, JPG, NOW, OTHER, RATE, Desk, digest, file_names, row

PATH = f"01345/{RATE}"
WHOLE = OnDisk(DiskKind.FILE, 1000)
LINK = OnDisk(DiskKind.LINK, 20)


def plan_row(desk: Desk, name: str = RATE, path: str | None = None, **changes: object) -> PlanRow:
    recorded = desk.list(row(name))
    planned = PlanRow(
        product_id=recorded[name].id,
        path=path or f"01345/{name}",
        known=None,
        state=FileState.WANTED,
        reason="new",
        priority=300,
    )
    return replace(planned, **changes)  # type: ignore[arg-type]


def known(desk: Desk, name: str = RATE) -> PlanRow:
    """The row of a path that is planned already, as planning finds it."""
    number = desk.product_id(name)
    by_product, _ = desk.store.plans.known(desk.profile, desk.root.id, product_ids=[number], paths=[])
    found = by_product[number]
    return PlanRow(
        product_id=number,
        path=found.path,
        known=found,
        state=found.known.state,
        reason=found.known.reason,
        priority=300,
    )


def test_a_new_file_is_wanted_with_its_reason_and_its_place_in_the_queue(desk: Desk) -> None:
    desk.plan(plan_row(desk, reason="new", priority=100))
    report = desk.file()
    assert (report.state, report.reason, report.changed_at) == (FileState.WANTED, "new", NOW)
    assert report.path == desk.root.path / PATH
    assert report.profiles == (desk.profile,)
    assert desk.row_of(desk.file_id(PATH)).priority == 100
    assert desk.kinds() == ["wanted"]


def test_a_path_is_found_by_the_product_that_has_it_and_by_itself(desk: Desk) -> None:
    desk.plan(plan_row(desk))
    number = desk.product_id(RATE)
    by_product, by_path = desk.store.plans.known(
        desk.profile, desk.root.id, product_ids=[number, 10**9], paths=[PATH, "elsewhere"]
    )
    assert by_product == {number: by_path[PATH]}
    found = by_path[PATH]
    assert (found.path, found.product_id, found.known.state) == (PATH, number, FileState.WANTED)
    # What another profile decided is no decision of this one, and another root another place.
    by_product, by_path = desk.store.plans.known(OTHER, desk.root.id, product_ids=[number], paths=[PATH])
    assert (by_product, list(by_path)) == ({}, [PATH])
    other = desk.store.roots.add(Path("/elsewhere"), now=NOW)
    assert desk.store.plans.known(desk.profile, other.id, product_ids=[number], paths=[PATH]) == ({}, {})


def test_an_unchanged_plan_changes_nothing(desk: Desk) -> None:
    desk.fetch(*file_names(3))
    before, events = desk.rows(tables.file), len(desk.rows(tables.event))
    pages = desk.store.sites.pages(desk.root.id)
    later = desk.later(DAY)
    for name in file_names(3):
        assert later.replan(name, on_disk=WHOLE).action is Action.NOTHING
    assert desk.rows(tables.file) == before
    assert len(desk.rows(tables.event)) == events
    assert desk.store.sites.pages(desk.root.id) == pages


def test_two_profiles_want_one_file_which_is_one_row(desk: Desk) -> None:
    other = desk.of(OTHER)
    desk.plan(plan_row(desk))
    other.replan()
    assert desk.file().profiles == (OTHER, desk.profile)
    (claim,) = desk.claim()
    assert other.claim() == []
    desk.place(claim)
    assert other.store.reports.of_run(other.run.id, OTHER).unchanged == 1


def test_what_another_profile_planned_meanwhile_is_joined_not_doubled(desk: Desk) -> None:
    # Both looked before either recorded, as two runs of one daemon do.
    other = desk.of(OTHER)
    mine = [plan_row(desk, name) for name in file_names(3)]
    desk.plan(*mine[:2])
    other.plan(*mine[1:])
    assert [entry.path for entry in desk.rows(tables.file)] == [planned.path for planned in mine]
    wanted = {(entry.profile, entry.file_id) for entry in desk.rows(tables.want)}
    ids = [desk.file_id(planned.path) for planned in mine]
    assert wanted == {
        (desk.profile, ids[0]),
        (desk.profile, ids[1]),
        (OTHER, ids[1]),
        (OTHER, ids[2]),
    }
    assert desk.kinds(file_names(3)[1]) == ["wanted"]


def test_a_path_that_another_product_took_meanwhile_is_left_to_it(desk: Desk) -> None:
    first = plan_row(desk)
    rival = plan_row(desk, JPG, path=first.path)
    desk.plan(first)
    desk.of(OTHER).plan(rival)
    (entry,) = desk.rows(tables.file)
    assert entry.product_id == first.product_id
    assert desk.product(JPG).files == ()
    assert [(want.profile, want.product_id) for want in desk.rows(tables.want)] == [
        (desk.profile, first.product_id)
    ]


def test_what_arrived_between_looking_and_recording_is_not_taken_back(desk: Desk) -> None:
    desk.plan(plan_row(desk))
    outdated = replace(known(desk), state=FileState.WITHHELD, reason=NO_TOKEN)
    (claim,) = desk.claim()
    desk.place(claim)
    desk.of(OTHER).plan(outdated)
    assert desk.file().state is FileState.PRESENT
    assert "withheld" not in desk.kinds()
    assert desk.file().profiles == (OTHER, desk.profile)


def test_a_copy_that_is_missing_is_wanted_and_nothing_of_it_is_claimed_to_be_there(desk: Desk) -> None:
    desk.fetch(RATE)
    later = desk.later(DAY)
    assert later.replan(on_disk=None).reason == "missing on disk"
    entry = desk.row_of(desk.file_id(PATH))
    assert (entry.state, entry.changed_at) == ("wanted", NOW + DAY)
    assert (entry.revision, entry.size, entry.sha256, entry.modified_ns) == (None, None, None, None)
    assert desk.file().sha256 is None
    (claim,) = later.next_run().claim()
    assert not claim.replaces


def test_an_adopted_file_is_present_with_what_was_found(desk: Desk) -> None:
    found = Adopted(size=1000, sha256=digest("found"), modified_ns=2**60 + 1, revision=1)
    desk.plan(plan_row(desk, state=FileState.PRESENT, reason=None, adopted=found))
    entry = desk.row_of(desk.file_id(PATH))
    assert (entry.state, entry.size, entry.sha256) == ("present", 1000, digest("found"))
    assert (entry.modified_ns, entry.revision) == (2**60 + 1, 1)
    assert desk.kinds() == ["adopted"]
    assert desk.claim() == []
    assert desk.replan(on_disk=WHOLE).action is Action.NOTHING


def test_a_file_of_another_size_is_adopted_as_an_older_copy_and_replaced(desk: Desk) -> None:
    desk.plan(plan_row(desk))
    found = Adopted(size=7, sha256=digest("older"), modified_ns=1, revision=None)
    desk.plan(replace(known(desk), state=FileState.STALE, reason="found with 7 bytes", adopted=found))
    (claim,) = desk.claim()
    assert (claim.replaces, claim.revision) == (True, 1)
    assert desk.kinds() == ["wanted", "adopted"]


def test_what_failed_for_one_cause_does_not_count_against_another(desk: Desk) -> None:
    desk.plan(plan_row(desk))
    (claim,) = desk.claim()
    desk.fail(claim, again=NOW + DAY)
    desk.replan(on_disk=LINK)
    entry = desk.row_of(desk.file_id(PATH))
    assert (entry.state, entry.attempts) == ("failed", 1)
    desk.set_file([entry.id], next_attempt_at=None)
    desk.replan(on_disk=None)
    entry = desk.row_of(entry.id)
    assert (entry.state, entry.reason, entry.attempts) == ("wanted", "its path is free again", 0)
    assert (entry.last_error, entry.failure_kind, entry.next_attempt_at) == (None, None, None)


def test_a_foreign_thing_at_a_path_is_never_due_until_it_is_gone(desk: Desk) -> None:
    desk.list(row())
    assert desk.replan(on_disk=LINK).state is FileState.FAILED
    assert desk.claim() == []
    assert desk.claim(force=True) == []
    assert "link" in str(desk.file().reason)
    desk.replan(on_disk=LINK)
    assert desk.kinds() == ["failed"]
    desk.replan(on_disk=None)
    assert [claim.name for claim in desk.claim()] == [RATE]


# What a profile no longer wants


def test_what_the_rules_leave_out_now_is_kept_and_flagged(desk: Desk) -> None:
    names = file_names(2)
    ids = desk.fetch(*names)
    desk.plan(skipped=[desk.product_id(names[0])])
    assert [entry.file_id for entry in desk.rows(tables.want)] == [ids[names[1]]]
    flags = {entry.id: (entry.state, entry.unselected) for entry in desk.rows(tables.file)}
    assert flags == {ids[names[0]]: ("present", True), ids[names[1]]: ("present", False)}
    assert desk.store.reports.counts()[desk.profile].files == {FileState.PRESENT: 1}


def test_what_another_profile_wants_still_is_not_flagged(desk: Desk) -> None:
    desk.fetch(RATE)
    other = desk.of(OTHER)
    other.replan(on_disk=WHOLE)
    desk.plan(skipped=[desk.product_id(RATE)])
    assert not desk.row_of(desk.file_id(PATH)).unselected
    assert desk.file().profiles == (OTHER,)
    other.plan(skipped=[desk.product_id(RATE)])
    assert desk.row_of(desk.file_id(PATH)).unselected


def test_what_is_not_selected_is_not_fetched_until_it_is_selected_again(desk: Desk) -> None:
    desk.want(RATE)
    desk.plan(skipped=[desk.product_id(RATE)])
    assert desk.claim() == []
    desk.replan()
    assert not desk.row_of(desk.file_id(PATH)).unselected
    assert [claim.name for claim in desk.claim()] == [RATE]


def test_leaving_out_what_was_never_wanted_does_nothing(desk: Desk) -> None:
    recorded = desk.list(*(row(name) for name in file_names(3)))
    desk.plan(skipped=[entry.id for entry in recorded.values()])
    assert desk.rows(tables.file) == []


def test_a_profile_with_another_output_folder_wants_its_files_there_alone(desk: Desk) -> None:
    names = file_names(2)
    ids = desk.want(*names)
    moved = replace(desk, root=desk.store.roots.add(Path("/data/elsewhere"), now=NOW))
    moved.replan(names[0])
    claimed = {claim.name: claim.root for claim in moved.claim()}
    # The other product was not listed anew: nothing says that it is not wanted where it was.
    assert claimed == {names[0]: Path("/data/elsewhere"), names[1]: desk.root.path}
    assert desk.row_of(ids[names[0]]).unselected


def test_large_plans_are_recorded_in_few_statements(desk: Desk) -> None:
    from tests.store.test_listings import counted

    names = file_names(2 * bulk.CHUNK)
    recorded = desk.list(*(row(name) for name in names))
    rows = [
        PlanRow(
            product_id=recorded[name].id,
            path=f"01345/{name}",
            known=None,
            state=FileState.WANTED,
            reason="new",
            priority=300,
        )
        for name in names
    ]
    with counted(desk.store.database) as statements:
        desk.plan(*rows)
    assert len(statements) < 40
    assert len(desk.rows(tables.want)) == len(names)
    by_product, by_path = desk.store.plans.known(
        desk.profile,
        desk.root.id,
        product_ids=[entry.id for entry in recorded.values()],
        paths=[planned.path for planned in rows],
    )
    assert len(by_product) == len(by_path) == len(names)


# Withheld files


@pytest.mark.parametrize(
    ("reason", "freed"), [(NO_TOKEN, True), (TOKEN_REJECTED, True), (NOT_AUTHORISED, False)]
)
def test_a_token_frees_what_was_withheld_for_want_of_one(desk: Desk, reason: str, freed: bool) -> None:
    desk.want(RATE, state=FileState.WITHHELD, reason=reason)
    other = desk.of(OTHER)
    theirs = file_names(2)[1]
    other.want(theirs, state=FileState.WITHHELD, reason=NO_TOKEN)
    assert desk.claim(force=True) == []
    assert desk.store.plans.ask_withheld_again(desk.profile, now=NOW + HOUR, token_since=NOW) == int(freed)
    assert [claim.name for claim in desk.claim()] == ([RATE] if freed else [])
    assert desk.states()[theirs] is FileState.WITHHELD
    if freed:
        assert (desk.file().reason, desk.file().changed_at) == ("a token is there", NOW + HOUR)


def test_another_token_frees_what_was_refused_to_the_one_before_and_only_once(desk: Desk) -> None:
    desk.want(RATE, state=FileState.WITHHELD, reason=NOT_AUTHORISED)
    plans, later = desk.store.plans, NOW + HOUR
    assert plans.ask_withheld_again(desk.profile, now=later, token_since=NOW - HOUR) == 0
    assert plans.ask_withheld_again(desk.profile, now=later, token_since=later) == 1
    desk = desk.next_run().later(2 * HOUR)
    (claim,) = desk.claim()
    desk.fail(claim, kind=FailureKind.UNAUTHORISED, state=FileState.WITHHELD, reason=NOT_AUTHORISED)
    assert plans.ask_withheld_again(desk.profile, now=later + 2 * HOUR, token_since=later) == 0


def test_an_attempt_that_a_wrong_clock_put_off_is_made(desk: Desk) -> None:
    desk.want(RATE)
    (claim,) = desk.claim()
    desk.fail(claim, kind=FailureKind.CONTENT, again=NOW + 24 * HOUR)
    desk = desk.next_run()
    assert desk.claim() == []
    desk.fail(claim, kind=FailureKind.CONTENT, again=NOW + 400 * 24 * HOUR)
    assert [again.name for again in desk.next_run().claim()] == [RATE]


def test_a_refused_file_is_asked_for_again_when_its_time_has_come(desk: Desk) -> None:
    desk.want(RATE)
    (claim,) = desk.claim()
    desk.fail(claim, kind=FailureKind.UNAUTHORISED, state=FileState.WITHHELD, reason=NOT_AUTHORISED)
    assert (desk.file().state, desk.file().reason) == (FileState.WITHHELD, NOT_AUTHORISED)
    run = desk.next_run()
    assert run.claim() == []
    assert [claim.name for claim in run.later(HOUR).claim()] == [RATE]


def test_a_release_frees_a_withheld_file(desk: Desk) -> None:
    exclusive = row(data_rights="EXCLUSIVE_ACCESS")
    desk.list(exclusive)
    assert desk.replan().reason == NO_TOKEN
    assert desk.claim() == []
    desk.list(row())
    assert desk.replan().reason == "released"
    assert [claim.exclusive for claim in desk.claim()] == [False]


# clobber


def test_new_copies_are_fetched_on_request_and_the_old_ones_stay_till_then(desk: Desk) -> None:
    names = file_names(3)
    ids = desk.fetch(*names)
    desk.set_file([ids[names[2]]], declined=True)
    other = desk.of(OTHER)
    (theirs,) = other.fetch(JPG)
    page = desk.store.sites.pages(desk.root.id)[1345][0]
    later = desk.later(DAY)
    later.store.plans.fetch_again(desk.profile, now=later.now)
    assert desk.states() == {
        names[0]: FileState.STALE,
        names[1]: FileState.STALE,
        names[2]: FileState.PRESENT,
        theirs: FileState.PRESENT,
    }
    assert desk.store.sites.pages(desk.root.id)[1345][0].changes > page.changes
    run = later.next_run()
    claims = run.claim()
    assert [(claim.name, claim.replaces) for claim in claims] == [(names[0], True), (names[1], True)]
    run.place(claims[0])
    assert run.replan(names[0], on_disk=WHOLE).action is Action.NOTHING
    # What did not come is as good as before: the archive has no newer revision.
    assert run.replan(names[1], on_disk=WHOLE).state is FileState.PRESENT
