"""Transfers of a run: a token that dies meanwhile, who hears of files, a shared budget, outages."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.core.model import FileState, Outcome, Trigger
from jwstwatch.demo.server import Fault, FaultKind
from jwstwatch.errors import ConfigurationError, ExitCode
from jwstwatch.store.runs import RunRecord
from jwstwatch.sync import story
from jwstwatch.sync.context import ArrivedFile, CompletedObservation, Options
from jwstwatch.transfer import pool
from jwstwatch.transfer.budget import Budget
from tests.sync.bench import Bench, Listener
from tests.sync.conftest import MakeBench

OLD, NEW = "0" * 32, "1" * 32
DOWNLOAD = "/api/v0.1/Download/file"


def attempt(bench: Bench, name: str = "watch", **changes: Any) -> story.RunResult:
    """Run a profile in a context that differs."""
    bench.server.requests.clear()
    return story.run(
        bench.settings.profiles[name],
        context=replace(bench.context(), **changes),
        trigger=Trigger.SCHEDULE,
        options=Options(),
    )


# -- a token that dies in mid-run


@pytest.fixture
def deep(make_bench: MakeBench) -> Bench:
    """Watches an observation that is not public yet, with a token that is good so far."""
    bench = make_bench(None, token=OLD)
    bench.configure({"deep": {"propID": 5224, "obsnums": [7]}})
    bench.token = OLD
    return bench


class Revoking(Listener):
    """Revokes the token as soon as a few files have arrived."""

    def __init__(self, bench: Bench, *, after: int) -> None:
        super().__init__()
        self._bench = bench
        self._left = after
        self._lock = threading.Lock()

    def finished(self, key: int) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self._bench.server.token = NEW


def test_a_token_that_is_replaced_in_mid_run_costs_nothing(deep: Bench) -> None:
    asked: list[str] = []

    def look_up(refused: str) -> str | None:
        asked.append(refused)
        return NEW

    result = attempt(deep, "deep", report=Revoking(deep, after=3), reread_token=look_up)
    assert (result.exit_code, result.record.outcome) == (ExitCode.DONE, Outcome.COMPLETE)
    assert result.record.counts.withheld == 0
    assert set(deep.states().values()) == {FileState.PRESENT}
    assert asked == [OLD], "looked up once, not for every file"
    downloads = deep.server.requests.downloads()
    refused = [request for request in downloads if request.status == 401]
    # Each worker may have been about to ask with the old one.
    assert 1 <= len(refused) <= deep.settings.mast.connections
    assert {request.token for request in refused} == {OLD}
    assert len(downloads) == len(deep.states()) + len(refused)
    assert deep.server.requests.count(path="/whoami") == 1
    last = downloads[max(downloads.index(request) for request in refused) + 1 :]
    assert {request.token for request in last} == {NEW}
    rejected, accepted = deep.store.tokens.age(OLD), deep.store.tokens.age(NEW)
    assert rejected is not None
    assert rejected.rejected_at == deep.clock
    assert accepted is not None
    assert (accepted.accepted_at, accepted.rejected_at) == (deep.clock, None)


@pytest.mark.parametrize("stored", [None, OLD, "2" * 32], ids=["none", "the same", "as bad"])
def test_without_a_better_token_the_rest_is_withheld_and_looked_up_once_for_each(
    deep: Bench, stored: str | None
) -> None:
    asked: list[str] = []

    def look_up(refused: str) -> str | None:
        asked.append(refused)
        return stored

    result = attempt(deep, "deep", report=Revoking(deep, after=3), reread_token=look_up)
    assert result.record.counts.withheld > 0
    assert result.record.counts.failed == 0
    assert {report.reason for report in deep.reports().values()} == {None, "not authorised"}
    assert len(asked) == len(set(asked)) == (2 if stored not in (None, OLD) else 1)
    assert deep.store.tokens.age("2" * 32) is None, "nothing is known of it"
    deep.token = NEW
    deep.later(days=1)
    assert deep.run("deep").counts.withheld == 0


def test_a_file_that_is_closed_to_its_user_is_not_the_tokens_fault(deep: Bench) -> None:
    deep.server.faults.add(Fault(kind=FaultKind.STATUS, uri="*_cal.fits", status=403, times=None))
    deep.stored_token = OLD
    record = deep.run("deep")
    assert record.counts.withheld > 1
    age = deep.store.tokens.age(OLD)
    assert age is not None
    assert age.rejected_at is None


def test_a_token_that_cannot_be_looked_up_ends_no_run(deep: Bench) -> None:
    def broken(refused: str) -> str | None:
        raise ConfigurationError("the token file is not readable")

    result = attempt(deep, "deep", report=Revoking(deep, after=3), reread_token=broken)
    assert result.record.counts.withheld > 0
    assert result.record.counts.failed == 0


# -- who hears of files


class Hearing:
    """Keeps what it is told of files; `state` is the state of each at that moment."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.files: list[ArrivedFile] = []
        self.states: list[FileState] = []

    def file_arrived(self, file: ArrivedFile) -> None:
        self.files.append(file)
        self.states.append(self._bench.states()[file.name])

    def observation_completed(self, observation: CompletedObservation) -> None:
        pass

    def run_ended(self, record: RunRecord) -> None:
        pass


def test_each_file_that_arrives_is_told_once_it_is_committed(bench: Bench) -> None:
    heard = Hearing(bench)
    result = attempt(bench, witness=heard)
    assert sorted(file.name for file in heard.files) == sorted(bench.states())
    assert set(heard.states) == {FileState.PRESENT}
    for file in heard.files:
        content = bench.server.catalogue.read(file.uri).content
        assert file.path.read_bytes() == content
        assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert (file.profile, file.run_id) == ("watch", result.record.id)
        assert (file.revision, file.replaced) == (1, False)


def test_a_newer_revision_is_told_as_one_that_replaced_another(synced: Bench) -> None:
    product = synced.server.catalogue.products[1]
    synced.later(days=1)
    synced.server.catalogue.reprocess(product.uri, now=synced.clock)
    heard = Hearing(synced)
    attempt(synced, witness=heard)
    assert [(file.name, file.revision, file.replaced) for file in heard.files] == [(product.name, 2, True)]


def test_a_file_that_replaces_a_damaged_one_is_told_as_such(synced: Bench) -> None:
    damaged, gone = sorted(synced.states())[:2]
    synced.path(damaged).write_bytes(b"SIMPLE")
    synced.path(gone).unlink()
    heard = Hearing(synced)
    attempt(synced, witness=heard)
    told = {file.name: (file.revision, file.replaced) for file in heard.files}
    assert told == {damaged: (1, True), gone: (1, False)}


def test_a_copy_is_told_and_what_was_there_already_is_not(synced: Bench) -> None:
    profiles = {"watch": {"propID": 9001}, "second": {"propID": 9001, "outsubdir": "again"}}
    synced.configure(profiles)
    heard = Hearing(synced)
    attempt(synced, "second", witness=heard)
    assert synced.fetched == []
    assert len(heard.files) == 12
    assert all("again" in file.path.parts for file in heard.files)
    assert {file.profile for file in heard.files} == {"second"}
    again = Hearing(synced)
    attempt(synced, witness=again)
    assert again.files == []


def test_a_witness_that_fails_ends_no_run(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Hearing):
        def file_arrived(self, file: ArrivedFile) -> None:
            raise LookupError("a bug in a hook")

    result = attempt(bench, witness=Failing(bench))
    assert result.record.outcome is Outcome.COMPLETE
    assert result.record.counts.downloaded == 12
    told = [record for record in caplog.records if "could be told" in record.message]
    assert len(told) == 12
    assert all(record.exc_info for record in told)


# -- what runs share


def test_profiles_that_run_at_once_share_the_connections(make_bench: MakeBench) -> None:
    bench = make_bench(12)
    bench.configure(
        {
            "one": {"propID": 9001, "filetypes": ["rate", "jpg"]},
            "other": {"propID": 9001, "filetypes": ["uncal"], "outsubdir": "raw"},
        }
    )
    budget = Budget(2)
    # As a third run would that is still listing: connections are kept as long as somebody is there.
    budget.join(halt=threading.Event(), timeout=5.0)
    outcomes: dict[str, Outcome | None] = {}

    def work(name: str) -> None:
        result = story.run(
            bench.settings.profiles[name],
            context=replace(bench.context(), budget=budget),
            trigger=Trigger.SCHEDULE,
            options=Options(),
        )
        outcomes[name] = result.record.outcome

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {"one": Outcome.COMPLETE, "other": Outcome.COMPLETE}
    assert len(bench.fetched) == len(set(bench.fetched)) == 36
    assert len({request.peer for request in bench.server.requests.downloads()}) == 2


# -- a stop in mid-transfer


def test_a_stop_keeps_each_partial_and_no_finished_byte_is_fetched_again(make_bench: MakeBench) -> None:
    bench = make_bench(4, sizes=(200_000, 300_000))
    stalled = Fault(kind=FaultKind.STALL, uri="*_uncal.fits", after=100_000, seconds=600, times=None)
    bench.server.faults.add(stalled)
    results: list[story.RunResult] = []
    patient = replace(bench.settings.mast, timeout=600.0)
    thread = threading.Thread(target=lambda: results.append(attempt(bench, mast=patient)))
    thread.start()
    try:
        wait_for(lambda: sum(size >= 100_000 for size in parts(bench).values()) == 4)
        wait_for(lambda: list(bench.states().values()).count(FileState.PRESENT) == 8)
    finally:
        bench.stop.set()
        # The archive would be silent for ten minutes, and would be waited for as long.
        thread.join(timeout=10)
    assert not thread.is_alive()
    assert len(bench.fetched) == 12, "nothing was tried again"
    assert (results[0].exit_code, results[0].record.outcome) == (ExitCode.INTERRUPTED, Outcome.CANCELLED)
    left = parts(bench)
    assert len(left) == 4
    bench.server.faults.clear()
    bench.stop.clear()
    assert bench.run().counts.downloaded == 4
    asked = {str(request.uri).rpartition("/")[2]: request for request in bench.server.requests.downloads()}
    assert {name: request.range for name, request in asked.items()} == {
        name: f"bytes={size}-" for name, size in left.items()
    }
    for name, request in asked.items():
        content = bench.server.catalogue.read(name).content
        assert request.bytes == len(content) - left[name]
        assert bench.path(name).read_bytes() == content
    assert parts(bench) == {}


def parts(bench: Bench) -> dict[str, int]:
    """The partials, by the name of their file, and the bytes that are there."""
    found: dict[str, int] = {}
    for path in bench.root.rglob(".*.part"):
        found[_name(path)] = path.stat().st_size
    return found


def _name(part: Path) -> str:
    return part.name.removeprefix(".").rsplit(".", 2)[0]


def wait_for(condition: Any) -> None:
    pause = threading.Event()
    for _ in range(4000):
        if condition():
            return
        pause.wait(0.005)
    raise AssertionError("it never came")


# -- an archive that is down


@pytest.mark.parametrize(
    ("after", "trouble"),
    [
        (0, {"kind": FaultKind.MAINTENANCE}),
        (1, {"kind": FaultKind.RESET}),
        (2, {"kind": FaultKind.STATUS, "status": 504}),
        (3, {"kind": FaultKind.STATUS, "status": 503, "retry_after": 0}),
        (4, {"kind": FaultKind.HTML}),
        (6, {"kind": FaultKind.MAINTENANCE}),
        (7, {"kind": FaultKind.STATUS, "status": 503, "retry_after": 0}),
        (30, {"kind": FaultKind.RESET}),
    ],
    ids=lambda value: str(value if isinstance(value, int) else value["kind"]),
)
def test_an_outage_costs_fewer_than_twenty_requests(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, after: int, trouble: dict[str, Any]
) -> None:
    # How long it waits between two tries is not the point.
    monkeypatch.setattr(pool._Crew, "_wait", lambda crew, failure, number: 0.01)
    bench = make_bench(20)
    outage = Fault(times=None, skip=after, **trouble)
    bench.server.faults.add(outage)
    result = bench.attempt()
    assert result.exit_code is ExitCode.ARCHIVE
    assert 1 <= bench.server.faults.struck(outage) < 20
    assert result.record.counts.failed == 0
    bench.server.faults.clear()
    record = bench.run()
    assert record.counts.downloaded + record.counts.unchanged == 60
