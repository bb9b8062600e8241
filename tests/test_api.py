"""The Python interface, against an archive in a box and the state that a run left."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jwstwatch
from jwstwatch.demo.build import demo_catalogue
from jwstwatch.demo.server import ArchiveServer
from jwstwatch.errors import ArchiveError, ConfigurationError, UsageError
from tests.acceptance.world import World

PROJECT = Path(__file__).resolve().parents[1]

HEAVY = {
    "astropy",
    "astroquery",
    "numpy",
    "sqlalchemy",
    "yaml",
    "requests",
    "PIL",
    "jinja2",
    "rich",
    "keyring",
}


@dataclass(frozen=True)
class Place:
    """An archive and a world in which a profile was run."""

    server: ArchiveServer
    world: World


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with ArchiveServer(demo_catalogue(now=datetime.now(UTC))) as server:
        world = World(tmp_path_factory.mktemp("api") / "world", server.url)
        world.configure(
            {
                "guiders": {"propID": 1410, "instrument": "all", "filetypes": ["rate", "cal", "_rate.jpg"]},
                "deep": {"propID": 5224, "filetypes": ["rate"]},
            }
        )
        world.run_now()
        yield Place(server, world)
    assert server.errors == []


@pytest.fixture(autouse=True)
def here(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("JWSTWATCH_STATE", "JWSTWATCH_SERVER", "JWST_QUERY_CFGFILE", "JWSTDOWNLOAD_OUTDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("JWSTWATCH_CONFIG", str(place.world.configuration))
    monkeypatch.chdir(tmp_path)


def names(table: Any) -> set[str]:
    return set(table["productFilename"])


def test_the_package_is_light_until_it_is_used() -> None:
    code = (
        f"import jwstwatch, sys; print(sorted({HEAVY!r} & set(sys.modules)), 'jwstwatch.api' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    assert done.stdout.strip() == "[] False"


def test_the_interface_is_what_the_package_promises() -> None:
    assert {"query", "local_files", "QueryResult"} <= set(jwstwatch.__all__) <= set(dir(jwstwatch))
    for name in jwstwatch.__all__:
        assert getattr(jwstwatch, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'quary'"):
        _ = jwstwatch.quary


def test_the_example_of_the_documentation_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (PROJECT / "docs/python.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(example, "docs/python.md", "exec"), {})
    told = capsys.readouterr().out
    assert re.search(r"^ +1410 +1 ", told, re.MULTILINE), told
    assert told.count("guider1_rate.fits 1.") == 2


def test_a_query_has_the_rows_of_the_command(place: Place) -> None:
    found = jwstwatch.query(propID="01410", instrument="fgs", filetypes="rate")
    words = ("--propID", "1410", "--instrument", "fgs", "--filetypes", "rate")
    told = place.world.run("query", "--json", *words).json
    for table in ("products", "observations", "summary"):
        made = getattr(found, table)
        assert made.colnames == list(told[table][0])
        rows = [dict(zip(made.colnames, row, strict=True)) for row in made]
        assert [
            {name: None if np.ma.is_masked(value) else value for name, value in row.items()} for row in rows
        ] == told[table]


def test_values_mean_what_a_configuration_would_mean() -> None:
    both = jwstwatch.query(propID=[1410, 5224], instrument="all", filetypes=("rate", "_rate.jpg"))
    assert {name[:7] for name in names(both.products)} == {"jw01410", "jw05224"}
    one = jwstwatch.query(propID={5224: [12]}, filetypes=["rate"], sca={"along"}, guidestars=False)
    assert names(one.products) == {
        name for name in names(both.products) if re.fullmatch(r"jw05224012.*nrcalong_rate\.fits", name)
    }
    assert len(one.products) > 0
    number = jwstwatch.query(propID=np.int64(1410), instrument="fgs", filetypes=["rate"], outsubdir=None)
    assert len(number.products) == 2


def test_dates_are_dates() -> None:
    start = datetime.now(UTC) + timedelta(days=2)
    later = jwstwatch.query(propID=1410, instrument="all", date_select=[start, date(2100, 1, 1)])
    assert len(later.observations) == len(later.products) == 0
    assert later.products.colnames[0] == "proposal_id"
    ever = jwstwatch.query(propID=1410, instrument="all", date_select="2020-01-01+")
    assert len(ever.observations) == 2


def test_missing_values_are_masked_and_columns_have_units() -> None:
    columns = ["productFilename", "calib_level", "prvversion", "size"]
    found = jwstwatch.query(
        propID=1410, instrument="all", filetypes=[], obsmode=None, outcolumns_productTable=columns
    ).products
    assert found.colnames == columns
    assert (found["prvversion"].mask == (found["calib_level"] == 1)).all()
    assert 0 < found["prvversion"].mask.sum() < len(found)
    assert not found["productFilename"].mask.any()
    assert found["size"].unit == "byte"
    assert found["size"].dtype.kind == "i"


def test_nothing_is_fetched_or_written_by_a_query(place: Place, tmp_path: Path) -> None:
    fetched, stamps = len(place.server.requests.downloads()), place.world.stamps()
    jwstwatch.query(propID=1410, instrument="all", savetables="mine", outrootdir=tmp_path)
    assert len(place.server.requests.downloads()) == fetched
    assert place.world.stamps() == stamps
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"propid": 1410}, r"no parameter 'propid' \(did you mean propID\?\)"),
        ({"every": "6h"}, "no parameter 'every'"),
        ({"propID": "many"}, "propID: 'many' is not a proposal number"),
        ({"propID": 1410, "outcolumns_productTable": ["sizes"]}, "'sizes' is no column"),
    ],
)
def test_a_mistake_is_an_error_of_usage(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        jwstwatch.query(**parameters)


def test_a_query_for_everything_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="everything there is"):
        jwstwatch.query(lookbacktime=0)


def test_an_archive_that_is_down_is_an_archive_error(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    with ArchiveServer(demo_catalogue(now=datetime.now(UTC))) as server:
        address = server.url
    monkeypatch.setenv("JWSTWATCH_SERVER", address)
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(ArchiveError):
        jwstwatch.query(propID=1410)


def test_warnings_go_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="jwstwatch"):
        jwstwatch.query(propID=1410, instrument="nircam", obsmode="nonsense")
    messages = [record.getMessage() for record in caplog.records]
    assert any("NONSENSE is no mode of NIRCAM" in message for message in messages)
    assert len(messages) == len(set(messages))


def test_the_local_files_are_those_of_the_command(place: Place) -> None:
    table = jwstwatch.local_files()
    told = place.world.run("files", "--json").json["files"]
    assert table.colnames == list(told[0])
    assert list(table["path"]) == [file["path"] for file in told]
    assert list(table["sha256"].filled("")) == [file["sha256"] or "" for file in told]
    assert {"present", "withheld"} == set(table["state"])
    assert table["sha256"].mask.tolist() == [file["sha256"] is None for file in told]


def test_local_files_can_be_narrowed() -> None:
    everything = jwstwatch.local_files()
    assert set(jwstwatch.local_files(profile="deep")["proposal"]) == {5224}
    assert set(jwstwatch.local_files(propID=1410)["proposal"]) == {1410}
    assert len(jwstwatch.local_files(propID={1410: [999]})) == 0
    assert set(jwstwatch.local_files(propID=1410, filetypes="rate")["filetype"]) == {"_rate.fits"}
    assert set(jwstwatch.local_files(state=["withheld"])["state"]) == {"withheld"}
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert len(jwstwatch.local_files(since=tomorrow)) == 0
    assert len(jwstwatch.local_files(new_since="2020-01-01")) == (everything["state"] == "present").sum()


def test_a_configuration_can_be_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JWSTWATCH_CONFIG")
    assert len(jwstwatch.local_files()) == 0, "a state that nobody used yet is an empty one"
    assert not list(Path.home().rglob("*.db"))
    assert len(jwstwatch.local_files(place.world.configuration)) > 0
    assert len(jwstwatch.local_files(str(place.world.configuration), state="present")) > 0


@pytest.mark.parametrize(
    "narrowing",
    [{"profile": "none"}, {"state": "lost"}, {"since": "yesterday"}, {"propID": "x"}],
)
def test_a_wrong_narrowing_is_an_error_of_usage(narrowing: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        jwstwatch.local_files(**narrowing)


def test_an_old_configuration_has_no_local_files(tmp_path: Path) -> None:
    (tmp_path / "old.cfg").write_text("instrument: fgs\npropID: 1410\nlookbacktime: 0\n")
    with pytest.raises(ConfigurationError) as caught:
        jwstwatch.local_files(tmp_path / "old.cfg")
    assert "config import" in caught.value.hint
