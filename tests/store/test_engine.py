"""The state keeps what it is told, and says plainly when it cannot."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from jwstwatch.core.model import Trigger
from jwstwatch.errors import (
    BusyError,
    ConfigurationError,
    ExitCode,
    JwstwatchError,
    StateAwayError,
    StateError,
    StorageError,
)
from jwstwatch.store import engine, sqlite_files, tables
from jwstwatch.store.engine import Database, open_database, parse_url, sqlite_path, sqlite_url
from jwstwatch.store.store import open_store
from tests.store.conftest import POSTGRES, SQLITE
from tests.store.desk import NOW, PROFILE

Open = Callable[..., Database]

only_sqlite = pytest.mark.parametrize("backend", [SQLITE])
only_postgres = pytest.mark.parametrize("backend", [POSTGRES])

ROOT = {"uuid": "u", "path": "/data", "created_at": NOW}


def ask(database: Database, statement: str) -> Any:
    with database.read() as connection:
        return connection.execute(text(statement)).scalar()


@contextmanager
def as_nobody() -> Iterator[None]:
    """Go on without the privileges of root, who may write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's own; nobody but its owner may write there."""
    with tempfile.TemporaryDirectory(prefix="jwstwatch-engine-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@only_sqlite
def test_sqlite_is_opened_so_that_it_loses_nothing(url: str, open_at: Open) -> None:
    database = open_at(url, busy_timeout=1.5)
    assert ask(database, "PRAGMA journal_mode") == "wal"
    assert ask(database, "PRAGMA synchronous") == 2
    assert ask(database, "PRAGMA foreign_keys") == 1
    assert ask(database, "PRAGMA busy_timeout") == 1500
    # Each thread has a connection of its own, and each is prepared.
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(ask(database, "PRAGMA foreign_keys"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1, 1, 1, 1]


def write_much(database: Database, *, named: str = "much") -> None:
    """Write more than SQLite's log keeps, in one transaction."""
    rows = [
        {"cause": f"{named} {number}", "kind": "noise", "text": "x" * 10_000, "first_at": NOW, "last_at": NOW}
        for number in range(1000)
    ]
    with database.write() as connection:
        connection.execute(insert(tables.notice), rows)


def test_the_log_is_small_again_after_a_large_transaction(
    tmp_path: Path, open_at: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "LOG_KEPT", 1_000_000)
    url = f"sqlite:///{tmp_path / 'state.db'}"
    database, other = open_at(url), open_at(url)
    tables.metadata.create_all(database.engine, tables=[tables.root, tables.notice])
    log = sqlite_files.log_of(tmp_path / "state.db")
    with other.read() as reader:
        before = reader.execute(text("SELECT count(*) FROM notice")).scalar_one()
        write_much(database)
        # Somebody who reads on holds nobody up: not who writes, and not who would empty the log.
        assert not database.fold_log()
        with database.write() as connection:
            connection.execute(insert(tables.root).values(ROOT))
        assert reader.execute(text("SELECT count(*) FROM notice")).scalar_one() == before == 0
        assert log.stat().st_size > 10_000_000
    assert ask(database, "SELECT count(*) FROM notice") == 1000
    # Once all of it is in the state, the next to write begins the log anew, and cuts off what is too much.
    for number in range(2):
        with database.write() as connection:
            connection.execute(insert(tables.root).values(ROOT | {"uuid": f"{number}", "path": f"{number}"}))
    assert log.stat().st_size <= 1_000_000
    write_much(database, named="more")
    other.close()  # others have the state open still
    assert log.stat().st_size == 0
    assert ask(database, "SELECT count(*) FROM notice") == 2000


@only_sqlite
def test_whoever_only_looks_leaves_the_log_as_it_is(url: str, open_at: Open) -> None:
    database = open_at(url)
    with database.write() as connection:
        connection.execute(insert(tables.root).values(ROOT))
    path = sqlite_path(database.engine.url)
    assert path is not None
    before = sqlite_files.log_of(path).read_bytes()
    assert before
    looker = open_database(url, look=True)
    assert ask(looker, "SELECT count(*) FROM root") == 1
    looker.close()
    assert sqlite_files.log_of(path).read_bytes() == before


def test_a_row_that_refers_to_nothing_is_refused(url: str, open_at: Open) -> None:
    database = open_at(url)
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(
            insert(tables.file).values(root_id=7, path="x", product_id=7, state="wanted", changed_at=NOW)
        )


def test_a_file_state_that_no_program_knows_is_refused(url: str, open_at: Open) -> None:
    database = open_at(url)
    with database.write() as connection:
        root = connection.execute(insert(tables.root).values(ROOT).returning(tables.root.c.id)).scalar_one()
        product = connection.execute(
            insert(tables.product)
            .values(uri="u", name="n", filetype="f", first_seen_at=NOW, changed_at=NOW)
            .returning(tables.product.c.id)
        ).scalar_one()
    values = {"root_id": root, "path": "x", "product_id": product, "changed_at": NOW}
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(insert(tables.file).values(values | {"state": "half"}))
    with database.write() as connection:
        connection.execute(insert(tables.file).values(values | {"state": "gone"}))


def test_what_fails_in_a_transaction_leaves_nothing_behind(url: str, open_at: Open) -> None:
    database = open_at(url)

    def give_up_midway() -> None:
        with database.write() as connection:
            connection.execute(insert(tables.root).values(ROOT))
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        give_up_midway()
    assert ask(database, "SELECT count(*) FROM root") == 0


def test_a_read_sees_one_moment_whatever_is_committed_beside_it(url: str, open_at: Open) -> None:
    reader, writer = open_at(url), open_at(url)
    with reader.read() as connection:
        before = connection.execute(text("SELECT count(*) FROM root")).scalar_one()
        with writer.write() as other:
            other.execute(insert(tables.root).values(ROOT))
        after = connection.execute(text("SELECT count(*) FROM root")).scalar_one()
    assert (before, after) == (0, 0)
    assert ask(reader, "SELECT count(*) FROM root") == 1


def test_a_writer_that_waits_longer_than_the_timeout_says_that_the_state_is_busy(
    url: str, open_at: Open
) -> None:
    holder, waiting = open_at(url), open_at(url, busy_timeout=0.1)
    with holder.write() as connection:
        connection.execute(insert(tables.root).values(ROOT))
        with pytest.raises(BusyError, match="locked by another process") as caught, waiting.write() as other:
            other.execute(insert(tables.root).values(ROOT))
        # Reading goes on meanwhile.
        assert ask(waiting, "SELECT count(*) FROM root") == 0
    assert caught.value.exit_code is ExitCode.BUSY
    assert caught.value.hint
    assert ask(waiting, "SELECT count(*) FROM root") == 1


def test_what_two_writers_read_before_they_write_is_not_outdated(url: str, open_at: Open) -> None:
    first, second = open_at(url), open_at(url)
    inside, found = threading.Event(), []

    def count() -> None:
        inside.wait()
        with second.write() as connection:
            found.append(connection.execute(text("SELECT count(*) FROM root")).scalar_one())

    thread = threading.Thread(target=count)
    thread.start()
    with first.write() as connection:
        inside.set()
        thread.join(timeout=0.2)
        connection.execute(insert(tables.root).values(ROOT))
    thread.join()
    assert found == [1]


def test_times_come_back_aware_and_in_utc(url: str, open_at: Open) -> None:
    database = open_at(url)
    moment = datetime(2026, 3, 29, 3, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    with database.write() as connection:
        connection.execute(insert(tables.root).values(ROOT | {"created_at": moment}))
    with database.read() as connection:
        read = connection.execute(select(tables.root.c.created_at)).scalar_one()
        assert connection.execute(
            select(tables.root.c.id).where(tables.root.c.created_at == moment)
        ).scalar_one()
    assert read == moment
    assert read.tzinfo is UTC


def test_a_time_without_a_zone_is_refused(url: str, open_at: Open) -> None:
    database = open_at(url)
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(StatementError, match="without a zone"), database.write() as connection:
        connection.execute(insert(tables.root).values(ROOT | {"created_at": naive}))
    assert ask(database, "SELECT count(*) FROM root") == 0


def test_a_new_state_is_for_its_owner_and_group_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with open_store(f"sqlite:///{tmp_path / 'new' / 'state.db'}", upgrade=True) as store:
            store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW)
            modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "new").iterdir()}
    finally:
        os.umask(before)
    assert modes.pop("state.db.migration.lock") == 0o640
    assert modes.pop("state.db.restore.lock") == 0o640
    assert set(modes) == {"state.db", "state.db-wal", "state.db-shm"}
    assert set(modes.values()) == {0o640}


def test_a_state_that_may_only_be_read_says_so(open_folder: Path) -> None:
    path = open_folder / "state.db"
    with open_store(f"sqlite:///{path}", upgrade=True):
        pass
    path.chmod(0o644)
    with as_nobody() if os.geteuid() == 0 else read_only(path, open_folder):
        refused(path)


@contextmanager
def read_only(path: Path, folder: Path) -> Iterator[None]:
    path.chmod(0o444)
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(0o755)


def refused(path: Path) -> None:
    database = open_database(f"sqlite:///{path}")
    try:
        with (
            pytest.raises(StorageError, match="may not be written by this user") as caught,
            database.write() as connection,
        ):
            connection.execute(insert(tables.root).values(ROOT))
        assert str(path) in caught.value.message
        assert caught.value.exit_code is ExitCode.STORAGE
        assert caught.value.hint
    finally:
        database.close()


def test_a_folder_that_may_not_be_written_says_so(open_folder: Path) -> None:
    open_folder.chmod(0o555)
    with as_nobody(), pytest.raises(StorageError, match=r"cannot be made: Permission denied") as caught:
        open_store(f"sqlite:///{open_folder / 'deeper' / 'state.db'}", upgrade=True)
    open_folder.chmod(0o755)
    assert caught.value.exit_code is ExitCode.STORAGE


def test_a_lock_that_may_not_be_taken_in_a_folder_says_so(open_folder: Path) -> None:
    # The file is there and empty, its folder belongs to somebody else: nothing can be put beside it.
    path = open_folder / "state.db"
    path.touch()
    path.chmod(0o666)
    open_folder.chmod(0o555)
    with as_nobody(), pytest.raises(StorageError, match="may not be written by this user"):
        open_store(f"sqlite:///{path}", upgrade=True)
    open_folder.chmod(0o755)


@pytest.mark.parametrize("content", [b"GIF89a" * 1000, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_left_alone(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(content)
    with pytest.raises(StateError, match="is not a sound SQLite database") as caught:
        open_store(f"sqlite:///{path}", upgrade=True)
    assert caught.value.exit_code is ExitCode.USAGE
    assert path.read_bytes() == content


def test_a_folder_in_the_place_of_the_state_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=str(tmp_path)):
        open_store(f"sqlite:///{tmp_path}", upgrade=True)


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "lustre", "fuse.sshfs"])
def test_a_network_file_system_is_refused_unless_it_is_allowed(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_files, "file_system_of", lambda folder: kind)
    url = f"sqlite:///{tmp_path / 'state.db'}"
    with pytest.raises(StateError, match=rf"network file system \({kind}\)") as caught:
        open_store(url, upgrade=True)
    assert "--allow-network-state" in caught.value.hint
    assert list(tmp_path.iterdir()) == []
    with open_store(url, upgrade=True, allow_network_state=True) as store:
        store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW)


def test_a_link_to_a_network_file_system_is_refused_and_one_from_there_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away, here = tmp_path / "away", tmp_path / "here"
    away.mkdir()
    here.mkdir()
    monkeypatch.setattr(sqlite_files, "file_system_of", lambda folder: "nfs" if folder == away else "ext4")
    (here / "state.db").symlink_to(away / "state.db")
    with pytest.raises(StateError, match=r"network file system \(nfs\)"):
        open_store(f"sqlite:///{here / 'state.db'}", upgrade=True)
    assert list(away.iterdir()) == []
    (away / "other.db").symlink_to(here / "other.db")
    with open_store(f"sqlite:///{away / 'other.db'}", upgrade=True):
        pass
    assert (here / "other.db").is_file()
    assert [each.name for each in away.iterdir()] == ["other.db"]  # its log and locks are with the file


@pytest.mark.parametrize("name", ["per%20c", "we?ird", "ha#sh", "a@b:c", "sp ace", "50%", "dö"])
def test_the_url_of_a_path_means_that_path_whatever_it_is_called(name: str, tmp_path: Path) -> None:
    path = tmp_path / name / "state.db"
    assert sqlite_path(parse_url(sqlite_url(path))) == path
    with open_store(sqlite_url(path), upgrade=True):
        pass
    assert path.is_file()
    assert [each.name for each in tmp_path.iterdir()] == [name]


MOUNTS = """\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:40 / /mnt/team rw - nfs4 server:/team rw
31 30 0:41 / /mnt/team/scratch rw - xfs /dev/vdb rw
32 22 0:42 / /mnt/with\\040blank rw - cifs //server/share rw
33 22 0:43 / /mnt/données rw - lustre mgs:/fs rw
34 22 0:44 / /mnt/auto rw - autofs systemd-1 rw
35 34 0:45 / /mnt/auto rw - nfs server:/auto rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib/jwstwatch", "ext4"),
        ("/mnt/team/state", "nfs4"),
        ("/mnt/teamwork", "ext4"),
        ("/mnt/team/scratch/state", "xfs"),
        ("/mnt/with blank/state", "cifs"),
        ("/mnt/données/state", "lustre"),
        ("/mnt/auto/state", "nfs"),
    ],
)
def test_the_file_system_of_a_folder_is_that_of_its_nearest_mount(
    folder: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "read_bytes", lambda path: MOUNTS.encode())
    assert sqlite_files.file_system_of(Path(folder)) == kind


def test_the_file_system_of_a_real_folder_is_known(tmp_path: Path) -> None:
    kind = sqlite_files.file_system_of(tmp_path)
    assert kind is None or kind not in ("", "nfs4")


SECRET = "s3cret"


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://team:{SECRET}@127.0.0.1:1/state",
        f"postgresql+psycopg://127.0.0.1:1/state?user=team&password={SECRET}",
        f"postgresql://team:x@{SECRET}@127.0.0.1:1/state",
        f"postgresql://team:pa@127.0.0.1:{SECRET}/state",
        f"postgresql+nosuchdriver://team:{SECRET}@127.0.0.1:1/state",
        f"mysql://team:{SECRET}@127.0.0.1:1/state",
        f"team:{SECRET}@127.0.0.1",
    ],
)
def test_a_password_is_in_no_message(text: str) -> None:
    with pytest.raises(JwstwatchError) as caught:
        open_store(text, upgrade=True)
    error: BaseException | None = caught.value
    assert SECRET not in f"{caught.value.message} {caught.value.hint}"
    # A server that does not answer may do so later.
    away = isinstance(caught.value, StateAwayError)
    assert caught.value.exit_code is (ExitCode.STORAGE if away else ExitCode.USAGE)
    while error is not None:  # what -v would print
        assert SECRET not in str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@pytest.mark.parametrize(
    "text", ["/var/lib/state.db", "nonsense", "mysql://host/name", "oracle://host/name", ""]
)
def test_a_url_that_is_no_state_is_a_mistake_in_the_configuration(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_url(text)
    assert caught.value.hint


@only_postgres
def test_a_server_that_does_not_answer_is_named(url: str) -> None:
    with pytest.raises(StateError, match="cannot be used") as caught:
        open_store("postgresql://team@127.0.0.1:1/state", upgrade=True)
    assert "127.0.0.1:1/state" in caught.value.message
    assert "server" in caught.value.hint


@only_postgres
def test_the_plain_postgresql_scheme_means_the_driver_that_is_installed(url: str, open_at: Open) -> None:
    database = open_at(url.replace("postgresql+psycopg", "postgresql"))
    assert ask(database, "SHOW timezone") == "UTC"
    assert not database.is_sqlite


@only_sqlite
def test_a_full_disk_is_told_from_other_trouble(url: str, open_at: Open) -> None:
    database = open_at(url)
    rows = [ROOT | {"uuid": str(number), "path": "/data" * 100 + str(number)} for number in range(2000)]

    def fill() -> None:
        with database.write() as connection:
            connection.execute(text("PRAGMA max_page_count = 1"))
            connection.execute(insert(tables.root), rows)

    with pytest.raises(StorageError, match=r"disk of the state .* is full"):
        fill()
    assert ask(database, "SELECT count(*) FROM root") == 0


def test_a_table_that_is_missing_does_not_send_sqlite_users_to_a_server(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    sqlite3.connect(path).close()
    database = open_database(f"sqlite:///{path}")
    try:
        with pytest.raises(StateError) as caught, database.read() as connection:
            connection.execute(select(tables.run))
    finally:
        database.close()
    assert "server" not in caught.value.hint


def test_each_row_gets_its_own_time_although_most_rows_of_a_lot_share_one(url: str, open_at: Open) -> None:
    database = open_at(url)
    moments = [
        NOW,
        NOW,
        NOW + timedelta(days=1),
        NOW,
        (NOW + timedelta(days=2)).astimezone(timezone.max),
        None,
    ]
    rows = [
        {"cause": f"{number}", "kind": "k", "text": "", "first_at": NOW, "last_at": NOW, "told_at": moment}
        for number, moment in enumerate(moments)
    ]
    with database.write() as connection:
        connection.execute(insert(tables.notice), rows)
    with database.read() as connection:
        told = connection.execute(select(tables.notice.c.told_at).order_by(tables.notice.c.cause)).scalars()
        assert list(told) == moments
