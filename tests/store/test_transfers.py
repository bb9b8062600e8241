"""The life of a file row while it is fetched: claimed once, intended, placed or failed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jwstwatch.core.model import FileState, Outcome
from jwstwatch.core.planning import DiskKind, OnDisk
from jwstwatch.core.retrying import FailureKind
from jwstwatch.store import bulk, tables
from jwstwatch.store.runs import Counts
from tests.store.desk import DAY, HOUR, JPG, LEASE, NOW, OTHER, RATE, Desk, digest, file_names, row
from tests.store.test_listings import counted

PATH = f"01345/{RATE}"


def test_a_claim_says_all_that_a_transfer_needs(desk: Desk) -> None:
    desk.list(row(size=2**41, data_rights="EXCLUSIVE_ACCESS"))
    desk.replan(has_token=True)
    (claim,) = desk.claim()
    assert (claim.uri, claim.name, claim.root, claim.path) == (row().uri, RATE, desk.root.path, PATH)
    assert (claim.revision, claim.listed_size, claim.exclusive) == (1, 2**41, True)
    assert (claim.attempts, claim.replaces) == (0, False)
    assert claim.file_id == desk.file_id(PATH)
    assert claim.product_id == desk.product_id(RATE)


def test_files_are_claimed_by_priority_and_only_so_many_at_once(desk: Desk) -> None:
    raw, calibrated, preview, table = (
        "jw01345001001_02101_00001_nrca1_uncal.fits",
        "jw01345001001_02101_00001_nrca1_cal.fits",
        JPG,
        "jw01345001001_02101_00001_nrca1_cat.ecsv",
    )
    for name, priority in ((raw, 400), (calibrated, 300), (preview, 100), (table, 100)):
        desk.want(name, priority=priority)
    assert [claim.name for claim in desk.claim(3)] == [preview, table, calibrated]
    assert [claim.name for claim in desk.claim(3)] == [raw]
    assert desk.claim(3) == []


def test_only_the_wanted_files_of_the_profile_are_claimed(desk: Desk) -> None:
    desk.want(file_names(3)[1])
    other = desk.of(OTHER)
    other.want(file_names(3)[2])
    desk.fetch(RATE)
    assert [claim.name for claim in other.claim()] == [file_names(3)[2]]


@pytest.mark.parametrize("state", [FileState.PRESENT, FileState.GONE])
def test_what_is_there_or_gone_is_not_claimed(desk: Desk, state: FileState) -> None:
    ids = desk.want(RATE)
    desk.set_file(ids.values(), state=state.value)
    assert desk.claim() == []
    assert desk.claim(force=True) == []


def test_a_declined_file_is_never_fetched(desk: Desk) -> None:
    ids = desk.want(*file_names(2))
    desk.set_file([ids[RATE]], declined=True)
    assert [claim.name for claim in desk.claim(force=True)] == [file_names(2)[1]]
    assert desk.store.transfers.planned(desk.run.id, desk.profile, now=NOW, force=True)[0] == 0
    run = desk.next_run()
    assert run.store.transfers.planned(run.run.id, run.profile, now=NOW, force=True)[0] == 1


def test_a_claimed_file_is_no_other_run_s_until_its_run_is_over_whatever_the_clock_says(desk: Desk) -> None:
    desk.want(RATE)
    other = desk.of(OTHER)
    other.replan()
    (claim,) = desk.claim()
    assert other.claim() == []
    assert other.later(LEASE).claim() == []
    assert other.later(LEASE + DAY).claim() == []
    desk.next_run()
    (again,) = other.claim()
    assert again == claim


def test_a_run_tries_a_file_once(desk: Desk) -> None:
    desk.want(*file_names(2))
    first, second = desk.claim()
    desk.fail(first, again=NOW)
    assert desk.later(DAY).claim(force=True) == []
    desk.place(second)
    run = desk.next_run()
    assert [claim.file_id for claim in run.claim()] == [first.file_id]


def test_a_file_that_failed_waits_for_its_time_unless_somebody_asks_now(desk: Desk) -> None:
    desk.want(RATE)
    (claim,) = desk.claim()
    desk.fail(claim, again=NOW + 2 * HOUR)
    run = desk.next_run()
    assert run.later(HOUR).claim() == []
    assert run.store.transfers.planned(run.run.id, run.profile, now=NOW + HOUR) == (0, 0)
    assert run.store.transfers.planned(run.run.id, run.profile, now=NOW + HOUR, force=True) == (1, 1000)
    (again,) = run.later(HOUR).claim(force=True)
    assert again.attempts == 1
    run.fail(again, again=NOW + 2 * HOUR)
    (again,) = run.next_run().later(2 * HOUR).claim()
    assert again.attempts == 2


def test_what_a_run_will_try_is_counted_with_its_listed_bytes(desk: Desk) -> None:
    desk.want(*file_names(3))
    desk.list(row(JPG, size=None))
    desk.replan(JPG)
    assert desk.store.transfers.planned(desk.run.id, desk.profile, now=NOW) == (4, 3000)
    desk.claim(1)
    assert desk.store.transfers.planned(desk.run.id, desk.profile, now=NOW)[0] == 3


# Placed


def test_a_file_that_was_placed_is_present_with_what_was_verified(desk: Desk) -> None:
    desk.want(RATE)
    (claim,) = desk.claim()
    later = desk.later(HOUR)
    later.place(claim, size=999, content="bytes", note="999 bytes, the archive lists 1000")
    entry = desk.row_of(claim.file_id)
    assert (entry.state, entry.reason, entry.revision, entry.size) == ("present", None, 1, 999)
    assert (entry.sha256, entry.modified_ns) == (digest("bytes"), 1_700_000_000_000_000_001)
    assert (entry.note, entry.changed_at) == ("999 bytes, the archive lists 1000", NOW + HOUR)
    assert (entry.claimed_by, entry.lease_until, entry.attempts) == (None, None, 0)
    assert desk.rows(tables.intent) == []
    assert desk.kinds() == ["wanted", "fetched"]
    assert digest("bytes") in str(desk.product().events[-1].detail)


def test_success_wipes_out_what_failed_before(desk: Desk) -> None:
    desk.want(RATE)
    (claim,) = desk.claim()
    desk.fail(claim)
    run = desk.next_run().later(DAY)
    (claim,) = run.claim()
    run.place(claim)
    entry = desk.row_of(claim.file_id)
    assert (entry.attempts, entry.failure_kind, entry.last_error, entry.next_attempt_at) == (
        0,
        None,
        None,
        None,
    )


def test_a_product_that_was_revised_during_its_transfer_leaves_a_stale_file(desk: Desk) -> None:
    desk.want(*file_names(2))
    claims = desk.claim()
    desk.list(row(file_names(2)[0], size=2000))
    desk.place(*claims, facts={"http.etag": '"old"'})
    assert desk.states() == dict(zip(file_names(2), (FileState.STALE, FileState.PRESENT), strict=True))
    first, second = (desk.product(name) for name in file_names(2))
    assert first.files[0].revision == 1
    assert first.files[0].reason == "the archive has a newer revision"
    # What the server said of the old content is no fact of the new one.
    assert (first.facts, second.facts) == ({}, {"http.etag": '"old"'})
    (claim,) = desk.next_run().claim()
    assert (claim.revision, claim.replaces) == (2, True)


def test_facts_of_a_content_are_gathered_and_not_lost(desk: Desk) -> None:
    desk.want(RATE)
    (claim,) = desk.claim()
    desk.place(claim, facts={"http.etag": '"a"'})
    other = replace(desk, root=desk.store.roots.add(Path("/elsewhere"), now=NOW)).of(OTHER)
    other.replan()
    (claim,) = other.claim()
    other.place(claim, facts={"http.last_modified": "yesterday"})
    assert desk.product().facts == {"http.etag": '"a"', "http.last_modified": "yesterday"}


def test_two_copies_in_one_group_each_tell_what_they_heard(desk: Desk) -> None:
    desk.want(RATE)
    (claim,) = desk.claim()
    first = desk.intend(claim, facts={"s3.etag": '"a"'})
    second = replace(first, facts={"http.etag": '"b"'})
    older = replace(first, revision=0, facts={"http.etag": '"old"'})
    placed = [(intent, 1) for intent in (first, second, older)]
    desk.store.transfers.record_placed(desk.run.id, placed, now=NOW)
    assert desk.product().facts == {"s3.etag": '"a"', "http.etag": '"b"'}


def test_a_group_is_placed_in_few_statements_whose_number_does_not_follow_its_size(desk: Desk) -> None:
    desk.want(*file_names(bulk.CHUNK))
    placed = [(desk.intend(claim, facts={"http.etag": '"a"'}), 1) for claim in desk.claim(bulk.CHUNK)]
    desk.store.transfers.record_placed(desk.run.id, placed[:1], now=NOW)
    with counted(desk.store.database) as few:
        desk.store.transfers.record_placed(desk.run.id, placed[1:3], now=NOW)
    with counted(desk.store.database) as many:
        desk.store.transfers.record_placed(desk.run.id, placed[3:], now=NOW)
    assert len(many) == len(few)
    assert {row.state for row in desk.rows(tables.file)} == {"present"}
    assert {str(row.facts) for row in desk.rows(tables.product)} == {str({"http.etag": '"a"'})}


# Intents


def test_an_intent_of_a_run_that_ended_is_left_open_to_be_settled(desk: Desk) -> None:
    desk.want(*file_names(2))
    first, second = desk.claim()
    intent = desk.intend(first, facts={"http.etag": '"a"'}, note="odd")
    desk.place(second)
    # A run in progress settles its own.
    assert desk.store.transfers.intents_left_open() == []
    run = desk.next_run()
    assert run.store.transfers.intents_left_open() == [intent]
    run.store.transfers.record_placed(run.run.id, [(intent, 5)], now=NOW, how="settled")
    assert run.store.transfers.intents_left_open() == []
    assert desk.states()[file_names(2)[0]] is FileState.PRESENT
    assert desk.kinds(file_names(2)[0]) == ["wanted", "settled"]


def test_an_intent_that_came_to_nothing_is_forgotten_and_its_file_is_wanted(desk: Desk) -> None:
    desk.want(RATE)
    (claim,) = desk.claim()
    desk.intend(claim)
    run = desk.next_run()
    run.store.transfers.forget_intents([claim.file_id])
    assert run.store.transfers.intents_left_open() == []
    assert [again.file_id for again in run.claim()] == [claim.file_id]


def test_a_second_intent_for_a_file_replaces_the_first(desk: Desk) -> None:
    desk.want(RATE)
    (claim,) = desk.claim()
    desk.intend(claim, content="first")
    second = desk.intend(claim, content="second")
    desk.store.runs.finish(desk.run, Outcome.FAILED, counts=Counts(), error=None, now=NOW)
    assert desk.store.transfers.intents_left_open() == [second]


# Failed


def test_a_file_that_failed_says_why_and_when_it_is_tried_again(desk: Desk) -> None:
    desk.want(RATE)
    (claim,) = desk.claim()
    later = desk.later(HOUR)
    later.fail(claim, kind=FailureKind.MISSING, message="not there (HTTP 404)")
    report = desk.file()
    assert (report.state, report.reason) == (FileState.FAILED, "not there (HTTP 404)")
    assert (report.attempts, report.last_error) == (1, "not there (HTTP 404)")
    assert (report.next_attempt_at, report.changed_at) == (NOW + 2 * HOUR, NOW + HOUR)
    entry = desk.row_of(claim.file_id)
    assert (entry.claimed_by, entry.lease_until, entry.failure_kind) == (None, None, "missing")
    assert desk.kinds() == ["wanted", "failed"]


def test_a_stale_copy_whose_replacement_fails_stays_stale_and_readable(desk: Desk) -> None:
    desk.fetch(RATE)
    before = desk.row_of(desk.file_id(PATH))
    desk.list(row(size=2000))
    run = desk.next_run()
    (claim,) = run.claim()
    run.fail(claim, again=NOW + DAY)
    after = desk.row_of(claim.file_id)
    assert (after.state, after.reason) == ("stale", "the archive has a newer revision")
    assert (after.revision, after.size, after.sha256) == (1, before.size, before.sha256)
    assert (after.attempts, after.last_error is None) == (1, False)
    # The next plan does not forget that it failed, nor when it is to be tried again.
    run = run.next_run()
    run.replan(on_disk=OnDisk(DiskKind.FILE, 1000))
    assert run.claim() == []
    assert desk.row_of(claim.file_id) == after
    (claim,) = run.later(DAY).claim()
    assert claim.attempts == 1


def test_what_stands_in_the_way_at_a_path_is_not_tried_again_by_itself(desk: Desk) -> None:
    desk.want(RATE)
    (claim,) = desk.claim()
    desk.fail(claim, kind=FailureKind.LOCAL, message="a link stands at its path")
    run = desk.next_run().later(30 * DAY)
    assert run.claim(force=True) == []
    run.replan()
    assert [again.file_id for again in run.claim()] == [claim.file_id]


def test_an_outage_is_not_held_against_the_files_that_met_it(desk: Desk) -> None:
    names = file_names(5)
    desk.fetch(names[0])
    desk.want(*names[1:])
    desk.list(row(names[0], size=2000))
    run = desk.next_run()
    claims = {claim.name: claim for claim in run.claim()}
    assert set(claims) == set(names)
    run.fail(claims[names[0]], claims[names[1]], again=NOW + DAY)
    run.fail(claims[names[2]], kind=FailureKind.CONTENT, message="it is cut", again=NOW + DAY)
    run.place(claims[names[3]])
    run.store.transfers.forgive_outage(run.run.id, now=NOW + HOUR)
    assert desk.states() == {
        names[0]: FileState.STALE,
        names[1]: FileState.WANTED,
        names[2]: FileState.FAILED,
        names[3]: FileState.PRESENT,
        names[4]: FileState.WANTED,
    }
    assert desk.file(names[1]).reason == "the archive was down"
    assert (desk.file(names[1]).attempts, desk.file(names[0]).attempts) == (0, 0)
    again = run.next_run().claim()
    assert [claim.name for claim in again] == [names[0], names[1], names[4]]


def test_an_outage_forgives_only_what_met_it_in_this_run(desk: Desk) -> None:
    desk.want(RATE)
    (claim,) = desk.claim()
    desk.fail(claim, again=NOW + DAY)
    run = desk.next_run()
    run.store.transfers.forgive_outage(run.run.id, now=NOW)
    assert desk.states() == {RATE: FileState.FAILED}


# A copy elsewhere


def test_a_product_wanted_at_a_second_path_has_the_first_one_as_its_source(desk: Desk) -> None:
    desk.fetch(*file_names(2))
    elsewhere = replace(desk, root=desk.store.roots.add(Path("/elsewhere"), now=NOW)).of(OTHER)
    elsewhere.replan(file_names(2)[0], folder="other")
    elsewhere.want("jw01345001001_02101_00009_nrca1_rate.fits")
    claims = elsewhere.claim()
    sources = desk.store.transfers.sources(claims)
    assert sources == {claims[0].file_id: (desk.root.path / "01345" / file_names(2)[0], digest("content"))}


def test_a_product_wanted_at_several_paths_at_once_has_a_source_for_each(desk: Desk) -> None:
    desk.fetch(RATE)
    elsewhere = replace(desk, root=desk.store.roots.add(Path("/elsewhere"), now=NOW))
    for number in (1, 2, 3):
        profile = elsewhere.of(f"profile-{number}")
        profile.replan(folder=f"folder-{number}")
    claims = [
        claim
        for entry in desk.store.runs.history(profile=None, limit=3)
        for claim in replace(elsewhere, profile=entry.profile, run=entry).claim()
    ]
    assert len(claims) == 3
    assert set(desk.store.transfers.sources(claims)) == {claim.file_id for claim in claims}


def test_an_older_copy_is_no_source(desk: Desk) -> None:
    desk.fetch(RATE)
    desk.list(row(size=2000))
    elsewhere = replace(desk, root=desk.store.roots.add(Path("/elsewhere"), now=NOW)).of(OTHER)
    elsewhere.replan()
    assert desk.store.transfers.sources(elsewhere.claim()) == {}


@pytest.mark.parametrize(
    "what_it_is", [{"state": "gone"}, {"state": "stale"}, {"revision": None}, {"sha256": None}]
)
def test_only_a_verified_copy_of_today_s_content_is_a_source(
    desk: Desk, what_it_is: dict[str, object]
) -> None:
    ids = desk.fetch(RATE)
    elsewhere = replace(desk, root=desk.store.roots.add(Path("/elsewhere"), now=NOW)).of(OTHER)
    elsewhere.replan()
    claims = elsewhere.claim()
    assert len(desk.store.transfers.sources(claims)) == 1
    desk.set_file(ids.values(), **what_it_is)
    assert desk.store.transfers.sources(claims) == {}


def test_large_groups_are_claimed_in_few_statements(desk: Desk) -> None:
    desk.want(*file_names(bulk.CHUNK))
    with counted(desk.store.database) as statements:
        claims = desk.claim(bulk.CHUNK)
    assert len(claims) == bulk.CHUNK
    assert len(statements) <= 6
