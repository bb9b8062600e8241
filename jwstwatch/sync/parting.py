"""The parts of a proposal's page, one for each APT observation: what was kept of them; writing those due."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jwstwatch.core.lines import line_from_json, line_to_json
from jwstwatch.core.sisters import CandidateFacts
from jwstwatch.core.site import PartLine, PartView
from jwstwatch.errors import CancelledError
from jwstwatch.store.roots import RootRecord
from jwstwatch.store.sites import DuePart, PartRecord
from jwstwatch.sync import picturing, piecing, roots, tidying
from jwstwatch.sync.context import Context
from jwstwatch.sync.heading import read_headers
from jwstwatch.sync.styling import Style
from jwstwatch.tables.fragments import Layout

if TYPE_CHECKING:
    from jwstwatch.store.sites import Document

GOES_ON = "The next run writes them."

_NOTE_EVERY = 2.0
"""Seconds after which what was written is noted."""


@dataclass(slots=True)
class Part:
    """A part while its page is written; what it holds besides the record is that of its last writing."""

    record: PartRecord
    profiles: list[str] = field(default_factory=list)
    line: PartLine | None = None
    """None where it shows nothing."""
    facts: CandidateFacts | None = None
    """What tells which level-3 products there should be."""
    layout: Layout | None = None
    """Of its piece of the table of products."""
    pictures: set[str] | None = None
    """Names of the pictures that it shows; None where it was not looked at."""

    @property
    def obsnum(self) -> int | None:
        """The APT observation number; None for what belongs to no single one."""
        return self.record.part.obsnum

    def to_document(self) -> Document:
        """Return what is kept of it."""
        assert self.line is not None
        assert self.facts is not None
        assert self.layout is not None
        return {
            "line": line_to_json(self.line),
            "profiles": self.profiles,
            "facts": {
                "modes": [[obsnum, list(modes)] for obsnum, modes in self.facts.modes.items()],
                "made": list(self.facts.made),
                "associated": list(self.facts.associated),
                "incomplete": list(self.facts.incomplete),
            },
            "layout": [list(self.layout.widths), list(self.layout.right)],
        }


def read(context: Context, root: RootRecord, proposal: int) -> list[Part]:
    """Return the parts of a page, by observation number, with the profiles that contribute to each now."""
    records = context.store.sites.parts(root.id, proposal)
    parts = [_from_record(record) for record in records.values()]
    parts.sort(key=lambda part: (part.obsnum is None, part.obsnum or 0))
    changed = [part for part in parts if part.record.due or part.line is None]
    profiles = context.store.sites.profiles(root.id, proposal, [part.obsnum for part in changed])
    for part in changed:
        part.profiles = profiles[part.obsnum]
    return parts


def _from_record(record: PartRecord) -> Part:
    """Read what was kept; where this version cannot, the part is as one that was never written."""
    document = record.document or {}
    line = line_from_json(document.get("line"))
    if line is None:
        return Part(record)
    try:
        return Part(
            record,
            profiles=list(document["profiles"]),
            line=line,
            facts=_facts(document["facts"]),
            layout=Layout(*(tuple(entry) for entry in document["layout"])),
        )
    except (KeyError, TypeError, ValueError):
        return Part(record)


def _facts(document: Mapping[str, Any]) -> CandidateFacts:
    return CandidateFacts(
        modes={obsnum: tuple(modes) for obsnum, modes in document["modes"]},
        made=tuple(document["made"]),
        associated=tuple(document["associated"]),
        incomplete=tuple(document["incomplete"]),
    )


def view(
    context: Context, root: RootRecord, proposal: int, obsnum: int | None, style: Style
) -> tuple[PartView, CandidateFacts]:
    """Return what a page shows of one part, and what it tells of level-3 products."""
    return context.store.parts.view(root.id, proposal, obsnum, style.settings, now=context.now())


def write(
    context: Context,
    root: RootRecord,
    proposal: int,
    parts: Sequence[Part],
    *,
    style: Style,
    everything: bool,
) -> int:
    """Write the parts that are due and note so, some at a time; returns how many files were written."""
    from jwstwatch.pages.publishing import is_written

    written, others = 0, piecing.common_layout(parts)
    ledger = _Ledger(context, root, proposal, style)
    try:
        for part in parts:
            fresh = part.line is not None and not part.record.due and part.record.settings == style.digest
            if fresh and not everything and is_written(root.path, proposal, part.line):
                continue
            written += _write_one(context, root, proposal, part, style)
            if part.line is not None:
                part.layout, count = piecing.write_piece(context, root, proposal, part.obsnum, others=others)
                others, written = part.layout, written + count
            ledger.enter(part)
    finally:
        ledger.close()
    return written


class _Ledger:
    """Notes what was written, some at a time: a death costs a few seconds of work and no more."""

    def __init__(self, context: Context, root: RootRecord, proposal: int, style: Style) -> None:
        self._sites, self._root_id, self._proposal = context.store.sites, root.id, proposal
        self._digest = style.digest
        self._done: dict[DuePart, Document] = {}
        self._empty: list[DuePart] = []
        self._noted_at = time.monotonic()

    def enter(self, part: Part) -> None:
        """Take a part that was written, or that shows nothing."""
        if part.line is None:
            self._empty.append(part.record.part)
        else:
            self._done[part.record.part] = part.to_document()
        if time.monotonic() - self._noted_at > _NOTE_EVERY:
            self.close()

    def close(self) -> None:
        """Note what was entered since the last time."""
        if self._done:
            self._sites.mark_parts_written(self._root_id, self._proposal, self._done, settings=self._digest)
        if self._empty:
            self._sites.forget_parts(self._root_id, self._proposal, self._empty)
        self._done, self._empty, self._noted_at = {}, [], time.monotonic()


def keep(context: Context, root: RootRecord, proposal: int, parts: Sequence[Part], style: Style) -> None:
    """Note what changed of parts that are written, such as their layout in a table."""
    if parts:
        documents = {part.record.part: part.to_document() for part in parts}
        context.store.sites.mark_parts_written(root.id, proposal, documents, settings=style.digest)


def _write_one(context: Context, root: RootRecord, proposal: int, part: Part, style: Style) -> int:
    from jwstwatch.imaging.headers import STANDARD_KEYWORDS
    from jwstwatch.pages.publishing import publish_part

    obsnum = part.obsnum
    _stop_if_asked(context)
    roots.require_there(root)
    keywords = frozenset((*STANDARD_KEYWORDS, *style.settings.keywords))
    unread = context.store.headers.unread(root.id, proposal, obsnum, names=keywords)
    if unread:
        read_headers(context, root, unread, keywords)
    if style.pictures.wanted:
        jobs = context.store.parts.copies(root.id, proposal, obsnum)
        made = picturing.make_pictures(context, root.path, jobs, proposal=proposal, style=style.pictures)
        context.store.sites.keep_thumbnails(made)
        _stop_if_asked(context)  # some of the pictures may be missing
    seen, part.facts = view(context, root, proposal, obsnum, style)
    part.pictures = tidying.pictures_of(seen.files)
    if not seen.files and not seen.observations:
        part.line = None
        return 0
    published = publish_part(root.path, seen)
    part.line = published.line
    return published.written


def _stop_if_asked(context: Context) -> None:
    if context.stop.is_set():
        raise CancelledError("stopped while pages were written", hint=GOES_ON)
