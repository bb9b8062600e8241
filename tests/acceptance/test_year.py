"""A year of an archive and a server: storms, late data, releases, withdrawals, outages, a lost disk.

The short form runs the profile every eight days. The long form runs it every twelve
hours on a whole proposal, and prints the figures that docs/performance.md tells:

    JWSTWATCH_TEST_YEAR=1 python -m pytest -s tests/acceptance/test_year.py
"""

from __future__ import annotations

import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from jwstwatch.core.model import FileState, Outcome
from jwstwatch.core.naming import parse
from jwstwatch.demo.build import demo_catalogue
from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.server import ArchiveServer, Fault, FaultKind
from jwstwatch.errors import ExitCode
from jwstwatch.store.store import open_store
from jwstwatch.sync.story import RunResult
from tests.sync.bench import Bench
from tests.sync.conftest import NOW

PROPOSAL = 5224
SET = "jw05224-c1014_t001_nircam_f444w-maskrnd-sub320a335r"
EXPOSURE = "jw05224014001_0310a_00001_nrcalong"
HIDDEN = "jw05224-o007_t001_nircam_clear-f444w"
GRISM = "jw05224012001_02101_00001_nrcalong"

LONG = bool(os.environ.get("JWSTWATCH_TEST_YEAR"))
STEP = timedelta(hours=12) if LONG else timedelta(days=8)

STORMS = {60: 0, 150: 3, 240: 0, 330: 1}
"""Day of the year, and how many units every file grows by."""
OUTAGES = {
    48: Fault(kind=FaultKind.MAINTENANCE, times=None),
    140: Fault(kind=FaultKind.STATUS, status=503, times=None),
    272: Fault(kind=FaultKind.RESET, times=None),
}
OUTAGE = timedelta(days=1, hours=6)
DOWNTIME = (210, 217)
LOST_DISK = 180


@dataclass
class Year:
    """What happened, and what it cost."""

    bench: Bench
    catalogue: Catalogue
    results: list[RunResult] = field(default_factory=list)
    downloads: Counter[tuple[str, int]] = field(default_factory=Counter)
    """How often each content (name, revision in the archive) was sent."""
    since_loss: Counter[tuple[str, int]] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    withdrawn: set[str] = field(default_factory=set)
    released_at: datetime | None = None
    lost: bool = False

    @property
    def day(self) -> float:
        return (self.bench.clock - NOW) / timedelta(days=1)

    def names(self) -> list[str]:
        """The names that the archive lists and the profile selects."""
        numbers = self.bench.settings.profiles["watch"].parameters.obsnums
        prefix = f"jw{PROPOSAL:05d}"
        held = {
            product.uri
            for product in self.catalogue.products
            if product.name.startswith(prefix)
            and any(
                self.catalogue.observation(holder).calib_level != -1
                and (not numbers or self.catalogue.observation(holder).number in (*numbers, None))
                for holder in product.holders
            )
        }
        return sorted(uri.rpartition("/")[2] for uri in held)

    def run(self) -> RunResult:
        result = self.bench.attempt()
        self.results.append(result)
        for request in self.bench.server.requests.all():
            if request.uri is None:
                self.requests[request.service or request.path] += 1
                continue
            self.requests["download" if request.method == "GET" else "validators"] += 1
            self.bytes += request.bytes
            if request.method == "GET" and request.status == 200:
                name = request.uri.rpartition("/")[2]
                content = (name, self.catalogue.product(name).revision)
                (self.since_loss if self.lost else self.downloads)[content] += 1
        return result


def storm(year: Year, *, grow: int, number: int) -> None:
    """Everything is reprocessed under the same names; associations get new ones."""
    catalogue, now = year.catalogue, year.bench.clock
    version = f"1.2{number}.0"
    for observation in catalogue.observations:
        if observation.proposal.number == PROPOSAL and observation.calib_level != -1:
            catalogue.reprocess_observation(observation.obs_id, now=now, version=version, grow=grow)


def happenings(year: Year) -> dict[int, Callable[[], None]]:
    """What comes to pass on which day."""
    catalogue, bench = year.catalogue, year.bench

    def new(like: str, age: float = 0.2) -> Callable[[], None]:
        def happen() -> None:
            catalogue.add_exposure(like=like, start=bench.clock - timedelta(days=age), now=bench.clock)

        return happen

    def withdraw(name: str) -> Callable[[], None]:
        def happen() -> None:
            catalogue.withdraw(name)
            year.withdrawn.add(name)

        return happen

    def restore(name: str) -> Callable[[], None]:
        def happen() -> None:
            catalogue.restore(name)
            year.withdrawn.discard(name)

        return happen

    def release() -> None:
        catalogue.release(HIDDEN, now=bench.clock)
        year.released_at = bench.clock

    def lose() -> None:
        shutil.rmtree(bench.root)

    happening: dict[int, Callable[[], None]] = {
        12: new(EXPOSURE),
        36: new(GRISM),
        72: new(GRISM, age=70),  # late: it was taken long before it came
        100: release,
        120: withdraw(f"{EXPOSURE}_calints.jpg"),
        124: withdraw(f"{GRISM}_rate.jpg"),
        168: new(EXPOSURE, age=90),
        LOST_DISK: lose,
        220: new(GRISM),
        260: withdraw(f"{SET}_i2d.fits"),
        300: restore(f"{SET}_i2d.fits"),
        310: new(EXPOSURE),
    }
    for number, (day, grow) in enumerate(STORMS.items(), start=1):
        happening[day] = lambda grow=grow, number=number: storm(year, grow=grow, number=number)  # type: ignore[misc]
    return happening


def live_through(year: Year) -> None:
    """Run the profile through the year."""
    bench = year.bench
    waiting = sorted(happenings(year).items())
    down: list[tuple[datetime, Fault]] = [
        (NOW + timedelta(days=day), fault) for day, fault in OUTAGES.items()
    ]
    while year.day < 366:
        while waiting and waiting[0][0] <= year.day:
            _, happen = waiting.pop(0)
            happen()
        bench.server.faults.clear()
        broken = [fault for since, fault in down if since <= bench.clock < since + max(OUTAGE, STEP)]
        bench.server.faults.add(*broken)
        if not DOWNTIME[0] <= year.day < DOWNTIME[1]:
            result = year.run()
            if broken:
                assert result.exit_code is ExitCode.ARCHIVE
            elif not bench.root.exists() or result.exit_code is ExitCode.STORAGE:
                accept(year, result)
        bench.later(hours=STEP / timedelta(hours=1))
    bench.server.faults.clear()
    for _ in range(3):
        year.run()
        bench.later(days=2)


def accept(year: Year, result: RunResult) -> None:
    """The disk is gone: nothing was fetched or marked; somebody accepts an empty one."""
    bench = year.bench
    assert result.exit_code is ExitCode.STORAGE
    assert bench.fetched == []
    assert FileState.PRESENT in bench.states().values(), "a missing disk is not an empty one"
    from jwstwatch.cli.main import main

    year.lost = True
    assert main(["root", "accept", str(bench.root), "--config", str(bench.folder / "jwstwatch.yaml")]) == 0


@pytest.fixture
def year(tmp_path: Path) -> Iterator[Year]:
    with ExitStack() as stack:
        catalogue = demo_catalogue(now=NOW)
        server = stack.enter_context(ArchiveServer(catalogue))
        bench = Bench(folder=tmp_path / "year", server=server, clock=NOW)
        stack.enter_context(bench.store)
        profile: dict[str, object] = {"propID": PROPOSAL, "instrument": "all"}
        bench.configure({"watch": profile if LONG else profile | {"obsnums": [7, 8, 12, 14]}})
        lived = Year(bench=bench, catalogue=catalogue)
        live_through(lived)
        if LONG:
            print("\n" + figures(lived))  # noqa: T201
        yield lived


def figures(year: Year) -> str:
    """The year in numbers."""
    outcomes = Counter(str(result.record.outcome) for result in year.results)
    sent = sum(year.downloads.values()) + sum(year.since_loss.values())
    lines = [
        f"runs {len(year.results)} ({dict(outcomes)})",
        f"files in the end {len(year.names())}, contents sent {sent}, bytes {year.bytes}",
        *[f"{name}: {count}" for name, count in sorted(year.requests.items())],
    ]
    return "\n".join(lines)


def on_disk(year: Year) -> dict[str, Path]:
    """Every data file below the root, by name."""
    found: dict[str, Path] = {}
    for path in year.bench.root.rglob("jw*"):
        if path.is_file() and ".replaced" not in path.parts:
            assert path.name not in found, f"{path.name} lies there twice"
            found[path.name] = path
    return found


def in_the_end_the_tree_is_what_the_archive_has(year: Year) -> None:
    found = on_disk(year)
    names = year.names()
    assert set(names) - set(found) == set()
    wrong = [name for name in names if found[name].read_bytes() != year.catalogue.read(name).content]
    assert wrong == []
    rest = {name for name in found if name not in names and not name.endswith("_thumb.jpg")}
    kept = {name for name in rest if parse(name).logical_name != name}
    assert rest - kept <= year.withdrawn, "else only former associations and pools"
    assert all(state in (FileState.PRESENT, FileState.GONE) for state in year.bench.states().values())


def the_last_runs_had_nothing_to_do(year: Year) -> None:
    last = year.results[-1].record
    assert (last.outcome, last.counts.downloaded, last.counts.failed) == (Outcome.COMPLETE, 0, 0)


def no_content_was_fetched_twice_without_need(year: Year) -> None:
    assert {content: count for content, count in year.downloads.items() if count > 1} == {}
    assert {content: count for content, count in year.since_loss.items() if count > 1} == {}


def every_new_content_of_a_storm_was_found(year: Year) -> None:
    """Also those of raw data, whose listing states no version, and whose size stays the same."""
    revisions = dict(
        year.bench.ask("SELECT name, revision FROM product WHERE name LIKE '%fits' OR name LIKE '%jpg'")
    )
    seen: dict[str, set[int]] = defaultdict(set)
    for name, revision in [*year.downloads, *year.since_loss]:
        seen[name].add(revision)
    for name in [
        f"{EXPOSURE}_uncal.fits",
        f"{GRISM}_rate.fits",
        f"{GRISM}_uncal.fits",
        f"{EXPOSURE}_rateints.jpg",
    ]:
        assert revisions[name] == 1 + len(STORMS)
        assert len(seen[name]) == 1 + len(STORMS)


def the_history_tells_what_each_content_was(year: Year) -> None:
    rows = year.bench.ask(
        "SELECT version.revision, version.prvversion, json_extract(version.facts, '$.\"keywords.cal_ver\"'), "
        "json_extract(version.facts, '$.\"keywords.checksum\"') "
        "FROM version JOIN product ON product_id = product.id "
        "WHERE name = ? ORDER BY version.revision",
        f"{GRISM}_rate.fits",
    )
    assert len(rows) == len(STORMS)
    assert len({checksum for *_, checksum in rows}) == len(STORMS)
    replaced = year.bench.ask(
        "SELECT count(*), count(DISTINCT replaced.sha256) FROM replaced JOIN file ON file.id = file_id "
        "JOIN product ON product.id = product_id WHERE name = ?",
        f"{GRISM}_rate.fits",
    )
    assert replaced == [(len(STORMS), len(STORMS))]


def withdrawn_files_are_gone_and_kept_and_the_restored_one_is_present(year: Year) -> None:
    states = year.bench.states()
    for name in year.withdrawn:
        assert states[name] is FileState.GONE
    assert states[f"{SET}_i2d.fits"] is FileState.PRESENT
    assert "gone" in year.bench.history(f"{SET}_i2d.fits")


def released_data_came_with_the_next_run(year: Year) -> None:
    rows = year.bench.ask(
        "SELECT min(event.at) FROM event JOIN product ON product.id = product_id "
        "WHERE name LIKE 'jw05224007%' AND kind = 'fetched'"
    )
    assert year.released_at is not None
    assert rows[0][0] is not None
    assert str(rows[0][0]).startswith(f"{year.released_at:%Y-%m-%d}")


def former_associations_are_superseded(year: Year) -> None:
    newest: dict[str, str] = {}
    for name in sorted(year.bench.states()):
        if parse(name).suffix == "asn":
            newest[parse(name).logical_name] = name
    flags = dict(year.bench.ask("SELECT name, superseded FROM file JOIN product ON product.id = product_id"))
    for name, superseded in flags.items():
        if parse(name).suffix == "asn":
            assert bool(superseded) == (newest[parse(name).logical_name] != name), name


def the_state_opens_again_and_is_sound(year: Year) -> None:
    with open_store(year.bench.settings.state_url, upgrade=False) as store:
        assert store.runs.memory("watch") is not None


def test_a_year(year: Year) -> None:
    """One test, so that the year is lived through once wherever the tests are spread."""
    in_the_end_the_tree_is_what_the_archive_has(year)
    the_last_runs_had_nothing_to_do(year)
    no_content_was_fetched_twice_without_need(year)
    every_new_content_of_a_storm_was_found(year)
    the_history_tells_what_each_content_was(year)
    withdrawn_files_are_gone_and_kept_and_the_restored_one_is_present(year)
    released_data_came_with_the_next_run(year)
    former_associations_are_superseded(year)
    the_state_opens_again_and_is_sound(year)
