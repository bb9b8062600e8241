"""The Python interface: the archive's answer and the local inventory as astropy tables."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jwstwatch.config import load, one_off
from jwstwatch.config.documents import suggest
from jwstwatch.core.dates import parse_iso, to_iso
from jwstwatch.core.filetypes import normalise_filetypes
from jwstwatch.core.model import FileState
from jwstwatch.core.parameter_kinds import UNSET, ValueNotAllowedError, Written, split_words
from jwstwatch.core.parameter_table import Group
from jwstwatch.core.parameters import PARAMETERS
from jwstwatch.errors import ConfigurationError, UsageError
from jwstwatch.sync.context import Silence

if TYPE_CHECKING:
    from astropy.table import Table

    from jwstwatch.config import Settings
    from jwstwatch.store.reports import FileReport

log = logging.getLogger("jwstwatch")

FILE_COLUMNS = (
    *("path", "name", "uri", "proposal", "obsnum", "filetype", "state", "reason"),
    *("size", "sha256", "revision", "declined", "superseded", "changed_at"),
)
"""Columns of `local_files`, as `jwstwatch files --json` names them."""

ConfigurationPath = str | os.PathLike[str] | None


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The three tables of a query; missing values are masked, and columns have units where they have any."""

    products: Table
    """One row for each selected file; `outfilename` is where it lies, or would."""
    observations: Table
    """One row for each observation, with the number of its files of each type."""
    summary: Table
    """One row for each observation number of each proposal."""


def query(config: ConfigurationPath = None, **parameters: object) -> QueryResult:
    """Ask the archive what a query finds and selects now; nothing is fetched or recorded.

    Parameters have the names and meanings of the options of `jwstwatch query`: `propID=1410`,
    `propID={1410: [1, 3]}`, `filetypes=["rate", "jpg"]`, `lookbacktime=3`, `date_select="2022-06-06+"`.
    The server and the defaults come from `config`, or from the configuration that the command would find.
    Raises `UsageError`, `ConfigurationError` and `ArchiveError` of `jwstwatch.errors`.
    """
    from jwstwatch.archive.mast import MastArchive
    from jwstwatch.sync import tabling
    from jwstwatch.sync.asking_once import find, require_anything
    from jwstwatch.tables.columns import TableKind
    from jwstwatch.tables.write import to_table

    typed = _typed(parameters)
    settings = _load(config, legacy_variable=True)
    profile = one_off(settings, typed)
    for warning in profile.warnings:
        log.warning("%s", warning)
    require_anything(profile)
    tabling.check_columns(profile)
    archive = MastArchive(settings.mast.server, timeout=settings.mast.timeout)
    try:
        found = find(profile, archive, report=_Log(), now=datetime.now(UTC))
    finally:
        archive.close()
    made = {kind: to_table(table.rows, table.columns) for kind, table in tabling.make(profile, found).items()}
    return QueryResult(
        products=made[TableKind.PRODUCTS],
        observations=made[TableKind.OBSERVATIONS],
        summary=made[TableKind.SUMMARY],
    )


def local_files(
    config: ConfigurationPath = None,
    *,
    profile: str | None = None,
    propID: object = None,  # noqa: N803 - the users' name for it
    filetypes: str | Iterable[str] | None = None,
    state: str | Iterable[str] | None = None,
    since: str | date | None = None,
    new_since: str | date | None = None,
    superseded: bool = False,
    allow_network_state: bool = False,
) -> Table:
    """Return the local inventory: what the state knows of every file, by path.

    Each argument narrows it, with the meaning of the option of `jwstwatch files`; `superseded` adds what
    `--all` does: associations and pools that newer ones took the place of. `size` is in bytes, of the
    copy or else as listed; `changed_at` is ISO 8601 in UTC; missing values are masked. The archive is not
    asked, and nothing is changed. Raises `UsageError`, `ConfigurationError` and `StateError`.
    """
    from jwstwatch.store.reports import FileQuery
    from jwstwatch.store.store import open_to_look
    from jwstwatch.tables.write import to_table

    asked = FileQuery(
        profile=profile,
        states=_states(state),
        proposals={choice.proposal: choice.obsnums for choice in _read("propID", propID)},
        filetypes=normalise_filetypes(_words(filetypes)),
        changed_since=_moment(since, "since"),
        arrived_since=_moment(new_since, "new_since"),
        superseded=superseded,
    )
    settings = _load(config)
    if profile is not None:
        settings.profile(profile)
    with open_to_look(settings.state_url, allow_network_state=allow_network_state) as store:
        rows = [_row(file) for file in store.reports.files(asked)]
    return to_table(rows, FILE_COLUMNS)


def _load(config: ConfigurationPath, *, legacy_variable: bool = False) -> Settings:
    path = None if config is None else Path(config)
    settings = load(path, environ=os.environ, folder=Path.cwd(), legacy_variable=legacy_variable)
    if settings.legacy_path is not None and not legacy_variable:
        raise ConfigurationError(
            f"{settings.legacy_path} is a configuration of jwst_mast_query, which has no state",
            hint="`jwstwatch config import` makes a jwstwatch.yaml of it.",
        )
    for warning in settings.warnings:
        log.warning("%s", warning)
    return settings


def _typed(parameters: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters as if they had been typed; None leaves one out where it cannot be empty."""
    known = tuple(name for name, each in PARAMETERS.items() if each.group is not Group.SCHEDULE)
    typed = {}
    for name, value in parameters.items():
        if name not in known:
            raise UsageError(
                f"a query has no parameter {name!r}{suggest(name, known)}",
                hint="docs/configuration.md describes them all.",
            )
        read = _read(name, value)
        if read is not UNSET:
            typed[name] = read
    return typed


def _read(name: str, value: object) -> Any:
    try:
        return PARAMETERS[name].kind.take(_written(value))
    except ValueNotAllowedError as error:
        raise UsageError(f"{name}: {error}", hint="docs/configuration.md describes it.") from None


def _written(value: object) -> Written:
    """Return a Python value as a configuration file would have it, so that both mean the same."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _written(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [_written(item) for item in value]
    return str(value)


def _words(value: str | Iterable[str] | None) -> list[str]:
    if value is None:
        return []
    return split_words(value) if isinstance(value, str) else [str(word) for word in value]


def _states(value: str | Iterable[str] | None) -> tuple[FileState, ...]:
    try:
        return tuple(FileState(word) for word in _words(value))
    except ValueError as error:
        known = ", ".join(state.value for state in FileState)
        raise UsageError(f"state: {error}", hint=f"The states are {known}.") from None


def _moment(value: str | date | None, name: str) -> datetime | None:
    try:
        return None if value is None else parse_iso(value if isinstance(value, str) else value.isoformat())
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def _row(file: FileReport) -> dict[str, str | int | float | bool | None]:
    return {**file.facts(), "changed_at": to_iso(file.changed_at)}


class _Log(Silence):
    """Tells the log: the steps to whoever wants them, the warnings to everybody."""

    def step(self, text: str) -> None:
        log.info("%s", text)

    def warned(self, text: str) -> None:
        log.warning("%s", text)
