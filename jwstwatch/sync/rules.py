"""From a profile's parameters to the rules of the pure rooms."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from jwstwatch import __version__
from jwstwatch.config.settings import Profile
from jwstwatch.core.asking import Asking, TimeRules
from jwstwatch.core.dates import parse_date_select
from jwstwatch.core.instruments import instrument_patterns
from jwstwatch.core.layout import LayoutRules
from jwstwatch.core.parameter_table import Layer
from jwstwatch.core.parameters import Parameters, written
from jwstwatch.core.query import ObservationQuery
from jwstwatch.core.ranges import parse_int_range
from jwstwatch.core.selection import Rules

_QUERY = [
    "instrument",
    "obsmode",
    "propID",
    "obsnums",
    "filetypes",
    "calib_levels",
    "sca",
    "obsid_select",
    "obsid_list",
    "guidestars",
    "guidestar_data_only",
    "lookbacktime",
    "date_select",
    "outrootdir",
    "outsubdir",
]
"""Parameters whose change makes it another query, for which everything is asked anew."""


def root_of(parameters: Parameters) -> Path:
    """Return the absolute output folder of a profile: `outrootdir[/outsubdir]`."""
    root = parameters.outrootdir
    if parameters.outsubdir:
        root = root / parameters.outsubdir
    return Path(root).absolute()


def selection_rules(parameters: Parameters) -> Rules:
    """Return the rules by which products are kept."""
    return Rules(
        proposals={choice.proposal: frozenset(choice.obsnums) for choice in parameters.propID},
        obsnums=frozenset(parameters.obsnums),
        filetypes=parameters.filetypes,
        guidestars=parameters.guidestars,
        guidestar_data_only=parameters.guidestar_data_only,
        sca=frozenset(parameters.sca),
        calib_levels=frozenset(parameters.calib_levels),
        obsid_select=parse_int_range(parameters.obsid_select) if parameters.obsid_select else None,
        obsid_list=frozenset(parameters.obsid_list),
        instruments=parameters.instrument,
    )


def layout_rules(parameters: Parameters) -> LayoutRules:
    """Return the rules by which a product gets its path."""
    return LayoutRules(
        skip_propID2outsubdir=parameters.skip_propID2outsubdir,
        obsnum2outsubdir=parameters.obsnum2outsubdir,
        propIDs_obsnum2outsubdir=frozenset(parameters.propIDs_obsnum2outsubdir),
        jpg_separate_subdir=parameters.jpg_separate_subdir,
    )


def time_rules(profile: Profile) -> TimeRules:
    """Return the rules by which a run's window is decided.

    A proposal without a time parameter meant for this very query is asked for as a whole.
    """
    parameters = profile.parameters
    return TimeRules(
        dates=parse_date_select(parameters.date_select) if parameters.date_select else None,
        lookback=parameters.lookbacktime,
        whole=bool(parameters.propID) and not profile.explicit("lookbacktime"),
        recheck=parameters.recheck,
        settle=parameters.settle,
    )


def batch_limit(profile: Profile) -> int | None:
    """Return the most observations of one product question; None where nobody set it: the answers decide."""
    source = profile.sources.get("Nobs_per_batch")
    if source is None or source.layer is Layer.BUILT_IN:
        return None
    return profile.parameters.Nobs_per_batch


def queries(parameters: Parameters, asking: Asking) -> list[ObservationQuery]:
    """Return the questions of one run; about observing modes the configuration has warned already."""
    patterns, _ = instrument_patterns(parameters.instrument, parameters.obsmode)
    proposals = tuple(choice.proposal for choice in parameters.propID)
    query = ObservationQuery(
        instrument_patterns=patterns,
        proposals=proposals,
        t_min=(asking.minimum, asking.maximum),
        # What is planned is shown for proposals; no time window would find it.
        planned=bool(proposals) and asking.from_floor,
    )
    return [query]


def judging_digest(profile: Profile, root_id: int) -> str:
    """Return what tells whether a product list would be judged as it was: by the same rules, for one root."""
    judged = {"program": __version__, "root": root_id, **written(profile.parameters)}
    return hashlib.sha256(json.dumps(judged, sort_keys=True, default=str).encode()).hexdigest()


def query_digest(profile: Profile) -> str:
    """Return what tells whether a profile still asks the same question."""
    values = written(profile.parameters)
    asked = {name: values[name] for name in _QUERY} | {"whole": time_rules(profile).whole}
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()
