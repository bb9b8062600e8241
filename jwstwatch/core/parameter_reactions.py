"""The kind of value that `on_reprocessed` has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from jwstwatch.core.filetypes import normalise_filetypes
from jwstwatch.core.parameter_kinds import Kind, Plain, ValueNotAllowedError, Written, shown, split_words
from jwstwatch.core.planning import LEVELS, OTHERS
from jwstwatch.core.reactions import Reaction, Reactions

_WORD: Final = re.compile(r"[a-z0-9_.\-]+")
_SIGN: Final = "="
_NOT_OTHERS: Final = ("other", "all", "rest")
"""Words that somebody may write for `others`; as file types they would mean no file."""


@dataclass(frozen=True, slots=True)
class ReactionChoice(Kind[Reactions]):
    """`replace` or `keep` for all files, or for each file type: words `TYPE=keep`, or a mapping of them."""

    many = True

    @property
    def allowed(self) -> str:
        return "replace or keep, or for file types: words such as uncal=keep, others=replace, or a mapping"

    @property
    def placeholder(self) -> str:
        return "[TYPE=]REACTION"

    def read(self, written: Written) -> Reactions:
        by_type: dict[str, Reaction] = {}
        meant: set[str] = set()
        for word, text in self._pairs(written):
            reaction = _reaction(text)
            plain = word.strip().lower()
            if plain != OTHERS and (not _WORD.fullmatch(plain) or plain in (*LEVELS, *_NOT_OTHERS)):
                raise ValueNotAllowedError(f"{shown(word)} is no file type such as uncal, nor {OTHERS}")
            name = OTHERS if plain == OTHERS else normalise_filetypes([plain])[0]
            if name in meant:
                raise ValueNotAllowedError(f"{shown(word)} is there twice")
            meant.add(name)
            by_type[plain] = reaction
        if not by_type:
            raise self.refusal(written)
        others = by_type.pop(OTHERS, Reaction.REPLACE)
        return Reactions(tuple(by_type.items()), others)

    def write(self, value: Reactions) -> Plain:
        if not value.by_type:
            return value.others.value
        words: list[Plain] = [f"{word}{_SIGN}{reaction}" for word, reaction in value.by_type]
        return words if value.others is Reaction.REPLACE else [*words, f"{OTHERS}{_SIGN}{value.others}"]

    def _pairs(self, written: Written) -> Iterator[tuple[str, Written]]:
        """Yield (file type, reaction) as written; a reaction alone is for all others."""
        if isinstance(written, dict):
            yield from written.items()
            return
        for part in written if isinstance(written, list) else [written]:
            if not isinstance(part, str):
                raise self.refusal(written)
            for word in split_words(part):
                before, sign, after = word.partition(_SIGN)
                yield (before, after) if sign else (OTHERS, word)


def _reaction(text: Written) -> Reaction:
    try:
        return Reaction(text.strip().lower() if isinstance(text, str) else "")
    except ValueError:
        raise ValueNotAllowedError(f"{shown(text)} is neither {' nor '.join(Reaction)}") from None
