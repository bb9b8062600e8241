"""Plots as SVG: to scale, without anything that a strict page would refuse."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from xml.etree import ElementTree as Tree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.home import Arrivals, DailyArrivals, fill_days
from jwstwatch.pages.plots import FEWEST_DAYS, day_ticks, draw_plots, round_ticks
from tests.pages import homes

FIRST = date(2026, 1, 1)


def day(
    number: int, *, files: int = 0, size: int = 0, reprocessed: int = 0, on_disk: int = 0
) -> DailyArrivals:
    return DailyArrivals(
        day=FIRST + timedelta(days=number), files=files, size=size, reprocessed=reprocessed, on_disk=on_disk
    )


def bars(svg: str, kind: str) -> list[float]:
    """Return the heights of the bars of a kind."""
    return [
        float(rect.get("height", ""))
        for rect in Tree.fromstring(svg).iter("rect")
        if rect.get("class") == f"bar {kind}"
    ]


def test_nothing_is_drawn_of_nothing() -> None:
    assert draw_plots([]) == ()


def test_bars_are_to_scale_and_a_reprocessed_share_is_part_of_its_bar() -> None:
    shown = [day(0, files=100, size=10), day(1, files=40, reprocessed=10, size=5), day(2)]
    files, sizes, _ = draw_plots(shown)
    whole, part = bars(files.svg, "new")
    (again,) = bars(files.svg, "reprocessed")
    assert (part / whole, again / whole) == (pytest.approx(0.3), pytest.approx(0.1))
    assert (files.in_parts, sizes.in_parts) == (True, False)


def test_every_day_tells_of_itself() -> None:
    shown = [day(0, files=1200, size=2_500_000_000, reprocessed=3, on_disk=7_000_000_000), day(1)]
    titles = [title.text for title in Tree.fromstring(draw_plots(shown)[0].svg).iter("title")]
    assert titles == [
        "Files per day, 2026-01-01 to 2026-01-02, UTC",
        "2026-01-01: 1,200 files, 2.50 GB, 3 reprocessed; 7.00 GB on disk",
        "2026-01-02: no files; 0 B on disk",
    ]


def test_plots_have_no_style_of_their_own_and_no_name_twice() -> None:
    shown = fill_days(homes.arrivals(), fewest=FEWEST_DAYS)
    ids: list[str] = []
    for plot in draw_plots(shown):
        svg = Tree.fromstring(plot.svg)
        assert not [element for element in svg.iter() if element.get("style")]
        names = [element.get("id") for element in svg.iter() if element.get("id")]
        assert svg.get("aria-labelledby", "").split() == names
        ids += filter(None, names)
    assert len(ids) == len(set(ids)) == 6


def test_a_single_day_is_shown_among_a_fortnight() -> None:
    arrivals = Arrivals(days=(day(0, files=2, on_disk=5),), before=3)
    shown = fill_days(arrivals, fewest=FEWEST_DAYS)
    assert len(shown) == FEWEST_DAYS
    assert [entry.on_disk for entry in shown] == [3] * (FEWEST_DAYS - 1) + [5]


@given(st.integers(0, 10**17))
def test_an_axis_ends_at_a_round_number_above_everything(highest: int) -> None:
    ticks = round_ticks(highest)
    assert ticks[0] == 0
    assert ticks[-1] >= max(highest, 1)
    assert 2 <= len(ticks) <= 6
    step = ticks[1]
    assert ticks == [step * number for number in range(len(ticks))]
    assert str(step).rstrip("0") in ("1", "2", "5")


@given(st.integers(1, 120))
def test_days_along_an_axis_are_few_and_evenly_spread(count: int) -> None:
    days = [FIRST + timedelta(days=number) for number in range(count)]
    ticks = day_ticks(days)
    assert 1 <= len(ticks) <= 6
    assert all(days[place] == marked for place, marked in ticks)
    assert len({later - place for (place, _), (later, _) in itertools.pairwise(ticks)}) <= 1
