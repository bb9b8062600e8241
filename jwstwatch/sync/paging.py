"""Write the page of one proposal: its due parts, then what names them."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jwstwatch.core.gap_words import GapLine
from jwstwatch.core.gap_words import summarise as summarise_gaps
from jwstwatch.core.gaps import find_product_gaps
from jwstwatch.core.layout import proposal_folder
from jwstwatch.core.lines import summary_to_json
from jwstwatch.core.model import FileState
from jwstwatch.core.parameters import Parameters
from jwstwatch.core.site import PartLine, PartPicture, PartView, ProposalSummary, ProposalView, WaitingPlan
from jwstwatch.store.roots import RootRecord
from jwstwatch.store.sites import DuePage
from jwstwatch.sync import parting, piecing, roots, tidying
from jwstwatch.sync.context import Context
from jwstwatch.sync.parting import Part
from jwstwatch.sync.styling import Style, page_digest, style_of

if TYPE_CHECKING:
    from jwstwatch.store.sites import Document

SMALL = 200
"""Rows of all tables together; up to so many stand in the page itself, for readers without script."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The page to be written, and what it depends on besides the state."""

    root: RootRecord
    page: DuePage
    known: Mapping[str, Parameters]
    waiting: tuple[WaitingPlan, ...] = ()
    summary: object = None
    """What was kept of its line on the home page."""
    everything: bool = False
    pictures: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of a page: files written, and what is kept of it."""

    written: int
    document: Document


def write_page(context: Context, work: Work) -> Done:
    """Bring the page of a proposal up to date; where no profile wants it, only that is noted."""
    root, proposal = work.root, work.page.proposal
    parts = parting.read(context, root, proposal)
    names = sorted({name for part in parts for name in part.profiles})
    document: dict[str, Any] = {"profiles": names, "changes": work.page.changes}
    style = style_of(names, work.known)
    if style is None:
        document["summary"] = work.summary or summarise_kept(context, root, proposal)
        context.store.sites.keep_document(root.id, proposal, document)
        return Done(written=0, document=document)
    if work.pictures:
        style = replace(style, pictures=replace(style.pictures, again=True))
    context.report.step(f"writing pages of {proposal:05d}")
    written = parting.write(context, root, proposal, parts, style=style, everything=work.everything)
    looked_at = {part.obsnum: part.pictures for part in parts if part.pictures is not None}
    parts = [part for part in parts if part.line is not None]
    view = _view(context, work, style, parts)
    layouts = [part.layout for part in parts]
    written += piecing.write_table(context, root, proposal, parts) if parts else 0
    parting.keep(
        context,
        root,
        proposal,
        [part for part, layout in zip(parts, layouts, strict=True) if part.layout != layout],
        style,
    )
    written += _publish(root, view)
    tidying.remove_orphans(context.store, root, proposal, looked_at)
    document["summary"] = summary_to_json(view.summary)
    context.store.sites.mark_written(
        root.id,
        work.page,
        document,
        settings=page_digest(style, work.waiting, str(root.path)),
        missing=view.summary.missing,
    )
    return Done(written=written, document=document)


def _publish(root: RootRecord, view: ProposalView) -> int:
    from jwstwatch.pages.publishing import publish_proposal

    roots.require_there(root)
    return publish_proposal(root.path, view)


def _view(context: Context, work: Work, style: Style, parts: Sequence[Part]) -> ProposalView:
    root, proposal = work.root, work.page.proposal
    lines = [part.line for part in parts if part.line is not None]
    gaps = _product_gaps(proposal, parts)
    return ProposalView(
        summary=summarise(context, proposal, lines, gaps),
        lines=tuple(lines),
        settings=style.settings,
        waiting=work.waiting,
        gaps=gaps,
        inline=_inline(context, root, proposal, style, lines),
        root=root.path,
        host=socket.gethostname(),
    )


def summarise(
    context: Context, proposal: int, lines: Sequence[PartLine], gaps: Sequence[GapLine] = ()
) -> ProposalSummary:
    """Return what the index says of a proposal, added up from its parts."""
    facts = context.store.sites.facts(proposal)
    counts: Counter[FileState] = Counter()
    for line in lines:
        counts.update(line.counts)
    arrivals = [line.last_arrival for line in lines if line.last_arrival is not None]
    return ProposalSummary(
        proposal=proposal,
        title=facts.title,
        principal_investigator=facts.investigator,
        instruments=tuple(sorted(facts.instruments)),
        observations=facts.observations,
        counts={state: number for state, number in counts.items() if number},
        bytes_present=sum(line.bytes_on_disk for line in lines),
        last_arrival=max(arrivals, default=None),
        thumbnail=_choose_picture(lines, facts.instruments),
        missing=sum(line.missing for line in lines) + sum(gap.count for gap in gaps),
    )


def summarise_kept(context: Context, root: RootRecord, proposal: int) -> Document | None:
    """Return the line of a page that nobody keeps up any more, as long as it stands on disk."""
    if not (root.path / proposal_folder(proposal) / "index.html").is_file():
        return None
    lying = context.store.sites.lying(root.id, proposal)
    summary = replace(
        summarise(context, proposal, ()),
        counts={state: of_state.files for state, of_state in lying.items()},
        bytes_present=sum(of_state.bytes for of_state in lying.values()),
        last_arrival=max((each.newest for each in lying.values() if each.bytes), default=None),
        missing=None,
    )
    return summary_to_json(summary)


def _choose_picture(lines: Iterable[PartLine], instruments: Sequence[str]) -> str | None:
    """Return the thumbnail of the instrument that most observations used: level 3 first, then the newest."""
    rank = {name: place for place, name in enumerate(instruments)}
    found: list[tuple[int, int, float, PartPicture]] = []
    for line in lines:
        if line.picture is not None:
            picture = line.picture
            arrived = line.last_arrival.timestamp() if line.last_arrival else 0.0
            place = rank.get((picture.instrument or "").upper(), len(rank))
            found.append((place, -picture.level, -arrived, picture))
    return min(found, key=lambda entry: entry[:3])[3].thumbnail if found else None


def _product_gaps(proposal: int, parts: Iterable[Part]) -> tuple[GapLine, ...]:
    facts = [part.facts for part in parts if part.facts is not None]
    return tuple(summarise_gaps(find_product_gaps(proposal, facts)))


def _inline(
    context: Context, root: RootRecord, proposal: int, style: Style, lines: Sequence[PartLine]
) -> tuple[PartView, ...]:
    """Return all parts of a small proposal."""
    if sum(section.rows for line in lines for section in line.sections) > SMALL:
        return ()
    return tuple(parting.view(context, root, proposal, line.obsnum, style)[0] for line in lines)
