"""Kinds of values that may hold a secret and that no message quotes: URLs, commands, token files."""

from __future__ import annotations

import re
from pathlib import Path

from jwstwatch.core.parameter_addresses import web_address
from jwstwatch.core.parameter_kinds import (
    Kind,
    Plain,
    ScalarKind,
    Unset,
    Value,
    ValueNotAllowedError,
    Written,
)
from jwstwatch.core.parameter_scalars import File

_LONGEST = 4096
"""Letters that a URL may have."""


class _Unrepeated(ScalarKind[Value]):
    """A kind whose written values may hold a secret, so that no message quotes them."""

    __slots__ = ()

    def refusal(self, written: Written, because: str = "") -> ValueNotAllowedError:  # noqa: ARG002
        return ValueNotAllowedError(_unrepeated("it", self.allowed, because))


def _unrepeated(which: str, allowed: str, because: str = "") -> str:
    reason = f": {because}" if because else ""
    return f"{which} is not {allowed}{reason} (it may hold a secret and is not repeated here)"


class WebAddress(_Unrepeated[str]):
    """An http or https URL that is asked for as it is; whoever knows it may be able to use it."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        return "an http or https URL"

    @property
    def placeholder(self) -> str:
        return "URL"

    def read_text(self, text: str) -> str:
        try:
            web_address(text)
        except ValueError:
            raise self.refusal(text) from None
        if not re.fullmatch(r"[!-~]+", text) or len(text) > _LONGEST:
            raise self.refusal(text)
        return text

    def write(self, value: str) -> Plain:
        return value


class MessageAddress(_Unrepeated[str]):
    """A URL as apprise takes it: a scheme that names the service, then all that the service needs."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        return "an apprise URL such as mailto://..."

    @property
    def placeholder(self) -> str:
        return "URL"

    def read_text(self, text: str) -> str:
        known = re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://\S+", text)
        if known is None or not text.isprintable() or len(text) > _LONGEST:
            raise self.refusal(text)
        return text

    def write(self, value: str) -> Plain:
        return value


class MessageAddresses(Kind[tuple[str, ...]]):
    """One or several apprise URLs; in a text blanks separate them, commas belong to them."""

    __slots__ = ()
    many = True

    @property
    def allowed(self) -> str:
        return f"{_MESSAGE_ADDRESS.allowed}, or a list of such"

    @property
    def placeholder(self) -> str:
        return _MESSAGE_ADDRESS.placeholder

    @property
    def empty(self) -> tuple[str, ...] | Unset:
        return ()

    def read(self, written: Written) -> tuple[str, ...]:
        parts = written if isinstance(written, list) else [written]
        addresses: list[str] = []
        for number, part in enumerate(parts, start=1):
            try:
                words = part.split() if isinstance(part, str) else []
                addresses += [_MESSAGE_ADDRESS.read_text(word) for word in words or [""]]
            except ValueNotAllowedError:
                which = f"number {number}" if len(parts) > 1 else "it"
                raise ValueNotAllowedError(_unrepeated(which, _MESSAGE_ADDRESS.allowed)) from None
        return tuple(dict.fromkeys(addresses))

    def write(self, value: tuple[str, ...]) -> Plain:
        return list(value)


_MESSAGE_ADDRESS = MessageAddress()


class TokenFile(_Unrepeated[Path]):
    """The path of a file that holds a token; the token itself in its place is refused."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        return "the path of a file that holds a token"

    @property
    def placeholder(self) -> str:
        return "FILE"

    def read_text(self, text: str) -> Path:
        if re.fullmatch(r"[0-9A-Za-z_-]{32,}", text):
            raise self.refusal(text, "it looks like a token itself")
        try:
            return _FILE.read_text(text)
        except ValueNotAllowedError:
            raise self.refusal(text) from None

    def write(self, value: Path) -> Plain:
        return _FILE.write(value)


_FILE = File()


class CommandLine(_Unrepeated[str]):
    """A program and its arguments, quoted as in a shell; no shell stands between."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        return "a command line such as /usr/local/bin/reduce --quick"

    @property
    def placeholder(self) -> str:
        return "COMMAND"

    def read_text(self, text: str) -> str:
        import shlex

        if not text.isprintable():
            raise self.refusal(text, "write it on one line")
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise self.refusal(text, str(error).lower()) from None
        if not words or not words[0].strip():
            raise self.refusal(text, "it names no program")
        if words[0].startswith(("$", "~")):
            # A hook that can never start should be told now, not at night.
            raise self.refusal(text, "no shell replaces $NAME and ~: write the path, or sh -c '...'")
        return text

    def write(self, value: str) -> Plain:
        return value
