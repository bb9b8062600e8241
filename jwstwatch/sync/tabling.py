"""The three tables of jwst_mast_query, of what a query found or of what a run has in hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from jwstwatch.config.settings import Profile
from jwstwatch.core.model import FileState
from jwstwatch.files import write_if_changed
from jwstwatch.sync import rules
from jwstwatch.sync.asking_once import Found
from jwstwatch.sync.context import Context
from jwstwatch.tables import build, columns, write
from jwstwatch.tables.build import Row
from jwstwatch.tables.columns import DownloadCode, LocalFile, TableKind


class TableFormat(StrEnum):
    """How a table is written."""

    TEXT = "text"
    CSV = "csv"
    ECSV = "ecsv"


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeTable:
    """Columns in their order, and rows by column name."""

    columns: tuple[str, ...]
    rows: list[Row]


_SAVED_AS = {
    TableKind.PRODUCTS: "selprod",
    TableKind.OBSERVATIONS: "obs",
    TableKind.SUMMARY: "summary",
}
_ENDINGS = {TableFormat.TEXT: "txt", TableFormat.CSV: "csv", TableFormat.ECSV: "ecsv"}


def check_columns(profile: Profile) -> None:
    """Refuse unknown columns (`UsageError`) before the archive is asked."""
    parameters = profile.parameters
    wanted = {
        TableKind.PRODUCTS: (*parameters.outcolumns_productTable, *parameters.sortcols_productTable),
        TableKind.OBSERVATIONS: (*parameters.outcolumns_obsTable, *parameters.sortcols_obsTable),
        TableKind.SUMMARY: parameters.sortcols_summaryTable,
    }
    for kind, names in wanted.items():
        columns.check_columns(kind, names)


def make(profile: Profile, found: Found) -> dict[TableKind, MadeTable]:
    """Return the three tables with the columns and the order that the profile asks for."""
    parameters = profile.parameters
    counts = build.count_columns(found.products, parameters.filetypes)
    product_columns = parameters.outcolumns_productTable
    observation_columns = build.with_counts(parameters.outcolumns_obsTable, counts)
    summary_columns = build.with_counts(build.SUMMARY_LAYOUT, counts)
    product_rows = build.product_rows(
        found.products,
        found.by_obsid,
        found.local,
        columns=product_columns,
        sort_by=parameters.sortcols_productTable,
    )
    observation_rows = build.observation_rows(
        found.observations,
        found.products,
        columns=observation_columns,
        sort_by=parameters.sortcols_obsTable,
    )
    summary_rows = build.summary_rows(
        found.observations,
        found.products,
        columns=summary_columns,
        sort_by=parameters.sortcols_summaryTable,
    )
    return {
        TableKind.PRODUCTS: MadeTable(columns=product_columns, rows=product_rows),
        TableKind.OBSERVATIONS: MadeTable(columns=observation_columns, rows=observation_rows),
        TableKind.SUMMARY: MadeTable(columns=summary_columns, rows=summary_rows),
    }


def to_text(table: MadeTable, form: TableFormat, *, width: int | None = None) -> str:
    """Write one table; `width` cuts the cells of a text table for a screen."""
    if form is TableFormat.CSV:
        return write.to_csv(table.rows, table.columns)
    if form is TableFormat.ECSV:
        return write.to_ecsv(table.rows, table.columns)
    return write.to_text(table.rows, table.columns, width=width)


def save(profile: Profile, found: Found, form: TableFormat = TableFormat.TEXT) -> list[Path]:
    """Write `<savetables>.selprod.txt`, `.obs.txt`, `.summary.txt` to the output folder if asked for.

    Returns the paths; a table that did not change is not written anew.
    """
    name = profile.parameters.savetables
    if not name:
        return []
    folder = rules.root_of(profile.parameters)
    saved = []
    for kind, table in make(profile, found).items():
        path = folder / f"{name}.{_SAVED_AS[kind]}.{_ENDINGS[form]}"
        write_if_changed(path, to_text(table, form).encode())
        saved.append(path)
    return saved


def in_hand(context: Context, profile: Profile, *, run_id: int) -> Found:
    """Return what the state has for a profile: its observations, its products, and how their files stand."""
    shelf = context.store.reports.shelf(profile.name)
    return Found(
        observations=shelf.observations,
        products=shelf.products,
        local={
            uri: LocalFile.of(str(entry.path), _code(entry.state, fetched=entry.attempted_by == run_id))
            for uri, entry in shelf.local.items()
        },
    )


def _code(state: FileState, *, fetched: bool) -> DownloadCode:
    if state is FileState.PRESENT and fetched:
        return DownloadCode.DOWNLOADED
    return _CODES.get(state, DownloadCode.NOT_THERE)


_CODES: Mapping[FileState, DownloadCode] = {
    FileState.PRESENT: DownloadCode.EXISTS,
    FileState.STALE: DownloadCode.EXISTS,
    FileState.GONE: DownloadCode.EXISTS,
    FileState.FAILED: DownloadCode.FAILED,
}
