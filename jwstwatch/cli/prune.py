"""`jwstwatch prune`: remove files that no profile selects any more, or that the archive has no more."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from jwstwatch.cli import choices, output, session
from jwstwatch.cli.choices import counted
from jwstwatch.errors import ConfigurationError, ExitCode, StorageError, UsageError

if TYPE_CHECKING:
    from jwstwatch.config import Settings
    from jwstwatch.store.pruning import Candidate
    from jwstwatch.store.store import Store

EXAMPLE = "jwstwatch prune --unselected --yes"

_HEAD = ("size", "why", "file")


@dataclass(slots=True)
class _Sum:
    """How many files, and bytes."""

    files: int = 0
    size: int = 0

    @classmethod
    def of(cls, candidates: Iterable[Candidate]) -> _Sum:
        found = cls()
        for candidate in candidates:
            found.add(candidate)
        return found

    def add(self, candidate: Candidate) -> None:
        self.files += 1
        self.size += candidate.file.size or 0

    def counting(self, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
        """Let them pass, and count them."""
        for candidate in candidates:
            self.add(candidate)
            yield candidate

    def __str__(self) -> str:
        return f"{counted(self.files, 'file')}, {output.size(self.size)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What may go, what the archive has no more (and stays), and what became of it."""

    unlisted: Sequence[str]
    candidates: Sequence[Candidate]
    gone: _Sum
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
        unlisted = _unlisted(arguments, settings, store)
        if not arguments.yes:
            _list(arguments, settings, store, unlisted)
            return ExitCode.DONE
        found = _remove(arguments, settings, store, _find(arguments, settings, store, unlisted))
    if arguments.json:
        output.print_json(_document(found))
    else:
        _print(arguments, found)
    if found.failure is not None:
        return found.failure.exit_code
    return ExitCode.FILES_FAILED if found.left else ExitCode.DONE


def _unlisted(arguments: argparse.Namespace, settings: Settings, store: Store) -> Sequence[str]:
    """Return the profiles of which it is not known what they want; nothing is removed where there is one."""
    if not arguments.unselected:
        return ()
    from jwstwatch.sync.removing import unlisted

    unknown = unlisted(settings.profiles, store)
    if unknown and arguments.yes:
        raise UsageError(_unknown(unknown), hint=_first(unknown))
    return unknown


def _find(arguments: argparse.Namespace, settings: Settings, store: Store, unlisted: Sequence[str]) -> _Found:
    return _Found(
        unlisted=unlisted,
        candidates=list(_each(arguments, settings, store)),
        gone=_gone(arguments, settings, store),
    )


def _each(arguments: argparse.Namespace, settings: Settings, store: Store) -> Iterator[Candidate]:
    if not arguments.unselected:
        return iter(store.pruning.gone())
    return store.pruning.each(list(settings.profiles), gone=arguments.gone)


def _gone(arguments: argparse.Namespace, settings: Settings, store: Store) -> _Sum:
    """Add up what stays although no profile selects it, as the archive has it no more."""
    gone = _Sum()
    if arguments.unselected and not arguments.gone:
        for candidate in store.pruning.each(list(settings.profiles), gone=True, only_gone=True):
            gone.add(candidate)
    return gone


def _list(arguments: argparse.Namespace, settings: Settings, store: Store, unlisted: Sequence[str]) -> None:
    """Tell what would go, as it is found."""
    candidates, shown = _each(arguments, settings, store), _Sum()
    if arguments.json:
        arguments.document = document = output.JsonRows("files")
        for candidate in shown.counting(candidates):
            document.write(_candidate(candidate))
        gone = _gone(arguments, settings, store)
        document.end({"removed": False, "bytes": shown.size, "left": []} | _besides(gone, unlisted))
        return
    if (first := next(candidates, None)) is not None:
        rows = map(_row, shown.counting(chain([first], candidates)))
        for line in output.lines_of_table(_HEAD, rows, widest=("1.23 GB", "", "")):
            print(line)
    _conclude(arguments, shown, _gone(arguments, settings, store), unlisted)


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


def _document(found: _Found) -> dict[str, object]:
    document: dict[str, object] = {
        "removed": True,
        "bytes": _Sum.of(found.removed).size,
        "files": [_candidate(each) for each in found.removed],
        "left": [
            choices.document(each.file) | {"reason": found.left[each.file.file_id]}
            for each in found.candidates
            if each.file.file_id in found.left
        ],
    }
    return document | _besides(found.gone, found.unlisted) | choices.failure(found.failure)


def _candidate(candidate: Candidate) -> dict[str, object]:
    return choices.document(candidate.file) | {"reason": candidate.reason}


def _besides(gone: _Sum, unlisted: Sequence[str]) -> dict[str, object]:
    return {"gone": {"files": gone.files, "bytes": gone.size}, "unlisted": list(unlisted)}


def _row(candidate: Candidate) -> list[str]:
    return [output.size(candidate.file.size), candidate.reason, str(candidate.file.full)]


def _print(arguments: argparse.Namespace, found: _Found) -> None:
    if found.removed:
        print(output.table(_HEAD, [_row(each) for each in found.removed]))
    for each in found.candidates:
        if each.file.file_id in found.left:
            output.complain(f"{each.file.full} was left: {found.left[each.file.file_id]}")
    if found.candidates:
        print(f"{_Sum.of(found.removed)}: removed.")
    else:
        print(_nothing(arguments, found.gone))
    _tell_besides(found.gone, found.unlisted)
    if found.failure is not None:
        output.complain(found.failure.message, hint=found.failure.hint)


def _conclude(arguments: argparse.Namespace, shown: _Sum, gone: _Sum, unlisted: Sequence[str]) -> None:
    if shown.files:
        words = [word for word in ("--unselected", "--gone") if getattr(arguments, word[2:])]
        print(f"{shown}: nothing was removed. `jwstwatch prune {' '.join(words)} --yes` removes them.")
    else:
        print(_nothing(arguments, gone))
    _tell_besides(gone, unlisted)


def _nothing(arguments: argparse.Namespace, gone: _Sum) -> str:
    if not arguments.unselected:
        return "The archive has every file that is here; there is nothing to prune."
    return "There is nothing to prune." if gone.files else "Every file is wanted; there is nothing to prune."


def _tell_besides(gone: _Sum, unlisted: Sequence[str]) -> None:
    if gone.files:
        print(f"{gone}: not selected either, but the archive has them no more; only --gone lets them go too.")
    if unlisted:
        output.complain(f"warning: {_unknown(unlisted)}", hint=_first(unlisted))
