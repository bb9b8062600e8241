"""Files that the archive lists and does not have: 404 and 410, once and for good."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jwstwatch.core.model import FileState, Outcome
from jwstwatch.core.retrying import NOT_THERE
from jwstwatch.demo.server import Fault, FaultKind
from jwstwatch.errors import ExitCode
from jwstwatch.sync.standing import standing, standing_of_profile
from tests.sync.bench import Bench
from tests.sync.conftest import MakeBench


def lacking(bench: Bench, *, status: int = 404) -> str:
    """Take a file away from the archive and from the disk; its listing stays."""
    product = bench.server.catalogue.products[0]
    bench.path(product.name).unlink()
    bench.server.faults.add(Fault(kind=FaultKind.STATUS, uri=f"*{product.name}", status=status, times=None))
    return product.name


@pytest.fixture
def settled(make_bench: MakeBench) -> Bench:
    """Observations that are older than `settle`, and asked for again only after years."""
    bench = make_bench(3)
    bench.configure({"watch": {"propID": 9001, "recheck": "3000d"}})
    bench.run()
    bench.later(days=15)
    bench.run(full=True)
    return bench


def failing(bench: Bench) -> dict[str, object]:
    """What `status watch` tells of the one file that failed."""
    document = standing_of_profile(bench.settings, bench.store, "watch", now=bench.clock, live=None)
    failed = document["failed"]
    assert isinstance(failed, list)
    (entry,) = failed
    assert isinstance(entry, dict)
    return entry


def confirm(bench: Bench, name: str) -> None:
    """Let the archive be asked until it is certain that it does not have the file."""
    # Its being gone from the disk is found by a look at everything.
    first = bench.attempt(full=True)
    assert (first.exit_code, bench.fetched) == (ExitCode.FILES_FAILED, [name])
    bench.later(minutes=61)
    second = bench.attempt()
    assert (second.exit_code, bench.fetched) == (ExitCode.FILES_FAILED, [name])
    assert bench.asked_products == 1


@pytest.mark.parametrize("status", [404, 410])
def test_a_second_404_after_another_listing_settles_the_matter(settled: Bench, status: int) -> None:
    name = lacking(settled, status=status)
    first = settled.attempt(full=True)
    assert first.record.counts.failed == 1
    reason = str(failing(settled)["reason"])
    assert f"HTTP {status}" in reason
    assert NOT_THERE not in reason, "one answer proves nothing"
    settled.later(minutes=61)
    settled.attempt()
    told = failing(settled)
    assert (told["name"], told["state"], told["reason"]) == (name, FileState.FAILED, told["last_error"])
    assert str(told["reason"]).startswith(f"{NOT_THERE}: ")
    assert f"HTTP {status}" in str(told["reason"])
    assert settled.history(name)[-2:] == ["failed", "failed"]


def test_runs_between_two_tries_ask_nothing_and_end_well(settled: Bench) -> None:
    name = lacking(settled)
    confirm(settled, name)
    for _ in range(3):
        settled.later(hours=6)
        result = settled.attempt()
        assert (result.exit_code, result.record.outcome) == (ExitCode.DONE, Outcome.COMPLETE)
        assert (settled.fetched, settled.asked_products) == ([], 0)
        counts = result.record.counts
        assert (counts.failed, counts.unchanged) == (0, counts.products)
    # Whoever looks is told all the same.
    document = standing(settled.settings, settled.store, now=settled.clock, live=None, token=None)
    profiles = document["profiles"]
    assert isinstance(profiles, list)
    assert profiles[0]["files"]["failed"] == 1


def test_an_absent_file_is_tried_again_ever_more_rarely_up_to_the_recheck(settled: Bench) -> None:
    settled.configure({"watch": {"propID": 9001, "recheck": "5d"}})
    name = lacking(settled)
    confirm(settled, name)
    began, tried = settled.clock, []
    for _ in range(18):
        settled.later(days=1)
        result = settled.attempt()
        if settled.fetched:
            assert settled.fetched == [name]
            assert result.exit_code is ExitCode.FILES_FAILED
            tried.append(settled.clock - began)
        else:
            assert result.exit_code is ExitCode.DONE
    assert tried == [timedelta(days=days) for days in (1, 3, 7, 12, 17)]


def test_what_appears_after_all_is_fetched_at_the_next_try(settled: Bench) -> None:
    name = lacking(settled)
    confirm(settled, name)
    settled.server.faults.clear()
    settled.later(hours=23)
    settled.run()
    assert settled.fetched == []
    settled.later(hours=1)
    assert settled.run().counts.downloaded == 1
    assert settled.states()[name] is FileState.PRESENT


@pytest.mark.parametrize("how", ["force", "retry"])
def test_somebody_who_asks_for_it_has_an_absent_file_tried_at_once(settled: Bench, how: str) -> None:
    name = lacking(settled)
    confirm(settled, name)
    settled.server.faults.clear()
    settled.later(minutes=1)
    if how == "retry":
        settled.store.transfers.retry([name], profiles=(), now=settled.clock)
    assert settled.run(force=how == "force").counts.downloaded == 1


def test_an_absence_in_vain_is_forgotten_when_another_trouble_comes_between(settled: Bench) -> None:
    name = lacking(settled)
    settled.attempt(full=True)
    settled.server.faults.clear()
    settled.server.faults.add(Fault(kind=FaultKind.GARBLE, uri=f"*{name}", times=None, after=0))
    settled.later(minutes=61)
    settled.attempt()
    settled.server.faults.clear()
    settled.server.faults.add(Fault(kind=FaultKind.STATUS, uri=f"*{name}", status=404, times=None))
    settled.later(minutes=61)
    settled.attempt()
    assert NOT_THERE not in str(failing(settled)["reason"]), "the archive had something in between"
