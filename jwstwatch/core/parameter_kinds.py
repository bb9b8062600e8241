"""The kinds of values a parameter can have: how a written value becomes the typed one, and back.

A written value is what a person wrote, before anybody guessed its type: each YAML scalar as its text
(so that `01409` is still `01409`), an empty one as None, lists and mappings of those.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Generic, TypeAlias, TypeVar

Written: TypeAlias = "str | list[Written] | dict[str, Written] | None"
"""A value as it was written in a file or typed."""

Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"
"""A value as YAML and JSON can write it."""

Value = TypeVar("Value")
Item = TypeVar("Item")


class Unset(Enum):
    """The one value that says: as if the key had not been written."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET

_SHOWN_LENGTH = 60


def split_words(text: str) -> list[str]:
    """Return the words of `text`, which blanks or commas separate."""
    return [word for word in re.split(r"[\s,]+", text) if word]


class ValueNotAllowedError(ValueError):
    """A written value is not one of those that the kind allows; the message says which are."""


def shown(written: Written) -> str:
    """Return `written` as an error message quotes it, on one line and of bounded length."""
    text = repr(written) if not isinstance(written, list | dict) else _shown_collection(written)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[: _SHOWN_LENGTH - 3]}..."


def _shown_collection(written: list[Written] | dict[str, Written]) -> str:
    if isinstance(written, dict):
        return "a mapping with " + (", ".join(repr(key) for key in list(written)[:3]) or "no keys")
    words = (item if isinstance(item, str) else "..." for item in written[:6])
    return "[" + ", ".join(ascii(word)[1:-1] for word in words) + "]"


class Kind(ABC, Generic[Value]):
    """How a written value becomes a typed one; `allowed` says what may be written, as a noun phrase."""

    __slots__ = ()

    many: bool = False
    """True where one option takes several words."""

    @property
    @abstractmethod
    def allowed(self) -> str:
        """Return what may be written, to complete "'x' is not ...": `a whole number from 1 to 9`."""

    @property
    @abstractmethod
    def placeholder(self) -> str:
        """Return the word that stands for a value in the help of an option."""

    @property
    def empty(self) -> Value | Unset:
        """Return what an empty key means; `UNSET`: the same as leaving the key out."""
        return UNSET

    def take(self, written: Written) -> Value | Unset:
        """Return the typed value, or `UNSET` for an empty key that means nothing by itself."""
        if written in (None, "", "None"):
            return self.empty
        return self.read(written)

    @abstractmethod
    def read(self, written: Written) -> Value:
        """Return the typed value, or raise `ValueNotAllowedError`."""

    def read_words(self, words: Sequence[str]) -> Value:
        """Return the value of an option from the words typed after it."""
        if self.many:
            return self.read(list(words))
        value = self.take(words[-1])
        if isinstance(value, Unset):
            raise self.refusal(words[-1])
        return value

    @abstractmethod
    def write(self, value: Value) -> Plain:
        """Return `value` as YAML or JSON can write it; `read` gives it back."""

    def refusal(self, written: Written, because: str = "") -> ValueNotAllowedError:
        """Return the error that says `written` is not what is allowed."""
        reason = f": {because}" if because else ""
        return ValueNotAllowedError(f"{shown(written)} is not {self.allowed}{reason}")


class ScalarKind(Kind[Value]):
    """A kind of which a value is one word or line."""

    __slots__ = ()

    def read(self, written: Written) -> Value:
        """Return the typed value of one scalar."""
        if not isinstance(written, str):
            raise self.refusal(written)
        return self.read_text(written.strip())

    @abstractmethod
    def read_text(self, text: str) -> Value:
        """Return the typed value of `text`, or raise `ValueNotAllowedError`."""


@dataclass(frozen=True, slots=True)
class Maybe(Kind[Item | None]):
    """Another kind's value, or None: for an empty key, or where `inherited` only by other means."""

    kind: Kind[Item]
    inherited: bool = False
    """True where an empty key is the same as leaving it out."""

    @property
    def allowed(self) -> str:
        return self.kind.allowed if self.inherited else f"{self.kind.allowed}, or empty"

    @property
    def placeholder(self) -> str:
        return self.kind.placeholder

    @property
    def empty(self) -> Item | Unset | None:
        return UNSET if self.inherited else None

    def read(self, written: Written) -> Item | None:
        return self.kind.read(written)

    def write(self, value: Item | None) -> Plain:
        return None if value is None else self.kind.write(value)


@dataclass(frozen=True, slots=True)
class Several(Kind[tuple[Item, ...]]):
    """One value or a list of them; a text is split at blanks and commas.

    An empty key is an empty list, or the same as leaving the key out where `at_least_one` is needed.
    """

    item: ScalarKind[Item]
    at_least_one: bool = False
    many = True

    @property
    def allowed(self) -> str:
        return f"{self.item.allowed}, or a list of such"

    @property
    def placeholder(self) -> str:
        return self.item.placeholder

    @property
    def empty(self) -> tuple[Item, ...] | Unset:
        return UNSET if self.at_least_one else ()

    def read(self, written: Written) -> tuple[Item, ...]:
        items = tuple(dict.fromkeys(self.item.read_text(word) for word in self._words(written)))
        if self.at_least_one and not items:
            raise self.refusal(written, "name at least one")
        return items

    def _words(self, written: Written) -> list[str]:
        parts = written if isinstance(written, list) else [written]
        words: list[str] = []
        for part in parts:
            if not isinstance(part, str):
                raise self.refusal(written)
            words += split_words(part)
        return words

    def write(self, value: tuple[Item, ...]) -> Plain:
        return [self.item.write(item) for item in value]
