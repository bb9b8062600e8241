"""Lines over two axes, drawn with Pillow: what is shown of a spectrum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jwstwatch.imaging import frames

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    Array = np.ndarray[Any, Any]

WIDTH, HEIGHT = 960, 540
_LEFT, _RIGHT, _BOTTOM = 76, 20, 46
"""Pixels beside and below the axes."""
_SIZE = 2
"""Drawn so many times as large, then made smaller: lines without steps."""
_THICK = 3
_GROUND = (12, 13, 16)
_GRID = (36, 39, 45)
_COLOURS = (
    *((122, 190, 255), (255, 178, 92), (130, 220, 140)),
    *((240, 130, 150), (200, 160, 250), (236, 220, 110)),
)
_OUTSIDE = 0.5
"""Per cent of the values that may be below what is shown, and above: a spike must not flatten a spectrum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Points in the order in which they are joined; where `y` is NaN the line is broken."""

    x: Array
    y: Array
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """From a value to a place: `low` is drawn at `first`, `high` at `last`."""

    low: float
    high: float
    first: float
    last: float

    def place(self, values: Any) -> Any:
        return self.first + (values - self.low) / (self.high - self.low) * (self.last - self.first)

    def ticks(self) -> tuple[list[float], float]:
        """Return round values between the limits, and how far they are apart."""
        rough = (self.high - self.low) / 6
        power: float = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
        begin, end = math.ceil(self.low / step), math.floor(self.high / step)
        return [number * step for number in range(begin, end + 1)], step


def draw_plot(lines: Sequence[Line], *, titles: frames.Titles, labels: tuple[str, str], unit: str) -> bytes:
    """Return the JPEG of the lines over axes with `labels` (across, upwards); there must be some value.

    `unit` is that of the upward axis; small and large values are given in powers of ten of it.
    """
    from PIL import Image, ImageDraw

    box = (_LEFT, frames.TOP, WIDTH - _RIGHT, HEIGHT - _BOTTOM)
    left, upper, right, lower = (edge * _SIZE for edge in box)
    low, high, bottom, top = _limits(lines)
    across = _Axis(low=low, high=high, first=0, last=right - left)
    upwards = _Axis(low=bottom, high=top, first=lower - upper, last=0)
    canvas = Image.new("RGB", (WIDTH * _SIZE, HEIGHT * _SIZE), frames.BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    canvas.paste(_draw_lines(lines, across, upwards), (left, upper))
    draw.rectangle((left, upper, right, lower), outline=frames.LINES, width=_SIZE)
    _label_across(draw, across, labels[0], corner=(left, lower))
    power = _label_upwards(draw, upwards, corner=(left, upper))
    if len(lines) > 1 and any(line.label for line in lines):
        _draw_legend(draw, lines, corner=(right, upper))
    unit = " ".join(word for word in (f"1e{power}" if power else "", unit) if word)
    upward = f"{labels[1]} ({unit})" if unit else labels[1]
    frames.write_titles(draw, titles, width=canvas.width, size=_SIZE, unit=upward)
    return frames.encode(canvas.reduce(_SIZE), box=box)


def _limits(lines: Sequence[Line]) -> tuple[float, float, float, float]:
    """Return what is shown: all of x, and of y all but spikes; from nought if that is near."""
    import numpy as np

    x = np.concatenate([line.x[np.isfinite(line.y)] for line in lines])
    y = np.concatenate([line.y[np.isfinite(line.y)] for line in lines])
    low, high = float(x.min()), float(x.max())
    if not high > low:
        low, high = low * 0.95, low * 1.05
    bottom, top = (float(limit) for limit in np.percentile(y, (_OUTSIDE, 100 - _OUTSIDE)))
    room = 0.08 * (top - bottom) if top - bottom > 1e-100 else abs(top) + 1e-30
    if 0 < bottom < 0.5 * top:
        return low, high, 0.0, top + room
    return low, high, bottom - room, top + room


def _draw_lines(lines: Sequence[Line], across: _Axis, upwards: _Axis) -> Image:
    """Return what stands between the axes; what lies beyond is cut off at its edge."""
    import numpy as np
    from PIL import Image, ImageDraw

    width, height = int(across.last), int(upwards.first)
    area = Image.new("RGB", (width, height), _GROUND)
    draw = ImageDraw.Draw(area)
    for value in across.ticks()[0]:
        draw.line((across.place(value), 0, across.place(value), height), fill=_GRID, width=_SIZE)
    for value in upwards.ticks()[0]:
        draw.line((0, upwards.place(value), width, upwards.place(value)), fill=_GRID, width=_SIZE)
    for number, line in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        x, y = across.place(line.x), np.clip(upwards.place(line.y), -height, 2 * height)
        there = np.isfinite(x) & np.isfinite(y)
        starts = np.flatnonzero(there & ~np.concatenate(([False], there[:-1])))
        ends = np.flatnonzero(there & ~np.concatenate((there[1:], [False]))) + 1
        for start, end in zip(starts, ends, strict=True):
            points = np.column_stack((x[start:end], y[start:end]))
            if end - start == 1:
                x0, y0 = points[0]
                draw.ellipse((x0 - _THICK, y0 - _THICK, x0 + _THICK, y0 + _THICK), fill=colour)
            else:
                draw.line(points.ravel().tolist(), fill=colour, width=_THICK, joint="curve")
    return area


def _label_across(draw: ImageDraw, axis: _Axis, label: str, *, corner: tuple[int, int]) -> None:
    letters = frames.font(12 * _SIZE)
    left, lower = corner
    values, step = axis.ticks()
    for value in values:
        x = left + axis.place(value)
        draw.line((x, lower, x, lower + 4 * _SIZE), fill=frames.LINES, width=_SIZE)
        text = frames.number_text(value, digits=_digits(step))
        draw.text((x, lower + 7 * _SIZE), text, font=letters, fill=frames.INK, anchor="ma")
    label = frames.fit(draw, label, letters, int(axis.last))
    place = (left + axis.last / 2, lower + 25 * _SIZE)
    draw.text(place, label, font=letters, fill=frames.FAINT, anchor="ma")


def _label_upwards(draw: ImageDraw, axis: _Axis, *, corner: tuple[int, int]) -> int:
    """Return the power of ten that the numbers at the ticks are to be multiplied by."""
    letters = frames.font(12 * _SIZE)
    left, upper = corner
    values, step = axis.ticks()
    largest = max(abs(axis.low), abs(axis.high))
    power = 0 if 1e-2 <= largest < 1e5 else math.floor(math.log10(largest))
    digits = _digits(step) + power
    for value in values:
        y = upper + axis.place(value)
        draw.line((left - 4 * _SIZE, y, left, y), fill=frames.LINES, width=_SIZE)
        text = frames.number_text(value / 10.0**power, digits=digits)
        draw.text((left - 7 * _SIZE, y), text, font=letters, fill=frames.INK, anchor="rm")
    return power


def _draw_legend(draw: ImageDraw, lines: Sequence[Line], *, corner: tuple[int, int]) -> None:
    letters = frames.font(12 * _SIZE)
    right, upper = corner
    for number, line in enumerate(lines):
        y = upper + (12 + 17 * number) * _SIZE
        colour = _COLOURS[number % len(_COLOURS)]
        draw.line((right - 26 * _SIZE, y, right - 8 * _SIZE, y), fill=colour, width=_THICK)
        text = frames.fit(draw, line.label, letters, 240 * _SIZE)
        draw.text((right - 32 * _SIZE, y), text, font=letters, fill=frames.INK, anchor="rm")


def _digits(step: float) -> int:
    """Return how many digits after the point round values have that are `step` apart."""
    digits = -math.floor(math.log10(step))
    return digits + 1 if math.isclose(step * 10.0**digits, 2.5) else digits
