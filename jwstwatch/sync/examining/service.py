"""Does the daemon live, does systemd keep it alive, and what does it want people to know?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from jwstwatch import __version__
from jwstwatch.control.places import asking_places
from jwstwatch.errors import ExitCode
from jwstwatch.sync.examining.check import Check, Patient, ok, problem, warning

UNIT = "jwstwatch.service"
_ASKED = (
    "LoadState,ActiveState,SubState,UnitFileState,WatchdogUSec,NeedDaemonReload,ProtectSystem,ReadWritePaths"
)


def check_daemon(patient: Patient) -> Iterator[Check]:
    """Yield whether a daemon serves this state, answers, and works with the configuration of today."""
    if patient.told is None:
        yield _silent(patient)
        return
    daemon = patient.told["daemon"]
    version = daemon.get("version")
    yield ok(
        "daemon", f"running since {daemon.get('since')} (process {daemon.get('pid')}, version {version})"
    )
    if version != __version__:
        yield warning(
            "daemon",
            f"it runs version {version}, this command is {__version__}",
            hint="`systemctl restart jwstwatch` takes the new version.",
        )
    for text in (patient.told.get("configuration") or {}).get("refused") or []:
        yield problem(
            "daemon",
            f"it refuses the changed configuration: {text}",
            hint="Mend it, then `systemctl reload jwstwatch`; until then the old one stays in force.",
            code=ExitCode.USAGE,
        )


def _silent(patient: Patient) -> Check:
    from jwstwatch.store.locks import holder

    who = holder(patient.store.database, "daemon") if patient.store is not None else {"running": False}
    closed = [place for place in _places(patient) if _is_closed(place)]
    if closed:
        return warning(
            "daemon",
            f"its socket {closed[0]} is not open to this user",
            hint="Have yourself added to the group of the service, and log in again.",
        )
    if who["running"]:
        pid = f" (process {who['pid']})" if who.get("pid") else ""
        return problem(
            "daemon",
            f"it holds the state{pid}, but does not answer",
            hint="`journalctl -u jwstwatch` tells more; `systemctl restart jwstwatch` starts it anew.",
            code=ExitCode.BUSY,
        )
    return warning(
        "daemon",
        "not running: nothing is fetched by schedule",
        hint="`systemctl enable --now jwstwatch` (docs/installation.md), or `jwstwatch daemon`.",
    )


def _places(patient: Patient) -> list[Path]:
    return asking_places(patient.environ, patient.state_url) if patient.state_url is not None else []


def _is_closed(place: Path) -> bool:
    try:
        return place.is_socket() and not os.access(place, os.W_OK, effective_ids=True)
    except PermissionError:
        return True
    except OSError:
        return False


def check_systemd(patient: Patient) -> Iterator[Check]:
    """Yield whether the unit is installed, active, started with the machine, watched, and may write."""
    if patient.tell_systemd is None:
        yield ok("systemd", "does not run this machine")
        return
    for manager in ([], ["--user"]):
        answer = patient.tell_systemd([*manager, "show", UNIT, f"--property={_ASKED}"])
        facts = dict(line.partition("=")[::2] for line in (answer or "").splitlines())
        if facts.get("LoadState") == "loaded":
            yield from _check_unit(patient, facts, " ".join(["systemctl", *manager]))
            return
    yield warning(
        "systemd",
        f"{UNIT} is not installed: the daemon does not start with the machine",
        hint="docs/installation.md says how, word by word.",
    )


def _check_unit(patient: Patient, facts: Mapping[str, str], command: str) -> Iterator[Check]:
    active = facts.get("ActiveState")
    if active == "failed":
        yield problem(
            "systemd",
            f"{UNIT} has failed",
            hint=f"`journalctl -u jwstwatch` tells why; then `{command} restart jwstwatch`.",
            code=ExitCode.USAGE,
        )
    elif active in ("active", "reloading"):
        yield ok("systemd", f"{UNIT} is active")
    else:
        yield warning(
            "systemd",
            f"{UNIT} is {active}",
            hint=f"`{command} enable --now jwstwatch` starts it, now and later.",
        )
    if facts.get("UnitFileState") == "disabled":
        yield warning(
            "systemd",
            f"{UNIT} does not start with the machine",
            hint=f"`{command} enable jwstwatch` lets it.",
        )
    if facts.get("WatchdogUSec") in ("0", "infinity"):
        yield warning(
            "systemd",
            f"{UNIT} has no watchdog: a daemon that hangs stays so",
            hint="WatchdogSec=120 in the unit, as the one of docs/installation.md has it.",
        )
    if facts.get("NeedDaemonReload") == "yes":
        yield warning("systemd", f"{UNIT} was changed on disk", hint=f"`{command} daemon-reload` reads it.")
    yield from _check_paths(patient, facts)


def _check_paths(patient: Patient, facts: Mapping[str, str]) -> Iterator[Check]:
    """The sandbox must let the service write where it is to write."""
    if facts.get("ProtectSystem") != "strict" or patient.store is None:
        return
    opened = [Path(word.lstrip("-+")) for word in facts.get("ReadWritePaths", "").split()]
    for root in patient.store.roots.all():
        if not any(root.path.is_relative_to(path) for path in opened):
            yield warning(
                "systemd",
                f"{UNIT} may not write to {root.path}",
                hint=f"`systemctl edit jwstwatch`: ReadWritePaths={root.path} below [Service].",
            )


def check_notices(patient: Patient) -> Iterator[Check]:
    """Yield what holds that people should know."""
    if patient.told is not None:
        texts = [notice["text"] for notice in patient.told.get("notices") or []]
    else:
        holding = patient.store.notices.holding() if patient.store is not None else []
        known = patient.settings.profiles if patient.settings is not None else None
        # What is said of a profile that is no more concerns nobody.
        texts = [
            notice.text
            for notice in holding
            if notice.profile is None or known is None or notice.profile in known
        ]
    for text in texts:
        yield warning("notice", text, hint="`jwstwatch status` says since when.")
