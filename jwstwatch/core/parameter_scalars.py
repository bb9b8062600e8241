"""The plain kinds of values: true or false, numbers, words, names and folders."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from jwstwatch.core.parameter_kinds import Plain, ScalarKind

_TRUE = frozenset({"true", "yes", "on", "y", "1"})
_FALSE = frozenset({"false", "no", "off", "n", "0"})


class Boolean(ScalarKind[bool]):
    """True or false."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        return "true or false"

    @property
    def placeholder(self) -> str:
        return "True|False"

    def read_text(self, text: str) -> bool:
        word = text.lower()
        if word not in _TRUE | _FALSE:
            raise self.refusal(text)
        return word in _TRUE

    def write(self, value: bool) -> Plain:
        return value


@dataclass(frozen=True, slots=True)
class Integer(ScalarKind[int]):
    """A whole number; leading zeros mean nothing (no octal)."""

    lowest: int
    highest: int
    name: str = "a whole number"
    placeholder_word: str = "N"

    @property
    def allowed(self) -> str:
        return f"{self.name} from {self.lowest} to {self.highest}"

    @property
    def placeholder(self) -> str:
        return self.placeholder_word

    def read_text(self, text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,15}", text) or not self.lowest <= int(text) <= self.highest:
            raise self.refusal(text)
        return int(text)

    def write(self, value: int) -> Plain:
        return value


@dataclass(frozen=True, slots=True)
class Number(ScalarKind[float]):
    """A decimal number."""

    lowest: float
    highest: float
    name: str = "a number"
    placeholder_word: str = "X"

    @property
    def allowed(self) -> str:
        return f"{self.name} from {self.lowest:g} to {self.highest:g}"

    @property
    def placeholder(self) -> str:
        return self.placeholder_word

    def read_text(self, text: str) -> float:
        if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", text):
            raise self.refusal(text)
        if not self.lowest <= float(text) <= self.highest:
            raise self.refusal(text)
        return float(text)

    def write(self, value: float) -> Plain:
        return int(value) if value.is_integer() else value


@dataclass(frozen=True, slots=True)
class Word(ScalarKind[str]):
    """One printable word without blanks or commas."""

    name: str
    lower: bool = False
    placeholder_word: str = "WORD"

    @property
    def allowed(self) -> str:
        return self.name

    @property
    def placeholder(self) -> str:
        return self.placeholder_word

    def read_text(self, text: str) -> str:
        word = text.lower() if self.lower else text
        if not word or not word.isprintable() or re.search(r"[\s,]", word):
            raise self.refusal(text)
        return word

    def write(self, value: str) -> Plain:
        return value


def _components_stay_below(text: str) -> bool:
    return not text.startswith("/") and not any(part in ("", ".", "..") for part in text.split("/"))


@dataclass(frozen=True, slots=True)
class RelativeName(ScalarKind[str]):
    """A name below the output folder: no leading `/`, no `..`; one component where `single`."""

    single: bool = False

    @property
    def allowed(self) -> str:
        return "a file name without a folder" if self.single else "a folder below outrootdir"

    @property
    def placeholder(self) -> str:
        return "NAME" if self.single else "FOLDER"

    def read_text(self, text: str) -> str:
        name = text if self.single else text.rstrip("/")
        if not name.isprintable() or len(name.encode(errors="replace")) > 200:
            raise self.refusal(text)
        if not _components_stay_below(name) or (self.single and "/" in name):
            raise self.refusal(text)
        if self.single and name.lower() in ("true", "false"):
            raise self.refusal(text, "write the name itself")
        return name

    def write(self, value: str) -> Plain:
        return value


class Folder(ScalarKind[Path]):
    """A folder, absolute or relative to the file it is written in."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        return "a folder"

    @property
    def placeholder(self) -> str:
        return "FOLDER"

    def read_text(self, text: str) -> Path:
        if not text or not text.isprintable():
            raise self.refusal(text)
        return Path(text)

    def write(self, value: Path) -> Plain:
        return str(value)


class File(ScalarKind[Path]):
    """A file, absolute or relative to the file it is written in."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        return "the path of a file"

    @property
    def placeholder(self) -> str:
        return "FILE"

    def read_text(self, text: str) -> Path:
        if not text.isprintable() or text.rpartition("/")[2] in ("", ".", "..", "~"):
            raise self.refusal(text)
        return Path(text)

    def write(self, value: Path) -> Plain:
        return str(value)


@dataclass(frozen=True, slots=True)
class Choice(ScalarKind[str]):
    """One of a few words, in lower case."""

    words: tuple[str, ...]

    @property
    def allowed(self) -> str:
        return f"one of {', '.join(self.words[:-1])} and {self.words[-1]}"

    @property
    def placeholder(self) -> str:
        return "|".join(self.words)

    def read_text(self, text: str) -> str:
        if text.lower() not in self.words:
            raise self.refusal(text)
        return text.lower()

    def write(self, value: str) -> Plain:
        return value
