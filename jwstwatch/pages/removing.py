"""Removing what no page names any more, and making room where somebody else's page stands."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from jwstwatch import files
from jwstwatch.core.site import PartLine
from jwstwatch.pages import addresses, feeds
from jwstwatch.pages.formats import page_folder, products_table_name
from jwstwatch.pages.rendering import GENERATOR

_PROPOSAL_FOLDER = re.compile(r"[0-9]{5,}")
_SNIFFED = 4096
_MARKS = {feeds.ATOM: b"<generator>jwstwatch</generator>", feeds.JSON: b'"name": "jwstwatch"'}
"""By which our feeds are told from anybody else's; pages have their own."""


def remove_stale_parts(
    root: Path, proposal: int, lines: Sequence[PartLine], *, spreadsheet: bool
) -> list[Path]:
    """Remove the files of parts that a proposal's page does not name; return them."""
    needed = {name for line in lines for name in addresses.names_of(line)}
    removed = _remove_from(addresses.parts_folder(root, proposal), addresses.OWN_NAMES, kept=needed)
    if not spreadsheet:
        name = addresses.all_exposures_name(proposal)
        removed += _remove_from(root / page_folder(proposal), re.compile(re.escape(name)))
    return removed


def remove_stale_proposals(root: Path, proposals: Iterable[int]) -> list[Path]:
    """Remove the pages of every proposal that is not among these, as far as we wrote them; return them."""
    kept = {page_folder(proposal) for proposal in proposals}
    with files.translate_storage_errors(root):
        folders = [path for path in sorted(root.iterdir()) if _PROPOSAL_FOLDER.fullmatch(path.name)]
        # A folder may be a link that an administrator made to the one of a proposal that stays.
        stale = [path for path in folders if path.is_dir() and not {path.name, path.resolve().name} & kept]
    return [path for folder in stale for path in _remove_proposal(root, folder)]


def _remove_proposal(root: Path, folder: Path) -> Iterator[Path]:
    """Remove a page with all that it is made of; the page first, so that it never names what is gone."""
    proposal = int(folder.name)
    page, parts = folder / addresses.PAGE, addresses.parts_folder(root, proposal)
    ours = _is_ours(page)
    if not ours and not parts.is_dir():
        return
    if ours:
        yield from _remove_from(folder, re.compile(re.escape(addresses.PAGE)))
    names = (products_table_name(proposal), addresses.all_exposures_name(proposal))
    yield from _remove_from(folder, re.compile("|".join(map(re.escape, names))))
    yield from _remove_from(parts, addresses.OWN_NAMES)
    previews = parts / addresses.PREVIEWS
    yield from _remove_from(previews, addresses.OWN_PREVIEWS)
    for emptied in (previews, parts):
        _remove_if_empty(emptied)


def _remove_from(folder: Path, names: re.Pattern[str], *, kept: Collection[str] = ()) -> list[Path]:
    """Remove the plain files of a folder that are called so; a link is none."""
    if not folder.is_dir():
        return []
    removed = []
    with files.translate_storage_errors(folder), os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if (
                names.fullmatch(entry.name)
                and entry.name not in kept
                and entry.is_file(follow_symlinks=False)
            ):
                Path(entry.path).unlink()
                removed.append(Path(entry.path))
    if removed:
        files.sync_folder(folder)
    return removed


def _remove_if_empty(folder: Path) -> None:
    if folder.is_symlink() or not folder.is_dir():
        return
    with files.translate_storage_errors(folder):
        if not any(folder.iterdir()):
            folder.rmdir()


def _is_ours(page: Path) -> bool:
    """Tell whether a page is there and was written by this program; a link is not."""
    if page.is_symlink() or not page.is_file():
        return False
    with page.open("rb") as stream:
        return _MARKS.get(page.name, GENERATOR.encode()) in stream.read(_SNIFFED)


def keep_foreign_page(page: Path) -> None:
    """Move a page that we did not write out of our way: somebody may have made it by hand."""
    with files.translate_storage_errors(page):
        if not (page.is_symlink() or page.exists()) or _is_ours(page):
            return
        for number in itertools.count(1):
            again = "" if number == 1 else f"-{number}"
            aside = page.with_name(f"{page.stem}.before-jwstwatch{again}{page.suffix}")
            if not aside.is_symlink() and not aside.exists():
                page.rename(aside)
                return
