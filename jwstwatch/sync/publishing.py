"""Write the pages of a root on which something changed: of a proposal only the parts that show it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jwstwatch import __version__
from jwstwatch.config.settings import Profile
from jwstwatch.core.layout import proposal_folder
from jwstwatch.core.lines import summary_from_json
from jwstwatch.core.parameters import Parameters
from jwstwatch.core.site import ProposalSummary, WaitingPlan, add_up
from jwstwatch.disk.markers import marker_path
from jwstwatch.errors import CancelledError, StorageError
from jwstwatch.files import locked, translate_storage_errors
from jwstwatch.store.roots import RootRecord
from jwstwatch.store.sites import DuePage
from jwstwatch.sync import homing, paging, parting, roots
from jwstwatch.sync.context import Context
from jwstwatch.sync.listing import Subject
from jwstwatch.sync.styling import page_digest, style_of

LOCK_GLANCE = 0.5
"""Seconds between two tries to get the lock of a root's pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Which pages are to be written besides those that are due."""

    proposals: Collection[int] | None = None
    """Only those of these proposals; None: of any."""
    everything: bool = False
    """Those on which nothing changed, too."""
    pictures: bool = False
    """Their pictures are made anew."""


WHAT_IS_DUE = Order()


def publish(context: Context, subject: Subject) -> int:
    """Write the pages of the run's root that are due; returns how many files were written."""
    return publish_root(context, subject.root, own=subject.profile)


def publish_root(
    context: Context, root: RootRecord, *, own: Profile | None = None, order: Order = WHAT_IS_DUE
) -> int:
    """Write the pages of a root that are due or ordered; returns how many files were written.

    `own` is a profile that need not be in the configuration, such as that of a one-off download.
    """
    known: dict[str, Parameters] = {name: profile.parameters for name, profile in context.profiles.items()}
    if own is not None:
        known.setdefault(own.name, own.parameters)
    if not any(parameters.makewebpages for parameters in known.values()):
        return 0
    while True:
        roots.require_there(root)
        with _heeding_the_disk(root), locked(marker_path(root.path), wait=False) as mine:
            if mine:
                return _Site(context, root, known, order).write()
        # Another process writes pages of this root.
        if context.stop.wait(LOCK_GLANCE):
            raise CancelledError("stopped while another process wrote pages", hint=parting.GOES_ON)


@contextlib.contextmanager
def _heeding_the_disk(root: RootRecord) -> Iterator[None]:
    """Turn whatever the disk says while pages are written into an error of the run, not of the program."""
    try:
        yield
    except OSError as error:
        roots.require_there(root)
        name = error.filename2 or error.filename
        place = Path(name) if isinstance(name, str) else root.path
        try:
            with translate_storage_errors(place):
                raise
        except OSError:
            hint = "Once that is mended, the next run writes the pages."
            raise StorageError(f"{place}: {error.strerror or error}", hint=hint) from error


class _Site:
    """The site of one root, while it is brought up to date."""

    def __init__(
        self, context: Context, root: RootRecord, known: Mapping[str, Parameters], order: Order
    ) -> None:
        self._context, self._root, self._known, self._order = context, root, known, order
        self._waiting = context.store.sites.waiting(root.id)
        self._documents = dict(context.store.sites.documents(root.id))
        self._pages = context.store.sites.pages(root.id)

    def write(self) -> int:
        """Write what is due: each proposal's page, then the home page."""
        written = sum(self._write_one(page) for page, _, _ in self._pages.values() if self._is_due(page))
        return written + self._write_home(changed=written > 0)

    def _is_due(self, page: DuePage) -> bool:
        proposal = page.proposal
        if self._order.proposals is not None and proposal not in self._order.proposals:
            return False
        document = self._documents.get(proposal, {})
        _, changed, digest = self._pages[proposal]
        if "profiles" not in document or (changed and document.get("changes") != page.changes):
            return True
        style = style_of(document["profiles"], self._known)
        if style is None:
            return False
        wanted = page_digest(style, self._waiting.get(proposal, ()), str(self._root.path))
        return changed or self._order.everything or digest != wanted or not self._has_page(proposal)

    def _write_one(self, page: DuePage) -> int:
        work = paging.Work(
            root=self._root,
            page=page,
            known=self._known,
            waiting=self._waiting.get(page.proposal, ()),
            summary=self._documents.get(page.proposal, {}).get("summary"),
            everything=self._order.everything,
            pictures=self._order.pictures,
        )
        done = paging.write_page(self._context, work)
        self._documents[page.proposal] = done.document
        return done.written

    def _write_home(self, *, changed: bool) -> int:
        index = tuple(self._index())
        if not index and not (self._root.path / "index.html").is_file():
            return 0
        digest = self._home_digest(index)
        sites = self._context.store.sites
        if not changed and digest == sites.home_digest(self._root.id) and self._has_home():
            return 0
        from jwstwatch.pages.publishing import publish_home

        roots.require_there(self._root)
        waiting: tuple[WaitingPlan, ...] = add_up(plan for plans in self._waiting.values() for plan in plans)
        written = publish_home(homing.home_view(self._context, self._root, index, waiting))
        sites.keep_home_digest(self._root.id, digest)
        return written

    def _index(self) -> list[ProposalSummary]:
        """Return a line for every page; one that no profile keeps up any more stays as it is on disk.

        It goes with the last of its files.
        """
        lines = []
        left = self._left()
        for proposal in self._pages.keys() - left:
            summary = summary_from_json(self._documents.get(proposal, {}).get("summary"))
            if summary is None:
                kept = paging.summarise_kept(self._context, self._root, proposal)
                summary = summary_from_json(kept)
            if summary is not None and self._has_page(proposal):
                lines.append(summary)
        return sorted(lines, key=lambda line: line.proposal)

    def _left(self) -> set[int]:
        """Return the proposals whose pages no profile keeps up, and of which nothing is there any more."""
        unkept = {
            proposal
            for proposal in self._pages
            if (names := self._documents.get(proposal, {}).get("profiles")) is not None
            and style_of(names, self._known) is None
        }
        return unkept - self._context.store.sites.with_copies(self._root.id, unkept) if unkept else set()

    def _home_digest(self, index: Sequence[ProposalSummary]) -> str:
        waiting = sorted(self._waiting.items())
        # What has no page is told of, too.
        marks = self._context.store.sites.marks(self._root.id)
        facts = [__version__, str(self._root.path), repr(waiting), repr(index), str(marks)]
        profiles = {name: profile.parameters for name, profile in self._context.profiles.items()}
        return homing.digest(facts, profiles)

    def _has_home(self) -> bool:
        return (self._root.path / "index.html").is_file()

    def _has_page(self, proposal: int) -> bool:
        return (self._root.path / proposal_folder(proposal) / "index.html").is_file()
