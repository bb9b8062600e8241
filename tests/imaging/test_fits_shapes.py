"""FITS of every shape, as astropy writes them: whole, cut, added to, spoilt, enormous."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from jwstwatch.errors import ContentError
from jwstwatch.imaging import cards, content
from tests.imaging.samples import make_fits

KINDS = ["u1", "i2", "i4", "i8", "f4", "f8"]
shapes = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple)
texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=150)


@st.composite
def images(draw: st.DrawFn, kind: Any = fits.ImageHDU) -> Any:
    if draw(st.integers(0, 5)) == 0:
        return kind()
    unit = kind(np.zeros(draw(shapes), draw(st.sampled_from(KINDS))))
    for number in range(draw(st.sampled_from([0, 1, 40, 100]))):
        unit.header[f"KEY{number}"] = draw(texts) if number < 2 else number
    return unit


@st.composite
def tables(draw: st.DrawFn) -> Any:
    rows = draw(st.integers(0, 30))
    lengths = [draw(st.integers(0, 50)) for _ in range(rows)]
    ragged = np.empty(rows, dtype=object)
    ragged[:] = [np.ones(length, "f8") for length in lengths]
    asdf = np.zeros((1, draw(st.integers(1, 6000))), "u1")
    return draw(
        st.sampled_from(
            [
                fits.BinTableHDU.from_columns([fits.Column("R", "PD()", array=ragged)]),
                fits.BinTableHDU.from_columns([fits.Column("B", "QE()", array=ragged)]),
                fits.BinTableHDU(np.zeros(rows, [("a", "f4"), ("b", "S7"), ("c", "i2", (3,))])),
                fits.BinTableHDU.from_columns(
                    [fits.Column("ASDF_METADATA", f"{asdf.shape[1]}B", array=asdf)], name="ASDF"
                ),
                fits.TableHDU.from_columns([fits.Column("T", "F12.4", array=np.ones(rows))]),
            ]
        )
    )


@st.composite
def packed(draw: st.DrawFn) -> Any:
    shape = (draw(st.integers(4, 40)), draw(st.integers(4, 40)))
    pixels = np.arange(shape[0] * shape[1], dtype="i4").reshape(shape)
    return fits.CompImageHDU(pixels, compression_type=draw(st.sampled_from(["RICE_1", "GZIP_2"])))


# Random groups are tried by hand below: astropy does not write them reliably.
files = st.builds(
    lambda first, rest: [first, *rest],
    images(fits.PrimaryHDU),
    st.lists(st.one_of(images(), tables(), packed()), max_size=4),
)


def write(units: list[Any]) -> tuple[bytes, list[int]]:
    """Return the file, and where each of its units ends as astropy sees it."""
    buffer = io.BytesIO()
    fits.HDUList(units).writeto(buffer)
    whole = buffer.getvalue()
    with fits.open(io.BytesIO(whole), disable_image_compression=True) as opened:
        ends = [unit.fileinfo()["datLoc"] + unit.fileinfo()["datSpan"] for unit in opened]
    return whole, ends


@pytest.fixture(scope="module")
def put(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], Path]:
    path = tmp_path_factory.mktemp("shapes") / ".x.fits.1.part"

    def write_bytes(whole: bytes) -> Path:
        path.write_bytes(whole)
        return path

    return write_bytes


@settings(deadline=None, max_examples=30)
@given(units=files, data=st.data())
def test_what_astropy_writes_passes_and_a_cut_or_an_addition_does_not(put, units, data):
    whole, ends = write(units)
    content.check(put(whole), "x.fits")
    found = [unit.following for unit in cards.walk(io.BytesIO(whole), size=len(whole))]
    assert found == ends
    cut = data.draw(st.integers(1, len(whole) - 1))
    if cut not in ends:
        with pytest.raises(ContentError):
            content.check(put(whole[:cut]), "x.fits")
    for more in (bytes(2880), whole[-cut:], whole, b"x"):
        with pytest.raises(ContentError):
            content.check(put(whole + more), "x.fits")


@settings(deadline=None, max_examples=30)
@given(units=files, data=st.data())
def test_a_structure_with_one_other_character_is_noticed(put, units, data):
    """Unless the data happen to fill as many blocks as before."""
    whole, ends = write(units)
    unit = data.draw(st.integers(0, len(ends) - 1))
    start = ([0, *ends])[unit]
    names = ["BITPIX  =", "NAXIS   =", "NAXIS1  =", "PCOUNT  =", "GCOUNT  =", "END     ", "XTENSION="]
    places = [whole.find(name.encode(), start, ends[unit]) for name in names]
    place = data.draw(st.sampled_from([place for place in places if place >= 0 and place % 80 == 0]))
    spoilt = bytearray(whole)
    spoilt[place + data.draw(st.integers(0, 7))] = ord("~")
    try:
        content.check(put(bytes(spoilt)), "x.fits")
    except ContentError:
        return
    again = [unit.following for unit in cards.walk(io.BytesIO(spoilt), size=len(spoilt))]
    assert again[-1] == len(whole)


@pytest.mark.parametrize("digit", [b"1", b"3", b"9"])
def test_one_wrong_digit_in_a_size_is_noticed(put, digit):
    whole = make_fits("SCI", "ERR", size=40)
    for name in (b"NAXIS1  =", b"NAXIS2  ="):
        place = whole.index(name) + 28
        assert whole[place : place + 2] == b"40"
        with pytest.raises(ContentError):
            content.check(put(whole[:place] + digit + whole[place + 1 :]), "x.fits")


def test_a_hole_in_a_header_is_noticed_and_one_in_the_data_cannot_be(put):
    whole = make_fits("SCI", size=100)
    with pytest.raises(ContentError, match="has a hole"):
        content.check(put(whole[:400] + bytes(512) + whole[912:]), "x.fits")
    content.check(put(whole[:6000] + bytes(512) + whole[6512:]), "x.fits")


def header(*lines: str) -> bytes:
    text = "".join(line.ljust(80) for line in (*lines, "END"))
    return text.ljust(-(-len(text) // 2880) * 2880).encode()


def sized(*axes: int, bits: int = 8, more: tuple[str, ...] = ()) -> bytes:
    return header(
        "SIMPLE  =                    T",
        f"BITPIX  = {bits:20d}",
        f"NAXIS   = {len(axes):20d}",
        *(f"{f'NAXIS{number}':8}= {axis:20d}" for number, axis in enumerate(axes, start=1)),
        *more,
    )


@pytest.mark.parametrize(
    "claim",
    [
        sized(*[10**18] * 999),
        sized(*[10**60] * 100, bits=-64),
        sized(2**62, 2**62),
        sized(*[1] * 998, 10**19),
        sized(2, 2, more=("PCOUNT  = -5", "GCOUNT  = 1")),
        sized(2, 2, more=("PCOUNT  = 0", "GCOUNT  = -1")),
        sized(2, 2, more=("PCOUNT  = 1" + "0" * 50,)),
    ],
)
def test_an_absurd_size_is_refused_in_words(put, claim):
    with pytest.raises(ContentError, match="cannot be"):
        content.check(put(claim), "x.fits")


def test_a_size_just_beyond_32_and_63_bits_is_only_missing(put):
    for size in (2**31, 2**32 + 1, 2**62):
        with pytest.raises(ContentError, match="bytes are missing"):
            content.check(put(sized(size)), "x.fits")


def test_a_file_of_999_axes_passes(put):
    content.check(put(sized(*[1] * 999) + bytes(2880)), "x.fits")


def test_counts_far_down_in_a_primary_header_count(put):
    comments = ("COMMENT",) * 50
    groups = sized(0, 100, more=(*comments, "GROUPS  = T", "PCOUNT  = 80", "GCOUNT  = 20"))
    content.check(put(groups + bytes(2 * 2880)), "x.fits")  # 20 * (80 + 100) bytes
    with pytest.raises(ContentError, match="2880 bytes are missing"):
        content.check(put(groups + bytes(2880)), "x.fits")


def test_a_header_without_axes_may_have_its_cards_in_any_order(put):
    whole = header("SIMPLE  =                    T", "NAXIS   = 0", "EXTEND  = T", "BITPIX  = 8")
    content.check(put(whole), "x.fits")


class Counting(io.FileIO):
    """A file that keeps how it is read."""

    asked: int
    taken: int

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.asked = self.taken = 0

    def read(self, size: int | None = -1) -> bytes:
        block = super().read(-1 if size is None else size)
        self.asked += 1
        self.taken += len(block)
        return block

    def readinto(self, buffer: Any) -> int:
        length = super().readinto(buffer) or 0
        self.asked += 1
        self.taken += length
        return length


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Counting]:
    opened: list[Counting] = []

    def open_counting(path: Path, *_: Any, **__: Any) -> Counting:
        opened.append(Counting(path, "rb"))
        return opened[-1]

    monkeypatch.setattr(content, "open", open_counting, raising=False)
    return opened


def test_a_small_file_is_read_once(put, reads):
    content.check(put(make_fits("SCI", "ERR", "DQ")), "x.fits")
    assert [stream.asked for stream in reads] == [1]


@pytest.mark.parametrize("side", [600, 60_000])
def test_of_a_large_file_headers_are_read_and_nothing_else(tmp_path, reads, side):
    path = tmp_path / "large.fits"
    blank = make_fits("SCI", "ERR", "DQ", size=10)
    primary, unit = blank[:2880], blank[2880:5760]
    for name in (b"NAXIS1", b"NAXIS2"):
        unit = unit.replace(name + b"  =" + b"10".rjust(21), name + b"  =" + str(side).encode().rjust(21))
    span = 2880 + -(-side * side * 4 // 2880) * 2880
    with path.open("wb") as stream:  # up to 43 GB of holes
        stream.write(primary)
        for number in range(3):
            stream.seek(2880 + number * span)
            stream.write(unit)
        stream.truncate(2880 + 3 * span)
    tracemalloc.start()
    content.check(path, "x.fits")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    (stream,) = reads
    assert stream.taken <= 64 * 1024 + 4 * 16 * 1024
    assert stream.asked <= 6
    assert peak < 500_000


def test_a_header_that_never_ends_is_given_up(tmp_path, reads):
    path = tmp_path / "endless.fits"
    with path.open("wb") as stream:
        stream.write(make_fits()[:80])
        stream.write(b"COMMENT ".ljust(80) * 250_000)
        stream.truncate(10**10)
    with pytest.raises(ContentError, match="no END"):
        content.check(path, "x.fits")
    assert reads[0].taken < 18 * 2**20
