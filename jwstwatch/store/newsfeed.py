"""The entries of the feeds: what runs put in place, read backwards from the newest run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Connection, func, or_, select

from jwstwatch.core.home import NAMES_SHOWN, NEWS_SHOWN, Arrivals, Change, Fate, NewsEntry
from jwstwatch.core.model import Outcome
from jwstwatch.store import arrivals, bulk, tables
from jwstwatch.store.completions import PLACED
from jwstwatch.store.conditions import in_root
from jwstwatch.store.engine import Database
from jwstwatch.store.histories import Revision, revisions_of

RUNS_LOOKED_AT = 2000
"""Runs that are looked through, newest first."""

EVENTS_OF_A_RUN = 2000
"""Arrivals of one run that are looked at: a first run may have brought a million."""

EVENTS_ENOUGH = 5000
"""Arrivals after which no further run is begun."""

_AT_ONCE = 20
"""Runs of which the files are read together."""

_GROUP = 100
"""Runs that are looked for at a time."""


@dataclass(frozen=True, slots=True)
class _Run:
    id: int
    started_at: datetime


@dataclass(slots=True)
class _Group:
    """The files of one entry, while they are collected."""

    fate: Fate
    proposal: int | None
    obsnum: int | None
    times: list[datetime] = field(default_factory=list)
    size: int = 0
    names: list[str] = field(default_factory=list)
    example: _Example | None = None


@dataclass(frozen=True, slots=True)
class _Example:
    """The reprocessed file that stands for all of its entry: its copy was of the revision `former`."""

    name: str
    file_id: int
    product_id: int
    former: int


@dataclass(slots=True)
class _Facts:
    """Of files that some runs placed: what they are, what they took the place of, when they came first."""

    files: dict[int, Any] = field(default_factory=dict)
    """Those of the root, by their numbers."""
    replaced: dict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    """Copies that something took the place of, by file, in the order of the runs that did it."""
    first: dict[int, int] = field(default_factory=dict)
    """The number of the event with which a file was there first: lost or asked for again, it came back."""

    def of_run(self, file_id: int, run_id: int) -> tuple[int | None, int | None]:
        """Return the revision that a run replaced, and the bytes of its own copy if it was replaced since."""
        former: int | None = None
        for row in self.replaced.get(file_id, ()):
            if row.run_id == run_id:
                former = row.revision
            elif row.run_id > run_id:
                return former, row.size or 0
        return former, None


class Newsfeed:
    """What arrived in a root, for its home page and its feeds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, root_id: int, *, now: datetime) -> Arrivals:
        """Return what came into a root and when; `now` only tells which times cannot be true.

        Reads some thousand rows at most, however many files there are.
        """
        with self._database.read() as connection:
            before, days = arrivals.read_days(connection, root_id, now=now)
            return Arrivals(
                hours=arrivals.read_hours(connection, root_id, now=now),
                days=days,
                before=before,
                news=read_news(connection, root_id),
            )


def read_news(connection: Connection, root_id: int) -> tuple[NewsEntry, ...]:
    """Return the newest entries of a root, newest first: one for each run, observation and fate."""
    identity = connection.execute(
        select(tables.root.c.uuid).where(tables.root.c.id == root_id)
    ).scalar_one_or_none()
    if identity is None:
        return ()
    entries: list[tuple[NewsEntry, _Example | None]] = []
    looked_at = 0
    for runs in bulk.chunks(_runs_into(connection, root_id), _AT_ONCE):
        lots: list[tuple[_Run, list[Any]]] = []
        for run in runs:
            if looked_at < EVENTS_ENOUGH:
                lots.append((run, _placed_by(connection, run.id)))
                looked_at += len(lots[-1][1])
        facts = _read_facts(connection, root_id, [row for _, placed in lots for row in placed])
        for run, placed in lots:
            more = len(placed) == EVENTS_OF_A_RUN
            groups = _groups(run, placed, facts)
            entries += [(_entry(group, run, identity, more=more), group.example) for group in groups]
        if len(entries) >= NEWS_SHOWN or looked_at >= EVENTS_ENOUGH:
            break
    entries.sort(key=lambda pair: (pair[0].proposal or 0, pair[0].obsnum or 0, pair[0].fate))
    entries.sort(key=lambda pair: pair[0].updated, reverse=True)
    newest = entries[:NEWS_SHOWN]
    changes = _changes(connection, [example for _, example in newest if example is not None])
    return tuple(
        replace(entry, changes=changes[example]) if example is not None else entry
        for entry, example in newest
    )


def _runs_into(connection: Connection, root_id: int) -> Iterator[_Run]:
    """Yield the runs that put files into the root, newest first.

    A run works in one root: its last placement tells which. Those that brought nothing are not asked.
    """
    run, event, file = tables.run, tables.event, tables.file
    root = (
        select(file.c.root_id)
        .join(event, event.c.file_id == file.c.id)
        .where(event.c.run_id == run.c.id, event.c.kind.in_(PLACED))
        .order_by(event.c.id.desc())  # it planned everything before it placed anything
        .limit(1)
        .correlate(run)
        .scalar_subquery()
    )
    # What goes on, or was killed, has not been counted.
    promising = or_(run.c.downloaded > 0, run.c.outcome.is_(None), run.c.outcome == Outcome.CANCELLED.value)
    query = select(run.c.id, run.c.started_at, root.label("root_id")).where(promising)
    query = query.order_by(run.c.id.desc()).limit(_GROUP)
    before: int | None = None
    for _ in range(RUNS_LOOKED_AT // _GROUP):
        rows = connection.execute(query if before is None else query.where(run.c.id < before)).all()
        yield from (_Run(row.id, row.started_at) for row in rows if row.root_id == root_id)
        if len(rows) < _GROUP:
            return
        before = rows[-1].id


def _placed_by(connection: Connection, run_id: int) -> list[Any]:
    """Return the newest placements of a run: event, file, product, time."""
    event = tables.event
    query = (
        select(event.c.id, event.c.file_id, event.c.product_id, event.c.at)
        .where(event.c.run_id == run_id, event.c.kind.in_(PLACED), event.c.file_id.is_not(None))
        .order_by(event.c.id.desc())
        .limit(EVENTS_OF_A_RUN)
    )
    return list(connection.execute(query).all())


def _read_facts(connection: Connection, root_id: int, placed: Sequence[Any]) -> _Facts:
    """Return what is known of the files that were placed, for any number of runs."""
    file, product, replaced, event = tables.file, tables.product, tables.replaced, tables.event
    facts = _Facts()
    for ids in bulk.chunks(sorted({row.file_id for row in placed})):
        query = (
            select(file.c.id, file.c.size, file.c.product_id)
            .add_columns(product.c.name, product.c.proposal, product.c.obsnum)
            .join(product, product.c.id == file.c.product_id)
            .where(file.c.id.in_(ids), in_root(root_id))
        )
        facts.files.update((row.id, row) for row in connection.execute(query))
        query = select(replaced).where(replaced.c.file_id.in_(ids), replaced.c.run_id.is_not(None))
        for row in connection.execute(query.order_by(replaced.c.run_id)):
            facts.replaced[row.file_id].append(row)
    for ids in bulk.chunks(sorted({row.product_id for row in placed})):
        arrived = select(event.c.file_id, func.min(event.c.id).label("first"))
        arrived = arrived.where(event.c.product_id.in_(ids), event.c.kind.in_((*PLACED, "adopted")))
        rows = connection.execute(arrived.group_by(event.c.file_id))
        facts.first.update((row.file_id, row.first) for row in rows)
    return facts


def _groups(run: _Run, placed: Sequence[Any], facts: _Facts) -> list[_Group]:
    """Return the files of a run by observation and fate; what merely came back is no news."""
    groups: dict[tuple[Any, ...], _Group] = {}
    newest = {row.file_id: row for row in reversed(placed)}
    for file_id, event in sorted(newest.items()):
        row = facts.files.get(file_id)
        if row is None:
            continue
        former, size = facts.of_run(file_id, run.id)
        if former is None and facts.first[file_id] < event.id:
            continue
        fate = Fate.NEW if former is None else Fate.REPROCESSED
        key = (row.proposal, row.obsnum, fate)
        group = groups.setdefault(key, _Group(fate, row.proposal, row.obsnum))
        group.times.append(event.at)
        group.size += (row.size or 0) if size is None else size
        group.names.append(row.name)
        if former is not None and (group.example is None or row.name < group.example.name):
            group.example = _Example(row.name, row.id, row.product_id, former)
    return list(groups.values())


def _entry(group: _Group, run: _Run, root: str, *, more: bool) -> NewsEntry:
    # Not the number of the run: a state that is made anew gives it again.
    what = f"{run.started_at.isoformat()} {group.proposal} {group.obsnum} {group.fate.value}"
    return NewsEntry(
        identity=uuid5(_as_uuid(root), what).urn,
        fate=group.fate,
        proposal=group.proposal,
        obsnum=group.obsnum,
        published=min(group.times),
        updated=max(group.times),
        files=len(group.names),
        size=group.size,
        names=tuple(sorted(group.names)[:NAMES_SHOWN]),
        more=more,
    )


def _as_uuid(text: str) -> UUID:
    """Return the root's uuid; of a marker that somebody wrote by hand, one that is made of it."""
    try:
        return UUID(text)
    except ValueError:
        return uuid5(UUID(int=0), text)


def _changes(connection: Connection, examples: Sequence[_Example]) -> dict[_Example, tuple[Change, ...]]:
    """Return what is stated to be different between the revisions that the examples' copies were of."""
    if not examples:
        return {}
    file, replaced = tables.file, tables.replaced
    ids = [example.file_id for example in examples]
    later: dict[int, list[int]] = defaultdict(list)
    query = select(replaced.c.file_id, replaced.c.revision).where(replaced.c.file_id.in_(ids))
    for row in connection.execute(query):
        later[row.file_id].append(row.revision)
    for row in connection.execute(select(file.c.id, file.c.revision).where(file.c.id.in_(ids))):
        later[row.id].append(row.revision or 0)
    known = revisions_of(connection, [example.product_id for example in examples])
    found = {}
    for example in examples:
        contents = {revision.number: revision for revision in known.get(example.product_id, ())}
        present = min((number for number in later[example.file_id] if number > example.former), default=0)
        found[example] = tuple(_differences(contents.get(example.former), contents.get(present)))
    return found


def _differences(former: Revision | None, present: Revision | None) -> Iterator[Change]:
    if former is None or present is None:
        return
    for name in ("pipeline", "context"):
        before, now = getattr(former, name), getattr(present, name)
        if before and now and before != now:
            yield Change(name=name, former=before, present=now)
