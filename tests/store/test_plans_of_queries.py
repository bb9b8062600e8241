"""SQLite's plans for the statements of runs: none walks through a table that grows with the archive.

SQLite keeps no statistics here, so that its plan for a statement is the same in a small and in a large state;
the lists of keys, whose length it looks at, are made as long as they get.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer
from jwstwatch.store.bulk import CHUNK
from jwstwatch.store.engine import Database
from jwstwatch.store.news import News
from jwstwatch.store.reservations import Due, Lot
from jwstwatch.store.tellings import Mark, Tellings
from tests.sync.bench import Bench
from tests.sync.conftest import NOW

LARGE = {
    "event",
    "file",
    "interest",
    "keywords",
    "listing",
    "observation",
    "product",
    "replaced",
    "version",
    "want",
}

WIDE = {"profile", "root_id", "kind"}
"""Columns that have one value in most of a million rows."""

NARROW = {
    ("event", "rowid"): "what happened since a moment",
    ("listing", "missing_since"): "the index holds what some list lacks",
    ("product", "rowid"): "a block of products",
    ("product", "sampled_at"): "what was asked for within a day, or is to be asked for again",
    ("replaced", "replaced_at"): "what was replaced within a day",
    ("version", "ended_at"): "the index holds what a validator ended",
}
"""Columns of which a range holds few rows."""

RIGHT = {
    ("Listings.count_observations", "interest"): "a row for each observation, of which a file has a 20th",
    ("Listings.due_observations", "interest"): "the same",
    ("Inquiries.instruments", "interest"): "the same",
    ("_note_interest", "interest"): "after a change of the query every list is judged anew",
    ("Folders._lots", "file"): "the disk check that looks for every file",
    ("Reports.of_run", "file"): "present ones only where this run tried them, by the index of that",
}
"""Who walks through what, rightly."""

_NUMBERS = re.compile(r"((?:\b|_)(?:id|obsid|uri|path|name|proposal|obsnum)\)? IN) \(\?(?:, \?)*\)")
_STEP = re.compile(r"(?P<how>SCAN|SEARCH) (?P<name>\w+)(?: USING [^(]*(?:\((?P<by>.*)\))?)?")
_NAMED = r'\b(\w+) AS "?{name}"?\b'


@dataclass(frozen=True)
class Asked:
    """A statement, the function of the store that sent it, and its plan."""

    who: str
    statement: str
    values: str
    plan: tuple[str, ...]

    @property
    def walks(self) -> list[str]:
        """The large tables of which it reads most rows."""
        return [table for line in self.plan if (table := self._walked(line)) is not None]

    def _walked(self, line: str) -> str | None:
        step = _STEP.match(line)
        if step is None:
            return None
        named = re.search(_NAMED.format(name=step["name"]), self.statement)
        table = named[1] if named else step["name"]
        if table not in LARGE:
            return None
        if step["how"] == "SEARCH" and step["by"] is None:
            return None  # the first or the last entry of an index
        return None if self._is_narrow(table, step["by"] or "") else table

    def _is_narrow(self, table: str, by: str) -> bool:
        for column, sign in re.findall(r"(\w+)([=<>])\?", by):
            if sign == "=" and column == "state":
                # Nearly all files are present; what is wanted, failed or stale is what there is to do.
                if "'present'" not in self.values:
                    return True
            elif (sign == "=" and column not in WIDE) or (table, column) in NARROW:
                return True
        return False


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Asked]]:
    """A state, and every statement of some runs in it and of what is told of them."""
    catalogue = scaled_catalogue(observations=3, now=NOW, sizes=(3_000, 6_000), newest=timedelta(days=30))
    folder = tmp_path_factory.mktemp("bench")
    with ArchiveServer(catalogue, token="mine") as server:
        bench = Bench(folder=folder, server=server, clock=NOW, token="mine")
        bench.configure({"watch": {"propID": 9001, "makewebpages": True}})
        with bench.store, gathered(bench.store.database) as sent:
            bench.run()
            catalogue.add_exposure(
                like=catalogue.observations[-1].obs_id, start=NOW - timedelta(hours=2), now=NOW
            )
            lost, changed = catalogue.products[0], catalogue.products[-1]
            catalogue.reprocess(changed.uri, now=NOW, grow=1)
            catalogue.withdraw(lost.uri)
            for _ in range(2):
                bench.later(days=3)
                bench.run(full=True)
            assert bench.states()[lost.name] == "gone"
            _do_what_is_rare(bench)
            _tell(bench)
        path = folder / "state.db"
        return path, [Asked(*entry, plan=plan_of(path, entry[1])) for entry in sorted(set(sent))]


def _do_what_is_rare(bench: Bench) -> None:
    """Ask what runs ask where there is no room, an older copy is kept, or the archive was down."""
    store, due = bench.store, Due(run_id=1, profile="watch", now=bench.clock)
    kind = Lot(
        priority=1,
        filetype="rate.fits",
        calib_level=2,
        replaces=False,
        waits=None,
        files=1,
        listed=1,
        size=1,
    )
    store.reservations.rank(due, [(kind, 2)])
    store.reservations.mark(due, waiting=["waits"], why="no room", first=(1, 1))
    store.reservations.waiting()
    store.reservations.waiting_by_root(["watch"])
    store.reactions.put_off("watch")
    store.reactions.spent("watch", now=bench.clock)
    for keeps in (True, False):
        store.reactions.keep("watch", ["rate.fits"], keeps=keeps)
    store.transfers.forgive_outage(1, now=bench.clock)
    store.withdrawals.due_elsewhere("watch", ["watch"], now=bench.clock)


def _tell(bench: Bench) -> None:
    database = bench.store.database
    until = Tellings(database).newest("watch")
    assert until is not None
    news, after = News(database), Mark(0, 0)
    news.arrivals("watch", after=after, until=until)
    news.failures("watch", after=after, until=until)
    news.days(since=NOW)
    news.totals()


@contextlib.contextmanager
def gathered(database: Database) -> Iterator[list[tuple[str, str, str]]]:
    """Gather who sent which statement with which values."""
    sent: list[tuple[str, str, str]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.partition(" ")[0] in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"):
            sent.append((_sender(), statement, repr(values)))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def _sender() -> str:
    """Return the function of the store that is running, by its name in its file."""
    frame = sys._getframe(2)
    while frame.f_back is not None:
        path = Path(frame.f_code.co_filename)
        if (
            path.parent.name == "store"
            and path.parent.parent.name == "jwstwatch"
            and path.stem
            not in (
                "bulk",
                "engine",
            )
        ):
            return frame.f_code.co_qualname
        frame = frame.f_back
    return "?"


def plan_of(path: Path, statement: str) -> tuple[str, ...]:
    """Return SQLite's plan for a statement with long lists of keys. The values mean nothing to it."""
    long = _NUMBERS.sub(lambda match: f"{match[1]} ({', '.join('?' * CHUNK)})", statement)
    with contextlib.closing(sqlite3.connect(path)) as state:
        rows = state.execute(f"EXPLAIN QUERY PLAN {long}", [None] * long.count("?"))
        return tuple(row[3] for row in rows)


def test_no_statement_of_a_run_walks_through_a_large_table(runs: tuple[Path, list[Asked]]) -> None:
    _, asked = runs
    walks = {
        (entry.who, table): "\n  ".join((entry.statement, *entry.plan))
        for entry in asked
        for table in entry.walks
    }
    unexpected = {key: plan for key, plan in walks.items() if key not in RIGHT}
    assert not unexpected, "\n\n".join(f"{key}: {plan}" for key, plan in unexpected.items())
    assert RIGHT.keys() <= walks.keys(), "what walks no more has no place in the list"


@pytest.mark.parametrize(
    ("statement", "walked"),
    [
        ("SELECT * FROM file", ["file"]),
        ("SELECT * FROM file WHERE root_id = ?", ["file"]),
        ("SELECT * FROM want AS other WHERE profile = ? AND keeps", ["want"]),
        ("SELECT * FROM file WHERE state IN ('present')", ["file"]),
        ("SELECT * FROM file WHERE state = 'wanted'", []),
        ("SELECT * FROM file WHERE product_id IN (?, ?)", []),
        ("SELECT * FROM file WHERE product_id IN (?, ?) AND state IN (?, 'present')", ["file"]),
        ("SELECT * FROM want WHERE profile = ? AND file_id = ?", []),
        ("SELECT * FROM want WHERE profile = ? AND file_id > ?", ["want"]),
        ("SELECT * FROM event WHERE id > ?", []),
        ("SELECT max(id) FROM event", []),
        ("SELECT * FROM root", []),
    ],
)
def test_a_walk_is_recognised(runs: tuple[Path, list[Asked]], statement: str, walked: list[str]) -> None:
    path, _ = runs
    entry = Asked("", statement, statement, plan_of(path, statement))
    assert entry.walks == walked, entry.plan
