"""The dark frame around what is shown of a FITS file: words above, scale beside; and where it holds what.

All letters are of Pillow's own font, which has Latin ones only; others become question marks.
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jwstwatch.imaging.stretch import Stretch

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFile import ImageFile
    from PIL.ImageFont import FreeTypeFont, ImageFont

    Array = np.ndarray[Any, Any]

BACKGROUND = (22, 24, 28)
INK = (228, 231, 236)
FAINT = (150, 157, 168)
LINES = (88, 94, 104)
NO_VALUE = (40, 62, 96)
"""What pixels without a value look like: dark blue, which no grey is."""
_BETWEEN = (58, 63, 72)

MISSING, OUTSIDE, DARKEST = 0, 1, 2
"""Levels of pixels without a value, of what lies between cutouts, and of black; white is 255."""

MARGIN = 12
TOP = 66
"""Pixels above the picture, for three lines of words."""
_BAR_ROOM = 96
_BAR = 14
_LEAST_WIDTH = 420
_LEAST_HEIGHT = 120
_TICKS = 6
_QUALITY = 88
_BOX = re.compile(rb"jwstwatch shows (\d{1,5}) (\d{1,5}) (\d{1,5}) (\d{1,5})\Z")
_FOREIGN = re.compile(r"[^ -~\u00b7\u2026]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Titles:
    """Three lines: the file, what it is of, how it is shown."""

    name: str
    facts: str
    shown: str


def frame_picture(levels: Array, *, titles: Titles, stretch: Stretch | None, unit: str) -> bytes:
    """Return the JPEG of a picture with its scale: `levels` from DARKEST to 255, rows from above."""
    from PIL import Image, ImageDraw

    height, width = levels.shape
    room = (max(width, _LEAST_WIDTH), max(height, _LEAST_HEIGHT))
    canvas = Image.new("RGB", (room[0] + 2 * MARGIN + _BAR_ROOM, room[1] + TOP + MARGIN), BACKGROUND)
    left, upper = MARGIN + (room[0] - width) // 2, TOP + (room[1] - height) // 2
    canvas.paste(_colour(levels), (left, upper))
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((left - 1, upper - 1, left + width, upper + height), outline=LINES)
    if stretch is not None:
        _draw_bar(canvas, draw, at=(MARGIN + room[0] + MARGIN, TOP, room[1]), stretch=stretch)
    write_titles(draw, titles, width=canvas.width, unit=unit if stretch is not None else "")
    return encode(canvas, box=(left, upper, left + width, upper + height))


def write_titles(draw: ImageDraw, titles: Titles, *, width: int, unit: str = "", size: int = 1) -> None:
    """Write the three lines, and the unit above the scale; all lengths are `size` times as large."""
    large, small = font(15 * size), font(13 * size)
    room = width - 2 * MARGIN * size
    edge = MARGIN * size
    draw.text((edge, 7 * size), fit(draw, titles.name, large, room), font=large, fill=INK)
    draw.text((edge, 27 * size), fit(draw, titles.facts, small, room), font=small, fill=FAINT)
    unit = fit(draw, unit, small, room // 3)
    taken = draw.textlength(unit, font=small)
    line = fit(draw, titles.shown, small, room - int(taken) - edge)
    draw.text((edge, 45 * size), line, font=small, fill=FAINT)
    draw.text((width - edge - taken, 45 * size), unit, font=small, fill=INK)


def font(size: int) -> FreeTypeFont | ImageFont:
    """Return Pillow's own font."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def fit(draw: ImageDraw, text: str, letters: FreeTypeFont | ImageFont, width: int) -> str:
    """Return as much of the text as is `width` pixels wide, in letters that the font has."""
    text = _FOREIGN.sub("?", text[:300])
    if draw.textlength(text, font=letters) <= width:
        return text
    while text and draw.textlength(text + "\u2026", font=letters) > width:
        text = text[: -max(1, len(text) // 20)]
    return text + "\u2026"


def encode(canvas: Image, *, box: tuple[int, int, int, int]) -> bytes:
    """Return the JPEG; `box` is what a thumbnail shows of it: left, upper, right, lower edge in pixels."""
    buffer = io.BytesIO()
    comment = "jwstwatch shows {} {} {} {}".format(*box)
    canvas.save(buffer, "JPEG", quality=_QUALITY, subsampling=0, comment=comment.encode())
    return buffer.getvalue()


def read_box(picture: ImageFile) -> tuple[int, int, int, int] | None:
    """Return what a quick-look's frame holds, in pixels; None for any other picture."""
    comment = picture.info.get("comment")
    found = _BOX.match(comment) if isinstance(comment, bytes) else None
    if found is None:
        return None
    left, upper, right, lower = map(int, found.groups())
    inside = left < right <= picture.width and upper < lower <= picture.height
    return (left, upper, right, lower) if inside else None


def number_text(value: float, *, digits: int) -> str:
    """Return a number that is exact to so many digits after the point, in a form that stays short."""
    if value == 0 or (abs(value) < 1e6 and digits <= 4):
        return f"{value:.{min(max(digits, 0), 4)}f}"
    exact = math.floor(math.log10(abs(value))) + digits
    return f"{value:.{min(max(exact, 0), 5)}e}"


def _colour(levels: Array) -> Image:
    from PIL import Image

    picture = Image.fromarray(levels).copy()
    greys = (round((level - DARKEST) / (255 - DARKEST) * 255) for level in range(DARKEST, 256))
    picture.putpalette([*NO_VALUE, *_BETWEEN, *(part for grey in greys for part in (grey, grey, grey))])
    return picture.convert("RGB")


def _draw_bar(canvas: Image, draw: ImageDraw, *, at: tuple[int, int, int], stretch: Stretch) -> None:
    import numpy as np

    left, upper, height = at
    greys = np.repeat(np.linspace(255, DARKEST, height).astype(np.uint8)[:, None], _BAR, axis=1)
    canvas.paste(_colour(greys), (left, upper))
    draw.rectangle((left - 1, upper - 1, left + _BAR, upper + height), outline=LINES)
    letters = font(12)
    ticks = max(2, min(_TICKS, height // 30))
    values = [stretch.value_at(number / (ticks - 1)) for number in range(ticks)]
    for number, value in enumerate(values):
        gap = min(abs(value - other) for place, other in enumerate(values) if place != number)
        digits = _digits(gap)
        rounded = round(value, digits)
        brightness = min(max(stretch.brightness_of(rounded), 0.0), 1.0)
        y = upper + (height - 1) * (1 - brightness)
        draw.line((left + _BAR, y, left + _BAR + 4, y), fill=FAINT)
        text = number_text(rounded, digits=digits)
        draw.text((left + _BAR + 8, y), text, font=letters, fill=INK, anchor="lm")


def _digits(gap: float) -> int:
    """Return how many digits after the point tell values apart that are `gap` from each other."""
    return 1 - math.floor(math.log10(gap)) if gap > 0 and math.isfinite(gap) else 0
