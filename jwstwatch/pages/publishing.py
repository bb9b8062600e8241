"""Writing a site to disk: only what changed, each file whole, nobody else's pages lost."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jwstwatch import files
from jwstwatch.core.home import HomeView
from jwstwatch.core.layout import part_name
from jwstwatch.core.site import PartLine, PartView, ProposalView, SectionSize
from jwstwatch.errors import RootMissingError
from jwstwatch.pages import addresses, feeds, scripts, spreadsheets
from jwstwatch.pages.bundles import arrange
from jwstwatch.pages.formats import page_folder
from jwstwatch.pages.home import render_home
from jwstwatch.pages.overview import summarise
from jwstwatch.pages.plain import paginate
from jwstwatch.pages.proposals import render_part, render_proposal
from jwstwatch.pages.removing import keep_foreign_page, remove_stale_parts, remove_stale_proposals
from jwstwatch.pages.rendering import ASSETS_FOLDER, shared_renderer
from jwstwatch.pages.sections import Section, make_sections

_MARK = 12
"""Hexadecimal digits that tell one content from another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPublished:
    """What the page of the proposal says of a part, and how many files were written for it."""

    line: PartLine
    written: int


def publish_part(root: Path, view: PartView) -> PartPublished:
    """Write what shows one part: data scripts, CSV, then its pages without script.

    What the part no longer needs stays until no page names it: `publish_proposal` removes it.
    `RootMissingError` if the root is not there: an unmounted disk gets no folder in its place.
    """
    _require(root)
    arranged = arrange(view.files, view.observations)
    sections = make_sections(arranged, view.settings)
    pages = paginate(sections)
    content: dict[str, bytes] = {}
    sizes = [_write_scripts(part_name(view.obsnum), section, content) for section in sections]
    line = summarise(view, arranged, sections=sizes, plain_pages=len(pages))
    content |= _spreadsheet(view, sections)
    for number, shown in enumerate(pages, 1):
        page = render_part(shared_renderer(), view, line, number=number, sections=shown)
        content[addresses.plain_name(part_name(view.obsnum), number)] = page
    return PartPublished(line=line, written=_write_all(addresses.parts_folder(root, view.proposal), content))


def publish_proposal(root: Path, view: ProposalView) -> int:
    """Write the page of a proposal, whose parts are written; return how many files were written.

    A foreign `index.html` is kept beside ours under another name. Files of parts that are gone are removed
    once the page no longer names them. `RootMissingError` as of `publish_part`.
    """
    _require(root)
    proposal = view.summary.proposal
    folder = root / page_folder(proposal)
    written = _write_assets(root)
    lines = _join_spreadsheets(addresses.parts_folder(root, proposal), view)
    if lines is not None:
        written += files.write_if_changed(folder / addresses.all_exposures_name(proposal), lines)
    keep_foreign_page(folder / addresses.PAGE)
    written += files.write_if_changed(folder / addresses.PAGE, render_proposal(shared_renderer(), view))
    remove_stale_parts(root, proposal, view.lines, spreadsheet=lines is not None)
    return written


def publish_home(view: HomeView) -> int:
    """Write the page of all proposals and its feeds; return how many files were written.

    The pages of proposals that the index no longer has are removed, if they are ours.
    """
    _require(view.root)
    written = _write_assets(view.root)
    content = {
        feeds.ATOM: feeds.render_atom(view),
        feeds.JSON: feeds.render_json(view),
        addresses.PAGE: render_home(view, shared_renderer()),
    }
    for name, made in content.items():
        keep_foreign_page(view.root / name)
        written += files.write_if_changed(view.root / name, made)
    remove_stale_proposals(view.root, (summary.proposal for summary in view.index))
    return written


def is_written(root: Path, proposal: int, line: PartLine | None) -> bool:
    """Tell whether what shows a part is on disk, as far as a glance at the first file of each sort tells."""
    if line is None:
        return False
    folder, part = addresses.parts_folder(root, proposal), part_name(line.obsnum)
    names = [addresses.plain_name(part, 1)]
    names += [addresses.script_name(part, section.name, 1) for section in line.sections[:1]]
    if line.exposures:
        names.append(addresses.spreadsheet_name(part))
    return all((folder / name).is_file() for name in names)


def _require(root: Path) -> None:
    if not root.is_dir():
        raise RootMissingError(f"{root} is not there", hint="Mount it, or make the folder.")


def _write_assets(root: Path) -> int:
    return _write_all(root / ASSETS_FOLDER, shared_renderer().assets)


def _write_all(folder: Path, content: Mapping[str, bytes]) -> int:
    return sum(files.write_if_changed(folder / name, made) for name, made in content.items())


def _write_scripts(part: str, section: Section, content: dict[str, bytes]) -> SectionSize:
    """Add the scripts of a section to `content`; their mark changes with anything in them."""
    name = section.kind.name
    rows, details = list(scripts.write_rows(part, section)), list(scripts.write_details(part, section))
    digest = hashlib.sha256()
    for made in (*rows, *details):
        digest.update(made)
    content |= {addresses.script_name(part, name, number): made for number, made in enumerate(rows, 1)}
    content |= {addresses.details_name(part, name, number): made for number, made in enumerate(details, 1)}
    return SectionSize(
        name=name,
        rows=len(section.rows),
        chunks=len(rows),
        detail_chunks=len(details),
        mark=digest.hexdigest()[:_MARK],
    )


def _spreadsheet(view: PartView, sections: Iterable[Section]) -> dict[str, bytes]:
    return {
        addresses.spreadsheet_name(part_name(view.obsnum)): spreadsheets.write_head(view.settings)
        + spreadsheets.write_lines(section.rows)
        for section in sections
        if section.kind.name == "exposures"
    }


def _join_spreadsheets(folder: Path, view: ProposalView) -> bytes | None:
    """Return the exposures of all parts under one head; None where there are none."""
    head = spreadsheets.write_head(view.settings)
    lines = b"".join(_read_lines(folder, view.lines, head))
    return head + lines if lines else None


def _read_lines(folder: Path, parts: Iterable[PartLine], head: bytes) -> Iterator[bytes]:
    for line in parts:
        path = folder / addresses.spreadsheet_name(part_name(line.obsnum))
        if line.exposures and path.is_file():
            with files.translate_storage_errors(path):
                yield path.read_bytes().removeprefix(head)
