"""What stands below an output folder and is no file of the state: foreign files, links, leftovers."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jwstwatch.core.layout import PAGES_FOLDER, PICTURES, thumbnail_name
from jwstwatch.core.planning import DiskKind
from jwstwatch.disk.walking import Walked, in_folder, walk
from jwstwatch.pages.addresses import OWN_NAMES
from jwstwatch.pages.rendering import ASSETS_FOLDER, GENERATOR
from jwstwatch.store.bulk import chunks
from jwstwatch.store.roots import RootRecord
from jwstwatch.store.store import Store
from jwstwatch.sync.summing import SUMS
from jwstwatch.transfer import aside

_PARTIAL = re.compile(r"\.(?P<name>.+)\.(?P<revision>[0-9]+)\.part(\.json)?", re.DOTALL)
_TEMPORARY = re.compile(r"\..+\.tmp", re.DOTALL)
_PAGE = re.compile(r"([0-9]{5,}/)?index\.html")
_OWN = re.compile(
    rf"{re.escape(ASSETS_FOLDER)}/[^/]+|feed\.(xml|json)|{SUMS}"
    r"|(?P<folder>[0-9]{5,})/(?P=folder)\.(products\.txt|exposures\.csv)"
    rf"|[0-9]{{5,}}/{PAGES_FOLDER}/({OWN_NAMES.pattern}|(obs[0-9]{{3,}}|several)\.products\.txt)"
    rf"|[0-9]{{5,}}/{PAGES_FOLDER}/previews/[^/]+\.QL(\.TN)?\.jpg"
    r"|[^/]+\.(selprod|obs|summary)\.(txt|csv|ecsv)"
)
"""What this program writes beside the archive's files: of the pages, their tables, `savetables`, the sums."""
_THUMBNAIL = ".TN.jpg"
_SNIFFED = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """Something below `root` that the state does not know; size in bytes."""

    root: Path
    path: str
    size: int

    @property
    def full(self) -> Path:
        """Where it stands."""
        return self.root / self.path


@dataclass(slots=True)
class Strangers:
    """What was found; nothing of it is ever touched."""

    foreign: list[Stranger] = field(default_factory=list)
    """Files that nobody selected or fetched."""
    links: list[Stranger] = field(default_factory=list)
    """Links to files, or to nothing."""
    leftovers: list[Stranger] = field(default_factory=list)
    """Partial and temporary files that nothing needs any more."""
    unreadable: list[str] = field(default_factory=list)
    """Folders that could not be looked into."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Where to look: below a root, or only directly in some of its `folders`.

    In the folders that `beside` has, no other names than those can be strange.
    """

    root: RootRecord
    folders: Collection[str] | None = None
    beside: Mapping[str, Collection[str]] = field(default_factory=dict)


def search(store: Store, where: Search, *, stop: threading.Event, found: Strangers) -> None:
    """Add to `found` what is strange where it is looked for."""
    root, unreadable = where.root, found.unreadable.append
    if where.folders is None:
        seen = walk(root.path, unreadable=unreadable, hidden=True, enter=(aside.FOLDER,), only=where.beside)
    else:
        seen = (
            each
            for folder in sorted(where.folders)
            for each in in_folder(root.path, folder, unreadable=unreadable, names=where.beside.get(folder))
        )
    inner = [
        other.path
        for other in store.roots.all()
        if other.path != root.path and other.path.is_relative_to(root.path)
    ]
    for some in chunks(_outside(seen, root.path, inner)):
        if stop.is_set():
            return
        _sort_out(store, root, some, found)


def _outside(seen: Iterable[Walked], root: Path, inner: Sequence[Path]) -> Iterator[Walked]:
    """Leave out what lies in an output folder of its own."""
    prefixes = tuple(f"{path.relative_to(root)}/" for path in inner)
    return (each for each in seen if not (prefixes and each.path.startswith(prefixes)))


def _sort_out(store: Store, root: RootRecord, seen: Sequence[Walked], found: Strangers) -> None:
    hidden = [each for each in seen if each.name.startswith(".")]
    plain = [each for each in seen if not each.name.startswith(".")]
    known = store.inventory.known_paths(root.id, [each.path for each in plain])
    found.links += [_stranger(root, each) for each in plain if each.kind is DiskKind.LINK]
    rest = [each for each in plain if each.kind is not DiskKind.LINK and each.path not in known]
    thumbnails = _thumbnails(store, root, rest)
    foreign = [
        each
        for each in rest
        if each.path not in thumbnails and not _is_own(root.path, each) and _is_there(root, each)
    ]
    elsewhere = _known_elsewhere(store, root, foreign)
    found.foreign += [_stranger(root, each) for each in foreign if each.path not in elsewhere]
    found.leftovers += [_stranger(root, each) for each in _leftovers(store, root, hidden)]


def _stranger(root: RootRecord, each: Walked) -> Stranger:
    return Stranger(root=root.path, path=each.path, size=each.size)


def _is_there(root: RootRecord, each: Walked) -> bool:
    """A run may have moved it since it was seen."""
    return os.path.lexists(root.path / each.path)


def _is_own(root: Path, each: Walked) -> bool:
    if _OWN.fullmatch(each.path):
        return True
    if not _PAGE.fullmatch(each.path):
        return False
    try:
        with (root / each.path).open("rb") as stream:
            return GENERATOR.encode() in stream.read(_SNIFFED)
    except OSError:
        return False


def _thumbnails(store: Store, root: RootRecord, seen: Sequence[Walked]) -> set[str]:
    """Return the paths of the thumbnails of known previews."""
    previews: dict[str, str] = {}
    for each in seen:
        if each.name.endswith(_THUMBNAIL):
            stem = each.path.removesuffix(_THUMBNAIL)
            previews.update({stem + ending: each.path for ending in PICTURES})
    known = store.inventory.known_paths(root.id, list(previews))
    return {
        thumbnail
        for preview, thumbnail in previews.items()
        if preview in known and thumbnail_name(preview) == thumbnail
    }


def _known_elsewhere(store: Store, root: RootRecord, seen: Sequence[Walked]) -> set[str]:
    """Return the paths of files that the state knows by another path: a linked folder, another root."""
    places = store.inventory.places_of({each.name for each in seen})
    identities = {_identity(other / path) for other, path in places}
    return {each.path for each in seen if _identity(root.path / each.path) in identities - {None}}


def _identity(path: Path) -> tuple[int, int, str] | None:
    """Return what two paths have in common if they are one: the folder itself, whatever it is called."""
    try:
        status = path.parent.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, path.name


def _leftovers(store: Store, root: RootRecord, hidden: Sequence[Walked]) -> Iterator[Walked]:
    partials: dict[str, tuple[str, str]] = {}
    for each in hidden:
        match = _PARTIAL.fullmatch(each.name)
        if match is not None:
            folder, slash, _ = each.path.rpartition("/")
            partials[each.path] = (folder + slash + match["name"], match["revision"])
    expected = store.inventory.expected(root.id, {path for path, _ in partials.values()})
    for each in hidden:
        if each.path in partials:
            target, revision = partials[each.path]
            needed = str(expected.get(target)) == revision
        else:
            needed = not _TEMPORARY.fullmatch(each.name)
        # What was written while we looked has its own name by now.
        if not needed and _is_there(root, each):
            yield each
