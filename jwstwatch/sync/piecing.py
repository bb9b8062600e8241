"""The table of products beside a proposal's page, put together of one piece for each APT observation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jwstwatch.core.layout import pages_folder, part_name, proposal_folder
from jwstwatch.core.model import FileState
from jwstwatch.core.parameters import Parameters
from jwstwatch.files import write_if_changed
from jwstwatch.store.roots import RootRecord
from jwstwatch.sync.context import Context
from jwstwatch.tables import build, fragments
from jwstwatch.tables.columns import LocalFile

if TYPE_CHECKING:
    from jwstwatch.sync.parting import Part

_DOWNLOAD_CODES = {
    FileState.PRESENT: (2, "exists"),
    FileState.STALE: (2, "exists"),
    FileState.GONE: (2, "exists"),
    FileState.FAILED: (7, "ERRORdownload"),
}
"""`dl_code` and `dl_str` of jwst_mast_query for what the state knows."""

_COLUMNS = Parameters().outcolumns_productTable


def write_piece(
    context: Context,
    root: RootRecord,
    proposal: int,
    obsnum: int | None,
    *,
    others: fragments.Layout | None = None,
) -> tuple[fragments.Layout, int]:
    """Write the piece of one APT observation, in a layout that suits the others too.

    Returns that layout and how many files were written.
    """
    shelf = context.store.parts.shelf(root.id, proposal, obsnum)
    local = {
        uri: LocalFile(str(path), *_DOWNLOAD_CODES.get(state, (0, "")))
        for uri, (path, state) in shelf.local.items()
    }
    rows = build.product_rows(
        shelf.products, shelf.observations, local, columns=_COLUMNS, sort_by=("obs_id", "productFilename")
    )
    piece, layout = fragments.to_piece(rows, _COLUMNS, others=others)
    return layout, int(write_if_changed(_piece_path(root.path, proposal, obsnum), piece.encode()))


def common_layout(parts: Sequence[Part]) -> fragments.Layout | None:
    """Return the layout that suits all pieces written so far; None where there are none."""
    layouts = [part.layout for part in parts if part.layout is not None]
    return fragments.unite(layouts) if layouts else None


def write_table(context: Context, root: RootRecord, proposal: int, parts: Sequence[Part]) -> int:
    """Write `<PPPPP>/<PPPPP>.products.txt` from the pieces; returns how many files were written.

    A piece that is narrower than others is written anew as wide as they are, and its part's `layout` says so.
    """
    written = 0
    for part in parts:
        if part.layout is None or not _piece_path(root.path, proposal, part.obsnum).is_file():
            others = common_layout(parts)
            part.layout, count = write_piece(context, root, proposal, part.obsnum, others=others)
            written += count
    common = common_layout(parts)
    assert common is not None
    lines: list[bytes] = []
    for part in parts:
        if part.layout != common:
            written += _widen(context, root, proposal, part, common)
        piece = _piece_path(root.path, proposal, part.obsnum).read_bytes()
        lines.append(fragments.without_head(piece) if lines else piece)
    folder = proposal_folder(proposal)
    return written + write_if_changed(root.path / folder / f"{folder}.products.txt", b"".join(lines))


def _widen(context: Context, root: RootRecord, proposal: int, part: Part, common: fragments.Layout) -> int:
    """Set a piece in the layout that suits all; one that somebody damaged is made anew."""
    path = _piece_path(root.path, proposal, part.obsnum)
    part.layout = common
    try:
        piece = fragments.pad_again(path.read_bytes().decode(), common)
    except ValueError:
        return write_piece(context, root, proposal, part.obsnum, others=common)[1]
    return int(write_if_changed(path, piece.encode()))


def _piece_path(root: Path, proposal: int, obsnum: int | None) -> Path:
    return root / pages_folder(proposal) / f"{part_name(obsnum)}.products.txt"
