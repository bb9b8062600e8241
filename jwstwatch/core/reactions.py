"""How a profile reacts to reprocessed files: file type -> replace the older copy, or keep it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jwstwatch.core.filetypes import matching_filetype, normalise_filetypes


class Reaction(StrEnum):
    """What becomes of the copy of an older revision."""

    REPLACE = "replace"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Reactions:
    """`by_type` are words for file types as in `filetypes`, in order; the first that means a file counts.

    `others` is for what none of them means.
    """

    by_type: tuple[tuple[str, Reaction], ...] = ()
    others: Reaction = Reaction.REPLACE

    def of(self, filetype: str) -> Reaction:
        """Return the reaction for files of a type such as `_uncal.fits`."""
        for word, reaction in self.by_type:
            if matching_filetype(filetype, normalise_filetypes([word])) is not None:
                return reaction
        return self.others


REPLACE_ALL = Reactions()
