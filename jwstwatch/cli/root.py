"""`jwstwatch root`: output folders as objects of their own."""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jwstwatch.cli import output, session
from jwstwatch.cli.choices import counted
from jwstwatch.cli.common import add_common_options
from jwstwatch.errors import ExitCode

if TYPE_CHECKING:
    from jwstwatch.config import Settings
    from jwstwatch.store.roots import RootRecord
    from jwstwatch.store.store import Store
    from jwstwatch.sync.rehousing import Accepted, Rehoused

EXAMPLE = "jwstwatch root move /old/jwst /new/jwst"

_ACTIONS = {
    "list": ("show every output folder the state knows", "jwstwatch root list --json"),
    "move": ("tell that a folder was moved or is mounted elsewhere", EXAMPLE),
    "accept": (
        "take a folder as it is now: what is missing in it is fetched again",
        "jwstwatch root accept /srv/jwst",
    ),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare `list`, `move OLD NEW` and `accept PATH`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|move|accept")
    parsers = {}
    for name, (text, example) in _ACTIONS.items():
        parsers[name] = actions.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=f"Example: {example}",
        )
    parsers["move"].add_argument("old", type=_folder, metavar="OLD", help="where it was")
    parsers["move"].add_argument("new", type=_folder, metavar="NEW", help="where it is now, marker and all")
    parsers["accept"].add_argument("path", type=_folder, metavar="PATH", help="a known output folder")
    for action in parsers.values():
        action.add_argument("--json", action="store_true", help="print JSON")
        add_common_options(action)


def _folder(text: str) -> Path:
    """Return the absolute path that was typed; links in it stay what they are."""
    try:
        home = Path(text).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return Path(os.path.abspath(home))  # noqa: PTH100


def run(arguments: argparse.Namespace) -> ExitCode:
    """Carry out the action."""
    settings = session.load_settings(arguments)
    with session.open_state(arguments, settings, upgrade=arguments.action != "list") as store:
        if arguments.action == "list":
            _list(store, as_json=arguments.json)
        elif arguments.action == "move":
            _move(arguments, settings, store)
        else:
            _accept(arguments, settings, store)
    return ExitCode.DONE


def _profiles_in(settings: Settings, folder: Path) -> list[str]:
    """Return the profiles whose output folder it is."""
    from jwstwatch.sync.rules import root_of

    return [name for name, profile in settings.profiles.items() if root_of(profile.parameters) == folder]


# -- list


def _list(store: Store, *, as_json: bool) -> None:
    from jwstwatch.disk.markers import is_mounted

    roots = [(root, is_mounted(root.path, root.uuid)) for root in store.roots.all()]
    if as_json:
        documents = [
            {"path": str(root.path), "uuid": root.uuid, "files": root.files, "mounted": mounted}
            for root, mounted in roots
        ]
        output.print_json({"roots": documents})
        return
    rows = [[str(root.path), "yes" if mounted else "NO", str(root.files)] for root, mounted in roots]
    print(output.table(["root", "mounted", "files"], rows) if rows else "no output folder has been used yet")


# -- move


def _move(arguments: argparse.Namespace, settings: Settings, store: Store) -> None:
    from jwstwatch.sync import rehousing

    root = rehousing.find(store, arguments.old)
    before = _profiles_in(settings, root.path)
    concerned = [*before, *_profiles_in(settings, arguments.new)]
    done = rehousing.move(store, root, arguments.new, profiles=concerned, now=datetime.now(UTC))
    if arguments.json:
        output.print_json(
            {
                "moved": {"from": str(root.path), "to": str(done.new), "files": root.files},
                "inside": [{"from": str(old), "to": str(new)} for old, new in done.inside],
                "missing": done.missing,
                "to_configure": before,
            }
        )
        return
    _print_move(done, before)


def _print_move(done: Rehoused, before: list[str]) -> None:
    root = done.root
    print(f"{root.path} is {done.new} now, with {counted(root.files, 'file')}.")
    for old, new in done.inside:
        print(f"{old}, which lay in it, is {new} now.")
    if before:
        print(
            f"Change outrootdir in the configuration too: {', '.join(before)} still "
            f"{'has' if len(before) == 1 else 'have'} {root.path}."
        )
    if done.missing:
        output.complain(
            f"warning: {counted(done.missing, 'file')} of {root.files} did not come along; the next run "
            "fetches what is missing",
            hint="Where many are missing it stops first (exit code 7): is the folder there as a whole?",
        )
    if done.remains:
        output.complain(
            f"warning: {root.path} is there still, with the same marker: it was copied, not moved",
            hint="jwstwatch does not look there any more. Remove it once the copy is complete.",
        )


# -- accept


def _accept(arguments: argparse.Namespace, settings: Settings, store: Store) -> None:
    from jwstwatch.sync import rehousing

    root = rehousing.find(store, arguments.path)
    concerned = _profiles_in(settings, root.path)
    accepted = rehousing.accept(store, root, profiles=concerned, now=datetime.now(UTC))
    if arguments.json:
        output.print_json(
            {
                "accepted": str(root.path),
                "made": accepted.made,
                "files": accepted.files,
                "missing": accepted.missing,
                "other_size": accepted.other,
                "bytes": accepted.size,
                "lost": accepted.lost,
                "other_time": accepted.unsure,
            }
        )
        return
    _print_accepted(root, accepted)


def _print_accepted(root: RootRecord, accepted: Accepted) -> None:
    there = accepted.files - accepted.missing - accepted.other - accepted.lost
    how = "was made anew" if accepted.made else "is accepted as it is"
    print(f"{root.path} {how}: {there} of {counted(accepted.files, 'known file')} there.")
    if accepted.missing or accepted.other:
        words = [counted(accepted.missing, "missing file")] if accepted.missing else []
        words += [f"{counted(accepted.other, 'file')} of another size"] if accepted.other else []
        print(
            f"{' and '.join(words)} will be fetched again, as far as a profile wants them: "
            f"{output.size(accepted.size)} in all."
        )
    if accepted.lost:
        output.complain(
            f"warning: {counted(accepted.lost, 'file')}, no more in the archive either, "
            "lost: only a backup of the disk could bring them back"
        )
    if accepted.unsure:
        output.complain(
            f"warning: {counted(accepted.unsure, 'file')} there with the right size, but another time "
            "than when verified",
            hint="`jwstwatch verify --deep` compares the SHA-256 of all.",
        )
