"""A worker's line: when its wait may be cut, and when not."""

from __future__ import annotations

import threading

import pytest

from jwstwatch.transfer import line as lines
from jwstwatch.transfer.line import Line
from jwstwatch.transfer.routes import trusted_authorities


def test_a_wait_that_is_being_cut_does_not_end_before_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the cut would meet the next wait, and end a body that has no other end."""
    line = Line(authorities=trusted_authorities)
    line.serve(timeout=1.0, halt=threading.Event())
    monkeypatch.setattr(lines, "SLOWEST", -1.0)
    line.begin_to_wait()
    cutting, go_on, order = threading.Event(), threading.Event(), list[str]()

    def cut() -> None:
        cutting.set()
        go_on.wait(10.0)
        order.append("cut")

    def end() -> None:
        line.end_to_wait()
        order.append("ended")

    monkeypatch.setattr(line, "cut", cut)
    watching = threading.Thread(target=line.cut_if_overdue)
    watching.start()
    assert cutting.wait(10.0)
    ending = threading.Thread(target=end)
    ending.start()
    ending.join(0.1)
    go_on.set()
    ending.join(10.0)
    watching.join(10.0)
    assert order == ["cut", "ended"]
    assert line.explain(None, "https://archive.invalid") is not None


def test_a_wait_that_is_over_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(authorities=trusted_authorities)
    line.serve(timeout=1.0, halt=threading.Event())
    monkeypatch.setattr(lines, "SLOWEST", -1.0)
    line.begin_to_wait()
    line.end_to_wait()
    cuts: list[int] = []
    monkeypatch.setattr(line, "cut", lambda: cuts.append(1))
    line.cut_if_overdue()
    assert cuts == []
    assert line.explain(None, "https://archive.invalid") is None
