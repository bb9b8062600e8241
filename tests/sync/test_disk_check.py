"""Which files a run looks for on the disk: all of them, or those in folders that changed."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select

from jwstwatch.core.model import FileState, Outcome, Trigger
from jwstwatch.core.parameters import EVERY_RUN, RECHECK, Parameters
from jwstwatch.disk import comparing, markers
from jwstwatch.errors import CancelledError, ExitCode
from jwstwatch.store import tables
from jwstwatch.store.plans import PlanRow
from jwstwatch.store.runs import Counts
from jwstwatch.store.store import Store, open_store
from jwstwatch.sync import roots, scanning
from jwstwatch.sync.context import Context, Options
from jwstwatch.sync.listing import Subject
from tests.store.desk import DAY, HOUR, NOW, Desk, row
from tests.store.test_listings import counted
from tests.sync.bench import Bench
from tests.sync.conftest import MakeBench


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What changes takes place long before it is looked at."""
    monkeypatch.setattr(comparing, "SETTLED_NS", -(10**18))


_moments = itertools.count(1)


def tick(folder: Path) -> None:
    """Let the time of a folder be another than before: the system's own may not have moved on since."""
    moment = 10**18 + next(_moments) * 10**9
    os.utime(folder, ns=(moment, moment))


def remove(path: Path) -> None:
    path.unlink()
    tick(path.parent)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that were looked into."""
    folders: list[str] = []
    right = comparing.compare

    def compare(root: Path, expected: comparing.Expected, **options: Any) -> comparing.Compared:
        folders.append(expected.folder)
        return right(root, expected, **options)

    monkeypatch.setattr(comparing, "compare", compare)
    return folders


@pytest.fixture
def watched(bench: Bench, settled: None) -> Bench:
    """Twelve files in four folders that were all compared."""
    bench.configure({"watch": {"propID": 9001}}, disk_check=RECHECK)
    assert bench.run().counts.downloaded == 12
    bench.run()
    return bench


def test_every_run_looks_for_every_file_and_keeps_no_marks(synced: Bench, looked: list[str]) -> None:
    path = synced.path(synced.server.catalogue.products[0].name)
    os.truncate(path, 10)
    synced.run()
    assert synced.fetched == [path.name]
    assert sorted(looked) == sorted({str(each.path.parent.relative_to(synced.root)) for each in
                                     synced.reports().values()})  # fmt: skip
    assert synced.ask("SELECT * FROM folder") == []


def test_folders_that_did_not_change_are_not_looked_into(watched: Bench, looked: list[str]) -> None:
    watched.later(hours=6)
    watched.run()
    assert looked == []
    assert watched.fetched == []


def test_a_missing_file_is_found_by_the_time_of_its_folder(watched: Bench, looked: list[str]) -> None:
    name = watched.server.catalogue.products[0].name
    remove(watched.path(name))
    watched.later(hours=6)
    watched.run()
    assert watched.fetched == [name]
    assert set(looked) == {str(watched.path(name).parent.relative_to(watched.root))}
    # What was fetched into the folder is looked at once more, and then rests.
    watched.run()
    looked.clear()
    watched.run()
    assert (looked, watched.fetched) == ([], [])


@pytest.mark.parametrize("how", ["a day later", "in full", "recheck"])
def test_a_file_that_was_cut_in_its_place_is_found_when_all_are_looked_for(watched: Bench, how: str) -> None:
    name = watched.server.catalogue.products[0].name
    os.truncate(watched.path(name), 10)
    watched.later(hours=6)
    watched.run()
    assert watched.fetched == []
    if how == "recheck":
        watched.configure({"watch": {"propID": 9001}}, disk_check=RECHECK, recheck="6h")
    watched.later(hours=18 if how == "a day later" else 0)
    watched.run(full=how == "in full")
    assert watched.fetched == [name]


def test_what_changed_a_moment_ago_is_looked_at_again(bench: Bench, looked: list[str]) -> None:
    bench.configure({"watch": {"propID": 9001}}, disk_check=RECHECK)
    bench.run()
    bench.run()
    looked.clear()
    bench.run()
    assert looked != []


def test_a_folder_that_is_new_since_the_last_whole_look_is_watched(watched: Bench) -> None:
    # The program itself made it, in a run that looked at the disk before.
    shutil.rmtree(watched.root / "09001" / "obsnum01")
    tick(watched.root / "09001")
    with watched.store.database.write() as connection:
        gone = select(tables.file.c.id).where(tables.file.c.path.like("09001/obsnum01/%"))
        ids = list(connection.execute(gone).scalars())
        for table in (tables.folder, tables.event, tables.want):
            column = table.c.path if table is tables.folder else table.c.file_id
            names = ["09001/obsnum01"] if table is tables.folder else ids
            connection.execute(table.delete().where(column.in_(names)))
        connection.execute(tables.file.delete().where(tables.file.c.id.in_(ids)))
        connection.execute(tables.interest.update().values(products_checked_at=None, digest=None))
    watched.later(hours=1)
    assert watched.run().counts.downloaded == len(ids)
    name = next(iter(watched.fetched))
    remove(watched.path(name))
    watched.later(hours=1)
    watched.run()
    assert watched.fetched == [name]


def check(bench: Bench, **options: bool) -> list[str]:
    """Check the disk as a run does, and nothing else; returns the statements."""
    (root,) = bench.store.roots.all()
    record = bench.store.runs.begin("watch", Trigger.MANUAL, now=bench.clock)
    profile = bench.settings.profiles["watch"]
    subject = Subject(run=record, profile=profile, root=root, options=Options(**options))
    with counted(bench.store.database) as statements:
        roots.check_disk(bench.context(), subject)
    bench.store.runs.finish(record, Outcome.COMPLETE, counts=Counts(), error=None, now=bench.clock)
    return statements


def test_a_folder_for_a_file_that_is_still_to_come_is_watched_too(watched: Bench) -> None:
    file, want = tables.file, tables.want
    with watched.store.database.write() as connection:
        some = dict(connection.execute(select(file).limit(1)).one()._mapping)
        for path in ("09001/obsnum99/late.fits", "09001/late.fits"):
            values = some | {"path": path, "state": "withheld", "size": None}
            values.pop("id")
            file_id = connection.execute(file.insert().values(values).returning(file.c.id)).scalar_one()
            wanted = {"profile": "watch", "file_id": file_id, "product_id": some["product_id"]}
            connection.execute(want.insert().values(wanted))
    check(watched, full=True)
    marks = dict(watched.ask("SELECT path, mark FROM folder"))
    assert marks["09001/obsnum99"] == comparing.ABSENT
    assert marks["09001"] == comparing.marks(watched.root, ["09001"])["09001"]


def test_on_a_network_file_system_many_folders_are_looked_at_at_a_time(
    synced: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    right = comparing.compare_all

    def compare_all(*words: Any, jobs: int, **options: Any) -> Any:
        asked.append(jobs)
        return right(*words, jobs=jobs, **options)

    monkeypatch.setattr(comparing, "compare_all", compare_all)
    for on_network in (True, False):
        monkeypatch.setattr(scanning, "is_on_network", lambda folder, found=on_network: found)
        check(synced)
    assert asked == [scanning.JOBS_ON_NETWORK, 1]


def test_a_long_look_is_told_and_ends_when_it_is_to(synced: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "_LONG", -1.0)
    told: list[str] = []
    monkeypatch.setattr(synced.heard, "step", told.append)
    remove(synced.path(synced.server.catalogue.products[0].name))
    before = synced.reports()
    synced.stop.set()
    with pytest.raises(CancelledError):
        check(synced)
    assert synced.reports() == before
    synced.stop.clear()
    with synced.store.database.write() as connection:
        connection.execute(tables.run.update().values(outcome="cancelled"))
    check(synced)
    assert told == [f"looking for the files in {synced.root}"]


def test_too_many_missing_files_are_measured_by_all_there_are(
    make_bench: MakeBench, settled: None, looked: list[str]
) -> None:
    bench = make_bench(75, files=("uncal.fits", "rate.fits"), sizes=(5_760, 5_760))
    bench.configure({"watch": {"propID": 9001}}, disk_check=RECHECK)
    bench.run()
    bench.run()
    before = bench.reports()
    folders = sorted({each.path.parent for each in before.values()})
    files = [path for folder in folders for path in sorted(folder.glob("*.fits"))]
    for path in files[:101]:
        remove(path)
    for _ in range(2):
        looked.clear()
        result = bench.attempt()
        assert result.exit_code is ExitCode.STORAGE
        assert str(result.record.error_message).startswith("101 of 150 files vanished")
        assert bench.reports() == before
    files[0].write_bytes(b"x" * 5_760)
    assert bench.run().counts.downloaded == 100


def test_no_change_costs_a_few_statements_however_many_folders_there_are(
    watched: Bench, looked: list[str]
) -> None:
    statements = check(watched)
    assert sum(words.startswith("SELECT") for words in statements) == 3
    assert not [words for words in statements if words.startswith(("INSERT", "UPDATE", "DELETE"))]
    assert looked == []


# Any history

FOLDERS = ["01345", "01345/obsnum01", "01345/obsnum02", "01346"]
NAMES = ["a", "b", "c"]
PATHS = [f"{folder}/{name}" for folder in FOLDERS for name in NAMES]
SIZE = 10


class Histories(RuleBasedStateMachine):
    """Files come and go, are cut and moved about; a model knows which of those believed in are not there."""

    store: Store
    folder: Path
    numbers = itertools.count(1)

    @initialize()
    def begin(self) -> None:
        number = next(self.numbers)
        self.place = self.folder / str(number)
        self.place.mkdir()
        self.desk = Desk(
            store=self.store,
            root=self.store.roots.add(self.place, now=NOW),
            run=self.store.runs.begin(f"watch-{number}", Trigger.MANUAL, now=NOW),
            profile=f"watch-{number}",
        )
        markers.establish(self.place, expected=self.desk.root.uuid, files=0)
        self.planned: set[str] = set()
        self.believed: set[str] = set()

    def _run(self, disk_check: str, *, full: bool = False) -> set[str]:
        """Check the disk, and return what is found lost."""
        profile = SimpleNamespace(
            name=self.desk.profile, parameters=Parameters(disk_check=disk_check, outrootdir=self.place)
        )
        run = SimpleNamespace(id=self.desk.run.id, started_at=self.desk.now)
        subject = Subject(
            run=cast(Any, run), profile=cast(Any, profile), root=self.desk.root, options=Options(full=full)
        )
        context = SimpleNamespace(
            store=self.store,
            now=lambda: self.desk.now,
            stop=SimpleNamespace(is_set=lambda: False),
            report=SimpleNamespace(warned=lambda text: None),
        )
        roots.check_disk(cast(Context, context), subject)
        lost = self.believed - self._present()
        self.believed -= lost
        self.desk = self.desk.later(timedelta(minutes=1))
        return lost

    def _present(self) -> set[str]:
        file = tables.file
        query = select(file.c.path).where(
            file.c.root_id == self.desk.root.id, file.c.state == FileState.PRESENT.value
        )
        with self.store.database.read() as connection:
            return set(connection.execute(query).scalars())

    def _missing(self) -> set[str]:
        return {path for path in self.believed if not (self.place / path).is_file()}

    def _cut(self) -> set[str]:
        there = self.believed - self._missing()
        return {path for path in there if (self.place / path).stat().st_size != SIZE}

    def _there(self, path: str) -> bool:
        return (self.place / path).is_file()

    @rule(path=st.sampled_from(PATHS))
    def plan(self, path: str) -> None:
        """A run wants a file, and does not get it yet."""
        if path in self.planned:
            return
        number = self.desk.root.id
        name = f"jw{number:05d}001001_02101_{PATHS.index(path):05d}_nrca1_rate.fits"
        recorded = self.desk.list(row(name))
        planned = PlanRow(
            product_id=recorded[name].id,
            path=path,
            known=None,
            state=FileState.WANTED,
            reason="new",
            priority=1,
        )
        self.desk.plan(planned)
        self.planned.add(path)

    @rule(path=st.sampled_from(PATHS))
    def arrive(self, path: str) -> None:
        """A run fetches a file that it wants, or wanted."""
        if path in self.believed:
            return
        self.plan(path)
        self.desk.set_file([self.desk.file_id(path)], state="present", size=SIZE, revision=1)
        place = self.place / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"x" * SIZE)
        tick(place.parent)
        self.believed.add(path)

    @rule(path=st.sampled_from(PATHS))
    def delete(self, path: str) -> None:
        if self._there(path):
            remove(self.place / path)

    @rule(path=st.sampled_from(PATHS), size=st.sampled_from([0, 3, SIZE]))
    def cut(self, path: str, size: int) -> None:
        if self._there(path):
            os.truncate(self.place / path, size)

    @rule(folder=st.sampled_from(FOLDERS))
    def add_something_foreign(self, folder: str) -> None:
        if (self.place / folder).is_dir():
            (self.place / folder / f"foreign{next(_moments)}").write_text("")
            tick(self.place / folder)

    @rule(folder=st.sampled_from(FOLDERS), other=st.sampled_from([*FOLDERS, "aside"]))
    def move_folder(self, folder: str, other: str) -> None:
        source, target = self.place / folder, self.place / other
        if source.is_dir() and not target.exists() and target.parent.is_dir() and source != target.parent:
            source.rename(target)
            tick(source.parent)
            tick(target.parent)

    @rule(folder=st.sampled_from(FOLDERS))
    def bring_back(self, folder: str) -> None:
        if (self.place / "aside").is_dir() and not (self.place / folder).exists():
            (self.place / folder).parent.mkdir(exist_ok=True)
            (self.place / "aside").rename(self.place / folder)

    @rule(folder=st.sampled_from(FOLDERS))
    def delete_folder(self, folder: str) -> None:
        if (self.place / folder).is_dir():
            shutil.rmtree(self.place / folder)
            tick((self.place / folder).parent)

    @rule()
    def look_for_all(self) -> None:
        expected = self._missing() | self._cut()
        assert self._run(EVERY_RUN) == expected

    @rule()
    def look_at_what_changed(self) -> None:
        missing, cut = self._missing(), self._cut()
        lost = self._run(RECHECK)
        assert missing <= lost <= missing | cut

    @rule(full=st.booleans())
    def look_at_everything_once_a_day(self, full: bool) -> None:
        expected = self._missing() | self._cut()
        if not full:
            self.desk = self.desk.later(DAY + HOUR)
        assert self._run(RECHECK, full=full) == expected

    @precondition(lambda self: self.believed)
    @invariant()
    def nothing_is_forgotten(self) -> None:
        assert self.believed == self._present()


def test_a_folder_that_is_absent_again_is_missed_all_the_same(
    some_store: Store, tmp_path: Path, settled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Histories, "store", some_store, raising=False)
    monkeypatch.setattr(Histories, "folder", tmp_path, raising=False)
    history = Histories()
    history.begin()
    history.arrive(path="01346/a")
    history.look_at_what_changed()
    history.plan(path="01345/obsnum01/a")
    history.look_at_what_changed()  # no folder yet
    history.arrive(path="01345/obsnum01/a")
    history.delete_folder(folder="01345/obsnum01")
    history.look_at_what_changed()
    assert history.believed == {"01346/a"}


@pytest.fixture
def some_store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'state.db'}", upgrade=True) as store:
        yield store


def test_any_history_loses_nothing(
    some_store: Store, tmp_path: Path, settled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Histories, "store", some_store, raising=False)
    monkeypatch.setattr(Histories, "folder", tmp_path, raising=False)
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Histories, settings=settings(max_examples=15, stateful_step_count=20, deadline=None)
    )
