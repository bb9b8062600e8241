"""What the commands share that are told files by name: `drop`, `undrop`, `retry`, `prune`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jwstwatch.errors import JwstwatchError, UsageError

if TYPE_CHECKING:
    from jwstwatch.config import Settings
    from jwstwatch.store.choosing import Choice
    from jwstwatch.store.store import Store

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
NAMES_HELP = "a file name, a local path or a data URI"


def meant(names: Sequence[str]) -> list[str]:
    """Return the names as the state knows them: a path is absolute there, wherever it was typed."""
    return [_absolute(name) if "/" in name and not _URI.match(name) else name for name in names]


def _absolute(path: str) -> str:
    # Links stay what they are: the state has the path by which a file was put there.
    return os.path.abspath(path)  # noqa: PTH100


def require_profile(settings: Settings, store: Store, name: str) -> str:
    """Return the name of a profile that the configuration or the state knows, or raise `UsageError`."""
    from jwstwatch.config.documents import suggest

    if name in settings.profiles or store.profiles.knows(name):
        return name
    known = dict.fromkeys((*settings.profiles, *store.profiles.names()))
    raise UsageError(
        f"neither the configuration nor the state knows a profile {name!r}{suggest(name, tuple(known))}",
        hint=f"They know: {', '.join(known)}." if known else "No profile has run yet.",
    )


def document(choice: Choice) -> dict[str, object]:
    """Return a file as these commands tell it in JSON."""
    return {
        "path": str(choice.full),
        "name": choice.name,
        "uri": choice.uri,
        "state": choice.state.value,
        "size": choice.size,
    }


def failure(error: JwstwatchError | None) -> dict[str, object]:
    """Return what ended the command before its time, beside what it did until then."""
    return {"error": {"kind": error.kind, "message": error.message, "hint": error.hint}} if error else {}


def counted(count: int, noun: str) -> str:
    """Write a number of things: `1 file`, `1,234 files`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
