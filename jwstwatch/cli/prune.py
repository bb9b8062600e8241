"""`jwstwatch prune`: remove files that no profile selects any more."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jwstwatch.cli import choices, output, session
from jwstwatch.cli.choices import counted
from jwstwatch.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from jwstwatch.config import Settings
    from jwstwatch.store.pruning import Candidate
    from jwstwatch.store.store import Store

EXAMPLE = "jwstwatch prune --unselected --yes"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare what goes, and that it goes."""
    parser.add_argument(
        "--unselected",
        action="store_true",
        required=True,
        help="copies that profiles selected once and none of the configuration does now; what a typed "
        "download, `adopt` or `drop` left there stays",
    )
    parser.add_argument("--yes", action="store_true", help="remove them (else they are only listed)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> ExitCode:
    """List what would go, or remove it."""
    settings = session.load_settings(arguments)
    if not settings.profiles:
        where = f"{settings.path} has" if settings.path else "no configuration file was found, so there is"
        raise ConfigurationError(
            f"{where} no profile: every file would count as selected by none",
            hint="Name the right one with --config.",
        )
    with session.open_state(arguments, settings, upgrade=arguments.yes) as store:
        candidates = store.pruning.candidates(list(settings.profiles))
        left: dict[int, str] = {}
        gone = _remove(settings, store, candidates, left) if arguments.yes else []
    shown = gone if arguments.yes else candidates
    if arguments.json:
        output.print_json(_document(arguments, shown, candidates, left))
    else:
        _print(arguments, shown, candidates, left)
    return ExitCode.DONE


def _remove(
    settings: Settings, store: Store, candidates: Sequence[Candidate], left: dict[int, str]
) -> list[Candidate]:
    """Remove the candidates, as far as they still are; into `left` goes why one was not."""
    from jwstwatch.sync.removing import Remover, require_roots

    require_roots((candidate.file.root, candidate.file.identity) for candidate in candidates)
    removers: dict[Path, Remover] = {}

    def remove(group: Sequence[Candidate]) -> list[int]:
        gone = []
        for candidate in group:
            file = candidate.file
            reason = removers.setdefault(file.root, Remover(file.root)).remove(file.path, size=file.size)
            if reason is None:
                gone.append(file.file_id)
            else:
                left[file.file_id] = reason
        for remover in removers.values():
            remover.sync()
        return gone

    return store.pruning.prune(candidates, list(settings.profiles), remove=remove, now=datetime.now(UTC))


def _bytes(candidates: Sequence[Candidate]) -> int:
    return sum(candidate.file.size or 0 for candidate in candidates)


def _document(
    arguments: argparse.Namespace,
    shown: Sequence[Candidate],
    candidates: Sequence[Candidate],
    left: Mapping[int, str],
) -> dict[str, object]:
    return {
        "removed": arguments.yes,
        "bytes": _bytes(shown),
        "files": [choices.document(each.file) | {"reason": each.reason} for each in shown],
        "left": [
            choices.document(each.file) | {"reason": left[each.file.file_id]}
            for each in candidates
            if each.file.file_id in left
        ],
    }


def _print(
    arguments: argparse.Namespace,
    shown: Sequence[Candidate],
    candidates: Sequence[Candidate],
    left: Mapping[int, str],
) -> None:
    if shown:
        rows = [[output.size(each.file.size), each.reason, str(each.file.full)] for each in shown]
        print(output.table(["size", "why", "file"], rows))
    for each in candidates:
        if each.file.file_id in left:
            output.complain(f"{each.file.full} was left: {left[each.file.file_id]}")
    sum_of_all = f"{counted(len(shown), 'file')}, {output.size(_bytes(shown))}"
    if not candidates:
        print("Every file is wanted; there is nothing to prune.")
    elif arguments.yes:
        print(f"{sum_of_all}: removed.")
    else:
        print(f"{sum_of_all}: nothing was removed. `jwstwatch prune --unselected --yes` removes them.")
