"""Which files somebody means: by name, by local path, by data URI."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, select

from jwstwatch.core import naming
from jwstwatch.core.model import FileState
from jwstwatch.errors import UsageError
from jwstwatch.store import bulk, tables

GROUP = 50
"""Files that are removed while the state is held against other writers."""

_URI = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_SHOWN = 3
"""Names that are told, of many."""
_PROPOSAL = len("jw01345")
"""What the names of one proposal have in common."""
_LAST = "\U0010ffff"
"""Nothing that is a name begins with it."""
_LOOKED_AT = 5000
"""Names that a misspelt one is compared with, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A file that was named: `path` is relative to `root`, whose marker holds `identity`.

    Size in bytes, SHA-256 and mtime (ns) are those of the copy when it was verified.
    """

    file_id: int
    product_id: int
    root: Path
    identity: str
    path: str
    name: str
    uri: str
    state: FileState
    declined: bool
    size: int | None
    sha256: str | None = None
    modified_ns: int | None = None

    @property
    def full(self) -> Path:
        """The absolute path."""
        return self.root / self.path

    @property
    def has_copy(self) -> bool:
        """Whether the state takes a copy to be there."""
        return self.state.value in tables.HAS_COPY and self.size is not None


def choose(connection: Connection, names: Sequence[str], *, profiles: Collection[str] = ()) -> list[Choice]:
    """Return every copy, there or wanted, of the named files, as far as one of `profiles` wants it (if any).

    Raises `UsageError` for names that mean no file, with what they may have meant.
    """
    found: dict[int, Choice] = {}
    unknown: list[str] = []
    for name in dict.fromkeys(names):
        choices = _named(connection, name, profiles)
        if not choices:
            unknown.append(name)
        found.update({choice.file_id: choice for choice in choices})
    if unknown:
        raise _unknown(connection, unknown, profiles)
    return list(found.values())


def _named(connection: Connection, name: str, profiles: Collection[str]) -> list[Choice]:
    file, product, want = tables.file, tables.product, tables.want
    query = query_of_choices().where(_means(connection, name))
    if profiles:
        query = query.where(exists().where(want.c.file_id == file.c.id, want.c.profile.in_(profiles)))
    return [choice_of(row) for row in connection.execute(query.order_by(product.c.uri, file.c.path))]


def _means(connection: Connection, name: str) -> Any:
    file, product = tables.file, tables.product
    if _URI.match(name):
        return product.c.uri == name
    if not name.startswith("/"):
        return product.c.name == name
    path = Path(name)
    roots = connection.execute(select(tables.root.c.id, tables.root.c.path)).all()
    places = [
        and_(file.c.root_id == row.id, file.c.path == str(path.relative_to(row.path)))
        for row in roots
        if path.is_relative_to(row.path)
    ]
    return bulk.any_of(places)


def query_of_choices() -> Any:
    """Return the query whose rows `choice_of` reads."""
    file, product, root = tables.file, tables.product, tables.root
    return (
        select(
            file.c.id,
            file.c.product_id,
            file.c.path,
            file.c.state,
            file.c.declined,
            file.c.size,
            file.c.sha256,
            file.c.modified_ns,
            product.c.name,
            product.c.uri,
            root.c.path.label("root"),
            root.c.uuid,
        )
        .join(product, product.c.id == file.c.product_id)
        .join(root, root.c.id == file.c.root_id)
    )


def choice_of(row: Any) -> Choice:
    """Return the file that a row of `query_of_choices` is."""
    return Choice(
        file_id=row.id,
        product_id=row.product_id,
        root=Path(row.root),
        identity=row.uuid,
        path=row.path,
        name=row.name,
        uri=row.uri,
        state=FileState(row.state),
        declined=row.declined,
        size=row.size,
        sha256=row.sha256,
        modified_ns=row.modified_ns,
    )


def at_same_place(
    connection: Connection, chosen: Sequence[Choice], condition: Any
) -> dict[int, list[Choice]]:
    """Return, by file, the other records of the same file on disk for which the condition holds.

    There are such where one output folder lies in another, or is reached by a link or a second mount.
    """
    folders: dict[Path, object] = {}
    by_place: dict[object, list[Choice]] = {}
    for names in bulk.chunks(dict.fromkeys(choice.name for choice in chosen)):
        query = query_of_choices().where(tables.product.c.name.in_(names), condition)
        for row in connection.execute(query.order_by(tables.root.c.path, tables.file.c.path)):
            other = choice_of(row)
            by_place.setdefault(_place(other, folders), []).append(other)
    found = {}
    for choice in chosen:
        here = by_place.get(_place(choice, folders), []) if by_place else []
        others = [other for other in here if other.file_id != choice.file_id]
        if others:
            found[choice.file_id] = others
    return found


def _place(choice: Choice, folders: dict[Path, object]) -> tuple[object, str]:
    """Return what two paths have in common if they are one: the folder itself, whatever it is called."""
    folder = choice.full.parent
    if folder not in folders:
        try:
            status = folder.stat()
            folders[folder] = (status.st_dev, status.st_ino)
        except OSError:
            folders[folder] = os.path.realpath(folder)
    return folders[folder], choice.full.name


def _unknown(connection: Connection, names: Sequence[str], profiles: Collection[str]) -> UsageError:
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    if profiles and all(_named(connection, name, ()) for name in names):
        return UsageError(
            f"not among the files of {', '.join(profiles)}: {shown}",
            hint="`jwstwatch why NAME` tells which profile wants a file.",
        )
    similar = [each for name in names[:_SHOWN] for each in similar_names(connection, name, limit=_SHOWN)]
    known = f"Known: {', '.join(dict.fromkeys(similar))}." if similar else ""
    return UsageError(f"no file is known as {shown}", hint=known or "`jwstwatch files` lists what is known.")


def similar_names(connection: Connection, name: str, *, limit: int) -> list[str]:
    """Return names of files that are known and resemble `name`, the last part of a path or URI."""
    last = name.rstrip("/").rpartition("/")[2]
    part = naming.parse(last).exposure_key or last.partition(".")[0]
    known = tables.product.c.name
    found = _names(connection, begins(connection, known, part), limit) if part else []
    if part and not found:
        found = _names(connection, known.icontains(part, autoescape=True), limit)
    if not found and len(last) >= _PROPOSAL:
        of_proposal = begins(connection, known, last[:_PROPOSAL])
        found = get_close_matches(last, _names(connection, of_proposal, _LOOKED_AT), n=limit)
    return found


def begins(connection: Connection, name: Any, beginning: str) -> ColumnElement[bool]:
    """Return the condition that a name begins so, as it is written; an index on the names leads there."""
    if connection.dialect.name == "sqlite":
        return and_(name >= beginning, name < beginning + _LAST)
    # In a database's own order what begins alike need not stand together.
    condition: ColumnElement[bool] = name.startswith(beginning, autoescape=True)
    return condition


def _names(connection: Connection, condition: Any, limit: int) -> list[str]:
    product, file = tables.product, tables.file
    has_files = exists().where(file.c.product_id == product.c.id)
    query = select(product.c.name).where(condition, has_files).order_by(product.c.name).limit(limit)
    return list(connection.execute(query).scalars())
