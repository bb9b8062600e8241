"""The kind of value that `priority` is made of."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jwstwatch.core.parameter_kinds import Plain, ScalarKind
from jwstwatch.core.planning import LEVELS, OTHERS

_WORD = re.compile(r"[a-z0-9_.\-]+")


@dataclass(frozen=True, slots=True)
class PriorityWord(ScalarKind[str]):
    """A file type as in `filetypes`, `level1` to `level4`, or `others`; in small letters."""

    @property
    def allowed(self) -> str:
        return f"a file type such as rate, {', '.join(LEVELS)} or {OTHERS}"

    @property
    def placeholder(self) -> str:
        return "TYPE"

    def read_text(self, text: str) -> str:
        word = text.lower()
        if not _WORD.fullmatch(word) or (word.startswith("level") and word not in LEVELS):
            raise self.refusal(text)
        return word

    def write(self, value: str) -> Plain:
        return value
