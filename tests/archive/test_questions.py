"""What the archive is asked: the requests that astroquery really sends."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.archive.mast import MastArchive
from jwstwatch.core.query import ObservationQuery
from jwstwatch.errors import ArchiveError
from tests.archive.server import COLUMNS, Mast, Reply, as_reply, paged

Connect = Callable[..., MastArchive]


def filters(mast: Mast) -> list[dict[str, Any]]:
    return [
        {entry["paramName"]: entry for entry in asked.request["params"]["filters"]}
        for asked in mast.questions
    ]


def observation(obsid: int, **columns: Any) -> dict[str, Any]:
    return {"obsid": obsid, "obs_id": f"jw01345001001_02101_{obsid:05d}_nrca1", "calib_level": 1} | columns


def test_each_instrument_pattern_is_a_question_of_its_own(mast: Mast, connect: Connect) -> None:
    connect().observations(ObservationQuery(instrument_patterns=("NIRCAM*", "MIRI/IMAGE*")))
    assert [entry["instrument_name"]["freeText"] for entry in filters(mast)] == ["NIRCAM%", "MIRI/IMAGE%"]
    assert all(entry["obs_collection"]["values"] == ["JWST"] for entry in filters(mast))


def test_a_proposal_is_asked_for_in_both_spellings(mast: Mast, connect: Connect) -> None:
    connect().observations(ObservationQuery(instrument_patterns=("NIRCAM*",), proposals=(1345, 12782)))
    assert filters(mast)[0]["proposal_id"]["values"] == ["1345", "01345", "12782"]


def test_an_open_limit_of_the_window_is_a_number(mast: Mast, connect: Connect) -> None:
    archive = connect()
    archive.observations(ObservationQuery(t_min=(None, 60000.5)))
    archive.observations(ObservationQuery(t_min=(60000.5, None)))
    values = [entry["t_min"]["values"] for entry in filters(mast)]
    assert values == [[{"min": 0.0, "max": 60000.5}], [{"min": 60000.5, "max": 100_000.0}]]


def test_without_a_window_none_is_sent(mast: Mast, connect: Connect) -> None:
    connect().observations(ObservationQuery(proposals=(1345,)))
    assert set(filters(mast)[0]) == {"obs_collection", "proposal_id"}


def test_planned_observations_are_asked_beside_the_window(mast: Mast, connect: Connect) -> None:
    mast.invoke = lambda asked: paged(
        [observation(2, calib_level=-1, t_min=None)]
        if any(entry["paramName"] == "calib_level" for entry in asked.request["params"]["filters"])
        else [observation(1, t_min=60001.0)]
    )(asked)
    found = connect().observations(ObservationQuery(proposals=(1345,), t_min=(60000.0, None), planned=True))
    assert [(entry.obsid, entry.planned) for entry in found] == [(1, False), (2, True)]
    assert "t_min" not in filters(mast)[1]


def test_planned_observations_are_left_out_unless_asked_for(mast: Mast, connect: Connect) -> None:
    mast.invoke = paged([observation(1), observation(2, calib_level=-1)])
    found = connect().observations(ObservationQuery(proposals=(1345,)))
    assert [entry.obsid for entry in found] == [1]
    both = connect().observations(ObservationQuery(proposals=(1345,), planned=True))
    assert [entry.obsid for entry in both] == [1, 2]


def test_answers_to_several_patterns_are_merged(mast: Mast, connect: Connect) -> None:
    mast.invoke = paged([observation(1), observation(2)])
    found = connect().observations(ObservationQuery(instrument_patterns=("NIRCAM*", "NIRCAM/IMAGE*")))
    assert [entry.obsid for entry in found] == [1, 2]


def test_of_two_numbers_for_one_observation_the_newer_counts(mast: Mast, connect: Connect) -> None:
    rows = [observation(7), observation(7) | {"obsid": 9}, observation(7) | {"obsid": 11, "calib_level": -1}]
    mast.invoke = paged(rows)
    found = connect().observations(ObservationQuery(proposals=(1345,), planned=True))
    assert [entry.obsid for entry in found] == [9]


def test_products_are_asked_by_number_and_each_once(mast: Mast, connect: Connect) -> None:
    connect().products([254258482, 254258368, 254258482])
    assert mast.questions[0].request["service"] == "Mast.Caom.Products"
    assert mast.questions[0].request["params"] == {"obsid": "254258482,254258368"}


def test_no_observation_is_no_question(mast: Mast, connect: Connect) -> None:
    assert connect().products([]) == []
    assert mast.asked == []


def test_the_columns_are_fetched_once_and_only_where_a_filter_needs_them(
    mast: Mast, connect: Connect
) -> None:
    archive = connect()
    archive.products([1])
    assert [asked.path for asked in mast.asked] == ["/api/v0/invoke"]
    for _ in range(2):
        archive.observations(ObservationQuery(proposals=(1345,)))
    assert sum(asked.path.endswith("columnsconfig") for asked in mast.asked) == 1


def test_two_archives_share_nothing(mast: Mast, connect: Connect) -> None:
    for _ in range(2):
        connect().observations(ObservationQuery(proposals=(1345,)))
    assert sum(asked.path.endswith("columnsconfig") for asked in mast.asked) == 2
    from astroquery.mast.discovery_portal import PortalAPI

    assert PortalAPI._column_configs == {}
    assert PortalAPI.MAST_REQUEST_URL.startswith("https://mast.stsci.edu")


def test_the_recorded_columns_make_the_same_filters(mast: Mast, connect: Connect) -> None:
    recorded = resources.files("astroquery.mast.tests").joinpath("data", "columnsconfig.json")
    if not recorded.is_file():
        pytest.skip("this astroquery comes without its recorded columns")
    mast.columns = lambda asked: Reply(recorded.read_bytes())
    connect().observations(
        ObservationQuery(
            instrument_patterns=("NIRCAM*",), proposals=(1345,), t_min=(60000.0, 60001.0), planned=True
        )
    )
    window, planned = filters(mast)
    assert window == {
        "obs_collection": {"paramName": "obs_collection", "separator": ";", "values": ["JWST"]},
        "instrument_name": {"paramName": "instrument_name", "values": [], "freeText": "NIRCAM%"},
        "proposal_id": {"paramName": "proposal_id", "values": ["1345", "01345"]},
        "t_min": {"paramName": "t_min", "values": [{"min": 60000.0, "max": 60001.0}]},
    }
    assert planned["calib_level"]["values"] == ["-1"]


@pytest.mark.parametrize(
    "columns",
    [
        {name: column for name, column in COLUMNS.items() if name != "t_min"},
        COLUMNS | {"t_min": {"vot.datatype": "char"}},
        COLUMNS | {"proposal_id": {"vot.datatype": "char", "treatNumeric": True}},
        {"error": "no such configuration"},
    ],
)
def test_columns_that_would_lose_a_filter_stop_the_question(
    mast: Mast, connect: Connect, columns: dict[str, Any]
) -> None:
    mast.columns = lambda asked: as_reply(columns)
    with pytest.raises(ArchiveError, match="column"):
        connect().observations(ObservationQuery(proposals=(1345,), t_min=(1.0, 2.0)))
    assert mast.questions == []


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("mast:JWST/product/jw01345001001_02101_00001_nrca1_uncal.fits", None),
        ("mast:JWST/product/a b&uri=x#y+z.fits", "mast:JWST/product/a%20b%26uri%3Dx%23y%2Bz.fits"),
        ("http://elsewhere.invalid/x?y", "http://elsewhere.invalid/x%3Fy"),
    ],
)
def test_a_download_address_is_always_of_this_server(uri: str, expected: str | None) -> None:
    archive = MastArchive("http://127.0.0.1:9/")
    assert archive.download_url(uri) == f"http://127.0.0.1:9/api/v0.1/Download/file?uri={expected or uri}"


def test_recorded_rows_come_through_the_real_client_unchanged(
    mast: Mast, connect: Connect, reference: Path
) -> None:
    with (reference / "real" / "products.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["row_kind"] == "full_caom"]
    numbers = ("obsID", "parent_obsid", "size", "calib_level")
    as_json = [
        {name: int(row[name]) if name in numbers else row[name] or None for name in row} for row in rows
    ]
    mast.invoke = paged(as_json)
    listed = connect(pagesize=100).products([254258482, 254258368])
    assert len(listed) == 718
    assert [(entry.uri, entry.obsid, entry.parent_obsid) for entry in listed] == [
        (row["dataURI"], int(row["obsID"]), int(row["parent_obsid"])) for row in rows
    ]
    assert [str(entry.size) for entry in listed] == [row["size"] for row in rows]
    assert {entry.prvversion for entry in listed if entry.calib_level == 1} == {None}
    assert {entry.proposal for entry in listed} == {5224}


def test_recorded_observations_come_through_the_real_client_unchanged(
    mast: Mast, connect: Connect, reference: Path
) -> None:
    with (reference / "real" / "observations_level3_images.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    mast.invoke = paged([{name: value or None for name, value in row.items()} for row in rows])
    found = {
        entry.obs_id: entry for entry in connect().observations(ObservationQuery(instrument_patterns=("*",)))
    }
    assert len(found) == len({row["obs_id"] for row in rows})
    for row in rows:
        entry = found[row["obs_id"]]
        assert entry.t_max == (float(row["t_max"]) if row["t_max"] else None)
        assert entry.proposal == int(row["proposal_id"])
        assert entry.columns["jpegURL"] == (row["jpegURL"] or None)


WITHOUT_A_HOME = """
import os, pwd, sys, warnings
warnings.simplefilter("error")
def unknown(uid):
    raise KeyError(uid)
if sys.argv[2] == "missing":
    os.environ.pop("HOME", None)
    pwd.getpwuid = unknown
else:
    os.environ["HOME"] = "/dev/null"
from jwstwatch.archive.mast import MastArchive
from jwstwatch.core.query import ObservationQuery
print(len(MastArchive(sys.argv[1], timeout=5).observations(ObservationQuery(proposals=(1345,)))))
"""


@pytest.mark.parametrize("home", ["missing", "unwritable"])
def test_it_works_without_a_home_and_says_nothing_on_the_terminal(mast: Mast, home: str) -> None:
    mast.invoke = paged([observation(1)])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_A_HOME, mast.url, home],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment | {"XDG_CONFIG_HOME": "/nonexistent"},
        stdin=subprocess.DEVNULL,
    )
    assert (ran.stdout, ran.stderr) == ("1\n", "")


def test_nothing_is_written_to_the_home(mast: Mast, tmp_path: Path) -> None:
    script = (
        "import sys; from jwstwatch.archive.mast import MastArchive\n"
        "archive = MastArchive(sys.argv[1], timeout=5, token='t0ken')\n"
        "archive.log_in(), archive.products([1])"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    subprocess.run(
        [sys.executable, "-c", script, mast.url],
        check=True,
        timeout=60,
        env=environment | {"HOME": str(tmp_path)},
    )
    assert list(tmp_path.rglob("*")) == []


def test_names_in_an_old_encoding_cost_nothing(mast: Mast, connect: Connect) -> None:
    reply = paged([observation(1, proposal_pi="PI")])

    def old(asked: Any) -> Reply:
        answer = reply(asked)
        return Reply(
            answer.body.replace(b'"PI"', '"Öberg"'.encode("latin-1")), headers={"Content-Type": "text/html"}
        )

    mast.invoke = old
    assert connect().observations(ObservationQuery(proposals=(1,)))[0].proposal_pi == "Öberg"
