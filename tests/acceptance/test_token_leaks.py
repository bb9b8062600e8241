"""A token reaches nothing that a day of work writes, says or shows: everything is searched."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from jwstwatch.demo.server import ArchiveServer, Fault, FaultKind
from tests.acceptance.daemons import Daemons, ended_runs, runs
from tests.acceptance.world import World, stop, wait_until

pytestmark = pytest.mark.slow

GOOD = "aaaa1111bbbb2222cccc3333dddd4444"
BAD = "eeee5555ffff6666aaaa7777bbbb8888"

HOOK = """
import json, os, sys
with open(sys.argv[1], "a") as heard:
    heard.write(json.dumps(dict(os.environ)) + sys.stdin.read() + "\\n")
sys.exit(1)
"""
"""Writes down everything that it is told, and fails."""


@pytest.fixture
def daemons(world: World) -> Iterator[Daemons]:
    found = Daemons(world)
    yield found
    found.end()


def configure(world: World) -> None:
    """Let everything be switched on that writes or says something."""
    (world.folder / "hook.py").write_text(HOOK)
    command = f"{sys.executable} {world.folder / 'hook.py'} {world.folder / 'heard'}"
    world.configure({"watch": {"propID": 9001, "every": "1h"}}, makewebpages=True, savetables="tables")
    document = yaml.safe_load(world.configuration.read_text())
    document["hooks"] = {"after_file": command, "after_run": command, "on_error": command}
    document["metrics"] = {"file": str(world.folder / "metrics.prom")}
    document["daemon"] = {"log_format": "json"}
    world.configuration.write_text(yaml.safe_dump(document, sort_keys=False))


def places(world: World, token: str) -> dict[str, tuple[Mapping[str, str], Path | None]]:
    """Each place that a token may come from: what the environment names, and the file it lies in."""
    credentials = world.folder / "credentials"
    credentials.mkdir(exist_ok=True)
    (credentials / "mast_token").write_text(token)
    return {
        "environment": ({"MAST_API_TOKEN": token}, None),
        "credential": ({"CREDENTIALS_DIRECTORY": str(credentials)}, credentials / "mast_token"),
    }


def search(world: World, said: str, token: str, *, apart_from: Path | None) -> None:
    """Find the token in nothing that was said, and in no byte on disk but where it was put."""
    assert token not in said
    credentials = world.folder / "credentials"
    for path, content in world.everything_written():
        if path != apart_from and credentials not in path.parents:
            assert token.encode() not in content, path


@pytest.mark.parametrize(("place", "token"), [("environment", GOOD), ("credential", BAD)])
def test_a_token_is_nowhere(
    daemons: Daemons, world: World, archive: ArchiveServer, place: str, token: str
) -> None:
    archive.token = GOOD
    configure(world)
    environment, file = places(world, token)[place]
    # Trouble of every kind, so that everything has something to say.
    archive.faults.add(
        Fault(kind=FaultKind.STATUS, uri="*nrca1_rate.fits", status=403, times=None),
        Fault(kind=FaultKind.HTML, uri="*nrca2_rate.fits", times=None),
        Fault(kind=FaultKind.GARBLED_JSON, service="Mast.Caom.Products", times=1),
    )
    process = daemons.start("-v", environment=environment)
    wait_until(lambda: ended_runs(world, "watch") >= 1, "a run")
    command_line = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
    said = command_line
    for words in (
        ["status"],
        ["status", "--json"],
        ["status", "watch", "--json"],
        ["run-now", "watch", "--force", "-vv"],
        ["run-now", "watch", "--dry-run", "-vv"],
        ["doctor", "--json"],
        ["config", "show"],
        ["token", "status", "-vv"],
        ["runs", "--json"],
        ["db", "backup", str(world.folder / "backup.db")],
    ):
        ended = world.run(*words, environment=environment)
        said += ended.out + ended.err
    world.configuration.write_text("profiles: {watch: {propID: no}}")
    process.send_signal(signal.SIGHUP)
    wait_until(lambda: "is refused" in daemons.log(), "a configuration is refused")
    assert stop(process).code == 0
    assert (world.folder / "heard").stat().st_size > 0, "the hooks heard something"
    assert (world.folder / "metrics.prom").stat().st_size > 0
    assert json.loads(daemons.log().splitlines()[0])
    assert any(outcome == "partial" for _, outcome in runs(world, "watch"))
    search(world, said, token, apart_from=file)
