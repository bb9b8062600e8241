"""A run that is killed again and again ends, once it is left alone, where an undisturbed one does.

`JWSTWATCH_TEST_KILLS` sets how often it is killed (8 in the short form), `JWSTWATCH_TEST_SEED` chooses other
instants. `-o log_cli=true --log-cli-level=INFO` shows how far it is.
"""

from __future__ import annotations

import logging
import os
import random
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer
from tests.acceptance.conftest import WATCH
from tests.acceptance.killing import DYING, Killer, Witness, leftovers, own_files
from tests.acceptance.world import World, assert_as_archived, every_file, finish

TOLD_BY_RUNS = ("index.html", "feed.xml", "feed.json", "jwstwatch-assets/standing.js")
"""What tells which run brought what, and how the last one went; details tell the history of each file."""

KILLS = int(os.environ.get("JWSTWATCH_TEST_KILLS", "8"))
SEED = int(os.environ.get("JWSTWATCH_TEST_SEED", "1"))

LARGE = "*_0000[135]_nrcalong_rate.fits"
"""The archive's large files, three at first."""
BLOCK = 2880
BY_CHANCE = re.compile(r"[-0-9]{10}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?Z|&#34;[0-9a-f]{12}&#34;")
"""What a page says of times, and the marks of data in which times are."""

log = logging.getLogger(__name__)


def busy_catalogue(now: datetime, source: random.Random) -> Catalogue:
    """Return small files in a number that a run is busy with, and a few of 10 to 20 MB."""
    catalogue = scaled_catalogue(observations=60, now=now, sizes=(5_760, 12_000))
    for product in catalogue.products:
        if fnmatchcase(product.name, LARGE):
            size = source.randint(10_000_000, 20_000_000) // BLOCK * BLOCK
            holder = catalogue.observation(product.holders[0])
            catalogue.add(holder, [replace(product, plain_size=size)])
    return catalogue


@pytest.fixture
def crashing(now: datetime) -> Iterator[ArchiveServer]:
    with ArchiveServer(busy_catalogue(now, random.Random(SEED))) as server:
        yield server
    assert server.errors == []


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_as_an_undisturbed_one(
    tmp_path: Path, crashing: ArchiveServer, now: datetime
) -> None:
    source = random.Random(SEED)
    # Names of one length: the tables hold paths, in columns as wide as they are.
    killed, calm = World(tmp_path / "killed", crashing.url), World(tmp_path / "unhurt", crashing.url)
    killed.configure(WATCH, makewebpages=True)
    calm.configure(WATCH, makewebpages=True)
    killer = Killer(killed, crashing, source=source, large=LARGE)
    witness = Witness(killed, crashing)
    began, rounds = time.monotonic(), 0
    while killer.kills.total() < KILLS:
        if rounds:
            change(crashing.catalogue, source, now)
        rounds += 1
        witness.learn()
        killer.slow_down()
        while killer.kills.total() < KILLS and killer.kill_once(left=witness.left):
            witness.look()
            log.info("kill %d, %d files left", killer.kills.total(), witness.left)
        crashing.faults.clear()
        (last,) = killed.run_now()
        witness.look()
        assert last["outcome"] == "complete"
        (undisturbed,) = calm.run_now()
        assert undisturbed["outcome"] == "complete"
        assert_same(killed, calm, crashing.catalogue)
        log.info("round %d is over after %d kills", rounds, killer.kills.total())
    log.info(
        "%d kills in %.0f s: %s; %d with progress, %d files went on where they stopped, %d replaced",
        killer.kills.total(),
        time.monotonic() - began,
        dict(killer.kills),
        witness.with_progress,
        witness.resumed,
        len(witness.replaced),
    )
    assert witness.with_progress >= KILLS // 4, "the kills came too early to prove anything"
    assert witness.resumed >= KILLS // 10, "too few kills came in mid-file"
    assert witness.replaced or KILLS < 20, "no kill came while files were replaced"


def change(catalogue: Catalogue, source: random.Random, now: datetime) -> None:
    """Reprocess half of the archive's files, large ones too, and add exposures."""
    products = catalogue.products
    for product in source.sample(products, len(products) // 2):
        catalogue.reprocess(product.uri, now=now, version=f"1.21.{product.revision}", grow=1)
    exposure = source.choice([entry for entry in catalogue.observations if not entry.obs_id.endswith("long")])
    for _ in range(5):
        catalogue.add_exposure(like=exposure.obs_id, start=exposure.start or now, now=now)


def assert_same(killed: World, calm: World, catalogue: Catalogue) -> None:
    """The two cannot be told apart, but by when what happened."""
    assert_whole(killed, catalogue)
    assert every_file(killed.root) == every_file(calm.root)
    for query in (
        "SELECT path, state, reason, priority, file.revision, file.size, sha256, note, thumbnail, attempts, "
        "failure_kind, last_error, next_attempt_at, declined, superseded, unselected, uri "
        "FROM file JOIN product ON product.id = product_id ORDER BY path",
        "SELECT uri, proposal, obsnum, filetype, size, exclusive, revision, facts FROM product ORDER BY uri",
        "SELECT obs_id, obsid, proposal, filters, t_min, calib_level FROM observation ORDER BY obs_id",
        "SELECT parent_obsid, obsid, obs_id, listing.size, prvversion, listing.revision, uri FROM listing "
        "JOIN product ON product.id = product_id ORDER BY parent_obsid, obsid, uri",
        "SELECT profile, uri FROM want JOIN product ON product.id = product_id ORDER BY profile, uri",
        "SELECT SUM(growth) FROM arrival",
    ):
        assert killed.ask(query) == calm.ask(query)
    theirs = own_files(calm.root)
    for name, content in own_files(killed.root).items():
        if name in TOLD_BY_RUNS or ".details." in name:
            continue
        assert _anywhere(killed, content) == _anywhere(calm, theirs[name]), name


def _anywhere(world: World, content: bytes) -> str:
    """Return what a page says but for when it was written, where, and in which order files came."""
    text = content.decode(errors="surrogateescape")
    return BY_CHANCE.sub("-", text.replace(str(world.root), "(the root)"))


def assert_whole(world: World, catalogue: Catalogue) -> None:
    """Every byte is right, nothing is left behind, nothing is open or claimed."""
    files = world.files()
    assert_as_archived(files, catalogue)
    assert len(files) == len(catalogue.uris)
    assert {facts[0] for facts in world.file_rows().values()} == {"present"}
    assert list(leftovers(world.root)) == []
    assert world.ask("SELECT count(*) FROM intent") == [(0,)]
    assert world.ask("SELECT count(*) FROM file WHERE claimed_by IS NOT NULL") == [(0,)]
    assert world.ask("SELECT count(*) FROM run WHERE outcome IS NULL") == [(0,)]
    assert world.ask("PRAGMA integrity_check") == [("ok",)]
    assert world.ask("PRAGMA foreign_key_check") == []
    again = world.ask(
        "SELECT file_id, detail FROM event WHERE kind IN ('fetched', 'settled', 'adopted') "
        "GROUP BY file_id, detail HAVING count(*) > 1"
    )
    assert again == [], "what arrived was recorded once"


def test_a_death_before_an_output_folder_has_its_marker_loses_nothing(
    world: World, archive: ArchiveServer
) -> None:
    ended = finish(
        world.start("run-now", program=(DYING, "before", "jwstwatch.disk.markers:write_atomically", "1"))
    )
    assert ended.code == -9
    (run,) = world.run_now()
    assert run["outcome"] == "complete"
    assert_whole(world, archive.catalogue)
    runs = world.ask("SELECT outcome, error_kind FROM run ORDER BY id")
    assert runs == [("cancelled", "killed"), ("complete", None)]
