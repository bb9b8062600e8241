"""From values to HTML, through the templates. Everything that a template prints is escaped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from jwstwatch.core.amounts import files_text
from jwstwatch.core.gaps import GapKind
from jwstwatch.core.layout import part_name
from jwstwatch.core.model import FileState
from jwstwatch.core.site import PageSettings
from jwstwatch.pages import formats, plain

if TYPE_CHECKING:
    from jinja2 import Environment

ASSETS_FOLDER = "jwstwatch-assets"
"""Beside index.html; its name has no dot in front, because web servers hide such folders."""

GENERATOR = '<meta name="generator" content="jwstwatch">'
"""By this line a page of ours is told from anybody else's."""

STYLES = ("jwstwatch.css", "data.css", "viewer.css", "home.css")
SCRIPTS = (
    *("site.js", "values.js", "cells.js", "choices.js", "controls.js", "details.js", "widths.js"),
    *("listing.js", "rows.js", "live.js", "keys.js", "tables.js"),
    *("viewer-items.js", "viewer-images.js", "viewer-frame.js", "viewer-zoom.js", "viewer-compare.js"),
    *("viewer.js", "exposures.js", "home.js"),
)
"""In the order in which every page loads them: each after those that it needs."""

_STATES = (
    FileState.PRESENT,
    FileState.STALE,
    FileState.WANTED,
    FileState.WITHHELD,
    FileState.FAILED,
    FileState.GONE,
)
"""In the order in which a reader wants their numbers."""

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

THUMBNAIL_SIDE = 120
_FEW = 6


class Renderer:
    """The templates with their assets, loaded once for all pages."""

    def __init__(self) -> None:
        self.assets = _load_assets()
        self._environment = _make_environment(_address_assets(self.assets))

    def render(self, template: str, **values: object) -> bytes:
        """Return a page; `up` is the way from it to the root, such as `../`."""
        lines = self._environment.get_template(template).generate(values)
        return "".join(lines).encode("utf-8", "replace")


@cache
def shared_renderer() -> Renderer:
    """Return the renderer of this process: it holds nothing but what came with the program."""
    return Renderer()


def thumbnail_box(settings: PageSettings) -> dict[str, int]:
    """Return the room for a thumbnail in CSS pixels: `width`, `height`; the one follows the other."""
    width, height = settings.figure_width, settings.figure_height
    return {"width": width or height or THUMBNAIL_SIDE, "height": height or width or THUMBNAIL_SIDE}


def name_few(words: Sequence[str], most: int = _FEW) -> str:
    """Write the first few words of a list that may be long: `F115W, F200W and 7 more`."""
    rest = len(words) - most
    return ", ".join(words[:most]) + (f" and {rest} more" if rest > 0 else "")


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
        auto_reload=False,
    )
    environment.filters.update(
        bytes=formats.format_bytes,
        files=files_text,
        few=name_few,
        seconds=formats.format_seconds,
        time=formats.format_time,
        folder=formats.page_folder,
        part=part_name,
        table=formats.products_table_name,
    )
    environment.globals.update(
        assets=assets,
        styles=[assets[name] for name in STYLES if name in assets],
        scripts=[assets[name] for name in SCRIPTS if name in assets],
        generator=GENERATOR,
        states=_STATES,
        link=formats.make_link,
        tint=lambda kind: _TINTS.get(kind, "gone"),
        make_chips=plain.make_chips,
        lay_out=plain.lay_out,
    )
    return environment
