"""An installed copy finds its migrations as the source tree does."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from jwstwatch.store import migrate
from tests.conftest import PROJECT

_SET_UP = """
import sys
import jwstwatch
from jwstwatch.store import migrate
from jwstwatch.store.store import open_store
with open_store(f"sqlite:///{sys.argv[1]}", upgrade=True) as store:
    print(migrate.current_revision(store.database))
print(jwstwatch.__file__)
print(migrate.alembic_config().get_main_option("script_location"))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, PROJECT],
        check=True,
        capture_output=True,
        cwd=folder,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_migration_and_its_settings(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    versions = {
        f"jwstwatch/migrations/versions/{p.name}" for p in (PROJECT / "migrations/versions").glob("*.py")
    }
    assert versions
    assert names >= versions | {"jwstwatch/alembic.ini", "jwstwatch/migrations/env.py"}
    assert not [name for name in names if name.startswith("tests/") or "__pycache__" in name]


def test_an_installed_copy_sets_up_a_state_with_its_own_migrations(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "it's 100% installed"
    zipfile.ZipFile(wheel).extractall(site)
    done = subprocess.run(
        [sys.executable, "-c", _SET_UP, tmp_path / "state.db"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    revision, module, scripts = done.stdout.splitlines()
    assert revision == newest()
    assert Path(module) == site / "jwstwatch" / "__init__.py"
    assert Path(scripts) == site / "jwstwatch" / "migrations"


def test_the_source_tree_has_its_migrations_at_its_top() -> None:
    assert migrate.alembic_config().get_main_option("script_location") == str(PROJECT / "migrations")
    assert newest() is not None


def newest() -> str | None:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(migrate.alembic_config()).get_current_head()
