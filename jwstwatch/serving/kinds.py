"""The headers that go with a file: its type, how long it may be kept, and what browsers may do with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from jwstwatch.serving.confining import PAGE

PLAIN: Final = "text/plain; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
STYLE: Final = "text/css; charset=utf-8"

SECURITY: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # The pages' data are scripts, which any other page in the same browser could load and read.
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Sent with every answer: what the pages say themselves, and what only a server can say."""

ASK_AGAIN: Final = "no-cache"
KEEP: Final = "private, max-age=31536000, immutable"

_TYPES: Final[Mapping[str, str]] = {
    "csv": "text/csv; charset=utf-8",
    "ecsv": PLAIN,
    "fits": "application/fits",
    "gz": "application/gzip",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "png": "image/png",
    "txt": PLAIN,
    "pdf": "application/pdf",
}
_FEEDS: Final[Mapping[str, str]] = {
    "feed.json": "application/feed+json",
    "feed.xml": "application/atom+xml",
}
_OWN_TYPES: Final[Mapping[str, str]] = {
    "css": STYLE,
    "html": HTML,
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "xml": "application/xml",
}
_OWN_FOLDERS: Final = frozenset({"jwstwatch-assets", "jwstwatch-pages"})
_SOURCE: Final = frozenset({"css", "htm", "html", "js", "mjs", "svg", "xhtml", "xml"})


def type_of(parts: Sequence[str]) -> str:
    """Return the media type of the file at `parts` below a root.

    What a browser would carry out is that only where jwstwatch writes it: a file of the archive, or of
    somebody else, is text whatever it calls itself.
    """
    name = parts[-1]
    if len(parts) == 1 and name in _FEEDS:
        return _FEEDS[name]
    suffix = name.rpartition(".")[2].lower() if "." in name else ""
    if suffix in _OWN_TYPES and (name == PAGE or not _OWN_FOLDERS.isdisjoint(parts[:-1])):
        return _OWN_TYPES[suffix]
    if not suffix or suffix in _SOURCE:
        return PLAIN
    return _TYPES.get(suffix, "application/octet-stream")


def caching_of(query: str) -> str:
    """Return how long an answer may be kept: an address with a version (`?v=`) has one content for ever."""
    versioned = any(word.startswith("v=") and len(word) > len("v=") for word in query.split("&"))
    return KEEP if versioned else ASK_AGAIN
