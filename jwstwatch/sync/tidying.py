"""Quick-looks that no page shows any more go; nothing but what this program made is touched."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from jwstwatch.core import naming
from jwstwatch.core.layout import preview_folder, source_of
from jwstwatch.core.site import PageFile
from jwstwatch.errors import StorageError, UnsafePathError
from jwstwatch.store.roots import RootRecord
from jwstwatch.store.store import Store
from jwstwatch.sync import folders

log = logging.getLogger(__name__)


def pictures_of(files: Iterable[PageFile]) -> set[str]:
    """Return the names of the pictures that a page shows of these files."""
    shown: set[str] = set()
    for file in files:
        former = file.former_picture.path if file.former_picture else None
        shown.update(path.rpartition("/")[2] for path in (file.picture, file.thumbnail, former) if path)
    return shown


def remove_orphans(
    store: Store, root: RootRecord, proposal: int, shown: Mapping[int | None, AbstractSet[str]]
) -> int:
    """Remove the pictures below a proposal's previews that its pages do not show; returns how many went.

    `shown` has, by observation number, the names of the pictures that its part shows now. Parts that are not
    in it keep theirs. What cannot be removed stays until the next time, and is logged.
    """
    folder = preview_folder(proposal)
    try:
        with folders.opened(root.path, folder.split("/")) as handle:
            named = {name for names in shown.values() for name in names}
            left = [name for name in folders.names_in(handle) if name not in named]
            orphans = _of_these_parts(store, root, left, shown.keys())
            return folders.remove_plain_files(handle, orphans)
    except FileNotFoundError:
        return 0  # no picture was made yet
    except (OSError, UnsafePathError, StorageError) as error:
        log.warning("pictures that no page shows stay in %s: %s", root.path / folder, error)
        return 0


def _of_these_parts(
    store: Store, root: RootRecord, names: Iterable[str], obsnums: AbstractSet[int | None]
) -> list[str]:
    """Return the pictures whose file has left, or belongs to one of these observation numbers."""
    sources = {name: source for name in names if (source := source_of(name)) is not None}
    told = {source: naming.parse(source).obsnum for source in set(sources.values())}
    # A name that tells no observation number may still belong to one, as the state knows.
    asked = [source for source, obsnum in told.items() if obsnum is None or obsnum in obsnums]
    lying = store.inventory.lying(root.id, asked)
    leaving = {source for source in asked if source not in lying or lying[source] in obsnums}
    return [name for name, source in sources.items() if source in leaving]
