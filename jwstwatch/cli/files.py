"""`jwstwatch files`: the local inventory, for people and for scripts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from jwstwatch.cli import output, proposals, revisions, session
from jwstwatch.core.dates import iso
from jwstwatch.core.model import FileState
from jwstwatch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from jwstwatch.store.histories import Revision
    from jwstwatch.store.reports import FileQuery, FileReport

EXAMPLE = "jwstwatch files --propID 1410 --filetypes rate --format paths | xargs -d '\\n' ls -l"

_FORMATS = ("table", "paths", "json")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare what narrows the inventory, and its form."""
    proposals.add_option(parser, "a proposal")
    parser.add_argument(
        "--filetypes", nargs="+", metavar="TYPE", help="file types such as rate, _cal.jpg or fits"
    )
    parser.add_argument("--profile", metavar="NAME", help="files that this profile selects")
    parser.add_argument(
        "--state",
        nargs="+",
        metavar="STATE",
        choices=[state.value for state in FileState],
        help=f"states: {', '.join(state.value for state in FileState)}",
    )
    parser.add_argument(
        "--since", metavar="TIME", help="whose state changed since this ISO date or time (UTC)"
    )
    parser.add_argument(
        "--new-since", metavar="TIME", help="that arrived or were replaced since this ISO date or time (UTC)"
    )
    parser.add_argument(
        "--format", choices=_FORMATS, default="table", help="form of the answer (default table)"
    )
    parser.add_argument("--json", action="store_true", help="the same as --format json")
    parser.add_argument(
        "--history",
        action="store_true",
        help="tell the revisions of each file: what the archive stated",
    )
    parser.add_argument(
        "--all", action="store_true", help="also associations and pools that newer ones took the place of"
    )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Print the files that the state knows; `--format paths` gives only copies that are there."""
    settings = session.load_settings(arguments)
    form = "json" if arguments.json else arguments.format
    arguments.json = form == "json"
    if arguments.history and form == "paths":
        raise UsageError("--history does not go with --format paths", hint="--json tells it to scripts.")
    asked = _query(arguments, form)
    if asked.profile is not None and not settings.legacy_path:
        settings.profile(asked.profile)
    with session.open_state(arguments, settings, upgrade=False) as store:
        found = store.reports.files(asked)
        if form == "json":
            files = list(found)
            history = revisions.by_file(store, files) if arguments.history else None
            output.print_json({"files": [_with_history(file, history) for file in files]})
        elif arguments.history and form == "table":
            files = list(found)
            print(revisions.text(files, revisions.by_file(store, files)))
        elif form == "paths":
            sys.stdout.writelines(f"{file.path}\n" for file in found)
        else:
            _print_table(found)
    return ExitCode.DONE


def _query(arguments: argparse.Namespace, form: str) -> FileQuery:
    from jwstwatch.core.filetypes import normalise_filetypes
    from jwstwatch.store.reports import FileQuery

    choices = proposals.read(arguments.propID)
    states = tuple(FileState(state) for state in arguments.state or ())
    if form == "paths" and not states:
        states = (FileState.PRESENT, FileState.STALE, FileState.GONE)
    return FileQuery(
        profile=arguments.profile,
        states=states,
        proposals={choice.proposal: choice.obsnums for choice in choices},
        filetypes=normalise_filetypes(arguments.filetypes or ()),
        changed_since=_time(arguments.since, "--since"),
        arrived_since=_time(arguments.new_since, "--new-since"),
        superseded=arguments.all,
    )


def _time(text: str | None, option: str) -> datetime | None:
    from jwstwatch.core.dates import parse_iso

    try:
        return None if text is None else parse_iso(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def document(file: FileReport) -> dict[str, object]:
    """Return a file as the JSON contract has it."""
    return {**file.facts(), "changed_at": iso(file.changed_at)}


def _with_history(file: FileReport, history: Mapping[int, Sequence[Revision]] | None) -> dict[str, object]:
    if history is None:
        return document(file)
    return {**document(file), "history": [revisions.document(each) for each in history[file.file_id]]}


def _print_table(found: Iterable[FileReport]) -> None:
    rows = [
        [
            file.state.value,
            output.size(file.size),
            iso(file.changed_at) or "",
            str(file.path) + (f"  ({file.reason})" if file.reason else ""),
        ]
        for file in found
    ]
    print(output.table(["state", "size", "since", "file"], rows) if rows else "no files")
