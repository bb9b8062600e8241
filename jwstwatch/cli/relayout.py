"""`jwstwatch relayout`: give known files the paths that the present layout asks for."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jwstwatch.cli import choices, output, session
from jwstwatch.cli.choices import counted
from jwstwatch.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from jwstwatch.config import Settings
    from jwstwatch.store.store import Store
    from jwstwatch.sync.relocating import Elsewhere, Placed, Proposal, Relaid

EXAMPLE = "jwstwatch relayout ers-1345 --yes"

_SHOWN = 20
"""Reasons that are told, of those why files stay."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare whose files, and that they move."""
    parser.add_argument(
        "profiles", nargs="*", metavar="PROFILE", help="whose files (default: those of every profile)"
    )
    parser.add_argument("--yes", action="store_true", help="move them (else it is only told what would move)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Tell what would move, or move it."""
    settings = session.load_settings(arguments)
    names = _names(arguments, settings)
    with session.open_state(arguments, settings, upgrade=arguments.yes) as store:
        if arguments.yes:
            return _move(arguments, settings, store, names)
        proposal = _propose(settings, store, names)
    if arguments.json:
        output.print_json(_document(proposal, proposal.moves, proposal.joins, proposal.left, moved=False))
    else:
        _print(proposal.moves, proposal.left, proposal.elsewhere)
        _print_joins(proposal.joins)
        _print_what_would(proposal)
    return ExitCode.DONE


def _names(arguments: argparse.Namespace, settings: Settings) -> list[str]:
    names = list(dict.fromkeys(arguments.profiles))
    for name in names:
        settings.profile(name)
    if not settings.profiles:
        where = f"{settings.path} has" if settings.path else "no configuration file was found, so there is"
        raise ConfigurationError(
            f"{where} no profile: nothing says where files belong", hint="Name the right one with --config."
        )
    return names or list(settings.profiles)


def _propose(settings: Settings, store: Store, names: Sequence[str]) -> Proposal:
    from jwstwatch.sync.relocating import propose

    return propose(settings.profiles, names, store)


def _move(arguments: argparse.Namespace, settings: Settings, store: Store, names: Sequence[str]) -> ExitCode:
    from jwstwatch.store.locks import exclusive
    from jwstwatch.sync import relocating

    with exclusive(store.database, "relayout"):
        relocating.settle_left_open(store, now=datetime.now(UTC))
        proposal = _propose(settings, store, names)
        done = relocating.carry_out(store, proposal, now=datetime.now(UTC))
    left = [*proposal.left, *done.refused]
    if arguments.json:
        document = _document(proposal, done.moved, done.joined, left, moved=True)
        output.print_json(document | choices.failure(done.failure))
    else:
        _print(done.moved, left, proposal.elsewhere)
        _print_joins(done.joined)
        _print_what_was(proposal, done)
    if done.failure is not None:
        return done.failure.exit_code
    return ExitCode.FILES_FAILED if done.refused else ExitCode.DONE


# -- JSON


def _document(
    proposal: Proposal,
    placed: Sequence[Placed],
    joined: Sequence[Placed],
    left: Sequence[Placed],
    *,
    moved: bool,
) -> dict[str, object]:
    return {
        "moved": moved,
        "files": [_file(each) for each in placed],
        "joined": [_file(each) for each in joined],
        "left": [_file(each) | {"reason": each.left} for each in left],
        "elsewhere": [
            {
                "profile": each.profile,
                "root": str(each.root),
                "outrootdir": str(each.now),
                "files": each.files,
            }
            for each in proposal.elsewhere
        ],
    }


def _file(placed: Placed) -> dict[str, object]:
    return {
        "name": placed.file.name,
        "from": str(placed.root.path / placed.file.path),
        "to": str(placed.root.path / placed.to),
        "size": placed.file.size if placed.file.has_copy else None,
        "copy": placed.file.has_copy,
    }


# -- text


def _print(placed: Sequence[Placed], left: Sequence[Placed], elsewhere: Sequence[Elsewhere]) -> None:
    if placed:
        print(output.table(["files", "size", "from", "to"], _rows(placed)))
    reasons: dict[str, list[Placed]] = defaultdict(list)
    for each in left:
        reasons[each.left or ""].append(each)
    for why, group in list(reasons.items())[:_SHOWN]:
        more = f" and {counted(len(group) - 1, 'more file')} stay" if len(group) > 1 else " stays"
        output.complain(f"{group[0].root.path / group[0].file.path}{more}: {why}")
    if len(reasons) > _SHOWN:
        output.complain("and more, for other reasons; --json has all of them")
    for other in elsewhere:
        output.complain(
            f"{other.profile}: {counted(other.files, 'file')} in {other.root}, but its output folder "
            f"is {other.now}",
            hint="relayout moves within one folder only. The next `jwstwatch run-now "
            f"{other.profile}` copies them from there; then `jwstwatch prune --unselected` removes what is "
            "left.",
        )


def _rows(placed: Iterable[Placed]) -> list[list[str]]:
    """One row for each pair of folders: the names stay what they are."""
    folders: dict[tuple[str, str], list[Placed]] = defaultdict(list)
    for each in placed:
        pair = (each.root.path / each.file.path).parent, (each.root.path / each.to).parent
        folders[str(pair[0]), str(pair[1])].append(each)
    return [
        [str(len(group)), output.size(_bytes(group)), source, target]
        for (source, target), group in sorted(folders.items())
    ]


def _bytes(placed: Iterable[Placed]) -> int:
    return sum(each.file.size or 0 for each in placed if each.file.has_copy)


def _summed(placed: Sequence[Placed]) -> str:
    copies = sum(each.file.has_copy for each in placed)
    more = len(placed) - copies
    others = f", and the paths of {counted(more, 'file')} yet to come" if more else ""
    return f"{counted(copies, 'file')}, {output.size(_bytes(placed))}{others}"


def _print_joins(joins: Sequence[Placed]) -> None:
    if joins:
        one = len(joins) == 1
        print(
            f"{counted(len(joins), 'file')} {'is a second copy' if one else 'are second copies'} of what is "
            f"at {'its path' if one else 'their paths'}: the profiles take that one, and `jwstwatch prune "
            f"--unselected` lists {'this' if one else 'these'}."
        )


def _print_what_would(proposal: Proposal) -> None:
    if proposal.moves or proposal.joins:
        print(
            f"{_summed(proposal.moves)}: nothing was moved. The same command with --yes moves them, "
            "and what belongs to them."
        )
    elif proposal.left:
        print("Nothing can be moved.")
    else:
        print("Every file is where the layout asks for it; there is nothing to move.")


def _print_what_was(proposal: Proposal, done: Relaid) -> None:
    if done.moved or done.joined:
        print(f"{_summed(done.moved)}: moved.")
    elif proposal.moves or proposal.joins or proposal.left:
        print("Nothing was moved.")
    else:
        print("Every file is where the layout asks for it; there is nothing to move.")
    if done.failure is not None:
        output.complain(done.failure.message, hint=done.failure.hint)
