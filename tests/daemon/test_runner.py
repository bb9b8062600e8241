"""Who runs when: tickets, lanes, joining, pausing, stopping; with real threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from jwstwatch.core.model import Trigger
from jwstwatch.daemon.hub import Follower
from jwstwatch.daemon.runner import Runner, Ticket
from jwstwatch.errors import BusyError
from jwstwatch.sync.context import Options

PATIENCE = 20.0


class Stage:
    """Runs that last until the test lets them end."""

    def __init__(self, *, at_once: int = 2) -> None:
        self.runner = Runner(self._work, at_once=at_once)
        self.begun: list[Ticket] = []
        self.most = 0
        self._here = 0
        self._changed = threading.Condition()
        self._ends: dict[str, threading.Event] = {}

    def _work(self, ticket: Ticket) -> None:
        with self._changed:
            self.begun.append(ticket)
            self._here += 1
            self.most = max(self.most, self._here)
            ends = self._ends.setdefault(ticket.profile, threading.Event())
            self._changed.notify_all()
        while not ends.wait(0.01) and not ticket.stop.is_set():
            pass
        with self._changed:
            self._here -= 1
            self._ends.pop(ticket.profile, None)
            self._changed.notify_all()
        ticket.hub.ended({"profile": ticket.profile}, 0)

    def schedule(self, *profiles: str) -> None:
        for profile in profiles:
            self.runner.ask(profile, Trigger.SCHEDULE, Options())

    def wait_for(self, count: int) -> None:
        """Wait until so many runs have begun in all."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.begun) >= count, PATIENCE)

    def end(self, profile: str) -> None:
        with self._changed:
            ticket = next(
                ticket for ticket in self.begun if ticket.profile == profile and not ticket.over.is_set()
            )
            self._ends[profile].set()
        assert ticket.over.wait(PATIENCE)

    @property
    def profiles(self) -> list[str]:
        return [ticket.profile for ticket in self.begun]


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    assert made.runner.close(within=PATIENCE) == []


def test_no_more_scheduled_runs_go_on_than_are_allowed(stage: Stage) -> None:
    stage.schedule("a", "b", "c", "d")
    stage.wait_for(2)
    assert stage.runner.waiting == ("c", "d")
    stage.end("b")
    stage.wait_for(3)
    assert (stage.profiles, stage.runner.waiting) == (["a", "b", "c"], ("d",))
    assert stage.most == 2


def test_a_slow_profile_does_not_hold_back_another(stage: Stage) -> None:
    stage.schedule("slow", "quick")
    stage.wait_for(2)
    for count in range(3, 6):
        stage.end("quick")
        stage.schedule("quick")
        stage.wait_for(count)
    assert stage.profiles == ["slow", *["quick"] * 4]


def test_what_somebody_asks_for_begins_at_once_although_every_place_is_taken(stage: Stage) -> None:
    stage.schedule("a", "b", "c")
    stage.wait_for(2)
    stage.runner.ask("d", Trigger.MANUAL, Options())
    stage.wait_for(3)
    assert stage.profiles[2] == "d"
    assert stage.runner.waiting == ("c",)


def test_a_scheduled_run_that_waits_begins_when_somebody_asks_for_it(stage: Stage) -> None:
    stage.schedule("a", "b", "c")
    stage.wait_for(2)
    ticket, joined = stage.runner.ask("c", Trigger.MANUAL, Options())
    stage.wait_for(3)
    assert (joined, ticket.trigger) == (True, Trigger.MANUAL)
    assert stage.runner.waiting == ()


def test_a_run_in_progress_serves_whoever_asks_for_nothing_special(stage: Stage) -> None:
    first, _ = stage.runner.ask("a", Trigger.SCHEDULE, Options())
    stage.wait_for(1)
    again, joined = stage.runner.ask("a", Trigger.MANUAL, Options())
    assert (again, joined) == (first, True)


def test_a_special_wish_follows_the_run_in_progress_and_never_goes_on_beside_it(stage: Stage) -> None:
    stage.schedule("a")
    stage.wait_for(1)
    full, joined = stage.runner.ask("a", Trigger.MANUAL, Options(full=True))
    assert joined is False
    forced, joined = stage.runner.ask("a", Trigger.MANUAL, Options(force=True))
    assert (forced, joined) == (full, True)
    assert len(stage.begun) == 1
    stage.end("a")
    stage.wait_for(2)
    assert stage.begun[1].options == Options(full=True, force=True)
    assert stage.most == 1


def test_a_pause_holds_scheduled_runs_and_nothing_else(stage: Stage) -> None:
    stage.runner.pause(True)
    stage.schedule("a", "b")
    stage.runner.ask("c", Trigger.MANUAL, Options())
    stage.wait_for(1)
    assert (stage.profiles, stage.runner.waiting) == (["c"], ("a", "b"))
    stage.runner.pause(False)
    stage.wait_for(3)


def test_the_run_after_an_outage_waits_for_its_end(stage: Stage) -> None:
    stage.schedule("a")
    stage.wait_for(1)
    stage.runner.pause(True)
    stage.runner.ask_after(stage.begun[0], Trigger.CATCH_UP)
    stage.end("a")
    assert stage.runner.waiting == ("a",)
    stage.runner.pause(False)
    stage.wait_for(2)
    assert stage.begun[1].trigger is Trigger.CATCH_UP


def test_a_profile_that_is_gone_is_taken_back_and_its_follower_released(stage: Stage) -> None:
    stage.schedule("a", "b", "c")
    stage.wait_for(2)
    ticket, _ = stage.runner.ask("c", Trigger.SCHEDULE, Options())
    stage.runner.forget(["c"])
    assert ticket.over.is_set()
    stage.end("a")
    assert stage.profiles == ["a", "b"]


def test_closing_stops_what_runs_and_begins_nothing_more() -> None:
    stage = Stage()
    stage.schedule("a", "b", "c")
    stage.wait_for(2)
    assert stage.runner.close(within=PATIENCE) == []
    assert stage.profiles == ["a", "b"]
    with pytest.raises(BusyError, match="stopping"):
        stage.runner.ask("c", Trigger.MANUAL, Options())


def test_closing_names_what_does_not_end() -> None:
    hangs = threading.Event()
    runner = Runner(lambda _ticket: hangs.wait(PATIENCE) and None, at_once=1)
    runner.ask("stuck", Trigger.SCHEDULE, Options())
    assert runner.close(within=0.05) == ["stuck"]
    hangs.set()


def test_more_places_let_a_waiting_run_begin(stage: Stage) -> None:
    stage.schedule("a", "b", "c")
    stage.wait_for(2)
    stage.runner.resize(3)
    stage.wait_for(3)


def test_a_listener_of_everything_hears_runs_that_begin_later(stage: Stage) -> None:
    follower = Follower()
    stage.runner.follow_all(follower)
    stage.schedule("a")
    stage.wait_for(1)
    stage.end("a")
    heard = []
    while not follower.events.empty():
        event = follower.events.get_nowait()
        assert event is not None
        heard.append((event["event"], event["profile"]))
    assert heard == [("ended", "a")]


def test_a_run_asked_for_anew_follows_the_one_in_progress(stage: Stage) -> None:
    stage.schedule("a")
    stage.wait_for(1)
    ticket, joined = stage.runner.ask("a", Trigger.MANUAL, Options(), anew=True)
    assert joined is False
    stage.end("a")
    stage.wait_for(2)
    assert stage.begun[1] is ticket


def test_what_a_person_asked_for_is_kept_when_a_profile_is_put_to_rest(stage: Stage) -> None:
    stage.schedule("a", "b", "c")
    stage.wait_for(2)
    stage.runner.ask("a", Trigger.MANUAL, Options(), anew=True)
    stage.runner.forget(["a", "c"], scheduled_only=True)
    assert stage.runner.waiting == ("a",)


def test_a_machine_without_room_for_a_thread_loses_no_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", full)
        stage.schedule("a")
    assert stage.runner.waiting == ("a",)
    assert stage.runner.running == ()
    stage.runner.look_again()
    stage.wait_for(1)
