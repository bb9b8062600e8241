"""What a first run brings, and what the reporting commands say of it. One world, and nobody changes it."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.demo.build import demo_catalogue
from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.server import ArchiveServer
from tests.acceptance.world import ISO, World, assert_as_archived, sha256

PROFILES = {
    "guiders": {"instrument": "all", "propID": 1410, "guidestars": True, "makewebpages": True},
    "deep": {"instrument": "nircam", "propID": "5224", "filetypes": ["rate", "_cal.jpg"], "every": "2h"},
    "rests": {"propID": 2733, "enabled": False},
}

RUN_FIELDS = {
    "profile", "run_id", "trigger", "outcome", "started_at", "finished_at", "observations", "products",
    "downloaded", "unchanged", "withheld", "failed", "waiting", "bytes", "pages", "error",
}  # fmt: skip
STATES = {"wanted", "present", "stale", "withheld", "failed", "gone"}
A_RATE = "jw05224012001_02101_00001_nrcalong_rate.fits"


@dataclass(frozen=True)
class FirstRun:
    """What was run, against which archive, and what it said."""

    world: World
    server: ArchiveServer
    runs: dict[str, dict[str, Any]]

    @property
    def catalogue(self) -> Catalogue:
        return self.server.catalogue


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstRun]:
    with ArchiveServer(demo_catalogue(now=datetime.now(UTC))) as server:
        world = World(tmp_path_factory.mktemp("first") / "world", server.url)
        world.configure(PROFILES)
        runs = world.run_now(umask=0o027)
        yield FirstRun(world, server, {run["profile"]: run for run in runs})
    assert server.errors == []


def selected(catalogue: Catalogue) -> dict[str, str]:
    """The paths that the two profiles ask for, by product name; exclusive ones as well."""
    chosen = [name_of(uri) for uri in catalogue.uris if "jw01410" in uri]
    for product in catalogue.products:
        holders = [catalogue.observation(holder) for holder in product.holders]
        wanted = product.name.endswith(("_rate.fits", "_cal.jpg"))
        if product.name.startswith("jw05224") and wanted and any(h.instrument == "NIRCAM" for h in holders):
            chosen.append(product.name)
    return {name: path_of(name) for name in chosen}


def name_of(uri: str) -> str:
    return uri.rpartition("/")[2]


def path_of(name: str) -> str:
    """The contract's path: proposal, observation number, name."""
    match = re.match(r"jw([0-9]{5})(?:-o)?([0-9]{3})?", name)
    assert match
    # A pool names no observation; those that list it are of one.
    return f"{match[1]}/obsnum{int(match[2] or 1):02d}/{name}"


def test_every_selected_file_arrives_byte_for_byte_at_its_path(first: FirstRun) -> None:
    wanted = selected(first.catalogue)
    public = {path for name, path in wanted.items() if not first.catalogue.exclusive(name)}
    files = first.world.files()
    assert set(files) == public
    assert len(public) > 30
    assert_as_archived(files, first.catalogue)


def test_every_file_is_asked_for_once(first: FirstRun) -> None:
    asked = [request.uri for request in first.server.requests.downloads()]
    assert len(asked) == len(set(asked)) == len(first.world.files())


def test_files_and_folders_have_the_modes_of_the_umask(first: FirstRun) -> None:
    for path in first.world.root.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o750 if path.is_dir() else 0o640), path


def test_the_state_has_size_digest_and_revision_of_every_file(first: FirstRun) -> None:
    rows = first.world.file_rows()
    files = first.world.files()
    present = {path: facts for path, facts in rows.items() if facts[0] == "present"}
    assert present == {path: ("present", len(content), sha256(content), 1) for path, content in files.items()}


def test_exclusive_data_are_withheld_and_that_is_no_failure(first: FirstRun) -> None:
    wanted = selected(first.catalogue)
    exclusive = {path for name, path in wanted.items() if first.catalogue.exclusive(name)}
    withheld = {path for path, facts in first.world.file_rows().items() if facts[0] == "withheld"}
    assert withheld == exclusive
    assert len(exclusive) > 0
    assert first.runs["deep"]["withheld"] == len(exclusive)
    assert first.runs["deep"]["outcome"] == "complete"


def test_run_now_reports_every_field_of_the_contract(first: FirstRun) -> None:
    assert set(first.runs) == {"guiders", "deep"}, "a profile that rests is not run"
    for run in first.runs.values():
        assert set(run) >= RUN_FIELDS
        assert (run["trigger"], run["outcome"], run["error"]) == ("manual", "complete", None)
        assert ISO.fullmatch(run["started_at"])
        assert ISO.fullmatch(run["finished_at"])
        assert isinstance(run["run_id"], int)
    guiders = first.runs["guiders"]
    assert guiders["downloaded"] == 30
    assert guiders["observations"] == 2
    assert guiders["bytes"] == sum(len(c) for path, c in first.world.files().items() if "01410" in path)
    assert guiders["pages"] > 0
    # It has no pages; the home page and the feeds of the folder, which the other has, tell of its files too.
    assert first.runs["deep"]["pages"] == 3
    assert [path.name for path in first.world.root.glob("*/index.html")] == ["index.html"]


def test_pages_are_written_where_they_are_wanted(first: FirstRun) -> None:
    assert (first.world.root / "01410" / "index.html").is_file()
    assert not (first.world.root / "05224" / "index.html").exists()
    assert "01410" in (first.world.root / "index.html").read_text()


def test_nothing_but_files_pages_and_the_marker_is_left_in_the_root(first: FirstRun) -> None:
    hidden = {path.name for path in first.world.root.rglob(".*")}
    assert hidden == {".jwstwatch-root"}
    assert list(first.world.home.rglob("*")) == []


def test_status_reports_every_field_of_the_contract(first: FirstRun) -> None:
    ended = first.world.run("status", "--json")
    assert ended.code == 0
    status = ended.json
    assert status["schema"] == 1
    assert set(status) >= {"daemon", "profiles", "archive", "token", "roots"}
    assert status["daemon"] == {"running": False, "pid": None, "since": None, "version": None}
    assert status["archive"]["reachable"] is True
    assert ISO.fullmatch(status["archive"]["checked_at"])
    assert (status["token"]["source"], status["token"]["days_left"]) == (None, None)
    (root,) = status["roots"]
    assert root["path"] == str(first.world.root)
    assert root["mounted"] is True
    assert root["free_bytes"] > 0


def test_status_counts_the_files_of_each_profile_in_all_six_states(first: FirstRun) -> None:
    profiles = {profile["name"]: profile for profile in first.world.run("status", "--json").json["profiles"]}
    assert list(profiles) == ["guiders", "deep", "rests"]
    for profile in profiles.values():
        assert set(profile) >= {
            "name", "enabled", "schedule", "next_run_at", "last_run", "files", "bytes"
        }  # fmt: skip
        assert set(profile["files"]) == STATES
        assert set(profile["bytes"]) >= {"present", "wanted"}
        assert profile["next_run_at"] is None, "nobody runs it while no daemon does"
    guiders, deep, rests = profiles.values()
    assert guiders["files"]["present"] == 30
    assert guiders["last_run"] == first.runs["guiders"]
    assert guiders["bytes"]["present"] == first.runs["guiders"]["bytes"]
    assert deep["files"]["withheld"] == first.runs["deep"]["withheld"]
    assert (deep["enabled"], deep["schedule"]) == (True, "every 2h")
    assert (rests["enabled"], rests["last_run"], sum(rests["files"].values())) == (False, None, 0)


def test_status_is_a_table_for_people(first: FirstRun) -> None:
    ended = first.world.run("status")
    assert ended.code == 0
    assert re.search(r"^guiders +every 6h .* complete +30 ", ended.out, re.MULTILINE), ended.out
    assert re.search(r"^rests +off +- +never", ended.out, re.MULTILINE)


def test_query_shows_the_three_tables_without_fetching_or_recording(first: FirstRun, tmp_path: Path) -> None:
    other = World(tmp_path / "other", first.server.url)
    before = len(first.server.requests.downloads())
    ended = other.run(
        "query", "--json", "--propID", "1410", "--instrument", "fgs", "--filetypes", "rate",
        environment={"JWSTWATCH_SERVER": first.server.url},
    )  # fmt: skip
    assert ended.code == 0
    tables = ended.json
    assert tables["schema"] == 1
    assert set(tables) >= {"products", "observations", "summary"}
    names = {row["productFilename"] for row in tables["products"]}
    assert names == {f"jw01410001001_02101_0000{n}_guider1_rate.fits" for n in (1, 2)}
    assert list(tables["products"][0]) == [
        "proposal_id", "obsnum", "obsID", "parent_obsid", "obs_id", "sca", "dataproduct_type",
        "productFilename", "filetype", "calib_level", "size", "outfilename", "dl_code", "dl_str",
    ]  # fmt: skip
    assert [row["proposal_id"] for row in tables["observations"]] == [1410, 1410]
    assert len(tables["summary"]) == 1
    assert len(first.server.requests.downloads()) == before
    assert not other.state.exists()
    assert [path for path in other.folder.rglob("*") if path.is_file()] == []


def test_why_tells_rule_evidence_state_and_history_of_a_present_file(first: FirstRun) -> None:
    (product,) = first.world.run("why", A_RATE, "--json").json["products"]
    assert product["uri"] == f"mast:JWST/product/{A_RATE}"
    assert product["rules"]["deep"]["kept"] is True
    assert product["rules"]["guiders"]["kept"] is False
    assert product["rules"]["guiders"]["reason"]
    (file,) = product["files"]
    content = first.world.files()[path_of(A_RATE)]
    assert (file["state"], file["sha256"]) == ("present", sha256(content))
    assert file["profiles"] == ["deep"]
    assert [event["kind"] for event in product["history"]] == ["wanted", "fetched"]
    assert all(ISO.fullmatch(event["at"]) for event in product["history"])


def test_why_tells_people_why_a_file_is_withheld_or_skipped(first: FirstRun) -> None:
    withheld = first.world.run("why", "jw05224007001_02101_00001_nrcalong_rate.fits")
    assert "withheld (no token)" in withheld.out
    skipped = first.world.run("why", "jw05224012001_02101_00001_nrcalong_uncal.fits")
    assert re.search(r"deep: skipped\. \S+", skipped.out), skipped.out


def test_why_takes_a_path_or_a_uri_for_the_name(first: FirstRun) -> None:
    by_path = first.world.run("why", str(first.world.root / path_of(A_RATE)), "--json")
    by_uri = first.world.run("why", f"mast:JWST/product/{A_RATE}", "--json")
    assert by_path.json == by_uri.json


def test_a_second_run_fetches_nothing_rewrites_nothing_and_says_so(first: FirstRun) -> None:
    before, fetched = first.world.stamps(), len(first.server.requests.downloads())
    ended = first.world.run("run-now")
    assert ended.code == 0
    assert len(first.server.requests.downloads()) == fetched
    assert first.world.stamps() == before
    assert "guiders: complete: nothing new; 30 files unchanged" in ended.out
    assert "pages unchanged" in ended.out


@pytest.mark.slow
def test_the_demo_ends_well_and_leaves_a_page(tmp_path: Path) -> None:
    world = World(tmp_path / "world", "")
    ended = world.run("demo", "--keep", "box")
    assert ended.code == 0, ended.err
    assert "the second time the archive was asked for 0 files" in ended.out
    assert (world.folder / "box" / "data" / "index.html").is_file()
