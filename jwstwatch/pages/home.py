"""The home page of a root: from its view to what the template prints."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from jwstwatch.core.home import Fate, HomeView, HourlyArrivals, NewsEntry, fill_days
from jwstwatch.core.model import FileState
from jwstwatch.core.site import ProposalSummary
from jwstwatch.pages import feeds
from jwstwatch.pages.bundles import READABLE
from jwstwatch.pages.plots import FEWEST_DAYS, draw_plots

if TYPE_CHECKING:
    from jwstwatch.pages.rendering import Renderer

STANDING = "jwstwatch-assets/standing.js"
"""How the profiles stand: a script that is rewritten at each run's end."""

NEWS_LISTED = 10
"""Entries of the feeds that the page itself shows."""

_HOUR = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsLine:
    """An arrival as the page tells of it."""

    link: str
    headline: str
    reprocessed: bool
    updated: datetime
    size: int
    changes: str
    names: tuple[str, ...]


def render_home(view: HomeView, renderer: Renderer) -> bytes:
    """Return the page of all proposals; the same view makes the same page, at any time."""
    ordered = sorted(view.index, key=lambda summary: summary.proposal)
    shown = fill_days(view.arrivals, fewest=FEWEST_DAYS)
    days = list(reversed(view.arrivals.days))
    return renderer.render(
        "home.html",
        up="",
        proposals=ordered,
        counts=_add_counts(ordered),
        observations=sum(summary.observations for summary in ordered),
        files_present=sum(summary.counts.get(state, 0) for summary in ordered for state in READABLE),
        bytes_present=sum(summary.bytes_present for summary in ordered),
        missing=sum(summary.missing or 0 for summary in ordered),
        last_arrival=max((line.last_arrival for line in ordered if line.last_arrival), default=None),
        waiting=view.waiting,
        plots=draw_plots(shown),
        span=(shown[0].day, shown[-1].day) if shown else None,
        days=days,
        newest=next((day for day in days if day.files), None),
        news=[_news_line(view, entry) for entry in view.arrivals.news[:NEWS_LISTED]],
        profiles=view.profiles,
        data=_data(view),
        atom=feeds.ATOM,
        json_feed=feeds.JSON,
    )


def _add_counts(index: Sequence[ProposalSummary]) -> Mapping[FileState, int]:
    return {state: sum(summary.counts.get(state, 0) for summary in index) for state in FileState}


def _news_line(view: HomeView, entry: NewsEntry) -> NewsLine:
    return NewsLine(
        link=feeds.link_of(view, entry),
        headline=feeds.headline(entry),
        reprocessed=entry.fate is Fate.REPROCESSED,
        updated=entry.updated,
        size=entry.size,
        changes=feeds.describe_changes(entry),
        names=entry.names,
    )


def _data(view: HomeView) -> str:
    """Return what home.js makes "new in the last day" of: by the reader's clock, from these hours.

    `hours`: [hours since 1970 (UTC), [[proposal, files, bytes, reprocessed], ...]], newest first.
    """
    hours: dict[int, list[list[int]]] = defaultdict(list)
    for entry in view.arrivals.hours:
        hours[_hour_number(entry)].append([entry.proposal, entry.files, entry.size, entry.reprocessed])
    known = {"hours": list(hours.items()), "standing": STANDING if view.profiles else None}
    return json.dumps(known, separators=(",", ":"))


def _hour_number(entry: HourlyArrivals) -> int:
    return int(entry.hour.timestamp()) // _HOUR
