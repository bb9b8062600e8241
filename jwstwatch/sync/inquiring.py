"""Ask the file-keyword services what they state of the contents, now and then: a bonus, never a condition."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import accumulate

from jwstwatch.core.dates import to_mjd
from jwstwatch.core.evidence import Fact
from jwstwatch.core.keywords import (
    GUIDE_STARS,
    MARGIN,
    SERVICES,
    Inquiry,
    KeywordRow,
    Question,
    caught_up,
    question,
)
from jwstwatch.core.parameters import Parameters
from jwstwatch.errors import ArchiveError, ArchiveTimeoutError, AuthenticationError, RejectedQueryError
from jwstwatch.sync import rules
from jwstwatch.sync.context import Context
from jwstwatch.sync.listing import Subject

log = logging.getLogger(__name__)

ROWS_AT_ONCE = 20_000
"""Files, as far as known, that one question is about: memory follows it, and the archive's patience."""
MOST_AT_ONCE = 50
"""Proposals in one question."""
TROUBLES = 2
"""Services in a row without an answer after which the others are left alone, too."""
_FACTS_AT_ONCE = 2_000

_Due = Mapping[int, Inquiry | None]
"""What is known of earlier questions about each proposal that is to be asked about."""


def inquire(context: Context, subject: Subject) -> None:
    """Ask what is due and keep what is stated; files whose content changed by it are stale from now on.

    Whatever is wrong with a service is no error of the run; raises `CancelledError` upon a stop.
    """
    if context.mast.keywords == "never" or not _wants_fits(subject.profile.parameters):
        return
    due = _due(context, subject)
    if due:
        context.report.step("asking for file keywords")
    troubles = 0
    for service, asked in due.items():
        asking = _Asking(context, subject, service)
        if troubles == TROUBLES:
            asking.put_off(asked[Question.WHOLE] | asked[Question.RECENT])
        else:
            troubles = 0 if asking.ask(asked[Question.WHOLE], asked[Question.RECENT]) else troubles + 1


def _due(context: Context, subject: Subject) -> dict[str, Mapping[Question, dict[int, Inquiry | None]]]:
    """Return what each service is to be asked now; a service that has nothing to tell is left out."""
    store, profile, now = context.store.inquiries, subject.profile, context.now()
    instruments = store.instruments(profile.name)
    known = store.known(instruments)
    changes = store.changes(subject.run.id, profile.name, now=now, force=subject.options.force)
    due: dict[str, dict[Question, dict[int, Inquiry | None]]] = {}
    for proposal, names in instruments.items():
        for service in _services(names, profile.parameters):
            inquiry = known.get((service, proposal))
            what = question(
                inquiry,
                now=now,
                recheck=profile.parameters.recheck,
                changed_at=changes.get(proposal),
                full=subject.options.full,
            )
            if what is not None:
                due.setdefault(service, defaultdict(dict))[what][proposal] = inquiry
    return {service: due[service] for service in SERVICES if service in due}


def _wants_fits(parameters: Parameters) -> bool:
    endings = rules.selection_rules(parameters).filetypes
    return not endings or any(ending.endswith(".fits") for ending in endings)


def _services(instruments: Collection[str], parameters: Parameters) -> list[str]:
    services = [] if parameters.guidestar_data_only else [name for name in SERVICES if name in instruments]
    guided = parameters.guidestars or parameters.guidestar_data_only
    return [*services, GUIDE_STARS] if guided else services


class _Asking:
    """The questions of one run to one service."""

    def __init__(self, context: Context, subject: Subject, service: str) -> None:
        self._context, self._subject, self._service = context, subject, service
        self._left: set[int] = set()

    def ask(self, whole: _Due, recent: _Due) -> bool:
        """Ask about all proposals; returns whether the service answered. What it owes it owes for a day."""
        self._left = {*whole, *recent}
        try:
            self._ask_recent(recent)
            self._ask_about([*whole, *(number for number in recent if number in self._left)], since=None)
        except (ArchiveError, AuthenticationError) as error:
            log.info("file keywords of %s are asked for again in a day: %s", self._service, error.message)
            self.put_off(self._left)
            return False
        return True

    def put_off(self, proposals: Collection[int]) -> None:
        """Leave these proposals alone for a day."""
        store, now = self._context.store.inquiries, self._context.now()
        store.record_failed(self._service, proposals, now=now)

    def _ask_recent(self, recent: _Due) -> None:
        answers = [entry.answered_at for entry in recent.values() if entry and entry.answered_at]
        if not answers:
            return
        try:
            self._ask_about(list(recent), since=to_mjd(min(answers) - MARGIN))
        except RejectedQueryError as error:
            # Nobody has promised that such a limit works; what is left is asked without it.
            log.debug("file keywords of %s: %s", self._service, error.message)

    def _ask_about(self, proposals: Sequence[int], *, since: float | None) -> None:
        """Ask about the proposals, those with few files first, many at a time where that is answered.

        After a time-out one proposal is asked about alone: a service that is silent costs two time-outs only.
        """
        # A proposal alone is one question, however many files it has.
        expected = self._context.store.inquiries.count_files(proposals) if len(proposals) > 1 else {}
        waiting = sorted(proposals, key=lambda number: (expected.get(number, 0), number))
        size = most = MOST_AT_ONCE
        while waiting:
            counts = accumulate(expected.get(number, 0) for number in waiting[:size])
            batch = waiting[: max(1, sum(count <= ROWS_AT_ONCE for count in counts))]
            asked_at = self._context.now()
            try:
                rows = self._context.archive.keywords(self._service, batch, since)
            except ArchiveTimeoutError:
                if len(batch) == 1:
                    raise
                size, most = 1, len(batch) // 2
                continue
            self._take_in(batch, rows, whole=since is None, asked_at=asked_at)
            del waiting[: len(batch)]
            size = min(2 * size, most)

    def _take_in(
        self, batch: Sequence[int], rows: Sequence[KeywordRow], *, whole: bool, asked_at: datetime
    ) -> None:
        store, run = self._context.store, self._subject.run
        spoken_of: set[int] = set()
        revised = 0
        for start in range(0, len(rows), _FACTS_AT_ONCE):
            heard, wrong, proposals = self._match(rows[start : start + _FACTS_AT_ONCE])
            spoken_of |= proposals
            store.inquiries.forget_facts(wrong)
            revised += len(store.revisions.record_facts(run.id, heard, now=asked_at))
        # That nothing came in lately is an answer; that nothing is there is none.
        silent = {number for number in batch if whole and number not in spoken_of}
        store.inquiries.record_answered(self._service, {*batch} - silent, whole=whole, now=asked_at)
        store.inquiries.record_failed(self._service, silent, now=asked_at)
        self._left.difference_update(batch)
        if revised:
            log.info("file keywords of %s tell of %d files with another content", self._service, revised)

    def _match(self, rows: Sequence[KeywordRow]) -> tuple[dict[int, Mapping[str, Fact]], list[int], set[int]]:
        """Return what is new of known products, those of which the service had it wrong, their proposals."""
        known = self._context.store.inquiries.products([row.uri for row in rows])
        heard: dict[int, Mapping[str, Fact]] = {}
        wrong: list[int] = []
        proposals: set[int] = set()
        for row in rows:
            product, facts = known.get(row.uri), row.facts
            if product is None or not facts:
                continue
            if product.proposal is not None:
                proposals.add(product.proposal)
            if facts.items() <= product.facts.items():
                continue
            heard[product.id] = facts
            if caught_up(product.facts, row):
                wrong.append(product.id)
        return heard, wrong, proposals
