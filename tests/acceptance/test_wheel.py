"""The wheel is whole: installed somewhere, it runs from anywhere, with migrations, templates and assets."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jwstwatch.demo.server import ArchiveServer
from tests.acceptance.conftest import WATCH
from tests.acceptance.world import PACKAGE, World, assert_as_archived
from tests.conftest import PROJECT

SOURCES = ("jwstwatch", "migrations", "alembic.ini", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the wheel holds, built from a copy of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "source").mkdir()
    for name in SOURCES:
        source, target = PROJECT / name, folder / "source" / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist")]
    subprocess.run([*build, str(folder / "source")], check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    place = folder / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
    subprocess.run([*install, str(place), str(wheel)], check=True, capture_output=True)
    shutil.rmtree(folder / "source")
    return place


@pytest.mark.slow
def test_an_installed_wheel_runs_from_anywhere(
    world: World, archive: ArchiveServer, installed: Path, tmp_path: Path
) -> None:
    world.configure(WATCH, makewebpages=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    options = {"environment": {"PYTHONPATH": str(installed)}, "cwd": elsewhere}
    where = "import jwstwatch, pathlib; print(pathlib.Path(jwstwatch.__file__).parent)"
    found = subprocess.run(
        [sys.executable, "-c", where],
        cwd=elsewhere,
        env=world.environment | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(found.stdout.strip()) == installed / "jwstwatch" != PACKAGE
    (run,) = world.run_now(**options)
    assert (run["outcome"], run["downloaded"]) == ("complete", 12)
    assert_as_archived(world.files(), archive.catalogue)
    assert (world.root / "09001" / "index.html").is_file()
    assert list((world.root / "jwstwatch-assets").iterdir())
    status = world.run("status", "--json", **options)
    assert status.json["profiles"][0]["files"]["present"] == 12
    assert list(elsewhere.iterdir()) == []


def test_the_wheel_holds_no_tests_and_no_stray_files(installed: Path) -> None:
    tops = {path.name for path in installed.iterdir() if path.suffix != ".dist-info"}
    assert tops <= {"jwstwatch", "bin"}
    assert (installed / "jwstwatch" / "migrations" / "env.py").is_file()
    assert not list(installed.rglob("test_*"))
