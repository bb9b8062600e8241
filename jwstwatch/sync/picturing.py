"""The small pictures of the pages: thumbnails of the archive's, and quick-looks of FITS files without any."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from jwstwatch import logs
from jwstwatch.core.filetypes import matching_filetype
from jwstwatch.core.layout import former_quicklook_name, preview_folder, quicklook_name, thumbnail_name
from jwstwatch.core.pictures import PictureMark, read_mark
from jwstwatch.errors import ContentError
from jwstwatch.files import write_remakable
from jwstwatch.store.parts import Copy
from jwstwatch.sync.context import Context

THREADS = min(4, os.cpu_count() or 1)
"""Decoding, averaging and encoding let other threads go on, so that these do what processes would."""

_PICTURES = (".jpg", ".jpeg", ".png")
_SPECTRAL = ("calints", "i2d", "s2d", "s3d", "x1d", "x1dints", "c1d")
"""Stages of exposures that are shown whatever webpage_level12_jpgs names, unless that is empty."""
_LEVEL_3 = (*_SPECTRAL, "cal", "crf", "crfints", "psfsub", "segm")


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureStyle:
    """Which pictures are made, and how large thumbnails are (pixels; a missing side follows the other)."""

    wanted: bool
    """webpage_mkthumbnails."""
    shown: tuple[str, ...]
    """webpage_level12_jpgs, normalised: `_rate.jpg`."""
    width: int | None
    height: int | None
    overwrite: bool
    again: bool = field(default=False, repr=False)
    """Somebody asked for them anew this once: no page is written in another style for that."""

    @property
    def size(self) -> str:
        """The size as marks have it."""
        return f"{self.width}x{self.height}"


def make_pictures(
    context: Context, root: Path, jobs: Sequence[Copy], *, proposal: int | None, style: PictureStyle
) -> dict[int, str | None]:
    """Make the thumbnails and quick-looks that a part's copies lack; returns the marks that changed.

    `jobs` are all copies of the part: a FITS file gets a quick-look unless its jpg or png is among them. A
    mark says what the picture was made from; None, that there is none any more. What cannot be read is a
    warning. Once `context.stop` is set the rest is left out: keep what is returned, then end.
    """
    if not style.wanted:
        return {}
    easel = _Easel(root=root, previews=preview_folder(proposal), style=style)
    pictured = {_stem(job.name) for job in jobs if _is_picture(job.name)}
    copies: dict[str, list[Copy]] = defaultdict(list)
    marks: dict[int, str | None] = {}
    for job in jobs:
        if not _is_shown(job.name, style.shown):
            continue
        if _is_picture(job.name) or _stem(job.name) not in pictured:
            copies[easel.thumbnail(job)].append(job)
        elif job.made is not None:
            easel.remove(job)
            marks[job.file_id] = None
    tasks = [same for same in copies.values() if not easel.is_fresh(same)]
    if not tasks:
        return marks
    make = logs.carried(partial(_make, context, easel))
    with ThreadPoolExecutor(THREADS, thread_name_prefix="picture") as pool:
        for made in pool.map(make, tasks):
            marks |= made
    return marks


def _make(context: Context, easel: _Easel, same: Sequence[Copy]) -> Mapping[int, str | None]:
    """Make the one picture of copies that share it."""
    if context.stop.is_set():
        return {}
    try:
        return easel.make(same)
    except (ContentError, OSError) as error:
        context.report.warned(f"no picture of {same[0].path}: {error}")
        return {job.file_id: None for job in same if job.made is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Easel:
    """Where the pictures of one proposal are made, and in which style."""

    root: Path
    previews: str
    """The folder of quick-looks, relative to the root."""
    style: PictureStyle

    def thumbnail(self, job: Copy) -> str:
        """Return the path of a copy's thumbnail, relative to the root."""
        if _is_picture(job.name):
            folder, slash, name = job.path.rpartition("/")
            return folder + slash + thumbnail_name(name)
        return f"{self.previews}/{thumbnail_name(quicklook_name(job.name))}"

    def quicklook(self, job: Copy) -> Path:
        return self.root / self.previews / quicklook_name(job.name)

    def mark(self, job: Copy) -> PictureMark:
        """Return the mark of a picture made now; the predecessor kept is that of the mark before."""
        from jwstwatch.imaging.quicklook import LOOKS

        if _is_picture(job.name):
            return PictureMark(revision=job.revision, size=self.style.size)
        before = read_mark(job.made)
        former = before.former if before else None
        return PictureMark(revision=job.revision, size=self.style.size, looks=LOOKS, former=former)

    def is_fresh(self, same: Sequence[Copy]) -> bool:
        """Tell whether nothing is to be made; a picture that a power failure left empty is made again."""
        return (
            not (self.style.overwrite or self.style.again)
            and all(job.made == str(self.mark(job)) for job in same)
            and _is_there(self.root / self.thumbnail(same[0]))
            and (_is_picture(same[0].name) or _is_there(self.quicklook(same[0])))
        )

    def make(self, same: Sequence[Copy]) -> dict[int, str | None]:
        """Make the picture of the newest of several copies; returns the marks of all."""
        from jwstwatch.imaging.thumbnails import make_thumbnail

        newest = max(same, key=_newness)
        mark = self.mark(newest)
        source = self.root / newest.path
        if mark.is_quicklook:
            mark = self._draw(newest, mark)
            source = self.quicklook(newest)
        target = self.root / self.thumbnail(newest)
        make_thumbnail(source, target, width=self.style.width, height=self.style.height)
        return {job.file_id: str(replace(mark, revision=job.revision)) for job in same}

    def _draw(self, job: Copy, mark: PictureMark) -> PictureMark:
        """Draw a quick-look, unless only the size of its thumbnail changed; returns its mark."""
        from jwstwatch.imaging.quicklook import draw_quicklook

        target, before = self.quicklook(job), read_mark(job.made)
        if before and replace(before, size=mark.size) == mark and _is_there(target):
            return mark
        content = draw_quicklook(self.root / job.path)
        if before and before.revision != job.revision:
            mark = replace(mark, former=self._put_aside(job, before))
        write_remakable(target, content)
        return mark

    def _put_aside(self, job: Copy, before: PictureMark) -> int | None:
        """Keep the quick-look of the former revision, and none older; returns the revision that is kept."""
        folder = self.root / self.previews
        kept = folder / former_quicklook_name(job.name, before.revision)
        # It is there already where a run was killed before the mark was kept: then the other is the new one.
        if not kept.exists():
            with suppress(FileNotFoundError):
                os.replace(self.quicklook(job), kept)
        if before.former is not None and before.former != before.revision:
            (folder / former_quicklook_name(job.name, before.former)).unlink(missing_ok=True)
        return before.revision if kept.exists() else None

    def remove(self, job: Copy) -> None:
        """Remove the quick-look of a file whose own picture has come, and its predecessor."""
        mark = read_mark(job.made)
        if mark is None or not mark.is_quicklook:
            return
        for path in (self.root / self.thumbnail(job), self.quicklook(job)):
            path.unlink(missing_ok=True)
        if mark.former is not None:
            former = former_quicklook_name(job.name, mark.former)
            (self.root / self.previews / former).unlink(missing_ok=True)


def _is_shown(name: str, shown: tuple[str, ...]) -> bool:
    """Tell whether a file has a picture on the pages: the stages that they show, and level-3 products."""
    plain = name.lower()
    stem = _stem(plain)
    picture = _is_picture(plain)
    if not picture and not plain.endswith(".fits"):
        return False
    stage = stem.rpartition("_")[2]
    if "-" in plain.partition("_")[0]:
        return picture or stage in _LEVEL_3
    named = any(matching_filetype(stem + ending, shown) for ending in _PICTURES)
    return named or (bool(shown) and stage in _SPECTRAL)


def _newness(job: Copy) -> tuple[int, int]:
    """Order copies; of one revision, that comes last whose picture is of the revision already."""
    mark = read_mark(job.made)
    return job.revision, mark.revision if mark else 0


def _is_picture(name: str) -> bool:
    return name.lower().endswith(_PICTURES)


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _is_there(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False
