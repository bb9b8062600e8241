"""One line for each part of a proposal: what was looked at, how, when, and what is here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from jwstwatch.core import naming
from jwstwatch.core.model import EXCLUSIVE, Observation
from jwstwatch.core.site import PartLine, PartPicture, PartView, SectionSize
from jwstwatch.pages.bundles import Arrangement, Bundle, is_on_disk
from jwstwatch.pages.formats import format_mjd
from jwstwatch.pages.sections import choose_picture

SEVERAL = "several"
"""What the part is called that belongs to no single observation."""


def summarise(
    view: PartView, files: Arrangement, *, sections: Sequence[SectionSize], plain_pages: int
) -> PartLine:
    """Return what the page of the proposal says of a part."""
    observations = view.observations
    taken = [observation for observation in observations if not observation.planned]
    there = [file for file in view.files if is_on_disk(file)]
    arrivals = [file.changed_at for file in there if file.changed_at is not None]
    return PartLine(
        obsnum=view.obsnum,
        label=SEVERAL if view.obsnum is None else str(view.obsnum),
        targets=_unite(observation.target_name for observation in observations),
        instruments=_unite(observation.instrument_name for observation in observations),
        filters=_unite(observation.filters for observation in observations),
        detectors=_unite(exposure.name.detector for exposure in files.exposures),
        start=format_mjd(min(_moments(observation.t_min for observation in taken), default=None)),
        end=format_mjd(max(_moments(observation.t_max for observation in taken), default=None)),
        exposure_time=_add_exposure_times(observations),
        exposures=len(files.exposures),
        counts=Counter(file.state for file in view.files),
        bytes_on_disk=sum(file.size or 0 for file in there),
        planned=bool(observations) and not taken and not files.exposures,
        exclusive_until=_release_date(taken),
        sections=tuple(sections),
        plain_pages=plain_pages,
        gaps=view.gaps,
        picture=_choose_picture(files),
        last_arrival=max(arrivals, default=None),
    )


def _unite(words: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({word for word in words if word}))


def _moments(times: Iterable[float | None]) -> list[float]:
    return [time for time in times if time is not None and time == time]


def _add_exposure_times(observations: Iterable[Observation]) -> float | None:
    """Add up in seconds, each exposure once: its detectors, sources and products all state the same time.

    Exposures are counted by their names; where only level-3 rows are known, by their start and length.
    """
    named: dict[object, float] = {}
    others: dict[object, float] = {}
    for observation in observations:
        if observation.t_exptime is None or not abs(observation.t_exptime) < float("inf"):
            continue
        name = naming.parse_obs_id(observation.obs_id)
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


def _choose_picture(files: Arrangement) -> PartPicture | None:
    """Return the picture that stands for a part: of a level-3 product, else of the first exposure."""
    for bundles in (files.products, files.exposures):
        for bundle in bundles:
            chosen = choose_picture(bundle)
            if chosen is not None and chosen.thumbnail is not None:
                return PartPicture(
                    thumbnail=chosen.thumbnail,
                    instrument=_instrument(bundle),
                    level=3 if bundles is files.products else chosen.calib_level or 0,
                )
    return None


def _instrument(bundle: Bundle) -> str | None:
    """Return the instrument without its mode: `NIRCAM`."""
    seen = bundle.observation.instrument_name if bundle.observation else None
    return (bundle.name.instrument or (seen or "").partition("/")[0]).upper() or None
