"""What the state knows to stand below a root: files, former copies, partials; and their checksums."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Select, func, select, update

from jwstwatch.core.model import FileState
from jwstwatch.store import bulk, tables
from jwstwatch.store.engine import Database
from jwstwatch.store.pagemarks import mark_pages_due_for_files
from jwstwatch.store.roots import LOT, has_copy
from jwstwatch.store.verifications import Scope, chosen

_EXPECTING = (FileState.WANTED, FileState.STALE, FileState.FAILED, FileState.WITHHELD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A former copy that was kept when a newer revision took its place; `path` is relative to its root."""

    file_id: int
    revision: int
    path: str
    size: int | None
    sha256: str | None
    damage: None = None


class Inventory:
    """The names that belong to the state, of the file, product and replaced tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known_paths(self, root_id: int, paths: Collection[str]) -> set[str]:
        """Return those of the paths below a root that belong to files, copies kept from before among them."""
        file, replaced = tables.file, tables.replaced
        found: set[str] = set()
        with self._database.read() as connection:
            for some in bulk.chunks(_possible(paths)):
                query = select(file.c.path).where(file.c.root_id == root_id, file.c.path.in_(some))
                found.update(connection.execute(query).scalars())
            # Former copies are kept in a folder of their own, whose name begins with a dot.
            for some in bulk.chunks(path for path in _possible(paths) if path.startswith(".")):
                kept = (
                    select(replaced.c.kept_as)
                    .join(file, file.c.id == replaced.c.file_id)
                    .where(file.c.root_id == root_id, replaced.c.kept_as.in_(some))
                )
                found.update(connection.execute(kept).scalars())
        return found

    def places_of(self, names: Collection[str]) -> list[tuple[Path, str]]:
        """Return (root, path) of every file with one of these names, wherever it lies."""
        file, product, root = tables.file, tables.product, tables.root
        found: list[tuple[Path, str]] = []
        with self._database.read() as connection:
            for some in bulk.chunks(_possible(names)):
                query = (
                    select(root.c.path.label("root_path"), file.c.path)
                    .join(product, product.c.id == file.c.product_id)
                    .join(root, root.c.id == file.c.root_id)
                    .where(product.c.name.in_(some))
                )
                found += [(Path(row.root_path), row.path) for row in connection.execute(query)]
        return found

    def lying(self, root_id: int, names: Collection[str]) -> dict[str, int | None]:
        """Return the observation numbers of those of the named products that have a copy in the root."""
        file, product = tables.file, tables.product
        found: dict[str, int | None] = {}
        with self._database.read() as connection:
            for some in bulk.chunks(_possible(names)):
                query = (
                    select(product.c.name, product.c.obsnum)
                    .join(file, file.c.product_id == product.c.id)
                    .where(file.c.root_id == root_id, product.c.name.in_(some), has_copy())
                )
                found.update({row.name: row.obsnum for row in connection.execute(query)})
        return found

    def expected(self, root_id: int, paths: Collection[str]) -> dict[str, int]:
        """Return the revision that is still to arrive at each of these paths."""
        file, product = tables.file, tables.product
        found: dict[str, int] = {}
        with self._database.read() as connection:
            for some in bulk.chunks(_possible(paths)):
                query = (
                    select(file.c.path, product.c.revision)
                    .join(product, product.c.id == file.c.product_id)
                    .where(
                        file.c.root_id == root_id,
                        file.c.path.in_(some),
                        file.c.state.in_([state.value for state in _EXPECTING]),
                        ~file.c.declined,
                    )
                )
                found.update({row.path: row.revision for row in connection.execute(query)})
        return found

    def kept(self, scope: Scope, root_id: int) -> list[Kept]:
        """Return the former copies that are kept below a root, by path."""
        file, replaced = tables.file, tables.replaced
        query = (
            select(replaced)
            .join(file, file.c.id == replaced.c.file_id)
            .where(file.c.root_id == root_id, replaced.c.kept_as.is_not(None), *chosen(scope))
        )
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(replaced.c.kept_as)).all()
        return [
            Kept(
                file_id=row.file_id,
                revision=row.revision,
                path=row.kept_as,
                size=row.size,
                sha256=row.sha256,
            )
            for row in rows
        ]

    def forget_kept(self, lost: Sequence[Kept]) -> None:
        """Former copies are kept no more."""
        replaced = tables.replaced
        with self._database.write() as connection:
            for copy in lost:
                connection.execute(
                    update(replaced)
                    .where(
                        replaced.c.file_id == copy.file_id,
                        replaced.c.revision == copy.revision,
                        replaced.c.kept_as == copy.path,
                    )
                    .values(kept_as=None)
                )
            mark_pages_due_for_files(connection, {copy.file_id for copy in lost})

    def sums(self, root_id: int) -> Iterator[tuple[str, str]]:
        """Yield path and SHA-256 of every copy below a root with which nothing is known to be wrong.

        They come in the order of the paths' bytes, as one long look at the state.
        """
        file = tables.file
        path = file.c.path if self._database.is_sqlite else file.c.path.collate("C")
        query: Select[Any] = (
            select(file.c.path, file.c.sha256)
            .where(
                file.c.root_id == root_id,
                has_copy(),
                ~file.c.declined,
                file.c.damage.is_(None),
                func.coalesce(file.c.sha256, "") != "",
            )
            .order_by(path)
        )
        with self._database.read() as connection:
            for row in connection.execution_options(yield_per=LOT).execute(query):
                yield row.path, row.sha256


def _possible(names: Iterable[str]) -> Iterator[str]:
    """Leave out names on disk that are no text: the state has none of them, and cannot be asked for any."""
    return (name for name in names if name.isascii() or not any("\ud800" <= c <= "\udfff" for c in name))
