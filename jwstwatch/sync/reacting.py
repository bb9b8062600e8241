"""What becomes of copies that the archive has reprocessed, as the profile's configuration says now."""

from __future__ import annotations

from jwstwatch.core.reactions import REPLACE_ALL, Reaction
from jwstwatch.sync.context import Context
from jwstwatch.sync.listing import Subject


def arrange(context: Context, subject: Subject) -> None:
    """Keep of the older revisions that are there those that `on_reprocessed` says; the others are replaced.

    It needs no answer of the archive, so a changed configuration holds at the next run. With `clobber`
    everything is replaced: somebody asked for it.
    """
    store, name, parameters = context.store.reactions, subject.profile.name, subject.profile.parameters
    reactions = REPLACE_ALL if parameters.clobber else parameters.on_reprocessed
    found = store.outdated(name)
    for keeps in (True, False):
        changed = [
            lot.filetype
            for lot in found
            if lot.keeps is not keeps and (reactions.of(lot.filetype) is Reaction.KEEP) is keeps
        ]
        if changed:
            store.keep(name, changed, keeps=keeps)


def put_off(context: Context, subject: Subject) -> int:
    """Return how many files wait for the day's budget, which is no shortcoming of the run."""
    if subject.profile.parameters.reprocess_budget is None:
        return 0
    return context.store.reactions.put_off(subject.profile.name)
