"""Tables, sizes and times as people see them."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwstwatch.cli import output
from jwstwatch.cli.output import Look

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

HEAD = ["profile", "schedule", "present", "gone", "on disk"]
ROWS = [
    ["nircam-team", "every 6h", "129", "0", "22.5 MB"],
    ["spectra", "cron 15 */6 * * * (UTC)", "7", "0", "1 GB"],
]


def widths(text: str) -> set[int]:
    return {len(line) for line in text.splitlines()}


def test_numbers_stand_to_the_right_and_words_to_the_left() -> None:
    lines = output.table(HEAD, ROWS, look=Look()).splitlines()
    assert lines[0] == "profile      schedule                 present  gone  on disk"
    assert lines[1] == "nircam-team  every 6h                     129     0  22.5 MB"
    assert lines[2] == "spectra      cron 15 */6 * * * (UTC)        7     0     1 GB"


def test_columns_are_left_out_in_the_order_given_until_it_fits() -> None:
    def head(width: int) -> list[str]:
        return (
            output.table(HEAD, ROWS, look=Look(width=width), least=["gone", "schedule"])
            .split("\n")[0]
            .split("  ")
        )

    full = max(widths(output.table(HEAD, ROWS, look=Look())))
    shown = [[name.strip() for name in head(width) if name.strip()] for width in (full, full - 1, 40)]
    assert shown == [HEAD, ["profile", "schedule", "present", "on disk"], ["profile", "present", "on disk"]]


def test_then_the_widest_column_of_words_is_cut() -> None:
    text = output.table(["file", "size"], [["a" * 50, "1 kB"]], look=Look(width=20))
    assert text.splitlines()[1] == "a" * 13 + "…  1 kB"


@given(
    st.lists(st.lists(st.text("ab 1", max_size=40), min_size=4, max_size=4), min_size=1, max_size=5),
    st.integers(70, 250),
)
def test_a_table_never_passes_its_width(rows: list[list[str]], width: int) -> None:
    rows = [[row[0], *(cell[:16] for cell in row[1:])] for row in rows]
    assert max(widths(output.table(["a", "b", "c", "d"], rows, look=Look(width=width)))) <= width


def test_a_style_paints_the_cell_and_moves_nothing() -> None:
    def style(column: str, cell: str) -> str:
        return "red" if (column, cell) == ("present", "7") else ""

    plain = output.table(HEAD, ROWS, look=Look(), style=style)
    painted = output.table(HEAD, ROWS, look=Look(colour=True), style=style)
    assert "\033[31m" in painted
    assert re.sub(r"\033\[\d+m", "", painted) == plain


def test_a_pipe_is_as_wide_as_it_likes_and_has_no_colour() -> None:
    assert output.look_of(io.StringIO(), {"COLUMNS": "80"}) == Look(width=None, colour=False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "colour"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colour_is_for_terminals_whose_user_does_not_mind(environ: dict[str, str], colour: bool) -> None:
    assert output.look_of(Terminal(), environ) == Look(width=80, colour=colour)


def test_a_terminal_is_as_wide_as_columns_says() -> None:
    assert output.look_of(Terminal(), {"COLUMNS": "132"}).width == 132
    assert output.look_of(Terminal(), {"COLUMNS": "wide"}).width == 80


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "5 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (7200, "2 h"), (172800, "2 d")],
)
def test_a_length_of_time_is_written_in_the_unit_that_fits(seconds: int, text: str) -> None:
    assert output.span(seconds) == text
    assert output.ago(NOW - timedelta(seconds=seconds), NOW) == f"{text} ago"
    assert output.ago(NOW + timedelta(seconds=seconds), NOW) == f"in {text}"


def test_a_document_for_programs_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json_line({"text": "a\nb"})
    assert capsys.readouterr().out == '{"schema":1,"text":"a\\nb"}\n'


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=4)


@settings(max_examples=60)
@given(rows=st.lists(DOCUMENTS, max_size=4), more=DOCUMENTS)
def test_rows_that_are_written_one_by_one_are_the_document_that_is_printed_at_once(
    rows: list[dict[str, object]], more: dict[str, object]
) -> None:
    more.pop("rows", None)
    more.pop("schema", None)
    with contextlib.redirect_stdout(io.StringIO()) as whole:
        output.print_json({"rows": rows} | more)
    with contextlib.redirect_stdout(io.StringIO()) as written:
        document = output.JsonRows("rows")
        for number, row in enumerate(rows):
            assert bool(written.getvalue()) is (number > 0)
            document.write(row)
        document.end(more)
    assert written.getvalue() == whole.getvalue()


def test_a_long_table_is_told_before_its_last_row_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_AT_ONCE", 3)
    taken: list[int] = []

    def rows() -> Iterator[list[str]]:
        for number in range(9):
            taken.append(number)
            yield ["gone" if number < 8 else "withheld", f"{number} kB", "a" * number + "\n"]

    lines = output.lines_of_table(["state", "size", "file"], rows(), widest=("withheld", "1.23 GB", ""))
    assert next(lines).split() == ["state", "size", "file"]
    assert taken == [0, 1, 2]
    told = list(lines)
    assert len(told) == 9
    assert told[1] == "gone         1 kB  a\N{REPLACEMENT CHARACTER}"
    assert told[8] == "withheld     8 kB  aaaaaaaa\N{REPLACEMENT CHARACTER}"


def test_what_comes_late_and_is_wider_than_its_column_is_cut_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(output, "_AT_ONCE", 2)
    rows = [["1 kB", "stale", "a"], ["2 kB", "gone", "b"], ["3 kB", "of no profile", "c"]]
    for out, last in ((io.StringIO(), "3 kB  of no profile  c"), (Terminal(), "3 kB  of n…  c")):
        with contextlib.redirect_stdout(out):
            assert list(output.lines_of_table(["size", "why", "file"], rows, widest=["", "", ""]))[-1] == last


def test_a_short_table_is_the_same_in_lines() -> None:
    assert list(output.lines_of_table(HEAD, iter(ROWS))) == output.table(HEAD, ROWS, look=Look()).split("\n")


def test_what_steers_a_terminal_is_not_passed_on() -> None:
    text = output.table(["file", "size"], [["a\033[2Jb\nc", "1 kB"]], look=Look())
    assert text.splitlines()[1] == "a\ufffd[2Jb\ufffdc  1 kB"
    assert len(text.splitlines()) == 2
