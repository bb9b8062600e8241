"""Copies of a state that is in use, and a copy that takes its place."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text, update

from jwstwatch.core.asking import ProfileMemory
from jwstwatch.core.model import FileState, Outcome, Trigger
from jwstwatch.errors import BusyError, ExitCode, StateError, StorageError, UsageError
from jwstwatch.files import temporary_name
from jwstwatch.store import backups, restoring, tables
from jwstwatch.store.backups import copy_state, summarise
from jwstwatch.store.locks import exclusive
from jwstwatch.store.schema import NEWEST, SCHEMAS
from jwstwatch.store.store import Store, open_store
from jwstwatch.sync.restoring import restore
from tests.conftest import PROJECT
from tests.store.desk import DAY, HOUR, NOW, OTHER, PROFILE, Desk, file_names, observation

MEMORY = ProfileMemory(query_digest="d", floor=59000.5, rechecked_at=NOW, completed_at=NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "state.db"


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Store]:
    with open_store(url_of(path), upgrade=True) as store:
        yield store


@pytest.fixture
def lived(path: Path, tmp_path: Path) -> Path:
    """A state that nobody has open: a run that ended, with three files of a root that is not there."""
    with opened(path) as store:
        desk = Desk.set_up(store, tmp_path / "data")
        desk.observe(observation(1))
        desk.fetch(*file_names(3))
        store.runs.remember(PROFILE, MEMORY, now=NOW)
        desk.next_run()
        end_all_runs(store)
    return path


def end_all_runs(store: Store) -> None:
    with store.database.write() as connection:
        connection.execute(update(tables.run).values(outcome="complete"))


def look(path: Path, query: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def names(folder: Path) -> set[str]:
    """Every file in a folder but the locks."""
    return {each.name for each in folder.iterdir() if not each.name.endswith(".lock")}


# -- copies

_WRITER = """
import sys, itertools
from sqlalchemy import insert
from jwstwatch.store import tables
from jwstwatch.store.engine import open_database
from tests.store.desk import NOW
database = open_database(sys.argv[1])
for number in itertools.count(1):
    with database.write() as connection:
        rows = [{"uuid": f"{number}-{half}", "path": f"/{number}/{half}" + "x" * 500, "created_at": NOW}
                for half in range(2)]
        connection.execute(insert(tables.root), rows)
    if number == 20:
        print("writing", flush=True)
"""


def test_a_copy_is_of_one_moment_although_another_process_writes(
    lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "_STEP", 3)  # many steps, each with a chance to be overtaken
    child = subprocess.Popen(
        [sys.executable, "-c", _WRITER, url_of(lived)], stdout=subprocess.PIPE, text=True, cwd=PROJECT
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "writing\n"
        for number in range(5):
            copy = tmp_path / f"copy-{number}.db"
            copy_state(lived, copy, owner=lived)
            odd = (
                "SELECT count(*) FROM root WHERE uuid LIKE '%-_' GROUP BY substr(uuid, 1, length(uuid) - 2) "
            )
            assert look(copy, f"{odd} HAVING count(*) <> 2") == []  # a transaction is there, or it is not
            assert look(copy, "PRAGMA integrity_check") == [("ok",)]
        assert child.poll() is None
    finally:
        child.kill()
        child.communicate()
    assert names(tmp_path) == {"state", *(f"copy-{number}.db" for number in range(5))}


def test_a_copy_is_one_file_for_owner_and_group_that_holds_everything(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with opened(path) as store:  # what is in the log only is copied too
        Desk.set_up(store, tmp_path / "data").fetch(*file_names(3))
        assert path.with_name("state.db-wal").stat().st_size > 0
        before = os.umask(0)
        try:
            copy_state(path, copy, owner=path)
        finally:
            os.umask(before)
    assert copy.stat().st_mode & 0o777 == 0o640
    assert names(tmp_path) == {"state", "copy.db"}
    found = summarise(copy)
    assert (found.schema, found.runs, found.files) == (NEWEST, 1, 3)
    assert look(copy, "PRAGMA journal_mode") == [("delete",)]


def test_a_copy_that_fails_leaves_what_was_there(
    lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("an older copy")

    class Full(sqlite3.Connection):
        def backup(self, *arguments: object, **options: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

    connect = sqlite3.connect
    monkeypatch.setattr(
        backups.sqlite3, "connect", lambda path, **options: connect(path, factory=Full, **options)
    )
    with pytest.raises(StorageError, match=f"{copy} is full"):
        copy_state(lived, copy, owner=lived)
    assert copy.read_text() == "an older copy"
    assert names(tmp_path) == {"state", "copy.db"}


def test_a_damaged_state_is_not_taken_for_a_backup(lived: Path, tmp_path: Path) -> None:
    content = bytearray(lived.read_bytes())
    content[30_000:60_000] = b"\xff" * 30_000
    lived.write_bytes(content)
    with pytest.raises(StateError, match="damaged|malformed|not a sound"):
        copy_state(lived, tmp_path / "copy.db", owner=lived)
    assert names(tmp_path) == {"state"}


def test_two_processes_do_not_write_one_backup(lived: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with pytest.raises(KeyboardInterrupt), backups.unfinished(copy):
        with pytest.raises(BusyError, match="another process writes"):
            copy_state(lived, copy, owner=lived)
        raise KeyboardInterrupt
    assert names(tmp_path) == {"state"}
    copy_state(lived, copy, owner=lived)
    assert summarise(copy).files == 3


def test_a_copy_that_was_finished_just_now_is_not_begun_again_in_its_place(
    lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, lock = tmp_path / "copy.db", backups.fcntl.flock
    temporary_name(copy).write_bytes(b"a copy that another process has just finished")

    def overtaken(handle: int, how: int) -> None:
        # It takes its name between our opening its temporary file and our locking it.
        temporary_name(copy).rename(copy)
        lock(handle, how)

    monkeypatch.setattr(backups.fcntl, "flock", overtaken)
    with pytest.raises(BusyError):
        copy_state(lived, copy, owner=lived)
    assert copy.read_bytes() == b"a copy that another process has just finished"


def test_what_a_killed_copy_left_is_in_nobodys_way(lived: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    temporary_name(copy).write_bytes(b"SQLite format 3\x00" + b"half" * 5000)
    temporary_name(copy).with_name(".copy.db.tmp-journal").write_bytes(b"x")
    copy_state(lived, copy, owner=lived)
    assert summarise(copy).files == 3
    assert names(tmp_path) == {"state", "copy.db"}


def test_only_a_state_of_ours_passes_for_one(tmp_path: Path) -> None:
    for name, content in (("text", b"hello" * 1000), ("empty", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(StateError):
            summarise(tmp_path / name)
    with contextlib.closing(sqlite3.connect(tmp_path / "other")) as connection, connection:
        connection.execute("CREATE TABLE run (id)")
    with pytest.raises(StateError, match="holds no state"):
        summarise(tmp_path / "other")


# -- restored


def backup(path: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "backup.db"
    copy_state(path, copy, owner=path)
    return copy


def test_a_backup_takes_the_place_of_the_state_which_is_kept(lived: Path, tmp_path: Path) -> None:
    copy = backup(lived, tmp_path)
    lived.chmod(0o600)
    with opened(lived) as store:
        store.runs.begin(OTHER, Trigger.MANUAL, now=NOW)
        end_all_runs(store)
    content = copy.read_bytes()
    done = restore(lived, copy, now=NOW)
    assert (done.backup.runs, done.backup.files, done.runs_closed) == (2, 3, 0)
    assert done.kept == lived.with_name("state.db.20260301T120000Z.bak")
    assert names(lived.parent) == {"state.db", done.kept.name}
    assert copy.read_bytes() == content
    assert lived.stat().st_mode & 0o777 == done.kept.stat().st_mode & 0o777 == 0o600
    assert look(done.kept, "SELECT count(*) FROM run") == [(3,)]
    with opened(lived) as store:
        assert len(store.runs.history(profile=None, limit=9)) == 2
    # Once more in the same second: nothing that was kept is overwritten.
    again = restore(lived, done.kept, now=NOW)
    assert again.kept is not None
    assert again.kept.name == "state.db.20260301T120000Z-2.bak"


def test_a_restored_state_has_nothing_under_way_and_asks_for_everything(path: Path, tmp_path: Path) -> None:
    with opened(path) as store:
        desk = Desk.set_up(store, tmp_path / "data")
        desk.observe(observation(1))
        desk.fetch(*file_names(1))
        desk.want(*(f"jw01345001001_02101_0000{number}_nrcb1_rate.fits" for number in range(2)))
        (claim, _) = desk.claim()
        desk.intend(claim)
        store.runs.remember(PROFILE, MEMORY, now=NOW)
        store.notices.raise_("archive down", kind="archive", text="it is down", now=NOW)
        ((page, _, _),) = store.sites.pages(desk.root.id).values()
        store.sites.mark_written(desk.root.id, page, {}, settings="d")
        copy = backup(path, tmp_path)
        end_all_runs(store)
    assert restore(path, copy, now=NOW + DAY).runs_closed == 1
    with opened(path) as store:
        (run,) = store.runs.history(profile=PROFILE, limit=5)
        assert (run.outcome, run.finished_at, run.error_kind) == (Outcome.CANCELLED, NOW, "restored")
        memory = store.runs.memory(PROFILE)
        assert memory is not None
        assert (memory.query_digest, memory.floor) == ("", 59000.5)
        assert [due for _, due, _ in store.sites.pages(desk.root.id).values()] == [True]
        assert store.notices.holding() == []
        # What was claimed is free, and what was about to be put in place is settled by the next run.
        assert look(path, "SELECT count(*) FROM file WHERE claimed_by IS NOT NULL") == [(0,)]
        assert [intent.file_id for intent in store.transfers.intents_left_open()] == [claim.file_id]


def test_an_older_backup_is_brought_up_to_date(lived: Path, tmp_path: Path) -> None:
    from alembic import command

    from jwstwatch.store import migrate
    from jwstwatch.store.engine import open_database

    old = tmp_path / "old.db"
    database = open_database(url_of(old))
    config = migrate.alembic_config()
    config.attributes["engine"] = database.engine
    command.upgrade(config, SCHEMAS[0])
    database.close()
    done = restore(lived, old, now=NOW)
    assert done.backup.schema == SCHEMAS[0]
    assert look(lived, "SELECT version_num FROM alembic_version") == [(NEWEST,)]
    assert look(old, "SELECT version_num FROM alembic_version") == [(SCHEMAS[0],)]
    assert names(tmp_path) == {"state", "old.db"}


def test_a_backup_of_a_newer_program_or_of_nothing_is_refused(lived: Path, tmp_path: Path) -> None:
    before = lived.read_bytes()
    copy = backup(lived, tmp_path)
    with contextlib.closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StateError, match="newer jwstwatch"):
        restore(lived, copy, now=NOW)
    (tmp_path / "text").write_text("no state")
    with pytest.raises(StateError, match="not a sound"):
        restore(lived, tmp_path / "text", now=NOW)
    with pytest.raises(UsageError, match="is the state itself"):
        restore(lived, lived, now=NOW)
    assert lived.read_bytes() == before
    assert names(lived.parent) == {"state.db"}


def test_nothing_is_restored_while_anybody_works_with_the_state(lived: Path, tmp_path: Path) -> None:
    copy = backup(lived, tmp_path)
    before = lived.read_bytes()
    with opened(lived), pytest.raises(BusyError, match="another process works with") as caught:
        restore(lived, copy, now=NOW)
    assert caught.value.exit_code is ExitCode.BUSY
    with opened(lived) as store:
        run = store.runs.begin(OTHER, Trigger.MANUAL, now=NOW)
        with pytest.raises(BusyError, match=f"{OTHER}: a run goes on"):
            restore(lived, copy, now=NOW)
        store.runs.finish(
            run, Outcome.COMPLETE, counts=store.reports.of_run(run.id, OTHER), error=None, now=NOW
        )
        database = store.database
        database.kept.close()
        with (
            exclusive(database, "daemon"),
            pytest.raises(BusyError, match=f"process {os.getpid()}") as caught,
        ):
            restore(lived, copy, now=NOW)
        assert "systemctl stop" in caught.value.hint
    assert look(lived, "SELECT count(*) FROM run") == [(3,)]
    assert len(before)
    assert names(lived.parent) == {"state.db"}


@contextlib.contextmanager
def long_look(path: Path) -> Iterator[None]:
    """Somebody's own program that holds a look at the state, which has something in its log since."""
    with (
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader,
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer,
    ):
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM file").fetchone()
        writer.execute("UPDATE run SET pages = 77")
        yield


def test_somebody_who_reads_is_found_out_soon_and_nothing_is_left_of_the_try(
    lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = backup(lived, tmp_path)
    copied: list[Path] = []
    assert restoring._PATIENCE <= 10
    monkeypatch.setattr(restoring, "_PATIENCE", 0.05)
    real = restoring.copy_state

    def copy_and_tell(source: Path, target: Path, *, owner: Path) -> None:
        copied.append(source)
        real(source, target, owner=owner)

    monkeypatch.setattr(restoring, "copy_state", copy_and_tell)
    with long_look(lived):
        for _ in range(2):
            with pytest.raises(BusyError, match="another process reads the state") as caught:
                restore(lived, copy, now=NOW)
            assert "fuser" in caught.value.hint
        assert names(lived.parent) == {"state.db", "state.db-wal", "state.db-shm"}
    assert copied == [copy, copy]  # the state itself was not copied in vain
    done = restore(lived, copy, now=NOW)
    assert done.kept is not None
    assert look(done.kept, "SELECT DISTINCT pages FROM run") == [(77,)]


def test_a_damaged_state_that_somebody_reads_is_replaced_all_the_same(
    lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = backup(lived, tmp_path)
    monkeypatch.setattr(restoring, "_PATIENCE", 0.05)
    monkeypatch.setattr(restoring, "_is_sound", lambda path: False)
    with long_look(lived):
        done = restore(lived, copy, now=NOW)
    assert done.kept is not None
    assert look(done.kept, "SELECT DISTINCT pages FROM run") == [(77,)]
    assert look(lived, "SELECT DISTINCT pages FROM run") == [(0,)]


def test_a_state_that_is_locked_is_not_taken_for_a_damaged_one(
    lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = backup(lived, tmp_path)
    monkeypatch.setattr(restoring, "_PATIENCE", 0.05)
    with contextlib.closing(sqlite3.connect(lived, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("UPDATE run SET pages = 77")
        with pytest.raises(BusyError):
            restore(lived, copy, now=NOW)
        assert not [name for name in names(lived.parent) if "bak" in name]


def test_what_killed_tries_left_beside_the_state_is_swept(lived: Path, tmp_path: Path) -> None:
    copy = backup(lived, tmp_path)
    begun = ".state.db.20260201T120000Z"
    gone = [f"{begun}.bak.tmp", f"{begun}.bak.tmp-journal", f"{begun}-2.bak-wal.tmp"]
    gone.append(f".state.db.{NEWEST}.20260201T120000Z.bak.tmp")
    held, others = f"{begun}-3.bak.tmp", {".state.db.mine.bak.tmp", ".other.db.20260201T120000Z.bak.tmp"}
    for name in (*gone, held, *others):
        (lived.parent / name).write_bytes(b"half")
    with open(lived.parent / held, "rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        done = restore(lived, copy, now=NOW)
    assert done.kept is not None
    assert names(lived.parent) == {"state.db", done.kept.name, held, *others}


@pytest.mark.parametrize("spelling", ["link", "real"])
def test_nothing_is_restored_under_a_daemon_whatever_it_calls_the_state(
    lived: Path, tmp_path: Path, spelling: str
) -> None:
    copy = backup(lived, tmp_path)
    link = tmp_path / "link.db"
    link.symlink_to(lived)
    daemons, other = (link, lived) if spelling == "link" else (lived, link)
    with opened(daemons), pytest.raises(BusyError, match="another process works with"):
        restore(other, copy, now=NOW)
    with opened(daemons) as store, exclusive(store.database, "daemon"):
        store.database.kept.close()
        with pytest.raises(BusyError, match=f"a daemon works with .*process {os.getpid()}"):
            restore(other, copy, now=NOW)
    restore(other, copy, now=NOW)


def test_a_state_in_a_folder_with_an_odd_name_is_restored_there(lived: Path, tmp_path: Path) -> None:
    copy = backup(lived, tmp_path)
    for name in ("per%20c", "we?ird"):
        path = tmp_path / name / "state.db"
        restore(path, copy, now=NOW)
        assert names(path.parent) == {"state.db"}
        assert look(path, "SELECT count(*) FROM run") == [(2,)]
    assert names(tmp_path) == {"state", "backup.db", "per%20c", "we?ird"}


def test_a_run_of_another_host_keeps_a_backup_away_as_long_as_it_is_heard_of(
    lived: Path, tmp_path: Path
) -> None:
    copy = backup(lived, tmp_path)
    with opened(lived) as store:
        run = store.runs.begin(OTHER, Trigger.MANUAL, now=NOW)
        with store.database.write() as connection:
            connection.execute(update(tables.run).where(tables.run.c.id == run.id).values(host="elsewhere"))
    with pytest.raises(BusyError, match="elsewhere"):
        restore(lived, copy, now=NOW)
    restore(lived, copy, now=NOW + HOUR)


def test_while_a_backup_takes_its_place_nobody_opens_the_state(
    lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = backup(lived, tmp_path)
    refused: list[str] = []

    def put_in_place(*arguments: object, **options: object) -> None:
        thread = threading.Thread(target=try_to_open)
        thread.start()
        thread.join()

    def try_to_open() -> None:
        try:
            open_store(url_of(lived), upgrade=True).database.close()
        except BusyError as error:
            refused.append(error.message)

    monkeypatch.setattr(restoring, "put_in_place", put_in_place)
    restore(lived, copy, now=NOW)
    assert refused == [f"the state {lived} is being restored or vacuumed"]


@pytest.mark.parametrize("step", ["prepare", "settle", "seal", "_set_aside", "durable_replace"])
def test_a_restoration_that_is_cut_leaves_the_former_state_whole(
    step: str, lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = backup(lived, tmp_path)
    with opened(lived) as store:
        store.runs.begin(OTHER, Trigger.MANUAL, now=NOW)
        end_all_runs(store)
    real = getattr(restoring, step)

    def cut(*arguments: object, **options: object) -> None:
        if step != "durable_replace":
            real(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(restoring, step, cut)
    with pytest.raises(KeyboardInterrupt):
        restore(lived, copy, now=NOW)
    assert look(lived, "SELECT count(*) FROM run") == [(3,)]
    assert look(lived, "PRAGMA integrity_check") == [("ok",)]
    assert names(lived.parent) <= {"state.db", "state.db.20260301T120000Z.bak", ".state.db.restored"}
    monkeypatch.undo()
    restore(lived, copy, now=NOW)
    assert look(lived, "SELECT count(*) FROM run") == [(2,)]
    assert ".state.db.restored" not in names(lived.parent)


def test_a_log_that_the_former_state_left_is_not_taken_for_the_new_one_s(lived: Path, tmp_path: Path) -> None:
    copy = backup(lived, tmp_path)
    child = subprocess.Popen(
        [sys.executable, "-c", _WRITER, url_of(lived)], stdout=subprocess.PIPE, text=True, cwd=PROJECT
    )
    assert child.stdout is not None
    child.stdout.readline()
    child.kill()
    child.communicate()
    assert lived.with_name("state.db-wal").stat().st_size > 0
    done = restore(lived, copy, now=NOW)
    assert done.kept is not None
    assert names(lived.parent) == {"state.db", done.kept.name}
    assert look(lived, "SELECT count(*) FROM root") == [(1,)]
    ((rows,),) = look(done.kept, "SELECT count(*) FROM root")
    assert isinstance(rows, int)
    assert rows > 40  # what was in the log is kept with it


def test_a_damaged_state_is_replaced_and_kept_as_it_is(lived: Path, tmp_path: Path) -> None:
    copy = backup(lived, tmp_path)
    content = bytearray(lived.read_bytes())
    content[:60_000] = b"\xff" * 60_000
    lived.write_bytes(content)
    lived.with_name("state.db-wal").write_bytes(b"what is left of a log")
    done = restore(lived, copy, now=NOW)
    assert done.kept is not None
    assert done.kept.read_bytes() == bytes(content)
    assert done.kept.with_name(done.kept.name + "-wal").read_bytes() == b"what is left of a log"
    assert look(lived, "SELECT count(*) FROM run") == [(2,)]
    assert "state.db-wal" not in names(lived.parent)


def test_a_state_that_is_lost_is_made_from_its_backup(lived: Path, tmp_path: Path) -> None:
    copy = backup(lived, tmp_path)
    elsewhere = tmp_path / "new" / "deeper" / "state.db"
    done = restore(elsewhere, copy, now=NOW)
    assert done.kept is None
    assert names(elsewhere.parent) == {"state.db"}
    assert elsewhere.stat().st_mode & 0o777 == 0o640
    with opened(elsewhere) as store:
        assert len(store.runs.history(profile=None, limit=5)) == 2


def test_what_changed_on_disk_since_the_backup_is_doubted_and_what_is_missing_left_for_the_run(
    path: Path, tmp_path: Path
) -> None:
    from jwstwatch.disk import markers

    root = tmp_path / "data"
    same, touched, longer, missing = file_names(4)
    identity = markers.establish(root, expected=None, files=0)
    with opened(path) as store:
        desk = Desk.set_up(store, root)
        store.roots.set_identity(desk.root.id, identity)
        desk.fetch(same, touched, longer, missing)
        end_all_runs(store)
        copy = backup(path, tmp_path)
        (batch,) = store.roots.copies(desk.root.id)
    known = {each.path: each for each in batch}
    (root / "01345").mkdir()
    for name, size in ((same, 1000), (touched, 1000), (longer, 1200)):
        place = root / "01345" / name
        place.write_bytes(b"x" * size)
        recorded = known[f"01345/{name}"].modified_ns
        assert recorded is not None
        os.utime(place, ns=(recorded, recorded + (name == touched)))
    done = restore(path, copy, now=NOW)
    assert (done.changed, done.away) == (2, ())
    with opened(path) as store:
        found = {copy.path.rpartition("/")[2] for batch in store.roots.copies(desk.root.id) for copy in batch}
        assert found == {same, missing}
        (doubted,) = store.reports.product(touched)[0].files
        assert (doubted.state, doubted.sha256) == (FileState.WANTED, None)
        assert doubted.reason == "changed on disk since the backup"


def test_a_root_that_is_away_is_told(lived: Path, tmp_path: Path) -> None:
    done = restore(lived, backup(lived, tmp_path), now=NOW)
    assert (done.changed, done.away) == (0, (tmp_path / "data",))


def test_a_state_that_is_reached_through_a_link_stays_there(lived: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(lived)
    copy = backup(link, tmp_path)
    done = restore(link, copy, now=NOW)
    assert link.is_symlink()
    assert done.kept is not None
    assert done.kept.parent == lived.parent


def test_a_schema_is_read_whatever_it_is_called(lived: Path) -> None:
    with opened(lived) as store, store.database.write() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    with pytest.raises(StateError):
        restore(lived.with_name("other.db"), lived, now=NOW)
