"""The keyword services in a run: asked seldom, believed with care, and never needed."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from jwstwatch.core.keywords import KeywordRow
from jwstwatch.core.model import FileState, Outcome, Trigger
from jwstwatch.demo.server import Fault, FaultKind
from jwstwatch.errors import ArchiveError, ArchiveTimeoutError
from jwstwatch.sync import inquiring
from jwstwatch.sync.context import Options
from jwstwatch.sync.listing import Subject
from jwstwatch.sync.roots import open_root
from tests.sync.bench import Bench
from tests.sync.conftest import NOW, MakeBench

ALL = "Mast.Jwst.Filtered.*"
A_RATE = "jw09001001001_02101_00001_nrca1_rate.fits"
OTHER_CHECKSUM = "the keyword service states another checksum"


def asked(bench: Bench) -> list[dict[str, Any]]:
    """The filters of each question to a keyword service in the last run, by column."""
    questions = [json.loads(entry.question or "{}") for entry in bench.server.requests.queries(ALL)]
    return [
        {entry["paramName"]: entry["values"] for entry in question["params"]["filters"]}
        for question in questions
    ]


def facts(bench: Bench, name: str) -> dict[str, Any]:
    ((text,),) = bench.ask("SELECT facts FROM product WHERE name = ?", name)
    return dict(json.loads(text or "{}"))


def md5(bench: Bench, name: str) -> str:
    return hashlib.md5(bench.server.catalogue.read(name).content, usedforsecurity=False).hexdigest()


def reprocess_unseen(bench: Bench, name: str) -> None:
    """New bytes of the same size and pipeline version: nothing in the listing tells of them."""
    product = bench.server.catalogue.product(name)
    bench.server.catalogue.reprocess(product.uri, now=bench.clock, version=product.version)


def fail(bench: Bench, *, kind: FaultKind = FaultKind.ERROR, **options: Any) -> None:
    bench.server.faults.add(Fault(**({"kind": kind, "service": ALL, "times": None} | options)))


def test_the_service_is_asked_before_the_first_byte_and_then_once_a_day(bench: Bench) -> None:
    bench.run()
    assert asked(bench) == [{"program": ["9001", "09001"]}]
    order = [entry.service or entry.uri for entry in bench.server.requests.all()]
    downloads = [place for place, what in enumerate(order) if str(what).startswith("mast:")]
    assert order.index("Mast.Jwst.Filtered.Nircam") < min(downloads)
    stated = facts(bench, A_RATE)
    assert stated["keywords.checksum"] == md5(bench, A_RATE)
    assert stated["keywords.size"] == bench.server.catalogue.size(A_RATE)
    assert not any(name.startswith("keywords.") for name in facts(bench, A_RATE.replace(".fits", ".jpg")))
    bench.later(hours=23)
    bench.run()
    assert asked(bench) == []
    bench.later(hours=1)
    bench.run()
    (question,) = asked(bench)
    ((limit,),) = [question["ingestCompletionDate_mjd"]]
    # Two days before the last answer, on 1 March 2026 at 12 h.
    assert limit["min"] == pytest.approx(61_098.5)
    bench.later(days=6)
    bench.run()
    assert asked(bench) == [{"program": ["9001", "09001"]}]
    assert bench.fetched == []


def test_new_files_are_asked_about_before_they_are_fetched_and_only_once(synced: Bench) -> None:
    synced.later(hours=6)
    new = synced.server.catalogue.add_exposure(
        like=A_RATE.removesuffix("_rate.fits"), start=synced.clock, now=synced.clock
    )
    synced.server.faults.add(Fault(kind=FaultKind.STATUS, status=404, uri=f"*{new}_rate.fits"))
    synced.attempt()
    assert asked(synced) == [{"program": ["9001", "09001"]}]
    assert facts(synced, f"{new}_rate.fits")["keywords.checksum"] == md5(synced, f"{new}_rate.fits")
    synced.later(hours=6)
    synced.run()
    assert synced.fetched == [f"{new}_rate.fits"]
    assert asked(synced) == []


def test_a_bit_that_flips_on_the_way_is_seen_and_cured_at_once(bench: Bench) -> None:
    size = bench.server.catalogue.size(A_RATE)
    bench.server.faults.add(Fault(kind=FaultKind.GARBLE, uri=f"*{A_RATE}", after=size - 100))
    assert bench.run().counts.downloaded == 12
    assert bench.fetched.count(A_RATE) == 2
    report = bench.reports()[A_RATE]
    assert (report.state, report.note) == (FileState.PRESENT, None)
    assert report.path.read_bytes() == bench.server.catalogue.read(A_RATE).content


def test_a_lagging_checksum_costs_one_more_transfer_and_is_not_believed_again(bench: Bench) -> None:
    bench.server.catalogue.lag_keywords(True)
    wrong = md5(bench, A_RATE)
    reprocess_unseen(bench, A_RATE)
    assert bench.run().counts.downloaded == 12
    assert (bench.fetched.count(A_RATE), len(bench.fetched)) == (2, 13)
    report = bench.reports()[A_RATE]
    assert (report.state, report.note) == (FileState.PRESENT, OTHER_CHECKSUM)
    assert report.path.read_bytes() == bench.server.catalogue.read(A_RATE).content
    assert facts(bench, A_RATE)["keywords.checksum"] == wrong
    bench.later(days=8)
    bench.run()
    assert (len(asked(bench)), bench.fetched) == (1, [])
    report.path.unlink()
    bench.later(hours=1)
    bench.run()
    assert bench.fetched == [A_RATE]
    # It catches up: that is no other content.
    bench.server.catalogue.lag_keywords(False)
    bench.later(days=8)
    bench.run()
    assert (len(asked(bench)), bench.fetched) == (1, [])
    assert facts(bench, A_RATE)["keywords.checksum"] == md5(bench, A_RATE)
    assert bench.reports()[A_RATE].revision == 1


def test_a_service_that_is_ahead_of_what_the_archive_sends_leaves_no_old_copy_for_good(bench: Bench) -> None:
    bench.configure({"watch": {"propID": 9001, "filetypes": ["rate"]}})
    bench.run()
    catalogue = bench.server.catalogue
    known = catalogue.product(A_RATE)
    catalogue._keywords_of[known.uri] = replace(known, revision=2, modified=bench.clock)
    bench.later(days=2)
    bench.run()
    assert (bench.fetched, bench.reports()[A_RATE].note) == ([A_RATE, A_RATE], OTHER_CHECKSUM)
    catalogue.lag_keywords(False)
    reprocess_unseen(bench, A_RATE)
    bench.later(days=8)
    bench.run()
    assert bench.path(A_RATE).read_bytes() == catalogue.read(A_RATE).content


def test_another_content_of_the_same_size_is_found_and_replaced_in_the_same_run(synced: Bench) -> None:
    old = synced.path(A_RATE).read_bytes()
    reprocess_unseen(synced, A_RATE)
    synced.later(hours=12)
    synced.run()
    assert synced.fetched == []
    synced.later(days=1)
    assert synced.run().counts.downloaded == 1
    assert synced.fetched == [A_RATE]
    report = synced.reports()[A_RATE]
    assert (report.state, report.revision, report.note) == (FileState.PRESENT, 2, None)
    assert report.path.read_bytes() == synced.server.catalogue.read(A_RATE).content != old
    assert "revised" in synced.history(A_RATE)
    synced.later(days=1)
    synced.run()
    assert synced.fetched == []


def test_a_service_that_lags_behind_the_listing_makes_no_work(synced: Bench) -> None:
    synced.server.catalogue.lag_keywords(True)
    synced.later(days=1)
    synced.server.catalogue.reprocess(A_RATE, now=synced.clock)
    synced.run()
    assert synced.fetched == [A_RATE]
    assert synced.reports()[A_RATE].note is None
    for lag in (True, False):
        synced.server.catalogue.lag_keywords(lag)
        synced.later(days=8)
        synced.run()
        assert (len(asked(synced)), synced.fetched) == (1, [])
    assert synced.reports()[A_RATE].revision == 2
    assert facts(synced, A_RATE)["keywords.checksum"] == md5(synced, A_RATE)


@pytest.mark.parametrize(
    "trouble",
    [
        {"message": "Invalid column name 'checksum'"},
        {"kind": FaultKind.HTML},
        {"kind": FaultKind.STATUS, "status": 504},
        {"kind": FaultKind.STATUS, "status": 401},
    ],
    ids=["refused", "web page", "time-out", "no token"],
)
def test_a_service_that_does_not_answer_is_no_error_and_left_alone_for_a_day(
    bench: Bench, trouble: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="jwstwatch.sync.inquiring")
    fail(bench, **trouble)
    record = bench.run()
    assert (record.outcome, record.counts.downloaded) == (Outcome.COMPLETE, 12)
    assert len(asked(bench)) >= 1
    (told,) = [entry for entry in caplog.records if entry.name == "jwstwatch.sync.inquiring"]
    assert (told.levelno, "nircam" in told.getMessage()) == (logging.INFO, True)
    bench.server.faults.clear()
    bench.later(hours=23)
    bench.run()
    assert asked(bench) == []
    bench.later(hours=1)
    bench.run()
    assert asked(bench) == [{"program": ["9001", "09001"]}]


def test_a_service_that_knows_nothing_of_a_proposal_is_left_alone_for_a_day(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.server.catalogue, "keyword_rows", lambda service, accepts: [])
    bench.run()
    assert len(asked(bench)) == 1
    bench.later(hours=23)
    bench.run()
    assert asked(bench) == []
    bench.later(hours=1)
    bench.run()
    assert asked(bench) == [{"program": ["9001", "09001"]}]


def test_a_limit_that_is_refused_is_left_out_at_once(synced: Bench) -> None:
    synced.later(days=1)
    reprocess_unseen(synced, A_RATE)
    fail(synced, times=1, message="Invalid column name")
    synced.run()
    assert [sorted(question) for question in asked(synced)] == [
        ["ingestCompletionDate_mjd", "program"],
        ["program"],
    ]
    assert synced.fetched == [A_RATE]


def test_it_is_never_asked_where_the_configuration_says_so(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.mast = {"keywords": "never"}
    bench.configure({"watch": {"propID": 9001}})
    bench.run()
    assert asked(bench) == []


def test_only_fits_files_are_asked_about(bench: Bench) -> None:
    bench.configure({"watch": {"propID": 9001, "filetypes": ["jpg"]}})
    assert bench.run().counts.downloaded == 4
    assert asked(bench) == []


def test_the_service_on_off_lagging_or_failing_in_any_order_changes_nothing(synced: Bench) -> None:
    before = {path: path.stat().st_mtime_ns for path in synced.root.rglob("*.fits")}
    off = {"watch": {"propID": 9001}}
    for order in ("on", "off", "failing", "on", "nothing", "off", "on"):
        synced.server.faults.clear()
        if order == "failing":
            fail(synced)
        elif order == "nothing":
            for product in synced.server.catalogue.products:
                synced.server.catalogue.restate_size(product.uri, None)
        synced.mast = {"keywords": "never" if order == "off" else "ask"}
        synced.configure(off)
        synced.later(days=8)
        synced.run()
        assert synced.fetched == []
    assert {path: path.stat().st_mtime_ns for path in synced.root.rglob("*.fits")} == before
    assert {report.revision for report in synced.reports().values()} == {1}


class Fake:
    """An archive that answers about so many proposals at once, as far as it answers."""

    def __init__(self, most: int = 1000, *, silent: Sequence[str] = ()) -> None:
        self.most, self.silent = most, silent
        self.asked: list[tuple[str, int]] = []

    def keywords(self, service: str, proposals: Sequence[int], since: float | None) -> list[KeywordRow]:
        self.asked.append((service, len(proposals)))
        if service in self.silent:
            raise ArchiveError("nobody there")
        if len(proposals) > self.most:
            raise ArchiveTimeoutError("too much")
        return []


def subject_of(bench: Bench) -> Subject:
    record = bench.store.runs.begin("watch", Trigger.MANUAL, now=NOW)
    root = open_root(bench.context(), bench.root)
    return Subject(run=record, profile=bench.settings.profiles["watch"], root=root, options=Options())


def test_after_a_time_out_one_proposal_is_asked_about_and_then_more_again(bench: Bench) -> None:
    archive = Fake(most=20)
    context = replace(bench.context(), archive=archive)  # type: ignore[arg-type]
    asking = inquiring._Asking(context, subject_of(bench), "miri")
    assert asking.ask(dict.fromkeys(range(1, 101)), {})
    sizes = [size for _, size in archive.asked]
    assert sizes[:6] == [50, 1, 2, 4, 8, 16]
    assert sum(sizes) - sum(size for size in sizes if size > 20) == 100
    assert len(bench.ask("SELECT 1 FROM inquiry WHERE service = 'miri' AND failed_at IS NOT NULL")) == 100


def test_a_silent_service_costs_two_time_outs(bench: Bench) -> None:
    archive = Fake(most=0)
    context = replace(bench.context(), archive=archive)  # type: ignore[arg-type]
    assert not inquiring._Asking(context, subject_of(bench), "miri").ask(dict.fromkeys(range(1, 101)), {})
    assert [size for _, size in archive.asked] == [50, 1]
    assert len(bench.ask("SELECT 1 FROM inquiry WHERE failed_at IS NOT NULL")) == 100


@pytest.mark.parametrize(
    ("silent", "expected"),
    [
        ([], ["nircam", "nirspec", "niriss", "miri", "guidestar"]),
        (["nircam"], ["nircam", "nirspec", "niriss", "miri", "guidestar"]),
        (["nircam", "nirspec"], ["nircam", "nirspec"]),
    ],
)
def test_every_instrument_and_guiding_have_a_service_and_two_silent_ones_let_the_others_rest(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, silent: list[str], expected: list[str]
) -> None:
    bench.configure({"watch": {"propID": 9001, "guidestars": True}})
    instruments = {9001: {"nircam", "nirspec", "niriss", "miri", "spitzer"}}
    monkeypatch.setattr(bench.store.inquiries, "instruments", lambda profile: instruments)
    archive, subject = Fake(silent=silent), subject_of(bench)
    context = replace(bench.context(), archive=archive)  # type: ignore[arg-type]
    for _ in range(2):
        inquiring.inquire(context, subject)
        assert [service for service, _ in archive.asked] == expected
