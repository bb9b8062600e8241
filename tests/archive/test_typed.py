"""The fast way from an answer to its rows and the long one come to the same."""

from __future__ import annotations

import csv
import json
import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwstwatch.archive import typed
from jwstwatch.archive.listing import OBSERVATIONS, PRODUCTS, observation_key, product_key
from jwstwatch.archive.pages import read_page
from jwstwatch.archive.replies import Answer, read_envelope
from jwstwatch.archive.rows import choose_observations, read_listing, read_observations, usable_products
from jwstwatch.errors import ArchiveError

SERVICES = (PRODUCTS, OBSERVATIONS)
PRODUCT_COLUMNS = (
    *("dataURI", "obsID", "parent_obsid", "productFilename", "obs_id", "size", "proposal_id", "prvversion"),
    *("calib_level", "type", "description", "dataRights", "obs_collection", "_selected_"),
)
OBSERVATION_COLUMNS = (
    *("obs_id", "obsid", "proposal_id", "calib_level", "t_min", "s_ra", "dataRights", "target_name"),
    *("jpegURL", "mtFlag", "_selected_"),
)
PLAIN = st.sampled_from([None, "jw1", "5", 5, 6.0, -1, "PUBLIC", "mast:JWST/product/jw1_uncal.fits", ""])
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=6),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=1),
    st.sampled_from(
        [
            *(
                "--",
                "null",
                " ",
                "-999",
                "254258482.0",
                "01345",
                "nan",
                "a\x00b",
                "\ud800",
                "\N{NO-BREAK SPACE}x ",
            ),
            *(
                -999,
                -999.0,
                254258482.0,
                2**53 + 1,
                float(2**53 + 2),
                2**60,
                float(2**60),
                2**63,
                10**30,
                -0.0,
            ),
            *(1e308, math.inf, 5e-324, True, 1, 1.0),
        ]
    ),
)


def rows_of(columns: tuple[str, ...]) -> st.SearchStrategy[list[dict[str, Any]]]:
    row = st.dictionaries(st.sampled_from(columns), PLAIN | ODD, max_size=len(columns))
    named = st.fixed_dictionaries(dict.fromkeys(columns[:2], PLAIN)).flatmap(
        lambda first: row.map(lambda rest: rest | first)
    )
    return st.lists(named | row, max_size=6)


def body_of(rows: Any, **changes: Any) -> bytes:
    count = len(rows) if isinstance(rows, list) else 0
    paging = {"page": 1, "pageSize": 50000, "pagesFiltered": 1, "rows": count, "rowsFiltered": count}
    envelope = {"status": "COMPLETE", "msg": "", "data": rows, "fields": [], "paging": paging} | changes
    return json.dumps(envelope).encode()


def told(service: str, body: bytes, *, fast: bool) -> Any:
    """Return all that comes of an answer, so that two ways to read it can be compared."""
    answer = Answer(server="here", status=200, body=body)
    products = service == PRODUCTS
    try:
        if fast:
            page = read_page(answer, service=service, page=1)
            if page["status"] != "COMPLETE":
                return page["status"]
            table = page["data"]
            count, keys = len(table), table.keys()
            read = usable_products(table.read()) if products else choose_observations(table.read())
        else:
            page = read_envelope(answer, page=1)
            if page["status"] != "COMPLETE":
                return page["status"]
            rows = page["data"]
            count, keys = len(rows), frozenset(map(product_key if products else observation_key, rows))
            read = read_listing(rows) if products else read_observations(rows)
    except ArchiveError as error:
        return type(error), error.message, error.hint
    columns = [] if products else [repr(dict(entry.columns)) for entry in read]
    return page["paging"], count, keys, repr(read), columns


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    """What is left out is told of, at every example."""
    log = logging.getLogger("jwstwatch.archive.rows")
    log.setLevel(logging.ERROR)
    yield
    log.setLevel(logging.NOTSET)


@settings(deadline=None, max_examples=100)
@given(rows=rows_of(PRODUCT_COLUMNS))
def test_any_product_rows_are_read_alike(rows: list[dict[str, Any]]) -> None:
    body = body_of(rows)
    assert told(PRODUCTS, body, fast=True) == told(PRODUCTS, body, fast=False)


@settings(deadline=None, max_examples=100)
@given(rows=rows_of(OBSERVATION_COLUMNS))
def test_any_observation_rows_are_read_alike(rows: list[dict[str, Any]]) -> None:
    body = body_of(rows)
    assert told(OBSERVATIONS, body, fast=True) == told(OBSERVATIONS, body, fast=False)


SOUND = json.dumps(
    {
        "status": "COMPLETE",
        "msg": "",
        "data": [
            {
                "dataURI": "mast:a/\xe9",
                "obsID": 12.5e3,
                "obsid": 7,
                "obs_id": "\\u00e9",
                "x": [1, {"y": None}],
            },
            {"obsID": "5", "dataURI": "b", "obsid": -7, "obs_id": "jw", "t_min": 1e-3, "size": 10, "z": True},
        ],
        "paging": {"page": 1, "pageSize": 9, "pagesFiltered": 1, "rowsFiltered": 2},
    },
    ensure_ascii=False,
).encode()
_BYTES = [bytes([byte]) for byte in b'{}[]",:\\09-+.eEtfnu \x00\x1f\x7f\xff\xc3']
_PIECES = (
    *(b"NaN", b"\\ud800", b"null", b"1e999", b"9" * 5000, b"\xef\xbb\xbf"),
    *(b'"data":[],', b'"page":1e400,', b'"obsID":5,'),
)
EDITS = st.lists(
    st.tuples(
        st.integers(0, len(SOUND) - 1),
        st.integers(0, 2),
        st.sampled_from([*_BYTES, *_PIECES]),
    ),
    min_size=1,
    max_size=3,
)


@pytest.mark.parametrize("service", SERVICES)
@settings(deadline=None, max_examples=200)
@given(edits=EDITS)
def test_any_damage_to_an_answer_is_judged_alike(service: str, edits: list[tuple[int, int, bytes]]) -> None:
    body = bytearray(SOUND)
    for place, way, piece in edits:
        body[place : place + way] = piece
    assert told(service, bytes(body), fast=True) == told(service, bytes(body), fast=False)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "body",
    [
        b'{"status": "COMPLETE", "data": [], "unread": "\xd6berg", "paging": {"page": 1}}',
        body_of([{"obs_id": "\xd6berg", "obsid": 1, "dataURI": "\xd6", "obsID": 1}]).replace(
            b"\\u00d6", b"\xd6"
        ),
        body_of([{"obsid": 1, "obsID": 1, "obs_id": "a", "dataURI": "b", "unread": 7}]).replace(
            b"7", b"7" * 5000
        ),
        body_of([{"obsid": 1, "obsID": 1, "obs_id": "a", "dataURI": "b"}]).replace(b"{", b'{"obsid": 2, ', 1),
        body_of([]).replace(b'"msg"', b'"data": 7, "msg"'),
        body_of(
            [{"obs_id": "a", "obsid": 1}] * 2, paging={"page": "1", "pagesFiltered": 1, "rowsFiltered": "2"}
        ),
        body_of([{"dataURI": "a", "obsID": 1, "parent_obsid": value} for value in (2**60, 2.0**60, 2**60)]),
        body_of(
            [{"dataURI": "a", "obsID": 1, "size": value} for value in (-5, -999, 2**53, 2**60, "7", 7.5)]
        ),
        body_of([{"obs_id": value, "obsid": 1, "t_min": value} for value in ("-999", "1e3")]),
        body_of([{"obs_id": "a", "obsid": 1, "t_min": -999.0, "s_ra": -999, "s_dec": 5}]),
        body_of(None),
        body_of({"rows": 1}),
        body_of([[1]]),
        body_of([], status="EXECUTING"),
        body_of([], status="ERROR", msg="This is a timeout"),
        body_of([], status=None),
        body_of([], paging=None),
        body_of([], paging={"page": 2, "pagesFiltered": 1, "rowsFiltered": 0}),
        body_of([], paging={"page": 1, "pagesFiltered": 1, "rowsFiltered": 10**30}),
        b"[" * 100_000,
        b'{"status": "COMPLETE", "data": [], "unread": ' + b"[" * 100_000,
        b"{}",
        b"",
        body_of([]).decode().encode("utf-16"),
    ],
)
def test_the_oddities_on_record_are_judged_alike(service: str, body: bytes) -> None:
    assert told(service, body, fast=True) == told(service, body, fast=False)


def test_recorded_rows_go_the_fast_way_and_equal_ones_share_their_texts(reference: Path) -> None:
    with (reference / "real" / "products.csv").open(newline="") as stream:
        recorded = [row for row in csv.DictReader(stream) if row["row_kind"] == "full_caom"]
    numbers = ("obsID", "parent_obsid", "size", "calib_level")
    rows = [
        {name: int(row[name]) if name in numbers else row[name] or None for name in row} for row in recorded
    ]
    body = body_of(rows)
    decoded = typed.decode(body, PRODUCTS)
    assert decoded is not None
    listed = usable_products(decoded[1].read())
    assert listed == read_listing(rows)
    for name in ("uri", "name", "obs_id", "project", "description", "data_rights"):
        texts = [getattr(row, name) for row in listed]
        assert len(set(map(id, texts))) == len(set(texts))


def test_a_column_that_nobody_asks_for_is_not_decoded() -> None:
    rows = [{"obs_id": "a", "obsid": 1, "jpegURL": "--"}, {"obs_id": "b", "obsid": 2, "jpegURL": "x.jpg"}]
    decoded = typed.decode(body_of(rows), OBSERVATIONS)
    assert decoded is not None
    first, second = choose_observations(decoded[1].read())
    late = first.columns._rows  # type: ignore[attr-defined]
    assert late is second.columns._rows  # type: ignore[attr-defined]
    assert late._rows is None
    assert (first.columns["jpegURL"], second.columns.get("jpegURL"), second.columns.get("mtFlag")) == (
        None,
        "x.jpg",
        None,
    )
    assert second.columns == rows[1]


def test_columns_too_deep_to_be_decoded_are_none() -> None:
    body = body_of([{"obs_id": "a", "obsid": 1, "x": "deep"}]).replace(b'"deep"', b"[" * 900 + b"]" * 900)
    decoded = typed.decode(body, OBSERVATIONS)
    assert decoded is not None
    (entry,) = choose_observations(decoded[1].read())

    def ask(depth: int) -> object:
        return ask(depth - 1) if depth else entry.columns.get("x")

    assert ask(500) is None
    assert entry.obsid == 1
