"""What a run costs among few and among many files, in counts: statements, and steps of SQLite's machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta

import pytest

from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer
from tests.pages.bigsite import Work, counting
from tests.sync.bench import Bench
from tests.sync.conftest import NOW
from tests.sync.crowd import multiply

OBSERVATIONS = 4
TIMES = 1000
"""As many files more in the large state. To read one row of each takes a step per file, at the very least."""


@dataclass(frozen=True)
class Costs:
    """What runs cost in a state of `files`."""

    files: int
    nothing_new: Work
    one_new: Work


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Costs, Costs]]:
    """The costs in a small and in a large state. The disk check, which looks for every file, is left out."""
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setattr("jwstwatch.sync.roots.check_disk", lambda *_: None)

        def measure(times: int) -> Costs:
            catalogue = scaled_catalogue(
                observations=OBSERVATIONS,
                now=NOW,
                files=("rate.fits",),
                sizes=(3_000, 6_000),
                newest=timedelta(days=30),
            )
            server = stack.enter_context(ArchiveServer(catalogue, token="mine"))
            folder = tmp_path_factory.mktemp("bench")
            bench = Bench(folder=folder, server=server, clock=NOW, token="mine")
            stack.enter_context(bench.store)
            bench.run()
            bench.later(days=4)
            bench.run()  # what four days ask for is not counted
            files = multiply(bench, times) if times > 1 else OBSERVATIONS
            bench.later(minutes=15)
            nothing_new = _cost(bench, fetched=0)
            catalogue.add_exposure(
                like=catalogue.observations[-1].obs_id,
                start=bench.clock - timedelta(hours=2),
                now=bench.clock,
            )
            bench.later(minutes=15)
            return Costs(files=files, nothing_new=nothing_new, one_new=_cost(bench, fetched=1))

        yield measure(1), measure(TIMES)


def _cost(bench: Bench, *, fetched: int) -> Work:
    with counting(bench.store.database) as work:
        record = bench.run()
    assert record.counts.downloaded == fetched
    return work


def test_a_run_without_news_sends_the_same_statements_among_many_files_as_among_few(
    costs: tuple[Costs, Costs],
) -> None:
    small, large = costs
    assert large.files == TIMES * small.files
    assert large.nothing_new.statements == small.nothing_new.statements


def test_a_run_with_one_new_file_sends_the_same_statements_among_many_files_as_among_few(
    costs: tuple[Costs, Costs],
) -> None:
    small, large = costs
    assert large.one_new.statements == small.one_new.statements


def test_no_run_walks_through_what_did_not_change(costs: tuple[Costs, Costs]) -> None:
    small, large = costs
    assert large.nothing_new.steps < small.nothing_new.steps + large.files
    assert large.one_new.steps < small.one_new.steps + large.files
