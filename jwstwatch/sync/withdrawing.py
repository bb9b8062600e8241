"""What the archive lists no longer is gone, unless that is so much at once that it looks like a fault."""

from __future__ import annotations

from jwstwatch.archive.batching import product_batches
from jwstwatch.core import products
from jwstwatch.core.amounts import files_text
from jwstwatch.core.model import Trigger
from jwstwatch.store.withdrawals import Withdrawn
from jwstwatch.sync import rules
from jwstwatch.sync.context import Context
from jwstwatch.sync.listing import Heard, Subject

SHARE = 20
"""One file in so many (5 %) may be gone in one run unasked; one file always."""
SPREAD = 10
"""So many may be missing besides, in lists that nothing confirms yet: a fault that lasts shows bit by bit."""


def judge(context: Context, subject: Subject, heard: Heard) -> None:
    """Mark as gone what whole lists, twice and a day apart, lack; too much of it is told and left alone.

    What a newer one took the place of does not count, and is gone in any case.
    """
    if heard.answer is not None and heard.answer.from_floor:
        _ask_elsewhere(context, subject)
    store, name, now = context.store, subject.profile.name, context.now()
    found = store.withdrawals.withdrawn(name)
    held = is_too_much(found) and not subject.options.accept_gone
    gone = store.withdrawals.mark_gone(name, run_id=subject.run.id, now=now, superseded_only=held)
    if gone:
        context.report.step(f"{files_text(len(gone))} no longer listed; copies are kept")
    cause = f"gone {name}"
    if not held:
        store.notices.clear(cause, now=now)
        return
    text = _text(name, found)
    context.report.warned(text)
    if subject.run.trigger is not Trigger.ONE_OFF:
        store.notices.raise_(cause, kind="gone", profile=name, text=text, now=now)


def _ask_elsewhere(context: Context, subject: Subject) -> None:
    """Ask for lists that nobody asks for and that alone keep missing files from being gone.

    Their products are recorded, not planned: the profile's query does not find those observations.
    """
    store, name = context.store, subject.profile.name
    due = store.withdrawals.due_elsewhere(name, {*context.profiles, name}, now=context.now())
    limit = rules.batch_limit(subject.profile)
    for obsids, rows in product_batches(context.archive, due, limit=limit, stop=context.stop):
        concerned = {*obsids, *(row.obsid for row in rows)}
        listed = products.group(rows, store.listings.observations(concerned))
        store.listings.record_products(
            subject.run.id, listed, now=context.now(), parents=obsids, heard_at=subject.run.started_at
        )


def is_too_much(found: Withdrawn) -> bool:
    """Return whether so much is listed no longer that the archive is rather at fault."""
    now = found.confirmed > 1 and found.confirmed * SHARE > found.files
    spreading = found.confirmed + found.missing
    return now or (found.confirmed > 0 and spreading > SPREAD and spreading * SHARE > found.files)


def _text(name: str, found: Withdrawn) -> str:
    since = f"since {found.since:%Y-%m-%d} " if found.since else ""
    besides = f", and did not list {found.missing} more when it was asked last" if found.missing else ""
    return (
        f"{name}: {since}the archive no longer lists {found.confirmed} of {files_text(found.files)}{besides} "
        f"(such as {', '.join(found.examples)}). That is more than {100 // SHARE} % at once and may be a "
        "fault there, so nothing is marked and every copy stays as it is. If it is meant: "
        f"`jwstwatch run-now {name} --accept-gone`"
    )
