"""Tables read back as they were written, by pandas and by astropy, and in the JSON answers."""

from __future__ import annotations

import csv
import io
import json
import math
import re

import pandas
import pytest
from astropy import units
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.tables.columns import Cell
from jwstwatch.tables.write import to_csv, to_ecsv, to_json_rows, to_text

COLUMNS = (
    "proposal_id",
    "obsnum",
    "productFilename",
    "t_min",
    "size",
    "outfilename",
    "_uncal.fits",
    "dl_str",
)
ROWS: list[dict[str, Cell]] = [
    {
        "proposal_id": 1410, "obsnum": 1, "productFilename": "jw01410001001_02101_00001_guider1_uncal.fits",
        "t_min": 59623.957319, "size": 100713600, "outfilename": "/data/01410/obsnum01/x_uncal.fits",
        "_uncal.fits": 1, "dl_str": "exists",
    },
    {
        "proposal_id": 12782, "obsnum": None, "productFilename": "jw12782-c1001_t001_miri_f770w_i2d.fits",
        "t_min": None, "size": None, "outfilename": "/data/12782/NA/jw12782-c1001_t001_miri_f770w_i2d.fits",
        "_uncal.fits": 0, "dl_str": None,
    },
]  # fmt: skip


def read_with_pandas(text: str, rows: int = 100) -> list[dict[str, object]]:
    frame = pandas.read_fwf(io.StringIO(text), infer_nrows=max(rows, 100))
    return [
        {
            str(column): None if pandas.isna(value) else value
            for column, value in zip(frame.columns, record, strict=True)
        }
        for record in frame.itertuples(index=False)
    ]


def read_with_astropy(text: str) -> list[dict[str, object]]:
    table = Table.read(text, format="ascii")
    return [{name: _plain(row[name]) for name in table.colnames} for row in table]


def _plain(value: object) -> object:
    found = value.item() if hasattr(value, "item") else value
    missing = found == "NaN" or (isinstance(found, float) and math.isnan(found))
    return None if missing else found


@pytest.mark.parametrize("read", [read_with_pandas, read_with_astropy])
def test_both_readers_find_every_value_of_a_text_table(read: object) -> None:
    assert read(to_text(ROWS, COLUMNS)) == ROWS  # type: ignore[operator]


def test_a_missing_number_is_not_a_number_to_both_readers() -> None:
    text = to_text(ROWS, COLUMNS)

    assert Table.read(text, format="ascii")["size"].dtype.kind == "f"
    assert pandas.read_fwf(io.StringIO(text))["size"].isna().tolist() == [False, True]


@pytest.mark.parametrize("read", [read_with_pandas, read_with_astropy])
def test_blanks_and_hostile_characters_do_not_tear_a_text_table(read: object) -> None:
    hostile: list[dict[str, Cell]] = [
        {"a": "Oesch, Pascal", "b": 1, "c": '"quoted" | & $'},
        {"a": "#comment\n1 2 3", "b": 2, "c": "tab\there\u2028there"},
        {"a": "'", "b": 3, "c": "\x1b[31mred"},
    ]

    text = to_text(hostile, ("a", "b", "c"))

    assert len(text.splitlines()) == 4
    assert read(text) == [  # type: ignore[operator]
        {"a": "Oesch,_Pascal", "b": 1, "c": "'quoted'_|_&_$"},
        {"a": "_comment_1_2_3", "b": 2, "c": "tab_here_there"},
        {"a": "'", "b": 3, "c": "_[31mred"},
    ]


cells = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"jw[0-9]{5}[a-z]{1,20}_[a-z0-9]{2,8}\.fits", fullmatch=True),
        "number": st.none() | st.integers(-(10**12), 10**12),
        "time": st.none() | st.floats(50000, 70000),
        "word": st.none() | st.text("abcdefg:/.-", min_size=1, max_size=30).map(lambda text: f"x{text}"),
    }
)


@given(st.lists(cells, min_size=1, max_size=30))
def test_any_table_reads_back_with_both_readers(rows: list[dict[str, Cell]]) -> None:
    text = to_text(rows, tuple(rows[0]))

    assert read_with_pandas(text) == rows
    assert read_with_astropy(text) == rows


def test_a_long_table_reads_back_although_its_widest_values_come_last() -> None:
    rows: list[dict[str, Cell]] = [
        {"name": "x" * (3 if number < 290 else 40), "size": number, "after": "y"} for number in range(300)
    ]

    text = to_text(rows, ("name", "size", "after"))

    assert read_with_pandas(text, rows=len(rows)) == rows
    assert read_with_astropy(text) == rows


def test_an_empty_table_still_has_its_columns() -> None:
    text = to_text([], COLUMNS)

    assert list(pandas.read_fwf(io.StringIO(text)).columns) == list(COLUMNS)
    assert Table.read(text, format="ascii").colnames == list(COLUMNS)


def test_columns_stand_under_each_other_and_nothing_is_cut() -> None:
    lines = to_text(ROWS, COLUMNS).splitlines()
    starts = [[match.start() for match in re.finditer(r"/data", line)] for line in lines[1:]]

    assert starts[0] == starts[1]
    assert str(ROWS[1]["outfilename"]) in lines[2]
    assert all(line == line.rstrip() for line in lines)


def test_a_screen_gets_cells_of_at_most_the_given_width() -> None:
    text = to_text(ROWS, COLUMNS, width=12)

    assert max(len(cell) for line in text.splitlines() for cell in line.split()) == 12
    assert "jw0141000..." in text


def test_csv_keeps_every_character_and_leaves_missing_values_empty() -> None:
    rows: list[dict[str, Cell]] = [{"a": 'Oesch, "Pascal"\nB', "b": None}, {"a": "x y", "b": 1.5}]

    assert list(csv.DictReader(io.StringIO(to_csv(rows, ("a", "b"))))) == [
        {"a": 'Oesch, "Pascal"\nB', "b": ""},
        {"a": "x y", "b": "1.5"},
    ]


def test_ecsv_keeps_types_units_and_what_is_missing() -> None:
    table = Table.read(to_ecsv(ROWS, COLUMNS), format="ascii.ecsv")

    assert table["t_min"].unit == units.day
    assert table["size"].unit == units.byte
    assert [table[name].dtype.kind for name in COLUMNS] == ["i", "i", "U", "f", "i", "U", "i", "U"]
    masked = Table(table, masked=True)
    assert [
        {name: None if masked[name].mask[number] else masked[name][number].item() for name in COLUMNS}
        for number in range(2)
    ] == ROWS


def test_ecsv_of_nothing_has_its_columns() -> None:
    assert Table.read(to_ecsv([], COLUMNS), format="ascii.ecsv").colnames == list(COLUMNS)


def test_json_rows_are_valid_json_with_null_for_what_is_no_number() -> None:
    rows: list[dict[str, Cell]] = [
        {"a": math.nan, "b": math.inf, "c": 1, "d": "2022-02-13T22:58:32.362Z", "hidden": 1}
    ]

    found = to_json_rows(rows, ("a", "b", "c", "d", "e"))

    assert json.loads(json.dumps(found, allow_nan=False)) == [
        {"a": None, "b": None, "c": 1, "d": "2022-02-13T22:58:32.362Z", "e": None}
    ]
