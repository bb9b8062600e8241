"""Read the headers that the pages show: once for each revision, several at a time, and keep their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor

from jwstwatch import logs
from jwstwatch.core.site import Keyword
from jwstwatch.errors import CancelledError, ContentError
from jwstwatch.store.bulk import chunks
from jwstwatch.store.headers import UnreadHeader
from jwstwatch.store.roots import RootRecord
from jwstwatch.sync.context import Context

THREADS = 4
"""On a network file system nearly all the time is waiting."""

_Read = tuple[UnreadHeader, Mapping[str, Keyword] | None]


def read_headers(
    context: Context, root: RootRecord, unread: Sequence[UnreadHeader], keywords: AbstractSet[str]
) -> None:
    """Read these headers and keep their values, some at a time; `CancelledError` where the run is to end.

    A header that is broken is told once, and noted; a file that cannot be opened is tried again next time.
    """

    def read(entry: UnreadHeader) -> list[_Read]:
        return [] if context.stop.is_set() else _read(context, root, entry, keywords)

    with ThreadPoolExecutor(THREADS, thread_name_prefix="header") as pool:
        for some in chunks(unread):
            found = [each for one in pool.map(logs.carried(read), some) for each in one]
            context.store.headers.keep(found, names=keywords)
            if context.stop.is_set():
                raise CancelledError(
                    "stopped while headers were read for the pages", hint="The next run writes them."
                )


def _read(context: Context, root: RootRecord, entry: UnreadHeader, keywords: AbstractSet[str]) -> list[_Read]:
    from jwstwatch.imaging.headers import read_keywords

    try:
        return [(entry, read_keywords(root.path / entry.path, keywords | entry.extras))]
    except ContentError as error:
        context.report.warned(f"the pages lack the keywords of {entry.path}: {error}")
        return [(entry, None)]
    except OSError as error:
        context.report.warned(f"the header of {entry.path} cannot be read: {error}")
        return []
