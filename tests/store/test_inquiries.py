"""What the keyword services were asked, and what they are to be asked about."""

from __future__ import annotations

from jwstwatch.core.keywords import Inquiry
from jwstwatch.store import tables
from tests.store.desk import DAY, HOUR, JPG, NOW, OTHER, RATE, Desk, observation, row

MIRI = "jw01345002001_02101_00001_mirimage_rate.fits"
ELSEWHERE = "jw02079001001_02101_00001_nis_rate.fits"


def test_a_proposal_has_the_instruments_of_its_observations_that_have_data(desk: Desk) -> None:
    desk.observe(
        observation(1),
        observation(2, instrument_name="MIRI/SLIT"),
        observation(3, instrument_name="NIRSPEC", calib_level=-1),
        observation(4, instrument_name=None),
        observation(5, instrument_name="NIRISS", proposal=2079),
    )
    assert desk.store.inquiries.instruments(desk.profile) == {1345: {"nircam", "miri"}, 2079: {"niriss"}}
    assert desk.store.inquiries.instruments(OTHER) == {}


def test_the_latest_change_of_what_is_to_be_fetched_is_told_by_proposal(desk: Desk) -> None:
    inquiries = desk.store.inquiries

    def changes(at: Desk) -> object:
        return inquiries.changes(at.run.id, at.profile, now=at.now, force=False)

    assert changes(desk) == {}
    desk.want(JPG)
    assert changes(desk) == {}
    desk.want(RATE)
    later = desk.later(HOUR)
    later.want(MIRI)
    assert changes(later) == {1345: NOW + HOUR}
    for claim in later.claim():
        later.place(claim)
    assert changes(later) == {}


def test_answers_and_failures_are_remembered_by_service_and_proposal(desk: Desk) -> None:
    inquiries = desk.store.inquiries
    inquiries.record_answered("nircam", [1345, 2079], whole=True, now=NOW)
    inquiries.record_answered("nircam", [1345], whole=False, now=NOW + DAY)
    inquiries.record_failed("nircam", [2079], now=NOW + DAY)
    inquiries.record_failed("miri", [1345], now=NOW)
    inquiries.record_failed("miri", [], now=NOW)
    assert inquiries.known([1345, 2079, 1]) == {
        ("nircam", 1345): Inquiry(answered_at=NOW + DAY, whole_at=NOW),
        ("nircam", 2079): Inquiry(answered_at=NOW, whole_at=NOW, failed_at=NOW + DAY),
        ("miri", 1345): Inquiry(failed_at=NOW),
    }
    inquiries.record_answered("nircam", [2079], whole=False, now=NOW + 2 * DAY)
    assert inquiries.known([2079])["nircam", 2079].failed_at is None


def test_files_are_counted_and_known_by_their_address(desk: Desk) -> None:
    recorded = desk.list(row(RATE), row(MIRI), row(JPG), row(ELSEWHERE, proposal=2079))
    inquiries = desk.store.inquiries
    assert inquiries.count_files([1345, 2079, 7]) == {1345: 2, 2079: 1}
    desk.store.revisions.record_facts(desk.run.id, {recorded[RATE].id: {"keywords.size": 5}}, now=NOW)
    known = inquiries.products([row(RATE).uri, row(ELSEWHERE).uri, "mast:JWST/product/unheard.fits"])
    assert {uri: (entry.id, entry.proposal, entry.facts) for uri, entry in known.items()} == {
        row(RATE).uri: (recorded[RATE].id, 1345, {"keywords.size": 5}),
        row(ELSEWHERE).uri: (recorded[ELSEWHERE].id, 2079, {}),
    }


def test_only_what_the_keyword_service_stated_is_forgotten(desk: Desk) -> None:
    ids = desk.want(RATE)
    (claim,) = desk.claim()
    desk.place(claim, facts={"http.etag": '"a"', "http.md5": "0" * 32})
    facts = {"keywords.checksum": "1" * 32, "keywords.cal_ver": "1.15.1"}
    assert ids[RATE] == claim.file_id
    desk.store.revisions.record_facts(desk.run.id, {claim.product_id: facts}, now=NOW)
    desk.store.inquiries.forget_facts([claim.product_id])
    assert desk.product().facts == {"http.etag": '"a"', "http.md5": "0" * 32}
    assert desk.product().revision == 1
    assert desk.rows(tables.version) == []


def test_a_claim_has_the_checksum_of_its_revision_unless_the_archive_sent_something_else(desk: Desk) -> None:
    recorded = desk.list(row(RATE), row(MIRI))
    desk.replan(RATE)
    desk.replan(MIRI)
    stated = {"keywords.checksum": "1" * 32}
    refuted = stated | {"http.md5": "2" * 32}
    facts = {recorded[RATE].id: stated, recorded[MIRI].id: refuted}
    desk.store.revisions.record_facts(desk.run.id, facts, now=NOW)
    assert {claim.name: claim.checksum for claim in desk.claim()} == {RATE: "1" * 32, MIRI: None}
