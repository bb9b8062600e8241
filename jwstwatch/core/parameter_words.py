"""Kinds of values in the observatory's own words: proposals, instruments, detectors, ranges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from jwstwatch.core.instruments import INSTRUMENTS, normalise_detectors, normalise_instruments
from jwstwatch.core.parameter_kinds import (
    UNSET,
    Kind,
    Plain,
    ScalarKind,
    Several,
    Unset,
    Written,
    split_words,
)
from jwstwatch.core.parameter_scalars import Integer

PROPOSAL: Final = Integer(1, 99999, "a proposal number", "PROPOSAL")
OBSERVATION: Final = Integer(1, 999, "an observation number", "OBSNUM")
_OBSERVATIONS: Final = Several(OBSERVATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalChoice:
    """A proposal (APT programme) and the observation numbers wanted of it; none: all of them."""

    proposal: int
    obsnums: tuple[int, ...] = ()


def unite_choices(choices: Iterable[ProposalChoice]) -> tuple[ProposalChoice, ...]:
    """Make one choice of those for the same proposal; where one of them is all of it, so is the union."""
    found: dict[int, tuple[int, ...]] = {}
    for choice in choices:
        known = found.get(choice.proposal, choice.obsnums)
        whole = not known or not choice.obsnums
        found[choice.proposal] = () if whole else tuple(dict.fromkeys((*known, *choice.obsnums)))
    return tuple(ProposalChoice(proposal=proposal, obsnums=obsnums) for proposal, obsnums in found.items())


class Proposals(Kind[tuple[ProposalChoice, ...]]):
    """One proposal or several; in a file `1409`, `[1409, 1410]` or `{1409: [3, 103]}`."""

    __slots__ = ()
    many = True

    @property
    def allowed(self) -> str:
        return f"{PROPOSAL.allowed}, a list of such, or {{PROPOSAL: [OBSNUM, ...]}}"

    @property
    def placeholder(self) -> str:
        return "PROPOSAL"

    @property
    def empty(self) -> tuple[ProposalChoice, ...] | Unset:
        return ()

    def read(self, written: Written) -> tuple[ProposalChoice, ...]:
        parts = written if isinstance(written, list) else [written]
        return unite_choices(choice for part in parts for choice in self._read_part(part))

    def _read_part(self, part: Written) -> list[ProposalChoice]:
        if isinstance(part, dict):
            return [
                ProposalChoice(
                    proposal=PROPOSAL.read(proposal),
                    obsnums=() if obsnums is None else _OBSERVATIONS.read(obsnums),
                )
                for proposal, obsnums in part.items()
            ]
        if not isinstance(part, str):
            raise self.refusal(part)
        return [ProposalChoice(proposal=PROPOSAL.read_text(word)) for word in split_words(part)]

    def read_words(self, words: Sequence[str]) -> tuple[ProposalChoice, ...]:
        """Return the one choice of `--propID 1409 3 103`: a proposal, then its observations."""
        found = [word for part in words for word in split_words(part)]
        if not found:
            return ()
        obsnums = _OBSERVATIONS.read(list(found[1:]))
        return (ProposalChoice(proposal=PROPOSAL.read_text(found[0]), obsnums=obsnums),)

    def write(self, value: tuple[ProposalChoice, ...]) -> Plain:
        return [
            {str(choice.proposal): list(choice.obsnums)} if choice.obsnums else choice.proposal
            for choice in value
        ]


class Detector(ScalarKind[str]):
    """One detector in lower case, in full or in NIRCam's short form."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        return (
            "one of a1..a5, along, b1..b5, blong, nrs1, nrs2, nis, mirimage, mirifulong, mirifushort, "
            "guider1, guider2 (or nrca1 and so on)"
        )

    @property
    def placeholder(self) -> str:
        return "DETECTOR"

    def read_text(self, text: str) -> str:
        try:
            normalise_detectors([text])
        except ValueError:
            raise self.refusal(text) from None
        return text.strip().lower()

    def write(self, value: str) -> Plain:
        return value


class Instruments(Kind[tuple[str, ...]]):
    """One instrument, several, or all."""

    __slots__ = ()
    many = True

    @property
    def allowed(self) -> str:
        return f"one or several of {', '.join(INSTRUMENTS)}, or all"

    @property
    def placeholder(self) -> str:
        return "INSTRUMENT"

    @property
    def empty(self) -> tuple[str, ...] | Unset:
        return UNSET

    def read(self, written: Written) -> tuple[str, ...]:
        parts = written if isinstance(written, list) else [written]
        if not all(isinstance(part, str) for part in parts):
            raise self.refusal(written)
        try:
            names = normalise_instruments(word for part in parts for word in split_words(str(part)))
        except ValueError:
            raise self.refusal(written) from None
        if not names:
            raise self.refusal(written)
        return names

    def write(self, value: tuple[str, ...]) -> Plain:
        return list(value)


@dataclass(frozen=True, slots=True)
class Range(Kind[tuple[str, ...]]):
    """One value, a limit with `+` or `-`, or two values, perhaps in one text with a blank between them.

    `parse` refuses what is none of these with a ValueError.
    """

    allowed_phrase: str
    placeholder_word: str
    parse: Callable[[Sequence[str]], object]
    many = True

    @property
    def allowed(self) -> str:
        return self.allowed_phrase

    @property
    def placeholder(self) -> str:
        return self.placeholder_word

    @property
    def empty(self) -> tuple[str, ...] | Unset:
        return ()

    def read(self, written: Written) -> tuple[str, ...]:
        parts = written if isinstance(written, list) else [written]
        if not all(isinstance(part, str) for part in parts):
            raise self.refusal(written)
        values = tuple(value for part in parts if (value := " ".join(str(part).split())))
        try:
            self.parse(values)
        except (ValueError, OverflowError) as error:
            raise self.refusal(written, str(error)) from None
        return values

    def write(self, value: tuple[str, ...]) -> Plain:
        return list(value)
