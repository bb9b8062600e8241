"""What a run tells its followers, and how far it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from jwstwatch.daemon import hub as room
from jwstwatch.daemon.hub import Follower, Hub

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def make() -> tuple[Hub, Follower]:
    hub, follower = Hub("ers", 7, trigger="manual", since=SINCE), Follower()
    hub.follow(follower)
    heard(follower)
    return hub, follower


def heard(follower: Follower) -> list[dict[str, Any]]:
    found = []
    while not follower.events.empty():
        event = follower.events.get_nowait()
        assert event is not None
        found.append(event)
    return found


def test_every_event_names_its_run() -> None:
    hub, follower = make()
    hub.step("asking")
    hub.failed("a.fits", "cut")
    assert heard(follower) == [
        {"event": "step", "profile": "ers", "ticket": 7, "text": "asking"},
        {"event": "failed", "profile": "ers", "ticket": 7, "name": "a.fits", "problem": "cut"},
    ]


def test_bytes_are_told_in_lumps_and_none_is_lost() -> None:
    hub, follower = make()
    hub.planned(files=1, size=100_000)
    hub.started(1, "a.fits", 100_000)
    for _ in range(1000):
        hub.advanced(1, 100)
    hub.finished(1)
    events = heard(follower)
    lumps = [event["count"] for event in events if event["event"] == "advanced"]
    assert sum(lumps) == 100_000
    assert len(lumps) < 50
    assert [event["event"] for event in events][-1] == "finished"


def test_a_snapshot_tells_how_far_the_run_is() -> None:
    hub, _ = make()
    hub.began(12)
    hub.planned(files=2, size=3000)
    hub.started(1, "a.fits", 1000)
    hub.advanced(1, 1000)
    hub.finished(1)
    now = hub.snapshot()
    assert (now.run_id, now.files, now.done, now.size, now.received) == (12, 2, 1, 3000, 1000)
    assert now.step == "fetching"
    assert now.speed > 0
    assert now.seconds_left is not None
    assert now.seconds_left >= 0


def test_whoever_comes_later_hears_what_goes_on() -> None:
    hub, _ = make()
    hub.step("asking")
    hub.planned(files=3, size=3000)
    hub.started(1, "a.fits", 1000)
    hub.finished(1)
    hub.started(2, "b.fits", 2000)
    late = Follower()
    hub.follow(late)
    events = heard(late)
    assert [event["event"] for event in events] == ["step", "planned", "started"]
    assert (events[1]["files"], events[2]["name"]) == (2, "b.fits")


def test_a_follower_that_reads_nothing_costs_the_run_nothing(monkeypatch: Any) -> None:
    monkeypatch.setattr(room, "LONGEST_QUEUE", 5)
    hub, follower = Hub("ers", 1, trigger="manual", since=SINCE), Follower()
    hub.follow(follower)
    for number in range(100):
        hub.step(str(number))
    assert follower.lost
    assert len(heard(follower)) == 5


def test_whoever_left_hears_nothing() -> None:
    hub, follower = make()
    hub.leave(follower)
    hub.step("asking")
    assert heard(follower) == []
