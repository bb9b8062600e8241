"""The disk against the state: what is told of every kind of damage, and how it is mended."""

from __future__ import annotations

import errno
import os
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from jwstwatch.core.model import FileState
from jwstwatch.demo.server import Fault, FaultKind
from jwstwatch.disk import comparing
from jwstwatch.disk.looking import Fingerprint
from jwstwatch.disk.reading import read_through
from jwstwatch.errors import RootMissingError, StorageError
from jwstwatch.files import translate_storage_errors
from jwstwatch.store.roots import Loss
from jwstwatch.store.verifications import Scope
from jwstwatch.sync import inspecting, strangers, verifying
from jwstwatch.sync.verifying import Order, Report, verify
from tests.sync.bench import Bench

BAD_CONTENT = "its content is not what was verified (SHA-256)"


class Ear:
    """Keeps what a verification says, and does something after so many files."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.files = self.bytes = 0
        self.planned: tuple[int, int, int] = (0, 0, 0)
        self._lock = threading.Lock()

    def step(self, text: str) -> None:
        self.steps.append(text)

    def began(self, *, files: int, size: int, done_files: int, done_size: int) -> None:
        self.planned = files, size, done_files

    def read(self, count: int) -> None:
        with self._lock:
            self.bytes += count

    def looked_at(self, count: int) -> None:
        self.files += count


def check(bench: Bench, *, ear: Ear | None = None, scope: Scope | None = None, **how: Any) -> Report:
    return verify(
        bench.store,
        Order(scope=scope or Scope(), **how),
        stop=bench.stop,
        now=lambda: bench.clock,
        watch=ear or Ear(),
    )


def problems(report: Report) -> dict[str, str]:
    return {bad.path.name: bad.problem for bad in report.bad}


def names(bench: Bench, ending: str) -> list[str]:
    return sorted(name for name in bench.reports() if name.endswith(ending))


def flip(path: Path) -> bytes:
    """Turn one bit of a file's data; its size and its times stay. Returns the content from before."""
    before, status = path.read_bytes(), path.stat()
    changed = bytearray(before)
    changed[-1] ^= 1
    path.write_bytes(changed)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return before


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file is read as a whole."""
    counted: Counter[str] = Counter()

    def counting(path: Path, *, passed: Callable[[int], None]) -> Fingerprint:
        counted[path.name] += 1
        return read_through(path, passed=passed)

    monkeypatch.setattr(inspecting, "read_through", counting)
    return counted


def test_a_sound_tree_with_its_pages_is_good_and_nothing_in_it_is_strange(bench: Bench) -> None:
    bench.configure({"watch": {"propID": 9001}}, makewebpages=True, savetables="mine")
    bench.run()
    for name in ("selprod", "obs", "summary"):
        (bench.root / f"mine.{name}.txt").write_text("a table")
    assert any(path.endswith(".TN.jpg") for path in bench.files())
    for deep in (False, True):
        ear = Ear()
        report = check(bench, deep=deep, sums=True, ear=ear)
        assert (report.checked, report.bad, report.complete) == (12, (), True)
        found = report.strangers
        assert (found.foreign, found.links, found.leftovers, found.unreadable) == ([], [], [], [])
        expected = sum(row.size or 0 for row in bench.reports().values()) if deep else 0
        assert report.size == ear.bytes == ear.planned[1] == expected
        assert ear.files == 12


def test_a_quick_verification_lists_each_folder_once_and_asks_for_no_file_by_itself(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.configure({"watch": {"propID": 9001}}, makewebpages=True, obsnum2outsubdir=True)
    bench.run()
    listed: Counter[str] = Counter()
    asked: list[str] = []
    scandir, known_paths = os.scandir, bench.store.inventory.known_paths

    def listing(place: Any) -> Any:
        listed[str(Path(f"/proc/self/fd/{place}").readlink()) if isinstance(place, int) else str(place)] += 1
        return scandir(place)

    def knowing(root_id: int, paths: Any) -> set[str]:
        asked.extend(paths)
        return known_paths(root_id, paths)

    monkeypatch.setattr(os, "scandir", listing)
    monkeypatch.setattr(bench.store.inventory, "known_paths", knowing)
    report = check(bench)
    assert (report.checked, report.bad, report.strangers.foreign) == (12, (), [])
    lying = {str(path.parent) for path in map(bench.path, bench.reports())}
    assert {listed[folder] for folder in lying} == {1}
    # Only what is no copy of the scope is looked for in the state: pages, thumbnails and their pictures.
    assert not {path.rpartition("/")[2] for path in asked if path.endswith(".fits")}


def test_every_kind_of_damage_is_told_in_plain_words(synced: Bench, reads: Counter[str]) -> None:
    missing, cut, linked, folder, flipped = names(synced, ".fits")[:5]
    synced.path(missing).unlink()
    whole = synced.path(cut).stat().st_size
    os.truncate(synced.path(cut), 2880)
    away = synced.folder / "elsewhere.fits"
    synced.path(linked).rename(away)
    synced.path(linked).symlink_to(away)
    synced.path(folder).unlink()
    synced.path(folder).mkdir()
    flip(synced.path(flipped))
    expected = {
        missing: "missing",
        cut: f"2880 of {whole} bytes",
        linked: "a link stands at its path",
        folder: "no plain file stands at its path",
    }
    quick = check(synced)
    assert problems(quick) == expected
    assert [each.full.name for each in quick.strangers.links] == [linked]
    report = check(synced, deep=True)
    assert problems(report) == expected | {flipped: BAD_CONTENT}
    assert [each.full.name for each in report.strangers.links] == [linked]
    # What only a reader can find out is remembered for those who only look, and can be queued by them.
    reads.clear()
    report = check(synced, repair=True)
    assert problems(report) == expected | {flipped: BAD_CONTENT}
    assert report.mended is not None
    assert (report.mended.queued, reads) == (5, Counter())


def test_another_time_of_the_same_content_is_no_damage_and_a_quick_look_leaves_no_trace(
    synced: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for row in synced.reports().values():
        os.utime(row.path, (1, 1))
    first, *_ = names(synced, ".fits")
    synced.path(first).unlink()
    before = synced.ask("SELECT * FROM file"), synced.ask("SELECT count(*) FROM event")
    assert set(problems(check(synced))) == {first}
    assert (synced.ask("SELECT * FROM file"), synced.ask("SELECT count(*) FROM event")) == before
    assert synced.ask("SELECT count(*) FROM verification") == [(0,)]
    # Every block that is read is asked for at the rate.
    taken: list[int] = []
    monkeypatch.setattr(verifying.Bandwidth, "take", lambda self, count, *, sleep: taken.append(count))
    report = check(synced, deep=True, rate=10**9)
    assert set(problems(report)) == {first}
    assert sum(taken) == report.size > 0


def test_repair_brings_identical_bytes_back_and_a_damaged_copy_stays_until_then(synced: Bench) -> None:
    missing, flipped, cut = names(synced, ".fits")[:3]
    truth = {name: synced.path(name).read_bytes() for name in (missing, flipped, cut)}
    synced.path(missing).unlink()
    flip(synced.path(flipped))
    os.truncate(synced.path(cut), 2880)
    damaged = synced.path(flipped).read_bytes()
    report = check(synced, deep=True, repair=True)
    assert report.mended is not None
    assert (report.mended.queued, report.mended.profiles) == (3, ("watch",))
    row = synced.reports()[flipped]
    assert (row.state, row.reason, row.revision) == (FileState.STALE, BAD_CONTENT, None)
    assert synced.states()[missing] is synced.states()[cut] is FileState.WANTED
    # The archive cannot send it: what is there stays, is not taken for sound, and nothing else is fetched.
    synced.server.faults.add(Fault(kind=FaultKind.STATUS, uri=f"*{flipped}", status=404, times=None))
    synced.attempt(full=True)
    assert synced.path(flipped).read_bytes() == damaged
    row = synced.reports()[flipped]
    assert (row.state, row.reason) == (FileState.STALE, BAD_CONTENT)
    assert {missing, cut} <= set(synced.fetched) <= {missing, cut, flipped}
    synced.server.faults.clear()
    synced.later(days=2)
    synced.run(force=True)
    assert synced.fetched == [flipped]
    assert {name: synced.path(name).read_bytes() for name in truth} == truth
    assert synced.ask("SELECT count(*) FROM file WHERE damage IS NOT NULL OR state <> 'present'") == [(0,)]
    assert {"damaged", "condemned"} <= set(synced.history(flipped))
    report = check(synced, deep=True)
    assert (report.bad, report.strangers.leftovers) == ((), [])


def test_an_interrupted_deep_verification_reads_each_file_once(
    synced: Bench, reads: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_, last = sorted(str(row.path) for row in synced.reports().values())
    flip(Path(first))
    flip(Path(last))

    class Impatient(Ear):
        def read(self, count: int) -> None:
            super().read(count)
            if reads.total() == 5:
                synced.stop.set()

    report = check(synced, deep=True, ear=Impatient())
    assert (report.stopped, report.complete, report.checked) == (True, False, 4)
    synced.stop.clear()
    synced.later(hours=1)
    ear = Ear()
    report = check(synced, deep=True, ear=ear)
    # The fifth was given up in its middle; nothing else is read twice.
    assert sorted(reads.values()) == [1] * 11 + [2]
    assert (report.stopped, report.checked) == (False, 12)
    assert [str(bad.path) for bad in report.bad] == [first, last]
    assert ear.planned[2] == 4
    assert ear.steps == ["goes on where it stopped on 2026-03-01T12:00:00Z: 4 of 12 files are done"]
    # One that was finished begins anew, also where no time has passed.
    reads.clear()
    assert check(synced, deep=True).checked == reads.total() == 12


def test_a_killed_deep_verification_goes_on_and_restart_begins_anew(
    synced: Bench, reads: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "GROUP", 2)

    class Dying(Ear):
        def looked_at(self, count: int) -> None:
            super().looked_at(count)
            if self.files == 6:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(synced, deep=True, ear=Dying())
    reads.clear()
    other = check(synced, deep=True, scope=Scope(profiles=("watch",)), restart=True)
    assert (other.checked, reads.total()) == (12, 12)  # another scope is another verification
    reads.clear()
    assert check(synced, deep=True, restart=True).checked == reads.total() == 12
    with pytest.raises(KeyboardInterrupt):
        check(synced, deep=True, ear=Dying())
    reads.clear()
    report = check(synced, deep=True)
    assert (report.checked, reads.total()) == (12, 6)


def test_a_file_that_a_run_replaces_meanwhile_is_not_blamed(
    synced: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = names(synced, "_rate.fits")[0]
    synced.server.catalogue.reprocess(name, now=synced.clock, grow=2880)
    done = []

    def replacing(path: Path, *, passed: Callable[[int], None]) -> Fingerprint:
        if path.name == name and not done:
            done.append(name)
            synced.run(full=True)
            assert synced.fetched == [name]
        return read_through(path, passed=passed)

    monkeypatch.setattr(inspecting, "read_through", replacing)
    report = check(synced, deep=True)
    assert (done, report.bad, report.checked) == ([name], (), 12)


def test_many_missing_files_are_an_alarm_and_queue_nothing(
    synced: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwstwatch.sync.mending.FEWEST_ALARMING", 3)
    for name in names(synced, "_uncal.fits"):
        synced.path(name).unlink()
    report = check(synced, repair=True)
    assert report.alarm is not None
    assert "4 of 12 files are missing" in report.alarm.message
    assert "root accept" in report.alarm.hint
    assert set(synced.states().values()) == {FileState.PRESENT}


def test_a_disk_that_is_away_is_not_an_empty_one(synced: Bench) -> None:
    marker = synced.root / ".jwstwatch-root"
    marker.rename(synced.folder / "marker")
    for how in ({}, {"deep": True}, {"repair": True}):
        with pytest.raises(RootMissingError, match="marker"):
            check(synced, **how)
    marker.write_text('{"root": "another"}')
    with pytest.raises(RootMissingError, match="another output folder"):
        check(synced)
    assert set(synced.states().values()) == {FileState.PRESENT}
    assert synced.ask("SELECT count(*) FROM verification") == [(0,)]


def test_a_disk_that_goes_away_in_the_middle_condemns_no_file(
    synced: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unmounting(path: Path, *, passed: Callable[[int], None]) -> Fingerprint:
        if synced.root.exists():
            synced.root.rename(synced.folder / "away")
        return read_through(path, passed=passed)

    monkeypatch.setattr(inspecting, "read_through", unmounting)
    with pytest.raises(RootMissingError):
        check(synced, deep=True, repair=True)
    assert synced.ask("SELECT count(*) FROM file WHERE damage IS NOT NULL OR checked_at IS NOT NULL") == [
        (0,)
    ]


def test_foreign_files_links_and_leftovers_are_told_and_left_alone(synced: Bench) -> None:
    rate, other = names(synced, "_rate.fits")[:2]
    folder = synced.path(rate).parent
    foreign = [folder / "notes.txt", synced.root / "own" / "reduced.fits", synced.root / "index.html"]
    odd = folder / "odd \udcff\nname.fits"
    leftovers = [
        folder / f".{rate}.1.part",
        folder / f".{rate}.1.part.json",
        folder / ".SHA256SUMS.tmp",
    ]
    for path in (*foreign, odd, *leftovers, folder / ".hidden", synced.root / ".snapshot" / "old.fits"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    (folder / "dangling.fits").symlink_to("nowhere")
    # This one is still needed: its file is wanted again.
    synced.path(other).unlink()
    synced.store.roots.record_losses(None, _losses(synced, other), now=synced.clock)
    synced.path(other).with_name(f".{other}.1.part").write_bytes(b"x")
    before = sorted(os.walk(synced.root))
    report = check(synced)
    found = report.strangers
    assert sorted(each.full for each in found.foreign) == sorted([*foreign, odd])
    assert [each.full.name for each in found.links] == ["dangling.fits"]
    assert sorted(each.full for each in found.leftovers) == sorted(leftovers)
    assert sorted(os.walk(synced.root)) == before
    # A part of the tree is looked at in its own folders only.
    report = check(synced, scope=Scope(proposals={9001: ()}))
    assert {each.full for each in report.strangers.foreign} == {folder / "notes.txt", odd}
    assert check(synced, scope=Scope(proposals={1: ()})).checked == 0


def _losses(bench: Bench, name: str) -> list[Loss]:
    rows = bench.ask(
        "SELECT file.id, product_id FROM file JOIN product ON product.id = product_id WHERE name = ?", name
    )
    return [Loss(file_id=file_id, product_id=product_id, reason="gone") for file_id, product_id in rows]


def test_files_behind_a_linked_folder_and_in_an_inner_root_are_known(synced: Bench) -> None:
    folder = synced.path(names(synced, "_rate.fits")[0]).parent
    disk = synced.root / "disk"
    disk.mkdir()
    folder.rename(disk / "moved")
    folder.symlink_to(disk / "moved")
    synced.configure({"watch": {"propID": 9001}, "inner": {"propID": 9001, "outsubdir": "inner"}})
    synced.run("inner")
    report = check(synced, deep=True)
    assert (report.checked, report.bad, report.strangers.foreign) == (24, (), [])


def test_many_jobs_find_the_same(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.configure({"watch": {"propID": 9001, "jpg_separate_subdir": True}})
    bench.run()
    flipped = names(bench, ".fits")[3]
    flip(bench.path(flipped))
    threads: set[str] = set()
    both = threading.Barrier(2, timeout=20)

    def meeting(path: Path, *, passed: Callable[[int], None]) -> Fingerprint:
        thread = threading.current_thread().name
        if thread not in threads:
            threads.add(thread)
            both.wait()
        return read_through(path, passed=passed)

    monkeypatch.setattr(inspecting, "read_through", meeting)
    monkeypatch.setattr(verifying, "is_on_network", lambda path: True)
    report = check(bench, deep=True)
    assert (report.checked, problems(report)) == (12, {flipped: BAD_CONTENT})
    assert len(threads) == 2


def test_what_cannot_be_fetched_again_is_told_and_stays_as_it_is(synced: Bench) -> None:
    gone, unwanted = names(synced, ".fits")[:2]
    with synced.store.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE file SET state = 'gone' WHERE product_id = (SELECT id FROM product WHERE name = ?)",
            (gone,),
        )
        connection.exec_driver_sql(
            "DELETE FROM want WHERE product_id = (SELECT id FROM product WHERE name = ?)", (unwanted,)
        )
    for name in (gone, unwanted):
        flip(synced.path(name))
    report = check(synced, deep=True, repair=True)
    assert report.mended is not None
    assert (report.mended.queued, report.mended.gone, report.mended.unwanted) == (0, 1, 1)
    assert set(problems(report)) == {gone, unwanted}
    assert synced.states()[gone] is FileState.GONE
    assert synced.ask("SELECT count(*) FROM file WHERE damage = ?", BAD_CONTENT) == [(2,)]


def test_kept_copies_are_verified_too(synced: Bench) -> None:
    name = names(synced, "_rate.fits")[0]
    row = synced.reports()[name]
    kept = synced.root / ".replaced" / "r0" / name
    kept.parent.mkdir(parents=True)
    kept.write_bytes(row.path.read_bytes())
    with synced.store.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO replaced (file_id, revision, size, sha256, new_size, kept_as, replaced_at) "
            "SELECT file.id, 0, file.size, sha256, file.size, ?, '2026-03-01 12:00:00' FROM file "
            "JOIN product ON product.id = product_id WHERE name = ?",
            (str(kept.relative_to(synced.root)), name),
        )
    (kept.parent / "unknown.fits").write_bytes(b"x")
    ear = Ear()
    report = check(synced, deep=True, ear=ear)
    assert (report.kept, report.bad) == (1, ())
    assert ear.planned[1] == ear.bytes == report.size
    assert [each.full.name for each in report.strangers.foreign] == ["unknown.fits"]
    flip(kept)
    assert check(synced).bad == ()
    (bad,) = check(synced, deep=True).bad
    assert (bad.path, bad.problem, bad.revision) == (kept, BAD_CONTENT, 0)
    kept.unlink()
    assert [bad.problem for bad in check(synced, repair=True).bad] == ["missing"]
    assert check(synced).bad == ()


def test_sums_are_what_sha256sum_checks(synced: Bench) -> None:
    flipped, missing = names(synced, ".fits")[:2]
    report = check(synced, sums=True)
    assert report.sums == (synced.root / "SHA256SUMS",)
    lines = report.sums[0].read_bytes().split(b"\n")
    assert lines == [*sorted(lines[:-1], key=lambda line: line[66:]), b""]
    assert len(lines) == 13

    def checked() -> int:
        words = ["sha256sum", "-c", "--quiet", "--strict", "SHA256SUMS"]
        return subprocess.run(words, cwd=synced.root, capture_output=True).returncode

    assert checked() == 0
    flip(synced.path(flipped))
    synced.path(missing).unlink()
    assert checked() == 1
    check(synced, deep=True, sums=True)
    assert checked() == 0
    assert flipped not in report.sums[0].read_text()
    assert check(synced, deep=True).strangers.foreign == []


def test_no_sums_are_written_to_the_mount_point_of_a_disk_that_went_away(
    synced: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = strangers.search

    def unmount(*arguments: Any, **options: Any) -> None:
        search(*arguments, **options)
        synced.root.rename(synced.folder / "unmounted")
        synced.root.mkdir()

    monkeypatch.setattr(strangers, "search", unmount)
    with pytest.raises(RootMissingError):
        check(synced, sums=True)
    assert list(synced.root.iterdir()) == []


def test_names_that_could_be_misread_are_escaped_as_sha256sum_does(tmp_path: Path) -> None:
    from jwstwatch.sync.summing import line
    from tests.acceptance.world import sha256

    odd = ["a b.fits", "back\\slash.fits", "new\nline.fits", "-", " *x.fits", "ünicode.fits"]
    for name in odd:
        (tmp_path / name).write_bytes(name.encode())
    text = "".join(line(name, sha256(name.encode())) for name in sorted(odd))
    (tmp_path / "sums").write_text(text)
    words = ["sha256sum", "-c", "--quiet", "--strict", "sums"]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, stdin=subprocess.DEVNULL)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


def test_a_copy_being_put_in_place_is_told_from_a_bad_one(synced: Bench) -> None:
    name = names(synced, ".fits")[0]
    path = synced.path(name)
    path.write_bytes(path.read_bytes() + bytes(2880))
    fingerprint = read_through(path, passed=lambda count: None)
    with synced.store.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO intent (file_id, revision, size, sha256, part, run_id, created_at) "
            "SELECT file.id, 2, ?, ?, 'x', 1, '2026-03-01 12:00:00' FROM file "
            "JOIN product ON product.id = product_id WHERE name = ?",
            (fingerprint.size, fingerprint.sha256, name),
        )
    assert check(synced).bad == check(synced, deep=True).bad == ()
    path.write_bytes(path.read_bytes() + b"x")
    assert set(problems(check(synced))) == {name}


def test_what_cannot_be_read_costs_only_itself(synced: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, denied, cut_short = names(synced, ".fits")[:3]
    errors = {broken: errno.EIO, denied: errno.EACCES}

    def refusing(path: Path, *, passed: Callable[[int], None]) -> Fingerprint:
        if path.name in errors:
            raise OSError(errors[path.name], os.strerror(errors[path.name]))
        if path.name == cut_short:
            os.truncate(path, 2880)
        return read_through(path, passed=passed)

    monkeypatch.setattr(inspecting, "read_through", refusing)
    report = check(synced, deep=True, repair=True)
    told = problems(report)
    assert (told[broken], told[denied]) == (
        "cannot be read: Input/output error",
        "cannot be read: Permission denied",
    )
    assert told[cut_short].startswith("2880 of ")
    assert report.mended is not None
    assert (report.mended.queued, report.mended.denied) == (2, 1)
    assert synced.states()[denied] is FileState.PRESENT
    errors[denied] = errno.ESTALE
    with pytest.raises(StorageError, match="stale"):
        check(synced, deep=True)


def test_a_folder_that_cannot_be_looked_into_costs_only_itself(
    synced: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(root: Path, *rest: object, **how: object) -> NoReturn:
        with translate_storage_errors(root):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(inspecting, "look", refusing)
    monkeypatch.setattr(comparing, "compare", refusing)
    report = check(synced, repair=True)
    assert set(problems(report).values()) == {"cannot be read: Permission denied"}
    assert (len(report.bad), report.mended and report.mended.queued) == (12, 0)
