"""Kinds of values that name a host: the archive's server, and an address of this machine alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jwstwatch.core.parameter_kinds import Plain, ScalarKind, ValueNotAllowedError, shown

if TYPE_CHECKING:
    from urllib.parse import SplitResult


def web_address(text: str) -> SplitResult:
    """Return the parts of an http or https address with a host; raises `ValueError` for anything else."""
    from urllib.parse import urlsplit

    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("no web address")
    return parts


class Server(ScalarKind[str]):
    """The address of a server: http or https, a host, no credentials; kept without the slash at its end."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        return "an address such as https://mast.stsci.edu (http or https, no user, no query)"

    @property
    def placeholder(self) -> str:
        return "URL"

    def read_text(self, text: str) -> str:
        if "@" in text:
            # What stands before it may be a password.
            raise ValueNotAllowedError(f"it holds credentials, but must be {self.allowed}")
        try:
            parts = web_address(text)
        except ValueError:
            raise self.refusal(text) from None
        if parts.query or parts.fragment or not re.fullmatch(r"[!-~]+", text):
            raise self.refusal(text)
        return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"

    def write(self, value: str) -> Plain:
        return value


class Bucket(Server):
    """The address of a public bucket, with the bucket in its host or in its path."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        return "an address such as https://BUCKET.s3.amazonaws.com (http or https, no user, no query)"


class LoopbackAddress(ScalarKind[tuple[str, int]]):
    """A host of this machine alone and a port; a bare port is one of 127.0.0.1."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        return "HOST:PORT or a port from 1 to 65535, such as 127.0.0.1:9177, [::1]:9177 or 9177"

    @property
    def placeholder(self) -> str:
        return "HOST:PORT"

    def read_text(self, text: str) -> tuple[str, int]:
        match = re.fullmatch(r"(?:([^\s:\[\]]+|\[[0-9A-Fa-f:.]+\]):)?([0-9]{1,5})", text)
        if match is None or not 1 <= int(match[2]) <= 65535:
            raise self.refusal(text)
        host = _loopback_host((match[1] or "localhost").strip("[]").lower())
        if host is None:
            raise ValueNotAllowedError(
                f"{shown(text)} can be reached from other machines: only a loopback address "
                "(127.0.0.0/8, ::1, localhost) is allowed, since whoever reaches it is told everything"
            )
        return host, int(match[2])

    def write(self, value: tuple[str, int]) -> Plain:
        host, port = value
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _loopback_host(host: str) -> str | None:
    from ipaddress import IPv4Address, IPv6Address, ip_address

    if host == "localhost":
        # Not left to the machine's list of hosts, where it may be anything.
        return "127.0.0.1"
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return str(address) if address.is_loopback else None
    return str(address) if address == IPv6Address("::1") else None
