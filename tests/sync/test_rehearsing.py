"""A rehearsal tells what the next run fetches, and leaves no trace."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwstwatch.core.model import FileState, Trigger
from jwstwatch.core.planning import MISSING, NEW, NEWER_REVISION
from jwstwatch.core.rehearsal import Reason, Rehearsal, Tally, reason_of
from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer, Fault, FaultKind
from jwstwatch.errors import ArchiveError, RootMissingError, StorageError
from jwstwatch.store.store import open_to_look
from jwstwatch.store.transfers import Transfers
from jwstwatch.sync.context import Options
from jwstwatch.sync.rehearsing import rehearse
from jwstwatch.transfer import placing
from tests.sync.bench import Bench
from tests.sync.conftest import NOW, MakeBench

TOKEN = "0123456789abcdef0123456789abcdef"


def trace(bench: Bench) -> dict[str, tuple[object, ...]]:
    """Everything below the bench's folder: bytes, times, modes."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(bench.folder.rglob("*")):
        status = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        # Reading an SQLite database takes locks in the file beside it.
        if path.name.endswith("-shm"):
            continue
        found[str(path.relative_to(bench.folder))] = (content, status.st_mtime_ns, status.st_mode)
    return found


def rehearsed(bench: Bench, name: str = "watch", **options: bool) -> Rehearsal:
    """Rehearse, and make sure that nothing anywhere changed."""
    before = trace(bench)
    profile = bench.settings.profiles[name]
    context = bench.context()
    rehearsal = rehearse(profile, context=context, options=Options(**options))  # type: ignore[arg-type]
    assert trace(bench) == before
    return rehearsal


def names(rehearsal: Rehearsal) -> list[str]:
    return sorted(file.name for file in rehearsal.files)


def reasons(rehearsal: Rehearsal) -> dict[Reason, int]:
    return {reason: tally.files for reason, tally in rehearsal.by_reason.items()}


def compare(bench: Bench, name: str = "watch", **options: bool) -> Rehearsal:
    """Rehearse and run; the run does what was told."""
    rehearsal = rehearsed(bench, name, **options)
    result = bench.attempt(name, **options)
    assert sorted(set(bench.fetched)) == names(rehearsal)
    counts = result.record.counts
    told = len(rehearsal.files) + rehearsal.copied.files
    assert counts.downloaded + counts.failed - rehearsal.failed == told
    assert counts.withheld == rehearsal.withheld
    assert counts.products == (
        told + rehearsal.unchanged + rehearsal.withheld + rehearsal.failed + rehearsal.busy
    )
    return rehearsal


def test_a_first_run_is_told_whole(bench: Bench) -> None:
    rehearsal = compare(bench)
    assert reasons(rehearsal) == {Reason.NEW: 12}
    assert rehearsal.size == sum(len(content) for content in bench.files().values() if content)
    assert (rehearsal.unchanged, rehearsal.observations, rehearsal.held) == (0, 4, None)


def test_each_file_tells_where_it_comes_from_and_goes_to(bench: Bench) -> None:
    bench.configure({"watch": {"propID": 9001, "filetypes": ["rate"]}})
    rehearsal = rehearsed(bench)
    assert rehearsal.skipped == 8
    for file in rehearsal.files:
        assert file.uri == f"mast:JWST/product/{file.name}"
        assert file.url.startswith(bench.server.url)
        assert file.url.endswith(file.uri)
        assert file.path == bench.root / "09001" / "obsnum01" / file.name
        assert file.size == len(bench.server.catalogue.read(file.uri).content)
        assert file.detail == "new"
    bench.run()
    assert {file.path for file in rehearsal.files} == set(bench.root.rglob("*.fits"))


def test_after_a_run_nothing_is_left_to_fetch(synced: Bench) -> None:
    rehearsal = compare(synced)
    assert (rehearsal.files, rehearsal.unchanged) == ((), 12)


def test_a_state_that_was_never_used_can_be_rehearsed_on(bench: Bench, tmp_path: Path) -> None:
    bench.store.database.close()
    nowhere = tmp_path / "nowhere" / "state.db"
    bench.store = open_to_look(f"sqlite:///{nowhere}")
    with bench.store:
        assert reasons(rehearsed(bench)) == {Reason.NEW: 12}
    assert not nowhere.parent.exists()
    assert not bench.root.exists()


def test_a_reprocessed_file_is_told_as_changed(synced: Bench) -> None:
    product = synced.server.catalogue.products[1]
    synced.later(days=1)
    synced.server.catalogue.reprocess(product.uri, now=synced.clock)
    rehearsal = compare(synced)
    assert reasons(rehearsal) == {Reason.CHANGED: 1}
    assert rehearsal.files[0].detail == NEWER_REVISION


def test_deleted_and_cut_files_are_told_as_missing(synced: Bench) -> None:
    first, second = (synced.path(product.name) for product in synced.server.catalogue.products[:2])
    first.unlink()
    os.truncate(second, 100)
    assert reasons(compare(synced)) == {Reason.MISSING: 2}


def test_failed_files_are_told_once_they_are_due(bench: Bench) -> None:
    product = bench.server.catalogue.products[0]
    bench.server.faults.add(Fault(kind=FaultKind.STATUS, uri=f"*{product.name}", status=404, times=None))
    bench.attempt()
    rehearsal = compare(bench)
    assert (reasons(rehearsal), rehearsal.failed, rehearsal.unchanged) == ({}, 1, 11)
    assert reasons(rehearsed(bench, force=True)) == {Reason.FAILED: 1}
    bench.later(days=2)
    assert reasons(compare(bench)) == {Reason.FAILED: 1}


def test_what_an_outage_left_is_told_as_waiting(make_bench: MakeBench) -> None:
    bench = make_bench(12)
    bench.server.faults.add(Fault(kind=FaultKind.STATUS, uri="*", times=None, status=503, skip=6))
    bench.attempt()
    bench.server.faults.clear()
    rehearsal = compare(bench)
    assert set(reasons(rehearsal)) <= {Reason.WAITING, Reason.NEW}
    assert len(rehearsal.files) + rehearsal.unchanged == 36


@pytest.fixture
def deep(make_bench: MakeBench) -> Bench:
    """Watches a proposal of which one observation is not public yet."""
    bench = make_bench(None, token=TOKEN)
    bench.configure({"deep": {"propID": 5224, "obsnums": [7, 12], "filetypes": ["rate", "i2d"]}})
    return bench


def test_what_is_withheld_is_counted_and_told_once_it_is_free(deep: Bench) -> None:
    rehearsal = compare(deep, "deep")
    assert rehearsal.withheld > 0
    withheld = rehearsal.withheld
    deep.later(hours=1)
    deep.server.catalogue.release("jw05224-o007_t001_nircam_clear-f444w", now=deep.clock)
    rehearsal = compare(deep, "deep")
    assert (reasons(rehearsal), rehearsal.withheld) == ({Reason.RELEASED: withheld}, 0)


def test_a_token_frees_what_was_withheld_and_a_rejected_one_is_told(deep: Bench) -> None:
    withheld = compare(deep, "deep").withheld
    deep.token = "f" * 32
    rejected = rehearsed(deep, "deep")
    assert rejected.withheld == withheld
    assert "rejected the token" in rejected.notes[0]
    assert deep.notices() == {}
    deep.token = TOKEN
    assert reasons(compare(deep, "deep")) == {Reason.TOKEN: withheld}


def test_what_lies_there_counts_as_taken_in_by_its_size(bench: Bench) -> None:
    sound, cut = bench.server.catalogue.products[0], bench.server.catalogue.products[1]
    folder = bench.root / "09001" / "obsnum01"
    folder.mkdir(parents=True)
    (folder / sound.name).write_bytes(bench.server.catalogue.read(sound.uri).content)
    (folder / cut.name).write_bytes(bench.server.catalogue.read(cut.uri).content[:-2880])
    rehearsal = compare(bench)
    assert (rehearsal.adopted, rehearsal.unchanged, len(rehearsal.files)) == (1, 1, 11)


def test_a_file_of_another_folder_of_ours_is_told_as_copied(synced: Bench) -> None:
    other = {"propID": 9001, "outrootdir": str(synced.folder / "other")}
    synced.configure({"watch": {"propID": 9001}, "other": other})
    rehearsal = compare(synced, "other")
    assert (rehearsal.files, rehearsal.copied) == ((), Tally(files=12, size=rehearsal.copied.size))
    assert rehearsal.copied.size > 0


def test_a_copy_that_is_gone_is_fetched_instead(synced: Bench) -> None:
    other = {"propID": 9001, "outrootdir": str(synced.folder / "other")}
    synced.configure({"watch": {"propID": 9001}, "other": other})
    gone = synced.server.catalogue.products[0].name
    synced.path(gone).unlink()
    assert names(compare(synced, "other")) == [gone]


def test_new_copies_that_somebody_asks_for_are_told_as_such(synced: Bench) -> None:
    profile = synced.settings.profiles["watch"]
    typed = dataclasses.replace(profile.parameters, clobber=True)
    synced.settings.profiles["watch"] = dataclasses.replace(profile, parameters=typed)  # type: ignore[index]
    assert reasons(compare(synced)) == {Reason.AGAIN: 12}


def test_a_plan_that_would_wait_is_told_to(bench: Bench) -> None:
    bench.configure({"watch": {"propID": 9001, "max_plan": "50 kB"}})
    rehearsal = rehearsed(bench)
    assert len(rehearsal.files) == 12
    assert rehearsal.held is not None
    assert "wait for a yes" in rehearsal.held
    assert rehearsed(bench, yes=True).held is None
    assert bench.notices() == {}


@pytest.mark.parametrize(
    "point", [(placing, "sync_folders"), (placing, "place"), (Transfers, "record_placed")]
)
def test_what_a_killed_run_was_about_to_put_in_place_is_not_fetched_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, point: tuple[object, str]
) -> None:
    class Death(BaseException):
        pass

    def die(*arguments: object, **options: object) -> None:
        raise Death

    monkeypatch.setattr(*point, die)
    with pytest.raises(Death):
        bench.attempt()
    monkeypatch.undo()
    rehearsal = rehearsed(bench)
    assert len(rehearsal.files) < 12
    bench.run()
    assert sorted(bench.fetched) == names(rehearsal)


def test_a_run_that_goes_on_is_no_obstacle(bench: Bench) -> None:
    run = bench.store.runs.begin("watch", Trigger.SCHEDULE, now=bench.clock)
    rehearsal = rehearsed(bench)
    assert len(rehearsal.files) == 12
    assert "goes on" in rehearsal.notes[0]
    assert bench.ask("SELECT id, outcome FROM run") == [(run.id, None)]


def test_what_another_profiles_run_has_claimed_is_its_business(bench: Bench) -> None:
    bench.configure({"watch": {"propID": 9001}, "other": {"propID": 9001}})
    bench.server.faults.add(Fault(kind=FaultKind.STATUS, uri="*", times=None, status=503))
    bench.attempt("other")
    bench.server.faults.clear()
    run = bench.store.runs.begin("other", Trigger.SCHEDULE, now=bench.clock)
    claimed = bench.store.transfers.claim(
        run.id, "other", limit=5, now=bench.clock, lease_until=bench.clock, force=True
    )
    assert len(claimed) == 5
    rehearsal = rehearsed(bench)
    assert (rehearsal.busy, len(rehearsal.files)) == (5, 7)


def test_it_goes_on_while_somebody_writes_to_the_state(bench: Bench) -> None:
    with sqlite3.connect(bench.folder / "state.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert len(rehearsed(bench).files) == 12
        other.execute("ROLLBACK")
    other.close()


def test_what_keeps_a_run_from_fetching_is_raised(synced: Bench) -> None:
    synced.server.faults.add(
        Fault(kind=FaultKind.STATUS, service="Mast.Caom.Filtered*", times=None, status=500)
    )
    with pytest.raises(ArchiveError):
        rehearsed(synced)
    synced.server.faults.clear()
    synced.root.rename(synced.folder / "away")
    with pytest.raises(RootMissingError):
        rehearsed(synced)
    assert not synced.root.exists()


def test_a_disk_that_lost_too_much_is_raised(make_bench: MakeBench) -> None:
    bench = make_bench(40)
    bench.run()
    for path in list(bench.root.rglob("*.fits"))[:80] + list(bench.root.rglob("*.jpg"))[:25]:
        path.unlink()
    with pytest.raises(StorageError):
        rehearsed(bench)


# -- whatever happened before

Act = Callable[[Bench, int], None]


def _delete(bench: Bench, number: int) -> None:
    paths = [path for path in sorted(bench.root.rglob("*.fits")) if path.is_file()]
    if paths:
        paths[number % len(paths)].unlink()


def _cut(bench: Bench, number: int) -> None:
    paths = [path for path in sorted(bench.root.rglob("*.jpg")) if path.is_file()]
    if paths:
        os.truncate(paths[number % len(paths)], 10)


def _reprocess(bench: Bench, number: int) -> None:
    products = bench.server.catalogue.products
    bench.server.catalogue.reprocess(products[number % len(products)].uri, now=bench.clock)


def _withdraw(bench: Bench, number: int) -> None:
    products = [product for product in bench.server.catalogue.products if product.listed]
    bench.server.catalogue.withdraw(products[number % len(products)].uri)


def _add(bench: Bench, number: int) -> None:
    observations = [found for found in bench.server.catalogue.observations if found.exposure]
    bench.server.catalogue.add_exposure(
        like=observations[number % len(observations)].obs_id, start=bench.clock, now=bench.clock
    )


def _fail(bench: Bench, number: int) -> None:
    products = bench.server.catalogue.products
    name = products[number % len(products)].name
    bench.server.faults.add(Fault(kind=FaultKind.STATUS, uri=f"*{name}", status=404, times=None))


def _mend(bench: Bench, number: int) -> None:
    bench.server.faults.clear()


def _wait(bench: Bench, number: int) -> None:
    bench.later(hours=1 + number)


def _run(bench: Bench, number: int) -> None:
    bench.attempt()


ACTS: list[Act] = [_delete, _cut, _reprocess, _withdraw, _add, _fail, _mend, _wait, _run]


@settings(max_examples=12, deadline=None)
@given(history=st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 400)), max_size=8))
def test_whatever_happened_a_run_fetches_what_its_rehearsal_told(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[Act, int]]
) -> None:
    catalogue = scaled_catalogue(observations=3, now=NOW, sizes=(6_000, 9_000))
    with ArchiveServer(catalogue) as server:
        bench = Bench(folder=tmp_path_factory.mktemp("bench"), server=server, clock=NOW)
        with bench.store:
            for act, number in history:
                act(bench, number)
            compare(bench)


@pytest.mark.parametrize(
    ("state", "words", "reason"),
    [
        (FileState.WANTED, NEW, Reason.NEW),
        (FileState.WANTED, MISSING, Reason.MISSING),
        (FileState.WANTED, "missing on disk, as accepted", Reason.MISSING),
        (FileState.WANTED, "3 of 10 bytes on disk", Reason.MISSING),
        (FileState.WANTED, "something else stands at its path", Reason.MISSING),
        (FileState.WANTED, "its path is free again", Reason.WAITING),
        (FileState.WANTED, "", Reason.WAITING),
        (FileState.STALE, "found with 3 bytes, the archive lists 10", Reason.MISSING),
        (FileState.STALE, NEWER_REVISION, Reason.CHANGED),
        (FileState.STALE, "asked for again (clobber)", Reason.AGAIN),
        (FileState.FAILED, "404", Reason.FAILED),
        (FileState.WITHHELD, "not authorised", Reason.WITHHELD),
    ],
)
def test_the_states_words_are_sorted_by_what_they_mean(state: FileState, words: str, reason: Reason) -> None:
    assert reason_of(state, words) is reason
