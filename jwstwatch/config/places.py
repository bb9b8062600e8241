"""Where the configuration and the state are looked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from jwstwatch.config.values import absolute
from jwstwatch.core.parameter_kinds import ValueNotAllowedError

FILE_NAME: Final = "jwstwatch.yaml"
SYSTEM_FOLDER: Final = Path("/etc/jwstwatch")

CONFIG_VARIABLE: Final = "JWSTWATCH_CONFIG"
STATE_VARIABLE: Final = "JWSTWATCH_STATE"
SERVER_VARIABLE: Final = "JWSTWATCH_SERVER"
LEGACY_VARIABLE: Final = "JWST_QUERY_CFGFILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A path where a configuration file may be; `named` by the user, so that it must be there."""

    path: Path
    named: str = ""
    """The option or the variable that names it."""


def search_places(
    explicit: Path | None,
    *,
    environ: Mapping[str, str],
    folder: Path,
    system_folder: Path = SYSTEM_FOLDER,
    legacy_variable: bool = False,
) -> Iterator[Place]:
    """Return where to look, first place first; `legacy_variable` adds the one of jwst_mast_query."""
    if explicit is not None:
        yield Place(path=absolute(explicit, base=folder, environ=environ), named="--config")
    variable = environ.get(CONFIG_VARIABLE)
    old = environ.get(LEGACY_VARIABLE)
    if legacy_variable and old and explicit is None and not variable:
        yield Place(path=absolute(Path(old), base=folder, environ=environ), named=f"${LEGACY_VARIABLE}")
    if variable:
        yield Place(path=absolute(Path(variable), base=folder, environ=environ), named=f"${CONFIG_VARIABLE}")
    yield Place(path=folder / FILE_NAME)
    user_folder = _user_folder(environ, "XDG_CONFIG_HOME", ".config")
    if user_folder is not None:
        yield Place(path=user_folder / FILE_NAME)
    yield Place(path=system_folder / FILE_NAME)


def _user_folder(environ: Mapping[str, str], variable: str, usual: str) -> Path | None:
    """Return the user's folder of one kind; the variable counts only if it is absolute (XDG)."""
    configured = environ.get(variable, "")
    if configured.startswith("/"):
        return Path(configured, "jwstwatch")
    home = environ.get("HOME")
    return Path(home, usual, "jwstwatch") if home else None


def default_state_url(environ: Mapping[str, str], folder: Path) -> str:
    """Return the URL of the state in the user's state folder; without a home it is in the current folder."""
    state_folder = _user_folder(environ, "XDG_STATE_HOME", ".local/state") or folder
    return _sqlite_url(state_folder / "state.db")


def read_state_url(text: str, *, base: Path, environ: Mapping[str, str]) -> str:
    """Return the SQLAlchemy URL that `text` means; a path is an SQLite file, relative to `base`.

    Raises `ValueNotAllowedError`, which never repeats the text: a URL may hold a password.
    """
    if not text or not text.isprintable():
        raise ValueNotAllowedError("it must be an SQLAlchemy URL or the path of an SQLite file")
    if "://" not in text:
        if "?" in text or text.endswith("/"):
            raise ValueNotAllowedError("it must be the path of a file, without a question mark")
        return _sqlite_url(absolute(Path(text), base=base, environ=environ))
    match = re.fullmatch(r"(sqlite(?:\+\w+)?)://(?:/([^?]*))?(\?.*)?", text)
    if match is None:
        if not re.match(r"(?!sqlite)[a-z][a-z0-9]*(\+[a-z0-9]+)?://.", text):
            raise ValueNotAllowedError(
                "it must be an SQLAlchemy URL such as sqlite:////var/lib/jwstwatch/state.db "
                "or postgresql://user@host/name"
            )
        return text
    scheme, database, query = match[1], unquote(match[2] or ""), match[3] or ""
    if not database or database == ":memory:" or database.startswith("file:"):
        raise ValueNotAllowedError("it must name a file: a state in memory forgets everything")
    if not database.isprintable():
        raise ValueNotAllowedError("it must not hold a control character")
    path = absolute(Path(database), base=base, environ=environ)
    return f"{_sqlite_url(path, scheme=scheme)}{query}"


def _sqlite_url(path: Path, *, scheme: str = "sqlite") -> str:
    # Whoever reads the URL takes % for the beginning of an escape, and ? for the end of the path.
    literal = str(path).replace("%", "%25").replace("?", "%3F")
    return f"{scheme}:///{literal}"


def mask_password(url: str) -> str:
    """Return a database URL as it may be shown: without its password and its query."""
    without_query = url.partition("?")[0]
    return re.sub(r"(://[^:@/]*):.*@", r"\1:***@", without_query)
