"""What must hold after every run, whatever the archive and the disk did."""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from pathlib import Path

from jwstwatch.core.model import FileState
from tests.faults.archive import FaultyArchive
from tests.sync.bench import Bench


def digest(content: bytes) -> str:
    """Return the SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


class Ledger:
    """Every content that the archive ever had, in its order, and what good content was seen on disk.

    Use `revise` for each change of the archive, so that its contents are known.
    """

    def __init__(self, archive: FaultyArchive) -> None:
        self._archive = archive
        self._lock = threading.Lock()
        self._contents: dict[str, list[str]] = defaultdict(list)
        self._seen: dict[Path, int] = {}
        self._hashed: dict[Path, tuple[int, int, str]] = {}
        self.enter()

    def enter(self) -> None:
        """Note the content of every file that the archive has now."""
        for product in self._archive.catalogue.products:
            self._note(product.name)

    def revise(self, name: str, *, now: object) -> bytes:
        """Put a newer revision of a file into the archive; return its content."""
        with self._lock:
            self._archive.catalogue.reprocess(name, now=now)  # type: ignore[arg-type]
            self._note(name)
        return self._archive.catalogue.read(name).content

    def revision(self, name: str) -> int:
        """Return the revision that the archive has now, the first being 1."""
        return len(self._contents[name])

    def _note(self, name: str) -> None:
        found = digest(self._archive.catalogue.read(name).content)
        if found not in self._contents[name]:
            self._contents[name].append(found)

    def check(self, bench: Bench, *, stopped: bool = False, tampered: bool = False) -> None:
        """Read every file and every row; raise `AssertionError` for what must never be.

        `stopped`: a disk that refused ended the run, so that intents may be open until the next one.
        `tampered`: somebody took files away.
        """
        assert self._archive.errors == [], "the archive itself stumbled"
        assert bench.ask("SELECT id FROM run WHERE outcome IS NULL") == [], "a run was left open"
        assert bench.ask("SELECT id FROM file WHERE claimed_by IS NOT NULL") == [], "a claim was left"
        if not stopped:
            assert bench.ask("SELECT file_id FROM intent") == [], "an intent was left open"
        on_disk = self._read(bench.root)
        if not tampered:
            self._check_nothing_lost(on_disk)
        self._check_rows(bench, on_disk)

    def _read(self, root: Path) -> dict[Path, int]:
        """Return the revision (from 1) of each file with its final name; no other content may be there."""
        found: dict[Path, int] = {}
        for path in root.rglob("*"):
            if path.name.startswith(".") or path.is_symlink() or not path.is_file():
                continue
            known = self._contents[path.name]
            sha256 = self._hash(path)
            assert sha256 in known, f"{path} holds what the archive never had"
            found[path] = known.index(sha256) + 1
        return found

    def _hash(self, path: Path) -> str:
        status = path.stat()
        stamp = (status.st_ino, status.st_mtime_ns)
        known = self._hashed.get(path)
        if known is None or known[:2] != stamp:
            known = (*stamp, digest(path.read_bytes()))
            self._hashed[path] = known
        return known[2]

    def _check_nothing_lost(self, on_disk: dict[Path, int]) -> None:
        for path, revision in self._seen.items():
            assert path in on_disk, f"{path} held a good file and is gone"
            assert on_disk[path] >= revision, f"{path} went back to an older content"
        self._seen = on_disk

    def _check_rows(self, bench: Bench, on_disk: dict[Path, int]) -> None:
        for name, row in bench.reports().items():
            if row.state not in (FileState.PRESENT, FileState.STALE):
                continue
            if row.state is FileState.STALE and row.path not in on_disk:
                continue  # somebody took it away: the next plan finds out
            assert row.path in on_disk, f"{name} is {row.state} and not there"
            assert row.revision is not None
            # A content may be newer than the listing that it was asked for by, never older.
            assert on_disk[row.path] >= row.revision, f"{name} is {row.state} with an older content"
            if row.state is FileState.PRESENT:
                assert row.sha256 == self._hash(row.path), f"{name} is not what the state says"
                assert row.size == row.path.stat().st_size
