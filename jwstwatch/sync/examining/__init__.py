"""The checks of `jwstwatch doctor`: what a run or the daemon would stumble over, and what to do about it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from jwstwatch.errors import ExitCode, JwstwatchError
from jwstwatch.sync.examining import archive, configuration, folders, service, state
from jwstwatch.sync.examining.check import Check, Patient, Status, problem

__all__ = ["Check", "Patient", "Status", "examine"]

_ROUNDS: tuple[tuple[str, Callable[[Patient], Iterator[Check]]], ...] = (
    ("configuration", configuration.check),
    ("state", state.check),
    ("output folders", folders.check),
    ("archive", archive.check),
    ("daemon", service.check_daemon),
    ("systemd", service.check_systemd),
    ("notices", service.check_notices),
)


def examine(patient: Patient) -> Iterator[Check]:
    """Yield every finding as it is made; a check that cannot be carried out is one, and hides no other."""
    with contextlib.closing(patient):
        for name, look in _ROUNDS:
            yield from _survive(name, look, patient)


def _survive(name: str, look: Callable[[Patient], Iterator[Check]], patient: Patient) -> Iterator[Check]:
    try:
        yield from look(patient)
    except JwstwatchError as error:
        yield problem(name, error.message, hint=error.hint, code=error.exit_code)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        yield problem(
            name,
            f"this could not be looked at: {where}{error.strerror or error}",
            hint="Run it as the user of the service, or as root.",
            code=ExitCode.STORAGE,
        )
