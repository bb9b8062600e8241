"""Kills a busy run at a random instant, and looks at what a kill leaves."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from jwstwatch.demo.faults import Fault, FaultKind
from jwstwatch.demo.server import ArchiveServer
from tests.acceptance.world import OWN_FILES, PATIENCE, World, every_file, finish, sha256

Thing = TypeVar("Thing")

DYING = str(Path(__file__).with_name("dying.py"))

IN_MID_RUN = (
    ("before", "jwstwatch.store.listings:Listings.mark_checked", 1),
    ("before", "jwstwatch.store.runs:Runs.remember", 1),
    ("before", "jwstwatch.transfer.partial:Partial.finish", 30),
    ("after", "jwstwatch.transfer.partial:Partial.finish", 30),
    ("before", "jwstwatch.store.transfers:Transfers.open_intents", 4),
    ("before", "jwstwatch.transfer.placing:place", 30),
    ("before", "jwstwatch.transfer.placing:note_of", 30),
    ("after", "jwstwatch.transfer.placing:place", 30),
    ("before", "jwstwatch.transfer.placing:sync_folders", 4),
    ("before", "jwstwatch.store.transfers:Transfers.record_placed", 4),
    ("after", "jwstwatch.store.transfers:Transfers.record_placed", 4),
)
"""Where a death hurts most, and up to which call of the function it is waited for."""

AT_THE_END = (
    ("before", "jwstwatch.store.sites:Sites.keep_thumbnails", 1),
    ("before", "jwstwatch.files:write_atomically", 5),
    ("before", "jwstwatch.files:durable_replace", 5),
    ("before", "jwstwatch.store.sites:Sites.mark_written", 1),
    ("after", "jwstwatch.store.sites:Sites.mark_written", 1),
    ("before", "jwstwatch.store.runs:Runs.finish", 1),
)
"""The same where everything is fetched: while pages are written, and as the run is closed."""

LATENCY = 0.15
"""Seconds that the archive takes for each file, so that a run of some hundred lasts some seconds."""
RATE = 4_000_000
"""Bytes a second of a large file, which is thus under way for some seconds."""

_KINDS = ("a step", "a count of downloads", "a step", "in mid-file", "any time")


class Killer:
    """Starts runs in `world` and kills each."""

    def __init__(self, world: World, server: ArchiveServer, *, source: random.Random, large: str) -> None:
        self._world = world
        self._server = server
        self._source = source
        self._large = large
        self.kills: Counter[str] = Counter()
        self._kinds = self._in_turn(_KINDS)
        self._steps = self._in_turn(IN_MID_RUN)
        self._last_steps = self._in_turn(AT_THE_END)

    def _in_turn(self, things: Sequence[Thing]) -> Iterator[Thing]:
        return itertools.cycle(self._source.sample(things, len(things)))

    def slow_down(self) -> None:
        """Make the archive one that keeps a run busy for long enough to be killed."""
        self._server.faults.add(
            Fault(kind=FaultKind.LATENCY, uri="*", seconds=LATENCY, times=None),
            Fault(kind=FaultKind.SLOW, uri=self._large, rate=RATE, times=None),
        )

    def kill_once(self, *, left: int) -> bool:
        """Run until a random moment, with `left` files to be fetched; False where the run was quicker."""
        kind = next(self._kinds)
        at_the_end = left < 30 and self._source.random() < 0.7
        if kind == "a step" or at_the_end:
            when, place, most = next(self._last_steps if at_the_end else self._steps)
            # The nearer the end, the fewer calls there are to wait for.
            calls = self._source.randint(1, min(most, 1 + left // 4))
            kind = f"{when} {place.rpartition(':')[2]}"
            ended = finish(self._world.start("run-now", program=(DYING, when, place, str(calls))))
        else:
            process = self._world.start("run-now")
            self._wait(kind, process)
            process.kill()
            ended = finish(process)
        self._wait_for_silence()
        assert ended.code in (0, -9), (kind, ended.code, ended.out, ended.err)
        if ended.code == -9:
            self.kills[kind] += 1
        return ended.code == -9

    def _wait(self, kind: str, process: subprocess.Popen[str]) -> None:
        if kind == "any time":
            time.sleep(self._source.uniform(0.05, 2.5))
            return
        if kind == "in mid-file":
            wanted = self._source.randint(1, RATE)
            before = self._received()
            while process.poll() is None and self._received() < before + wanted:
                time.sleep(0.01)
            return
        count = self._source.randint(1, 40)
        while process.poll() is None and len(self._server.requests.downloads()) < count:
            time.sleep(0.002)
        time.sleep(self._source.uniform(0, LATENCY))

    def _received(self) -> int:
        return sum(request.bytes for request in self._server.requests.downloads(self._large))

    def _wait_for_silence(self) -> None:
        """Wait until the archive has noticed that its client is dead: nothing is logged after that."""
        limit = time.monotonic() + PATIENCE
        while any("process_request" in thread.name for thread in threading.enumerate()):
            assert time.monotonic() < limit, "the archive still serves somebody"
            time.sleep(0.005)


@dataclass(slots=True)
class Finds:
    """What lay below the output folder after a kill."""

    standing: dict[str, str] = field(default_factory=dict)
    """Names of the files that stand at their paths, with the SHA-256 of what they hold."""
    finished: set[str] = field(default_factory=set)
    """Names of those that hold what the archive has now."""
    parts: dict[str, int | None] = field(default_factory=dict)
    """Of each name with a partial: where the next request must go on; None where it must begin anew."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Bytes of each partial."""


class Witness:
    """Looks after each kill: whole contents at every path, nothing fetched twice, partials gone on with."""

    def __init__(self, world: World, server: ArchiveServer) -> None:
        self._world = world
        self._server = server
        self._digests: dict[tuple[str, int, int, int], str] = {}
        self._archived: dict[str, list[str]] = {}
        self._last = Finds()
        self.with_progress = 0
        self.resumed = 0
        self.replaced: set[tuple[str, str]] = set()

    @property
    def left(self) -> int:
        """Return how many files the archive has that are not finished here."""
        return len(self._archived) - len(self._last.finished)

    def learn(self) -> None:
        """Take note of what the archive has now, next to what it had."""
        for product in self._server.catalogue.products:
            digest = sha256(self._server.catalogue.read(product.uri).content)
            known = self._archived.setdefault(product.name, [])
            if digest not in known:
                known.append(digest)
        self._last = self._look_around()
        self._server.requests.clear()

    def look(self) -> None:
        """Compare what lies there, and what was asked for, with what lay there at the last look."""
        before, now = self._last, self._look_around()
        self._check_requests(before)
        assert before.finished <= now.finished, "what was finished stays finished"
        self._check_state(now.standing)
        self.with_progress += len(now.finished) > len(before.finished)
        self._last = now
        self._server.requests.clear()

    def _check_requests(self, before: Finds) -> None:
        asked: set[str] = set()
        for request in self._server.requests.downloads():
            name = str(request.uri).rpartition("/")[2]
            assert name not in before.finished, f"{name} was finished and is fetched again"
            if name in asked:
                continue
            asked.add(name)
            offset = before.parts.get(name)
            allowed = {None if offset is None else f"bytes={offset}-"}
            if offset is None and name.endswith(".fits") and before.sizes.get(name):
                # Without a note it may go on where the keyword service has stated a checksum of the whole.
                allowed.add(f"bytes={before.sizes[name]}-")
            assert request.range in allowed, f"{name} stopped at {offset} and goes on at {request.range}"
            self.resumed += offset is not None

    def _check_state(self, standing: Mapping[str, str]) -> None:
        if self._world.ask_if_there("SELECT count(*) FROM sqlite_master WHERE name = 'file'") != [(1,)]:
            return
        rows = self._world.ask(
            "SELECT name, sha256 FROM file JOIN product ON product.id = product_id WHERE state = 'present'"
        )
        for name, digest in rows:
            assert standing.get(name) == digest, f"{name} is recorded and does not stand there"

    def _look_around(self) -> Finds:
        finds = Finds()
        root = self._world.root
        for path in every_file(root) if root.is_dir() else ():
            name = path.rpartition("/")[2]
            if name.startswith(".") and name.endswith(".part"):
                product = name[1:].removesuffix(".part").rpartition(".")[0]
                finds.parts[product] = _resumption(root / path)
                finds.sizes[product] = (root / path).stat().st_size
            elif name.endswith(".html"):
                assert (root / path).read_bytes().rstrip().endswith(b"</html>"), "a page is whole"
            elif not name.startswith(".") and not OWN_FILES.search(path):
                finds.standing[name] = digest = self._digest(root / path)
                assert digest in self._archived[name], f"{path} is no content that the archive ever had"
                if digest == self._archived[name][-1]:
                    finds.finished.add(name)
        revised = {name for name, digests in self._archived.items() if len(digests) > 1}
        assert revised <= finds.standing.keys(), "the old or the new content stands where it is replaced"
        self.replaced |= {(name, self._archived[name][-1]) for name in revised & finds.finished}
        return finds

    def _digest(self, path: Path) -> str:
        status = path.stat()
        key = (path.name, status.st_ino, status.st_mtime_ns, status.st_size)
        if key not in self._digests:
            self._digests[key] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._digests[key]


def _resumption(part: Path) -> int | None:
    """Return where a partial can go on; a note tells, which files of 8 MB and more have from the start."""
    try:
        note = json.loads(part.with_name(f"{part.name}.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    size = part.stat().st_size
    # A whole partial asks for its last byte again.
    offset = size if note["total"] is None else min(size, note["total"] - 1)
    return offset or None


def leftovers(folder: Path) -> Iterator[str]:
    """Yield what no finished run leaves behind."""
    return (name for name in every_file(folder) if name.endswith((".part", ".part.json", ".tmp")))


def own_files(folder: Path) -> dict[str, bytes]:
    """Return what the program itself made below `folder`, by relative path."""
    return {
        name: Path(folder, name).read_bytes()
        for name in every_file(folder)
        if OWN_FILES.search(name) and not name.endswith(".jwstwatch-root")
    }
