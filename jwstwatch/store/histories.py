"""The revisions of products, what was stated of each, and what became of their copies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select, update

from jwstwatch.store import bulk, tables
from jwstwatch.store.drops import wanting
from jwstwatch.store.engine import Database
from jwstwatch.store.pagemarks import mark_pages_due_for_files


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionCopy:
    """The copy of a revision at one path: bytes, and the run that replaced it.

    `replaced_at` is None where it still stands at `path`; `kept` is where it is kept since, None where it is
    not.
    """

    file_id: int
    path: Path
    size: int | None
    sha256: str | None
    replaced_at: datetime | None = None
    run_id: int | None = None
    kept: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One content of a product: what the archive stated of it, and why it ended (None: it lasts).

    `size` in bytes, as listed; `date` and `context` (CRDS) are the archive's own words.
    """

    number: int
    began_at: datetime
    ended_at: datetime | None
    why: str | None
    size: int | None
    pipeline: str | None
    context: str | None
    checksum: str | None
    date: str | None
    facts: Mapping[str, object]
    copies: tuple[RevisionCopy, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaceable:
    """A copy that is there and its successor is about to replace: as verified, and who wants the file.

    Without `modified_ns` its time proves nothing: something was found wrong with it once.
    """

    file_id: int
    root: Path
    path: str
    revision: int
    size: int | None
    sha256: str | None
    modified_ns: int | None
    profiles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCopy:
    """A replaced copy that is kept at `path` (relative to the root); size in bytes."""

    file_id: int
    revision: int
    root: Path
    path: str
    size: int | None
    sha256: str | None


class Histories:
    """What was, by product and by file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_products(self, product_ids: Collection[int]) -> dict[int, tuple[Revision, ...]]:
        """Return the revisions of each product, oldest first, with every copy that is known of each."""
        found: dict[int, tuple[Revision, ...]] = {}
        with self._database.read() as connection:
            for ids in bulk.chunks(product_ids):
                found.update(revisions_of(connection, ids))
        return found

    def revised(self, product_ids: Collection[int]) -> set[int]:
        """Return those of the products that had another revision before."""
        version = tables.version
        found: set[int] = set()
        with self._database.read() as connection:
            for ids in bulk.chunks(product_ids):
                query = select(version.c.product_id).where(version.c.product_id.in_(ids)).distinct()
                found.update(connection.execute(query).scalars())
        return found

    def replaceable(self, file_ids: Collection[int]) -> dict[int, Replaceable]:
        """Return the copies of a known revision that stand for these files."""
        file, root = tables.file, tables.root
        found: dict[int, Replaceable] = {}
        with self._database.read() as connection:
            for ids in bulk.chunks(file_ids):
                query = (
                    select(file, root.c.path.label("root"))
                    .join(root, root.c.id == file.c.root_id)
                    .where(
                        file.c.id.in_(ids),
                        file.c.state.in_(tables.HAS_COPY),
                        file.c.revision.is_not(None),
                    )
                )
                rows = connection.execute(query).all()
                profiles = wanting(connection, [row.id for row in rows])
                for row in rows:
                    found[row.id] = Replaceable(
                        file_id=row.id,
                        root=Path(row.root),
                        path=row.path,
                        revision=row.revision,
                        size=row.size,
                        sha256=row.sha256,
                        # What was missing or unreadable may be sound by now: only its bytes can tell.
                        modified_ns=None if row.damage is not None else row.modified_ns,
                        profiles=tuple(profiles.get(row.id, ())),
                    )
        return found

    def kept(self, file_ids: Collection[int]) -> dict[int, list[KeptCopy]]:
        """Return the replaced copies that are kept of these files, newest first."""
        replaced, file, root = tables.replaced, tables.file, tables.root
        found: dict[int, list[KeptCopy]] = defaultdict(list)
        with self._database.read() as connection:
            for ids in bulk.chunks(file_ids):
                query = (
                    select(replaced, root.c.path.label("root"))
                    .join(file, file.c.id == replaced.c.file_id)
                    .join(root, root.c.id == file.c.root_id)
                    .where(replaced.c.file_id.in_(ids), replaced.c.kept_as.is_not(None))
                    .order_by(replaced.c.revision.desc())
                )
                for row in connection.execute(query):
                    found[row.file_id].append(
                        KeptCopy(
                            file_id=row.file_id,
                            revision=row.revision,
                            root=Path(row.root),
                            path=row.kept_as,
                            size=row.size,
                            sha256=row.sha256,
                        )
                    )
        return found

    def forget_kept(self, removed: Sequence[KeptCopy]) -> None:
        """Note that these are kept no more; that they were replaced stays known."""
        replaced = tables.replaced
        if not removed:
            return
        with self._database.write() as connection:
            for each in removed:
                connection.execute(
                    update(replaced)
                    .where(replaced.c.file_id == each.file_id, replaced.c.revision == each.revision)
                    .values(kept_as=None)
                )
            mark_pages_due_for_files(connection, {each.file_id for each in removed})


def revisions_of(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[Revision, ...]]:
    """Return the revisions of products, as `Histories.of_products` does."""
    product, version = tables.product, tables.version
    copies = _copies(connection, ids)
    found: dict[int, list[Revision]] = defaultdict(list)
    query = select(version).where(version.c.product_id.in_(ids)).order_by(version.c.revision)
    for row in connection.execute(query):
        found[row.product_id].append(
            _revision(row, row.prvversion, copies, product_id=row.product_id, ended_at=row.ended_at)
        )
    versions = _stated_versions(connection, ids)
    for row in connection.execute(select(product).where(product.c.id.in_(ids))):
        former = found[row.id]
        began_at = former[-1].ended_at if former else row.first_seen_at
        found[row.id].append(
            _revision(row, versions.get(row.id), copies, product_id=row.id, began_at=began_at)
        )
    return {key: tuple(revisions) for key, revisions in found.items()}


def what_changed(connection: Connection, names: Collection[str]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return pipeline version and context, before and now, where the last revision has others, by name."""
    product = tables.product
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for chunk in bulk.chunks(names):
        query = select(product.c.id, product.c.name).where(product.c.name.in_(chunk))
        of_id = {row.id: row.name for row in connection.execute(query)}
        for key, revisions in revisions_of(connection, list(of_id)).items():
            if len(revisions) > 1:
                old, new = revisions[-2:]
                pairs = ((old.pipeline, new.pipeline), (old.context, new.context))
                found[of_id[key]] = tuple((a, b) for a, b in pairs if a and b and a != b)
    return found


def _revision(
    row: Any,
    prvversion: str | None,
    copies: Mapping[tuple[int, int], Sequence[RevisionCopy]],
    *,
    product_id: int,
    began_at: datetime | None = None,
    ended_at: datetime | None = None,
) -> Revision:
    facts = dict(row.facts or {})
    return Revision(
        number=row.revision,
        began_at=began_at or row.began_at,
        ended_at=ended_at,
        why=row.why if ended_at is not None else None,
        size=row.size,
        pipeline=_words(facts.get("keywords.cal_ver")) or prvversion,
        context=_words(facts.get("keywords.crds_ctx")),
        checksum=_words(facts.get("keywords.checksum")),
        date=_words(facts.get("keywords.date")),
        facts=facts | ({"caom.prvversion": prvversion} if prvversion else {}),
        copies=tuple(copies.get((product_id, row.revision), ())),
    )


def _stated_versions(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    """Return the pipeline version that products' own rows state of the present revision, if they agree."""
    listing, product = tables.listing, tables.product
    query = (
        select(listing.c.product_id, func.min(listing.c.prvversion).label("prvversion"))
        .join(product, product.c.id == listing.c.product_id)
        .where(
            listing.c.product_id.in_(ids),
            listing.c.revision == product.c.revision,
            func.substr(product.c.name, 1, func.length(listing.c.obs_id) + 1) == listing.c.obs_id + "_",
        )
        .group_by(listing.c.product_id)
        .having(func.count(listing.c.prvversion.distinct()) == 1)
    )
    return {row.product_id: row.prvversion for row in connection.execute(query)}


def _words(value: object) -> str | None:
    return None if value is None else str(value)


def _copies(connection: Connection, ids: Sequence[int]) -> dict[tuple[int, int], list[RevisionCopy]]:
    """Return the copies of products, of every revision, by product and revision."""
    file, root, replaced = tables.file, tables.root, tables.replaced
    found: dict[tuple[int, int], list[RevisionCopy]] = defaultdict(list)
    place = (file.c.path, root.c.path.label("root"), file.c.product_id)
    former = (
        select(replaced, *place)
        .join(file, file.c.id == replaced.c.file_id)
        .join(root, root.c.id == file.c.root_id)
        .where(file.c.product_id.in_(ids))
        .order_by(root.c.path, file.c.path)
    )
    for row in connection.execute(former):
        found[row.product_id, row.revision].append(
            RevisionCopy(
                file_id=row.file_id,
                path=Path(row.root) / row.path,
                size=row.size,
                sha256=row.sha256,
                replaced_at=row.replaced_at,
                run_id=row.run_id,
                kept=None if row.kept_as is None else Path(row.root) / row.kept_as,
            )
        )
    there = (
        select(file.c.id, file.c.revision, file.c.size, file.c.sha256, *place)
        .join(root, root.c.id == file.c.root_id)
        .where(
            file.c.product_id.in_(ids),
            file.c.state.in_(tables.HAS_COPY),
            file.c.revision.is_not(None),
        )
        .order_by(root.c.path, file.c.path)
    )
    for row in connection.execute(there):
        found[row.product_id, row.revision].append(
            RevisionCopy(file_id=row.id, path=Path(row.root) / row.path, size=row.size, sha256=row.sha256)
        )
    return found
