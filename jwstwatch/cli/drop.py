"""`jwstwatch drop`: give files up on purpose, so that they are neither fetched nor missed."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jwstwatch.cli import choices, output, session
from jwstwatch.cli.choices import counted
from jwstwatch.errors import ExitCode, StorageError

if TYPE_CHECKING:
    from jwstwatch.store.choosing import Choice
    from jwstwatch.store.store import Store

EXAMPLE = "jwstwatch drop jw01345001001_02101_00001_nrca1_uncal.fits --delete"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare which files, and what becomes of their copies."""
    parser.add_argument("names", nargs="+", metavar="NAME", help=choices.NAMES_HELP)
    parser.add_argument("--profile", metavar="PROFILE", help="only files that this profile wants")
    parser.add_argument(
        "--delete",
        action="store_true",
        help="remove the local copy too (else it stays, and is no longer watched)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Drop the files; a copy is removed once the state has it that nobody wants it."""
    settings = session.load_settings(arguments)
    now = datetime.now(UTC)
    with session.open_state(arguments, settings, upgrade=True) as store:
        profiles = [choices.require_profile(settings, store, arguments.profile)] if arguments.profile else []
        chosen = store.drops.choose(choices.meant(arguments.names), profiles=profiles)
        if arguments.delete:
            _require_roots(chosen)
        dropped = {choice.file_id for choice in store.drops.drop(chosen, now=now)}
        deleted = _delete(store, chosen, now) if arguments.delete else _Deleted()
    if arguments.json:
        documents = [_document(choice, deleted.left, delete=arguments.delete) for choice in chosen]
        document = {"dropped": len(dropped), "files": documents}
        output.print_json(document | choices.failure(deleted.failure))
    else:
        for choice in chosen:
            print(f"{choice.full}: {_told(choice, dropped, deleted.left, delete=arguments.delete)}")
        if dropped:
            print(f"{counted(len(dropped), 'file')} dropped; `jwstwatch undrop NAME` wants one again.")
        if deleted.failure is not None:
            output.complain(deleted.failure.message, hint=deleted.failure.hint)
    return deleted.exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deleted:
    """Copies that stay as others need them, those that should have gone and are left, and what refused."""

    stay: Mapping[int, str] = field(default_factory=dict)
    refused: Mapping[int, str] = field(default_factory=dict)
    failure: StorageError | None = None

    @property
    def left(self) -> dict[int, str]:
        return {**self.stay, **self.refused}

    @property
    def exit_code(self) -> ExitCode:
        if self.failure is not None:
            return self.failure.exit_code
        return ExitCode.FILES_FAILED if self.refused else ExitCode.DONE


def _require_roots(chosen: Sequence[Choice]) -> None:
    from jwstwatch.sync.removing import require_roots

    require_roots((choice.root, choice.identity) for choice in chosen if choice.has_copy)


def _delete(store: Store, chosen: Sequence[Choice], now: datetime) -> _Deleted:
    """Remove the copies, then forget them."""
    from jwstwatch.sync.removing import Removal

    removal = Removal()
    copies = [choice for choice in chosen if choice.has_copy]
    stay = store.drops.remove_copies(copies, remove=removal, now=now)
    return _Deleted(stay=stay, refused=removal.left, failure=removal.failure)


def _document(choice: Choice, left: Mapping[int, str], *, delete: bool) -> dict[str, object]:
    reason = left.get(choice.file_id)
    deleted = delete and choice.has_copy and reason is None
    return {**choices.document(choice), "deleted": deleted, "left": reason}


def _told(choice: Choice, dropped: set[int], left: Mapping[int, str], *, delete: bool) -> str:
    words = "dropped" if choice.file_id in dropped else "was dropped already"
    if not choice.has_copy:
        return f"{words}; no copy is there"
    if choice.file_id in left:
        return f"{words}, but its copy was left: {left[choice.file_id]}"
    return f"{words}, and its copy removed" if delete else f"{words}; its copy stays, and is not watched"
