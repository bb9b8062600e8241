"""Which observations and product lists a run asks for, and when the cursors move."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from jwstwatch.core.model import Outcome
from jwstwatch.demo.server import Fault, FaultKind
from jwstwatch.errors import ExitCode
from tests.sync.bench import Bench
from tests.sync.conftest import NOW, MakeBench

RECENT = {"watch": {"instrument": "nircam", "lookbacktime": 2}}


@pytest.fixture
def recent(bench: Bench) -> Bench:
    """Watches a window of two days."""
    bench.configure(RECENT)
    assert bench.run().counts.downloaded == 12
    return bench


def test_settled_observations_are_left_alone_until_they_are_due(synced: Bench) -> None:
    synced.later(days=13)
    synced.run()
    assert synced.asked_products > 0, "young ones may still change"
    synced.later(days=1, hours=12)
    synced.run()
    assert synced.asked_products == 0
    synced.later(days=5, hours=13)
    synced.run()
    assert synced.asked_products > 0, "a week after the last look"
    assert synced.fetched == []


def test_an_observation_that_arrives_late_is_found_by_the_weekly_look_from_the_floor(recent: Bench) -> None:
    catalogue = recent.server.catalogue
    old = catalogue.observations[-1]
    recent.later(days=5)
    recent.run()
    late = catalogue.add_exposure(like=old.obs_id, start=NOW - timedelta(hours=20), now=recent.clock)
    recent.run()
    assert recent.fetched == [], "it began before the window"
    recent.later(days=3)
    recent.run()
    assert sorted(recent.fetched) == [
        f"{late}_{ending}" for ending in ("rate.fits", "rate.jpg", "uncal.fits")
    ]


def test_the_floor_never_slides_forward(recent: Bench) -> None:
    catalogue = recent.server.catalogue
    for _ in range(4):
        recent.later(days=8)
        recent.run()
    late = catalogue.add_exposure(
        like=catalogue.observations[-1].obs_id, start=NOW - timedelta(days=1), now=recent.clock
    )
    recent.later(days=8)
    recent.run()
    assert f"{late}_rate.fits" in recent.fetched


def test_an_absence_of_the_daemon_is_made_up_for(recent: Bench) -> None:
    catalogue = recent.server.catalogue
    recent.run()
    missed = catalogue.add_exposure(
        like=catalogue.observations[-1].obs_id, start=NOW + timedelta(days=1), now=NOW + timedelta(days=1)
    )
    recent.later(days=6)
    recent.run()
    assert f"{missed}_rate.fits" in recent.fetched


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.SHORT, service="Mast.Caom.Products", times=None),
        Fault(kind=FaultKind.STATUS, service="Mast.Caom.Products", times=None, status=500),
        Fault(kind=FaultKind.GARBLED_JSON, service="Mast.Caom.Filtered*", times=None),
    ],
    ids=["short", "broken", "garbled"],
)
def test_a_listing_that_is_not_whole_moves_no_cursor_and_fetches_nothing(bench: Bench, fault: Fault) -> None:
    bench.server.faults.add(fault)
    result = bench.attempt()
    assert (result.exit_code, result.record.outcome) == (ExitCode.ARCHIVE, Outcome.FAILED)
    assert bench.store.runs.memory("watch") is None
    assert bench.fetched == []
    bench.server.faults.clear()
    assert bench.run().counts.downloaded == 12


def test_a_listing_that_only_times_out_begins_with_a_small_question_the_next_time(synced: Bench) -> None:
    before = synced.store.runs.memory("watch")
    assert before is not None
    assert (before.batch or 0) > 1
    timeout = {"kind": FaultKind.ERROR, "message": "This is a timeout"}
    synced.server.faults.add(Fault(service="Mast.Caom.Products", times=None, **timeout))  # type: ignore[arg-type]
    assert synced.attempt(full=True).exit_code is ExitCode.ARCHIVE
    assert synced.store.runs.memory("watch") == replace(before, batch=1)


def test_what_a_broken_listing_planned_is_kept_and_fetched_by_the_next_run(make_bench: MakeBench) -> None:
    bench = make_bench(12)
    bench.configure({"watch": {"propID": 9001, "Nobs_per_batch": 4}})
    bench.server.faults.add(
        Fault(kind=FaultKind.STATUS, service="Mast.Caom.Products", times=None, status=500, skip=2)
    )
    result = bench.attempt()
    assert (result.exit_code, result.record.counts.waiting) == (ExitCode.ARCHIVE, 24)
    bench.server.faults.clear()
    assert bench.run().counts.downloaded == 36


def test_a_changed_query_asks_for_everything_anew(synced: Bench) -> None:
    synced.later(days=20)
    synced.run()
    synced.configure({"watch": {"propID": 9001, "filetypes": ["rate", "uncal", "jpg"]}})
    synced.run()
    assert synced.asked_products > 0


def test_a_proposal_is_asked_for_as_a_whole_and_a_window_by_its_dates(synced: Bench) -> None:
    def windows() -> list[object]:
        questions = [
            json.loads(str(query.question)) for query in synced.server.requests.queries("*Filtered*")
        ]
        return [
            entry["values"] for question in questions for entry in question["params"]["filters"]
            if entry["paramName"] == "t_min"
        ]  # fmt: skip

    synced.run()
    assert windows() == []
    synced.configure(RECENT)
    synced.run()
    ((window,),) = windows()
    assert window["max"] - window["min"] == pytest.approx(2.1)


def test_an_empty_answer_is_a_good_end(bench: Bench) -> None:
    bench.configure({"watch": {"propID": 9099}})
    record = bench.run()
    assert (record.outcome, record.counts.products, record.counts.observations) == (Outcome.COMPLETE, 0, 0)


def test_a_stop_while_listing_cancels_the_run(bench: Bench) -> None:
    bench.stop.set()
    result = bench.attempt()
    assert (result.exit_code, result.record.outcome) == (ExitCode.INTERRUPTED, Outcome.CANCELLED)
    bench.stop.clear()
    assert bench.run().counts.downloaded == 12
