"""Runs in this process: a state, an output folder, an archive on loopback, and a clock that a test sets."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from jwstwatch.archive.mast import MastArchive
from jwstwatch.config import Settings, load
from jwstwatch.core.model import FileState, Trigger
from jwstwatch.demo.server import ArchiveServer
from jwstwatch.store.runs import RunRecord
from jwstwatch.store.store import Store, open_store
from jwstwatch.sync import story
from jwstwatch.sync.context import Context, Nobody, Options, Silence, Witness


@dataclass(frozen=True)
class FileRow:
    """What the state says of one file."""

    path: Path
    name: str
    state: FileState
    reason: str | None
    size: int | None
    sha256: str | None
    revision: int | None
    note: str | None
    attempts: int
    last_error: str | None
    unselected: bool


@functools.cache
def _fresh_state() -> bytes:
    """Return a state with nothing in it: to make one takes a hundred times as long as to write it down."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "state.db")
        open_store(f"sqlite:///{path}", upgrade=True).database.close()
        return path.read_bytes()


class Listener(Silence):
    """Keeps what a run says."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.failures: dict[str, str] = {}
        self.plans: list[tuple[int, int]] = []

    def planned(self, *, files: int, size: int) -> None:
        self.plans.append((files, size))

    def failed(self, name: str, problem: str) -> None:
        self.failures[name] = problem

    def warned(self, text: str) -> None:
        self.warnings.append(text)


@dataclass
class Bench:
    """Everything that a run needs; `clock` is the time that it takes for now."""

    folder: Path
    server: ArchiveServer
    clock: datetime
    token: str | None = None
    stored_token: str | None = None
    """What is found where a rejected token is looked up again."""
    witness: Witness = field(default_factory=Nobody)
    heard: Listener = field(default_factory=Listener)
    stop: threading.Event = field(default_factory=threading.Event)
    mast: dict[str, Any] = field(default_factory=dict)
    """Keys of the section `mast:` beside the server, for the next `configure`."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.settings = self.configure({"watch": {"propID": 9001}})
        state = self.folder / "state.db"
        if not state.exists():
            state.write_bytes(_fresh_state())
            state.chmod(0o640)
        self.store: Store = open_store(self.settings.state_url, upgrade=True)

    @property
    def root(self) -> Path:
        return self.folder / "data"

    def configure(self, profiles: Mapping[str, Mapping[str, Any]], **defaults: Any) -> Settings:
        """Write and load a configuration."""
        document = {
            "state": str(self.folder / "state.db"),
            "mast": {"server": self.server.url, "timeout": 5} | self.mast,
            "defaults": {"outrootdir": str(self.root), "filetypes": []} | defaults,
            "profiles": profiles,
        }
        path = self.folder / "jwstwatch.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        self.settings = load(path, environ={}, folder=self.folder)
        return self.settings

    def context(self) -> Context:
        mast = self.settings.mast
        archive = MastArchive(
            self.server.url,
            timeout=5.0,
            token=self.token,
            stop=self.stop,
            sleep=lambda _: None,
            cloud=mast.cloud_server if mast.cloud == "prefer" else None,
        )
        return Context(
            store=self.store,
            archive=archive,
            mast=self.settings.mast,
            profiles=self.settings.profiles,
            token=self.token,
            reread_token=lambda refused: self.stored_token,
            stop=self.stop,
            report=self.heard,
            witness=self.witness,
            now=lambda: self.clock,
        )

    def attempt(self, name: str = "watch", **options: Any) -> story.RunResult:
        """Run a profile; what comes of it is the caller's to judge."""
        self.server.requests.clear()
        return story.run(
            self.settings.profiles[name],
            context=self.context(),
            trigger=Trigger.SCHEDULE,
            options=Options(**options),
        )

    def run(self, name: str = "watch", **options: Any) -> RunRecord:
        """Run a profile to a good end."""
        result = self.attempt(name, **options)
        assert result.record.error_message is None, result.record.error_message
        counts = result.record.counts
        assert counts.failed == 0, self.heard.failures
        return result.record

    def notices(self) -> dict[str, str]:
        """What holds now: text by cause."""
        return {notice.cause: notice.text for notice in self.store.notices.holding()}

    def later(self, **passed: float) -> None:
        """Let time pass."""
        self.clock += timedelta(**passed)

    @property
    def fetched(self) -> list[str]:
        """The names that the last run asked the archive to send, in order."""
        return [str(request.uri).rpartition("/")[2] for request in self.server.requests.downloads()]

    @property
    def asked_products(self) -> int:
        """How many product questions the last run asked."""
        return len(self.server.requests.queries("Mast.Caom.Products"))

    def files(self) -> dict[str, bytes]:
        """Every file below the output folder, by relative path."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and path.name != ".jwstwatch-root"
        }

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the state itself."""
        with contextlib.closing(sqlite3.connect(self.folder / "state.db")) as connection:
            return connection.execute(query, values).fetchall()

    def reports(self) -> dict[str, FileRow]:
        """What the state says of each file, by name (the last of several copies)."""
        columns = "state, reason, file.size, sha256, file.revision, note, attempts, last_error, unselected"
        rows = self.ask(
            f"SELECT root.path, file.path, name, {columns} FROM file "
            "JOIN product ON product.id = product_id JOIN root ON root.id = root_id ORDER BY file.id"
        )
        return {
            name: FileRow(Path(root, path), name, FileState(state), *rest, bool(unselected))
            for root, path, name, state, *rest, unselected in rows
        }

    def states(self) -> dict[str, FileState]:
        """The state of each file, by name."""
        return {name: report.state for name, report in self.reports().items()}

    def path(self, name: str) -> Path:
        """Where the state has a file."""
        return self.reports()[name].path

    def history(self, name: str) -> list[str]:
        """The kinds of what happened to a product, oldest first."""
        rows = self.ask(
            "SELECT kind FROM event JOIN product ON product.id = product_id WHERE name = ? ORDER BY event.id",
            name,
        )
        return [kind for (kind,) in rows]
