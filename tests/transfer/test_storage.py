"""What a disk can do to a transfer."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jwstwatch import files
from jwstwatch.core.retrying import FailureKind
from jwstwatch.errors import StorageError
from jwstwatch.transfer.job import Failed, Fetched, Job
from jwstwatch.transfer.pool import fetch_all
from tests.transfer import server
from tests.transfer.conftest import SETTINGS, fetch, fetch_one, lying_in, no_check, tell
from tests.transfer.server import Depot, serve

MakeJob = Callable[..., Job]
CONTENT = bytes(300_000)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_disk_that_refuses_stops_the_work_and_keeps_no_partial(
    depot: Depot, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    def refuse(*_: Any) -> int:
        raise OSError(code, os.strerror(code))

    depot.put("file.fits", serve(CONTENT))
    job = make_job()
    job.target.parent.mkdir(parents=True)
    job.target.write_bytes(b"the good old file")
    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(StorageError, match=str(job.target.parent)) as raised:
        fetch_one(job)
    monkeypatch.undo()
    assert raised.value.hint
    assert lying_in(job.target.parent) == ["file.fits"]
    assert job.target.read_bytes() == b"the good old file"


def test_a_folder_that_cannot_be_made_is_the_disks_refusal(
    depot: Depot, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StorageError, match="may not be written"):
        fetch_one(make_job())


def test_a_name_that_the_file_system_refuses_costs_only_its_file(depot: Depot, make_job: MakeJob) -> None:
    name = "x" * 253
    depot.put(name, serve(CONTENT))
    outcome = fetch_one(make_job(name))
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind == "local"


def test_a_short_write_loses_nothing(
    depot: Depot, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = os.write
    monkeypatch.setattr(os, "write", lambda handle, block: written(handle, block[:999]))
    depot.put("file.fits", serve(bytes(range(200)) * 50))
    outcome = fetch_one(make_job())
    assert isinstance(outcome, Fetched)
    assert outcome.part.read_bytes() == bytes(range(200)) * 50


def test_what_is_under_way_is_told_before_the_disks_refusal(
    depot: Depot, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file hits the full disk, another is whole, and none is started afterwards."""
    opened = os.open

    def refuse_bad(path: Any, *rest: Any, **options: Any) -> int:
        if "bad" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(path, *rest, **options)

    monkeypatch.setattr(os, "open", refuse_bad)
    for name in ("good", "bad", "late"):
        depot.put(name, serve(CONTENT))
    names = ["good", "bad", *["late"] * 200]
    told, error = tell(
        fetch_all(
            (make_job(name, revision=number) for number, name in enumerate(names)),
            settings=SETTINGS,
            token=lambda: None,
            check=no_check,
            stop=threading.Event(),
        )
    )
    assert isinstance(error, StorageError)
    assert all(isinstance(outcome, Fetched) for outcome in told)
    assert "good" in {outcome.job.name for outcome in told}
    assert len(told) < 100


@pytest.mark.parametrize("fault", [StorageError("the disk is gone"), LookupError("a bug")])
def test_a_check_that_breaks_leaves_nothing_behind(depot: Depot, make_job: MakeJob, fault: Exception) -> None:
    def broken(path: Path, name: str) -> None:
        raise fault

    depot.put("file.fits", serve(CONTENT))
    job = make_job()
    with pytest.raises(type(fault)):
        fetch_one(job, check=broken)
    assert lying_in(job.target.parent) == []


def test_a_note_that_cannot_be_written_takes_the_partial_with_it(
    depot: Depot, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", refuse)
    depot.put("file.fits", server.truncate(CONTENT, 1000))
    job = make_job()
    with pytest.raises(StorageError):
        fetch_one(job)
    assert lying_in(job.target.parent) == []


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system with room for one megabyte."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = shutil.which("mount")
    made = (
        mount is not None
        and os.geteuid() == 0
        and subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True
        ).returncode
        == 0
    )
    if not made:
        pytest.skip("no right to mount a small file system here; the full disk is played by a fake above")
    yield folder
    subprocess.run([shutil.which("umount") or "umount", str(folder)], check=True)


def test_a_disk_that_is_really_full_ends_the_work_and_is_left_clean(
    depot: Depot, make_job: MakeJob, tiny_disk: Path
) -> None:
    depot.put("file.fits", serve(bytes(3_000_000)))
    with pytest.raises(StorageError, match="is full"):
        fetch_one(make_job(target=tiny_disk / "01345" / "file.fits"))
    assert lying_in(tiny_disk / "01345") == []


def test_a_resumed_partial_on_a_full_disk_is_removed(
    depot: Depot, make_job: MakeJob, tiny_disk: Path
) -> None:
    content = bytes(3_000_000)
    job = make_job(target=tiny_disk / "file.fits")
    depot.put("file.fits", server.truncate(content, 500_000), serve(content))
    assert isinstance(fetch_one(job), Failed)
    with pytest.raises(StorageError):
        fetch_one(job)
    assert lying_in(tiny_disk) == []


def test_the_folder_of_many_files_is_made_and_resolved_once(
    depot: Depot, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved: list[Path] = []
    real = Path.resolve

    def resolve(path: Path, strict: bool = False) -> Path:
        resolved.append(path)
        return real(path, strict=strict)

    monkeypatch.setattr(Path, "resolve", resolve)
    names = [f"file{number}.fits" for number in range(20)]
    for name in names:
        depot.put(name, serve(CONTENT[:3000]))
    outcomes = fetch(*[make_job(name) for name in names])
    assert all(isinstance(outcome, Fetched) for outcome in outcomes)
    assert len(resolved) <= SETTINGS.connections


def test_a_folder_that_is_moved_away_or_replaced_in_mid_run_is_made_or_followed_anew(
    depot: Depot, make_job: MakeJob, tmp_path: Path
) -> None:
    folder, elsewhere = tmp_path / "root" / "01345", tmp_path / "elsewhere"
    elsewhere.mkdir()

    def jobs() -> Iterator[Job]:
        for number in range(3):
            depot.put(f"file{number}.fits", serve(CONTENT[:3000]))
            yield make_job(f"file{number}.fits")

    def moved(path: Path, name: str) -> None:
        """While the first file is checked its folder is taken away, and after the second it is a link."""
        if name == "file0.fits":
            shutil.move(folder, tmp_path / "away")
        elif name == "file1.fits":
            shutil.move(folder, tmp_path / "away too")
            folder.symlink_to(elsewhere)

    settings = replace(SETTINGS, connections=1)
    outcomes = list(
        fetch_all(jobs(), settings=settings, token=lambda: None, check=moved, stop=threading.Event())
    )
    parts = [outcome.part for outcome in outcomes if isinstance(outcome, Fetched)]
    assert parts[-1].parent == elsewhere
    assert parts[-1].read_bytes() == CONTENT[:3000]


def test_folders_that_are_made_for_a_file_are_durable_from_the_top_on(
    depot: Depot, make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync_folder", synced.append)
    depot.put("file.fits", serve(CONTENT[:3000]))
    target = tmp_path / "root" / "01345" / "obsnum01" / "file.fits"
    assert isinstance(fetch_one(make_job(target=target)), Fetched)
    assert synced == [tmp_path, tmp_path / "root", tmp_path / "root" / "01345"]
    synced.clear()
    target.with_name(f".{target.name}.1.part").unlink()
    assert isinstance(fetch_one(make_job(target=target)), Fetched)
    assert synced == []


def test_a_linked_folder_that_moves_with_its_link_is_followed_anew(
    depot: Depot, make_job: MakeJob, tmp_path: Path
) -> None:
    folder, before, after = tmp_path / "root" / "01345", tmp_path / "before", tmp_path / "after"
    before.mkdir()
    folder.parent.mkdir()
    folder.symlink_to(before)

    def jobs() -> Iterator[Job]:
        for number in range(2):
            depot.put(f"file{number}.fits", serve(CONTENT[:3000]))
            yield make_job(f"file{number}.fits")

    def moved(path: Path, name: str) -> None:
        if name == "file0.fits":
            before.rename(after)
            folder.unlink()
            folder.symlink_to(after)

    settings = replace(SETTINGS, connections=1)
    outcomes = list(
        fetch_all(jobs(), settings=settings, token=lambda: None, check=moved, stop=threading.Event())
    )
    assert [(type(outcome), outcome.job.name) for outcome in outcomes] == [
        (Failed, "file0.fits"),
        (Fetched, "file1.fits"),
    ]
    assert [outcome.part.parent for outcome in outcomes if isinstance(outcome, Fetched)] == [after]


def test_a_partial_that_somebody_else_began_anew_meanwhile_is_theirs(depot: Depot, make_job: MakeJob) -> None:
    """As of a run that was taken for dead on another host: its bytes are not those at the path any more."""
    depot.put("file.fits", serve(CONTENT[:3000]))
    theirs: list[Path] = []

    def replaced(path: Path, name: str) -> None:
        path.unlink()
        path.write_bytes(b"the beginning of it")
        theirs.append(path)

    outcome = fetch_one(make_job(), check=replaced)
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is FailureKind.LOCAL
    assert "begun anew by somebody else" in outcome.failure.message
    assert theirs[0].read_bytes() == b"the beginning of it"
