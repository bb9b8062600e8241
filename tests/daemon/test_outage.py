"""An archive that is down: one probe decides, the pause grows, one line each way."""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from jwstwatch.daemon.outage import Outage

PATIENCE = 20.0


class Scene:
    """Answers of an archive, in turn, and what the outage told."""

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)
        self.probes = 0
        self.told: list[str] = []
        self.back = threading.Event()
        self.stop = threading.Event()
        self.outage = Outage(
            self._probe, stop=self.stop, down=self._down, back=self._came_back, first_pause=0.01
        )

    def _probe(self) -> Any:
        self.probes += 1
        reachable = self.answers.pop(0) if self.answers else True
        return SimpleNamespace(reachable=reachable, problem=None if reachable else "status 503", skew=None)

    def _down(self, since: datetime, problem: str) -> None:
        self.told.append(f"down: {problem}")

    def _came_back(self, _length: timedelta) -> None:
        self.told.append("back")
        self.back.set()


def test_a_failed_run_against_an_archive_that_answers_is_no_outage() -> None:
    scene = Scene(True)
    assert scene.outage.suspect() is False
    assert (scene.probes, scene.told, scene.outage.since) == (1, [], None)


def test_an_outage_is_told_once_when_it_begins_and_once_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene(False, False, False, True)
    with caplog.at_level(logging.INFO):
        assert scene.outage.suspect() is True
        assert scene.outage.suspect() is True, "the second profile that fails asks for no probe of its own"
        assert scene.back.wait(PATIENCE)
    assert scene.told == ["down: status 503", "back"]
    assert scene.probes == 4
    lines = [record.getMessage() for record in caplog.records if record.name.endswith("outage")]
    assert len(lines) == 2
    assert "is down (status 503)" in lines[0]
    assert "is back" in lines[1]
    assert scene.outage.since is None


def test_a_run_that_reaches_the_archive_ends_the_outage_before_the_next_probe() -> None:
    scene = Scene(False)
    scene.outage._first_pause = 1000.0
    assert scene.outage.suspect() is True
    scene.outage.answered()
    assert scene.told == ["down: status 503", "back"]
    assert scene.probes == 1


def test_the_pause_between_probes_grows_and_a_stop_ends_it() -> None:
    scene = Scene(*[False] * 50)
    pauses: list[float] = []

    def rest(_over: threading.Event, seconds: float) -> bool:
        pauses.append(seconds)
        return len(pauses) == 9

    scene.outage._rest = rest  # type: ignore[method-assign]
    scene.outage._first_pause = 15.0
    scene.outage.suspect()
    limit = threading.Event()
    for _ in range(200):
        if len(pauses) >= 9:
            break
        limit.wait(0.05)
    assert pauses == [15, 30, 60, 120, 240, 480, 900, 900, 900]


def test_a_new_outage_has_a_watcher_of_its_own_and_the_former_one_is_gone() -> None:
    scene = Scene(*[False] * 9)
    scene.outage._first_pause = 1000.0
    before = threading.active_count()
    for _ in range(3):
        scene.outage.suspect()
        scene.outage.answered()
    limit = threading.Event()
    for _ in range(200):
        if threading.active_count() <= before:
            break
        limit.wait(0.05)
    assert threading.active_count() <= before
    assert scene.told == ["down: status 503", "back"] * 3


def test_a_probe_that_breaks_off_keeps_nobody_from_the_next() -> None:
    scene = Scene(False, True)
    probe, calls = scene.outage._probe, []

    def breaking() -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise ZeroDivisionError
        return probe()

    scene.outage._probe = breaking
    assert scene.outage.suspect() is True
    assert scene.back.wait(PATIENCE)
    assert len(calls) == 3


def test_an_outage_does_not_end_before_everybody_was_told_of_it() -> None:
    scene = Scene(False)
    scene.outage._first_pause = 1000.0
    answers: list[threading.Thread] = []
    told = scene.outage._down

    def down(since: datetime, problem: str) -> None:
        # A run that goes well at this very moment.
        answers.append(threading.Thread(target=scene.outage.answered))
        answers[0].start()
        answers[0].join(0.2)
        told(since, problem)

    scene.outage._down = down
    scene.outage.suspect()
    answers[0].join(PATIENCE)
    assert scene.told == ["down: status 503", "back"]
