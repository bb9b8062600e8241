"""The life of a file row while it is fetched: claimed, intended, placed or failed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from sqlalchemy import Connection, and_, case, delete, exists, func, or_, select, update
from sqlalchemy.sql import ColumnElement

from jwstwatch.core.asking import CLOCKS_DIFFER
from jwstwatch.core.evidence import Fact
from jwstwatch.core.keywords import believable_checksum
from jwstwatch.core.model import FileState
from jwstwatch.core.retrying import LONGEST_DELAY, FailureKind
from jwstwatch.store import arrivals, bulk, events, placements, tables
from jwstwatch.store.conditions import is_present
from jwstwatch.store.engine import Database
from jwstwatch.store.pagemarks import mark_pages_due_for_files

_NONE_KEPT: Mapping[int, str] = MappingProxyType({})

_DUE = (FileState.WANTED.value, FileState.STALE.value)
_TRIED = (FileState.FAILED.value, FileState.WITHHELD.value)
_ANY_TIME = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A file that this run alone may fetch until its lease ends. Sizes in bytes."""

    file_id: int
    product_id: int
    uri: str
    name: str
    root: Path
    path: str
    revision: int
    """Of the product, as the archive has it now."""
    listed_size: int | None
    exclusive: bool
    attempts: int
    failed_as: FailureKind | None
    """How it failed at the last try, None where it did not."""
    replaces: bool
    """A readable older copy stands at the path."""
    copy_size: int | None = None
    """Bytes of the copy that stands at the path."""
    checksum: str | None = None
    """MD5 of the revision as 32 hexadecimal digits, where the keyword service states one to be believed."""
    copy_revision: int | None = None
    """Revision of that copy; None where there is none, or it is not known."""

    @property
    def updates(self) -> bool:
        """Return whether a copy of an older, known revision stands at the path."""
        return self.replaces and self.copy_revision is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A verified partial file that is about to take its place."""

    file_id: int
    product_id: int
    root: Path
    path: str
    part: str
    revision: int
    size: int
    sha256: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    note: str | None = None

    @property
    def history(self) -> str:
        """What the file's history is to tell of it; whose evidence came with it tells where it came from."""
        source = ", from the cloud" if any(name.startswith("s3.") for name in self.facts) else ""
        return f"revision {self.revision}, {self.size} bytes, SHA-256 {self.sha256}{source}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAttempt:
    """A file that did not arrive: it becomes `state` and is tried again at `next_attempt_at`."""

    file_id: int
    product_id: int
    state: FileState
    kind: FailureKind
    reason: str
    message: str
    next_attempt_at: datetime | None


class Transfers:
    """The transfer's side of the file and intent tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(
        self,
        run_id: int,
        profile: str,
        *,
        limit: int,
        now: datetime,
        lease_until: datetime,
        force: bool = False,
        before: tuple[int, int] | None = None,
    ) -> list[Claim]:
        """Take the next files of the plan, best priority first; no two runs get the same one.

        With `before`, a priority and a file's number, the plan ends before that place.
        """
        file = tables.file
        with self._database.write() as connection:
            query = (
                select(file.c.id)
                .where(due_files(run_id, profile, now, force=force))
                .order_by(file.c.priority, file.c.id)
                .limit(limit)
            )
            if before is not None:
                query = query.where(~from_place(before))
            ids = list(connection.execute(query).scalars())
            if not ids:
                return []
            connection.execute(
                update(file)
                .where(file.c.id.in_(ids))
                .values(claimed_by=run_id, lease_until=lease_until, attempted_by=run_id)
            )
            return _claims(connection, ids)

    def planned(self, run_id: int, profile: str, *, now: datetime, force: bool = False) -> tuple[int, int]:
        """Return how many files this run will try, and the bytes listed for them."""
        file, product = tables.file, tables.product
        query = (
            select(product.c.size)
            .join(file, file.c.product_id == product.c.id)
            .where(due_files(run_id, profile, now, force=force))
        )
        with self._database.read() as connection:
            sizes = list(connection.execute(query).scalars())
        return len(sizes), sum(size or 0 for size in sizes)

    def sources(self, claims: Sequence[Claim]) -> dict[int, tuple[Path, str]]:
        """Return (path, SHA-256) of a present copy elsewhere for each claimed file that has one."""
        file, root, product = tables.file, tables.root, tables.product
        wanted: dict[int, list[int]] = defaultdict(list)
        for claim in claims:
            wanted[claim.product_id].append(claim.file_id)
        found: dict[int, tuple[Path, str]] = {}
        with self._database.read() as connection:
            for ids in bulk.chunks(wanted):
                query = (
                    select(file.c.product_id, file.c.path, file.c.sha256, root.c.path.label("root"))
                    .join(root, root.c.id == file.c.root_id)
                    .join(product, product.c.id == file.c.product_id)
                    .where(
                        file.c.product_id.in_(ids),
                        is_present(),
                        file.c.revision == product.c.revision,
                        file.c.sha256.is_not(None),
                    )
                )
                for row in connection.execute(query):
                    source = (Path(row.root) / row.path, row.sha256)
                    found.update(dict.fromkeys(wanted[row.product_id], source))
        return found

    def open_intents(self, run_id: int, intents: Sequence[Intent], *, now: datetime) -> set[int]:
        """Make known, durably, what is about to be put where; return which files the run still has claimed.

        Those that another run claimed, having taken this one for dead, are left out: they are its own now.
        """
        rows = [
            {
                "file_id": intent.file_id,
                "revision": intent.revision,
                "size": intent.size,
                "sha256": intent.sha256,
                "part": intent.part,
                "facts": dict(intent.facts),
                "note": intent.note,
                "run_id": run_id,
                "created_at": now,
            }
            for intent in intents
        ]
        with self._database.write() as connection:
            held = _still_claimed(connection, run_id, [intent.file_id for intent in intents])
            bulk.upsert(connection, tables.intent, [row for row in rows if row["file_id"] in held])
        return held

    def intents_left_open(self) -> list[Intent]:
        """Return what a killed process was about to put in place."""
        intent, file, root = tables.intent, tables.file, tables.root
        query = (
            select(intent, file.c.product_id, file.c.path, root.c.path.label("root"))
            .join(file, file.c.id == intent.c.file_id)
            .join(root, root.c.id == file.c.root_id)
            .join(tables.run, tables.run.c.id == intent.c.run_id)
            .where(tables.run.c.outcome.is_not(None))
        )
        with self._database.read() as connection:
            return [
                Intent(
                    file_id=row.file_id,
                    product_id=row.product_id,
                    root=Path(row.root),
                    path=row.path,
                    part=row.part,
                    revision=row.revision,
                    size=row.size,
                    sha256=row.sha256,
                    facts=row.facts or {},
                    note=row.note,
                )
                for row in connection.execute(query)
            ]

    def give_back(self, run_id: int, file_ids: Collection[int]) -> None:
        """Take back the claims of files that were not begun, as if the run had never had them."""
        file = tables.file
        with self._database.write() as connection:
            for ids in bulk.chunks(file_ids):
                connection.execute(
                    update(file)
                    .where(file.c.id.in_(ids), file.c.claimed_by == run_id)
                    .values(claimed_by=None, lease_until=None, attempted_by=None)
                )

    def record_placed(
        self,
        run_id: int,
        placed: Sequence[tuple[Intent, int]],
        *,
        now: datetime,
        how: str = "fetched",
        written: int = 0,
        kept: Mapping[int, str] = _NONE_KEPT,
    ) -> None:
        """Commit `present` for files (with their mtime in ns) that are at their paths; close their intents.

        A product whose revision rose meanwhile leaves its file stale. `written` bytes of what the run has
        reserved are not to come any more. `kept` tells where copies that were replaced lie now, by file.
        """
        with self._database.write() as connection:
            arrivals.record_placed(connection, placed, how=how, now=now)
            placements.record_replaced(connection, run_id, placed, kept=kept, now=now)
            placements.mark_present(connection, placed, now=now)
            placements.keep_facts(connection, [intent for intent, _ in placed])
            _close(connection, [intent.file_id for intent, _ in placed])
            if written:
                lower_reservation(connection, run_id, written)
            events.record(
                connection,
                [
                    events.Event(
                        product_id=intent.product_id,
                        file_id=intent.file_id,
                        run_id=run_id,
                        kind=how,
                        detail=intent.history,
                    )
                    for intent, _ in placed
                ],
                now=now,
            )
            mark_pages_due_for_files(connection, [intent.file_id for intent, _ in placed])

    def forget_intents(self, file_ids: Collection[int]) -> None:
        """Drop intents that came to nothing."""
        if not file_ids:
            return
        with self._database.write() as connection:
            _close(connection, file_ids)

    def record_failed(self, run_id: int, failed: Sequence[FailedAttempt], *, now: datetime) -> None:
        """Keep why files did not arrive; a stale copy stays what it is: readable, and wanted anew."""
        if not failed:
            return
        file = tables.file
        with self._database.write() as connection:
            for attempt in failed:
                stale = file.c.state == FileState.STALE.value
                connection.execute(
                    update(file)
                    .where(file.c.id == attempt.file_id)
                    .values(
                        state=case((stale, FileState.STALE.value), else_=attempt.state.value),
                        reason=case((stale, file.c.reason), else_=attempt.reason),
                        attempts=file.c.attempts + 1,
                        failure_kind=attempt.kind.value,
                        last_error=attempt.message,
                        next_attempt_at=attempt.next_attempt_at,
                        claimed_by=None,
                        lease_until=None,
                        changed_at=now,
                    )
                )
            events.record(
                connection,
                [
                    events.Event(
                        product_id=attempt.product_id,
                        file_id=attempt.file_id,
                        run_id=run_id,
                        kind=attempt.state.value,
                        detail=attempt.message,
                    )
                    for attempt in failed
                ],
                now=now,
            )
            mark_pages_due_for_files(connection, [attempt.file_id for attempt in failed])

    def retry(self, names: Sequence[str], profiles: Collection[str], now: datetime) -> tuple[int, list[str]]:
        """Try failed files again now: the named ones (all), of these profiles (of all).

        Returns how many there are, and the saved profiles that want them. Raises `UsageError` for a name
        that no file has.
        """
        from jwstwatch.store.retries import retry

        with self._database.write() as connection:
            return retry(connection, names, profiles=profiles, now=now)

    def forgive_outage(self, run_id: int, *, now: datetime) -> None:
        """The archive was down: what failed for that alone is wanted at once when it is back."""
        file = tables.file
        with self._database.write() as connection:
            forgiven = connection.execute(
                update(file)
                .where(
                    file.c.attempted_by == run_id,
                    file.c.failure_kind == FailureKind.ARCHIVE.value,
                    file.c.state.in_((FileState.FAILED.value, FileState.STALE.value)),
                )
                .values(
                    state=case(
                        (file.c.state == FileState.FAILED.value, FileState.WANTED.value), else_=file.c.state
                    ),
                    reason=case(
                        (file.c.state == FileState.FAILED.value, "the archive was down"), else_=file.c.reason
                    ),
                    attempts=0,
                    next_attempt_at=None,
                    changed_at=now,
                )
                .returning(file.c.id)
            ).scalars()
            mark_pages_due_for_files(connection, list(forgiven))


def _still_claimed(connection: Connection, run_id: int, file_ids: Sequence[int]) -> set[int]:
    """Return those of the files that are claimed by the run; nearly always all, so they are counted first."""
    file, held = tables.file, set[int]()
    for ids in bulk.chunks(file_ids):
        claimed = and_(file.c.id.in_(ids), file.c.claimed_by == run_id)
        count = connection.execute(select(func.count()).select_from(file).where(claimed)).scalar_one()
        if count == len(ids):
            held.update(ids)
        else:
            held.update(connection.execute(select(file.c.id).where(claimed)).scalars())
    return held


def in_transfer(connection: Connection, file_ids: Collection[int]) -> list[int]:
    """Return those of the files that a run which goes on has claimed."""
    file = tables.file
    live = select(tables.run.c.id).where(tables.run.c.outcome.is_(None))
    found: list[int] = []
    for ids in bulk.chunks(file_ids):
        query = select(file.c.id).where(file.c.id.in_(ids), file.c.claimed_by.in_(live))
        found += connection.execute(query).scalars()
    return found


def due_files(run_id: int, profile: str, now: datetime, *, force: bool) -> ColumnElement[bool]:
    """Return the condition for files that a run of the profile may fetch now."""
    file, want = tables.file, tables.want
    # Not by the clock, which may jump: a run that is over, or found dead, is closed and holds nothing.
    live = select(tables.run.c.id).where(tables.run.c.outcome.is_(None))
    free = or_(file.c.claimed_by.is_(None), file.c.claimed_by.not_in(live))
    tried = and_(file.c.attempted_by.is_not(None), file.c.attempted_by == run_id)
    conditions = [
        # Begins at the few files of these states: most that a profile wants are present.
        exists().where(want.c.profile == profile, want.c.file_id == file.c.id, ~is_kept()),
        # Without a time there is nothing to try before something changes: a token, a release, what stands
        # at the path. Compared with one, and not with null, so that the index passes over those, too.
        or_(
            file.c.state.in_(_DUE),
            and_(file.c.state.in_(_TRIED), file.c.next_attempt_at >= _ANY_TIME),
        ),
        ~file.c.declined,
        free,
        ~tried,
    ]
    if not force:
        # No attempt is put off by more than a day: a later one was told by a clock that went wrong. What
        # is absent waits for as long as a profile says, from when that was found.
        absent = func.coalesce(file.c.failure_kind, "") == FailureKind.ABSENT.value
        wrong = or_(
            and_(~absent, file.c.next_attempt_at > now + 2 * LONGEST_DELAY),
            and_(absent, file.c.changed_at > now + CLOCKS_DIFFER),
        )
        conditions.append(or_(file.c.next_attempt_at.is_(None), file.c.next_attempt_at <= now, wrong))
    return and_(*conditions)


def is_outdated() -> ColumnElement[bool]:
    """Return the condition for files of which an older revision is there, and known.

    What is damaged, or was never recognised, is not: it is mended like what is missing.
    """
    file = tables.file
    return and_(file.c.state == FileState.STALE.value, file.c.revision.is_not(None))


def is_kept() -> ColumnElement[bool]:
    """Return the condition for files, joined with `want`, of which a profile keeps the older revision."""
    return and_(tables.want.c.keeps, is_outdated())


def from_place(place: tuple[int, int]) -> ColumnElement[bool]:
    """Return the condition for files that come at a place of the plan (priority, number) or after it."""
    file, (priority, number) = tables.file, place
    return or_(file.c.priority > priority, and_(file.c.priority == priority, file.c.id >= number))


def lower_reservation(connection: Connection, run_id: int, size: int) -> None:
    """So many bytes of what a run has reserved are not to come any more."""
    table = tables.reservation
    rest = case((table.c.bytes > size, table.c.bytes - size), else_=0)
    connection.execute(update(table).where(table.c.run_id == run_id).values(bytes=rest))


def _claims(connection: Connection, ids: Sequence[int]) -> list[Claim]:
    file, product, root = tables.file, tables.product, tables.root
    query = (
        select(
            file,
            product.c.uri,
            product.c.name,
            product.c.revision.label("newest"),
            product.c.size.label("listed_size"),
            product.c.exclusive,
            product.c.facts,
            root.c.path.label("root"),
        )
        .join(product, product.c.id == file.c.product_id)
        .join(root, root.c.id == file.c.root_id)
        .where(file.c.id.in_(ids))
        .order_by(file.c.priority, file.c.id)
    )
    return [
        Claim(
            file_id=row.id,
            product_id=row.product_id,
            uri=row.uri,
            name=row.name,
            root=Path(row.root),
            path=row.path,
            revision=row.newest,
            listed_size=row.listed_size,
            exclusive=row.exclusive,
            attempts=row.attempts,
            failed_as=FailureKind(row.failure_kind) if row.failure_kind else None,
            replaces=row.state == FileState.STALE.value,
            copy_size=row.size,
            checksum=believable_checksum(row.facts or {}),
            copy_revision=row.revision,
        )
        for row in connection.execute(query)
    ]


def _close(connection: Connection, file_ids: Collection[int]) -> None:
    for ids in bulk.chunks(file_ids):
        connection.execute(delete(tables.intent).where(tables.intent.c.file_id.in_(ids)))
