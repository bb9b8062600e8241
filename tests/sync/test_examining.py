"""What the doctor makes of systemd's words, and of a check that breaks."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest

from jwstwatch.errors import ExitCode, StorageError
from jwstwatch.sync import examining
from jwstwatch.sync.examining import Check, Patient, Status, service
from jwstwatch.sync.examining.service import check_systemd
from jwstwatch.sync.examining.state import check as check_state
from tests.sync.bench import Bench
from tests.sync.conftest import NOW

GOOD = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "UnitFileState": "enabled",
    "WatchdogUSec": "2min",
    "NeedDaemonReload": "no",
    "ProtectSystem": "strict",
}


def nobody(*_: object) -> Any:
    raise AssertionError("nobody is to be asked")


def patient(bench: Bench | None = None, **changes: Any) -> Patient:
    facts: dict[str, Any] = {
        "settings": bench.settings if bench is not None else None,
        "refusal": None,
        "state_url": None,
        "environ": {},
        "now": lambda: datetime(2026, 3, 1, tzinfo=UTC),
        "open_archive": nobody,
        "find_token": nobody,
        "store": bench.store if bench is not None else None,
    }
    return Patient(**(facts | changes))


def test_what_was_said_of_a_profile_that_is_no_more_is_not_told(bench: Bench) -> None:
    for profile in ("watch", "former", None):
        text = f"what {profile} waits for"
        bench.store.notices.raise_(f"quota {profile}", kind="space", profile=profile, text=text, now=NOW)
    told = {each.text for each in service.check_notices(patient(bench))}
    assert told == {"what watch waits for", "what None waits for"}


class Systemd:
    """Answers as `systemctl show` does, for the system's units or the user's."""

    def __init__(self, system: dict[str, str], user: dict[str, str] | None = None) -> None:
        self._system, self._user = system, user or {"LoadState": "not-found"}
        self.asked: list[list[str]] = []

    def __call__(self, words: list[str]) -> str:
        self.asked.append(words)
        facts = self._user if "--user" in words else self._system
        return "".join(f"{name}={value}\n" for name, value in facts.items())


def findings(systemd: Any, bench: Bench | None = None) -> list[tuple[Status, str]]:
    return [(check.status, check.text) for check in check_systemd(patient(bench, tell_systemd=systemd))]


def test_a_machine_without_systemd_has_nothing_to_mend() -> None:
    assert findings(None) == [(Status.OK, "does not run this machine")]


def test_a_unit_as_it_should_be_is_one_good_finding(synced: Bench) -> None:
    systemd = Systemd(GOOD | {"ReadWritePaths": f"-/srv/other -{synced.folder}"})
    assert findings(systemd, synced) == [(Status.OK, "jwstwatch.service is active")]
    assert systemd.asked[0][:2] == ["show", "jwstwatch.service"]


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"ActiveState": "failed"}, Status.PROBLEM, "has failed"),
        ({"ActiveState": "inactive"}, Status.WARNING, "is inactive"),
        ({"UnitFileState": "disabled"}, Status.WARNING, "does not start with the machine"),
        ({"WatchdogUSec": "0"}, Status.WARNING, "no watchdog"),
        ({"WatchdogUSec": "infinity"}, Status.WARNING, "no watchdog"),
        ({"NeedDaemonReload": "yes"}, Status.WARNING, "was changed on disk"),
    ],
)
def test_what_is_wrong_with_a_unit_is_told(changes: dict[str, str], status: Status, words: str) -> None:
    found = [each for each in findings(Systemd(GOOD | changes)) if each[0] is not Status.OK]
    assert [each[0] for each in found] == [status]
    assert words in found[0][1]


def test_an_output_folder_outside_of_the_sandbox_is_told(synced: Bench) -> None:
    (_, warned) = findings(Systemd(GOOD | {"ReadWritePaths": "-/srv/jwst"}), synced)
    assert warned == (Status.WARNING, f"jwstwatch.service may not write to {synced.root}")
    assert len(findings(Systemd(GOOD | {"ProtectSystem": "no"}), synced)) == 1


def test_a_unit_of_the_user_counts_too() -> None:
    systemd = Systemd({"LoadState": "not-found"}, GOOD | {"ActiveState": "inactive"})
    (check,) = check_systemd(patient(tell_systemd=systemd))
    assert check.hint == "`systemctl --user enable --now jwstwatch` starts it, now and later."


@pytest.mark.parametrize("answer", ["LoadState=not-found\n", "", None])
def test_a_unit_that_is_not_installed_is_told(answer: str | None) -> None:
    ((status, text),) = findings(lambda _: answer)
    assert (status, text.partition(":")[0]) == (Status.WARNING, "jwstwatch.service is not installed")


def test_a_check_that_breaks_is_a_finding_and_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Patient) -> Any:
        yield Check(name="first", status=Status.OK, text="well")
        raise StorageError("the disk is gone", hint="Find it.")

    def locked(_: Patient) -> Any:
        raise PermissionError(13, "Permission denied", "/srv/x")

    def sound(_: Patient) -> Any:
        yield Check(name="last", status=Status.OK, text="well")

    rounds = (("one", broken), ("two", locked), ("three", sound))
    monkeypatch.setattr(examining, "_ROUNDS", rounds)
    found = list(examining.examine(patient()))
    assert [(check.name, check.status.value) for check in found] == [
        ("first", "ok"),
        ("one", "problem"),
        ("two", "problem"),
        ("last", "ok"),
    ]
    assert (found[1].text, found[1].hint, found[1].code) == ("the disk is gone", "Find it.", ExitCode.STORAGE)
    assert "/srv/x: Permission denied" in found[2].text


def test_without_a_configuration_or_a_state_it_ends_in_good_order() -> None:
    statuses = {check.status for check in examining.examine(patient())}
    assert Status.PROBLEM not in statuses


@pytest.mark.parametrize(("allowed", "status"), [(False, Status.PROBLEM), (True, Status.WARNING)])
def test_a_state_on_a_network_file_system_is_told_and_looked_at(
    synced: Bench, monkeypatch: pytest.MonkeyPatch, allowed: bool, status: Status
) -> None:
    monkeypatch.setattr("jwstwatch.store.sqlite_files.file_system_of", lambda _: "nfs4")
    subject = patient(state_url=synced.settings.state_url, allow_network_state=allowed)
    with contextlib.closing(subject):
        found = list(check_state(subject))
    (told,) = [check for check in found if check.status is not Status.OK]
    assert told.status is status
    assert "network file system (nfs4)" in told.text
    assert any("12 files" in check.text for check in found)
