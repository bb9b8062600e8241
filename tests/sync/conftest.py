"""A bench with a small archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.demo.build import demo_catalogue
from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer
from tests.sync.bench import Bench

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

MakeBench = Callable[..., Bench]


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[MakeBench]:
    """Make benches; `observations` exposures with cheap content, or with None the demo archive."""
    with ExitStack() as stack:

        def make(observations: int | None = 4, *, token: str | None = None, **options: Any) -> Bench:
            if observations is None:
                catalogue = demo_catalogue(now=NOW)
            else:
                catalogue = scaled_catalogue(
                    observations=observations, now=NOW, **({"sizes": (6_000, 9_000)} | options)
                )
            server = stack.enter_context(ArchiveServer(catalogue, token=token))
            bench = Bench(folder=tmp_path / "bench", server=server, clock=NOW)
            stack.enter_context(bench.store)
            return bench

        yield make


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """Four exposures, twelve files, a few hours old."""
    return make_bench()


@pytest.fixture
def synced(bench: Bench) -> Bench:
    """The same after a whole first run."""
    assert bench.run().counts.downloaded == 12
    return bench
