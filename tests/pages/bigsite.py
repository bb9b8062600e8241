"""The site of a big state, written as a run writes it, and what that cost: counted, not timed."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event, update

from jwstwatch.archive.mast import MastArchive
from jwstwatch.config.settings import MastSettings, Profile
from jwstwatch.core.model import Trigger
from jwstwatch.core.parameters import Parameters
from jwstwatch.disk.markers import marker_path
from jwstwatch.store import tables
from jwstwatch.store.engine import Database
from jwstwatch.store.runs import RunRecord
from jwstwatch.store.store import Store, open_store
from jwstwatch.sync import publishing
from jwstwatch.sync.context import Context, Options, Silence
from jwstwatch.sync.listing import Subject
from tests.pages import big

FOLDER = f"{big.PROPOSAL:05d}"
_STEPS = 1000


class Warnings(Silence):
    """Keeps what a run warns of."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def warned(self, text: str) -> None:
        self.texts.append(text)


@dataclass(slots=True, kw_only=True)
class Work:
    """What one publishing cost."""

    statements: list[str] = field(default_factory=list)
    steps: int = 0
    """Of SQLite's machine, to the thousand: they follow the rows that are read."""
    written: list[Path] = field(default_factory=list)
    """Relative to the root."""
    looking: float = 0.0
    """Seconds that went into finding out what was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A root with a big proposal; its profile wants pages."""

    store: Store
    root: Path
    context: Context
    subject: Subject
    warnings: Warnings
    samples: big.Samples | None
    endings: Sequence[str]
    names: str | None

    def publish(self) -> Work:
        """Write the pages that are due."""
        began = time.perf_counter()
        before = self.stamps()
        with counting(self.store.database) as work:
            work.looking = time.perf_counter() - began
            publishing.publish(self.context, self.subject)
        began = time.perf_counter()
        after = self.stamps()
        changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
        work.written = [path.relative_to(self.root) for path in changed]
        work.looking += time.perf_counter() - began
        return work

    def add(self, exposure: int) -> None:
        """Let one more exposure arrive."""
        big.add(
            self.store.database,
            self.subject.root.id,
            [exposure],
            samples=self.samples,
            endings=self.endings,
            names=self.names,
            arrived=self.context.now() - timedelta(minutes=5),
        )

    def mark_everything_due(self) -> None:
        """Raise the marks of all parts."""
        with self.store.database.write() as connection:
            for table in (tables.page, tables.page_part):
                connection.execute(update(table).values(changes=table.c.changes + 1))

    def stamps(self) -> dict[Path, tuple[int, int]]:
        """Return inode and time of everything that is not data."""
        stamps = {}
        for path in self.root.rglob("*"):
            is_data = path.parent.name.startswith("obsnum") and not path.name.endswith(".TN.jpg")
            if path.is_file() and not is_data and path != marker_path(self.root):
                status = path.stat()
                stamps[path] = (status.st_ino, status.st_mtime_ns)
        return stamps


@contextmanager
def make_site(
    folder: Path,
    exposures: int,
    *,
    now: datetime = big.NOW,
    samples: big.Samples | None = None,
    endings: Sequence[str] = big.ENDINGS,
    names: str | None = None,
    **parameters: Any,
) -> Iterator[Site]:
    """Make a state and a root below `folder`; nothing of it is published so far."""
    root = folder / "data"
    warnings = Warnings()
    with open_store(f"sqlite:///{folder / 'state.db'}", upgrade=True) as store:
        record = big.fill(
            store.database, root, exposures=exposures, samples=samples, endings=endings, names=names
        )
        profile = Profile(
            name=big.PROFILE,
            parameters=Parameters(makewebpages=True, **parameters),
        )
        yield Site(
            store=store,
            root=root,
            context=Context(
                store=store,
                archive=MastArchive("http://127.0.0.1:9"),
                mast=MastSettings(),
                profiles={profile.name: profile},
                report=warnings,
                now=lambda: now,
            ),
            subject=Subject(
                run=RunRecord(id=1, profile=profile.name, trigger=Trigger.MANUAL, started_at=now),
                profile=profile,
                root=record,
                options=Options(),
            ),
            warnings=warnings,
            samples=samples,
            endings=endings,
            names=names,
        )


@contextmanager
def counting(database: Database) -> Iterator[Work]:
    """Count the statements of the block, and the steps that SQLite takes for them."""
    work = Work()

    def note_statement(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        work.statements.append(statement)

    def note_step() -> int:
        work.steps += _STEPS
        return 0

    def watch(connection: sqlite3.Connection, *_: Any) -> None:
        connection.set_progress_handler(note_step, _STEPS)

    event.listen(database.engine, "before_cursor_execute", note_statement)
    event.listen(database.engine, "checkout", watch)
    try:
        yield work
    finally:
        event.remove(database.engine, "before_cursor_execute", note_statement)
        event.remove(database.engine, "checkout", watch)
