"""States of a size that no demo archive has: one proposal of thousands of exposures, put there in bulk.

Only for SQLite: the rows bring their own keys.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from jwstwatch.core.dates import to_mjd
from jwstwatch.core.site import Keyword
from jwstwatch.disk import markers
from jwstwatch.store import bulk, tables
from jwstwatch.store.completions import PLACED
from jwstwatch.store.engine import Database
from jwstwatch.store.pagemarks import mark_pages_due_for_files
from jwstwatch.store.roots import RootRecord

PROPOSAL = 1345
PROFILE = "watch"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEGIN = datetime(2022, 6, 21, 4, 12, tzinfo=UTC)
DETECTORS = ("nrca1", "nrca2", "nrca3", "nrca4", "nrcalong", "nrcb1", "nrcb2", "nrcb3", "nrcb4", "nrcblong")
DITHERS = 8
PER_OBSERVATION = DITHERS * len(DETECTORS)
"""Exposures (with their detectors) in one APT observation."""

ENDINGS = ("rate.fits", "rate.jpg", "cal.fits", "cal.jpg")
_STAGE3 = ("i2d.fits", "i2d.jpg", "cat.ecsv", "segm.fits")
_GUIDING = ("gs-id_1_image_cal.fits", "gs-acq1_{stamp}_cal.fits", "gs-fg_{stamp}_cal.fits")
_TELLING = ("_rate.fits", "_i2d.fits")
_SIZES = {"fits": 83_966_400, "jpg": 212_345, "ecsv": 48_211, "json": 2_718}
_FILTERS = ("F115W", "F150W", "F200W")
_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Files on disk that every file of an ending becomes another name (a hard link) of."""

    root: Path
    by_ending: Mapping[str, Sequence[Path]]
    """`jpg`, `fits`: links are shared out among several."""

    def put(self, path: str, number: int) -> int | None:
        """Put a file at `path` and return its size in bytes; None where this ending has no sample."""
        samples = self.by_ending.get(path.rpartition(".")[2], ())
        if not samples:
            return None
        sample = samples[number % len(samples)]
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(sample, target)
        return sample.stat().st_size


@dataclass(slots=True, kw_only=True)
class _Filling:
    """Rows on their way into the state, and the next key of each table."""

    connection: Connection
    root_id: int
    samples: Samples | None
    endings: Sequence[str]
    names: str | None
    """What the state says of the keywords that were asked for; None: no header was read so far."""
    run: int
    arrived: datetime | None
    """None: two days after each was taken."""
    keys: dict[str, Iterator[int]]
    obsids: Iterator[int]
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    files: list[int] = field(default_factory=list)
    arrivals: Counter[datetime] = field(default_factory=Counter)
    """Bytes by hour."""

    def add(self, table: str, **values: Any) -> int:
        """Add a row; tables that number their rows get the next key."""
        if table in self.keys:
            values["id"] = next(self.keys[table])
        self.rows[table].append(values)
        return values.get("id", 0)

    def write(self) -> None:
        """Send what was added, tables that others refer to first."""
        for table in tables.metadata.sorted_tables:
            if rows := self.rows.pop(table.name, []):
                self.connection.execute(table.insert(), rows)


def fill(
    database: Database,
    root: Path,
    *,
    exposures: int,
    samples: Samples | None = None,
    endings: Sequence[str] = ENDINGS,
    names: str | None = None,
) -> RootRecord:
    """Put a profile, a root and one proposal into an empty state; return the root.

    Each exposure has a file of every one of `endings`, all present; each observation has level-3 products,
    associations and guide-star files besides. Every page of it is due.
    """
    identity = markers.establish(root, expected=None, files=0)
    with database.write() as connection:
        connection.execute(
            tables.profile.insert(), [{"name": PROFILE, "query_digest": "-", "created_at": NOW}]
        )
        values = {"uuid": identity, "path": str(root), "created_at": NOW}
        root_id = int(connection.execute(tables.root.insert().values(values)).inserted_primary_key[0])
    add(database, root_id, range(exposures), samples=samples, endings=endings, names=names)
    return RootRecord(id=root_id, uuid=identity, path=root, files=0)


def add(
    database: Database,
    root_id: int,
    exposures: Iterable[int],
    *,
    samples: Samples | None = None,
    endings: Sequence[str] = ENDINGS,
    names: str | None = None,
    arrived: datetime | None = None,
) -> None:
    """Add exposures by number, 80 to an observation: its first one brings what it has besides."""
    with database.write() as connection:
        keys = {name: _next_key(connection, name) for name in ("observation", "product", "file", "event")}
        newest = connection.scalar(select(func.max(tables.observation.c.obsid)))
        filling = _Filling(
            connection=connection,
            root_id=root_id,
            samples=samples,
            endings=endings,
            names=names,
            run=_add_run(connection),
            arrived=arrived,
            keys=keys,
            obsids=itertools.count(1 + (newest or 71_000_000)),
        )
        for number in exposures:
            _add_exposure(filling, number)
            if len(filling.rows["listing"]) > _ROWS_AT_ONCE:
                filling.write()
        filling.write()
        _add_arrivals(filling)
        mark_pages_due_for_files(connection, filling.files)


def _add_run(connection: Connection) -> int:
    values = {"profile": PROFILE, "trigger": "manual", "outcome": "complete", "downloaded": 1}
    times = dict.fromkeys(("started_at", "finished_at", "heartbeat_at"), NOW)
    place = {"host": "here", "pid": 1, "process_start": "-"}
    inserted = connection.execute(tables.run.insert().values(values | times | place))
    return int(inserted.inserted_primary_key[0])


def _add_arrivals(filling: _Filling) -> None:
    rows = [
        {
            "root_id": filling.root_id,
            "proposal": PROPOSAL,
            "hour": hour,
            "files": 1,
            "bytes": size,
            "growth": size,
        }
        for hour, size in filling.arrivals.items()
    ]
    bulk.upsert(filling.connection, tables.arrival, rows)


def exposure_name(number: int) -> str:
    """Return the name that the files of an exposure begin with."""
    apt, rest = divmod(number, PER_OBSERVATION)
    dither, detector = divmod(rest, len(DETECTORS))
    return f"jw{PROPOSAL:05d}{1 + apt:03d}001_02101_{1 + dither:05d}_{DETECTORS[detector]}"


def path_of(number: int, ending: str) -> str:
    """Return where a file of an exposure lies below the root."""
    return f"{_folder(number)}/{exposure_name(number)}_{ending}"


def cards_of(number: int) -> dict[str, Keyword]:
    """Return header values such as the exposure has: 30 of them."""
    apt, rest = divmod(number, PER_OBSERVATION)
    dither, detector = divmod(rest, len(DETECTORS))
    begin = _begin(number)
    return {
        "TELESCOP": "JWST",
        "INSTRUME": "NIRCAM",
        "DETECTOR": DETECTORS[detector].upper(),
        "MODULE": DETECTORS[detector][3].upper(),
        "CHANNEL": "LONG" if DETECTORS[detector].endswith("long") else "SHORT",
        "EXP_TYPE": "NRC_IMAGE",
        "PROGRAM": f"{PROPOSAL:05d}",
        "OBSERVTN": f"{1 + apt:03d}",
        "VISIT": "001",
        "EXPOSURE": f"{1 + dither:05d}",
        "TARGNAME": f"EGS-{1 + apt:03d}",
        "TARG_RA": 214.9154166666667 + apt * 1e-3,
        "TARG_DEC": 52.81133333333333,
        "FILTER": _filter(number),
        "PUPIL": "CLEAR",
        "READPATT": "MEDIUM8",
        "NINTS": 1,
        "NGROUPS": 9,
        "NFRAMES": 8,
        "SUBARRAY": "FULL",
        "PATTTYPE": "INTRAMODULEBOX",
        "PATT_NUM": 1 + dither,
        "DATE-BEG": f"{begin:%Y-%m-%dT%H:%M:%S}.545",
        "DATE-END": f"{begin + timedelta(seconds=955):%Y-%m-%dT%H:%M:%S}.120",
        "EFFINTTM": 944.836,
        "EFFEXPTM": 944.836,
        "CAL_VER": "1.14.0",
        "CRDS_CTX": "jwst_1322.pmap",
        "SDP_VER": "2024_2a",
        "BUNIT": "DN/s",
    }


def _add_exposure(filling: _Filling, number: int) -> None:
    apt, rest = divmod(number, PER_OBSERVATION)
    group = _observe(filling, number) if rest == 0 else _level_3(apt)
    name = exposure_name(number)
    obsid = next(filling.obsids)
    _add_observation(filling, obs_id=name, obsid=obsid, number=number, level=2)
    for ending in filling.endings:
        _add_file(
            filling, f"{name}_{ending}", number=number, level=2, own=(name, obsid), parents=(obsid, group)
        )


def _observe(filling: _Filling, number: int) -> int:
    """Add what an observation has beside its exposures; return its level-3 number in CAOM."""
    apt = number // PER_OBSERVATION
    obsid = _level_3(apt)
    for filters in (_filter(number).lower(), "f444w"):
        name = f"jw{PROPOSAL:05d}-o{1 + apt:03d}_t{1 + apt:03d}_nircam_clear-{filters}"
        _add_observation(filling, obs_id=name, obsid=obsid, number=number, level=3)
        for ending in _STAGE3:
            _add_file(
                filling, f"{name}_{ending}", number=number, level=3, own=(name, obsid), parents=(obsid,)
            )
        stem = f"jw{PROPOSAL:05d}-o{1 + apt:03d}_{_begin(number):%Y%m%dt%H%M%S}_image3"
        counter = "00001" if filters == "f444w" else "00002"
        _add_file(
            filling,
            f"{stem}_{counter}_asn.json",
            number=number,
            level=3,
            own=(name, obsid),
            parents=(obsid,),
        )
        obsid += 1
    visit = f"jw{PROPOSAL:05d}{1 + apt:03d}001"
    stamp = f"{_begin(number):%Y%j%H%M%S}"
    for pattern in _GUIDING:
        name = f"{visit}_{pattern.format(stamp=stamp)}"
        own = (name.rpartition("_")[0], obsid - 2)
        _add_file(filling, name, number=number, level=2, own=own, parents=(obsid - 2,))
    return obsid - 2


def _level_3(apt: int) -> int:
    return 70_000_000 + 2 * apt


def _add_observation(filling: _Filling, *, obs_id: str, obsid: int, number: int, level: int) -> None:
    begin = to_mjd(_begin(number))
    apt = number // PER_OBSERVATION
    key = filling.add(
        "observation",
        obs_id=obs_id,
        obsid=obsid,
        proposal=PROPOSAL,
        obsnum=1 + apt,
        instrument_name="NIRCAM/IMAGE",
        target_name=f"EGS-{1 + apt:03d}",
        filters=_filter(number),
        dataproduct_type="image",
        calib_level=level,
        t_min=begin,
        t_max=begin + 955 / 86_400,
        t_exptime=944.836,
        t_obs_release=begin,
        data_rights="PUBLIC",
        proposal_pi="Finkelstein, Steven L.",
        obs_title="The Cosmic Evolution Early Release Science (CEERS) Survey",
        s_ra=214.9,
        s_dec=52.8,
        first_seen_at=NOW - timedelta(days=30),
    )
    filling.add("interest", profile=PROFILE, observation_id=key, products_checked_at=NOW)


def _add_file(
    filling: _Filling, name: str, *, number: int, level: int, own: tuple[str, int], parents: Sequence[int]
) -> None:
    path = f"{_folder(number)}/{name}"
    size = filling.samples.put(path, number) if filling.samples is not None else None
    size = _SIZES[name.rpartition(".")[2]] if size is None else size
    arrived = filling.arrived or min(_begin(number) + timedelta(days=2), NOW - timedelta(hours=1))
    product = filling.add(
        "product",
        uri=f"mast:JWST/product/{name}",
        name=name,
        proposal=PROPOSAL,
        obsnum=1 + number // PER_OBSERVATION,
        filetype=name[name.rindex("_") :],
        size=size,
        first_seen_at=arrived,
        changed_at=arrived,
    )
    for parent in parents:
        filling.add("listing", **_listing(product, name, size=size, level=level, own=own, parent=parent))
    key = filling.add(
        "file",
        root_id=filling.root_id,
        path=path,
        product_id=product,
        state="present",
        revision=1,
        size=size,
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        modified_ns=1_700_000_000_000_000_000,
        changed_at=arrived,
    )
    filling.files.append(key)
    filling.add("want", profile=PROFILE, file_id=key, product_id=product)
    filling.add("event", at=arrived, product_id=product, file_id=key, run_id=filling.run, kind=PLACED[0])
    filling.arrivals[arrived.replace(minute=0, second=0, microsecond=0)] += size
    # The header of one file in each row of a page is kept.
    if filling.names is not None and (name.endswith(_TELLING) or "_gs-" in name):
        filling.add("keywords", product_id=product, revision=1, names=filling.names, cards=cards_of(number))


def _listing(
    product: int, name: str, *, size: int, level: int, own: tuple[str, int], parent: int
) -> dict[str, Any]:
    return {
        "product_id": product,
        "parent_obsid": parent,
        "obsid": own[1],
        "obs_id": own[0],
        "size": size,
        "prvversion": "1.14.0",
        "calib_level": level,
        "dataproduct_type": "image",
        "type": "S",
        "product_type": _product_type(name),
        "subgroup": name.rpartition("_")[2].upper(),
        "description": "exposure/target (L2b/L3): an image",
        "data_rights": "PUBLIC",
        "filters": None,
        "project": "JWST",
        "revision": 1,
    }


def _product_type(name: str) -> str:
    if name.endswith((".json", ".ecsv")):
        return "INFO" if name.endswith(".json") else "SCIENCE"
    if "_gs-" in name:
        return "AUXILIARY"
    return "PREVIEW" if name.endswith(".jpg") else "SCIENCE"


def _folder(number: int) -> str:
    return f"{PROPOSAL:05d}/obsnum{1 + number // PER_OBSERVATION:02d}"


def _filter(number: int) -> str:
    rest = number % PER_OBSERVATION % len(DETECTORS)
    return "F444W" if DETECTORS[rest].endswith("long") else _FILTERS[number // PER_OBSERVATION % 3]


def _begin(number: int) -> datetime:
    return BEGIN + timedelta(minutes=17 * (number // len(DETECTORS)))


def _next_key(connection: Connection, name: str) -> Iterator[int]:
    table = tables.metadata.tables[name]
    return itertools.count(1 + (connection.scalar(select(func.max(table.c.id))) or 0))
