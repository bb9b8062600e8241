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
LARGEST_HELD = 32_000_000
"""The same for PNG and progressive JPEG, of which all pixels are in the memory at once."""

_MOST_SCANS = 100
_START_OF_SCAN = b"\xff\xda"
_JPEG_PADDING = b"\0\xff \r\n"
_BLOCK = 1024 * 1024


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


def is_bearable(picture: ImageFile) -> bool:
    """Tell whether the pixels of `picture` can be decoded within a bearable amount of memory."""
    held = picture.format != "JPEG" or bool(picture.info.get("progressive"))
    return picture.width * picture.height <= (LARGEST_HELD if held else LARGEST_DECODED)


def check_jpeg(stream: BinaryIO, _size: int) -> None:
    """Raise `ContentError` unless `stream` is a whole JPEG."""
    if stream.read(3) != _JPEG:
        raise ContentError("it does not begin as a JPEG does")
    _, ending, after = _read_ending(stream, 4096).rpartition(_JPEG_ENDING)
    if not ending:  # Pillow may decode without it
        raise ContentError("its picture is cut short")
    if after.strip(_JPEG_PADDING):  # some writers pad
        raise ContentError("after its picture come other bytes")
    stream.seek(0)
    with open_picture(stream) as picture:
        if is_bearable(picture) and not _has_many_scans(picture, stream):
            picture.draft("L", (1, 1))  # an eighth in size: every byte is still read, 1/64 of the memory
            picture.load()


def check_png(stream: BinaryIO, _size: int) -> None:
    """Raise `ContentError` unless `stream` is a whole PNG."""
    if stream.read(8) != _PNG:
        raise ContentError("it does not begin as a PNG does")
    if _read_ending(stream, 12) != _PNG_ENDING:  # Pillow decodes without it
        raise ContentError("its picture is cut short")
    stream.seek(0)
    with open_picture(stream) as picture:
        if is_bearable(picture):
            picture.load()
        else:
            picture.verify()  # the checksums of its chunks


def _has_many_scans(picture: ImageFile, stream: BinaryIO) -> bool:
    """Tell whether a progressive picture was made to take for ever: each scan goes over all of it."""
    if not picture.info.get("progressive"):
        return False
    position = stream.tell()
    stream.seek(0)
    scans = 0
    while scans <= _MOST_SCANS and (block := stream.read(_BLOCK)):
        scans += block.count(_START_OF_SCAN)
    stream.seek(position)
    return scans > _MOST_SCANS


def _read_ending(stream: BinaryIO, length: int) -> bytes:
    stream.seek(max(stream.seek(0, 2) - length, 0))
    return stream.read()
