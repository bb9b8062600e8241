"""Pictures of an invented sky, as numpy arrays: stars, galaxies, a nebula, spectra, and their noise."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Picture = NDArray[np.float32]

SKY_LEVEL = 0.6
"""Background in the pictures' units, MJy/sr."""


@functools.lru_cache(maxsize=16)
def draw(
    kind: str, shape: tuple[int, int], *, scene: int, dither: tuple[float, float] = (0.0, 0.0)
) -> Picture:
    """Return a noiseless picture; `scene` is the seed of what is seen, `dither` a shift in picture widths.

    Kinds: field, galaxy, nebula, star, spectra, trace, slices, guide. The picture is shared: read only.
    """
    import numpy as np

    random = np.random.default_rng(scene)
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    x = (columns + 0.5) / shape[1] + np.float32(dither[0])
    y = (rows + 0.5) / shape[0] + np.float32(dither[1])
    picture = np.full(shape, SKY_LEVEL, dtype=np.float32)
    _PAINTERS[kind](picture, x, y, random)
    picture.setflags(write=False)
    return picture


def expose(picture: Picture, *, noise: int, depth: float = 1.0, planes: int = 1) -> Picture:
    """Return (planes, rows, columns) of the picture with noise and cosmic rays.

    `noise` is the seed, a greater `depth` means less of it.
    """
    import numpy as np

    random = np.random.default_rng(noise)
    sigma = np.sqrt(np.maximum(picture, 0.01)) * np.float32(0.09 / depth)
    exposed: Picture = picture + sigma * random.standard_normal((planes, *picture.shape), dtype=np.float32)
    hits = random.integers(0, exposed.size, size=int(3 * planes / depth))
    exposed.flat[hits] += 25.0
    return exposed


def _paint_field(picture: Any, x: Any, y: Any, random: np.random.Generator) -> None:
    _paint_galaxies(picture, x, y, random, count=26, largest=0.03)
    _paint_stars(picture, x, y, random, count=14, brightest=120.0)


def _paint_galaxy(picture: Any, x: Any, y: Any, random: np.random.Generator) -> None:
    import numpy as np

    radius = np.hypot(x - 0.5, (y - 0.5) * 1.25)
    angle = np.arctan2((y - 0.5) * 1.25, x - 0.5)
    arms = 1.0 + 0.75 * np.cos(2.0 * angle - 14.0 * np.log(radius + 0.02) + random.uniform(0, 6.28))
    picture += 30.0 * np.exp(-radius / 0.035) + 7.0 * arms * np.exp(-radius / 0.13)
    _paint_galaxies(picture, x, y, random, count=10, largest=0.012)
    _paint_stars(picture, x, y, random, count=12, brightest=60.0)


def _paint_nebula(picture: Any, x: Any, y: Any, random: np.random.Generator) -> None:
    import numpy as np

    radius = np.hypot(x - 0.5, (y - 0.5) * 0.85)
    angle = np.arctan2(y - 0.5, x - 0.5)
    edge = 0.23 + 0.02 * np.cos(3 * angle + 1.0) + 0.012 * np.cos(7 * angle)
    picture += 14.0 * np.exp(-(((radius - edge) / 0.035) ** 2)) + 4.0 * np.exp(-((radius / 0.19) ** 2))
    picture += 3.0 * np.exp(-radius / 0.2) * (1.0 + 0.35 * np.cos(17 * angle + 40 * radius))
    _paint_star(picture, x, y, place=(0.5, 0.5), brightness=260.0)
    _paint_stars(picture, x, y, random, count=22, brightest=70.0)


def _paint_lone_star(picture: Any, x: Any, y: Any, random: np.random.Generator) -> None:
    _paint_star(picture, x, y, place=(0.5, 0.5), brightness=2500.0)
    _paint_stars(picture, x, y, random, count=4, brightest=8.0)


def _paint_spectra(picture: Any, x: Any, y: Any, random: np.random.Generator) -> None:
    import numpy as np

    columns, rows = x[0], y[:, 0]
    for _ in range(14):
        middle, left, length = random.uniform(0.04, 0.96), random.uniform(0.0, 0.5), random.uniform(0.3, 0.5)
        along = np.clip((columns - left) / length, 0.0, 1.0)
        flux = random.uniform(1.0, 9.0) * (0.4 + along * (1.2 - along))
        for line in random.uniform(0.1, 0.9, size=3):
            flux = flux + random.uniform(2.0, 25.0) * np.exp(-(((along - line) / 0.012) ** 2))
        flux = np.where((columns >= left) & (columns <= left + length), flux, 0.0)
        picture += np.outer(np.exp(-(((rows - middle) / 0.009) ** 2)), flux)


def _paint_trace(picture: Any, x: Any, y: Any, random: np.random.Generator) -> None:
    import numpy as np

    for order, strength in ((0, 60.0), (1, 14.0)):
        middle = 0.35 + 0.3 * order + (0.22 - 0.2 * order) * (x - 0.45) ** 2
        ripple = 1.0 + 0.05 * np.cos(70 * x) - 0.5 * np.exp(-(((x - random.uniform(0.2, 0.8)) / 0.008) ** 2))
        picture += strength * (0.3 + x) * ripple * np.exp(-(((y - middle) / 0.045) ** 2))


def _paint_slices(picture: Any, x: Any, y: Any, random: np.random.Generator) -> None:
    import numpy as np

    columns, rows = x[:1], y[:, :1]
    lines = sum(12.0 * np.exp(-(((rows - line) / 0.006) ** 2)) for line in (0.2, 0.47, 0.52, 0.8))
    for middle in np.linspace(0.05, 0.95, 17):
        near = np.flatnonzero(np.abs(columns[0] - middle) < 0.07)
        bend = middle + 0.02 * np.sin(3.0 * rows)
        flux = random.uniform(1.0, 8.0) * (0.6 + 0.4 * rows) + lines
        picture[:, near] += flux * np.exp(-(((columns[:, near] - bend) / 0.014) ** 2))


def _paint_guide_star(picture: Any, x: Any, y: Any, random: np.random.Generator) -> None:
    import numpy as np

    place = random.uniform(0.4, 0.6, size=2)
    picture += 400.0 * np.exp(-(((x - place[0]) ** 2 + (y - place[1]) ** 2) / 0.012))


def _paint_stars(
    picture: Any, x: Any, y: Any, random: np.random.Generator, *, count: int, brightest: float
) -> None:
    for _ in range(count):
        place = random.uniform(0.02, 0.98), random.uniform(0.02, 0.98)
        _paint_star(picture, x, y, place=place, brightness=brightest * random.random() ** 3 + 1.5)


def _paint_star(picture: Any, x: Any, y: Any, *, place: tuple[float, float], brightness: float) -> None:
    """Add a star with the six long spikes of a hexagonal mirror."""
    import numpy as np

    reach = 0.03 + 0.05 * math.log10(brightness + 1.0)
    window = _window(picture.shape, place, reach, x, y)
    dx, dy = x[window] - place[0], y[window] - place[1]
    squared = dx * dx + dy * dy
    light = np.exp(-squared / 6e-5) + 0.02 * np.exp(-squared / 9e-4)
    for angle in (math.radians(30), math.radians(90), math.radians(150)):
        across = dx * math.sin(angle) - dy * math.cos(angle)
        light += 0.035 * np.exp(-(across**2) / 1.2e-5) * np.exp(-squared / (0.3 * reach**2))
    picture[window] += brightness * light


def _paint_galaxies(
    picture: Any, x: Any, y: Any, random: np.random.Generator, *, count: int, largest: float
) -> None:
    import numpy as np

    for _ in range(count):
        place = random.uniform(0.02, 0.98), random.uniform(0.02, 0.98)
        size = largest * random.uniform(0.15, 1.0) ** 2 + 0.003
        flatness, turn = random.uniform(1.0, 3.0), random.uniform(0.0, math.pi)
        window = _window(picture.shape, place, 7 * size, x, y)
        dx, dy = x[window] - place[0], y[window] - place[1]
        major = dx * math.cos(turn) + dy * math.sin(turn)
        minor = (dy * math.cos(turn) - dx * math.sin(turn)) * flatness
        picture[window] += random.uniform(1.0, 14.0) * np.exp(-np.sqrt(major**2 + minor**2) / size)


def _window(
    shape: tuple[int, int], place: tuple[float, float], reach: float, x: Any, y: Any
) -> tuple[slice, slice]:
    column = (place[0] - float(x[0, 0])) * shape[1]
    row = (place[1] - float(y[0, 0])) * shape[0]
    wide, high = reach * shape[1] + 2, reach * shape[0] + 2
    return (
        slice(max(int(row - high), 0), max(int(row + high), 0)),
        slice(max(int(column - wide), 0), max(int(column + wide), 0)),
    )


_PAINTERS: dict[str, Any] = {
    "field": _paint_field,
    "galaxy": _paint_galaxy,
    "nebula": _paint_nebula,
    "star": _paint_lone_star,
    "spectra": _paint_spectra,
    "trace": _paint_trace,
    "slices": _paint_slices,
    "guide": _paint_guide_star,
}
