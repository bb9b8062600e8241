"""What `query` and `download` share: the profile that was typed, and its three tables."""

from __future__ import annotations

import argparse
import shutil
import sys
from typing import TYPE_CHECKING

from jwstwatch.cli import output, profile_options
from jwstwatch.errors import ConfigurationError

if TYPE_CHECKING:
    from jwstwatch.config import Profile, Settings
    from jwstwatch.sync.asking_once import Found


def typed_profile(arguments: argparse.Namespace, settings: Settings) -> Profile:
    """Return the nameless profile of the command line: what is typed, over the file, over the defaults."""
    from jwstwatch.config import one_off

    typed = profile_options.typed_values(arguments)
    profile = one_off(settings, typed)
    for warning in profile.warnings:
        output.complain(f"warning: {warning}")
    return profile


def tables(profile: Profile, found: Found) -> dict[str, tuple[tuple[str, ...], list[dict[str, object]]]]:
    """Return columns and rows of the three tables: products, observations, summary."""
    from jwstwatch.tables import build

    parameters = profile.parameters
    counts = build.count_columns(found.products, parameters.filetypes)
    observation_columns = build.with_counts(parameters.outcolumns_obsTable, counts)
    summary_columns = build.with_counts(build.SUMMARY_LAYOUT, counts)
    product_rows = build.product_rows(
        found.products,
        found.by_obsid,
        found.local,
        columns=parameters.outcolumns_productTable,
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
        "products": (parameters.outcolumns_productTable, list(map(dict, product_rows))),
        "observations": (observation_columns, list(map(dict, observation_rows))),
        "summary": (summary_columns, list(map(dict, summary_rows))),
    }


def check_columns(profile: Profile) -> None:
    """Refuse unknown columns before the archive is asked."""
    from jwstwatch.tables.columns import TableKind, check_columns

    parameters = profile.parameters
    check_columns(
        TableKind.PRODUCTS, (*parameters.outcolumns_productTable, *parameters.sortcols_productTable)
    )
    check_columns(TableKind.OBSERVATIONS, (*parameters.outcolumns_obsTable, *parameters.sortcols_obsTable))
    check_columns(TableKind.SUMMARY, parameters.sortcols_summaryTable)


def print_tables(profile: Profile, found: Found, *, as_json: bool) -> None:
    """Print the three tables as text that fits the terminal, or as JSON."""
    from jwstwatch.tables import write

    made = tables(profile, found)
    if as_json:
        output.print_json(
            {name: write.to_json_rows(rows, columns) for name, (columns, rows) in made.items()}  # type: ignore[arg-type]
        )
        return
    titles = {"products": "selected products", "observations": "observations", "summary": "summary"}
    for name, (columns, rows) in made.items():
        print(output.emphasised(f"{titles[name]} ({len(rows)})"))
        if rows:
            print(write.to_text(rows, columns, width=_cell_width()))  # type: ignore[arg-type]
        else:
            print("  none\n")


def _cell_width() -> int | None:
    """On a terminal long cells are cut; whoever reads a file or a pipe gets them whole."""
    if not sys.stdout.isatty():
        return None
    return max(12, shutil.get_terminal_size().columns // 4)


def save_tables(profile: Profile, found: Found) -> None:
    """Write `<savetables>.selprod.txt`, `.obs.txt` and `.summary.txt` to the output folder, if asked for."""
    name = profile.parameters.savetables
    if not name:
        return
    from jwstwatch.files import write_atomically
    from jwstwatch.sync.rules import root_of
    from jwstwatch.tables import write

    endings = {"products": "selprod", "observations": "obs", "summary": "summary"}
    folder = root_of(profile.parameters)
    for table, (columns, rows) in tables(profile, found).items():
        path = folder / f"{name}.{endings[table]}.txt"
        write_atomically(path, write.to_text(rows, columns).encode())  # type: ignore[arg-type]
        output.complain(f"wrote {path}")


def require_anything(profile: Profile) -> None:
    """Refuse a query that nothing narrows: that is the whole archive."""
    parameters = profile.parameters
    if not parameters.propID and parameters.lookbacktime == 0 and not parameters.date_select:
        raise ConfigurationError(
            "the query asks for everything there is",
            hint="Narrow it with --propID, --lookbacktime or --date_select.",
        )
