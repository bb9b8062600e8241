"""Plots as SVG for the page itself: looks come from the style sheet, and no script is needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from xml.etree import ElementTree as Tree

from jwstwatch.core.amounts import files_text, size_text
from jwstwatch.core.home import DailyArrivals

WIDTH, HEIGHT = 440, 190
"""Of a plot, in units that are pixels where it is as wide as a phone's card."""
LEFT, RIGHT, TOP, BOTTOM = 56, 10, 10, 26
"""What axes and their words take."""

FEWEST_DAYS = 14
"""Days that a plot shows at least, so that a single one is no wall."""

_STEPS = (1, 2, 5, 10)
_TICKS_UP = 4
_TICKS_ALONG = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A figure: `name` for the style sheet and for links, SVG that may stand in a page as it is."""

    name: str
    title: str
    svg: str
    in_parts: bool = False
    """Some of its bars have two tints."""


def draw_plots(shown: Sequence[DailyArrivals]) -> tuple[Plot, ...]:
    """Return the plots of files and bytes per day and of disk use; none of no days."""
    if not shown:
        return ()
    return (
        _draw_bars(
            "arrivals-files",
            "Files per day",
            shown,
            value=lambda entry: entry.files,
            part=lambda entry: entry.reprocessed,
            words=lambda number: f"{number:,}",
        ),
        _draw_bars(
            "arrivals-bytes",
            "Bytes per day",
            shown,
            value=lambda entry: entry.size,
            part=lambda _: 0,
            words=_short_size,
        ),
        _draw_area("disk-use", "On disk", shown),
    )


def _draw_bars(
    name: str,
    title: str,
    days: Sequence[DailyArrivals],
    *,
    value: Callable[[DailyArrivals], int],
    part: Callable[[DailyArrivals], int],
    words: Callable[[int], str],
) -> Plot:
    """Return bars with the `part` of each in another tint, at its foot."""
    canvas = _Canvas(name, title, days, highest=max(map(value, days)), words=words)
    width = canvas.step * 0.78
    for place, entry in enumerate(days):
        left = canvas.left_of(place) + (canvas.step - width) / 2
        foot, high = part(entry), value(entry)
        for low, top, kind in ((0, foot, "reprocessed"), (foot, high, "new")):
            if top > low:
                canvas.add_bar(left, width, low, top, kind)
    canvas.add_tips()
    return canvas.finish(in_parts=any(map(part, days)))


def _draw_area(name: str, title: str, days: Sequence[DailyArrivals]) -> Plot:
    """Return the bytes on disk at each day's end as a line over a filled area."""
    canvas = _Canvas(name, title, days, highest=max(entry.on_disk for entry in days), words=_short_size)
    points = [
        (canvas.left_of(place) + canvas.step / 2, canvas.height_of(entry.on_disk))
        for place, entry in enumerate(days)
    ]
    line = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
    floor = _number(canvas.height_of(0))
    ends = f"{_number(points[0][0])},{floor} {line} {_number(points[-1][0])},{floor}"
    canvas.add("polygon", {"class": "area", "points": ends})
    canvas.add("polyline", {"class": "line", "points": line})
    canvas.add_tips()
    return canvas.finish()


class _Canvas:
    """An SVG with axes: days along, from nought to a round number up."""

    def __init__(
        self,
        name: str,
        title: str,
        days: Sequence[DailyArrivals],
        *,
        highest: int,
        words: Callable[[int], str],
    ) -> None:
        self._name, self._title, self._days = name, title, days
        self.step = (WIDTH - LEFT - RIGHT) / len(days)
        self._ticks = round_ticks(highest)
        self._svg = Tree.Element(
            "svg",
            {
                "class": "plot",
                "viewBox": f"0 0 {WIDTH} {HEIGHT}",
                "role": "img",
                "aria-labelledby": f"{name}-title {name}-words",
            },
        )
        self._add_words()
        self._add_axes(words)

    def left_of(self, place: int) -> float:
        """Return where a day begins."""
        return LEFT + place * self.step

    def height_of(self, value: float) -> float:
        """Return how far down a value lies."""
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / self._ticks[-1]

    def add(self, tag: str, facts: dict[str, str], text: str | None = None) -> Tree.Element:
        """Add a shape."""
        made = Tree.SubElement(self._svg, tag, facts)
        made.text = text
        return made

    def add_bar(self, left: float, width: float, low: int, high: int, kind: str) -> None:
        """Add a bar from one value to another; a small one stays visible."""
        top, foot = self.height_of(high), self.height_of(low)
        tall = max(foot - top, 1.0)
        facts = {"x": left, "y": foot - tall, "width": width, "height": tall}
        self.add("rect", {"class": f"bar {kind}"} | {key: _number(value) for key, value in facts.items()})

    def add_tips(self) -> None:
        """Lay over each day what there is to say of it."""
        for place, entry in enumerate(self._days):
            facts = {"x": self.left_of(place), "y": TOP, "width": self.step, "height": HEIGHT - TOP - BOTTOM}
            tip = self.add("rect", {"class": "tip"} | {key: _number(value) for key, value in facts.items()})
            Tree.SubElement(tip, "title").text = describe_day(entry)

    def finish(self, *, in_parts: bool = False) -> Plot:
        """Return the plot."""
        svg = Tree.tostring(self._svg, encoding="unicode", short_empty_elements=True)
        return Plot(name=self._name, title=self._title, svg=svg, in_parts=in_parts)

    def _add_words(self) -> None:
        first, last = self._days[0].day, self._days[-1].day
        self.add("title", {"id": f"{self._name}-title"}, f"{self._title}, {first} to {last}, UTC")
        self.add("desc", {"id": f"{self._name}-words"}, "The figures are in the table of arrivals by day.")

    def _add_axes(self, words: Callable[[int], str]) -> None:
        for tick in self._ticks:
            height = _number(self.height_of(tick))
            facts = {"x1": _number(LEFT), "x2": _number(WIDTH - RIGHT), "y1": height, "y2": height}
            self.add("line", {"class": "grid" if tick else "axis"} | facts)
            self.add(
                "text",
                {"x": _number(LEFT - 6), "y": height, "dy": "0.32em", "text-anchor": "end"},
                words(tick) if tick else "0",
            )
        for place, day in day_ticks([entry.day for entry in self._days]):
            along = _number(self.left_of(place) + self.step / 2)
            floor = HEIGHT - BOTTOM
            self.add(
                "line", {"class": "axis", "x1": along, "x2": along, "y1": str(floor), "y2": str(floor + 4)}
            )
            self.add("text", {"x": along, "y": str(HEIGHT - 7), "text-anchor": "middle"}, f"{day:%m-%d}")


def round_ticks(highest: int) -> list[int]:
    """Return round numbers from nought to one that is not below `highest`, not many of them."""
    highest = max(highest, 1)
    rough = highest / _TICKS_UP
    power = 10 ** math.floor(math.log10(rough)) if rough >= 1 else 1
    step = next(int(power * factor) for factor in _STEPS if power * factor >= rough)
    return [step * number for number in range(-(-highest // step) + 1)]


def day_ticks(days: Sequence[date]) -> list[tuple[int, date]]:
    """Return some of the days with their places, evenly spread, the last one among them."""
    stride = math.ceil(len(days) / _TICKS_ALONG)
    places = range(len(days) - 1 - stride // 4, -1, -stride)
    return [(place, days[place]) for place in sorted(places) if days[place]]


def describe_day(entry: DailyArrivals) -> str:
    """Say in one line what happened on a day."""
    arrived = f"{files_text(entry.files)}, {size_text(entry.size)}" if entry.files else "no files"
    if entry.reprocessed:
        arrived += f", {entry.reprocessed:,} reprocessed"
    return f"{entry.day}: {arrived}; {size_text(entry.on_disk)} on disk"


def _short_size(size: int) -> str:
    """Write a round size without needless digits: `20 GB`."""
    amount, _, unit = size_text(size).partition(" ")
    return f"{amount.rstrip('0').rstrip('.') if '.' in amount else amount} {unit}"


def _number(value: float) -> str:
    """Write a length without needless digits."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
