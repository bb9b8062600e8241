"""`jwstwatch files`: the local inventory, for people and for scripts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING

from jwstwatch.cli import output, proposals, revisions, session
from jwstwatch.core.dates import iso
from jwstwatch.core.model import FileState
from jwstwatch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from jwstwatch.store.reports import FileQuery, FileReport
    from jwstwatch.store.store import Store

EXAMPLE = "jwstwatch files --propID 1410 --filetypes rate --format paths | xargs -d '\\n' ls -l"

_FORMATS = ("table", "paths", "json")
_HEAD = ("state", "size", "since", "file")
_WIDEST = (max((state.value for state in FileState), key=len), "1.23 GB", "", "")


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
            _print_json(arguments, store, found)
        elif form == "paths":
            sys.stdout.writelines(f"{file.place}\n" for file in found)
        elif arguments.history:
            _print_lines(revisions.text(store, found))
        else:
            _print_lines(_table(found))
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


def _print_json(arguments: argparse.Namespace, store: Store, found: Iterator[FileReport]) -> None:
    arguments.document = document = output.JsonRows("files")
    if arguments.history:
        for file, history in revisions.by_file(store, found):
            told = [revisions.document(each) for each in history]
            document.write({**_document(file), "history": told})
    else:
        for file in found:
            document.write(_document(file))
    document.end()


def _document(file: FileReport) -> dict[str, object]:
    """Return a file as the JSON contract has it."""
    return {**file.facts(), "changed_at": iso(file.changed_at)}


def _print_lines(lines: Iterable[str]) -> None:
    """Print lines as they come; where there is none, say so."""
    some = False
    for line in lines:
        sys.stdout.write(f"{line}\n")
        some = True
    if not some:
        print("no files")


def _table(found: Iterator[FileReport]) -> Iterator[str]:
    first = next(found, None)
    if first is None:
        return iter(())
    rows = (
        [
            file.state_value,
            output.size(file.size),
            iso(file.changed_at) or "",
            file.place + (f"  ({file.reason})" if file.reason else ""),
        ]
        for file in chain([first], found)
    )
    return output.lines_of_table(_HEAD, rows, widest=_WIDEST)
