"""Small JPEGs of preview pictures, for the pages."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from jwstwatch import files
from jwstwatch.errors import ContentError
from jwstwatch.imaging import pictures

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

DEFAULT_WIDTH = 120
"""Pixels, where neither width nor height is asked for."""

_QUALITY = 85
# In multiples of the given side: the thumbnail of a detector strip must not become a page high.
_LONGEST_SIDE = 4
_ORIENTATION = 0x0112


def make_thumbnail(source: Path, target: Path, *, width: int | None, height: int | None) -> None:
    """Write a small JPEG of the picture at `source` to `target`; sizes in pixels.

    A missing side follows the picture's shape, up to four times the other side. `ContentError` if the
    picture is broken or too large to be decoded; `target` is then left as it was.
    """
    try:
        with source.open("rb") as stream, pictures.open_picture(stream) as picture:
            if not pictures.is_bearable(picture):
                raise ContentError(f"its {picture.width} x {picture.height} pixels are too many")
            content = _encode(_shrink(picture, width=width, height=height))
    except ContentError as error:
        raise ContentError(f"No thumbnail can be made of {source.name}: {error.message}") from error
    files.write_atomically(target, content)


def _shrink(picture: ImageFile, *, width: int | None, height: int | None) -> Image:
    from PIL import Image

    longest = 2 * max(width or 0, height or 0, DEFAULT_WIDTH)
    picture.draft("RGB", (longest, longest))  # a JPEG decodes many times faster at a fraction of its size
    upright = _turn(picture)
    return _flatten(upright).resize(_choose_size(upright.size, width, height), Image.Resampling.LANCZOS)


def _turn(picture: ImageFile) -> Image:
    """Return the picture as its camera held it; what else its EXIF says, or garbles, does not matter."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    stated = picture.getexif().get(_ORIENTATION)
    turn = turns.get(stated) if isinstance(stated, int) else None
    return picture if turn is None else picture.transpose(turn)


def _choose_size(original: tuple[int, int], width: int | None, height: int | None) -> tuple[int, int]:
    if width is not None and height is not None:
        return width, height
    if width is None and height is not None:
        follows = round(height * original[0] / original[1])
        return min(max(follows, 1), height * _LONGEST_SIDE), height
    width = width or DEFAULT_WIDTH
    follows = round(width * original[1] / original[0])
    return width, min(max(follows, 1), width * _LONGEST_SIDE)


def _flatten(picture: Image) -> Image:
    """Return the picture in RGB, on white where it is transparent (plots of spectra are)."""
    from PIL import Image

    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layered = picture.convert("RGBA")
    background = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(background, layered).convert("RGB")


def _encode(picture: Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
