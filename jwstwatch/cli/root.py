"""`jwstwatch root`: output folders as objects of their own."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jwstwatch.cli import output, session
from jwstwatch.cli.common import add_common_options
from jwstwatch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from jwstwatch.store.roots import RootRecord
    from jwstwatch.store.store import Store

EXAMPLE = "jwstwatch root move /old/jwst /new/jwst"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare `list`, `move OLD NEW` and `accept PATH`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|move|accept")
    listing = actions.add_parser("list", help="show every output folder the state knows")
    listing.add_argument("--json", action="store_true", help="print JSON")
    move = actions.add_parser("move", help="tell that a folder was moved or is mounted elsewhere")
    move.add_argument("old", type=Path, metavar="OLD")
    move.add_argument("new", type=Path, metavar="NEW")
    accept = actions.add_parser(
        "accept", help="take a folder as it is now: what is missing in it is fetched again"
    )
    accept.add_argument("path", type=Path, metavar="PATH")
    for action in (listing, move, accept):
        add_common_options(action)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Carry out the action."""
    settings = session.load_settings(arguments)
    with session.open_state(arguments, settings, upgrade=arguments.action != "list") as store:
        if arguments.action == "list":
            _list(store, as_json=arguments.json)
        elif arguments.action == "move":
            _move(store, arguments.old.absolute(), arguments.new.absolute())
        else:
            _accept(store, arguments.path.absolute())
    return ExitCode.DONE


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


def _find(store: Store, path: Path) -> RootRecord:
    known = store.roots.get(path)
    if known is None:
        paths = ", ".join(str(root.path) for root in store.roots.all()) or "none"
        raise UsageError(f"the state knows no output folder {path}", hint=f"It knows: {paths}.")
    return known


def _move(store: Store, old: Path, new: Path) -> None:
    from jwstwatch.disk import markers

    root = _find(store, old)
    if store.roots.get(new) is not None:
        raise UsageError(
            f"{new} is an output folder of its own already", hint="`jwstwatch root list` shows them."
        )
    if markers.read(new) != root.uuid:
        raise UsageError(
            f"{new} does not hold the marker of {old}",
            hint=f"Move or mount the folder with its {markers.MARKER}, then tell it again.",
        )
    store.roots.move(root.id, new)
    print(f"{old} is {new} now, with {root.files} files. Change outrootdir in the configuration too.")


def _accept(store: Store, path: Path) -> None:
    from jwstwatch.disk import markers

    root = _find(store, path)
    found = markers.read(path)
    other = next((entry for entry in store.roots.all() if entry.uuid == found and entry.id != root.id), None)
    if other is not None:
        raise UsageError(
            f"{path} holds the marker of {other.path}", hint="One folder cannot be two output folders."
        )
    identity = markers.establish(path, expected=found or root.uuid, files=0)
    if identity != root.uuid:
        store.roots.set_identity(root.id, identity)
    lost = store.roots.forget_missing(root.id, present=_present(store, root), now=datetime.now(UTC))
    print(f"{path} is accepted as it is; {lost} missing files will be fetched again.")


def _present(store: Store, root: RootRecord) -> set[str]:
    from jwstwatch.disk.looking import look

    return {
        path
        for copies in store.roots.copies(root.id)
        for path in look(root.path, [copy.path for copy in copies])
    }
