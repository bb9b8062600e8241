"""The document of `status`, made of the state and of what the daemon says of itself."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from jwstwatch.config.secrets import Token
from jwstwatch.core.dates import to_mjd
from jwstwatch.core.live import Live, Running
from jwstwatch.core.model import Trigger
from jwstwatch.demo.server import Fault, FaultKind
from jwstwatch.sync.standing import standing, standing_of_profile
from tests.acceptance.world import ISO
from tests.sync.bench import Bench
from tests.sync.conftest import NOW

TOKEN = Token(value="3f9c0de55a1b4c7e8d2f6a90b1c2d3e4", source="token file")
HOUR = timedelta(hours=1)
NOBODY = 2**22 + 1
"""A number that no process of Linux can have."""


def document(bench: Bench, *, live: Live | None = None, token: Token | None = None, **more: Any) -> Any:
    """The document as a program reads it."""
    told = standing(bench.settings, bench.store, now=bench.clock, live=live, token=token, **more)
    return json.loads(json.dumps(told))


def of_profile(bench: Bench, name: str = "watch", **more: Any) -> Any:
    told = standing_of_profile(bench.settings, bench.store, name, now=bench.clock, live=None, **more)
    return json.loads(json.dumps(told))


def live(**more: Any) -> Live:
    facts: dict[str, Any] = {"pid": 4711, "since": NOW - HOUR, "version": "1.2.3"}
    return Live(**(facts | more))


def only(document: Any) -> Any:
    """The document's only profile."""
    (profile,) = document["profiles"]
    return profile


def notify(bench: Bench, cause: str, *, kind: str = "profile", text: str = "look", **more: Any) -> None:
    bench.store.notices.raise_(cause, kind=kind, text=text, now=bench.clock, **more)


# -- the contract


def test_the_document_has_every_field_of_the_contract(synced: Bench) -> None:
    told = document(synced)
    assert set(told["daemon"]) == {"running", "pid", "since", "version"}
    assert {"reachable", "checked_at"} <= set(told["archive"])
    assert {"source", "days_left"} <= set(told["token"])
    assert {"path", "mounted", "free_bytes"} <= set(told["roots"][0])
    contract = {"name", "enabled", "schedule", "next_run_at", "last_run", "files", "bytes"}
    assert contract <= set(only(told))
    assert set(only(told)["files"]) == {"wanted", "present", "stale", "withheld", "failed", "gone"}
    assert set(only(told)["bytes"]) == {"present", "wanted"}
    assert set(only(told)["last_run"]) == {
        *("profile", "run_id", "trigger", "outcome", "started_at", "finished_at", "observations"),
        *("products", "downloaded", "unchanged", "withheld", "failed", "waiting", "bytes", "pages", "error"),
    }
    assert set(told["unselected"]) == {"files", "bytes"}
    assert set(told["configuration"]) == {"path", "read_at", "refused"}
    assert told["running"] == told["notices"] == []
    for moment in (told["at"], told["archive"]["checked_at"], only(told)["last_run"]["finished_at"]):
        assert ISO.fullmatch(moment)


def test_it_tells_what_a_run_left(synced: Bench) -> None:
    told = document(synced)
    assert only(told)["files"] == {
        "wanted": 0,
        "present": 12,
        "stale": 0,
        "withheld": 0,
        "failed": 0,
        "gone": 0,
    }
    assert only(told)["bytes"]["present"] == sum(len(content) for content in synced.files().values())
    assert (only(told)["last_run"]["outcome"], only(told)["running"]) == ("complete", False)
    assert told["daemon"] == {"running": False, "pid": None, "since": None, "version": None}
    assert only(told)["next_run_at"] is None
    (root,) = told["roots"]
    assert (root["path"], root["mounted"], root["files"]) == (str(synced.root), True, 12)
    assert told["configuration"] == {
        "path": str(synced.folder / "jwstwatch.yaml"),
        "read_at": None,
        "refused": [],
    }


def test_a_state_that_was_never_used_has_a_document_too(bench: Bench) -> None:
    told = document(bench)
    assert only(told)["last_run"] is only(told)["last_ended_run"] is None
    assert (told["roots"], told["archive"]["reachable"], told["archive"]["checked_at"]) == ([], None, None)


def test_a_root_without_its_marker_is_not_mounted(synced: Bench) -> None:
    (synced.root / ".jwstwatch-root").unlink()
    (root,) = document(synced)["roots"]
    assert (root["mounted"], root["free_bytes"], root["problem"]) == (False, None, "has no marker")


def test_files_that_no_profile_has_any_more_are_counted(synced: Bench) -> None:
    synced.configure({"other": {"propID": 9002}})
    told = document(synced)
    size = sum(len(content) for content in synced.files().values())
    assert told["unselected"] == {"files": 12, "bytes": size}
    assert [profile["name"] for profile in told["profiles"]] == ["other"]


# -- what the daemon adds


def test_the_daemon_tells_of_itself_and_of_what_it_will_do(synced: Bench) -> None:
    told = document(
        synced,
        live=live(
            next_runs={"watch": NOW + HOUR},
            waiting=("watch",),
            refused=("jwstwatch.yaml:3: no",),
            configuration_read_at=NOW - HOUR,
        ),
    )
    assert told["daemon"] == {
        "running": True,
        "pid": 4711,
        "since": "2026-03-01T11:00:00Z",
        "version": "1.2.3",
    }
    assert (only(told)["next_run_at"], only(told)["queued"]) == ("2026-03-01T13:00:00Z", True)
    assert told["configuration"]["refused"] == ["jwstwatch.yaml:3: no"]
    assert told["configuration"]["read_at"] == "2026-03-01T11:00:00Z"


def test_a_run_in_progress_is_told_with_its_speed(synced: Bench) -> None:
    run = synced.store.runs.begin("watch", Trigger.SCHEDULE, now=NOW)
    running = Running(
        profile="watch",
        run_id=None,  # the daemon has not heard of its number yet
        trigger="schedule",
        since=NOW,
        step="fetching",
        files=10,
        done=4,
        size=1000,
        received=400,
        speed=123.4,
        seconds_left=4.86,
    )
    told = document(synced, live=live(running=(running,)))
    assert told["running"] == [
        {
            "profile": "watch",
            "run_id": run.id,
            "trigger": "schedule",
            "since": "2026-03-01T12:00:00Z",
            "step": "fetching",
            "files": 10,
            "done": 4,
            "size": 1000,
            "received": 400,
            "bytes_per_second": 123,
            "seconds_left": 5,
        }
    ]
    assert only(told)["running"]
    assert only(told)["last_run"]["outcome"] is None
    assert only(told)["last_ended_run"]["outcome"] == "complete"


def test_a_run_of_another_process_is_told_too(synced: Bench) -> None:
    run = synced.store.runs.begin("watch", Trigger.MANUAL, now=NOW)
    for told in (document(synced), document(synced, live=live())):
        (running,) = told["running"]
        assert (running["profile"], running["run_id"], running["trigger"]) == ("watch", run.id, "manual")
        assert running["bytes_per_second"] is running["seconds_left"] is None
        assert only(told)["running"]


def test_a_run_that_was_killed_does_not_go_on(synced: Bench) -> None:
    synced.store.runs.begin("watch", Trigger.MANUAL, now=NOW)
    with synced.store.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE run SET pid = {NOBODY} WHERE outcome IS NULL")
    told = document(synced)
    assert told["running"] == []
    assert only(told)["running"] is False
    assert only(told)["last_run"]["outcome"] == only(told)["last_ended_run"]["outcome"] == "cancelled"
    assert only(told)["last_run"]["error"]["kind"] == "killed"


def test_dates_are_those_of_whoever_knows_them(synced: Bench) -> None:
    told = document(synced, next_runs={"watch": NOW + 2 * HOUR})
    assert only(told)["next_run_at"] == "2026-03-01T14:00:00Z"
    told = document(synced, live=live(next_runs={"watch": NOW}), next_runs={"watch": NOW + HOUR})
    assert only(told)["next_run_at"] == "2026-03-01T12:00:00Z"


# -- the archive


def test_the_archive_is_as_the_newest_run_found_it(synced: Bench) -> None:
    assert document(synced)["archive"]["reachable"] is True
    synced.later(hours=1)
    synced.server.faults.add(Fault(kind=FaultKind.STATUS, path="*", status=500, times=None))
    synced.attempt()
    told = document(synced)["archive"]
    assert (told["reachable"], told["checked_at"]) == (False, "2026-03-01T13:00:00Z")
    assert told["server"] == synced.server.url


def test_the_daemons_probe_counts_where_it_is_newer(synced: Bench) -> None:
    down = live(archive_down_since=NOW + HOUR, probed_at=NOW + HOUR, next_probe_at=NOW + 2 * HOUR)
    told = document(synced, live=down)["archive"]
    assert (told["reachable"], told["checked_at"]) == (False, "2026-03-01T13:00:00Z")
    assert (told["down_since"], told["next_probe_at"]) == ("2026-03-01T13:00:00Z", "2026-03-01T14:00:00Z")
    back = live(probed_at=NOW + 2 * HOUR)
    told = document(synced, live=back)["archive"]
    assert (told["reachable"], told["checked_at"]) == (True, "2026-03-01T14:00:00Z")
    before = live(probed_at=NOW - HOUR)
    assert document(synced, live=before)["archive"]["checked_at"] == "2026-03-01T12:00:00Z"


def test_an_outage_is_known_without_the_daemon_until_a_run_knows_better(synced: Bench) -> None:
    synced.later(hours=1)
    notify(synced, "archive down", kind="archive")
    told = document(synced)["archive"]
    assert (told["reachable"], told["down_since"]) == (False, "2026-03-01T13:00:00Z")
    synced.later(hours=1)
    synced.run()
    told = document(synced)["archive"]
    assert (told["reachable"], told["down_since"]) == (True, None)


# -- the token


def test_a_token_that_was_never_tried_has_no_known_age(synced: Bench) -> None:
    assert document(synced)["token"]["source"] is None
    told = document(synced, token=TOKEN)["token"]
    assert told == {"source": "token file", "days_left": None, "accepted_at": None, "rejected": False}


def test_a_tokens_days_are_counted_from_first_sight_and_last_use(synced: Bench) -> None:
    synced.store.tokens.saw(TOKEN.value, accepted=True, now=NOW)
    synced.later(days=4)
    told = document(synced, token=TOKEN)["token"]
    assert (told["days_left"], told["accepted_at"]) == (6, "2026-03-01T12:00:00Z")
    synced.store.tokens.saw(TOKEN.value, accepted=False, now=synced.clock)
    told = document(synced, token=TOKEN)["token"]
    assert (told["rejected"], told["days_left"]) == (True, 0)
    synced.later(days=1)
    synced.store.tokens.saw(TOKEN.value, accepted=True, now=synced.clock)
    assert document(synced, token=TOKEN)["token"]["rejected"] is False
    assert TOKEN.value not in json.dumps(document(synced, token=TOKEN))


# -- notices


def test_what_holds_is_told_until_it_is_over(synced: Bench) -> None:
    notify(synced, "clock", kind="clock", text="the clock is wrong")
    (notice,) = document(synced)["notices"]
    assert {name: notice[name] for name in ("cause", "kind", "profile", "text", "since")} == {
        "cause": "clock",
        "kind": "clock",
        "profile": None,
        "text": "the clock is wrong",
        "since": "2026-03-01T12:00:00Z",
    }
    synced.store.notices.clear("clock", now=NOW)
    assert document(synced)["notices"] == []


def test_a_profile_that_finds_nothing_any_more_is_flagged(synced: Bench) -> None:
    assert only(document(synced))["found_nothing"] is False
    notify(synced, "nothing found watch", text="it found nothing", profile="watch")
    told = document(synced)
    assert only(told)["found_nothing"] is True
    assert only(told)["warnings"] == ["it found nothing"]


def test_notices_of_profiles_that_are_no_more_concern_nobody(synced: Bench) -> None:
    notify(synced, "nothing found former", profile="former")
    assert document(synced)["notices"] == []


def test_a_plan_that_waits_for_a_yes_is_told_with_its_size(bench: Bench) -> None:
    bench.configure({"watch": {"propID": 9001, "max_plan": "1 kB"}})
    bench.attempt()
    told = document(bench)
    listed = only(told)["bytes"]["wanted"]
    approval = only(told)["approval"]
    assert (approval["files"], approval["bytes"]) == (12, listed)
    assert listed > 1000
    assert approval["since"] == "2026-03-01T12:00:00Z"
    bench.attempt(yes=True)
    assert only(document(bench))["approval"] is None


# -- one profile


def test_a_profiles_own_document_has_its_settings_and_its_runs(synced: Bench) -> None:
    synced.configure({"watch": {"propID": 9001, "filetypes": ["rate"], "every": "6h"}})
    for _ in range(11):
        synced.later(hours=6)
        synced.attempt()
    told = of_profile(synced)
    assert set(told) >= {"profile", "runs", "failed"}
    assert (told["profile"]["name"], told["profile"]["schedule"]) == ("watch", "every 6h")
    assert told["profile"]["root"] == str(synced.root)
    assert told["profile"]["settings"]["filetypes"] == ["rate"]
    assert "timezone" not in told["profile"]["settings"], "only what somebody wrote"
    assert [run["run_id"] for run in told["runs"]] == list(range(12, 2, -1)), "the last ten, newest first"
    assert told["failed"] == told["withheld"] == []


def test_failed_files_come_with_their_error_and_next_attempt(bench: Bench) -> None:
    bench.server.faults.add(Fault(kind=FaultKind.STATUS, uri="*_uncal.fits", status=404, times=None))
    bench.attempt()
    told = of_profile(bench)
    assert told["profile"]["files"]["failed"] == 4
    assert len(told["failed"]) == 4
    for file in told["failed"]:
        assert file["name"].endswith("_uncal.fits")
        assert "404" in file["last_error"]
        assert (file["attempts"], file["state"]) == (1, "failed")
        assert file["next_attempt_at"] > told["at"]
    assert told["profile"]["plan"]["files"] == 0, "none is due yet"
    bench.later(days=2)
    assert of_profile(bench)["profile"]["plan"]["files"] == 4


def test_withheld_files_come_with_their_release(synced: Bench) -> None:
    release = to_mjd(NOW + timedelta(days=90))
    with synced.store.database.write() as connection:
        connection.exec_driver_sql("UPDATE file SET state = 'withheld', reason = 'no token' WHERE id <= 3")
        connection.exec_driver_sql(f"UPDATE observation SET t_obs_release = {release}")
    told = of_profile(synced)
    assert told["profile"]["files"]["withheld"] == 3
    (withheld,) = told["withheld"]
    assert (withheld["reason"], withheld["files"]) == ("no token", 3)
    assert withheld["released_at"] == "2026-05-30T12:00:00Z"
    assert withheld["bytes"] > 0


def test_a_profile_that_is_not_there_is_named_with_those_that_are(synced: Bench) -> None:
    from jwstwatch.errors import UsageError

    with pytest.raises(UsageError, match="'wacth'.*did you mean watch"):
        of_profile(synced, "wacth")
