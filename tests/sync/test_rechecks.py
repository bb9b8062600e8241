"""Known observations are asked about again, a few at a time, and unsettled ones at every run."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from jwstwatch.core.dates import to_mjd
from jwstwatch.core.model import FileState
from jwstwatch.demo.server import Fault, FaultKind
from tests.sync.bench import Bench
from tests.sync.conftest import NOW, MakeBench

TOKEN = "0123456789abcdef0123456789abcdef"


def asked(bench: Bench) -> set[int]:
    """The observations whose product lists the last run asked for."""
    numbers = set()
    for request in bench.server.requests.queries("Mast.Caom.Products"):
        numbers.update(
            int(number) for number in json.loads(str(request.question))["params"]["obsid"].split(",")
        )
    return numbers


@pytest.fixture
def settled(make_bench: MakeBench) -> Bench:
    """Twenty-one observations that are older than `settle`, all checked at one time."""
    bench = make_bench(21)
    bench.run()
    bench.later(days=15)
    bench.run()
    return bench


def test_a_run_right_after_another_asks_for_no_product_list(settled: Bench) -> None:
    settled.later(minutes=1)
    settled.run()
    assert asked(settled) == set()


def test_rechecks_are_spread_over_the_period_and_leave_nobody_out(settled: Bench) -> None:
    seen: set[int] = set()
    for _ in range(7):
        settled.later(days=1)
        settled.run()
        assert len(asked(settled)) == 3
        seen |= asked(settled)
    assert len(seen) == 21
    settled.later(days=1)
    settled.run()
    assert len(asked(settled)) == 3, "once spread, they stay so"


def test_the_oldest_checked_come_first(settled: Bench) -> None:
    settled.later(days=1)
    settled.run()
    first = asked(settled)
    settled.later(days=1)
    settled.run()
    assert len(first) == len(asked(settled)) == 3
    assert not first & asked(settled)


def test_a_longer_absence_is_caught_up_with_at_once(settled: Bench) -> None:
    settled.later(days=60)
    settled.run()
    assert len(asked(settled)) == 21


def test_a_changed_query_asks_for_everything(settled: Bench) -> None:
    settled.configure({"watch": {"propID": 9001, "filetypes": ["rate"]}})
    settled.later(minutes=1)
    settled.run()
    assert len(asked(settled)) == 21


def test_a_broken_run_does_not_use_up_its_part_of_the_period(settled: Bench) -> None:
    settled.later(days=1)
    settled.server.faults.add(
        Fault(kind=FaultKind.STATUS, service="Mast.Caom.Products", times=None, status=500)
    )
    settled.attempt()
    settled.server.faults.clear()
    settled.later(days=1)
    settled.run()
    assert len(asked(settled)) == 6, "two days' part"


def test_an_observation_whose_files_failed_is_asked_for_at_every_run(settled: Bench) -> None:
    product = settled.server.catalogue.products[0]
    settled.path(product.name).unlink()
    settled.server.faults.add(Fault(kind=FaultKind.STATUS, uri=f"*{product.name}", status=404, times=None))
    settled.attempt()
    for _ in range(3):
        settled.later(minutes=1)
        settled.attempt()
        assert len(asked(settled)) == 1
    settled.server.faults.clear()
    settled.later(days=2)
    settled.run()
    assert product.name in settled.fetched


@pytest.fixture
def deep(make_bench: MakeBench) -> Bench:
    """Long settled, with one observation that is not public yet."""
    bench = make_bench(None, token=TOKEN)
    bench.configure({"deep": {"propID": 5224, "obsnums": [7], "filetypes": ["rate"], "recheck": "3000d"}})
    bench.run("deep")
    return bench


def withheld(bench: Bench) -> list[str]:
    return sorted(name for name, state in bench.states().items() if state is FileState.WITHHELD)


def test_what_is_withheld_is_asked_for_in_the_first_run_after_its_release(deep: Bench) -> None:
    names = withheld(deep)
    assert names
    observations = [found for found in deep.server.catalogue.observations if found.exclusive]
    release = min(found.release for found in observations if found.release is not None)
    deep.clock = release - timedelta(hours=1)
    deep.run("deep")
    assert (asked(deep), deep.fetched) == (set(), [])
    deep.clock = release + timedelta(hours=1)
    deep.run("deep")
    assert asked(deep), "the archive may still say that it is exclusive, and is asked until it does not"
    for found in observations:
        deep.server.catalogue.release(found.obs_id, now=deep.clock)
    deep.later(minutes=1)
    deep.run("deep")
    assert sorted(deep.fetched) == names


def test_what_is_withheld_is_fetched_in_the_first_run_with_a_token(deep: Bench) -> None:
    names = withheld(deep)
    deep.later(days=60)
    deep.run("deep")
    assert deep.fetched == []
    deep.token = TOKEN
    deep.later(minutes=1)
    deep.run("deep")
    assert sorted(deep.fetched) == names


def test_planned_observations_are_shown_for_their_proposal_and_never_asked_about(
    make_bench: MakeBench,
) -> None:
    bench = make_bench(None)
    planned = [row for row in bench.server.catalogue.observation_rows() if row["calib_level"] == -1]
    proposal = int(str(planned[0]["proposal_id"]))
    numbers = {int(str(row["obsid"])) for row in planned}
    bench.configure({"watch": {"propID": proposal, "instrument": "all", "filetypes": ["rate.fits"]}})
    bench.run()
    assert not asked(bench) & numbers
    known = bench.ask("SELECT count(*) FROM observation WHERE calib_level = -1")
    assert known[0][0] > 0
    bench.later(days=8)
    bench.run()
    assert not asked(bench) & numbers
    assert not any(state is FileState.FAILED for state in bench.states().values())


def test_a_window_is_stretched_over_the_time_in_which_nobody_asked(bench: Bench) -> None:
    bench.configure({"watch": {"instrument": "nircam", "lookbacktime": 1, "recheck": "3000d"}})
    bench.run()
    bench.later(days=90)
    bench.run()
    (query,) = bench.server.requests.queries("Mast.Caom.Filtered")
    (window,) = [
        value
        for entry in json.loads(str(query.question))["params"]["filters"]
        if entry["paramName"] == "t_min"
        for value in entry["values"]
    ]
    assert window["min"] == pytest.approx(to_mjd(NOW - timedelta(days=1)), abs=0.001)
