"""From views to HTML, through the templates. Everything that a template prints is escaped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from jwstwatch.core.amounts import files_text
from jwstwatch.core.gap_words import summarise as summarise_gaps
from jwstwatch.core.gaps import GapKind
from jwstwatch.core.model import FileState
from jwstwatch.core.site import PageFile, ProposalSummary, ProposalView, Reprocessing, WaitingPlan
from jwstwatch.pages import formats
from jwstwatch.pages.bundles import Bundle, arrange, is_on_disk
from jwstwatch.pages.columns import fill_table
from jwstwatch.pages.overview import summarise

if TYPE_CHECKING:
    from jinja2 import Environment

ASSETS_FOLDER = "jwstwatch-assets"
"""Beside index.html; its name has no dot in front, because web servers hide such folders."""

GENERATOR = '<meta name="generator" content="jwstwatch">'
"""By this line a page of ours is told from anybody else's."""

_STATES = (
    FileState.PRESENT,
    FileState.STALE,
    FileState.WANTED,
    FileState.WITHHELD,
    FileState.FAILED,
    FileState.GONE,
)
"""In the order in which a reader wants their numbers."""

_MEANINGS = {
    FileState.STALE: "newer revision in the archive",
    FileState.GONE: "no longer in the archive",
}
"""What a state says where no reason is given."""

_TINTS = {
    GapKind.PLANNED: "planned",
    GapKind.UNLISTED: "wanted",
    GapKind.WANTED: "wanted",
    GapKind.STALE: "stale",
    GapKind.WITHHELD: "withheld",
    GapKind.FAILED: "failed",
    GapKind.DAMAGED: "failed",
}
"""How the style sheet calls the badge of a gap; the others look as what is gone."""

_OPEN_LINES = 12
"""Lines of gaps that are shown at once; more are there to be opened."""

_THUMBNAIL_SIDE = 120
_PREVIEWS = ("_i2d.jpg", "_s2d.jpg", "_x1d.png", "_x1d.jpg", "_s3d.jpg", "_thumb.jpg")


class Renderer:
    """The templates with their assets, loaded once for all pages of a site."""

    def __init__(self) -> None:
        self.assets = _load_assets()
        self._environment = _make_environment(_address_assets(self.assets))

    def render_home(self, index: Sequence[ProposalSummary], waiting: Sequence[WaitingPlan] = ()) -> bytes:
        """Return the page of all proposals."""
        ordered = sorted(index, key=lambda summary: summary.proposal)
        return self._render(
            "home.html",
            up="",
            proposals=ordered,
            counts=_add_counts(ordered),
            bytes_present=sum(summary.bytes_present for summary in ordered),
            missing=sum(summary.missing or 0 for summary in ordered),
            waiting=waiting,
        )

    def render_proposal(self, view: ProposalView) -> bytes:
        """Return the page of one proposal."""
        folder = formats.page_folder(view.summary.proposal)
        files = arrange(view)
        gaps = summarise_gaps(view.gaps)
        return self._render(
            "proposal.html",
            up="../",
            folder=folder,
            summary=view.summary,
            waiting=view.waiting,
            gaps=gaps,
            missing=sum(line.count for line in gaps),
            opened=len(gaps) <= _OPEN_LINES,
            observations=summarise(view, files.exposures),
            exposures=fill_table(files.exposures, view.settings, folder=folder),
            files=files,
            width=view.settings.figure_width or view.settings.figure_height or _THUMBNAIL_SIDE,
            height=view.settings.figure_height or view.settings.figure_width or _THUMBNAIL_SIDE,
        )

    def _render(self, template: str, **values: object) -> bytes:
        lines = self._environment.get_template(template).generate(values)
        return "".join(lines).encode("utf-8", "replace")


def _load_assets() -> dict[str, bytes]:
    folder = resources.files("jwstwatch.pages") / "assets"
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}


def _address_assets(assets: Mapping[str, bytes]) -> dict[str, str]:
    """Return the address of each asset with a mark of its content, so that no browser keeps an old one."""
    return {
        name: f"{ASSETS_FOLDER}/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"
        for name, content in assets.items()
    }


def _make_environment(assets: Mapping[str, str]) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("jwstwatch.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        bytes=formats.format_bytes,
        files=files_text,
        seconds=formats.format_seconds,
        time=formats.format_time,
        folder=formats.page_folder,
        table=formats.products_table_name,
    )
    environment.globals.update(
        assets=assets,
        generator=GENERATOR,
        states=_STATES,
        link=formats.make_link,
        link_file=_link_file,
        describe=_describe,
        mark=_mark,
        tint=lambda kind: _TINTS.get(kind, "gone"),
        make_chips=_make_chips,
        preview=_find_preview,
        zip=zip,
    )
    return environment


def _add_counts(index: Sequence[ProposalSummary]) -> dict[FileState, int]:
    return {state: sum(summary.counts.get(state, 0) for summary in index) for state in FileState}


@dataclass(frozen=True, slots=True)
class _Mark:
    """The class that the style sheet has for a file, and the word to be read; empty for one that is well."""

    style: str
    word: str


def _mark(file: PageFile) -> _Mark:
    """Return what is to be seen of a file at a glance."""
    if file.damage is not None:
        return _Mark("failed", "damaged")
    if file.state is not FileState.PRESENT:
        return _Mark(file.state.value, file.state.value)
    return _Mark(file.state.value, f"rev. {file.revision}" if file.revision > 1 else "")


@dataclass(frozen=True, slots=True)
class _Chip:
    label: str
    link: str | None
    mark: _Mark
    note: str


def _make_chips(bundle: Bundle, folder: str) -> list[_Chip]:
    """Return what a template shows of each file of a bundle; a file that is not on disk has no link."""
    return [
        _Chip(label, _link_file(file, folder), _mark(file), _describe(file))
        for file, label in zip(bundle.files, bundle.labels, strict=True)
    ]


def _link_file(file: PageFile, folder: str) -> str | None:
    return formats.make_link(file.path, folder) if is_on_disk(file) else None


def _describe(file: PageFile) -> str:
    """Say in one line what there is to know of a file, for its tooltip."""
    facts = [file.state.value, formats.format_bytes(file.size)]
    if file.revision > 1:
        facts.append(f"revision {file.revision}")
    facts += [formats.format_time(file.changed_at), file.reason or _MEANINGS.get(file.state, "")]
    if file.damage is not None and file.damage != file.reason:
        facts.append(f"damaged: {file.damage}")
    if file.reprocessed is not None:
        facts.append(_describe_reprocessing(file.reprocessed))
    return ", ".join(fact for fact in facts if fact)


def _describe_reprocessing(change: Reprocessing) -> str:
    """Say when a file was reprocessed, and with what; only what is stated, and what differs as a change."""
    facts = [f"reprocessed {formats.format_time(change.at)}"]
    for name, (former, present) in (("pipeline", change.pipeline), ("context", change.context)):
        if former and present and former != present:
            facts.append(f"{name} {former} \N{RIGHTWARDS ARROW} {present}")
        elif present:
            facts.append(f"{name} {present}")
    return ", ".join(facts)


def _find_preview(bundle: Bundle) -> PageFile | None:
    """Return the picture that shows a level-3 product best, one with a thumbnail if there is any."""
    pictures = [
        file for file in bundle.files if is_on_disk(file) and file.filetype.endswith((".jpg", ".png"))
    ]
    order = {filetype: place for place, filetype in enumerate(_PREVIEWS)}
    return min(
        pictures,
        key=lambda file: (file.thumbnail is None, order.get(file.filetype, len(order)), file.name),
        default=None,
    )
