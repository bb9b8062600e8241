"""Notice same-sized new content where nothing else tells: ask for a few files' ETag and Last-Modified."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jwstwatch.core import sampling
from jwstwatch.core.model import Trigger
from jwstwatch.store.sampling import Candidate
from jwstwatch.sync.context import Context
from jwstwatch.sync.listing import Subject
from jwstwatch.transfer.job import TransferSettings
from jwstwatch.transfer.validators import Question, Stated, ask_all

log = logging.getLogger(__name__)

MOST_SECONDS = 300.0
"""That a run spends on it, however much may be asked."""
GROUP = 50
"""Answers that are recorded together."""

_MEMORY = sampling.REST + timedelta(days=30)
"""How far back alarms are looked for."""
_NAMES = {sampling.ETAG: "ETag", sampling.LAST_MODIFIED: "Last-Modified"}


def sample(context: Context, subject: Subject, *, authorised: bool) -> None:
    """Ask for this run's share of the profile's `sample` a day; a contradiction raises a revision.

    Neither silence nor a refusal nor an archive in trouble means anything here, and none ends the run.
    """
    now = context.now()
    quota = _quota(context, subject, now)
    if quota == 0 or context.stop.is_set():
        return
    allowed = _judge_validators(context, now)
    due = context.store.sampling.due(subject.profile.name, validators=allowed.keys(), limit=quota, now=now)
    if due:
        context.report.step("comparing what the archive states of files that are there")
        _ask(context, subject, due, allowed, authorised=authorised)


def _quota(context: Context, subject: Subject, now: datetime) -> int:
    limit, name = subject.profile.parameters.sample, subject.profile.name
    if limit == 0 or subject.run.trigger is Trigger.ONE_OFF:
        return 0
    asked = context.store.sampling.asked(name, now=now)
    if asked.last is None:
        return 0
    earlier = [run for run in context.store.runs.history(profile=name, limit=2) if run.id != subject.run.id]
    return sampling.quota(
        limit,
        asked=asked.count,
        since=now - asked.last,
        gap=now - earlier[0].started_at if earlier else timedelta(0),
    )


def _judge_validators(context: Context, now: datetime) -> dict[str, int | None]:
    """Return how many alarms of each validator are believed (None: any number), without those of none."""
    alarms = context.store.sampling.alarms(since=now - _MEMORY)
    allowed: dict[str, int | None] = {}
    for validator in sampling.VALIDATORS:
        trust = sampling.trust(alarms, validator, now=now)
        if trust.most != 0:
            allowed[validator] = trust.most
        cause = f"sampling {validator}"
        if trust.until is None:
            context.store.notices.clear(cause, now=now)
            continue
        text = (
            f"the archive's {_NAMES[validator]} changes although files do not: {sampling.FALSE_ALARMS} files "
            f"were fetched again for nothing. It is not compared before {trust.until:%Y-%m-%d}."
        )
        context.store.notices.raise_(cause, kind="sampling", text=text, now=now)
    return allowed


def _ask(
    context: Context,
    subject: Subject,
    due: Sequence[Candidate],
    allowed: dict[str, int | None],
    *,
    authorised: bool,
) -> None:
    known = {candidate.product_id: candidate for candidate in due}
    gathering = _Gathering(context, subject, allowed)
    answers = ask_all(
        [
            Question(key=entry.product_id, url=context.archive.download_url(entry.uri), name=entry.name)
            for entry in due
        ],
        settings=TransferSettings(
            connections=context.mast.connections,
            timeout=context.mast.timeout,
            bandwidth=context.mast.limit,
        ),
        token=context.token if authorised else None,
        stop=context.stop,
        budget=context.budget,
        seconds=MOST_SECONDS,
    )
    try:
        with contextlib.closing(answers):
            for answer in answers:
                if not gathering.add(known[answer.question.key], answer):
                    break
    finally:
        gathering.record()


@dataclass(slots=True)
class _Gathering:
    """Answers to be recorded together, and how many alarms of each validator are still believed."""

    context: Context
    subject: Subject
    allowed: dict[str, int | None]
    asked: list[int] = field(default_factory=list)
    heard: dict[int, dict[str, str]] = field(default_factory=dict)

    def add(self, candidate: Candidate, answer: Stated) -> bool:
        """Take an answer; False where it is an alarm too many: whether the others were true comes first."""
        if answer.failure is not None:
            log.info("%s; what it is now is not known", answer.failure.message)
        stated = {f"http.{name}": value for name, value in answer.evidence.items()}
        found = sampling.compare(candidate.facts, stated, trusted=self.allowed)
        if not self._believe(found.contradicted):
            return False
        self.asked.append(candidate.product_id)
        if any(candidate.facts.get(fact) != value for fact, value in found.facts.items()):
            self.heard[candidate.product_id] = dict(found.facts)
        if len(self.asked) >= GROUP:
            self.record()
        return True

    def _believe(self, accusers: frozenset[str]) -> bool:
        left = {validator: self.allowed[validator] for validator in accusers}
        if 0 in left.values():
            return False
        self.allowed.update(
            {validator: None if most is None else most - 1 for validator, most in left.items()}
        )
        return True

    def record(self) -> None:
        """Keep what was heard: what contradicts raises a revision, and its copies are fetched in this run."""
        now, store = self.context.now(), self.context.store
        asked, heard, self.asked, self.heard = self.asked, self.heard, [], {}
        if heard:
            revised = store.revisions.record_facts(self.subject.run.id, heard, now=now)
            if revised:
                log.info("%d files have another content now, as their validators tell", len(revised))
        if asked:
            store.sampling.note_asked(asked, now=now)
