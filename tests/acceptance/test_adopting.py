"""A tree that jwst_mast_query left becomes the program's own, without a download."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.core.layout import LayoutRules, relative_path
from jwstwatch.core.products import group
from jwstwatch.demo.build import demo_catalogue
from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.server import ArchiveServer, Fault, FaultKind
from tests.acceptance.world import ISO, World, every_file, sha256

PROPOSAL = 1410
ALL = {"propID": PROPOSAL, "instrument": "all", "guidestars": True}
RATE = "jw01410001001_02101_00001_guider1_rate.fits"
CAL = "jw01410001001_02101_00001_guider1_cal.fits"
UNCAL = "jw01410001001_02101_00001_guider1_uncal.fits"

LAYOUTS: dict[str, dict[str, Any]] = {
    "flat": {"skip_propID2outsubdir": True, "obsnum2outsubdir": False},
    "jpg beside": {"jpg_separate_subdir": True},
}
"""Parameters of jwst_mast_query by which its trees differ."""


@dataclass
class Old:
    """An archive, a user, and what the old program left them in `tree`."""

    world: World
    server: ArchiveServer
    tree: Path

    @property
    def names(self) -> list[str]:
        """Every file that the archive has of the proposal."""
        return [product.name for product in self.server.catalogue.products if "jw01410" in product.name]

    def fill(self, *names: str, place: Callable[[str], str] = lambda name: f"old/{name}") -> None:
        """Put files there as the archive has them now; without names all of the proposal."""
        for name in names or self.names:
            path = self.tree / place(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.server.catalogue.read(name).content)

    def adopt(self, *words: str, code: int = 0) -> dict[str, Any]:
        """Run `adopt --json` on the tree."""
        ended = self.world.run("adopt", str(self.tree), "--json", *words)
        assert ended.code == code, (ended.out, ended.err)
        document: dict[str, Any] = ended.json
        return document

    def run(self) -> dict[str, Any]:
        (run,) = self.world.run_now()
        return run

    @property
    def fetched(self) -> list[str]:
        """The names that were ever fetched."""
        return sorted(str(request.uri).rpartition("/")[2] for request in self.server.requests.downloads())


def counts(document: dict[str, Any]) -> dict[str, int]:
    verdicts = ("adopted", "stale", "known", "unknown", "unsound", "skipped")
    return {verdict: document[verdict] for verdict in verdicts if document[verdict]}


def by_name(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {file["name"]: file for file in document["files"]}


def small_catalogue() -> Catalogue:
    """One guider exposure with everything that is listed with it, and one of another proposal."""
    catalogue = demo_catalogue(now=datetime.now(UTC))
    wanted = ("jw01410001001_02101_00001_guider1", "jw05224012001_02101_00001_nrcalong")
    observations = [catalogue.observation(obs_id) for obs_id in wanted]
    products = [
        replace(product, holders=tuple(holder for holder in product.holders if holder in wanted))
        for product in catalogue.products
        if set(product.holders) & set(wanted)
    ]
    return Catalogue(observations, products)


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Old]:
    with ArchiveServer(small_catalogue()) as server:
        world = World(tmp_path / "world", server.url)
        world.configure({"guiders": ALL})
        yield Old(world, server, world.root)
    assert server.errors == []


def laid_out(old: Old, layout: dict[str, Any]) -> Callable[[str], str]:
    """Where a layout puts a name."""
    from jwstwatch.archive.rows import read_listing

    catalogue = old.server.catalogue
    rows = read_listing(
        catalogue.product_rows([each.obsid for each in catalogue.observations if "jw01410" in each.obs_id])
    )
    paths = {product.name: relative_path(product, LayoutRules(**layout)) for product in group(rows, {})}
    return lambda name: paths[name]


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_a_tree_of_any_layout_is_adopted_and_nothing_is_fetched_or_moved(old: Old, layout: str) -> None:
    old.fill(place=laid_out(old, LAYOUTS[layout]))
    before = every_file(old.tree)
    assert counts(old.adopt()) == {"adopted": len(old.names)}
    run = old.run()
    assert (run["downloaded"], run["unchanged"], run["outcome"]) == (0, len(old.names), "complete")
    assert old.fetched == []
    assert every_file(old.tree) == sorted([*before, ".jwstwatch-root"])


def test_what_is_adopted_is_known_with_its_own_evidence(old: Old) -> None:
    old.fill()
    file = by_name(old.adopt())[RATE]
    content = (old.tree / "old" / RATE).read_bytes()
    assert (file["verdict"], file["size"], file["sha256"]) == ("adopted", len(content), sha256(content))
    assert set(file["header"]) == {"CAL_VER", "CRDS_CTX", "DATE", "SDP_VER"}
    (product,) = old.world.run("why", RATE, "--json").json["products"]
    (copy,) = product["files"]
    assert (copy["state"], copy["sha256"], copy["revision"]) == ("present", sha256(content), 1)
    assert copy["path"] == str(old.tree / "old" / RATE)
    (event,) = product["history"]
    assert event["kind"] == "adopted"
    assert ISO.fullmatch(event["at"])
    for name, value in file["header"].items():
        assert f"{name} {value}" in event["detail"]


def test_older_contents_are_stale_and_exactly_they_are_fetched(old: Old) -> None:
    old.fill()
    now = datetime.now(UTC)
    old.server.catalogue.reprocess(CAL, now=now, version="1.99.0")
    old.server.catalogue.reprocess(UNCAL, now=now, grow=2)
    assert len(old.server.catalogue.read(CAL).content) == (old.tree / "old" / CAL).stat().st_size
    document = old.adopt()
    assert counts(document) == {"adopted": len(old.names) - 2, "stale": 2}
    reasons = {name: file["reason"] for name, file in by_name(document).items() if file["verdict"] == "stale"}
    assert set(reasons) == {CAL, UNCAL}
    assert reasons[CAL].endswith("the archive states 1.99.0")
    assert f"the archive lists {old.server.catalogue.size(UNCAL)}" in reasons[UNCAL]
    told = old.world.run("why", CAL, "--json").json["products"][0]
    assert told["files"][0]["state"] == "stale"
    assert reasons[CAL] in told["history"][-1]["detail"]
    assert old.run()["downloaded"] == 2
    assert old.fetched == sorted([CAL, UNCAL])
    for name in (CAL, UNCAL):
        assert (old.tree / "old" / name).read_bytes() == old.server.catalogue.read(name).content


def test_broken_and_unknown_files_are_reported_and_left_as_they_are(old: Old) -> None:
    old.fill()
    (old.tree / "old" / RATE).write_bytes(old.server.catalogue.read(RATE).content[:-100])
    (old.tree / "old" / CAL).write_bytes(b"<html>not found</html>")
    mine = RATE.replace("_rate", "_mine")
    (old.tree / "old" / mine).write_bytes(b"mine")
    before = old.world.stamps()
    document = old.adopt()
    assert counts(document) == {"adopted": len(old.names) - 2, "unknown": 1, "unsound": 2}
    found = by_name(document)
    assert {name for name, file in found.items() if file["verdict"] == "unsound"} == {RATE, CAL}
    assert "HTML" in found[CAL]["reason"]
    assert (found[mine]["verdict"], found[mine]["uri"]) == ("unknown", None)
    after = old.world.stamps()
    after.pop(".jwstwatch-root")
    assert after == before
    assert {path.rpartition("/")[2] for path in old.world.file_rows()} == set(old.names) - {RATE, CAL}
    assert old.run()["downloaded"] == 2


def test_what_is_no_product_is_left_alone(old: Old) -> None:
    old.fill(RATE, place=laid_out(old, {}))
    leftovers = [
        ".jwstwatch-root.tmp", f".{RATE}.1.part", "index.html", "01410/index.html", "notes.txt",
        "01410/01410.products.txt", "jw01410.selprod.txt", "jw01410.obs.txt", "jw01410.summary.txt",
        "jwstwatch-assets/site.css", f"01410/obsnum01/{RATE.replace('.fits', '.TN.jpg')}",
        "01410/01410.exposures.csv", f"01410/jwstwatch-pages/previews/{RATE.replace('.fits', '.r1.QL.jpg')}",
    ]  # fmt: skip
    for name in leftovers:
        (old.tree / name).parent.mkdir(parents=True, exist_ok=True)
        (old.tree / name).write_text("x")
    document = old.adopt()
    assert counts(document) == {"adopted": 1}
    assert document["others"] == len(leftovers) - 2


def test_a_folder_of_its_own_becomes_a_root_and_serves_the_others(old: Old, tmp_path: Path) -> None:
    old.tree = tmp_path / "elsewhere"
    old.fill()
    old.tree = tmp_path / "world" / ".." / "elsewhere"
    assert counts(old.adopt()) == {"adopted": len(old.names)}
    old.tree = old.tree.resolve()
    (root,) = old.world.run("root", "list", "--json").json["roots"]
    assert (root["path"], root["files"], root["mounted"]) == (str(old.tree), len(old.names), True)
    run = old.run()
    assert (run["downloaded"], run["bytes"]) == (len(old.names), 0), "they are copied, not fetched"
    assert old.fetched == []
    assert len(old.world.files()) == len(old.names)


def test_a_dry_run_says_the_same_and_changes_nothing(old: Old) -> None:
    old.fill()
    (old.tree / "old" / RATE).write_bytes(b"broken")
    old.server.catalogue.reprocess(CAL, now=datetime.now(UTC), version="1.99.0")
    before = old.world.stamps()
    dry = old.adopt("--dry-run")
    assert dry["dry_run"] is True
    assert old.world.stamps() == before
    assert not old.world.state.exists()
    wet = old.adopt()
    assert counts(dry) == counts(wet) == {"adopted": len(old.names) - 2, "stale": 1, "unsound": 1}
    assert [file["reason"] for file in dry["files"]] == [file["reason"] for file in wet["files"]]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.MAINTENANCE, times=None),
        Fault(kind=FaultKind.MAINTENANCE, service="Mast.Caom.Products", times=None),
    ],
    ids=["from the beginning", "between two questions"],
)
def test_an_archive_that_is_down_changes_nothing(old: Old, fault: Fault) -> None:
    old.fill()
    before = old.world.stamps()
    old.server.faults.add(fault)
    ended = old.world.run("adopt", str(old.tree))
    assert ended.code == 4
    assert len(old.server.requests) > 0
    assert old.world.stamps() == before
    assert not old.world.state.exists()
    assert old.adopt("--dry-run", code=4)["error"]["kind"] == "archive_unreachable"


def test_a_folder_that_is_not_there_is_an_error_of_usage(old: Old) -> None:
    ended = old.world.run("adopt", "nowhere")
    assert ended.code == 2
    assert "is not a folder that is there" in ended.err


def test_people_see_the_differences_and_the_counts(old: Old) -> None:
    old.fill()
    (old.tree / "old" / RATE).write_bytes(b"broken")
    ended = old.world.run("adopt", str(old.tree))
    assert ended.code == 0
    head, line, total = ended.out.splitlines()
    assert head.split() == ["verdict", "size", "listed", "file"]
    assert line.split()[:3] == ["unsound", "6", "B"]
    assert f"{old.tree / 'old' / RATE}  (" in line
    assert (
        total
        == f"{old.tree}: {len(old.names)} files with JWST names: {len(old.names) - 1} adopted, 1 unsound"
    )
    assert f"read {len(old.names)} of {len(old.names)} files" in ended.err


def test_names_that_no_terminal_could_show_do_no_harm(old: Old) -> None:
    old.tree.mkdir(parents=True)
    name = b"jw01410001001_\x1b[31m_rate.fits\xff"
    (Path(os.fsdecode(os.fsencode(old.tree) + b"/" + name))).write_bytes(b"x")
    ended = old.world.run("adopt", str(old.tree))
    assert ended.code == 0
    assert "jw01410001001_?[31m_rate.fits?" in ended.out
    assert counts(old.adopt()) == {"unknown": 1}


def test_an_empty_folder_is_no_trouble_and_asks_nothing(old: Old) -> None:
    old.tree.mkdir(parents=True)
    assert counts(old.adopt()) == {}
    assert len(old.server.requests) == 0
    assert not (old.tree / ".jwstwatch-root").exists()
