"""From what a request names to a path below a root, and back."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]@/\s]+)(:[0-9]{0,5})?")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a request asks for: components of a path, none of them empty or leading upwards."""

    parts: tuple[str, ...]
    folder: bool
    """The path ends in a slash."""
    query: str = ""


def read_target(text: str) -> Target | None:
    """Return what the target of a request means; None where it is no path that could lead anywhere."""
    path, _, query = text.partition("#")[0].partition("?")
    if not path.startswith("/") or _BAD_ESCAPE.search(path):
        return None
    words = path[1:].split("/")
    folder = words[-1] == ""
    # As the operating system has names, whatever bytes they are made of.
    parts = tuple(os.fsdecode(unquote_to_bytes(word)) for word in (words[:-1] if folder else words))
    if any(part in ("", ".", "..") or "/" in part or "\0" in part for part in parts):
        return None
    return Target(parts=parts, folder=folder, query=query)


def write_target(parts: Sequence[str]) -> str:
    """Return the address of a folder on this server."""
    return "/" + "".join(f"{quote(os.fsencode(part), safe='')}/" for part in parts)


def is_loopback(host: str) -> bool:
    """Return whether an address or a host name means this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def names_us(header: str, *, bound: Collection[str]) -> bool:
    """Return whether a `Host` header names loopback, or one of the addresses that were `bound`.

    Another site may have its own name lead to this machine, and would then read what browsers here can read.
    The port is not looked at: a tunnel has its own.
    """
    match = _HOST.fullmatch(header.strip())
    if match is None:
        return False
    host = match[1].strip("[]").lower()
    return is_loopback(host) or host in bound
