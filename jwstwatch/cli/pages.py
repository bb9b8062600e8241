"""`jwstwatch pages`: write the pages that are due now, without asking the archive."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jwstwatch.cli import output, progress, session
from jwstwatch.cli.choices import counted
from jwstwatch.cli.serve import roots_of
from jwstwatch.errors import ExitCode, StorageError, UsageError, first_exit_code

if TYPE_CHECKING:
    from jwstwatch.config import Settings
    from jwstwatch.store.store import Store
    from jwstwatch.sync.context import Context, Reporter
    from jwstwatch.sync.publishing import Order

EXAMPLE = "jwstwatch pages --all"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """What became of the pages of one output folder."""

    root: Path
    files: int = 0
    why_none: str = ""
    """Why it has no pages at all, as the end of a sentence."""
    problem: StorageError | None = None

    @property
    def page(self) -> Path | None:
        """Return the page to begin with, None where there is none."""
        page = self.root / "index.html"
        return page if not self.problem and page.is_file() else None


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare which pages, and how thoroughly."""
    parser.add_argument(
        "profiles",
        nargs="*",
        metavar="PROFILE",
        help="whose output folders (default: those of all profiles)",
    )
    parser.add_argument(
        "--propID",
        action="append",
        nargs="+",
        metavar="ID",
        help="only the pages of these proposals; may be repeated",
    )
    parser.add_argument(
        "--all", action="store_true", help="write every page anew, such as after some were deleted"
    )
    parser.add_argument(
        "--thumbnails", action="store_true", help="make thumbnails and quick-looks again, too"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Write the pages of each output folder; one that is not there holds back no other."""
    from jwstwatch.sync.publishing import Order

    settings = session.load_settings(arguments)
    folders = roots_of(settings, arguments.profiles)
    order = Order(
        proposals=_proposals(arguments.propID),
        everything=arguments.all or arguments.thumbnails,
        pictures=arguments.thumbnails,
    )
    with (
        session.open_state(arguments, settings, upgrade=True) as store,
        session.stoppable() as stopper,
        progress.reporter(quiet=arguments.json) as report,
    ):
        _require_known(store, folders, order)
        context = _context(settings, store, stop=stopper, report=report)
        written = [_publish(context, folder, order) for folder in folders]
        if not arguments.profiles and order.proposals is None:
            written += _publish_left(context, roots_of(settings, ()), order)
    _tell(written, as_json=arguments.json)
    return first_exit_code(each.problem.exit_code for each in written if each.problem)


def _proposals(typed: Sequence[Sequence[str]] | None) -> frozenset[int] | None:
    from jwstwatch.core.parameter_kinds import ValueNotAllowedError
    from jwstwatch.core.parameter_words import PROPOSAL

    if typed is None:
        return None
    try:
        return frozenset(PROPOSAL.read_text(word) for words in typed for word in words)
    except ValueNotAllowedError as error:
        raise UsageError(f"--propID: {error}") from None


def _require_known(store: Store, folders: Sequence[Path], order: Order) -> None:
    """Tell a typing error from a page that is not due."""
    roots = [root for root in map(store.roots.get, folders) if root is not None]
    known = {proposal for root in roots for proposal in store.sites.pages(root.id)}
    for proposal in sorted(order.proposals or ()):
        if proposal not in known:
            raise UsageError(
                f"no file of proposal {proposal} is known in {', '.join(map(str, folders))}",
                hint="Each number of --propID is a proposal here; `jwstwatch files` lists what is known.",
            )


def _context(settings: Settings, store: Store, *, stop: session.Stopper, report: Reporter) -> Context:
    """Put together what publishing needs; the archive is not asked, so no token is looked for."""
    from jwstwatch.sync.context import Context

    return Context(
        store=store,
        archive=session.open_archive(settings, token=None, stop=stop.event),
        mast=settings.mast,
        profiles=settings.profiles,
        stop=stop.event,
        report=report,
    )


def _publish(context: Context, folder: Path, order: Order) -> _Written:
    from jwstwatch.sync import homing
    from jwstwatch.sync.publishing import publish_root
    from jwstwatch.sync.rules import root_of

    root = context.store.roots.get(folder)
    if root is None:
        return _Written(root=folder, why_none="no run has used this folder so far")
    profiles = [each.parameters for each in context.profiles.values() if root_of(each.parameters) == folder]
    if not any(parameters.makewebpages for parameters in profiles):
        return _Written(root=folder, why_none="no profile of this folder has makewebpages")
    try:
        files = publish_root(context, root, order=order)
    except StorageError as error:
        return _Written(root=folder, problem=error)
    if files or not (folder / homing.STANDING).is_file():
        homing.write_standing(context, root)
    return _Written(root=folder, files=files)


def _publish_left(context: Context, used: Collection[Path], order: Order) -> Iterator[_Written]:
    """Bring sites up to date in folders that no profile has any more, once their files were pruned.

    Nobody expects anything there: only what was written, or could not be, is told.
    """
    from jwstwatch.disk.markers import is_mounted
    from jwstwatch.sync.publishing import publish_root

    for root in context.store.roots.all():
        if root.path in used or not is_mounted(root.path, root.uuid):
            continue
        try:
            files = publish_root(context, root, order=order)
        except StorageError as error:
            yield _Written(root=root.path, problem=error)
        else:
            if files:
                yield _Written(root=root.path, files=files)


def _tell(written: Sequence[_Written], *, as_json: bool) -> None:
    if as_json:
        output.print_json({"roots": [_document(each) for each in written]})
        return
    for each in written:
        if each.problem is not None:
            output.complain(each.problem.message, hint=each.problem.hint)
        elif each.why_none:
            print(f"{each.root}: {each.why_none}")
        else:
            page = f"; the first page is {each.page}" if each.page else ""
            print(f"{each.root}: {counted(each.files, 'file')} written{page}")


def _document(written: _Written) -> dict[str, object]:
    error = written.problem
    return {
        "path": str(written.root),
        "written": written.files,
        "page": str(written.page) if written.page else None,
        "error": {"kind": error.kind, "message": error.message, "hint": error.hint} if error else None,
    }
