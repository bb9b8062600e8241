"""The exposures as CSV: true values, one head, nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from jwstwatch.core.model import FileState
from jwstwatch.core.site import PageSettings
from tests.pages import examples
from tests.pages.examples import make_exposure, make_file

KEY = "jw01345001001_03101_00001_nrca1"


def read_csv(path: Path) -> list[dict[str, str]]:
    content = path.read_bytes()
    assert content.endswith(b"\r\n")
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def publish(root: Path, files, *columns: str) -> list[dict[str, str]]:
    settings = PageSettings(columns=columns, thumbnails=("rate",), keywords=(), sort_by=())
    examples.publish(root, examples.make_proposal(files, settings=settings))
    return read_csv(root / "01345" / "01345.exposures.csv")


def test_values_are_those_of_the_table_in_full_and_pictures_are_names(tmp_path):
    columns = ("obsnum", "sca", "TARG_RA", "size", "rate", "NOSUCH", "FILTER")
    (row,) = publish(tmp_path, make_exposure(KEY, 0), *columns)
    assert tuple(row) == ("exposure", *columns)
    assert tuple(row.values()) == (
        *(KEY, "1", "nrca1", "214.9154166666667", "117452160"),
        *(f"{KEY}_rate.jpg", "", "F115W"),
    )


def test_a_file_that_is_not_there_is_an_empty_cell(tmp_path):
    (row,) = publish(tmp_path, [make_file(f"{KEY}_rate.jpg", state=FileState.WANTED)], "rate")
    assert row["rate"] == ""


def test_the_exposures_of_all_parts_have_one_head(tmp_path):
    keys = [f"jw01345{number:03d}001_03101_00001_nrca1" for number in (1, 2, 10)]
    rows = publish(tmp_path, [make_file(f"{key}_rate.fits") for key in keys], "obsnum")
    assert [(row["exposure"], row["obsnum"]) for row in rows] == [
        *((keys[0], "1"), (keys[1], "2"), (keys[2], "10"))
    ]
    assert read_csv(tmp_path / "01345" / "jwstwatch-pages" / "obs002.csv") == rows[1:2]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (-53.25, "-53.25"),
        (-7, "-7"),
        (1e-30, "1e-30"),
        (True, "T"),
        ("-12:34:56.7", "-12:34:56.7"),
        ("+1.5e-3", "+1.5e-3"),
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+A1", "'+A1"),
        ("-2+cmd|' /C calc'!A0", "'-2+cmd|' /C calc'!A0"),
        ('a, "b"\r\nc', 'a, "b"\r\nc'),
        ("\u00c5ngstr\u00f6m", "\u00c5ngstr\u00f6m"),
    ],
)
def test_numbers_stay_numbers_and_formulas_become_texts(tmp_path, value, written):
    (row,) = publish(tmp_path, [make_file(f"{KEY}_rate.fits", keywords={"X": value})], "X")
    assert row["X"] == written
