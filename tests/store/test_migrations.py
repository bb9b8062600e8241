"""Migrations: they build what the models say, copy before they change, and never go backwards unasked."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, select, text

from jwstwatch.core.model import FileState, Trigger
from jwstwatch.core.naming import parse_obs_id
from jwstwatch.errors import BusyError, ExitCode, StateError, StorageError
from jwstwatch.store import backups, migrate, schema, tables, tallies, triggers
from jwstwatch.store.engine import Database, sqlite_path
from jwstwatch.store.locks import exclusive
from jwstwatch.store.schema import NEWEST, SCHEMAS
from jwstwatch.store.store import open_store
from tests.conftest import PROJECT
from tests.store.conftest import POSTGRES, SQLITE
from tests.store.desk import NOW, PROFILE, Desk, file_names

Open = Callable[..., Database]

LATER = f"{int(NEWEST) + 1:04d}"
"""What the next schema may be called."""


def alembic_on(database: Database) -> Config:
    config = migrate.alembic_config()
    config.attributes["engine"] = database.engine
    return config


def plain(index: Any) -> str:
    """An index in words; conditions are objects, told by their text."""
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return repr({**index, "dialect_options": options})


def describe(engine: Engine) -> dict[str, Any]:
    """Return all of a schema that can be told, in an order of its own."""
    found: dict[str, Any] = {}
    inspector = inspect(engine)
    for table in sorted(set(inspector.get_table_names()) - {"alembic_version"}):
        found[table] = {
            "columns": [
                {name: str(value) for name, value in column.items() if name != "comment"}
                for column in inspector.get_columns(table)
            ],
            "key": inspector.get_pk_constraint(table),
            "foreign": sorted(map(repr, inspector.get_foreign_keys(table))),
            "unique": sorted(map(repr, inspector.get_unique_constraints(table))),
            "indexes": sorted(map(plain, inspector.get_indexes(table))),
            "checks": sorted(map(repr, inspector.get_check_constraints(table))),
        }
    return found | triggers_of(engine)


def triggers_of(engine: Engine) -> dict[str, Any]:
    """Return every trigger, and what it does, whatever its line breaks; nothing where there is none."""
    query = "SELECT name, sql, '', '' FROM sqlite_master WHERE type = 'trigger'"
    if engine.dialect.name != "sqlite":
        query = """SELECT tgname, pg_get_triggerdef(pg_trigger.oid), prosrc, proconfig::text FROM pg_trigger
            JOIN pg_proc ON pg_proc.oid = tgfoid WHERE NOT tgisinternal"""
    with engine.connect() as connection:
        return {
            f"trigger {name}": [" ".join((each or "").split()) for each in does]
            for name, *does in connection.execute(text(query))
        }


def test_the_migrations_build_what_the_models_say(empty_url: str, open_at: Open) -> None:
    database = open_at(empty_url)
    assert migrate.upgrade(database) is None  # nothing was there to be copied
    with database.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, tables.metadata) == []


@pytest.mark.parametrize("backend", [SQLITE])
def test_the_migrations_and_the_models_agree_on_what_alembic_does_not_compare(
    url: str, empty_url: str, open_at: Open
) -> None:
    made = open_at(empty_url)
    tables.metadata.create_all(made.engine)
    with made.write() as connection:
        triggers.create(connection)
    assert describe(open_at(url).engine) == describe(made.engine)


@pytest.mark.parametrize("backend", [POSTGRES])
def test_the_migrations_and_the_models_agree_on_postgresql_too(
    url: str, empty_url: str, open_at: Open
) -> None:
    made = open_at(empty_url)
    tables.metadata.create_all(made.engine)
    with made.write() as connection:
        triggers.create(connection)
    assert describe(open_at(url).engine) == describe(made.engine)


def test_a_schema_can_be_taken_down_to_nothing_and_built_again(empty_url: str, open_at: Open) -> None:
    database = open_at(empty_url)
    migrate.upgrade(database)
    before = describe(database.engine)
    command.downgrade(alembic_on(database), "base")
    assert describe(database.engine) == {}
    assert migrate.current_revision(database) is None
    migrate.upgrade(database)
    assert describe(database.engine) == before
    assert migrate.is_current(database)


def test_the_program_knows_its_schemas_without_alembic() -> None:
    script = ScriptDirectory.from_config(migrate.alembic_config())
    assert [entry.revision for entry in script.walk_revisions()] == list(reversed(SCHEMAS))
    assert script.get_current_head() == NEWEST


FIRST = {
    "root": {"id": 1, "uuid": "u", "path": "/data", "created_at": NOW},
    "profile": {"name": PROFILE, "query_digest": "d", "floor": 59000.5, "created_at": NOW},
    "run": {
        "id": 1,
        "profile": PROFILE,
        "trigger": "schedule",
        "outcome": "complete",
        "started_at": NOW,
        "heartbeat_at": NOW,
        "host": "h",
        "pid": 7,
        "process_start": "s",
        "observations": 3,
    },
    "observation": {"id": 1, "obs_id": "o", "obsid": 5, "first_seen_at": NOW},
    "interest": {"profile": PROFILE, "observation_id": 1},
    "product": {
        "id": 1,
        "uri": "mast:JWST/product/n",
        "name": "n",
        "filetype": "_rate.fits",
        "revision": 2,
        "exclusive": False,
        "facts": {"http.etag": "e"},
        "first_seen_at": NOW,
        "changed_at": NOW,
    },
    "listing": {"product_id": 1, "parent_obsid": 5, "obsid": 6, "obs_id": "n", "revision": 2},
    "file": {
        "id": 1,
        "root_id": 1,
        "path": "01345/n",
        "product_id": 1,
        "state": "present",
        "size": 12,
        "changed_at": NOW,
        "declined": False,
        "superseded": False,
        "unselected": False,
        "priority": 1,
        "attempts": 0,
        "claimed_by": 1,
    },
    "want": {"profile": PROFILE, "file_id": 1, "product_id": 1},
    "intent": {
        "file_id": 1,
        "revision": 2,
        "size": 12,
        "sha256": "x",
        "part": ".n.2.part",
        "run_id": 1,
        "created_at": NOW,
    },
    "event": {"id": 1, "at": NOW, "product_id": 1, "file_id": 1, "kind": "fetched"},
    "page": {"root_id": 1, "proposal": 1345, "changes": 2, "written": 1, "settings": ""},
}
"""A row for each table of the first schema but `keywords`: since the fifth its values are kept otherwise."""


def held(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Return what `FIRST` names of every row of the first schema's tables."""
    with database.read() as connection:
        return {
            name: [
                dict(row._mapping)
                for row in connection.execute(select(*(tables.metadata.tables[name].c[key] for key in row)))
            ]
            for name, row in FIRST.items()
        }


def test_rows_outlive_every_upgrade_and_its_way_back(empty_url: str, open_at: Open) -> None:
    database = open_at(empty_url)
    command.upgrade(alembic_on(database), SCHEMAS[0])
    first = describe(database.engine)
    with database.write() as connection:
        for name, row in FIRST.items():
            connection.execute(tables.metadata.tables[name].insert().values(row))
    for _ in range(2):
        for newer in SCHEMAS[1:]:
            command.upgrade(alembic_on(database), newer)
        assert migrate.is_current(database)
        assert held(database) == {name: [row] for name, row in FIRST.items()}
        with database.read() as connection:
            run = connection.execute(select(tables.run)).one()
            profile = connection.execute(select(tables.profile)).one()
        assert (run.found, run.from_floor, profile.approved_bytes) == (None, None, None)
        with database.write() as connection:
            connection.execute(tables.run.update().values(found=4, from_floor=True))
            connection.execute(tables.profile.update().values(approved_bytes=10**13))
        for older in reversed(SCHEMAS[:-1]):
            command.downgrade(alembic_on(database), older)
        assert describe(database.engine) == first
        assert held(database) == {name: [row] for name, row in FIRST.items()}


def test_copies_that_were_there_count_as_arrivals_of_the_hour_of_their_last_change(
    empty_url: str, open_at: Open
) -> None:
    database = open_at(empty_url)
    command.upgrade(alembic_on(database), "0004")
    with database.write() as connection:
        for name in ("root", "profile", "run"):
            connection.execute(tables.metadata.tables[name].insert().values(FIRST[name]))
        file = FIRST["file"] | {"revision": 1, "changed_at": NOW.replace(minute=59)}
        for number, (size, kind, changes) in enumerate(
            [
                (12, "fetched", {}),
                (30, "adopted", {}),
                (50, "fetched", {"revision": 2, "proposal": 1345}),
                (None, "failed", {"state": "wanted"}),
            ],
            start=1,
        ):
            proposal = changes.pop("proposal", None)
            made = FIRST["product"] | {
                "id": number,
                "uri": f"u{number}",
                "name": f"n{number}",
                "proposal": proposal,
            }
            connection.execute(tables.product.insert().values(made))
            row = file | {"id": number, "product_id": number, "path": f"p{number}", "size": size} | changes
            connection.execute(tables.file.insert().values(row))
            event = FIRST["event"] | {"id": number, "product_id": number, "file_id": number, "kind": kind}
            connection.execute(tables.event.insert().values(event))
    command.upgrade(alembic_on(database), "0005")
    with database.read() as connection:
        query = select(tables.arrival).order_by(tables.arrival.c.proposal)
        found = [tuple(row) for row in connection.execute(query)]
    hour = NOW.replace(minute=0)
    assert found == [(1, hour, 0, 1, 12, 0, 42), (1, hour, 1345, 1, 50, 1, 50)]


def test_observations_that_were_known_get_the_numbers_that_new_ones_get(
    empty_url: str, open_at: Open
) -> None:
    database = open_at(empty_url)
    command.upgrade(alembic_on(database), "0004")
    names = [
        "jw01345-o003_t001_nircam_clear-f200w",
        "jw01345004001_02101_00001_nrca1",
        "jw01345005001_xx101_00001_nrca1",
        "jw01345006001",
        "jw01345-o007",
        "jw01345-c1001_t001_nircam_clear-f200w",
        "jw01345-o0083",
        "jw013450090010",
        "hst_1345_o003",
    ]
    with database.write() as connection:
        for number, name in enumerate(names, 1):
            row = FIRST["observation"] | {"id": number, "obsid": number, "obs_id": name}
            connection.execute(tables.observation.insert().values(row))
    command.upgrade(alembic_on(database), "0005")
    with database.read() as connection:
        query = select(tables.observation.c.obs_id, tables.observation.c.obsnum)
        found = {row.obs_id: row.obsnum for row in connection.execute(query)}
    assert found == {name: parse_obs_id(name).obsnum for name in names}
    assert sorted(found.values(), key=str) == [3, 4, 5, 6, 7, None, None, None, None]


def test_what_is_there_already_is_counted_once_and_then_kept_up(empty_url: str, open_at: Open) -> None:
    database = open_at(empty_url)
    command.upgrade(alembic_on(database), "0005")
    with database.write() as connection:
        for name in ("root", "profile", "run"):
            connection.execute(tables.metadata.tables[name].insert().values(FIRST[name]))
        for number, state in enumerate(("present", "stale", "gone", "wanted", "gone"), 1):
            made = FIRST["product"] | {"id": number, "uri": f"u{number}", "size": 2**62}
            connection.execute(tables.product.insert().values(made))
            size = number * 10 if number < 4 else None
            row = {"id": number, "product_id": number, "path": f"p{number}", "state": state, "size": size}
            connection.execute(tables.file.insert().values(FIRST["file"] | {"revision": 1} | row))
            want = {"file_id": number, "product_id": number, "keeps": number == 2}
            connection.execute(tables.want.insert().values(FIRST["want"] | want))
    command.upgrade(alembic_on(database), "0006")
    with database.read() as connection:
        assert list(tallies.discrepancies(connection)) == []
        found = [(each.state, each.kept, each.files, each.present) for each in tallies.tallies(connection)]
        copies = connection.execute(text("SELECT copies FROM root")).scalar_one()
    told = [(FileState.GONE, False, 2, 30), (FileState.PRESENT, False, 1, 10), (FileState.STALE, True, 1, 20)]
    assert found == [*told, (FileState.WANTED, False, 1, 0)]
    assert copies == 3
    with database.write() as connection:
        connection.execute(tables.file.delete().where(tables.file.c.id != 2))
        assert [each.state for each in tallies.tallies(connection)] == [FileState.STALE]


def test_a_state_of_the_first_schema_is_upgraded_when_it_is_opened(empty_url: str, open_at: Open) -> None:
    database = open_at(empty_url)
    command.upgrade(alembic_on(database), SCHEMAS[0])
    with database.write() as connection:
        connection.execute(tables.metadata.tables["run"].insert().values(FIRST["run"]))
    with pytest.raises(StateError, match="older jwstwatch") as caught:
        open_store(empty_url, upgrade=False)
    assert "jwstwatch db upgrade" in caught.value.hint
    with open_store(empty_url, upgrade=True) as store:
        (run,) = store.runs.history(profile=None, limit=5)
        assert (run.counts.observations, run.counts.found) == (3, None)
        assert store.notices.holding() == []


def test_a_state_of_today_is_neither_copied_nor_changed(url: str, open_at: Open) -> None:
    assert migrate.upgrade(open_at(url)) is None
    with open_store(url, upgrade=True) as store:
        store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW)
    with open_store(url, upgrade=False) as store:
        assert len(store.runs.history(profile=None, limit=5)) == 1
    path = sqlite_path(open_at(url).engine.url)
    assert path is None or not list(path.parent.glob("*.bak"))


@pytest.mark.parametrize("upgrade", [True, False])
def test_a_state_of_a_newer_program_is_refused_and_left_alone(
    upgrade: bool, own_url: str, open_at: Open
) -> None:
    database = open_at(own_url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StateError, match=r"newer jwstwatch \(schema 9999\)") as caught:
        open_store(own_url, upgrade=upgrade)
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.hint
    assert migrate.current_revision(database) == "9999"


def test_who_only_looks_at_an_older_state_is_told_how_to_upgrade_it(empty_url: str, open_at: Open) -> None:
    with pytest.raises(StateError, match="has not been set up, or was written by an older") as caught:
        open_store(empty_url, upgrade=False)
    assert caught.value.exit_code is ExitCode.USAGE
    assert "jwstwatch" in caught.value.hint
    assert describe(open_at(empty_url).engine) == {}


@pytest.fixture
def own_desk(own_url: str, tmp_path: Path) -> Iterator[Desk]:
    """A desk on a state whose schema the test may change."""
    with open_store(own_url, upgrade=False) as store:
        yield Desk.set_up(store, tmp_path / "data")


NEXT = '''
"""What a later version may bring: a new column, and a table built anew, as SQLite needs it."""
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{newest}"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("run", sa.Column("remark", sa.Text()))
    with op.batch_alter_table("file", recreate="auto") as batch:
        batch.alter_column("path", type_=sa.String(4096))
    {more}


def downgrade():
    op.drop_column("run", "remark")
'''


@pytest.fixture
def later_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make this program one version newer; `more` are statements that its migration ends with."""

    def install(more: str = "") -> None:
        folder = tmp_path / "migrations"
        shutil.copytree(PROJECT / "migrations", folder, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "versions" / f"{LATER}_next.py").write_text(
            NEXT.format(more=more, revision=LATER, newest=NEWEST)
        )
        config = Config()
        config.set_main_option("script_location", str(folder))
        monkeypatch.setattr(migrate, "alembic_config", lambda: config)
        monkeypatch.setattr(schema, "SCHEMAS", (*SCHEMAS, LATER))
        monkeypatch.setattr(schema, "NEWEST", LATER)

    return install


def test_an_older_state_is_copied_before_it_is_upgraded(
    own_desk: Desk, own_url: str, open_at: Open, later_version: Callable[..., None]
) -> None:
    ids = own_desk.fetch(*file_names(3))
    claimed = own_desk.want("jw01345001001_02101_00009_nrca1_rate.fits")
    (claim,) = own_desk.claim()
    own_desk.intend(claim)
    own_desk.store.database.close()
    later_version()
    database = open_at(own_url)
    copy = migrate.upgrade(database)
    assert migrate.current_revision(database) == LATER
    with database.read() as connection:
        assert connection.execute(text("SELECT remark FROM run")).scalars().all() == [None]
        # What refers to a table that was built anew has not gone with the old one.
        wanted = set(connection.execute(select(tables.want.c.file_id)).scalars())
        assert wanted == {*ids.values(), *claimed.values()}
        assert connection.execute(select(tables.intent.c.file_id)).scalars().all() == [claim.file_id]
    path = sqlite_path(database.engine.url)
    if path is None:
        assert copy is None  # PostgreSQL has its own ways
        return
    assert copy is not None
    assert copy.parent == path.parent
    assert f".{NEWEST}." in copy.name
    assert copy.stat().st_mode & 0o777 == 0o640
    with open_at(own_url).read() as connection:  # references are watched again
        assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
    saved = sqlite3.connect(copy)
    assert saved.execute("SELECT version_num FROM alembic_version").fetchall() == [(NEWEST,)]
    assert saved.execute("SELECT count(*) FROM file WHERE state = 'present'").fetchall() == [(3,)]
    assert saved.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    saved.close()


def test_a_migration_that_fails_leaves_the_state_as_it_was(
    own_desk: Desk, own_url: str, open_at: Open, later_version: Callable[..., None]
) -> None:
    own_desk.fetch(*file_names(2))
    own_desk.store.database.close()
    later_version("raise RuntimeError('midway')")
    before = describe(open_at(own_url).engine)
    with pytest.raises(RuntimeError, match="midway"):
        migrate.upgrade(open_at(own_url))
    after = open_at(own_url)
    assert describe(after.engine) == before
    assert migrate.current_revision(after) == NEWEST
    with after.read() as connection:
        assert len(connection.execute(select(tables.want)).all()) == 2


@pytest.mark.parametrize("backend", [SQLITE])
def test_a_migration_that_would_leave_rows_astray_is_taken_back(
    own_desk: Desk, own_url: str, open_at: Open, later_version: Callable[..., None]
) -> None:
    own_desk.fetch(*file_names(2))
    own_desk.store.database.close()
    later_version("op.execute('DELETE FROM file')")
    with pytest.raises(StateError, match="want"):
        migrate.upgrade(open_at(own_url))
    with open_at(own_url).read() as connection:
        assert len(connection.execute(select(tables.file)).all()) == 2


def test_a_migration_waits_for_nobody_who_migrates_already(empty_url: str, open_at: Open) -> None:
    with exclusive(open_at(empty_url), "migration"), pytest.raises(BusyError, match="another migration"):
        migrate.upgrade(open_at(empty_url))
    migrate.upgrade(open_at(empty_url))


@pytest.mark.parametrize("backend", [SQLITE])
def test_who_comes_second_finds_nothing_to_do(
    own_url: str, open_at: Open, later_version: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    later_version()
    copies: list[Path | None] = []

    @contextmanager
    def outrun(database: Database, purpose: str) -> Iterator[None]:
        # Another process has upgraded between the look at the schema and the lock.
        monkeypatch.setattr(migrate, "exclusive", exclusive)
        copies.append(migrate.upgrade(open_at(own_url)))
        with exclusive(database, purpose):
            yield

    monkeypatch.setattr(migrate, "exclusive", outrun)
    assert migrate.upgrade(open_at(own_url)) is None
    assert [copy is not None for copy in copies] == [True]


# Both wait until the other is ready, too.
_CHILD = """
import sys
from pathlib import Path
from jwstwatch.errors import BusyError
from jwstwatch.store.store import open_store
import alembic.command, sqlalchemy
print("ready", flush=True)
sys.stdin.readline()
try:
    open_store(sys.argv[1], upgrade=True).database.close()
    print("upgraded")
except BusyError:
    print("busy")
"""


def test_of_two_processes_that_upgrade_at_once_one_does_it_and_none_breaks_it(
    empty_url: str, url: str, open_at: Open
) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _CHILD, empty_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    said = [child.communicate()[0].strip() for child in children]
    assert set(said) <= {"upgraded", "busy"}
    assert "upgraded" in said
    assert describe(open_at(empty_url).engine) == describe(open_at(url).engine)
    assert migrate.is_current(open_at(empty_url))


@pytest.mark.parametrize("backend", [SQLITE])
def test_the_copy_of_a_state_whose_disk_is_full_is_no_half_copy(
    own_url: str, open_at: Open, later_version: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = open_at(own_url)
    later_version()

    class Full(sqlite3.Connection):
        def backup(self, *arguments: Any, **options: Any) -> None:
            raise sqlite3.OperationalError("database or disk is full")

    connect = sqlite3.connect
    monkeypatch.setattr(
        backups.sqlite3, "connect", lambda path, **options: connect(path, factory=Full, **options)
    )
    with pytest.raises(StorageError, match="is full") as caught:
        migrate.upgrade(database)
    assert caught.value.exit_code is ExitCode.STORAGE
    assert migrate.current_revision(database) == NEWEST
    path = sqlite_path(database.engine.url)
    assert path is not None
    assert not list(path.parent.glob("*.bak"))
    assert not list(path.parent.glob("*.tmp"))


@pytest.mark.parametrize("backend", [POSTGRES])
def test_what_a_run_of_the_former_version_does_while_the_schema_changes_is_counted(
    empty_url: str, open_at: Open
) -> None:
    database = open_at(empty_url)
    command.upgrade(alembic_on(database), "0005")
    with database.write() as connection:
        for name in ("root", "profile", "run", "product", "file", "want"):
            connection.execute(tables.metadata.tables[name].insert().values(FIRST[name]))
    with ThreadPoolExecutor() as pool:
        with open_at(empty_url).write() as connection:
            connection.execute(tables.want.update().values(profile="other"))
            upgrading = pool.submit(migrate.apply, database)
            with open_at(empty_url).engine.connect() as look:
                while not look.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar():
                    assert not upgrading.done()
        upgrading.result()
    with database.read() as connection:
        assert [each.profile for each in tallies.tallies(connection)] == ["other"]
        assert list(tallies.discrepancies(connection)) == []
