"""What is to be seen of a file at a glance: its badge, and one line for its tooltip."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from jwstwatch.core.model import FileState
from jwstwatch.core.site import PageFile, Reprocessing
from jwstwatch.pages.formats import format_bytes, format_time

_MEANINGS = {
    FileState.STALE: "newer revision in the archive",
    FileState.GONE: "no longer in the archive",
}
"""What a state says where no reason is given."""

_WORST_FIRST = tuple(
    state.value
    for state in (
        FileState.FAILED,
        FileState.STALE,
        FileState.WANTED,
        FileState.WITHHELD,
        FileState.GONE,
        FileState.PRESENT,
    )
)


@dataclass(frozen=True, slots=True)
class Mark:
    """The class that the style sheet has for a file, and the word to be read; empty for one that is well."""

    style: str
    word: str


def mark(file: PageFile) -> Mark:
    """Return the badge of a file."""
    if file.damage is not None:
        return Mark(FileState.FAILED.value, "damaged")
    if file.state is not FileState.PRESENT:
        return Mark(file.state.value, file.state.value)
    return Mark(file.state.value, f"rev. {file.revision}" if file.revision > 1 else "")


def worst_style(files: Iterable[PageFile]) -> str:
    """Return the style of the file that most needs to be looked at; empty where there is none."""
    return min((mark(file).style for file in files), key=_WORST_FIRST.index, default="")


def is_plain(file: PageFile) -> bool:
    """Tell whether there is nothing to say of a file but that it is here."""
    return (
        file.state is FileState.PRESENT
        and file.revision == 1
        and file.damage is None
        and file.note is None
        and file.reprocessed is None
    )


def describe(file: PageFile) -> str:
    """Say in one line what there is to know of a file, for its tooltip; empty for a plain present one."""
    if is_plain(file):
        return ""
    facts = [file.state.value, format_bytes(file.size)]
    if file.revision > 1:
        facts.append(f"revision {file.revision}")
    facts += [format_time(file.changed_at), file.reason or _MEANINGS.get(file.state, ""), file.note or ""]
    if file.damage is not None and file.damage != file.reason:
        facts.append(f"damaged: {file.damage}")
    if file.reprocessed is not None:
        facts.append(_describe_reprocessing(file.reprocessed))
    return ", ".join(fact for fact in facts if fact)


def _describe_reprocessing(change: Reprocessing) -> str:
    """Say when a file was reprocessed, and with what; only what is stated, and what differs as a change."""
    facts = [f"reprocessed {format_time(change.at)}"]
    for name, (former, present) in (("pipeline", change.pipeline), ("context", change.context)):
        if former and present and former != present:
            facts.append(f"{name} {former} \N{RIGHTWARDS ARROW} {present}")
        elif present:
            facts.append(f"{name} {present}")
    return ", ".join(facts)
