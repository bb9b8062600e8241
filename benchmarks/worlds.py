"""A state and an output folder of so many files, as years of runs would leave them, made in minutes.

The state is made by the program's own listing and planning, in this process and without HTTP; then every file
is declared present, with the three events of its history, and stands in the folder as a sparse file of its
listed size. Nothing in it is due.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from benchmarks.archive import SPAN, make_sky
from benchmarks.sky import FILES, FIRST_OBSID, FIRST_PROPOSAL, VISITS, Sky
from jwstwatch.archive.protocol import LogIn, LogInStatus, Probe
from jwstwatch.archive.rows import read_listing, read_observations
from jwstwatch.config import Settings, load
from jwstwatch.core.dates import to_mjd
from jwstwatch.core.model import ListingRow, Observation, Outcome, Trigger
from jwstwatch.core.query import ObservationQuery
from jwstwatch.store.runs import Counts
from jwstwatch.store.store import open_store
from jwstwatch.sync import listing, roots, rules
from jwstwatch.sync.context import Context, Options

PROFILE = "watch"
_LOT = 200
"""Observations planned at one time."""


@dataclass(frozen=True)
class World:
    """A folder with jwstwatch.yaml, state.db and the tree `data`; `visits` is the archive that it mirrors."""

    folder: Path
    visits: int
    today: datetime
    """When it was made: the archive that it mirrors is of that day."""

    @property
    def files(self) -> int:
        """How many files it has."""
        return self.visits * FILES

    def settings(self, server: str, **parameters: Any) -> Settings:
        """Write and load the configuration: a whole proposal, or (where there are more) a week's window."""
        whole = self.visits <= VISITS
        asked: dict[str, Any] = {"propID": FIRST_PROPOSAL} if whole else {"instrument": "nircam"}
        if not whole:
            asked["lookbacktime"] = 7
        document = {
            "state": str(self.folder / "state.db"),
            "mast": {"server": server},
            "defaults": {
                "outrootdir": str(self.folder / "data"),
                "filetypes": [],
                "guidestars": True,
                "obsnum2outsubdir": True,
                "makewebpages": False,
                "max_plan": "1 TB",
            },
            "profiles": {PROFILE: asked | parameters},
        }
        path = self.folder / "jwstwatch.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return load(path, environ={}, folder=self.folder)


class NoWorldError(Exception):
    """A folder in the place of a world is none."""


def visits_of(files: int) -> int:
    """Return how many visits have about so many files; many are whole proposals."""
    visits = max(1, round(files / FILES))
    return visits if visits <= VISITS else round(visits / VISITS) * VISITS


def make_world(folder: Path, files: int) -> World:
    """Make a world of about so many files; one that was made before is found, one half made is made anew."""
    visits = visits_of(files)
    world = World(folder / f"{visits * FILES}", visits, datetime.now(UTC))
    done = world.folder / "made.json"
    if done.exists():
        forget_newest(world)  # where somebody stopped a measurement
        return replace(world, today=datetime.fromisoformat(json.loads(done.read_text())["today"]))
    begun = world.folder / "being-made"
    if begun.exists():
        shutil.rmtree(world.folder)
    elif world.folder.exists():
        raise NoWorldError(
            f"{world.folder} is there, and was not made here: take it away, or name another folder"
        )
    world.folder.mkdir(parents=True)
    begun.touch()
    settings = world.settings("http://127.0.0.1:1")
    _plan(settings, make_sky(min(visits, VISITS), today=world.today))
    _declare_present(world.folder / "state.db")
    if visits > VISITS:
        _multiply(world.folder / "state.db", make_sky(visits, today=world.today))
    _make_files(world.folder)
    done.write_text(json.dumps({"today": world.today.isoformat()}))
    begun.unlink()
    return world


class _Book:
    """The archive as a book in this process."""

    clock_skew = None

    def __init__(self, sky: Sky) -> None:
        self.sky = sky

    def all_observations(self) -> list[Observation]:
        rows = self.sky.observations(proposals=None, begun=(None, None))
        return read_observations(json.loads(row) for row in rows)

    def observations(self, query: ObservationQuery) -> list[Observation]:
        raise NotImplementedError

    def products(self, obsids: Sequence[int]) -> list[ListingRow]:
        rows = [row for obsid in obsids for row in self.sky.products(obsid)]
        return read_listing(json.loads(f"[{','.join(rows)}]"))

    def keywords(self, *_: object) -> list[Any]:
        return []

    def log_in(self) -> LogIn:
        return LogIn(status=LogInStatus.ANONYMOUS)

    def use_token(self, token: str | None) -> None: ...

    def probe(self) -> Probe:
        return Probe(reachable=True)

    def close(self) -> None: ...

    def download_url(self, uri: str) -> str:
        return uri

    def cloud_urls(self, *_: object) -> Mapping[str, str]:
        return {}

    def probe_cloud(self) -> None:
        return None


def _plan(settings: Settings, sky: Sky) -> None:
    """List and plan everything, a lot at a time, and remember it as a run that is over."""
    now = datetime.now(UTC)
    book = _Book(sky)
    profile = settings.profiles[PROFILE]
    with open_store(settings.state_url, upgrade=True) as store:
        context = Context(
            store=store,
            archive=book,
            mast=settings.mast,
            profiles=settings.profiles,
            stop=threading.Event(),
        )
        run = store.runs.begin(PROFILE, Trigger.MANUAL, now=now)
        root = roots.open_root(context, rules.root_of(profile.parameters))
        subject = listing.Subject(run=run, profile=profile, root=root, options=Options())
        found = book.all_observations()
        store.listings.record_observations(PROFILE, found, now=now, everything=False)
        numbers = [observation.obsid for observation in found]
        for start in range(0, len(numbers), _LOT):
            some = numbers[start : start + _LOT]
            listing.plan_batch(context, subject, some, book.products(some), heard_at=now)
        memory = store.runs.memory(PROFILE)
        assert memory is None
        whole = rules.time_rules(profile).whole
        store.runs.remember(
            PROFILE,
            listing.ProfileMemory(
                query_digest=rules.query_digest(profile),
                floor=None if whole else to_mjd(now - SPAN - timedelta(days=60)),
                rechecked_at=now,
                completed_at=now,
            ),
            now=now,
        )
        store.runs.finish(run, Outcome.COMPLETE, counts=Counts(), error=None, now=now)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield the state at `path`; what was done is committed, and the file closed."""
    with closing(sqlite3.connect(path)) as state, state:
        yield state


def _declare_present(path: Path) -> None:
    """Every file is there since yesterday, and its history says so."""
    now = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=1)
    at = now.isoformat(sep=" ")
    with _opened(path) as state:
        state.execute("PRAGMA synchronous = OFF")
        state.execute(
            "UPDATE file SET state = 'present', reason = NULL, revision = 1, attempts = 1, changed_at = ?,"
            " modified_ns = 1, sha256 = lower(hex(randomblob(32))), attempted_by = 1,"
            " size = (SELECT size FROM product WHERE product.id = product_id)",
            (at,),
        )
        for kind, detail in (("claimed", None), ("fetched", "11520 bytes, SHA-256 0000000000000000")):
            state.execute(
                "INSERT INTO event (at, product_id, file_id, run_id, kind, detail)"
                " SELECT ?, product_id, id, 1, ?, ? FROM file",
                (at, kind, detail),
            )
        state.execute("UPDATE product SET sampled_at = ?", (at,))
        state.commit()
        state.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _multiply(path: Path, sky: Sky) -> None:
    """Repeat what one proposal has for the others, with their numbers."""
    with _opened(path) as state:
        state.execute("PRAGMA synchronous = OFF")
        state.execute("PRAGMA cache_size = -500000")
        step, end = sky.step, to_mjd(sky.newest)
        first = FIRST_OBSID
        start = f"({end!r} - {step!r} * ({sky.visits} - (obsid - {first}) / 10))"
        state.execute(f"UPDATE observation SET t_min = {start}, t_max = {start} + 0.004")
        ids = {
            table: state.execute(f"SELECT max(id) FROM {table}").fetchone()[0]
            for table in ("observation", "product", "file")
        }
        for number in range(1, sky.visits // VISITS):
            for table in ("observation", "interest", "product", "listing", "file", "want", "event"):
                _repeat(state, table, number, ids)
            state.commit()
        start = f"({end!r} - {step!r} * ({sky.visits} - (obsid - {first}) / 10))"
        state.execute(f"UPDATE observation SET t_min = {start}, t_max = {start} + 0.004")
        state.execute("UPDATE observation SET t_obs_release = t_min + 1.0")
        state.execute("UPDATE interest SET digest = NULL, planned = NULL")
        state.commit()
        state.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _repeat(state: sqlite3.Connection, table: str, number: int, ids: Mapping[str, int]) -> None:
    """Insert the first proposal's rows of a table once more, as those of the proposal `number` after it."""
    old, new = f"{FIRST_PROPOSAL:05d}", f"{FIRST_PROPOSAL + number:05d}"
    changed = {
        "observation_id": f"observation_id + {number * ids['observation']}",
        "product_id": f"product_id + {number * ids['product']}",
        "file_id": f"file_id + {number * ids['file']}",
        "obsid": f"obsid + {number * VISITS * 10}",
        "parent_obsid": f"parent_obsid + {number * VISITS * 10}",
        "proposal": f"proposal + {number}",
        "sha256": "lower(hex(randomblob(32)))",
        **{
            name: f"replace(replace({name}, 'jw{old}', 'jw{new}'), '{old}/', '{new}/')"
            for name in ("obs_id", "uri", "name", "path")
        },
    }
    if table in ids:
        changed["id"] = f"id + {number * ids[table]}"
    columns = [row[1] for row in state.execute(f"PRAGMA table_info({table})")]
    if table == "event":
        columns.remove("id")
    limits = {
        "observation": f"id <= {ids['observation']}",
        "interest": f"observation_id <= {ids['observation']}",
        "file": f"id <= {ids['file']}",
        "product": f"id <= {ids['product']}",
    }
    limit = limits.get(table, f"product_id <= {ids['product']}")
    chosen = ", ".join(changed.get(column, f'"{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    state.execute(f"INSERT INTO {table} ({names}) SELECT {chosen} FROM {table} WHERE {limit}")


def forget_newest(world: World) -> None:
    """Take away what a run fetched of the visit that the archive added."""
    proposal, number = FIRST_PROPOSAL + world.visits // VISITS, 1 + world.visits % VISITS
    with _opened(world.folder / "state.db") as state:
        state.execute("PRAGMA foreign_keys = ON")
        of_visit = "(SELECT id FROM product WHERE proposal = ? AND obsnum = ?)"
        for table in ("want", "file", "event", "listing", "keywords"):
            state.execute(f"DELETE FROM {table} WHERE product_id IN {of_visit}", (proposal, number))
        for table in ("product", "observation"):
            state.execute(f"DELETE FROM {table} WHERE proposal = ? AND obsnum = ?", (proposal, number))
    # With it go the thumbnails that were made of it: `verify` would tell of each.
    place = world.folder / "data" / f"{proposal:05d}" / f"obsnum{number:02d}"
    shutil.rmtree(place, ignore_errors=True)


def _make_files(folder: Path) -> None:
    with _opened(folder / "state.db") as state:
        made: set[str] = set()
        for path, size in state.execute("SELECT path, size FROM file ORDER BY path"):
            place, _, _ = path.rpartition("/")
            if place not in made:
                (folder / "data" / place).mkdir(parents=True, exist_ok=True)
                made.add(place)
            handle = os.open(folder / "data" / path, os.O_CREAT | os.O_WRONLY, 0o644)
            os.ftruncate(handle, size)
            os.close(handle)
