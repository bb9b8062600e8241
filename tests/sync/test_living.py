"""A run and its state: signs of life, a full disk, a lock held by others, and who is told of the end."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy.exc import OperationalError

from jwstwatch.core.model import Outcome, Trigger
from jwstwatch.demo.server import Fault, FaultKind
from jwstwatch.errors import ExitCode, StorageError
from jwstwatch.store.runs import Counts, RunRecord, Runs
from jwstwatch.sync import living
from jwstwatch.sync.context import ArrivedFile, CompletedObservation
from tests.sync.bench import Bench

FULL = StorageError("the disk of the state is full")


class Listening:
    """A witness that keeps what it is told, and can be made to fail."""

    def __init__(self, error: Exception | None = None) -> None:
        self.files: list[ArrivedFile] = []
        self.observations: list[CompletedObservation] = []
        self.runs: list[RunRecord] = []
        self.error = error

    def file_arrived(self, file: ArrivedFile) -> None:
        self.files.append(file)

    def observation_completed(self, observation: CompletedObservation) -> None:
        self.observations.append(observation)

    def run_ended(self, record: RunRecord) -> None:
        self.runs.append(record)
        if self.error is not None:
            raise self.error


def until(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.mark.parametrize(
    "error",
    [FULL, OperationalError("UPDATE", {}, Exception("odd")), RuntimeError("no such thing")],
    ids=["foreseen", "of the driver", "a bug"],
)
def test_the_heartbeat_goes_on_whatever_the_state_says(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(living, "HEARTBEAT", 0.01)
    record = bench.store.runs.begin("watch", Trigger.MANUAL, now=bench.clock)
    beat = Runs.heartbeat
    beats = []

    def heartbeat(runs: Runs, run_id: int, **times: object) -> None:
        beats.append(run_id)
        if len(beats) < 4:
            raise error
        beat(runs, run_id, **times)  # type: ignore[arg-type]

    monkeypatch.setattr(Runs, "heartbeat", heartbeat)
    before = bench.clock
    bench.later(minutes=1)
    with living.heartbeat(bench.context(), record):
        until(lambda: len(beats) > 5)
    (stamp,) = bench.ask("SELECT heartbeat_at FROM run")
    assert stamp[0] != before.strftime("%Y-%m-%d %H:%M:%S.%f")


def test_a_state_that_cannot_be_written_at_the_end_does_not_hide_what_went_wrong_first(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = Runs.finish
    broken = threading.Event()
    broken.set()

    def refuse(runs: Runs, *arguments: object, **values: object) -> RunRecord:
        if broken.is_set():
            raise FULL
        return finish(runs, *arguments, **values)  # type: ignore[arg-type]

    monkeypatch.setattr(Runs, "finish", refuse)
    monkeypatch.setattr(living, "HEARTBEAT", 0.01)
    bench.witness = witness = Listening()
    bench.server.faults.add(
        Fault(kind=FaultKind.STATUS, service="Mast.Caom.Filtered*", times=None, status=500)
    )
    result = bench.attempt()
    assert (result.exit_code, result.record.error_kind) == (ExitCode.ARCHIVE, "archive_unreachable")
    assert (result.record.outcome, result.record.finished_at) == (Outcome.FAILED, bench.clock)
    assert witness.runs == [result.record]
    assert bench.ask("SELECT outcome FROM run") == [(None,)]
    broken.clear()
    until(lambda: bench.ask("SELECT outcome, error_kind FROM run") == [("failed", "archive_unreachable")])
    bench.server.faults.clear()
    assert bench.run().counts.downloaded == 12, "the profile is free again"


def test_a_state_that_is_full_at_the_end_of_a_good_run_is_what_went_wrong(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(runs: Runs, *arguments: object, **values: object) -> RunRecord:
        raise FULL

    monkeypatch.setattr(Runs, "finish", refuse)
    monkeypatch.setattr(living, "close_later", _not_later(living.close_later))
    result = bench.attempt()
    assert (result.exit_code, result.record.error_kind) == (ExitCode.STORAGE, "storage")
    assert result.record.outcome is Outcome.PARTIAL
    assert len(bench.files()) == 12


def _not_later(close_later: Callable[..., RunRecord]) -> Callable[..., RunRecord]:
    """Close a run in good earnest, but never try again."""

    def close(*arguments: object) -> RunRecord:
        return close_later(*arguments, pause=lambda seconds: threading.Event().wait())

    return close


def test_a_run_waits_for_a_state_that_somebody_else_has_locked(bench: Bench) -> None:
    locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        other = sqlite3.connect(bench.folder / "state.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        locked.set()
        release.wait(30)
        other.execute("ROLLBACK")
        other.close()

    class Locker(Listening):
        """Has the state locked as soon as something arrived."""

        def file_arrived(self, file: ArrivedFile) -> None:
            super().file_arrived(file)
            if len(self.files) == 1:
                threading.Thread(target=hold).start()
                locked.wait(30)
                threading.Timer(1.5, release.set).start()

    bench.witness = Locker()
    record = bench.run()
    assert release.is_set(), "it did not wait"
    assert record.outcome is Outcome.COMPLETE
    assert record.counts.downloaded == 12


def test_the_witness_is_told_of_files_then_of_complete_observations_then_of_the_end(bench: Bench) -> None:
    bench.witness = witness = Listening()
    record = bench.run()
    assert witness.runs == [record]
    assert bench.ask("SELECT outcome FROM run") == [("complete",)]
    assert len(witness.files) == 12
    assert sorted(entry.files for entry in witness.observations) == [3, 3, 3, 3]
    assert {(entry.profile, entry.run_id, entry.proposal) for entry in witness.observations} == {
        ("watch", record.id, 9001)
    }
    bench.witness = quiet = Listening()
    bench.run()
    assert (len(quiet.runs), quiet.observations) == (1, [])


def test_an_observation_that_lacks_a_file_is_not_told_as_complete(bench: Bench) -> None:
    bench.witness = witness = Listening()
    lacking = bench.server.catalogue.products[0]
    bench.server.faults.add(Fault(kind=FaultKind.STATUS, uri=f"*{lacking.name}", status=404, times=None))
    bench.attempt()
    assert len(witness.observations) == 3
    bench.server.faults.clear()
    bench.later(days=2)
    bench.run()
    assert [entry.obs_id for entry in witness.observations[3:]] == [lacking.name.rpartition("_")[0]]


def test_a_witness_that_fails_is_not_the_runs_failure(bench: Bench) -> None:
    bench.witness = Listening(error=RuntimeError("a bug in it"))
    assert bench.run().outcome is Outcome.COMPLETE


def test_a_run_that_a_bug_ends_is_told_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.witness = witness = Listening()

    def fail(*arguments: object, **values: object) -> Counts:
        raise RuntimeError("a bug")

    monkeypatch.setattr("jwstwatch.sync.fetching.fetch", fail)
    with pytest.raises(RuntimeError):
        bench.attempt()
    assert [record.error_kind for record in witness.runs] == ["bug"]
