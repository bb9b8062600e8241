"""The end of a run that the state does not take, for a reason that nobody foresaw."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from jwstwatch.core.model import Outcome
from jwstwatch.store.runs import Runs
from jwstwatch.sync import living
from tests.sync.bench import Bench


def test_a_run_whose_end_fails_unforeseen_is_closed_later_and_blocks_nobody(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, calls, closed = Runs.finish, [], threading.Event()

    def finish(runs: Runs, *words: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) <= 2:
            raise TimeoutError("no connection left")
        record = right(runs, *words, **named)
        closed.set()
        return record

    monkeypatch.setattr(living, "HEARTBEAT", 0.01)
    monkeypatch.setattr(Runs, "finish", finish)
    result = bench.attempt()
    assert result.record.counts.downloaded > 0
    assert closed.wait(20)
    assert bench.store.runs.last(["watch"])["watch"].outcome is not None
    assert bench.run().outcome is Outcome.COMPLETE
