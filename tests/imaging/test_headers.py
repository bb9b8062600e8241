from __future__ import annotations

import io
import math
from pathlib import Path

import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from jwstwatch.errors import ContentError
from jwstwatch.imaging import cards
from jwstwatch.imaging.headers import STANDARD_KEYWORDS, read_keywords
from tests.imaging.samples import make_fits


@pytest.fixture
def cal(tmp_path: Path) -> Path:
    path = tmp_path / "jw01345062001_03101_00001_nrca2_cal.fits"
    path.write_bytes(make_fits("SCI", "ERR"))
    return path


def test_keywords_come_with_their_types(cal):
    names = ("TELESCOP", "DATE-BEG", "NINTS", "EFFEXPTM", "IS_PSF")
    found = read_keywords(cal, names)
    assert found == {
        "TELESCOP": "JWST",
        "DATE-BEG": "2022-05-14T18:15:30.545",
        "NINTS": 2,
        "EFFEXPTM": 107.368,
        "IS_PSF": True,
    }
    assert isinstance(found["NINTS"], int)
    assert isinstance(found["IS_PSF"], bool)


def test_the_primary_header_speaks_first_and_the_first_extension_fills_the_gaps(cal):
    found = read_keywords(cal, ["BITPIX", "PA_APER", "GS_MAG", "EXTNAME"])
    assert found == {"BITPIX": 8, "PA_APER": 12.5, "GS_MAG": 14.25, "EXTNAME": "SCI"}


def test_a_card_without_a_value_is_none_and_a_missing_one_is_left_out(tmp_path):
    path = tmp_path / "x_uncal.fits"
    path.write_bytes(make_fits())
    assert read_keywords(path, ["GS_MAG", "PUPIL"]) == {"GS_MAG": None}


def test_a_long_string_is_put_together(cal):
    assert read_keywords(cal, ["TITLE"])["TITLE"] == fits.getheader(cal)["TITLE"]
    assert len(read_keywords(cal, ["TITLE"])["TITLE"]) > 150


def test_a_name_is_found_in_any_case_and_returned_as_it_was_asked_for(cal):
    assert read_keywords(cal, ["date-beg"]) == {"date-beg": "2022-05-14T18:15:30.545"}


def test_a_partial_file_whose_headers_are_whole_can_be_read(cal):
    cal.write_bytes(cal.read_bytes()[:-2880])
    assert read_keywords(cal, ["PA_APER"]) == {"PA_APER": 12.5}


@pytest.mark.parametrize("content", [b"", b"<html>", make_fits()[:2000], b"SIMPLE  =                    T"])
def test_a_broken_header_is_an_error_that_names_the_file(tmp_path, content):
    path = tmp_path / "x_rate.fits"
    path.write_bytes(content)
    with pytest.raises(ContentError, match=r"x_rate\.fits"):
        read_keywords(path, ["TELESCOP"])


def test_a_header_without_end_is_given_up_before_it_fills_the_memory(tmp_path):
    path = tmp_path / "x_rate.fits"
    path.write_bytes(make_fits()[:80] + b"COMMENT ".ljust(80) * 300_000)
    with pytest.raises(ContentError, match="no END within 16 MiB"):
        read_keywords(path, ["TELESCOP"])


@pytest.mark.parametrize(
    ("card", "value"),
    [
        (b"X       = 'it''s'", "it's"),
        (b"X       = '  lead  '", "  lead"),
        (b"X       = ''", ""),
        (b"X       =                1.5D3 / d exponent", 1500.0),
        (b"X       = -.5", -0.5),
        (b"X       = 1E999", "1E999"),
        (b"X       = NaN", "NaN"),
        (b"X       = (1.0, 2.0)", "(1.0, 2.0)"),
        (b"X       = / nothing", None),
        (b"X       =", None),
        (b"X       = 'a\x00\x1b[31m\xe9'", "a\ufffd\ufffd[31m\ufffd"),
        (b"X       = 'and so on&'", "and so on&"),
        (b"X       = 'no closing quote", "'no closing quote"),
        (b"X       = T / a comment with ' = / in it", True),
    ],
)
def test_a_value_is_read_as_the_standard_says_or_kept_as_text(card, value):
    header = card.ljust(80) + b"X       = 'a second card of that name'".ljust(80)
    found = cards.read_values(header, {"X"})["X"]
    assert found == value
    assert type(found) is type(value)


def test_a_string_that_goes_on_and_on_is_read_in_one_pass():
    header = b"X       = 'a&'".ljust(80) + b"CONTINUE  'b&'".ljust(80) * 100_000 + b"CONTINUE  'c'".ljust(80)
    assert cards.read_values(header, {"X"}) == {"X": "a" + "b" * 100_000 + "c"}


texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200)
numbers = st.floats(allow_nan=False, allow_infinity=False)
values = st.one_of(st.none(), st.booleans(), st.integers(-(10**15), 10**15), numbers, texts)


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"[A-Z][A-Z0-9_-]{0,5}X", fullmatch=True), values, max_size=12))
def test_values_are_those_that_astropy_reads(written):
    header = fits.Header()
    for name, value in written.items():
        header[name] = value
    content = header.tostring(endcard=False, padding=False).encode("ascii")
    expected = {name: None if header[name] is fits.card.UNDEFINED else header[name] for name in header}
    found = cards.read_values(content, set(header))
    assert found.keys() == set(header)
    for name, value in found.items():
        # astropy has not parsed its own card yet: read it back from the text
        again = fits.Header.fromstring(content.decode())[name]
        again = None if isinstance(again, fits.card.Undefined) else again
        if isinstance(again, float):
            assert isinstance(value, float)
            assert math.isclose(value, again, rel_tol=1e-15) or value == again
        else:
            assert value == (again.rstrip() if isinstance(again, str) else again), expected


def test_the_recorded_headers_read_as_astropy_reads_them(reference: Path):
    for path in sorted((reference / "real" / "headers").glob("*.hdr.txt")):
        lines = [line for line in path.read_text("ascii").splitlines() if line.strip() != "END"]
        text = "".join(line.ljust(80)[:80] for line in lines)
        header = fits.Header.fromstring(text)
        names = {name for name in header if name not in ("", "COMMENT", "HISTORY", "CONTINUE")}
        found = cards.read_values(text.encode(), names)
        assert len(found) > 60, path.name
        for name in names:
            assert found[name] == header[name], (path.name, name)


def test_the_recorded_headers_hold_the_standard_keywords(reference: Path):
    text = "".join(path.read_text("ascii") for path in (reference / "real" / "headers").glob("*.hdr.txt"))
    absent = [name for name in STANDARD_KEYWORDS if f"\n{name:8}=" not in text]
    assert len(STANDARD_KEYWORDS) == len(set(STANDARD_KEYWORDS))
    assert set(absent) <= {"BUNIT", "FXD_SLIT", "BAND", "RA_V1", "DEC_V1", "PA_V3"}  # not in these twelve


def test_only_header_blocks_are_read(cal, monkeypatch):
    taken = 0

    class Counting(io.FileIO):
        def read(self, size: int = -1) -> bytes:
            nonlocal taken
            content = super().read(size)
            taken += len(content)
            return content

    cal.write_bytes(make_fits("SCI", "ERR", size=500))
    with Counting(cal) as stream:
        assert len(list(cards.walk(stream, size=cal.stat().st_size))) == 3
    assert taken <= 4 * cards.BLOCK
