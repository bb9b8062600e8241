"""A home page as it is after some months: made of values, the same at every call."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

from jwstwatch.core.home import (
    Arrivals,
    Change,
    DailyArrivals,
    Fate,
    HomeView,
    HourlyArrivals,
    NewsEntry,
    ProfileLine,
)
from jwstwatch.core.model import FileState
from jwstwatch.core.site import ProposalSummary

LAST = datetime(2026, 3, 1, 9, tzinfo=UTC)
"""The hour of the newest arrival."""

IDENTITY = "6a9be0c4-1111-4222-8333-444455556666"

TITLES = {
    1345: (
        "The Cosmic Evolution Early Release Science (CEERS) Survey",
        "Finkelstein, Steven L.",
        "NIRCAM MIRI",
    ),
    1189: ("Survey of Transiting Extrasolar Super-Earths and Neptunes", "Greene, Thomas P.", "NIRSPEC"),
    2107: (
        "A JWST-HST-VLT/MUSE-ALMA Treasury of Star Formation in Nearby Galaxies",
        "Lee, Janice C.",
        "MIRI",
    ),
    2731: ("The Cosmic Cliffs and other first images", "Pontoppidan, Klaus M.", "NIRCAM MIRI NIRISS"),
    5594: ("", "", "NIRCAM"),
}


def summaries() -> tuple[ProposalSummary, ...]:
    """Return the lines of the index."""
    return tuple(
        ProposalSummary(
            proposal=proposal,
            title=title or None,
            principal_investigator=investigator or None,
            instruments=tuple(instruments.split()),
            observations=3 + place * 11,
            counts={
                FileState.PRESENT: 180 + place * 977,
                FileState.STALE: place % 2 * 3,
                FileState.WITHHELD: 40 if place == 1 else 0,
                FileState.FAILED: 1 if place == 3 else 0,
            },
            bytes_present=(9 + place * 71) * 10**9,
            last_arrival=LAST - timedelta(hours=31 * place, minutes=13) if place < 4 else None,
            missing=(0, 42, 3, 1, None)[place],
        )
        for place, (proposal, (title, investigator, instruments)) in enumerate(TITLES.items())
    )


def arrivals() -> Arrivals:
    """Return ninety days of arrivals, the last of them by the hour, with news."""
    random = Random(7)
    days, on_disk = [], 310 * 10**9
    for number in range(90):
        if random.random() < 0.45 and number != 89:
            continue
        files = random.randrange(1, 60) * (6 if number % 17 == 0 else 1)
        size = files * 83_966_400
        on_disk += size if number != 60 else -90 * 10**9
        days.append(
            DailyArrivals(
                day=date(2025, 12, 2) + timedelta(days=number),
                files=files,
                size=size,
                reprocessed=files // 2 if number % 17 == 0 else 0,
                on_disk=on_disk,
            )
        )
    hours = tuple(
        HourlyArrivals(
            hour=LAST - timedelta(hours=back),
            proposal=proposal,
            files=files,
            size=files * 10**8,
            reprocessed=again,
        )
        for back, proposal, files, again in (
            (0, 1345, 12, 0),
            (3, 1345, 8, 2),
            (3, 1189, 4, 0),
            (31, 1189, 20, 0),
            (70, 2107, 100, 100),
        )
    )
    return Arrivals(hours=hours, days=tuple(days), before=310 * 10**9, news=news())


def news() -> tuple[NewsEntry, ...]:
    """Return entries of the feeds: new ones, and a reprocessed one with what changed."""
    entries = []
    for place, (proposal, obsnum, files) in enumerate(
        [(1345, 3, 12), (1345, 4, 8), (1189, 1, 24), (2107, 30, 100)]
    ):
        again = place == 3
        entries.append(
            NewsEntry(
                identity=f"urn:uuid:00000000-0000-4000-8000-00000000000{place}",
                fate=Fate.REPROCESSED if again else Fate.NEW,
                proposal=proposal,
                obsnum=obsnum,
                published=LAST - timedelta(hours=place * 20 + 1),
                updated=LAST - timedelta(hours=place * 20, minutes=17 * place),
                files=files,
                size=files * 83_966_400,
                names=tuple(
                    f"jw{proposal:05d}{obsnum:03d}001_03101_{number + 1:05d}_nrca1_rate.fits"
                    for number in range(min(files, 50))
                ),
                changes=(
                    Change(name="pipeline", former="1.16.1", present="1.18.0"),
                    Change(name="context", former="jwst_1321.pmap", present="jwst_1364.pmap"),
                )
                if again
                else (),
            )
        )
    return tuple(entries)


def profiles() -> tuple[ProfileLine, ...]:
    """Return profiles as the page tells of them."""
    return (
        ProfileLine(
            name="ers-1345",
            enabled=True,
            schedule="every 6h",
            selects=(
                ("Instruments", "NIRCAM, MIRI"),
                ("Proposals", "01345"),
                ("File types", "uncal, rate, jpg"),
            ),
        ),
        ProfileLine(
            name="everything-new",
            enabled=True,
            schedule="cron 15 */6 * * * (UTC)",
            selects=(("Instruments", "all"), ("Proposals", "all"), ("File types", "jpg")),
        ),
        ProfileLine(
            name="resting",
            enabled=False,
            schedule="off",
            selects=(("Instruments", "NIRSPEC"), ("Proposals", "01189 (obs. 1, 2)"), ("File types", "all")),
        ),
    )


def make_home(root: Path, **changes: object) -> HomeView:
    """Return the view of a site at `root`."""
    from dataclasses import replace

    view = HomeView(root=root, identity=IDENTITY, index=summaries(), arrivals=arrivals(), profiles=profiles())
    return replace(view, **changes)
