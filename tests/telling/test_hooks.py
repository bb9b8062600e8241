"""Hooks are told what happened, one after the other; what goes wrong with them is noted, and harms nobody."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.config.settings import HookSettings
from jwstwatch.core.model import Outcome
from jwstwatch.errors import ConfigurationError
from jwstwatch.store.runs import Counts
from jwstwatch.store.store import Store
from jwstwatch.telling.hooks import Hooks
from jwstwatch.telling.trouble import Troubles
from tests.conftest import PROJECT
from tests.store.desk import NOW, PROFILE, RATE, file_names
from tests.telling.things import PLENTY, arrived, completed, record, script, until

_RECORD = """
import json, os, sys
told = {name: value for name, value in os.environ.items() if name.startswith('JWSTWATCH_')}
with open('told', 'a') as stream:
    json.dump([told, json.load(sys.stdin), sys.argv[1:]], stream)
    stream.write('\\n')
"""


def hooks(store: Store, folder: Path, *, environ: dict[str, str] | None = None, **parts: Any) -> Hooks:
    """Return hooks of a configuration in `folder`."""
    limits = {name: parts.pop(name) for name in ("longest_line", "patience") if name in parts}
    return Hooks(
        HookSettings(**parts),
        Troubles(store.notices, now=lambda: NOW),
        environ={"PATH": os.environ["PATH"]} if environ is None else environ,
        config=folder / "jwstwatch.yaml",
        **limits,
    )


def rest(hooks: Hooks) -> None:
    assert hooks.worker.rest(until=time.monotonic() + PLENTY), "a hook hangs"


def told(folder: Path) -> list[tuple[dict[str, str], dict[str, Any], list[str]]]:
    return [tuple(json.loads(line)) for line in (folder / "told").read_text().splitlines()]  # type: ignore[misc]


def causes(store: Store) -> dict[str, str]:
    return {notice.cause: notice.text for notice in store.notices.holding()}


def test_a_file_is_told_with_its_path_and_everything_known_of_it(store: Store, tmp_path: Path) -> None:
    mine = hooks(store, tmp_path, after_file=script(tmp_path, _RECORD) + " 'an argument'")

    mine.file_arrived(arrived(revision=2, replaced=True))
    rest(mine)

    ((variables, document, words),) = told(tmp_path)
    assert words == ["an argument"]
    assert variables == {
        "JWSTWATCH_EVENT": "after_file",
        "JWSTWATCH_PROFILE": PROFILE,
        "JWSTWATCH_RUN_ID": "7",
        "JWSTWATCH_PATH": f"/data/01345/{RATE}",
        "JWSTWATCH_NAME": RATE,
        "JWSTWATCH_URI": f"mast:JWST/product/{RATE}",
        "JWSTWATCH_PROPOSAL": "1345",
        "JWSTWATCH_OBSNUM": "1",
        "JWSTWATCH_REVISION": "2",
        "JWSTWATCH_SIZE": "1000",
        "JWSTWATCH_SHA256": "ab" * 32,
        "JWSTWATCH_REPLACED": "1",
        "JWSTWATCH_CONFIG": str(tmp_path / "jwstwatch.yaml"),
    }
    assert document == {
        "schema": 1,
        "event": "after_file",
        "profile": PROFILE,
        "run_id": 7,
        "file": {
            "path": f"/data/01345/{RATE}",
            "name": RATE,
            "uri": f"mast:JWST/product/{RATE}",
            "proposal": 1345,
            "obsnum": 1,
            "revision": 2,
            "size": 1000,
            "sha256": "ab" * 32,
            "replaced": True,
        },
    }


def test_an_observation_is_told_and_what_is_unknown_is_an_empty_variable(
    store: Store, tmp_path: Path
) -> None:
    mine = hooks(store, tmp_path, after_observation=script(tmp_path, _RECORD))

    mine.observation_completed(completed(obsnum=None))
    rest(mine)

    ((variables, document, _),) = told(tmp_path)
    assert variables["JWSTWATCH_EVENT"] == "after_observation"
    assert variables["JWSTWATCH_OBS_ID"] == "jw01345-o001_t001_nircam_clear-f200w"
    assert (variables["JWSTWATCH_OBSNUM"], variables["JWSTWATCH_FILES"]) == ("", "12")
    assert document["observation"] == {
        "obs_id": "jw01345-o001_t001_nircam_clear-f200w",
        "proposal": 1345,
        "obsnum": None,
        "files": 12,
    }


def test_a_run_is_told_as_the_json_contract_has_it(store: Store, tmp_path: Path) -> None:
    mine = hooks(store, tmp_path, after_run=script(tmp_path, _RECORD))

    mine.run_ended(record())
    rest(mine)

    ((variables, document, _),) = told(tmp_path)
    assert variables["JWSTWATCH_OUTCOME"] == "complete"
    assert variables["JWSTWATCH_TRIGGER"] == "schedule"
    assert (variables["JWSTWATCH_DOWNLOADED"], variables["JWSTWATCH_BYTES"]) == ("3", "3000")
    assert (variables["JWSTWATCH_ERROR"], variables["JWSTWATCH_ERROR_KIND"]) == ("", "")
    assert document["run"]["run_id"] == 7
    assert document["run"]["finished_at"] == "2026-03-01T12:00:00Z"
    assert document["run"]["error"] is None


@pytest.mark.parametrize(
    ("ended", "error"),
    [
        (record(Outcome.FAILED, error_kind="storage", error_message="/data is full"), "/data is full"),
        (record(Outcome.PARTIAL, counts=Counts(failed=2)), "2 files failed"),
        (record(Outcome.PARTIAL, error_kind="authentication", error_message="rejected"), "rejected"),
        (record(), None),
        (record(counts=Counts(withheld=5)), None),
        (record(Outcome.PARTIAL, counts=Counts(waiting=5)), None),
        (record(Outcome.CANCELLED, error_kind="cancelled", error_message="interrupted"), None),
    ],
    ids=["stopped", "files failed", "token", "good", "withheld", "waiting", "cancelled"],
)
def test_an_error_is_told_and_nothing_else_as_one(
    store: Store, tmp_path: Path, ended: Any, error: str | None
) -> None:
    mine = hooks(store, tmp_path, on_error=script(tmp_path, _RECORD))

    mine.run_ended(ended)
    rest(mine)

    if error is None:
        assert not (tmp_path / "told").exists()
    else:
        ((variables, _, _),) = told(tmp_path)
        assert (variables["JWSTWATCH_EVENT"], variables["JWSTWATCH_ERROR"]) == ("on_error", error)


def test_what_happened_is_told_in_its_order(store: Store, tmp_path: Path) -> None:
    command = script(tmp_path, _RECORD)
    mine = hooks(
        store, tmp_path, after_file=command, after_observation=command, after_run=command, on_error=command
    )
    names = file_names(5)

    for name in names:
        mine.file_arrived(arrived(name))
    mine.observation_completed(completed())
    mine.run_ended(record(Outcome.PARTIAL, counts=Counts(failed=1)))
    rest(mine)

    heard = [
        (variables["JWSTWATCH_EVENT"], variables.get("JWSTWATCH_NAME")) for variables, _, _ in told(tmp_path)
    ]
    assert heard == [
        *(("after_file", name) for name in names),
        ("after_observation", None),
        ("after_run", None),
        ("on_error", None),
    ]


def test_the_token_does_not_reach_a_hook(store: Store, tmp_path: Path) -> None:
    body = "import os, sys\nopen('all', 'w').write(repr(dict(os.environ)) + sys.stdin.read())"
    environ = {
        "PATH": os.environ["PATH"],
        "MAST_API_TOKEN": "0123456789abcdef",
        "CREDENTIALS_DIRECTORY": "/run/c",
    }
    mine = hooks(store, tmp_path, environ=environ, after_run=script(tmp_path, body))

    mine.run_ended(record())
    rest(mine)

    seen = (tmp_path / "all").read_text()
    assert "JWSTWATCH_EVENT" in seen
    assert "0123456789abcdef" not in seen
    assert "CREDENTIALS_DIRECTORY" not in seen


def test_a_command_named_from_its_folder_is_found_beside_the_configuration(
    store: Store, tmp_path: Path
) -> None:
    script(tmp_path, _RECORD, name="mine.py")
    mine = hooks(store, tmp_path, after_run="./mine.py")

    mine.run_ended(record())
    rest(mine)

    assert len(told(tmp_path)) == 1


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("false --password 0123456789", "false ended with status 1 (run 7)"),
        ("/no/such/hook", "hook cannot be started: No such file or directory (run 7)"),
        ("sleep 600", "sleep took longer than 0.3 s and was ended (run 7)"),
    ],
)
def test_a_hook_that_fails_is_noted_by_its_name_and_logged_once(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture, command: str, text: str
) -> None:
    mine = hooks(store, tmp_path, after_run=command, timeout=0.3)

    with caplog.at_level(logging.INFO):
        mine.run_ended(record())
        mine.run_ended(record())
        rest(mine)

    (notice,) = store.notices.holding()
    assert (notice.cause, notice.kind, notice.text) == ("hook after_run", "hook", text)
    assert [entry.getMessage() for entry in caplog.records] == [f"hook after_run: {text}"]


def test_a_hook_that_works_again_clears_its_notice(store: Store, tmp_path: Path) -> None:
    (tmp_path / "hook").symlink_to("/bin/false")
    mine = hooks(store, tmp_path, after_run="./hook", after_file="false")
    mine.run_ended(record())
    mine.file_arrived(arrived())
    rest(mine)
    assert set(causes(store)) == {"hook after_run", "hook after_file"}

    (tmp_path / "hook").unlink()
    (tmp_path / "hook").symlink_to("/bin/true")
    mine.run_ended(record())
    rest(mine)

    assert set(causes(store)) == {"hook after_file"}


def test_a_hook_that_works_clears_what_an_earlier_process_noted(store: Store, tmp_path: Path) -> None:
    store.notices.raise_("hook after_run", kind="hook", text="it failed", now=NOW)
    mine = hooks(store, tmp_path, after_run="true")

    mine.run_ended(record())
    rest(mine)

    assert causes(store) == {}


def test_what_a_hook_says_is_logged_for_who_wants_to_know(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mine = hooks(store, tmp_path, after_run="echo all is well")

    with caplog.at_level(logging.DEBUG, logger="jwstwatch"):
        mine.run_ended(record())
        rest(mine)

    (entry,) = [entry for entry in caplog.records if "all is well" in entry.getMessage()]
    assert (entry.levelname, entry.getMessage()) == ("DEBUG", "after_run said: all is well")
    assert (entry.__dict__["profile"], entry.__dict__["run_id"]) == (PROFILE, 7)


_WAIT = """
import os, time
open(f"began-{os.environ['JWSTWATCH_EVENT']}", 'a').write('x')
while not os.path.exists('go'):
    time.sleep(0.01)
"""


def test_a_hook_that_is_slow_holds_nobody_up(store: Store, tmp_path: Path) -> None:
    mine = hooks(store, tmp_path, after_file=script(tmp_path, _WAIT))

    for name in file_names(50):
        mine.file_arrived(arrived(name))

    until(lambda: (tmp_path / "began-after_file").exists())
    assert mine.worker.waiting == 49, "all of them wait, and the run has gone on"
    (tmp_path / "go").touch()
    rest(mine)
    assert len((tmp_path / "began-after_file").read_text()) == 50


def test_a_full_line_leaves_calls_out_and_says_so_until_a_run_goes_well(store: Store, tmp_path: Path) -> None:
    command = script(tmp_path, _WAIT)
    mine = hooks(store, tmp_path, after_file=command, after_run=command, longest_line=4, patience=0.05)
    mine.file_arrived(arrived())
    until(lambda: (tmp_path / "began-after_file").exists())

    begin = time.monotonic()
    for name in file_names(1000):
        mine.file_arrived(arrived(name))
    mine.run_ended(record())

    assert time.monotonic() - begin < PLENTY, "patience is lost once, not a thousand times"
    text = causes(store)[f"hook queue {PROFILE}"]
    assert text.endswith("996 calls of run 7 were left out (4 were waiting)")
    (tmp_path / "go").touch()
    rest(mine)
    assert len((tmp_path / "began-after_file").read_text()) == 5
    assert (tmp_path / "began-after_run").exists(), "a run's end is never left out"

    mine.file_arrived(arrived(run_id=8))
    mine.run_ended(record(id=8))
    rest(mine)
    assert causes(store) == {}


def test_a_line_that_is_half_empty_is_trusted_again(store: Store, tmp_path: Path) -> None:
    mine = hooks(store, tmp_path, after_file=script(tmp_path, _WAIT), longest_line=4, patience=0.0)
    for name in file_names(10):
        mine.file_arrived(arrived(name))
    (tmp_path / "go").touch()
    rest(mine)
    before = len((tmp_path / "began-after_file").read_text())
    mine._patience = PLENTY

    for name in file_names(10):
        mine.file_arrived(arrived(name))
    rest(mine)

    assert len((tmp_path / "began-after_file").read_text()) == before + 10


@pytest.mark.parametrize("command", ["mail -s 'half a quote", "", "   "])
def test_a_command_that_is_none_is_refused_at_the_start(store: Store, tmp_path: Path, command: str) -> None:
    with pytest.raises(ConfigurationError, match=r"hooks\.on_error: ") as caught:
        hooks(store, tmp_path, on_error=command)

    assert caught.value.problems


def test_hostile_text_reaches_a_hook_as_text(store: Store, tmp_path: Path) -> None:
    message = "nul \0 half \ud800 long " + "x" * 200_000
    mine = hooks(store, tmp_path, on_error=script(tmp_path, _RECORD))

    mine.run_ended(record(Outcome.FAILED, error_kind="storage", error_message=message))
    rest(mine)

    ((variables, document, _),) = told(tmp_path)
    assert variables["JWSTWATCH_ERROR"].startswith("nul  half ")
    assert len(variables["JWSTWATCH_ERROR"]) <= 4096
    assert document["run"]["error"]["message"] == message


def test_every_variable_is_written_down_for_its_users(store: Store, tmp_path: Path) -> None:
    command = script(tmp_path, _RECORD)
    mine = hooks(
        store, tmp_path, after_file=command, after_observation=command, after_run=command, on_error=command
    )
    mine.file_arrived(arrived())
    mine.observation_completed(completed())
    mine.run_ended(record(Outcome.PARTIAL, counts=Counts(failed=1)))
    rest(mine)

    used = {name for variables, _, _ in told(tmp_path) for name in variables}
    written = set(re.findall(r"`(JWSTWATCH_[A-Z0-9_]+)`", (PROJECT / "docs/notifications.md").read_text()))

    assert used == written


def test_a_hook_needs_no_configuration_file(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = Hooks(
        HookSettings(after_run=f"{sys.executable} -S hook.py"),
        Troubles(store.notices, now=lambda: NOW),
        environ={},
        config=None,
    )
    (tmp_path / "hook.py").write_text(_RECORD)

    mine.run_ended(record())
    rest(mine)

    ((variables, _, _),) = told(tmp_path)
    assert "JWSTWATCH_CONFIG" not in variables
