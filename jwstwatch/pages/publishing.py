"""Writing a root's site to disk: only what changed, each page at once, nobody else's pages lost."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jwstwatch import files
from jwstwatch.core.site import SiteView
from jwstwatch.errors import CancelledError, RootMissingError
from jwstwatch.pages.formats import page_folder
from jwstwatch.pages.rendering import ASSETS_FOLDER, GENERATOR, Renderer

_PAGE = "index.html"
_PROPOSAL_FOLDER = re.compile(r"[0-9]{5}")
_SNIFFED = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What became of a site: files written and removed, and how many were as they should be already."""

    written: tuple[Path, ...]
    unchanged: int
    removed: tuple[Path, ...]


def publish(view: SiteView, *, stop: Callable[[], bool] = lambda: False) -> Published:
    """Write the pages of `view`: each proposal's, the index, the assets; remove pages of dropped proposals.

    A page is replaced only where its content differs. A foreign `index.html` is kept beside ours under
    another name. `stop` is asked before each page; `CancelledError` then, and the pages written stay.
    `RootMissingError` if the root is not there: an unmounted disk gets no folder in its place.
    """
    if not view.root.is_dir():
        raise RootMissingError(f"{view.root} is not there", hint="Mount it, or make the folder.")
    renderer = Renderer()
    written: list[Path] = []
    unchanged = 0
    for path, render in _list_files(view, renderer):
        if stop():
            raise CancelledError(f"stopped while the pages of {view.root} were written")
        content = render()
        if path.name == _PAGE:
            _keep_foreign_page(path)
        if files.write_if_changed(path, content):
            written.append(path)
        else:
            unchanged += 1
    return Published(written=tuple(written), unchanged=unchanged, removed=tuple(_remove_stale_pages(view)))


def _list_files(view: SiteView, renderer: Renderer) -> Iterator[tuple[Path, Callable[[], bytes]]]:
    """Yield where each file belongs and what makes it; the index last, so that none of its links is dead."""
    for name, content in sorted(renderer.assets.items()):
        yield view.root / ASSETS_FOLDER / name, partial(bytes, content)
    for proposal in view.proposals:
        folder = view.root / page_folder(proposal.summary.proposal)
        yield folder / _PAGE, partial(renderer.render_proposal, proposal)
    yield view.root / _PAGE, partial(renderer.render_home, view.index, view.waiting)


def _remove_stale_pages(view: SiteView) -> Iterator[Path]:
    """Remove the page of every proposal that the index no longer has, if it is a page that we wrote."""
    kept = {page_folder(summary.proposal) for summary in view.index}
    kept |= {page_folder(proposal.summary.proposal) for proposal in view.proposals}
    with files.translate_storage_errors(view.root):
        for folder in sorted(view.root.iterdir()):
            page = folder / _PAGE
            if _PROPOSAL_FOLDER.fullmatch(folder.name) and folder.name not in kept and _is_ours(page):
                page.unlink()
                files.sync_folder(folder)
                yield page


def _is_ours(page: Path) -> bool:
    """Tell whether a page is there and was written by this program; a link is not."""
    if page.is_symlink() or not page.is_file():
        return False
    with page.open("rb") as stream:
        return GENERATOR.encode() in stream.read(_SNIFFED)


def _keep_foreign_page(page: Path) -> None:
    """Move a page that we did not write out of our way: somebody may have made it by hand."""
    with files.translate_storage_errors(page):
        if not (page.is_symlink() or page.exists()) or _is_ours(page):
            return
        for number in itertools.count(1):
            aside = page.with_name(f"index.before-jwstwatch{'' if number == 1 else f'-{number}'}.html")
            if not aside.is_symlink() and not aside.exists():
                page.rename(aside)
                return
