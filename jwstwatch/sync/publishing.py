"""Write the pages on which something changed: headers and thumbnails of new files first, then the site."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jwstwatch import __version__, logs
from jwstwatch.core.filetypes import matching_filetype, normalise_filetypes
from jwstwatch.core.layout import proposal_folder
from jwstwatch.core.model import FileState
from jwstwatch.core.parameters import Parameters
from jwstwatch.core.site import Keyword, PageSettings, SiteView, WaitingPlan, add_up
from jwstwatch.disk.markers import marker_path
from jwstwatch.errors import CancelledError, ContentError
from jwstwatch.files import locked, write_if_changed
from jwstwatch.store.roots import RootRecord
from jwstwatch.store.sites import DuePage, UnreadFile, thumbnail_path
from jwstwatch.sync import roots
from jwstwatch.sync.context import Context
from jwstwatch.sync.listing import Subject

THUMBNAIL_THREADS = 2
LOCK_GLANCE = 0.5
"""Seconds between two tries to get the lock of a root's pages."""

_GOES_ON = "The next run writes them."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Style:
    """How the page of one proposal is made, from every profile that contributes to it."""

    settings: PageSettings
    thumbnails: bool
    width: int | None
    height: int | None
    overwrite: bool
    waiting: tuple[WaitingPlan, ...] = ()
    """What the page says of files that wait for a yes: a page that says otherwise is due."""

    @property
    def digest(self) -> str:
        text = json.dumps([repr(self), __version__], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def publish(context: Context, subject: Subject) -> int:
    """Write the pages of the run's root that are due; returns how many files were written."""
    root = subject.root
    styles = _styles(context, subject)
    if not styles:
        return 0
    while True:
        roots.require_there(root)
        with locked(marker_path(root.path), wait=False) as mine:
            if mine:
                return _publish(context, root, styles)
        # Another process writes pages of this root.
        if context.stop.wait(LOCK_GLANCE):
            raise CancelledError("stopped while another process wrote pages", hint=_GOES_ON)


def _publish(context: Context, root: RootRecord, styles: Mapping[int, _Style]) -> int:
    due = _due_pages(context, root, styles)
    if not due and (root.path / "index.html").is_file():
        return 0
    context.report.step("writing pages")
    keywords = _keywords(styles.values())
    _read_headers(context, root, due, keywords)
    _make_thumbnails(context, root, due, styles)
    return _write(context, root, due, styles)


def _styles(context: Context, subject: Subject) -> dict[int, _Style]:
    """Return the style of every proposal that some profile wants pages of."""
    waiting = context.store.sites.waiting(subject.root.id)
    known: dict[str, Parameters] = {name: profile.parameters for name, profile in context.profiles.items()}
    known.setdefault(subject.profile.name, subject.profile.parameters)
    styles = {}
    for proposal, names in context.store.sites.profiles(subject.root.id).items():
        wanting = [
            parameters for name, parameters in known.items() if name in names and parameters.makewebpages
        ]
        if wanting:
            styles[proposal] = replace(_unite(wanting), waiting=waiting.get(proposal, ()))
    return styles


def _unite(parameters: Sequence[Parameters]) -> _Style:
    """Unite differing column settings in configuration order; sizes are the first profile's."""
    first = parameters[0]
    settings = PageSettings(
        columns=_united(entry.webpage_cols4table for entry in parameters),
        thumbnails=_united(normalise_filetypes(_as_jpgs(entry.webpage_level12_jpgs)) for entry in parameters),
        keywords=_united(entry.webpage_fitskeys2table for entry in parameters),
        sort_by=first.webpage_sortcols,
        figure_width=first.webpage_tablefigsize_width or first.webpage_thumbnails_width,
        figure_height=first.webpage_tablefigsize_height,
    )
    return _Style(
        settings=settings,
        thumbnails=any(entry.webpage_mkthumbnails for entry in parameters),
        width=first.webpage_thumbnails_width,
        height=first.webpage_thumbnails_height,
        overwrite=any(entry.webpage_thumbnails_overwrite for entry in parameters),
    )


def _as_jpgs(words: Sequence[str]) -> list[str]:
    """Both spellings work: `uncal` and `_uncal.jpg`."""
    return [word if "." in word else f"{word}.jpg" for word in words]


def _united(lists: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for words in lists for word in words))


def _due_pages(context: Context, root: RootRecord, styles: Mapping[int, _Style]) -> list[DuePage]:
    due = []
    for proposal, (page, changed, digest) in context.store.sites.pages(root.id).items():
        if proposal not in styles:
            continue
        if changed or not _has_page(root, proposal) or digest != styles[proposal].digest:
            due.append(page)
    return due


def _keywords(styles: Collection[_Style]) -> frozenset[str]:
    from jwstwatch.imaging.headers import STANDARD_KEYWORDS

    wanted = set(STANDARD_KEYWORDS)
    for style in styles:
        wanted.update(style.settings.keywords)
    return frozenset(wanted)


def _read_headers(
    context: Context, root: RootRecord, due: Sequence[DuePage], keywords: frozenset[str]
) -> None:
    """Read the keywords of copies that are new since their page was written, once per revision."""
    from jwstwatch.imaging.headers import read_keywords

    names = hashlib.sha256(" ".join(sorted(keywords)).encode()).hexdigest()
    unread = context.store.sites.unread_headers(root.id, [page.proposal for page in due], names=names)
    read: list[tuple[UnreadFile, Mapping[str, Keyword]]] = []
    for entry in unread:
        if context.stop.is_set():
            raise CancelledError("stopped while headers were read for the pages", hint=_GOES_ON)
        try:
            read.append((entry, read_keywords(root.path / entry.path, keywords)))
        except (ContentError, OSError) as error:
            context.report.warned(f"the header of {entry.path} cannot be read: {error}")
    context.store.sites.keep_headers(read, names=names)


def _make_thumbnails(
    context: Context, root: RootRecord, due: Sequence[DuePage], styles: Mapping[int, _Style]
) -> None:
    wanted: dict[UnreadFile, tuple[str, _Style]] = {}
    for page in due:
        style = styles[page.proposal]
        if not style.thumbnails:
            continue
        mark = f"{style.width}x{style.height}"
        for entry, made in context.store.sites.jpegs(root.id, [page.proposal]):
            fresh = made == f"{entry.revision}:{mark}" and (root.path / thumbnail_path(entry.path)).is_file()
            if _is_shown(entry.path, style) and (style.overwrite or not fresh):
                wanted[entry] = (f"{entry.revision}:{mark}", style)
    with ThreadPoolExecutor(THUMBNAIL_THREADS, thread_name_prefix="thumbnail") as pool:
        make = logs.carried(lambda item: _make_thumbnail(context, root.path, *item))
        marks = pool.map(make, wanted.items())
        context.store.sites.keep_thumbnails(dict(marks))


def _is_shown(path: str, style: _Style) -> bool:
    """Thumbnails are made of the jpgs that the columns name, and of level-3 products for their section."""
    name = path.rpartition("/")[2]
    return bool(matching_filetype(name, style.settings.thumbnails)) or "-" in name.partition("_")[0]


def _make_thumbnail(
    context: Context, root: Path, entry: UnreadFile, wanted: tuple[str, _Style]
) -> tuple[int, str | None]:
    from jwstwatch.imaging.thumbnails import make_thumbnail

    mark, style = wanted
    try:
        make_thumbnail(
            root / entry.path, root / thumbnail_path(entry.path), width=style.width, height=style.height
        )
    except (ContentError, OSError) as error:
        context.report.warned(f"no thumbnail of {entry.path}: {error}")
        return entry.file_id, None
    return entry.file_id, mark


def _write(context: Context, root: RootRecord, due: Sequence[DuePage], styles: Mapping[int, _Style]) -> int:
    from jwstwatch.pages.publishing import publish as publish_site

    sites = context.store.sites
    index = tuple(
        line for line in sites.index(root.id) if line.proposal in styles or _has_page(root, line.proposal)
    )
    waiting = add_up(plan for plans in sites.waiting(root.id).values() for plan in plans)
    written = 0
    for page in due:
        style = styles[page.proposal]
        view = sites.proposal(root.id, page.proposal, style.settings, now=context.now())
        view = replace(view, waiting=style.waiting)
        index = tuple(view.summary if line.proposal == page.proposal else line for line in index)
        site = SiteView(root=root.path, proposals=(view,), index=index, waiting=waiting)
        written += _write_product_table(context, root, page.proposal)
        written += len(publish_site(site).written)
        sites.mark_written(root.id, {page: style.digest}, missing=view.summary.missing)
    if not due:
        site = SiteView(root=root.path, proposals=(), index=index, waiting=waiting)
        written += len(publish_site(site).written)
    return written


def _has_page(root: RootRecord, proposal: int) -> bool:
    """A page that a one-off query left stays in the index, although no profile keeps it up any more."""
    return (root.path / proposal_folder(proposal) / "index.html").is_file()


def _write_product_table(context: Context, root: RootRecord, proposal: int) -> bool:
    """Write `<PPPPP>/<PPPPP>.products.txt`, the table of jwst_mast_query's pages."""
    from jwstwatch.tables import build, write
    from jwstwatch.tables.columns import LocalFile

    shelf = context.store.sites.shelf(root.id, proposal)
    local = {
        uri: LocalFile(str(path), *_DOWNLOAD_CODES.get(state, (0, "")))
        for uri, (path, state) in shelf.local.items()
    }
    columns = Parameters().outcolumns_productTable
    rows = build.product_rows(
        shelf.products, shelf.observations, local, columns=columns, sort_by=("obs_id", "productFilename")
    )
    folder = proposal_folder(proposal)
    path = root.path / folder / f"{folder}.products.txt"
    return write_if_changed(path, write.to_text(rows, columns).encode())


_DOWNLOAD_CODES = {
    FileState.PRESENT: (2, "exists"),
    FileState.STALE: (2, "exists"),
    FileState.GONE: (2, "exists"),
    FileState.FAILED: (7, "ERRORdownload"),
}
"""`dl_code` and `dl_str` of jwst_mast_query for what the state knows."""
