"""Cheap content of an exact size, for archives of any size: valid framing around random bytes."""

from __future__ import annotations

import functools
import io
import json
import random

BLOCK = 2880
"""Bytes in a FITS block."""

_LONGEST_COMMENT = 65_533


def plain_content(extension: str, size: int, *, noise: int) -> bytes:
    """Return `size` bytes that open as a FITS, JPEG, JSON or text file; `noise` is the seed.

    A FITS size is whole blocks, two at least; a JPEG needs about 1 kB. Raises `ValueError` below that, and
    for a PNG, which has no cheap form.
    """
    source = random.Random(noise)  # noqa: S311  no secret
    if extension == "fits":
        return _plain_fits(size, source)
    if extension == "jpg":
        return _plain_jpeg(size, source)
    if extension == "json":
        return json.dumps({"demo": source.random()}).ljust(size - 1).encode() + b"\n"
    if extension == "png":
        raise ValueError("there is no plain PNG; list another kind of file")
    if extension == "ecsv":
        head = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: demo, datatype: string}\ndemo\n"
        return (head + source.randbytes(size // 2).hex())[: size - 1].ljust(size - 1, "0").encode() + b"\n"
    return source.randbytes(size // 2).hex().ljust(size - 1, "0")[: size - 1].encode() + b"\n"


def _plain_fits(size: int, source: random.Random) -> bytes:
    data_size = size - BLOCK
    if size % BLOCK or data_size <= 0:
        raise ValueError(f"a FITS file is whole blocks of {BLOCK} bytes, at least two, not {size} bytes")
    cards = (
        "SIMPLE  =                    T",
        "BITPIX  =                    8",
        "NAXIS   =                    1",
        f"NAXIS1  = {data_size:20d}",
        "EXTEND  =                    T",
        "TELESCOP= 'JWST    '",
        "ORIGIN  = 'JWSTWATCH-DEMO'",
        "END",
    )
    header = "".join(card.ljust(80) for card in cards).ljust(BLOCK).encode("ascii")
    return header + source.randbytes(data_size)


def _plain_jpeg(size: int, source: random.Random) -> bytes:
    picture = _small_jpeg()
    rest = size - len(picture)
    if rest != 0 and rest < 4:
        raise ValueError(
            f"a plain JPEG needs {len(picture)} or at least {len(picture) + 4} bytes, not {size}"
        )
    comments = []
    while rest:
        length = min(rest - 4, _LONGEST_COMMENT)
        if 0 < rest - 4 - length < 4:
            length -= 4  # the last comment needs room for its own marker
        # No byte of 0xFF, which could look like a marker to a careless reader.
        text = source.randbytes(length).translate(_WITHOUT_MARKERS)
        comments.append(b"\xff\xfe" + (length + 2).to_bytes(2, "big") + text)
        rest -= length + 4
    return picture[:2] + b"".join(comments) + picture[2:]


_WITHOUT_MARKERS = bytes(min(byte, 0xFE) for byte in range(256))


@functools.cache
def _small_jpeg() -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.linear_gradient("L").resize((32, 32)).save(stream, "JPEG", quality=70)
    return stream.getvalue()
