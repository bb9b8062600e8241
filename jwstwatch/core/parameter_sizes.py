"""Kinds of values that count bytes: sizes, and rates of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jwstwatch.core.parameter_kinds import Plain, ScalarKind, ValueNotAllowedError, shown
from jwstwatch.core.parameter_units import BILLION, NUMBER, billionths

_BITS = {
    "B": 8, "kB": 8 * 10**3, "KB": 8 * 10**3,
    "MB": 8 * 10**6, "GB": 8 * 10**9, "TB": 8 * 10**12, "PB": 8 * 10**15,
    "KiB": 8 * 2**10, "MiB": 8 * 2**20, "GiB": 8 * 2**30, "TiB": 8 * 2**40, "PiB": 8 * 2**50,
    "kbit": 10**3, "Mbit": 10**6, "Gbit": 10**9,
}  # fmt: skip
_DECIMAL_UNITS = (("PB", 10**15), ("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3))
_AMOUNT = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)\s*([A-Za-z]+)")


def _read_bytes(text: str) -> int | None:
    """Return the number of bytes that a number and a unit stand for, or None if `text` is no such thing."""
    match = _AMOUNT.fullmatch(text)
    if match is None or match[2] not in _BITS:
        return None
    return billionths(match[1]) * _BITS[match[2]] // (8 * BILLION)


def _write_bytes(count: int) -> str:
    for unit, size in _DECIMAL_UNITS:
        if count % size == 0:
            return f"{count // size} {unit}"
    return f"{count} B"


class Rate(ScalarKind[int]):
    """Bytes per second, written with a unit: `40 MB/s`, `300 Mbit/s`."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        return "a rate of at least 1 kB/s such as 40 MB/s, 500 kB/s or 300 Mbit/s"

    @property
    def placeholder(self) -> str:
        return "RATE"

    def read_text(self, text: str) -> int:
        if NUMBER.fullmatch(text):
            raise ValueNotAllowedError(f"{shown(text)} has no unit: write {text} MB/s, for example")
        rate = _read_bytes(re.sub(r"(/s|ps)$", "", text))
        if rate is None or not 1000 <= rate <= 10**12:
            raise self.refusal(text)
        return rate

    def write(self, value: int) -> Plain:
        return f"{_write_bytes(value)}/s"


@dataclass(frozen=True, slots=True)
class Size(ScalarKind[int]):
    """Bytes, written with a unit: `500 GB`, `1.5 TB`; `least` bytes or more, and 0 needs no unit."""

    least: int = 1

    @property
    def allowed(self) -> str:
        return "a size such as 500 GB, 1.5 TB or 200 MiB" + ("" if self.least else ", or 0")

    @property
    def placeholder(self) -> str:
        return "SIZE"

    def read_text(self, text: str) -> int:
        number = NUMBER.fullmatch(text)
        if number and float(text) == 0:
            size: int | None = 0
        elif number:
            raise ValueNotAllowedError(f"{shown(text)} has no unit: write {text} GB, for example")
        else:
            size = None if text.endswith("bit") else _read_bytes(text)
        if size is None or not self.least <= size <= 10**18:
            raise self.refusal(text)
        return size

    def write(self, value: int) -> Plain:
        return _write_bytes(value) if value else "0"
