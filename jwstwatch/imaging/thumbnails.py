"""Small JPEGs of preview pictures and quick-looks, for the pages."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from jwstwatch import files
from jwstwatch.errors import ContentError
from jwstwatch.imaging import frames, pictures

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

DEFAULT_WIDTH = 120
"""Pixels, where neither width nor height is asked for."""

_QUALITY = 85
# In multiples of the given side: the thumbnail of a detector strip must not become a page high.
_LONGEST_SIDE = 4
# Decoded at twice its size or more, a thumbnail differs from one of the whole picture by a grey level.
_DECODED = 2
_ORIENTATION = 0x0112
_SIDEWAYS = (5, 6, 7, 8)

Box = tuple[float, float, float, float]
"""Left, upper, right and lower edge in pixels."""


def make_thumbnail(source: Path, target: Path, *, width: int | None, height: int | None) -> None:
    """Write a small JPEG of the picture at `source` to `target`; sizes in pixels.

    A missing side follows the picture's shape, up to four times the other side. Of a quick-look only what
    its frame holds is shown. `ContentError` if the picture is broken or too large to be decoded; `target` is
    then left as it was. It is written without waiting for the disk: a thumbnail can be made again.
    """
    try:
        with source.open("rb") as stream, pictures.open_picture(stream) as picture:
            if not pictures.is_bearable(picture):
                raise ContentError(f"its {picture.width} x {picture.height} pixels are too many")
            content = _encode(_shrink(picture, width=width, height=height))
    except ContentError as error:
        raise ContentError(f"No thumbnail can be made of {source.name}: {error.message}") from error
    files.write_remakable(target, content)


def _shrink(picture: ImageFile, *, width: int | None, height: int | None) -> Image:
    from PIL import Image

    box: Box = frames.read_box(picture) or (0, 0, *picture.size)
    turned = _orientation(picture)
    shape = (box[2] - box[0], box[3] - box[1])
    size = _choose_size(shape[::-1] if turned in _SIDEWAYS else shape, width, height)
    lying = size[::-1] if turned in _SIDEWAYS else size
    box = _decode_smaller(picture, box, lying)
    # Of a PNG, which is decoded whole, the gap saves most of the work and nothing that can be seen.
    small = _flatten(picture).resize(lying, Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    return _turn(small, turned)


def _decode_smaller(picture: ImageFile, box: Box, size: tuple[int, int]) -> Box:
    """Have a JPEG decoded at a fraction of its size, many times faster; returns where the box is then."""
    whole = picture.size
    across, down = (size[side] * whole[side] / (box[side + 2] - box[side]) for side in (0, 1))
    picture.draft("RGB", (round(_DECODED * across), round(_DECODED * down)))
    x, y = picture.width / whole[0], picture.height / whole[1]
    return box[0] * x, box[1] * y, min(box[2] * x, picture.width), min(box[3] * y, picture.height)


def _orientation(picture: ImageFile) -> int | None:
    """Return how the camera was held; what else its EXIF says, or garbles, does not matter."""
    stated = picture.getexif().get(_ORIENTATION)
    return stated if isinstance(stated, int) else None


def _turn(picture: Image, orientation: int | None) -> Image:
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
    turn = None if orientation is None else turns.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def _choose_size(original: tuple[float, float], width: int | None, height: int | None) -> tuple[int, int]:
    if width is not None and height is not None:
        return width, height
    if width is None and height is not None:
        follows = round(height * original[0] / original[1])
        return min(max(follows, 1), height * _LONGEST_SIDE), height
    width = width or DEFAULT_WIDTH
    follows = round(width * original[1] / original[0])
    return width, min(max(follows, 1), width * _LONGEST_SIDE)


def _flatten(picture: Image) -> Image:
    """Return the picture in grey or RGB, on white where it is transparent (plots of spectra are)."""
    from PIL import Image

    if picture.mode.startswith("I"):
        # Of 16 bits; Pillow would cut off what is brighter than 255.
        return picture.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")
    if not picture.has_transparency_data:
        return picture.convert("L" if picture.mode in ("L", "1") else "RGB")
    layered = picture.convert("RGBA")
    background = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(background, layered).convert("RGB")


def _encode(picture: Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
