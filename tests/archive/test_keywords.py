"""The file-keyword services, asked through the real client: what is sent, and what is believed."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.archive.keywords import NAMES, read_keywords
from jwstwatch.archive.mast import MastArchive
from jwstwatch.core.keywords import SERVICES, KeywordRow
from jwstwatch.errors import ArchiveError, ArchiveTimeoutError, IncompleteListingError, RejectedQueryError
from tests.archive.server import Mast, Reply, as_reply, envelope, in_turn, paged

Connect = Callable[..., MastArchive]

NAME = "jw01345001001_02101_00001_nrca1_rate.fits"
URI = f"mast:JWST/product/{NAME}"
MD5 = "3a709de0b7c671aa4c646b98f86f12d7"


def row(**columns: Any) -> dict[str, Any]:
    stated = {
        "filename": NAME,
        "dataURI": URI,
        "fileSize": 117544320,
        "checksum": MD5,
        "date": "/Date(1726014090123)/",
        "cal_ver": "1.15.1",
        "crds_ctx": "jwst_1276.pmap",
        "ingestCompletionDate": "/Date(1726014177000)/",
    }
    return stated | columns


def test_a_question_names_the_service_its_columns_and_each_proposal_in_both_spellings(
    mast: Mast, connect: Connect
) -> None:
    assert connect().keywords("guidestar", [1345, 12782], None) == []
    (asked,) = mast.asked
    assert asked.request["service"] == "Mast.Jwst.Filtered.GuideStar"
    assert asked.request["params"]["filters"] == [
        {"paramName": "program", "values": ["1345", "01345", "12782"]}
    ]
    assert "checksum" in asked.request["params"]["columns"].split(",")
    assert "*" not in asked.request["params"]["columns"]


def test_a_limit_is_a_range_that_is_open_above(mast: Mast, connect: Connect) -> None:
    connect().keywords("nircam", [1345], 60564.5)
    limit = mast.questions[0].request["params"]["filters"][1]
    assert limit == {"paramName": "ingestCompletionDate_mjd", "values": [{"min": 60564.5, "max": 100_000.0}]}


def test_every_service_has_a_name_and_no_proposal_is_no_question(mast: Mast, connect: Connect) -> None:
    assert set(NAMES) == set(SERVICES)
    assert connect().keywords("miri", [], None) == []
    assert mast.asked == []


def test_what_a_row_states_is_read(mast: Mast, connect: Connect) -> None:
    mast.invoke = paged([row()])
    assert connect().keywords("nircam", [1345], None) == [
        KeywordRow(
            uri=URI,
            checksum=MD5,
            size=117544320,
            date="2024-09-11T00:21:30Z",
            cal_ver="1.15.1",
            crds_ctx="jwst_1276.pmap",
            ingested="2024-09-11T00:22:57Z",
        )
    ]


@pytest.mark.parametrize(
    "written",
    [
        "/Date(1726014090123)/",
        "/Date(1726014090999+0000)/",
        "2024-09-11T00:21:30.123",
        "2024-09-11 00:21:30Z",
        "2024-09-11T02:21:30+02:00",
    ],
)
def test_the_same_time_is_the_same_text_however_it_is_written(written: str) -> None:
    assert read_keywords([row(date=written)])[0].date == "2024-09-11T00:21:30Z"


@pytest.mark.parametrize("value", [None, "", "--", [], {}, True, 1.5, "x" * 500, "\x00", "null"])
def test_what_is_not_what_it_should_be_is_not_stated(value: object) -> None:
    columns = ("fileSize", "checksum", "date", "cal_ver", "crds_ctx", "ingestCompletionDate")
    entry = read_keywords([row(**dict.fromkeys(columns, value))])[0]
    assert entry.facts == {}


@pytest.mark.parametrize("checksum", [MD5[:-1], MD5 + "0", "g" * 32, "٠" * 32, 12345678901234567890])
def test_only_32_hexadecimal_digits_are_a_checksum(checksum: object) -> None:
    assert read_keywords([row(checksum=checksum)])[0].checksum is None
    assert read_keywords([row(checksum=MD5.upper())])[0].checksum == MD5


@pytest.mark.parametrize(("size", "read"), [("254", 254), (254.0, 254), (-1, None), (2**60, None)])
def test_a_size_is_a_number_of_bytes(size: object, read: int | None) -> None:
    assert read_keywords([row(fileSize=size)])[0].size == read


def test_a_file_without_an_address_is_known_by_its_name() -> None:
    assert read_keywords([row(dataURI=None)])[0].uri == URI
    for name in (None, "../../etc/passwd", "a b.fits", "x" * 300):
        assert read_keywords([row(dataURI=None, filename=name)]) == []
    assert read_keywords([row(dataURI="http://elsewhere.invalid/x.fits")]) == []


def test_of_a_file_with_two_rows_that_disagree_nothing_is_believed() -> None:
    twice = read_keywords([row(), row(filename="another", dataURI=URI + "x"), row()])
    assert [entry.uri for entry in twice] == [URI, URI + "x"]
    assert read_keywords([row(), row(checksum="0" * 32)]) == []


@given(
    st.lists(
        st.dictionaries(st.sampled_from(sorted(row())), st.none() | st.text() | st.floats() | st.integers())
    )
)
def test_no_row_whatever_breaks_the_reading(rows: list[dict[str, Any]]) -> None:
    for entry in read_keywords(rows):
        assert entry.checksum is None or len(entry.checksum) == 32
        assert entry.size is None or entry.size >= 0
        assert all(len(str(value)) <= 64 for value in entry.facts.values())


def test_recorded_rows_come_through_the_real_client(mast: Mast, connect: Connect, reference: Path) -> None:
    with (reference / "real" / "keyword_service_nircam.csv").open(newline="", encoding="utf-8-sig") as stream:
        lines = [line for line in stream if not line.lstrip('"').startswith("#")]
    recorded = list(csv.DictReader(lines))
    mast.invoke = paged([{name: value or None for name, value in entry.items()} for entry in recorded])
    read = connect(pagesize=20).keywords("nircam", [1685], None)
    assert len(read) == len(recorded) == 45
    by_uri = {entry["dataURI"]: entry for entry in recorded}
    for entry in read:
        told = by_uri[entry.uri]
        assert (entry.checksum, str(entry.size)) == (told["checksum"], told["fileSize"])
        assert (entry.cal_ver, entry.crds_ctx) == (told["cal_ver"], told["crds_ctx"])


def test_an_answer_that_is_not_whole_is_none(mast: Mast, connect: Connect) -> None:
    mast.invoke = in_turn(as_reply(envelope([row()], rowsFiltered=2)))
    with pytest.raises(IncompleteListingError):
        connect().keywords("nircam", [1345], None)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (as_reply({"status": "ERROR", "msg": "Invalid column name"}), RejectedQueryError),
        (as_reply({"status": "ERROR", "msg": "Execution Timeout Expired"}), ArchiveTimeoutError),
        (Reply(b"<html>closed</html>"), ArchiveError),
        (Reply(b"", status=504), ArchiveTimeoutError),
    ],
)
def test_trouble_is_told_as_of_any_other_question(
    mast: Mast, connect: Connect, reply: Reply, error: type[Exception]
) -> None:
    mast.invoke = in_turn(reply)
    with pytest.raises(error):
        connect().keywords("nircam", [1345], None)


def test_a_service_that_is_at_work_for_ever_is_given_up_sooner_than_a_listing(
    mast: Mast, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwstwatch.archive.mast.KEYWORDS_LIMIT", 0.05)
    mast.invoke = in_turn(as_reply({"status": "EXECUTING"}))
    archive = connect()
    with pytest.raises(ArchiveTimeoutError, match=r"Nircam.* 0 s"):
        archive.keywords("nircam", [1345], None)
    mast.invoke = in_turn(*[as_reply({"status": "EXECUTING"})] * 2, paged([]))
    assert archive.products([7]) == []
