"""A plan that is too large to be carried out unasked waits for a yes."""

from __future__ import annotations

from jwstwatch.core.amounts import files_text, size_text
from jwstwatch.core.model import Trigger
from jwstwatch.errors import PlanWaitsError
from jwstwatch.sync import reserving, weighing
from jwstwatch.sync.context import Context
from jwstwatch.sync.listing import Subject


def limit_of(subject: Subject) -> int | None:
    """Return the most bytes that a run fetches unasked; None for no limit.

    Whoever types a one-off download has said yes to it, unless the limit is typed too.
    """
    if subject.run.trigger is Trigger.ONE_OFF and not subject.profile.explicit("max_plan"):
        return None
    return subject.profile.parameters.max_plan


def require_yes(context: Context, subject: Subject) -> None:
    """Raise `PlanWaitsError` where more than the limit is to be fetched and nobody said yes to so much.

    A yes is kept until the plan is carried out, so that a run that was cut short goes on by schedule.
    """
    runs, notices, name = context.store.runs, context.store.notices, subject.profile.name
    cause = f"plan waits {name}"
    files, size = context.store.transfers.planned(
        subject.run.id, name, now=context.now(), force=subject.options.force
    )
    limit = limit_of(subject)
    wanted = bool(files)
    if limit is not None and size > limit:
        # What the day's budget puts off is not fetched by this run, so it needs no yes.
        files, size = weighing.within_budget(context, subject)
    if limit is not None and size > limit:
        if subject.options.yes:
            runs.approve(name, size)
        elif size > (runs.approved(name) or 0):
            error = _error(subject, files, size, limit)
            if subject.run.trigger is not Trigger.ONE_OFF:
                text = f"{name}: {error.message}: {error.hint}"
                notices.raise_(cause, kind="plan", profile=name, text=text, now=context.now())
            raise error
    if wanted:
        notices.clear(cause, now=context.now())
    else:
        reserving.forget(context, subject, cause)


def _error(subject: Subject, files: int, size: int, limit: int) -> PlanWaitsError:
    hint = f"`jwstwatch run-now {subject.profile.name} --yes` fetches them."
    if subject.run.trigger is Trigger.ONE_OFF:
        hint = "Raise max_plan, or leave it out."
    return PlanWaitsError(
        f"{files_text(files)}, {size_text(size)} wait for a yes (max_plan is {size_text(limit)})", hint=hint
    )


def forget_yes(context: Context, subject: Subject) -> None:
    """The plan is carried out: the next large one is asked about again."""
    if context.store.runs.approved(subject.profile.name) is not None:
        context.store.runs.approve(subject.profile.name, None)
