"""From values to brightness: the limits of ZScale, and an inverse hyperbolic sine above them.

Source of ZScale: the description of IRAF's task `display` (a line through the sorted values around their
median, without outliers, whose slope is divided by the contrast).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_CONTRAST = 0.25
_SAMPLE = 4000
_LOOKED_AT = 200_000
"""Values of which the brightest decide what is white."""
_ROUNDS = 5
_REJECTED = 2.5
"""Standard deviations from the line."""
_SMALLEST_FIT = 0.5
"""Of the sample; if fewer are near the line, there is no background and everything is shown."""
_BRIGHTEST = 99.9
"""Per cent of the values are darker than the top, if that is within `_REACH` times the ZScale range."""
_REACH = 400.0
_SOFTENING = 0.6
"""Of the ZScale range: below, brightness follows the value, above, its logarithm."""
_STEPS = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Brightness of a value: 0 at `low`, 1 at `high`, asinh((value - low) / soft) between."""

    low: float
    high: float
    soft: float

    def value_at(self, brightness: float) -> float:
        """Return the value that is shown with a brightness of 0 to 1."""
        return self.low + self.soft * math.sinh(brightness * math.asinh((self.high - self.low) / self.soft))

    def brightness_of(self, value: float) -> float:
        """Return the brightness, 0 to 1 within the limits."""
        return math.asinh((value - self.low) / self.soft) / math.asinh((self.high - self.low) / self.soft)


def choose_stretch(values: Array) -> Stretch | None:
    """Return the stretch that shows the background and what is bright; None if no value is finite."""
    import numpy as np

    some = values.reshape(-1)[
        :: max(1, values.size // _LOOKED_AT) | 1
    ]  # odd: not one column of an even width
    finite = some[np.isfinite(some)]
    if finite.size == 0 and some.size < values.size:
        finite = values[np.isfinite(values)]
    if finite.size == 0:
        return None
    sky = finite[finite != 0]  # of pixels that saw nothing the pipeline says nought
    sample = sky if sky.size * 10 >= finite.size else finite
    sample = np.sort(sample[:: max(1, sample.size // _SAMPLE)].astype(np.float64))
    low, knee = zscale(sample)
    if not knee > low:  # no noise in its background: what there is is something else
        low, knee = float(finite.min()), float(finite.max())
    if not knee > low:
        room = max(abs(low), 1.0) / 2
        return Stretch(low=low - room, high=low + room, soft=room)
    high = min(max(float(np.percentile(finite, _BRIGHTEST)), knee), low + _REACH * (knee - low))
    return Stretch(low=low, high=high, soft=_SOFTENING * (knee - low))


def zscale(ordered: Array) -> tuple[float, float]:
    """Return the lower and upper limit for values that are sorted, finite and at least one."""
    import numpy as np

    count = ordered.size
    least, most = float(ordered[0]), float(ordered[-1])
    places = np.arange(count, dtype=np.float64) - (count - 1) / 2
    kept = np.ones(count, bool)
    slope = 0.0
    for _ in range(_ROUNDS):
        before = int(kept.sum())
        if before < max(5, count * _SMALLEST_FIT):
            return least, most
        slope, level = _fit_line(places[kept], ordered[kept])
        distance = ordered - (slope * places + level)
        kept &= np.abs(distance) <= _REJECTED * distance[kept].std()
        # What lies beside an outlier is one as well, as its wings are.
        kept = ~np.convolve(~kept, np.ones(max(1, count // 100), bool), mode="same").astype(bool)
        if int(kept.sum()) == before:
            break
    if int(kept.sum()) < max(5, count * _SMALLEST_FIT):
        return least, most
    middle = float(ordered[count // 2])
    reach = float(slope) / _CONTRAST * count / 2
    return max(least, middle - reach), min(most, middle + reach)


def _fit_line(x: Array, y: Array) -> tuple[float, float]:
    """Return slope and value at 0 of the line with the least squares."""
    across, upwards = float(x.mean()), float(y.mean())
    slope = float(((x - across) * (y - upwards)).sum() / ((x - across) ** 2).sum())
    return slope, upwards - slope * across


def to_brightness(values: Array, stretch: Stretch) -> Array:
    """Return 0 to 255 for each value; what is not finite is 0.

    A table of 65,536 steps of equal width stands for the function: many times faster, and no grey level off.
    """
    import numpy as np

    steps = np.linspace(0.0, (stretch.high - stretch.low) / stretch.soft, _STEPS)
    curve = np.arcsinh(steps)
    table = np.round(curve / curve[-1] * 255).astype(np.uint8)
    with np.errstate(over="ignore", invalid="ignore"):
        place = (values - np.float32(stretch.low)) * np.float32((_STEPS - 1) / (stretch.high - stretch.low))
        np.clip(place, 0, _STEPS - 1, out=place)
        place[np.isnan(place)] = 0
    shown: Array = table[place.astype(np.uint16)]
    return shown
