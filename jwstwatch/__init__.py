"""Keeps a local copy of the JWST data an instrument team cares about complete and current.

For Python programs and notebooks: `query` asks the archive, `local_files` lists what is on disk; what goes
wrong is an exception of `jwstwatch.errors`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jwstwatch.api import QueryResult, local_files, query

__version__ = "0.1.0"

__all__ = ["QueryResult", "__version__", "local_files", "query"]

_INTERFACE = frozenset({"QueryResult", "local_files", "query"})


def __getattr__(name: str) -> object:
    """Load the interface, and with it astropy and the rest, when it is asked for."""
    if name not in _INTERFACE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from jwstwatch import api

    value: object = getattr(api, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_INTERFACE})
