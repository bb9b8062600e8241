"""Each fault alone, to a file that is new and to one whose older revision stands on disk."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jwstwatch.core.model import FileState, Outcome
from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.errors import ExitCode
from jwstwatch.sync import story
from tests.faults.archive import FaultyArchive, Scripts
from tests.faults.catalogue import FAULTS
from tests.faults.conftest import NOW, TOKEN, WHOLE, complete, part_of, sent_of, watched
from tests.faults.fault import End, Fault, Sent
from tests.faults.ledger import Ledger
from tests.sync.bench import Bench
from tests.transfer.server import Depot

_ENDED = {
    End.MENDED: (ExitCode.DONE, Outcome.COMPLETE),
    End.WITHHELD: (ExitCode.DONE, Outcome.COMPLETE),
    End.FAILED: (ExitCode.FILES_FAILED, Outcome.PARTIAL),
    End.STOPPED: (ExitCode.STORAGE, Outcome.PARTIAL),
}
_NEW_IS = {
    End.MENDED: FileState.PRESENT,
    End.WITHHELD: FileState.WITHHELD,
    End.FAILED: FileState.FAILED,
    End.STOPPED: FileState.WANTED,
}


def test_every_fault_has_a_name_of_its_own_and_a_story() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 30
    assert all(fault.story.endswith(".") for fault in FAULTS)
    assert all((fault.script is None) != (fault.disk is None) or fault.prepare for fault in FAULTS)


@dataclass
class Scene:
    """A bench on which one file is stale and one is new."""

    bench: Bench
    archive: FaultyArchive
    ledger: Ledger
    stale: Sent
    new: Sent

    @property
    def struck(self) -> tuple[Sent, Sent]:
        return self.stale, self.new

    def run(self, *, timeout: float = 5.0) -> story.RunResult:
        return watched(self.bench, self.bench.folder, timeout=timeout)

    def requests(self, sent: Sent) -> int:
        return self.bench.fetched.count(sent.name)


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Fault:
    found: Fault = request.param
    return found


def _whole_archive(fault: Fault) -> Catalogue:
    files = tuple(dict.fromkeys(("rate.fits", "rate.jpg", fault.ending)))
    return WHOLE(observations=2, files=files, sizes=(11_000, 14_000))


class Prepared:
    """Benches whose first observation was fetched, one for each kind of file, each set back for every test.

    They stay open: a state that is opened anew has to prepare every statement again, which takes longer than
    the test.
    """

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._benches: dict[str, Bench] = {}

    def bench(self, fault: Fault, archive: FaultyArchive) -> Bench:
        """Return a bench as it was after its first run, in front of `archive`."""
        kept = self._folder / fault.ending
        bench = self._benches.get(fault.ending)
        if bench is None:
            # What each fault costs without a checksum; the mixture of faults has them.
            never = {"keywords": "never"}
            bench = Bench(folder=kept / "bench", server=archive, clock=NOW, token=TOKEN, mast=never)
            self._benches[fault.ending] = bench
            self._stack.enter_context(bench.store)
            assert watched(bench, kept, timeout=5.0).exit_code is ExitCode.DONE
            shutil.copytree(bench.root, kept / "data")
            _copy_state(bench.folder / "state.db", kept / "state.db")
        shutil.rmtree(bench.root)
        shutil.copytree(kept / "data", bench.root)
        _copy_state(kept / "state.db", bench.folder / "state.db")
        bench.server, bench.clock = archive, NOW
        bench.configure({"watch": {"propID": 9001}})
        return bench


def _copy_state(source: Path, target: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(source)) as old,
        contextlib.closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with contextlib.ExitStack() as stack:
        yield Prepared(tmp_path_factory.mktemp("prepared"), stack)


@pytest.fixture
def scene(fault: Fault, prepared: Prepared, elsewhere: Depot) -> Iterator[Scene]:
    """One observation was fetched and is reprocessed, another is new."""
    whole = _whole_archive(fault)
    with FaultyArchive(part_of(whole, 1), token=TOKEN) as archive:
        bench = prepared.bench(fault, archive)
        ledger = Ledger(archive)
        ledger.check(bench)
        bench.later(days=1)
        first, second = (f"{observation.obs_id}_{fault.ending}" for observation in whole.observations)
        ledger.revise(first, now=bench.clock)
        complete(archive.catalogue, whole)
        ledger.enter()
        folder = bench.path(first).parent
        stale, new = (
            sent_of(bench, ledger, name, folder=folder, elsewhere=elsewhere) for name in (first, second)
        )
        yield Scene(bench, archive, ledger, stale, new)


def strike(scene: Scene, fault: Fault) -> story.RunResult:
    """Run while the fault lasts."""
    scripts = Scripts()
    for sent in scene.struck:
        if fault.prepare is not None:
            fault.prepare(sent)
        if fault.script is not None:
            scripts.put(sent.name, fault.script(sent), then_well=fault.then_well)
    scene.archive.chooser = scripts
    with pytest.MonkeyPatch.context() as patch:
        if fault.disk is not None:
            fault.disk(patch, fault.ending)
        result = scene.run(timeout=fault.timeout)
    scene.archive.heal()
    if fault.script is not None:
        assert all(scene.requests(sent) and scripts.played(sent.name) for sent in scene.struck)
    return result


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name, indirect=True)
def test_a_fault_costs_what_its_story_says_and_no_more(scene: Scene, fault: Fault) -> None:
    before = scene.stale.target.read_bytes()
    result = strike(scene, fault)

    assert (result.exit_code, result.record.outcome) == _ENDED[fault.end], scene.bench.heard.failures
    scene.ledger.check(
        scene.bench, stopped=fault.end is End.STOPPED, tampered=not fault.old_copy_stays and fault.alone
    )
    rows = scene.bench.reports()
    assert rows[scene.new.name].state is _NEW_IS[fault.end]
    assert rows[scene.stale.name].state is (FileState.PRESENT if fault.end is End.MENDED else FileState.STALE)
    if fault.end is not End.MENDED and fault.old_copy_stays:
        assert scene.stale.target.read_bytes() == before, "the old copy stays readable"
        assert not scene.new.target.exists()
    for sent in scene.struck:
        assert fault.told in _told(fault, result, rows[sent.name].last_error, rows[sent.name].note)
        assert scene.requests(sent) <= fault.requests
        leaks = [headers for headers in sent.elsewhere.requests(sent.name) if TOKEN in str(headers)]
        assert leaks == [], "the token went to another origin"
    if fault.end is not End.STOPPED:
        others = {row.state for name, row in rows.items() if not name.endswith(fault.ending)}
        assert others == {FileState.PRESENT}, "others suffer from it"

    end_well(scene, fault)


def _told(fault: Fault, result: story.RunResult, error: str | None, note: str | None) -> str:
    if fault.end is End.STOPPED:
        return result.record.error_message or ""
    return (note if fault.end is End.MENDED else error) or ""


def end_well(scene: Scene, fault: Fault) -> None:
    """Without the fault the next run brings the files, with a request each; what was mended stays so."""
    for sent in scene.struck:
        if fault.afterwards is not None:
            fault.afterwards(sent)
    if fault.end is not End.STOPPED:
        scene.bench.later(days=1, minutes=5)
    result = scene.run()
    assert (result.exit_code, result.record.outcome) == (ExitCode.DONE, Outcome.COMPLETE)
    assert all(scene.requests(sent) <= 1 for sent in scene.struck)
    scene.ledger.check(scene.bench)
    catalogue = scene.archive.catalogue
    for name, row in scene.bench.reports().items():
        assert row.state is FileState.PRESENT
        assert row.path.read_bytes() == catalogue.read(name).content
    assert [path for path in scene.bench.files() if ".part" in path] == []
    if fault.end is not End.FAILED:
        scene.bench.later(days=1, minutes=5)
        scene.run()
        assert scene.bench.fetched == []
