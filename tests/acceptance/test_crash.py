"""A run that is killed again and again ends, once it is left alone, where an undisturbed one does.

`JWSTWATCH_TEST_KILLS` sets how often it is killed (20 in the short form).
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer
from tests.acceptance.conftest import WATCH
from tests.acceptance.world import World, assert_as_archived, every_file, finish

KILLS = int(os.environ.get("JWSTWATCH_TEST_KILLS", "20"))
SEED = int(os.environ.get("JWSTWATCH_TEST_SEED", "1"))
DYING = str(Path(__file__).with_name("dying.py"))

IN_MID_RUN = (
    ("jwstwatch.store.listings:Listings.mark_checked", 3),
    ("jwstwatch.store.runs:Runs.remember", 1),
    ("jwstwatch.store.transfers:Transfers.open_intents", 3),
    ("jwstwatch.transfer.placing:place", 100),
    ("jwstwatch.transfer.placing:sync_folders", 3),
    ("jwstwatch.store.transfers:Transfers.record_placed", 3),
)
"""Where a death hurts most, and up to which call of the function it is waited for."""

AT_THE_END = (
    ("jwstwatch.files:durable_replace", 4),
    ("jwstwatch.store.sites:Sites.mark_written", 1),
    ("jwstwatch.store.runs:Runs.finish", 1),
)


@pytest.fixture
def crashing(now: datetime) -> Iterator[ArchiveServer]:
    """Small files in a number that a run is busy with for long enough to be killed."""
    catalogue = scaled_catalogue(observations=10 * KILLS, now=now, sizes=(5_760, 12_000))
    with ArchiveServer(catalogue) as server:
        yield server
    assert server.errors == []


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_as_an_undisturbed_one(
    tmp_path: Path, crashing: ArchiveServer
) -> None:
    source = random.Random(SEED)
    killed = World(tmp_path / "killed", crashing.url)
    # Slow enough that no run ends before it is killed.
    killed.mast["bandwidth"] = "900 kB/s"
    killed.configure(WATCH, makewebpages=True)
    witness = Witness(killed, crashing)
    for number in range(KILLS - len(AT_THE_END)):
        kill_once(killed, crashing, source, number)
        witness.look()
    killed.mast.clear()
    killed.configure(WATCH, makewebpages=True)
    for place, calls in AT_THE_END:
        finish(killed.start("run-now", program=(DYING, place, str(source.randint(1, calls)))))
        witness.look()
    (last,) = killed.run_now()
    assert last["outcome"] == "complete"
    assert_whole(killed, crashing.catalogue)
    witness.assert_nothing_was_fetched_twice()

    calm = World(tmp_path / "calm", crashing.url)
    calm.configure(WATCH, makewebpages=True)
    calm.run_now()
    assert killed.file_rows() == calm.file_rows()
    assert every_file(killed.root) == every_file(calm.root)
    assert killed.ask("SELECT uri, revision FROM product ORDER BY uri") == calm.ask(
        "SELECT uri, revision FROM product ORDER BY uri"
    )
    assert witness.kills_with_progress >= KILLS // 4, "the kills came too early to prove anything"


def kill_once(world: World, server: ArchiveServer, source: random.Random, number: int) -> None:
    """Run until a random moment: any moment, one in mid-transfer, or one between two steps of rule 1."""
    kind = number % 3
    if kind == 0:
        place, most = source.choice(IN_MID_RUN)
        finish(world.start("run-now", program=(DYING, place, str(source.randint(1, most)))))
        return
    process = world.start("run-now")
    if kind == 1:
        wanted = len(server.requests.downloads()) + source.randint(1, 120)
        while process.poll() is None and len(server.requests.downloads()) < wanted:
            time.sleep(0.001)
        time.sleep(source.uniform(0, 0.05))
    else:
        time.sleep(source.uniform(0.05, 3.0))
    process.kill()
    finish(process)


class Witness:
    """Keeps what was finished after each kill, and how much had been fetched by then."""

    def __init__(self, world: World, server: ArchiveServer) -> None:
        self._world = world
        self._server = server
        self._seen: list[tuple[int, set[str]]] = [(0, set())]

    def look(self) -> None:
        present: set[str] = set()
        if self._world.ask_if_there("SELECT count(*) FROM sqlite_master WHERE name = 'file'") == [(1,)]:
            rows = self._world.ask(
                "SELECT uri FROM file JOIN product ON product.id = product_id WHERE state = 'present'"
            )
            present = {uri for (uri,) in rows}
        _, before = self._seen[-1]
        assert before <= present, "what was finished stays finished"
        self._seen.append((len(self._server.requests.downloads()), present))

    @property
    def kills_with_progress(self) -> int:
        counts = [len(present) for _, present in self._seen]
        return sum(later > earlier for earlier, later in pairwise(counts))

    def assert_nothing_was_fetched_twice(self) -> None:
        downloads = [request.uri for request in self._server.requests.downloads()]
        for count, present in self._seen:
            again = present & {uri for uri in downloads[count:] if uri}
            assert again == set(), "a finished file was fetched again"


def assert_whole(world: World, catalogue: Catalogue) -> None:
    """Every byte is right, nothing is left behind, nothing is open or claimed."""
    files = world.files()
    assert_as_archived(files, catalogue)
    assert len(files) == len(catalogue.uris)
    assert {facts[0] for facts in world.file_rows().values()} == {"present"}
    left = [name for name in every_file(world.root) if name.endswith((".part", ".part.json", ".tmp"))]
    assert left == []
    assert world.ask("SELECT count(*) FROM intent") == [(0,)]
    assert world.ask("SELECT count(*) FROM file WHERE claimed_by IS NOT NULL") == [(0,)]
    assert world.ask("SELECT count(*) FROM run WHERE outcome IS NULL") == [(0,)]


@pytest.mark.parametrize(
    "place",
    [
        "jwstwatch.disk.markers:write_atomically",
        "jwstwatch.transfer.placing:sync_folders",
        "jwstwatch.store.transfers:Transfers.record_placed",
    ],
)
def test_a_death_at_a_step_of_putting_files_in_place_loses_nothing(
    world: World, archive: ArchiveServer, place: str
) -> None:
    ended = finish(world.start("run-now", program=(DYING, place, "1")))
    assert ended.code == -9
    died_with = {path.rpartition("/")[2] for path in world.files() if ".part" not in path}
    before = len(archive.requests.downloads())
    (run,) = world.run_now()
    assert run["outcome"] == "complete"
    assert_whole(world, archive.catalogue)
    again = {str(request.uri).rpartition("/")[2] for request in archive.requests.downloads()[before:]}
    assert not again & died_with
    runs = world.ask("SELECT outcome, error_kind FROM run ORDER BY id")
    assert runs in ([("cancelled", "killed"), ("complete", None)], [("complete", None)])
