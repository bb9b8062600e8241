"""When the archive's ETag and Last-Modified are compared, and how far they are believed. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import islice

from jwstwatch.core.evidence import Fact

ETAG = "http.etag"
LAST_MODIFIED = "http.last_modified"
VALIDATORS = (ETAG, LAST_MODIFIED)

DAY = timedelta(days=1)
INTERVAL = timedelta(days=7)
"""What was asked for, or fetched, is left alone for as long."""
PAUSE = timedelta(minutes=10)
"""A run that follows the last sampling within it asks for nothing."""
FALSE_ALARMS = 3
"""So many, among the last `LAST_FEW` alarms, show that a validator says nothing about contents."""
LAST_FEW = 5
REST = timedelta(days=30)
"""For as long a validator is not believed after its false alarms."""
PATIENCE = timedelta(days=7)
"""For as long an alarm counts as open whose new content has not been fetched."""

_TICK = timedelta(microseconds=1)
_STRONG = re.compile(r'"[!#-~]*"')
_FACT = re.compile(r"(?:^|; )([a-z0-9_]+\.[a-z0-9_]+) was ")


def quota(limit: int, *, asked: int, since: timedelta, gap: timedelta) -> int:
    """Return how many files a run asks for, of `limit` a day.

    `asked` were asked for within the last day; `since` has passed since the last of them, `gap` since the
    last run. Each run bears the share of its gap, and at least one file once as much time has passed: no day
    has more than `limit`, and none has all at once.
    """
    if since < PAUSE:
        return 0
    return max(0, min(_share(limit, since), max(1, _share(limit, gap)), limit - asked))


def _share(limit: int, passed: timedelta) -> int:
    return limit * (max(timedelta(0), min(passed, DAY)) // _TICK) // (DAY // _TICK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What of an answer is evidence: `facts` may be kept, `contradicted` names those that differ."""

    facts: Mapping[str, str]
    contradicted: frozenset[str]


NOTHING = Comparison(facts={}, contradicted=frozenset())


def compare(then: Mapping[str, Fact], now: Mapping[str, str], *, trusted: Collection[str]) -> Comparison:
    """Compare the validators stated for a content `then` with those stated `now`; only `trusted` ones count.

    Only a strong ETag and a Last-Modified that is a date are evidence, and where a strong ETag is the same so
    is the content, whatever the date. What was not stated then is kept beside something that was.
    """
    usable = {fact: value for fact, value in now.items() if fact in trusted and _is_evidence(fact, value)}
    compared = {
        fact: str(then[fact]) if _same(fact, str(then[fact]), value) else value
        for fact, value in usable.items()
        if fact in then and _is_evidence(fact, str(then[fact]))
    }
    differs = frozenset(fact for fact, value in compared.items() if value != then[fact])
    if LAST_MODIFIED in differs and compared.get(ETAG, "") == then.get(ETAG):
        del compared[LAST_MODIFIED]
        differs -= {LAST_MODIFIED}
    if not compared:
        return NOTHING
    appeared = {fact: value for fact, value in usable.items() if fact not in then}
    return Comparison(facts=compared | appeared, contradicted=differs)


def _is_evidence(fact: str, value: str) -> bool:
    if fact == ETAG:
        return _STRONG.fullmatch(value) is not None
    return _read_date(value) is not None


def _same(fact: str, then: str, now: str) -> bool:
    return then == now or (fact == LAST_MODIFIED and _read_date(then) == _read_date(now))


def _read_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A revision that was raised at `at` because `validators`, and nothing else, differed.

    `false`: what was fetched then was the same content; None while that is not known.
    """

    validators: frozenset[str]
    at: datetime
    false: bool | None


def accusers(why: str) -> frozenset[str]:
    """Return the validators that made a revision end for the reason `why`, none where others did too."""
    facts = frozenset(_FACT.findall(why))
    return facts if facts <= frozenset(VALIDATORS) else frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How far a validator is believed: `most` alarms in one run (None: any number), `until` when not."""

    most: int | None
    until: datetime | None = None


def trust(alarms: Iterable[Alarm], validator: str, *, now: datetime) -> Trust:
    """Judge a validator by its `alarms`, newest first.

    Until one came true without a false one beside it, as many are open at a time as may be false.
    """
    raised = [alarm for alarm in alarms if validator in alarm.validators]
    settled = list(islice((alarm for alarm in raised if alarm.false is not None), LAST_FEW))
    false = [alarm for alarm in settled if alarm.false]
    if len(false) >= FALSE_ALARMS and now < false[0].at + REST:
        return Trust(most=0, until=false[0].at + REST)
    if settled and not false:
        return Trust(most=None)
    still_open = sum(alarm.false is None and now < alarm.at + PATIENCE for alarm in raised)
    return Trust(most=max(0, max(1, FALSE_ALARMS - len(false)) - still_open))
