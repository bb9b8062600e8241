"""The page of a proposal, and the pages of its parts for readers without script."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain

from jwstwatch.core.gap_words import GapLine
from jwstwatch.core.layout import PAGES_FOLDER, pages_folder, part_name
from jwstwatch.core.site import PageSettings, PartLine, PartView, ProposalView
from jwstwatch.pages.addresses import all_exposures_name, plain_name, spreadsheet_name
from jwstwatch.pages.bundles import arrange
from jwstwatch.pages.formats import page_folder
from jwstwatch.pages.plain import make_tables
from jwstwatch.pages.rendering import Renderer, name_few, thumbnail_box
from jwstwatch.pages.sections import KINDS, Kind, Section, columns_of, make_sections, unite

OPEN_LINES = 12
"""Lines of gaps that are shown at once; more are there to be opened."""

MOST_LINES = 1000
"""Lines of gaps on a page; of more it says how many."""

_FEW = 3


def render_proposal(renderer: Renderer, view: ProposalView) -> bytes:
    """Return the page of one proposal."""
    gaps = sorted(
        chain(*(line.gaps for line in view.lines), view.gaps),
        key=lambda gap: (gap.obsnum is None, gap.obsnum or 0),
    )
    proposal = view.summary.proposal
    sizes = {kind.name: _count(kind, view.lines) for kind in KINDS}
    return renderer.render(
        "proposal.html",
        up="../",
        place=page_folder(proposal),
        data=_data(view),
        summary=view.summary,
        waiting=view.waiting,
        lines=view.lines,
        label=label_of,
        plain_page=lambda line: f"{PAGES_FOLDER}/{plain_name(part_name(line.obsnum), 1)}",
        kinds=[(kind, sizes[kind.name]) for kind in KINDS if sizes[kind.name]],
        tables={table.kind.name: table for table in make_tables(_inline_sections(view))},
        with_rows=_with_rows,
        spreadsheet=all_exposures_name(proposal) if sizes["exposures"] else None,
        box=thumbnail_box(view.settings),
        **_gap_facts(gaps),
    )


def render_part(
    renderer: Renderer, view: PartView, line: PartLine, *, number: int, sections: Sequence[Section]
) -> bytes:
    """Return a page of a part for readers without script, the `number`th of `line.plain_pages`."""
    part = part_name(view.obsnum)
    return renderer.render(
        "part.html",
        up="../../",
        place=pages_folder(view.proposal),
        proposal=view.proposal,
        line=line,
        title=label_of(line),
        number=number,
        spreadsheet=spreadsheet_name(part),
        pages=[(each, plain_name(part, each)) for each in range(1, line.plain_pages + 1)],
        tables=make_tables(sections),
        box=thumbnail_box(view.settings),
        **_gap_facts(view.gaps),
    )


def label_of(line: PartLine) -> str:
    """Return how a part is called: `Obs. 3`."""
    return "Several observations" if line.obsnum is None else f"Obs. {line.label}"


def _gap_facts(gaps: Sequence[GapLine]) -> dict[str, object]:
    return {
        "gaps": gaps[:MOST_LINES],
        "missing": sum(gap.count for gap in gaps),
        "untold": sum(gap.count for gap in gaps[MOST_LINES:]),
        "opened": len(gaps) <= OPEN_LINES,
    }


def _inline_sections(view: ProposalView) -> tuple[Section, ...]:
    return unite(make_sections(arrange(part.files, part.observations), part.settings) for part in view.inline)


def _count(kind: Kind, lines: Sequence[PartLine]) -> int:
    return sum(section.rows for line in lines for section in line.sections if section.name == kind.name)


def _with_rows(kind: Kind, lines: Sequence[PartLine]) -> list[tuple[PartLine, int]]:
    """Return the parts that have rows of this kind, with their numbers."""
    return [(line, rows) for line in lines if (rows := _count(kind, [line]))]


def _data(view: ProposalView) -> str:
    """Return what the scripts must know to build the tables: columns, parts, and how much each has."""
    settings = view.settings
    return json.dumps(
        {
            "proposal": page_folder(view.summary.proposal),
            "folder": PAGES_FOLDER,
            "root": str(view.root),
            "host": view.host,
            "sort": list(settings.sort_by),
            "thumb": _thumb(settings),
            "columns": {name: list(columns) for name, columns in columns_of(settings).items()},
            "parts": [_part(line) for line in view.lines],
        },
        separators=(",", ":"),
        ensure_ascii=False,
    )


def _thumb(settings: PageSettings) -> list[int | None]:
    if settings.figure_width is None and settings.figure_height is None:
        return [thumbnail_box(settings)["width"], None]
    return [settings.figure_width, settings.figure_height]


def _part(line: PartLine) -> dict[str, object]:
    words = (name_few(some, _FEW) for some in (line.targets, line.instruments, line.filters))
    part = part_name(line.obsnum)
    return {
        "id": part,
        "obsnum": line.obsnum,
        "label": label_of(line),
        "title": " · ".join(word for word in words if word),
        "missing": line.missing,
        "plain": f"{PAGES_FOLDER}/{plain_name(part, 1)}",
        **{
            section.name: [section.rows, section.chunks, section.detail_chunks, section.mark]
            for section in line.sections
        },
    }
