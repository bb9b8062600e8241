"""The witness of all runs: it costs nothing where nothing is configured, and never lets a run down."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.config.settings import HookSettings, NotifySettings, Settings
from jwstwatch.core.model import Outcome
from jwstwatch.errors import BusyError, ConfigurationError
from jwstwatch.store.runs import Counts
from jwstwatch.store.store import Store
from jwstwatch.sync.context import Witness
from jwstwatch.telling.witness import Teller
from tests.store.desk import DAY, HOUR, NOW, PROFILE, Desk, file_names
from tests.telling.ear import Ear
from tests.telling.things import PLENTY, arrived, completed, record, script, settings, until

_APPEND = """
import os, time
told = [os.environ.get('JWSTWATCH_' + name, '') for name in ('EVENT', 'RUN_ID', 'NAME')]
open('told', 'a').write(' '.join(told) + '\\n')
"""


def teller(settings: Settings, store: Store, **options: Any) -> Teller:
    facts: dict[str, Any] = {"now": lambda: NOW, "linger": PLENTY, "environ": dict(os.environ)}
    return Teller(settings, store, **(facts | options))


def causes(store: Store) -> set[str]:
    return {notice.cause for notice in store.notices.holding()}


def test_nothing_configured_starts_nothing_and_loads_nothing(tmp_path: Path) -> None:
    program = f"""
import sys, threading
from jwstwatch.store.store import open_store
from jwstwatch.telling.witness import Teller
from tests.telling.things import arrived, completed, record, settings
from tests.store.desk import NOW
with open_store("sqlite:///{tmp_path}/state.db", upgrade=True) as store:
    before = set(sys.modules)
    teller = Teller(settings(), store)
    teller.file_arrived(arrived())
    teller.observation_completed(completed())
    teller.run_ended(record())
    teller.tick(NOW)
    assert teller.idle
    teller.close()
    print(sorted(set(sys.modules) - before), threading.active_count(), store.notices.holding())
    print([name for name in sys.modules if name.startswith("jwstwatch.telling.")])
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    first, second = said.stdout.splitlines()
    assert first == "[] 1 []"
    assert second == "['jwstwatch.telling.trouble', 'jwstwatch.telling.witness']"


def test_a_run_that_a_hook_began_calls_no_hooks(desk: Desk, tmp_path: Path) -> None:
    command = script(tmp_path, _APPEND)
    chosen = settings(hooks=HookSettings(after_run=command), path=tmp_path / "jwstwatch.yaml")
    within = teller(chosen, desk.store, environ={**os.environ, "JWSTWATCH_EVENT": "after_run"})
    within.run_ended(record())
    within.close()
    assert not (tmp_path / "told").exists()
    outside = teller(chosen, desk.store)
    outside.run_ended(record())
    outside.close()
    assert (tmp_path / "told").exists()


def test_a_run_is_told_to_hooks_messages_and_the_heartbeat_before_its_end_returns(
    desk: Desk, tmp_path: Path
) -> None:
    command = script(tmp_path, _APPEND)
    with Ear() as messages, Ear() as pulse:
        mine: Witness = teller(
            settings(
                path=tmp_path / "jwstwatch.yaml",
                hooks=HookSettings(after_file=command, after_observation=command, after_run=command),
                notify=NotifySettings(to=(messages.apprise,), when=("new",)),
                heartbeat=f"{pulse.url}/pulse",
            ),
            desk.store,
        )
        desk.fetch(*file_names(2))
        counts = desk.store.reports.of_run(desk.run.id, PROFILE)
        ended = desk.store.runs.finish(desk.run, Outcome.COMPLETE, counts=counts, error=None, now=NOW)

        mine.file_arrived(arrived("a.fits", run_id=ended.id))
        mine.observation_completed(completed(run_id=ended.id))
        mine.run_ended(ended)

        run = ended.id
        assert (tmp_path / "told").read_text().splitlines() == [
            f"after_file {run} a.fits",
            f"after_observation {run} ",
            f"after_run {run} ",
        ]
        assert messages.titles == [f"jwstwatch: {PROFILE}: 2 new files"]
        assert [heard.path for heard in pulse.heard] == ["/pulse"]


def test_a_round_that_was_not_good_has_no_heartbeat(store: Store, ear: Ear) -> None:
    mine = teller(settings(heartbeat=ear.url), store)

    mine.run_ended(record(Outcome.PARTIAL, counts=Counts(failed=1)))
    mine.run_ended(record())

    assert len(ear.heard) == 1


def test_the_end_of_a_run_waits_for_its_own_calls_and_not_for_long(store: Store, tmp_path: Path) -> None:
    mine = teller(settings(hooks=HookSettings(after_run="sleep 600", timeout=600.0)), store, linger=0.3)
    begin = time.monotonic()

    mine.run_ended(record())

    assert 0.3 <= time.monotonic() - begin < PLENTY
    assert not mine.idle
    mine.close(0.0)


def test_a_cancelled_run_is_not_held_up_but_its_hooks_are_run(store: Store, tmp_path: Path) -> None:
    command = script(tmp_path, "import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)" + _APPEND)
    mine = teller(settings(path=tmp_path / "c.yaml", hooks=HookSettings(after_run=command)), store)

    mine.run_ended(record(Outcome.CANCELLED))

    assert not (tmp_path / "told").exists()
    (tmp_path / "go").touch()
    mine.close(None)
    assert (tmp_path / "told").read_text() == "after_run 7 \n"


def test_closing_ends_what_takes_too_long_and_says_what_was_left_out(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    command = script(tmp_path, "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)")
    mine = teller(settings(path=tmp_path / "c.yaml", hooks=HookSettings(after_file=command)), store)
    for name in file_names(4):
        mine.file_arrived(arrived(name))
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")

    begin = time.monotonic()
    mine.close(0.1)

    assert time.monotonic() - begin < PLENTY / 2
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not Path(f"/proc/{pid}").exists())
    assert "the program ends: 3 calls or messages were left out" in caplog.text
    assert causes(store) == set(), "it did not fail: it was cut short"
    mine.run_ended(record())  # heard by nobody, and harmless
    mine.close(0.0)


def test_closing_without_a_limit_hurries_once_the_program_is_to_stop(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwstwatch.telling.witness.LINGER", 0.2)
    mine = teller(settings(hooks=HookSettings(after_run="sleep 600", timeout=600.0)), store, linger=0.0)
    mine.run_ended(record())
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    begin = time.monotonic()

    mine.close(None, stop=stop)

    assert 0.4 <= time.monotonic() - begin < PLENTY
    assert mine.idle


def test_many_runs_at_once_are_served(store: Store, tmp_path: Path) -> None:
    command = script(tmp_path, _APPEND)
    mine = teller(
        settings(path=tmp_path / "c.yaml", hooks=HookSettings(after_file=command, after_run=command)), store
    )

    def run(number: int) -> None:
        for name in file_names(3):
            mine.file_arrived(arrived(name, run_id=number))
        mine.run_ended(record(id=number))
        lines = (tmp_path / "told").read_text().splitlines()
        assert [line for line in lines if f" {number} " in f"{line} "][-1] == f"after_run {number} "

    with ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(run, number) for number in range(1, 7)]:
            future.result()

    assert len((tmp_path / "told").read_text().splitlines()) == 24


def test_trouble_with_what_is_not_configured_any_more_is_over(store: Store) -> None:
    ours = ("hook after_run", "hook on_error", f"hook queue {PROFILE}", "notify", "heartbeat")
    for cause in ours:
        store.notices.raise_(
            cause, kind="hook" if cause.startswith("hook") else "message", text="it fails", now=NOW
        )
    store.notices.raise_("metrics", kind="message", text="the disk is full", now=NOW)
    store.notices.raise_("token rejected", kind="token", text="no", now=NOW)
    others = {"metrics", "token rejected"}

    teller(settings(hooks=HookSettings(on_error="false"), heartbeat="http://127.0.0.1:1/"), store)
    assert causes(store) == {"hook on_error", f"hook queue {PROFILE}", "heartbeat"} | others

    teller(settings(), store)
    assert causes(store) == others


@pytest.mark.parametrize(
    "parts",
    [
        {"hooks": HookSettings(on_error="unbalanced ' quote")},
        {"heartbeat": "file:///etc/passwd"},
    ],
    ids=["hook", "heartbeat"],
)
def test_what_cannot_work_is_refused_at_the_start(store: Store, parts: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        teller(settings(**parts), store)


def test_a_state_that_is_locked_lets_no_run_down(
    store: Store, ear: Ear, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ear.status = 500
    mine = teller(
        settings(
            hooks=HookSettings(after_run="false"),
            heartbeat=ear.url,
            notify=NotifySettings(to=(ear.apprise,)),
        ),
        store,
    )

    def busy(*_: object, **__: object) -> None:
        raise BusyError("the state is locked by another process")

    for name in ("raise_", "clear", "holding", "may_tell"):
        monkeypatch.setattr(store.notices, name, busy)

    mine.run_ended(record())
    mine.archive_down(NOW)
    mine.archive_back()
    mine.tick(NOW)
    mine.close(PLENTY)

    assert "messages have to wait" in caplog.text
    assert "heartbeat could not be noted" in caplog.text
    assert "hook after_run could not be noted" in caplog.text


def test_the_archives_going_and_return_are_noted_and_told(store: Store, ear: Ear) -> None:
    moment = NOW
    mine = teller(
        settings(notify=NotifySettings(to=(ear.apprise,), when=("archive",))), store, now=lambda: moment
    )

    mine.archive_down(NOW)
    until(lambda: mine.idle)
    assert causes(store) == {"archive down"}

    moment += HOUR
    mine.archive_back()
    until(lambda: mine.idle)
    assert causes(store) == set()
    assert ear.titles == ["jwstwatch: archive down", "jwstwatch: archive back"]


def test_a_notice_of_the_outage_that_is_there_already_is_left_as_it_is(store: Store) -> None:
    store.notices.raise_("archive down", kind="archive", text="no answer: HTTP 503", now=NOW)

    teller(settings(), store).archive_down(NOW)

    (notice,) = store.notices.holding()
    assert (notice.text, notice.times) == ("no answer: HTTP 503", 1)


def test_a_tick_tells_the_digest_at_its_minute(store: Store, ear: Ear) -> None:
    mine = teller(settings(notify=NotifySettings(to=(ear.apprise,), when=(), digest=13 * 60)), store)

    for minutes in (0, 59, 60, 61, 120):
        mine.tick(NOW + timedelta(minutes=minutes))
        until(lambda: mine.idle)
    assert ear.titles == ["jwstwatch: digest of 2026-03-01"]
    mine.tick(NOW + HOUR + DAY)
    until(lambda: mine.idle)
    assert len(ear.heard) == 2


def test_ticks_do_not_heap_up_behind_a_slow_message(store: Store, ear: Ear) -> None:
    ear.hold.clear()
    store.notices.raise_("token expires", kind="token", text="soon", now=NOW)
    mine = teller(settings(notify=NotifySettings(to=(ear.apprise,), when=("token",))), store)

    mine.tick(NOW)
    until(lambda: bool(ear.heard))
    for _ in range(50):
        mine.tick(NOW)

    assert mine._courier is not None
    assert mine._courier.waiting == 1
    ear.hold.set()
    mine.close(PLENTY)
    assert ear.titles == ["jwstwatch: token expires"]


def test_secrets_of_the_configuration_reach_nothing_that_is_written(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    token = "0123456789abcdef0123456789abcdef"
    with Ear() as ear, caplog.at_level(logging.DEBUG):
        ear.status = 403
        mine = teller(
            settings(
                hooks=HookSettings(after_run="false --password HOOK-PASSWORD"),
                notify=NotifySettings(to=(ear.apprise,)),
                heartbeat=f"{ear.url}/HEARTBEAT-SECRET",
            ),
            store,
            environ={**os.environ, "MAST_API_TOKEN": token},
        )
        store.notices.raise_("token rejected", kind="token", text="it was rejected", now=NOW)
        mine.run_ended(record())
        mine.close(PLENTY)

    written = caplog.text + "".join(capfd.readouterr())
    written += "".join(f"{notice}" for notice in store.notices.holding())
    written += "".join(path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file())
    written += "".join(str(heard) for heard in ear.heard if heard.method == "POST" and token in str(heard))
    assert causes(store) == {"hook after_run", "notify", "heartbeat", "token rejected"}
    assert re.findall(f"PASSWORD-IN-URL|HEARTBEAT-SECRET|HOOK-PASSWORD|{token}", written) == []
