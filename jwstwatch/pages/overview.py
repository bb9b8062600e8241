"""One line for each observation of a proposal: what was looked at, how, when, and what is here."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jwstwatch.core import naming
from jwstwatch.core.model import EXCLUSIVE, Observation
from jwstwatch.core.naming import ProductName
from jwstwatch.core.site import ProposalView
from jwstwatch.pages.bundles import Bundle, is_on_disk
from jwstwatch.pages.formats import format_mjd


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationLine:
    """An APT observation (or an association candidate of several); times as text, exposure in seconds."""

    label: str
    obsnum: int | None
    targets: tuple[str, ...]
    instruments: tuple[str, ...]
    filters: tuple[str, ...]
    start: str
    exposure_time: float | None
    exposures: int
    bytes_on_disk: int
    planned: bool
    exclusive_until: str
    """ISO date on which the data become public; empty for public data."""


@dataclass(frozen=True, slots=True)
class _Member:
    observation: Observation
    name: ProductName


def summarise(view: ProposalView, exposures: Sequence[Bundle]) -> list[ObservationLine]:
    """Return the lines in the order of the observation numbers, candidates last."""
    members: dict[tuple[int, str], list[_Member]] = defaultdict(list)
    for observation in view.observations:
        name = naming.parse_obs_id(observation.obs_id)
        members[_place(name.obsnum, name.candidate or observation.obs_id)].append(_Member(observation, name))
    rows: dict[tuple[int, str], list[Bundle]] = defaultdict(list)
    for exposure in exposures:
        rows[_place(exposure.obsnum, "")].append(exposure)
    sizes: Counter[int | None] = Counter()
    for file in view.files:
        sizes[file.obsnum] += file.size or 0 if is_on_disk(file) else 0
    places = sorted(members.keys() | rows.keys(), key=lambda place: (place[0] < 0, place))
    return [_summarise_one(place, members[place], rows[place], sizes[place[0]]) for place in places]


def _place(obsnum: int | None, otherwise: str) -> tuple[int, str]:
    return (-1, otherwise) if obsnum is None else (obsnum, "")


def _summarise_one(
    place: tuple[int, str], members: Sequence[_Member], rows: Sequence[Bundle], size: int
) -> ObservationLine:
    observations = [member.observation for member in members]
    taken = [observation for observation in observations if not observation.planned]
    starts = [observation.t_min for observation in taken if observation.t_min is not None]
    obsnum, candidate = place
    return ObservationLine(
        label=candidate or "?" if obsnum < 0 else str(obsnum),
        obsnum=None if obsnum < 0 else obsnum,
        targets=_unite(observation.target_name for observation in observations),
        instruments=_unite(observation.instrument_name for observation in observations),
        filters=_unite(observation.filters for observation in observations),
        start=format_mjd(min(starts)) if starts else "",
        exposure_time=_add_exposure_times(members),
        exposures=len(rows),
        bytes_on_disk=size,
        planned=bool(observations) and not taken and not rows,
        exclusive_until=_release_date(taken),
    )


def _unite(words: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({word for word in words if word}))


def _add_exposure_times(members: Sequence[_Member]) -> float | None:
    """Add up in seconds, each exposure once: its detectors, sources and products all state the same time.

    Exposures are counted by their names; where only level-3 rows are known, by their start and length.
    """
    named: dict[object, float] = {}
    others: dict[object, float] = {}
    for member in members:
        observation, name = member.observation, member.name
        if observation.t_exptime is None:
            continue
        if name.exposure is not None:
            key = (name.visit, name.visit_group, name.parallel, name.activity, name.exposure)
            named[key] = max(named.get(key, 0.0), observation.t_exptime)
        else:
            others[observation.t_min, observation.t_exptime] = observation.t_exptime
    times = named or others
    return sum(times.values()) if times else None


def _release_date(observations: Iterable[Observation]) -> str:
    releases = [
        observation.t_obs_release
        for observation in observations
        if observation.data_rights == EXCLUSIVE and observation.t_obs_release is not None
    ]
    return format_mjd(max(releases))[:10] if releases else ""
