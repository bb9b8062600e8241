"""A user whose first run was whole, with pages, and commands that are run in this process."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import pytest

from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer
from tests.acceptance.world import Ended, World

PROFILES = {"watch": {"propID": 9001, "makewebpages": True}}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The world after a run; the archive is away by now."""
    catalogue = scaled_catalogue(observations=3, now=datetime.now(UTC), sizes=(6_000, 20_000))
    with ArchiveServer(catalogue) as server:
        found = World(tmp_path_factory.mktemp("watched") / "world", server.url)
        found.configure(PROFILES)
        ended = here(found, "run-now", "--json")
        assert ended.code == 0, ended.err
        assert ended.runs[0]["pages"] > 0
    yield found
    assert not list(found.root.rglob("*.tmp"))


def here(world: World, *words: str) -> Ended:
    """Run a command in this process: most of a short command's time is its start."""
    from jwstwatch.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    with (
        patch.dict(os.environ, world.environment, clear=True),
        contextlib.chdir(world.folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            code = int(main([*words, "--config", str(world.configuration)]))
        except SystemExit as left:
            code = int(str(left.code))
    assert "Traceback" not in err.getvalue()
    return Ended(code, out.getvalue(), err.getvalue())


def page_of(world: World) -> Path:
    """Where the page of the only proposal lies."""
    return world.root / "09001" / "index.html"
