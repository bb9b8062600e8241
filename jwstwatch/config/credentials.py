"""Tokens and passwords have no place in a configuration file: find them, and repeat none."""

from __future__ import annotations

from collections.abc import Mapping

from jwstwatch.config.documents import Node, Problems, join_path

_CREDENTIALS = frozenset(
    {
        "token",
        "login",
        "password",
        "passwd",
        "secret",
        "api_token",
        "auth_token",
        "mast_token",
        "mast_api_token",
    }
)


def is_credential(key: str) -> bool:
    """Return whether a key of this name would hold a token or a password."""
    return key.strip().lower().replace("-", "_") in _CREDENTIALS


def refuse_credentials(
    node: Node, problems: Problems, *, path: str = "", empty_allowed: bool = False
) -> None:
    """Note every token and password in a file, wherever it stands; its value is never repeated."""
    if isinstance(node.value, tuple):
        for number, item in enumerate(node.value, start=1):
            refuse_credentials(item, problems, path=f"{path}[{number}]", empty_allowed=empty_allowed)
    elif isinstance(node.value, Mapping):
        for key, entry in node.value.items():
            where = join_path(path, key)
            if not is_credential(key):
                refuse_credentials(entry, problems, path=where, empty_allowed=empty_allowed)
            elif not (empty_allowed and entry.value in (None, "")):
                problems.add(
                    entry.line,
                    where,
                    "credentials do not belong in a file that others may read: "
                    "use jwstwatch token set or $MAST_API_TOKEN",
                )
