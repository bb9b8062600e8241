"""One budget for all runs: fairly shared, never exceeded, nobody starved."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from jwstwatch.errors import ArchiveError
from jwstwatch.transfer.budget import Budget, Share
from jwstwatch.transfer.job import AbortedError, Failed, Fetched, Job, TransferSettings
from jwstwatch.transfer.line import Line
from jwstwatch.transfer.pool import fetch_all
from tests.transfer import server
from tests.transfer.conftest import no_check
from tests.transfer.server import Depot, Handler, serve

MakeJob = Callable[..., Job]
Outcomes = list[Fetched | Failed]
CONTENT = bytes(range(256)) * 40
BOUND = 10.0
"""Seconds after which something that should happen at once is taken not to happen."""


@dataclass
class Run:
    """What a run of the model wants and has."""

    share: Share
    waiting: list[Future[Line]] = field(default_factory=list)
    held: list[Line] = field(default_factory=list)
    overtaken: int = 0
    """Lines that went to others since it has waited for its next one."""

    def receive(self) -> int:
        """Note what was lent since; returns how many lines."""
        came = [asked for asked in self.waiting if asked.done()]
        self.waiting = [asked for asked in self.waiting if not asked.done()]
        self.held += [asked.result() for asked in came]
        return len(came)


def joined(budget: Budget) -> Share:
    return budget.join(halt=threading.Event(), timeout=5.0)


MOST_RUNS = 3


class Sharing(RuleBasedStateMachine):
    """Any course of events, one after the other; the threads of a run do nothing but these."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 2
        self.budget = Budget(self.size)
        self.runs: list[Run] = []
        self.most_lines = self.size

    def settle(self) -> None:
        before = {id(run): len(run.held) for run in self.runs}
        wanting = [run for run in self.runs if run.waiting]
        came = {id(run): run.receive() for run in self.runs}
        for run in wanting:
            others = sum(count for key, count in came.items() if key != id(run))
            run.overtaken = 0 if run.held else run.overtaken + others
        for run in self.runs:
            if came[id(run)]:
                # Nobody who waits has fewer than this one had before its last line.
                had = before[id(run)] + came[id(run)] - 1
                assert all(len(other.held) >= had for other in self.runs if other.waiting)

    @rule()
    @precondition(lambda self: len(self.runs) < MOST_RUNS)
    def begin(self) -> None:
        self.runs.append(Run(joined(self.budget)))

    @rule(data=st.data())
    @precondition(lambda self: self.runs)
    def want(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(self.runs))
        run.waiting.append(run.share.ask())
        self.settle()

    @rule(data=st.data())
    @precondition(lambda self: any(run.held for run in self.runs))
    def end_a_file(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from([run for run in self.runs if run.held]))
        run.share.give_back(run.held.pop(0))
        self.settle()

    @rule(size=st.integers(1, 3))
    def resize(self, size: int) -> None:
        self.size = size
        self.most_lines = max(size, sum(len(run.held) for run in self.runs))
        self.budget.resize(size, None)
        self.settle()

    @rule(data=st.data())
    @precondition(lambda self: self.runs)
    def stop(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(self.runs))
        run.share.cut()
        assert all(asked.cancelled() for asked in run.waiting)
        for line in run.held:
            run.share.give_back(line)
        run.share.leave()
        self.runs.remove(run)
        self.settle()

    @invariant()
    def no_more_is_lent_than_there_is(self) -> None:
        held = [line for run in self.runs for line in run.held]
        assert len(set(held)) == len(held)
        assert len(held) <= self.most_lines
        if len(held) <= self.size:
            self.most_lines = self.size

    @invariant()
    def nothing_is_kept_back(self) -> None:
        held = sum(len(run.held) for run in self.runs)
        assert held >= self.size or not any(run.waiting for run in self.runs)

    @invariant()
    def nobody_starves(self) -> None:
        # A run that has nothing is passed over at most once by each of the others.
        assert all(run.overtaken <= MOST_RUNS - 1 for run in self.runs)


TestSharing = Sharing.TestCase
TestSharing.settings = settings(max_examples=80, stateful_step_count=60, deadline=None)


def lend(share: Share, count: int) -> list[Line]:
    return [share.ask().result(timeout=BOUND) for _ in range(count)]


def test_a_run_alone_has_all() -> None:
    share = joined(Budget(4))
    lend(share, 4)
    assert not share.ask().done()


@given(runs=st.integers(1, 8), connections=st.integers(1, 16))
def test_runs_that_want_much_have_equal_parts(runs: int, connections: int) -> None:
    budget = Budget(connections)
    shares = [joined(budget) for _ in range(runs)]
    for share in shares:
        for _ in range(connections):
            share.ask()
    # What the first took for want of others comes back a file at a time.
    for _ in range(2 * connections):
        greatest = max(shares, key=lambda share: len(share.lent))
        greatest.give_back(greatest.lent[0])
        greatest.ask()
    parts = [len(share.lent) for share in shares]
    assert sum(parts) == connections
    assert max(parts) - min(parts) <= 1


def test_what_one_does_not_want_goes_to_the_others() -> None:
    budget = Budget(6)
    modest, greedy = joined(budget), joined(budget)
    lend(modest, 1)
    lend(greedy, 5)


def test_runs_that_want_a_line_all_the_time_take_turns() -> None:
    budget = Budget(1)
    shares = [joined(budget) for _ in range(4)]
    for share in shares:
        share.ask()
        share.ask()
    served = []
    for _ in range(40):
        (holder,) = (number for number, share in enumerate(shares) if share.lent)
        served.append(holder)
        # As many small files would: it asks again before it gives back.
        shares[holder].ask()
        shares[holder].give_back(shares[holder].lent[0])
    assert served == [0, 1, 2, 3] * 10


@pytest.mark.parametrize("connections", [1, 3])
def test_many_small_files_starve_nobody(connections: int) -> None:
    """Threads that come back at once: counted, not timed."""
    budget = Budget(connections)
    served = [0, 0, 0]
    workers = []
    over = threading.Event()
    all_there = threading.Barrier(21)
    a_small_file = threading.Event()

    def work(number: int, share: Share) -> None:
        all_there.wait(BOUND)
        while not over.is_set():
            with share.line():
                # Whoever waits for a file lets the other threads go on.
                a_small_file.wait(0.001)
                served[number] += 1
                if sum(served) >= 600:
                    over.set()

    for number, count in enumerate((1, 4, 16)):
        share = joined(budget)
        workers += [threading.Thread(target=work, args=(number, share)) for _ in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert not any(worker.is_alive() for worker in workers)
    # A run with one worker among twenty-one would have a twenty-first part if lines went to whoever comes.
    assert min(served) > 600 / 10, served


def test_a_smaller_budget_waits_for_what_is_lent() -> None:
    budget = Budget(3)
    share = joined(budget)
    lines = lend(share, 3)
    budget.resize(1, None)
    waiting = share.ask()
    for line in lines[:2]:
        share.give_back(line)
        assert not waiting.done()
    share.give_back(lines[2])
    assert waiting.done()
    assert budget.connections == 1


def test_a_larger_budget_serves_who_waits_at_once() -> None:
    budget = Budget(1)
    share = joined(budget)
    lend(share, 1)
    waiting = [share.ask() for _ in range(3)]
    budget.resize(3, 1000.0)
    assert [asked.done() for asked in waiting] == [True, True, False]
    assert budget.bandwidth.read_size == 4096


def test_a_stop_ends_the_waiting_of_its_run_alone() -> None:
    budget = Budget(1)
    busy, stopped = joined(budget), joined(budget)
    lines = lend(busy, 1)
    heard = threading.Event()

    def wait() -> None:
        with pytest.raises(AbortedError), stopped.line():
            pass
        heard.set()

    worker = threading.Thread(target=wait)
    worker.start()
    until(lambda: bool(stopped.waiting))
    other = busy.ask()
    stopped.cut()
    assert heard.wait(BOUND)
    worker.join()
    assert stopped.ask().cancelled()
    assert not other.done()
    busy.give_back(lines[0])
    assert other.result(timeout=BOUND) is lines[0]


# -- with transfers


def fetch(jobs: list[Job], budget: Budget, *, stop: threading.Event | None = None, **given: Any) -> Outcomes:
    options: dict[str, Any] = {"connections": 4, "timeout": 60.0} | given
    return list(
        fetch_all(
            iter(jobs),
            settings=TransferSettings(**options),
            token=lambda: None,
            check=no_check,
            stop=stop or threading.Event(),
            budget=budget,
        )
    )


class Gate:
    """Holds each file of the depot back until a test lets one go."""

    def __init__(self) -> None:
        self.open = threading.Semaphore(0)
        self.lock = threading.Lock()
        self.busy = 0
        self.passed = 0

    def behave(self, handler: Handler) -> None:
        with self.lock:
            self.busy += 1
        while not self.open.acquire(timeout=0.02):
            if handler.depot.closing.is_set():
                return
        with self.lock:
            self.busy -= 1
            self.passed += 1
        serve(CONTENT)(handler)


@dataclass
class Fetching:
    """A run of its own in a thread: `files` files that meet `gate`."""

    gate: Gate
    stop: threading.Event
    thread: threading.Thread
    outcomes: Outcomes


@pytest.fixture
def begin(depot: Depot, make_job: MakeJob) -> Iterator[Callable[..., Fetching]]:
    running: list[Fetching] = []

    def start(name: str, *, files: int, budget: Budget, connections: int = 4) -> Fetching:
        gate, stop = Gate(), threading.Event()
        outcomes: Outcomes = []
        depot.put(name, gate.behave)
        jobs = [make_job(name, revision=number) for number in range(files)]

        def work() -> None:
            outcomes.extend(fetch(jobs, budget, stop=stop, connections=connections))

        fetching = Fetching(gate, stop, threading.Thread(target=work), outcomes)
        fetching.thread.start()
        running.append(fetching)
        return fetching

    yield start
    for fetching in running:
        fetching.stop.set()
        fetching.gate.open.release(1000)
    for fetching in running:
        fetching.thread.join(timeout=BOUND)
        assert not fetching.thread.is_alive()


def until(condition: Callable[[], bool]) -> None:
    """Wait for what must come."""
    limit = threading.Event()
    for _ in range(2000):
        if condition():
            return
        limit.wait(0.005)
    raise AssertionError("it never came")


def never(condition: Callable[[], bool]) -> None:
    """Look for a while whether something comes that must not."""
    limit = threading.Event()
    for _ in range(20):
        assert not condition()
        limit.wait(0.005)


def _even_out(first: Fetching, second: Fetching) -> None:
    """Wait until both have two lines; who got a third while the other was busy recording gives one back."""
    for _ in range(10):
        until(lambda: first.gate.busy + second.gate.busy == 4)
        more = max(first, second, key=lambda fetching: fetching.gate.busy)
        if more.gate.busy == 2:
            return
        passed = more.gate.passed
        more.gate.open.release(1)
        until(lambda gate=more.gate, before=passed: gate.passed > before)
    raise AssertionError("one run keeps more than its part")


def test_a_late_comer_gets_its_part_as_files_of_the_other_end(
    depot: Depot, begin: Callable[..., Fetching]
) -> None:
    budget = Budget(4)
    first = begin("first", files=40, budget=budget)
    until(lambda: first.gate.busy == 4)
    second = begin("second", files=40, budget=budget)
    never(lambda: second.gate.busy > 0)
    first.gate.open.release(1)
    until(lambda: second.gate.busy == 1)
    first.gate.open.release(1)
    until(lambda: second.gate.busy == 2)
    # Equal now: what ends is followed by one of its own run.
    for fetching in (first, second):
        fetching.gate.open.release(3)
        until(lambda gate=fetching.gate: gate.passed >= 3)
        _even_out(first, second)
    assert depot.most_busy == 4
    # What is left is the other's when one has nothing more to do.
    first.stop.set()
    until(lambda: second.gate.busy == 4)


def test_runs_that_share_finish_all_their_files_over_few_connections(
    depot: Depot, begin: Callable[..., Fetching]
) -> None:
    budget = Budget(2)
    runs = [begin(f"run{number}", files=15, budget=budget, connections=6) for number in range(3)]
    for run in runs:
        run.gate.open.release(15)
    for run in runs:
        run.thread.join(timeout=BOUND)
        assert [type(outcome) for outcome in run.outcomes] == [Fetched] * 15
    assert depot.most_busy <= 2
    assert len(depot.peers) == 2, "connections are handed on, not opened anew"


def test_a_stop_while_waiting_for_a_line_is_heard_at_once(begin: Callable[..., Fetching]) -> None:
    budget = Budget(1)
    busy = begin("busy", files=2, budget=budget)
    until(lambda: busy.gate.busy == 1)
    waiting = begin("waiting", files=5, budget=budget)
    waiting.stop.set()
    waiting.thread.join(timeout=BOUND)
    assert not waiting.thread.is_alive()
    assert waiting.outcomes == []
    busy.gate.open.release(2)
    busy.thread.join(timeout=BOUND)
    assert len(busy.outcomes) == 2


def test_a_run_that_ends_early_does_not_wait_for_another(
    depot: Depot, make_job: MakeJob, begin: Callable[..., Fetching]
) -> None:
    budget = Budget(1)
    busy = begin("busy", files=10, budget=budget)
    until(lambda: busy.gate.busy == 1)
    depot.put("down", server.refuse(503))
    jobs = [make_job("down", revision=number) for number in range(30)]
    ended: list[str] = []

    def work() -> None:
        try:
            fetch(jobs, budget, tries=1)
        except ArchiveError as error:
            ended.append(error.message)

    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: any(share.waiting for share in budget._shares[1:]))
    # They take turns, until one has seen enough; the other holds on to the line then.
    for count in range(1, 6):
        busy.gate.open.release(1)
        until(lambda count=count: len(depot.requests("down")) == count)
    thread.join(timeout=BOUND)
    assert not thread.is_alive()
    assert len(ended) == 1
    until(lambda: busy.gate.busy == 1)


def test_a_file_that_waits_for_its_next_try_holds_no_line(depot: Depot, make_job: MakeJob) -> None:
    depot.put("trouble", server.refuse(503, Retry_After="20"), serve(CONTENT))
    depot.put("good", serve(CONTENT))
    budget = Budget(1)
    stop = threading.Event()
    patient: Outcomes = []
    thread = threading.Thread(target=lambda: patient.extend(fetch([make_job("trouble")], budget, stop=stop)))
    thread.start()
    until(lambda: len(depot.asked) == 1)
    # The other waits for twenty seconds meanwhile.
    (outcome,) = fetch([make_job("good")], budget)
    assert isinstance(outcome, Fetched)
    stop.set()
    thread.join(timeout=BOUND)
    assert patient == []


def test_a_run_that_is_stopped_cuts_no_line_of_another(depot: Depot, begin: Callable[..., Fetching]) -> None:
    budget = Budget(4)
    stopped = begin("stopped", files=10, budget=budget, connections=2)
    going = begin("going", files=10, budget=budget, connections=2)
    until(lambda: (stopped.gate.busy, going.gate.busy) == (2, 2))
    stopped.stop.set()
    stopped.thread.join(timeout=BOUND)
    assert stopped.outcomes == []
    going.gate.open.release(10)
    going.thread.join(timeout=BOUND)
    assert len(going.outcomes) == 10
    assert len(depot.requests("going")) == 10, "none was cut and tried again"


def test_runs_share_one_bandwidth(depot: Depot, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    depot.put("f", serve(CONTENT))
    budget = Budget(2, 1000.0)
    taken: list[int] = []
    monkeypatch.setattr(budget.bandwidth, "take", lambda count, *, sleep: taken.append(count))
    for number in range(2):
        fetch([make_job("f", revision=number)], budget, bandwidth=5.0)
    assert sum(taken) == 2 * len(CONTENT)


def test_when_the_last_run_leaves_nothing_stays_open(depot: Depot, make_job: MakeJob) -> None:
    depot.put("f", serve(CONTENT))
    budget = Budget(2)
    fetch([make_job("f")], budget)
    until(lambda: depot.connections == 0)
    assert len(depot.peers) == 1
