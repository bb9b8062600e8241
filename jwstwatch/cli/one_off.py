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


def print_tables(profile: Profile, found: Found, *, as_json: bool) -> None:
    """Print the three tables as text that fits the terminal, or as JSON."""
    from jwstwatch.sync import tabling
    from jwstwatch.tables.write import to_json_rows

    made = tabling.make(profile, found)
    if as_json:
        output.print_json(
            {kind.value: to_json_rows(table.rows, table.columns) for kind, table in made.items()}
        )
        return
    for kind, table in made.items():
        print(output.emphasised(f"{kind.value} ({len(table.rows)})"))
        shown = tabling.to_text(table, tabling.TableFormat.TEXT, width=_cell_width())
        print(shown if table.rows else "  none\n")


def _cell_width() -> int | None:
    """On a terminal long cells are cut; whoever reads a file or a pipe gets them whole."""
    if not sys.stdout.isatty():
        return None
    return max(12, shutil.get_terminal_size().columns // 4)


def require_anything(profile: Profile) -> None:
    """Refuse a query that nothing narrows: that is the whole archive."""
    parameters = profile.parameters
    if not parameters.propID and parameters.lookbacktime == 0 and not parameters.date_select:
        raise ConfigurationError(
            "the query asks for everything there is",
            hint="Narrow it with --propID, --lookbacktime or --date_select.",
        )
