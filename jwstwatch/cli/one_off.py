"""What `query` and `download` share: the profile that was typed, and its three tables."""

from __future__ import annotations

import argparse
import shutil
import sys
from typing import TYPE_CHECKING

from jwstwatch.cli import output, profile_options

if TYPE_CHECKING:
    from jwstwatch.config import Profile, Settings
    from jwstwatch.sync.asking_once import Found


FORMATS = ("text", "csv", "ecsv", "json")


def typed_profile(arguments: argparse.Namespace, settings: Settings) -> Profile:
    """Return the nameless profile of the command line: what is typed, over the file, over the defaults."""
    from jwstwatch.config import one_off

    typed = profile_options.typed_values(arguments)
    profile = one_off(settings, typed)
    for warning in profile.warnings:
        output.complain(f"warning: {warning}")
    return profile


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare an option for every parameter, and the form of the tables."""
    # The options are too many for a line of usage, and each error would repeat them.
    parser.usage = f"{parser.prog} [OPTIONS]"
    profile_options.add_options(parser)
    printed = parser.add_argument_group("what is printed")
    printed.add_argument(
        "--format",
        choices=FORMATS,
        default="text",
        help="form of the tables, printed and saved (default text); csv and ecsv print the one of --table",
    )
    printed.add_argument(
        "--table",
        choices=("products", "observations", "summary"),
        help="print this table and nothing else (default: all three as text, products as csv or ecsv)",
    )
    printed.add_argument("--json", action="store_true", help="the same as --format json")


def settle_format(arguments: argparse.Namespace) -> None:
    """Make `--json` and `--format json` the same."""
    if arguments.format == "json":
        arguments.json = True
    elif arguments.json:
        arguments.format = "json"


def save_tables(profile: Profile, found: Found, form: str) -> None:
    """Write the tables that `savetables` asks for, and say where."""
    from jwstwatch.sync import tabling

    saved_as = tabling.TableFormat.TEXT if form == "json" else tabling.TableFormat(form)
    for path in tabling.save(profile, found, saved_as):
        output.complain(f"wrote {path}")


def print_tables(profile: Profile, found: Found, arguments: argparse.Namespace) -> None:
    """Print the tables in the form that was asked for; text is cut to fit a terminal."""
    from jwstwatch.sync import tabling
    from jwstwatch.tables.write import to_json_rows

    made = {kind.value: table for kind, table in tabling.make(profile, found).items()}
    if arguments.json:
        output.print_json({name: to_json_rows(table.rows, table.columns) for name, table in made.items()})
        return
    form = tabling.TableFormat(arguments.format)
    if form is not tabling.TableFormat.TEXT:
        print(tabling.to_text(made[arguments.table or "products"], form), end="")
        return
    if arguments.table:
        print(tabling.to_text(made[arguments.table], form, width=_cell_width()), end="")
        return
    for name, table in made.items():
        print(output.emphasised(f"{name} ({len(table.rows)})"))
        print(tabling.to_text(table, form, width=_cell_width()) if table.rows else "  none\n")


def _cell_width() -> int | None:
    """On a terminal long cells are cut; whoever reads a file or a pipe gets them whole."""
    if not sys.stdout.isatty():
        return None
    return max(12, shutil.get_terminal_size().columns // 4)
