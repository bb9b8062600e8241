"""The whole way, with the real command: a run, and everybody who hears of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer
from tests.acceptance.world import World
from tests.telling.ear import Ear
from tests.telling.things import script

TOKEN = "0123456789abcdef0123456789abcdef"

_RECORD = """
import json, os, sys
is_there = os.path.isfile(os.environ.get('JWSTWATCH_PATH', ''))
variables = {name: value for name, value in os.environ.items() if name != 'TEAM_URL'}
with open('told', 'a') as stream:
    json.dump([variables, json.load(sys.stdin), is_there], stream)
    stream.write('\\n')
"""


@pytest.fixture
def archive() -> Iterator[ArchiveServer]:
    catalogue = scaled_catalogue(observations=4, now=datetime.now(UTC), sizes=(6_000, 20_000))
    with ArchiveServer(catalogue, token=TOKEN) as server:
        yield server


def listening(world: World, messages: Ear, pulse: Ear) -> None:
    """Configure everything there is to hear of a run."""
    command = script(world.folder, _RECORD)
    world.configure({"watch": {"propID": 9001}})
    document = yaml.safe_load(world.configuration.read_text())
    document["hooks"] = dict.fromkeys(("after_file", "after_observation", "after_run", "on_error"), command)
    document["notify"] = {"to": "$TEAM_URL"}
    document["heartbeat"] = f"{pulse.url}/HEARTBEAT-SECRET"
    world.configuration.write_text(yaml.safe_dump(document))


def told(world: World) -> list[tuple[dict[str, str], dict[str, Any], bool]]:
    lines = (world.folder / "told").read_text().splitlines()
    (world.folder / "told").unlink()
    return [tuple(json.loads(line)) for line in lines]  # type: ignore[misc]


def test_a_run_is_heard_of_by_everybody_and_a_quiet_one_by_few(
    tmp_path: Path, archive: ArchiveServer
) -> None:
    world = World(tmp_path / "world", archive.url)
    with Ear() as messages, Ear() as pulse:
        listening(world, messages, pulse)
        environment = {"TEAM_URL": messages.apprise, "MAST_API_TOKEN": TOKEN}

        (run,) = world.run_now(environment=environment)
        heard = told(world)

        events = Counter(variables["JWSTWATCH_EVENT"] for variables, _, _ in heard)
        assert events["after_file"] == run["downloaded"] == 12
        assert events["after_observation"] == 4
        assert events["after_run"] == 1
        assert events["on_error"] == 0
        assert heard[-1][1]["run"] == run
        files = [document["file"] for _, document, _ in heard if "file" in document]
        assert all(there for _, document, there in heard if "file" in document), "it was told too early"
        assert {Path(file["path"]).name for file in files} == {Path(name).name for name in world.files()}
        assert [message.document["title"] for message in messages.heard] == ["jwstwatch: watch: 12 new files"]
        assert [ping.path for ping in pulse.heard] == ["/HEARTBEAT-SECRET"]

        ended = world.run("run-now", "-vv", environment=environment)
        assert [variables["JWSTWATCH_EVENT"] for variables, _, _ in told(world)] == ["after_run"]
        assert len(messages.heard) == 1
        assert len(pulse.heard) == 2

        written = ended.out + ended.err + json.dumps(heard)
        written += json.dumps([message.document for message in messages.heard])
        for _, content in world.everything_written():
            written += content.decode("latin-1")
        for secret in (TOKEN, "PASSWORD-IN-URL", "HEARTBEAT-SECRET"):
            allowed = world.configuration.read_text().count(secret)
            assert written.count(secret) == allowed, secret
