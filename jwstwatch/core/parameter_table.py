"""What makes a table of parameters: groups, specifications as field metadata, and where a value came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from jwstwatch.core.parameter_kinds import Kind, Plain

Value = TypeVar("Value")


class Group(StrEnum):
    """What a parameter is about: a heading of the reference page and of the help."""

    WHAT = "what"
    WHEN = "when"
    WHERE = "where to"
    TABLES = "tables"
    PAGES = "pages"
    SCHEDULE = "schedule"
    ARCHIVE = "archive"
    SERVICE = "service"


class Layer(StrEnum):
    """Where an effective value was written; a later one wins over an earlier one."""

    BUILT_IN = "built-in"
    DEFAULTS = "defaults"
    PROFILE = "profile"
    FILE = "file"
    LEGACY = "legacy file"
    ENVIRONMENT = "environment"
    TYPED = "command line"


EXPLICIT_LAYERS: Final = frozenset({Layer.PROFILE, Layer.LEGACY, Layer.TYPED})
"""Layers in which a value was meant for this very query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where an effective value comes from; `line` counts from 1."""

    layer: Layer
    file: Path | None = None
    line: int | None = None
    name: str = ""
    """The option or the environment variable, where it was one."""

    def __str__(self) -> str:
        if self.file is not None:
            return f"{self.layer}, {self.file}:{self.line}" if self.line else f"{self.layer}, {self.file}"
        return f"{self.layer}, {self.name}" if self.name else str(self.layer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """Everything known about a parameter beside its value."""

    name: str
    kind: Kind[Any]
    default: object
    help: str
    group: Group
    legacy: bool
    """True where jwst_mast_query has it too."""
    one_off_only: str
    """Why a saved profile must not have it; empty where it may."""
    short: str | None
    """Its one-letter option, such as `-i`."""
    secret: bool
    """True where the value may hold a secret: it is shown nowhere but for a URL's scheme."""
    literal: bool
    """True where a dollar sign in a file is only a dollar sign."""

    def show(self, value: object) -> Plain:
        """Return a value as `config show` may tell it."""
        plain: Plain = self.kind.write(value)
        return _mask(plain) if self.secret else plain


def _mask(plain: Plain) -> Plain:
    if isinstance(plain, list):
        return [_mask(item) for item in plain]
    scheme, separator, _ = plain.partition("://") if isinstance(plain, str) else ("", "", "")
    return None if plain is None else f"{scheme}://***" if separator else "***"


_KEY = "jwstwatch"


def parameter(
    kind: Kind[Value],
    default: Value,
    text: str,
    *,
    group: Group,
    legacy: bool = True,
    one_off_only: str = "",
    short: str | None = None,
    secret: bool = False,
    literal: bool = False,
) -> Value:
    """Declare a field of a table of parameters: its kind, default and help sentence."""
    metadata = {
        "kind": kind,
        "help": text,
        "group": group,
        "legacy": legacy,
        "one_off_only": one_off_only,
        "short": short,
        "secret": secret,
        "literal": literal,
    }
    declared: Value = field(default=default, repr=not secret, metadata={_KEY: metadata})
    return declared


def specifications(table: type) -> Mapping[str, Specification]:
    """Return the specification of every parameter that the dataclass `table` declares, in order."""
    return MappingProxyType(
        {
            item.name: Specification(name=item.name, default=item.default, **item.metadata[_KEY])
            for item in fields(table)
            if _KEY in item.metadata
        }
    )
