"""Ranges as users write them: `V` exact, `V+` from V on, `V-` up to V, two values from one to the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IntRange:
    """The whole numbers from `minimum` to `maximum`, both included; None is no limit."""

    minimum: int | None = None
    maximum: int | None = None

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int):
            return False
        above = self.minimum is None or self.minimum <= number
        return above and (self.maximum is None or number <= self.maximum)

    def __str__(self) -> str:
        return describe_limits(self.minimum, self.maximum)


def describe_limits(minimum: object, maximum: object) -> str:
    """Write two limits as a phrase: `3 to 7`, `3 or more`, `at most 7`, `3`."""
    if minimum is None and maximum is None:
        return "any"
    if maximum is None:
        return f"{minimum} or more"
    if minimum is None:
        return f"at most {maximum}"
    return f"{minimum}" if minimum == maximum else f"{minimum} to {maximum}"


def parse_int_range(values: Sequence[str | int]) -> IntRange | None:
    """Read `obsid_select`: one value, `V+`, `V-` or two values; None where there are none.

    Raises ValueError with a sentence for anything else.
    """
    words = [word for value in values for word in str(value).split()]
    if not words:
        return None
    low, high = split_limits(words)
    minimum, maximum = _whole(low), _whole(high)
    if minimum is not None and maximum is not None and minimum > maximum:
        raise ValueError(f"the range {' '.join(words)} ends before it begins")
    return IntRange(minimum, maximum)


def split_limits(words: Sequence[str]) -> tuple[str | None, str | None]:
    """Return the lower and the upper limit that one or two words with their `+` or `-` stand for.

    Raises ValueError where there are more words, or where their signs contradict each other.
    """
    if len(words) == 1:
        bare, sign = _without_sign(words[0])
        return (None if sign == "-" else bare), (None if sign == "+" else bare)
    if len(words) == 2:
        (low, first), (high, second) = _without_sign(words[0]), _without_sign(words[1])
        if first in ("", "+") and second in ("", "-"):
            return low, high
        raise ValueError(f"{' '.join(words)} is no range: write two values, or one with a + or - behind it")
    raise ValueError(f"{' '.join(words)} is no range: at most two values make one, these are {len(words)}")


def _without_sign(word: str) -> tuple[str, str]:
    return (word[:-1], word[-1]) if word.endswith(("+", "-")) else (word, "")


def _whole(word: str | None) -> int | None:
    if word is None:
        return None
    if not (word.isascii() and word.isdigit()):
        raise ValueError(f"{word!r} is no whole number")
    return int(word)
