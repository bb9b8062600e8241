"""What is odd about the archive's answers, made known until it is over."""

from __future__ import annotations

from datetime import timedelta

from jwstwatch.core.model import Trigger
from jwstwatch.core.status import Answer, duration_text, is_oddly_empty
from jwstwatch.sync.context import Context
from jwstwatch.sync.listing import Heard, Subject

LOOK_BACK = 1000
"""Runs among which the last answer from the floor is looked for."""

SKEW = timedelta(minutes=5)
"""Of two clocks that differ by more, one is wrong."""


def note_answer(context: Context, subject: Subject, heard: Heard) -> None:
    """Tell of a query that finds nothing: of a new one now, of one that always found something for good."""
    if heard.answer is None:
        return
    if not heard.answer.found and heard.new_query:
        context.report.warned(_nothing_yet(heard))
    if subject.run.trigger is Trigger.ONE_OFF:
        return
    notices, name = context.store.notices, subject.profile.name
    cause = f"nothing found {name}"
    if heard.answer.found or heard.new_query:
        notices.clear(cause, now=context.now())
    elif is_oddly_empty(
        heard.answer, _earlier(context, subject), known=_known(context, subject, heard.answer)
    ):
        text = (
            f"{name}: the query always found observations and now finds none ({heard.question}). An "
            "instrument may have another name at MAST now: see `instrument` and `obsmode` in "
            "docs/configuration.md, and try `jwstwatch query` with fewer limits."
        )
        notices.raise_(cause, kind="profile", profile=name, text=text, now=context.now())
        context.report.warned(text)


def _nothing_yet(heard: Heard) -> str:
    if heard.planned:
        return f"no data yet: {heard.planned} planned observations match ({heard.question})"
    return f"nothing matches: {heard.question}"


def _earlier(context: Context, subject: Subject) -> list[Answer]:
    """Return the answers to the profile's earlier runs, newest first."""
    history = context.store.runs.history(profile=subject.profile.name, limit=LOOK_BACK)
    return [
        Answer(found=record.counts.found, from_floor=bool(record.counts.from_floor))
        for record in history
        if record.id != subject.run.id and record.counts.found is not None
    ]


def _known(context: Context, subject: Subject, answer: Answer) -> int:
    """Return how many observations an answer from the floor must name: none where it is not from there."""
    if not answer.from_floor:
        return 0
    return context.store.listings.count_observations(subject.profile.name, executed=True)


def note_clock(context: Context) -> None:
    """Tell of a clock that differs from the archive's by more than five minutes."""
    skew = context.archive.clock_skew
    if skew is None:
        return
    if abs(skew) <= SKEW:
        context.store.notices.clear("clock", now=context.now())
        return
    rounded = timedelta(minutes=round(abs(skew) / timedelta(minutes=1)))
    text = (
        f"this machine's clock is {duration_text(rounded)} {'behind' if skew > timedelta(0) else 'ahead of'} "
        "the archive's: set it (timedatectl), as schedules and releases go by it"
    )
    context.store.notices.raise_("clock", kind="clock", text=text, now=context.now())
    context.report.warned(text)
