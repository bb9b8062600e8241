"""`jwstwatch prune`: remove files that no profile selects any more, or that the archive has no more."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jwstwatch.cli import choices, output, session
from jwstwatch.cli.choices import counted
from jwstwatch.errors import ConfigurationError, ExitCode, StorageError, UsageError

if TYPE_CHECKING:
    from jwstwatch.config import Settings
    from jwstwatch.store.pruning import Candidate
    from jwstwatch.store.store import Store

EXAMPLE = "jwstwatch prune --unselected --yes"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What may go, what the archive has no more (and stays), and what became of it."""

    unlisted: Sequence[str]
    candidates: Sequence[Candidate]
    gone: Sequence[Candidate]
    removed: Sequence[Candidate] = ()
    left: Mapping[int, str] = field(default_factory=dict)
    failure: StorageError | None = None


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare what goes, and that it goes."""
    parser.add_argument(
        "--unselected",
        action="store_true",
        help="copies that profiles selected once and none of the configuration does now; what a typed "
        "download, `adopt` or `drop` left there stays",
    )
    parser.add_argument("--yes", action="store_true", help="remove them (else they are only listed)")
    parser.add_argument(
        "--gone",
        action="store_true",
        help="copies that the archive has no more, also selected ones: nobody can fetch them again; with "
        "--unselected only those of them that are not selected either",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> ExitCode:
    """List what would go, or remove it."""
    if not (arguments.unselected or arguments.gone):
        raise UsageError(
            "it takes --unselected, --gone or both to say what may go",
            hint="`jwstwatch prune --unselected` lists what no profile selects, and removes nothing.",
        )
    settings = session.load_settings(arguments)
    if arguments.unselected and not settings.profiles:
        where = f"{settings.path} has" if settings.path else "no configuration file was found, so there is"
        raise ConfigurationError(
            f"{where} no profile: every file would count as selected by none",
            hint="Name the right one with --config.",
        )
    with session.open_state(arguments, settings, upgrade=arguments.yes) as store:
        found = _find(arguments, settings, store)
        if arguments.yes:
            found = _remove(arguments, settings, store, found)
    if arguments.json:
        output.print_json(_document(arguments, found))
    else:
        _print(arguments, found)
    if found.failure is not None:
        return found.failure.exit_code
    return ExitCode.FILES_FAILED if found.left else ExitCode.DONE


def _find(arguments: argparse.Namespace, settings: Settings, store: Store) -> _Found:
    if not arguments.unselected:
        return _Found(unlisted=(), candidates=store.pruning.gone(), gone=())
    from jwstwatch.sync.removing import unlisted

    names = list(settings.profiles)
    unknown = unlisted(settings.profiles, store)
    if unknown and arguments.yes:
        raise UsageError(_unknown(unknown), hint=_first(unknown))
    every = store.pruning.candidates(names, gone=True)
    return _Found(
        unlisted=unknown,
        candidates=every if arguments.gone else store.pruning.candidates(names),
        gone=[] if arguments.gone else [candidate for candidate in every if candidate.is_gone],
    )


def _unknown(unlisted: Sequence[str]) -> str:
    verb = "wants" if len(unlisted) == 1 else "want"
    return (
        f"what {', '.join(unlisted)} {verb} is not known: its last listing was not whole, or by other rules"
    )


def _first(unlisted: Sequence[str]) -> str:
    return f"First `jwstwatch run-now {' '.join(unlisted)}`, then prune."


def _remove(arguments: argparse.Namespace, settings: Settings, store: Store, found: _Found) -> _Found:
    """Remove the candidates, as far as they still are."""
    from jwstwatch.sync.removing import Removal, require_roots

    require_roots((candidate.file.root, candidate.file.identity) for candidate in found.candidates)
    removal = Removal(store.histories.kept([candidate.file.file_id for candidate in found.candidates]))
    now = datetime.now(UTC)
    if arguments.unselected:
        removed = store.pruning.prune(
            found.candidates, list(settings.profiles), remove=removal, now=now, gone=arguments.gone
        )
    else:
        removed = store.pruning.prune_gone(found.candidates, remove=removal, now=now)
    return replace(found, removed=removed, left=removal.left, failure=removal.failure)


def _bytes(candidates: Sequence[Candidate]) -> int:
    return sum(candidate.file.size or 0 for candidate in candidates)


def _document(arguments: argparse.Namespace, found: _Found) -> dict[str, object]:
    shown = found.removed if arguments.yes else found.candidates
    document: dict[str, object] = {
        "removed": arguments.yes,
        "bytes": _bytes(shown),
        "files": [choices.document(each.file) | {"reason": each.reason} for each in shown],
        "left": [
            choices.document(each.file) | {"reason": found.left[each.file.file_id]}
            for each in found.candidates
            if each.file.file_id in found.left
        ],
        "gone": {"files": len(found.gone), "bytes": _bytes(found.gone)},
        "unlisted": list(found.unlisted),
    }
    return document | choices.failure(found.failure)


def _nothing(arguments: argparse.Namespace, found: _Found) -> str:
    if not arguments.unselected:
        return "The archive has every file that is here; there is nothing to prune."
    return "There is nothing to prune." if found.gone else "Every file is wanted; there is nothing to prune."


def _print(arguments: argparse.Namespace, found: _Found) -> None:
    shown = found.removed if arguments.yes else found.candidates
    if shown:
        rows = [[output.size(each.file.size), each.reason, str(each.file.full)] for each in shown]
        print(output.table(["size", "why", "file"], rows))
    for each in found.candidates:
        if each.file.file_id in found.left:
            output.complain(f"{each.file.full} was left: {found.left[each.file.file_id]}")
    sum_of_all = f"{counted(len(shown), 'file')}, {output.size(_bytes(shown))}"
    if not found.candidates:
        print(_nothing(arguments, found))
    elif arguments.yes:
        print(f"{sum_of_all}: removed.")
    else:
        words = [word for word in ("--unselected", "--gone") if getattr(arguments, word[2:])]
        print(f"{sum_of_all}: nothing was removed. `jwstwatch prune {' '.join(words)} --yes` removes them.")
    if found.gone:
        more = f"{counted(len(found.gone), 'file')}, {output.size(_bytes(found.gone))}"
        print(f"{more}: not selected either, but the archive has them no more; only --gone lets them go too.")
    if found.unlisted:
        output.complain(f"warning: {_unknown(found.unlisted)}", hint=_first(found.unlisted))
    if found.failure is not None:
        output.complain(found.failure.message, hint=found.failure.hint)
