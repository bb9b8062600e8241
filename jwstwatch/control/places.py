"""Where the daemon listens, and where a command looks for the daemon of its state."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote

NAME = "control.sock"
SYSTEM_FOLDER = Path("/run/jwstwatch")
"""What `RuntimeDirectory=jwstwatch` of the service makes."""


def identity(state_url: str) -> str:
    """Return what tells one state from another, without a password or an option of its URL.

    An SQLite state is one file, however many links lead to it.
    """
    file = _state_file(state_url)
    if file is not None:
        return hashlib.sha256(os.fsencode(f"sqlite:{file}")).hexdigest()[:16]
    shown = re.sub(r"(://[^:@/]*):.*@", r"\1@", state_url.partition("?")[0])
    return hashlib.sha256(shown.encode()).hexdigest()[:16]


def listening_place(environ: Mapping[str, str]) -> Path:
    """Return the socket that a daemon opens: systemd's runtime folder for it, else the user's own."""
    given = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return (Path(given) if given.startswith("/") else _user_folder(environ)) / NAME


def another_place(place: Path, state_url: str) -> Path:
    """Return the socket of a daemon that finds `place` taken by the daemon of another state."""
    return place.with_name(f"control-{identity(state_url)}.sock")


def asking_places(environ: Mapping[str, str], state_url: str) -> list[Path]:
    """Return where the daemon of this state may listen, the likeliest first."""
    places = list(_named_in_lock(state_url))
    for folder in (environ.get("RUNTIME_DIRECTORY", "").partition(":")[0], *_folders(environ)):
        if folder:
            place = Path(folder) / NAME
            places += [place, another_place(place, state_url)]
    return list(dict.fromkeys(places))


def _folders(environ: Mapping[str, str]) -> Iterator[str]:
    yield str(SYSTEM_FOLDER)
    own = _user_folder(environ)
    with contextlib.suppress(OSError):
        if own.stat().st_uid == os.getuid():  # among temporary files anybody could have made it
            yield str(own)


def _user_folder(environ: Mapping[str, str]) -> Path:
    """Return the user's runtime folder; where the system made none, one of our own among temporary files."""
    given = environ.get("XDG_RUNTIME_DIR", "")
    if given.startswith("/"):
        return Path(given) / "jwstwatch"
    user = os.getuid()
    usual = Path(f"/run/user/{user}")
    if usual.is_dir() and os.access(usual, os.W_OK):
        return usual / "jwstwatch"
    return Path(tempfile.gettempdir()) / f"jwstwatch-{user}"


def _named_in_lock(state_url: str) -> Iterator[Path]:
    """The daemon of an SQLite state leaves its socket's path in the state's lock file."""
    file = _state_file(state_url)
    if file is None:
        return
    try:
        content = json.loads(Path(f"{file}.daemon.lock").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    named = content.get("socket") if isinstance(content, dict) else None
    if isinstance(named, str) and named.startswith("/"):
        yield Path(named)


def _state_file(state_url: str) -> str | None:
    """Return the file of an SQLite state, itself and not a link to it, as `store.locks` knows it."""
    match = re.fullmatch(r"sqlite(?:\+\w+)?:///([^?]+)(?:\?.*)?", state_url)
    return None if match is None else os.path.realpath(unquote(match[1]))
