"""Opening JPEG and PNG files that come from outside: complete, of a bearable size, without warnings."""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from jwstwatch.errors import ContentError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_JPEG = b"\xff\xd8\xff"
_JPEG_ENDING = b"\xff\xd9"
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_ENDING = b"\0\0\0\0IEND\xaeB`\x82"

LARGEST_DECODED = 250_000_000
"""Pixels; a larger picture is not decoded, so that a crafted one cannot use up the memory."""


@contextlib.contextmanager
def open_picture(stream: BinaryIO) -> Iterator[ImageFile]:
    """Open a JPEG or PNG, told by its first bytes; `ContentError` (without the name) if that fails.

    What goes wrong while pixels are decoded inside the `with` block becomes a `ContentError` too.
    The format's own class is used, because `Image.open` warns about large pictures.
    """
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile

    beginning = stream.read(8)
    stream.seek(0)
    try:
        if beginning.startswith(_JPEG):
            with JpegImageFile(stream) as picture:
                yield picture
        elif beginning == _PNG:
            with PngImageFile(stream) as picture:
                yield picture
        else:
            raise ContentError("it does not begin as a JPEG or PNG does")
    except OSError as error:
        if error.errno is not None:  # the disk's, not Pillow's
            raise
        raise ContentError(f"its picture cannot be decoded ({error})") from error
    except (SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error, zlib.error) as error:
        raise ContentError(f"its picture cannot be decoded ({error})") from error


def check_jpeg(stream: BinaryIO) -> None:
    """Raise `ContentError` unless `stream` is a whole JPEG."""
    if stream.read(3) != _JPEG:
        raise ContentError("it does not begin as a JPEG does")
    if _JPEG_ENDING not in _read_ending(stream, 4096):  # Pillow may decode without it; some writers pad it
        raise ContentError("its picture is cut short")
    stream.seek(0)
    with open_picture(stream) as picture:
        if picture.width * picture.height <= LARGEST_DECODED:
            picture.draft("L", (1, 1))  # an eighth in size: every byte is still read, 1/64 of the memory
            picture.load()


def check_png(stream: BinaryIO) -> None:
    """Raise `ContentError` unless `stream` is a whole PNG."""
    if stream.read(8) != _PNG:
        raise ContentError("it does not begin as a PNG does")
    if _read_ending(stream, 12) != _PNG_ENDING:  # Pillow decodes without it
        raise ContentError("its picture is cut short")
    stream.seek(0)
    with open_picture(stream) as picture:
        if picture.width * picture.height <= LARGEST_DECODED:
            picture.load()


def _read_ending(stream: BinaryIO, length: int) -> bytes:
    stream.seek(max(stream.seek(0, 2) - length, 0))
    return stream.read()
