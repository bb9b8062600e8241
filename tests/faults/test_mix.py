"""Many transfers under all faults at once, run after run; what must hold is looked at after each.

The short form has 400 transfers. `JWSTWATCH_TEST_TRANSFERS=2000` has more, `JWSTWATCH_TEST_SEED=7` others;
`pytest -s` shows what came of them.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jwstwatch.core.model import FileState, Outcome
from jwstwatch.errors import ExitCode
from jwstwatch.sync import story
from tests.faults.archive import FaultyArchive
from tests.faults.catalogue import FAULTS, SOON
from tests.faults.conftest import NOW, TOKEN, WHOLE, complete, part_of, sent_of, watched
from tests.faults.fault import Fault
from tests.faults.ledger import Ledger
from tests.sync.bench import Bench
from tests.transfer.server import Behaviour, Depot

TRANSFERS = int(os.environ.get("JWSTWATCH_TEST_TRANSFERS", "400"))
SEED = int(os.environ.get("JWSTWATCH_TEST_SEED", "5"))
FILES = ("rate.fits", "cal.fits", "rate.jpg", "pool.json", "cat.csv")
SIZES = (3_000, 60_000)

RECHECK = {"days": 8}
"""Until every observation is listed again, also one that seems to be settled."""
STRUCK = 0.25
"""Of the requests that meet no fault yet, how many begin one."""
FEWEST_RUNS, MOST_RUNS = 6, 40
"""Under faults: as many as it takes to ask for every file, and some more for those that failed."""
MOST_REQUESTS = 12
"""For one file in one run: three tries, each with a second beginning, or a redirect in a circle."""
_LASTING = (1, 1, 2, 6)
"""Requests that the last behaviour of a lasting fault strikes; three use up the tries of a run."""
_SLOW = 0.15
"""How much rarer than others those faults are that cost time."""
_ON_DISK = 0.3
"""Of the runs, how many meet a disk that refuses one observation."""


class Storm:
    """A chooser that strikes at random; what a file's n-th request meets depends on the seed alone."""

    def __init__(self, bench: Bench, ledger: Ledger, elsewhere: Depot, *, seed: int) -> None:
        self._bench, self._ledger, self._elsewhere, self._seed = bench, ledger, elsewhere, seed
        self._lock = threading.Lock()
        self._queues: dict[str, list[Behaviour]] = {}
        self.asked: Counter[str] = Counter()
        self.struck: Counter[str] = Counter()
        self._by_archive = [fault for fault in FAULTS if fault.script is not None and not fault.alone]
        self._by_disk = [fault for fault in FAULTS if fault.disk is not None]

    def __call__(self, name: str) -> Behaviour | None:
        with self._lock:
            self.asked[name] += 1
            queue = self._queues.setdefault(name, [])
            if not queue:
                queue += self._choose(name, random.Random(f"{self._seed}/{name}/{self.asked[name]}"))
            return queue.pop(0) if queue else None

    def _choose(self, name: str, source: random.Random) -> list[Behaviour]:
        if source.random() >= STRUCK:
            return []
        suitable = [fault for fault in self._by_archive if _suits(fault, name)]
        weights = [_SLOW if fault.timeout == SOON else 1.0 for fault in suitable]
        (fault,) = source.choices(suitable, weights)
        self.struck[fault.name] += 1
        assert fault.script is not None
        script = list(fault.script(sent_of(self._bench, self._ledger, name, elsewhere=self._elsewhere)))
        return script if fault.then_well else [*script, *script[-1:] * (source.choice(_LASTING) - 1)]

    @contextlib.contextmanager
    def on_disk(self, number: int) -> Iterator[None]:
        """Let the disk refuse the files of one observation, in some of the runs."""
        source = random.Random(f"{self._seed}/disk/{number}")
        with pytest.MonkeyPatch.context() as patch:
            if source.random() < _ON_DISK:
                fault = source.choice(self._by_disk)
                observation = source.choice(self._bench.server.catalogue.observations)
                assert fault.disk is not None
                fault.disk(patch, observation.obs_id)
                self.struck[fault.name] += 1
            yield


def _suits(fault: Fault, name: str) -> bool:
    return not fault.only_there or Path(name).suffix == Path(fault.ending).suffix


class Mix:
    """The runs, and what they came to."""

    def __init__(self, bench: Bench, archive: FaultyArchive, ledger: Ledger, folder: Path) -> None:
        self._bench, self._archive, self._ledger, self._folder = bench, archive, ledger, folder
        self.requests: Counter[str] = Counter()
        self.most_for_a_file = 0
        self.ends: list[str] = []

    def run(self, *, timeout: float = 5.0) -> story.RunResult:
        """Run once, and look at everything."""
        done = self._done()
        result = watched(self._bench, self._folder, timeout=timeout)
        self._ledger.check(self._bench, stopped=result.exit_code is ExitCode.STORAGE)
        fetched = Counter(self._bench.fetched)
        assert not done & set(fetched), "a finished file was fetched again"
        self.requests += fetched
        self.most_for_a_file = max([self.most_for_a_file, *fetched.values()])
        self.ends.append(str(result.record.outcome) + f"/{int(result.exit_code)}")
        return result

    def _done(self) -> set[str]:
        """Return the files that are present with what the archive has now, by what the state knows too."""
        return {
            name
            for name, row in self._bench.reports().items()
            if row.state is FileState.PRESENT and row.revision == self._ledger.revision(name)
        }


@pytest.fixture
def mix(tmp_path: Path, elsewhere: Depot) -> Iterator[tuple[Mix, Storm, Bench, FaultyArchive]]:
    """A third of the files were fetched and have a newer revision since, the others are new."""
    observations = -(-TRANSFERS // len(FILES))
    whole = WHOLE(observations=observations, files=FILES, sizes=SIZES, seed=SEED)
    with FaultyArchive(part_of(whole, observations // 3), token=TOKEN) as archive:
        bench = Bench(folder=tmp_path / "bench", server=archive, clock=NOW, token=TOKEN)
        # A host that states another ETag at every answer raises alarms: a revision here is what was listed.
        bench.configure({"watch": {"propID": 9001, "sample": 0}})
        with bench.store:
            ledger = Ledger(archive)
            assert watched(bench, tmp_path, timeout=5.0).exit_code is ExitCode.DONE
            bench.later(days=1)
            for product in archive.catalogue.products:
                ledger.revise(product.name, now=bench.clock)
            complete(archive.catalogue, whole)
            ledger.enter()
            ledger.check(bench)
            storm = Storm(bench, ledger, elsewhere, seed=SEED)
            yield Mix(bench, archive, ledger, tmp_path), storm, bench, archive


def test_no_mix_of_faults_spoils_or_loses_a_file_or_hangs_a_run(
    mix: tuple[Mix, Storm, Bench, FaultyArchive], record_property: Callable[[str, object], None]
) -> None:
    runs, storm, bench, archive = mix
    names = {product.name for product in archive.catalogue.products}
    archive.chooser = storm
    for number in range(MOST_RUNS):
        with storm.on_disk(number):
            runs.run(timeout=SOON)
        bench.later(days=1, minutes=5)
        if number + 1 >= FEWEST_RUNS and len(storm.asked) == len(names):
            break
    in_storm = len(runs.ends)
    assert set(storm.asked) == names, "not every file met the storm"

    archive.heal()
    bench.later(**RECHECK)
    while (result := runs.run()).record.outcome is not Outcome.COMPLETE:
        assert len(runs.ends) < in_storm + 4, bench.heard.failures
        bench.later(days=1, minutes=5)
    assert result.exit_code is ExitCode.DONE
    bench.later(**RECHECK)
    runs.run()
    assert bench.fetched == []

    rows = bench.reports()
    assert set(rows) == names
    for name, row in rows.items():
        assert row.state is FileState.PRESENT
        assert row.path.read_bytes() == archive.catalogue.read(name).content
    assert {path.rpartition("/")[2] for path in bench.files()} == names, "something else was left behind"

    total = sum(runs.requests.values())
    told = (
        f"seed {SEED}: {len(names)} files, {total} requests, {runs.most_for_a_file} at most for one and run, "
        f"{sum(storm.struck.values())} faults of {len(storm.struck)} kinds, runs: {' '.join(runs.ends)}"
    )
    record_property("mix", told)
    sys.stdout.write(f"\n{told}\n")
    assert runs.most_for_a_file <= MOST_REQUESTS
    assert total <= 3 * len(names)
    assert len(storm.struck) >= 30
