from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path

import pytest
from astropy.table import MaskedColumn, Table
from hypothesis import given, settings
from hypothesis import strategies as st

from jwstwatch.errors import ContentError
from jwstwatch.imaging.content import check
from jwstwatch.imaging.texts import LARGEST_PARSED

CATALOGUE = """\
# %ECSV 1.0
# ---
# datatype:
# - {name: label, datatype: int64}
# - {name: name, datatype: string}
# schema: astropy-2.0
label name
1 star
2 "a star with a "" and a gap"
3 ""
"""


@pytest.fixture
def put(tmp_path: Path):
    def write(content: bytes | str) -> Path:
        path = tmp_path / ".name.1.part"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


letters = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])
words = st.text(letters | st.sampled_from("\t\n\"'#, "), max_size=12)
columns = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_. ]{0,8}[a-z]", fullmatch=True)
rows = st.lists(st.tuples(words, st.floats(), st.integers(-(2**60), 2**60), st.booleans()), max_size=5)


@settings(deadline=None, max_examples=60)
@given(names=st.lists(columns, min_size=4, max_size=4, unique=True), rows=rows, comma=st.booleans())
def test_every_table_that_astropy_writes_passes(tmp_path_factory, names, rows, comma):
    table = Table(rows=rows, names=names, dtype=["U12", "f8", "i8", "?"])
    table.meta["comments"] = ["delimiter: ;", "# of sources: 3"]
    if rows:
        table[names[1]] = MaskedColumn(table[names[1]], mask=[True] + [False] * (len(rows) - 1))
    text = io.StringIO()
    table.write(text, format="ascii.ecsv", delimiter="," if comma else " ")
    path = tmp_path_factory.getbasetemp() / "t.ecsv"
    path.write_text(text.getvalue(), encoding="utf-8")
    check(path, "jw01345-o062_t001_nircam_clear-f200w_cat.ecsv")


def test_a_catalogue_passes_with_what_writers_leave_around_it(put):
    for text in (CATALOGUE, CATALOGUE + "\n   \n", CATALOGUE.replace("\n", "\r\n"), "\ufeff" + CATALOGUE):
        check(put(text), "x_cat.ecsv")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (CATALOGUE[2:], "does not begin as ECSV"),
        (CATALOGUE[: CATALOGUE.index("label name")], "names of its columns"),
        (CATALOGUE[: CATALOGUE.index("2 ") + 1], "1 of 2 columns"),
        (CATALOGUE + "4 star 5 star\n", "4 of 2 columns"),
        ("# %ECSV\n", "does not begin as ECSV"),
    ],
)
def test_a_catalogue_that_astropy_could_not_read_is_refused(put, broken, words):
    with pytest.raises(ContentError, match=words):
        check(put(broken), "x_cat.ecsv")


def test_a_field_longer_than_the_reader_takes_is_no_reason_to_refuse(put):
    check(put(CATALOGUE + f'4 "{"x" * 200_000}"\n'), "x_cat.ecsv")


def test_the_columns_of_a_csv_prove_nothing(put):
    check(put("# pool\nFilename|PntgType\njw05224_uncal.fits|SCIENCE\na|b|c\n"), "x_pool.csv")


def test_an_association_passes_and_cut_anywhere_is_refused(put):
    members = [{"expname": f"jw{number}_cal.fits", "exptype": "science"} for number in range(3)]
    whole = json.dumps({"asn_type": "image3", "products": [{"name": "x", "members": members}]}, indent=4)
    check(put(whole), "x_asn.json")
    for cut in range(0, len(whole), 3):
        with pytest.raises(ContentError):
            check(put(whole[:cut]), "x_asn.json")


@pytest.mark.parametrize("ending", [".json", ".ecsv", ".csv", ".txt"])
def test_a_large_text_takes_no_more_memory_than_a_small_one(put, ending):
    length = LARGEST_PARSED + 1_000_000
    start = {".json": '{"products": [', ".ecsv": "# %ECSV 1.0\n# ---\na b\n"}.get(ending, "")
    path = put(start + "1, 22\n" * (length // 6) + {".json": "3]}\n"}.get(ending, ""))
    tracemalloc.start()
    check(path, "x" + ending)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < LARGEST_PARSED


@pytest.mark.parametrize("start", ["[1, ", '{"a": [', "1, "])
def test_a_large_json_must_end_as_it_begins(put, start):
    with pytest.raises(ContentError, match="does not end as it begins"):
        check(put(start + "1, " * (LARGEST_PARSED // 3) + "1"), "x_asn.json")


@pytest.mark.parametrize("delimiter", ["\r", '"', "'\"'"])
def test_a_delimiter_that_can_be_none_is_taken_for_the_usual_one(put, delimiter):
    path = put(f"# %ECSV 1.0\n# ---\n# delimiter:{delimiter}\na b\n1 2 3\n")
    with pytest.raises(ContentError, match="3 of 2 columns"):
        check(path, "x_cat.ecsv")
