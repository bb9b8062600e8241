"""Is the state there, sound, where it may be, and does anything of a killed process remain in it?"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from jwstwatch.core.amounts import size_text
from jwstwatch.errors import ExitCode, JwstwatchError
from jwstwatch.store.store import Store, open_to_look
from jwstwatch.sync.examining.check import Check, Patient, name_of, ok, problem, warning

NAME = "state"
LITTLE = 200_000_000
"""Bytes of free space below which the state's disk is told of."""


def check(patient: Patient) -> Iterator[Check]:
    """Yield whether the state can be opened, is sound, writable and with room, and who else has it."""
    if patient.state_url is None:
        return
    path = patient.state_path
    if path is not None and _is_missing(path):
        yield from _check_birthplace(patient, path)
        return
    yield from _open(patient)
    if path is not None:
        yield from _check_file(patient, path)
        yield from _check_locks(path)
    store = patient.store
    if store is not None:
        yield _check_soundness(store, path)
        yield from _check_runs(patient, store)


def _is_missing(path: Path) -> bool:
    from jwstwatch.store.sqlite_files import is_there

    return not is_there(path)


def _check_birthplace(patient: Patient, path: Path) -> Iterator[Check]:
    folder = next(parent for parent in path.parents if parent.is_dir())
    if patient.may_write(folder) is False:
        yield problem(
            NAME,
            f"{path} is not there, and may not be made: {folder} is not writable",
            hint="Check the folder's owner and modes, or name another file (`state:`, $JWSTWATCH_STATE).",
            code=ExitCode.STORAGE,
        )
    else:
        yield ok(NAME, f"{path} is not there yet; the first run makes it")


def _open(patient: Patient) -> Iterator[Check]:
    """Open the state for the checks that follow; a network file system does not keep us from looking."""
    url = patient.state_url or ""
    try:
        patient.store = open_to_look(url)
        return
    except JwstwatchError as error:
        refusal = error
    with contextlib.suppress(JwstwatchError):
        patient.store = open_to_look(url, allow_network_state=True)
    if patient.store is not None and patient.allow_network_state:
        yield warning(NAME, refusal.message, hint=refusal.hint)
    else:
        yield problem(NAME, refusal.message, hint=refusal.hint, code=refusal.exit_code)


def _check_file(patient: Patient, path: Path) -> Iterator[Check]:
    mode = path.stat().st_mode
    if not mode & stat.S_IRGRP:
        yield warning(
            NAME,
            f"{path} is closed to its group (mode {stat.S_IMODE(mode):04o})",
            hint=f"chmod g+r {path}, so that the team can ask `jwstwatch status` without the daemon.",
        )
    if patient.may_write(path.parent) is False or not mode & stat.S_IWUSR:
        yield problem(
            NAME,
            f"{path} may not be written by {name_of(patient.writer)}",
            hint="Check its owner and modes, and those of its folder.",
            code=ExitCode.STORAGE,
        )
    yield _check_space(path)


def _check_space(path: Path) -> Check:
    status = os.statvfs(path)
    free = status.f_bavail * status.f_frsize
    if status.f_flag & os.ST_RDONLY:
        return problem(
            NAME,
            f"{path} lies on a disk that is mounted read-only",
            hint="Mount it for writing.",
            code=ExitCode.STORAGE,
        )
    if free < LITTLE:
        return warning(
            NAME,
            f"{size_text(free)} are free on its disk",
            hint=f"Free some space on the disk of {path.parent}.",
        )
    return ok(NAME, f"{path}: {size_text(path.stat().st_size)}, {size_text(free)} free")


def _check_soundness(store: Store, path: Path | None) -> Check:
    if path is None:
        store.roots.all()
        return ok(NAME, "the database answers")
    from jwstwatch.store.backups import summarise

    try:
        found = summarise(path)
    except JwstwatchError as error:
        return problem(NAME, error.message, hint=error.hint, code=error.exit_code)
    return ok(NAME, f"sound (schema {found.schema}, {found.runs} runs, {found.files} files)")


def _check_locks(path: Path) -> Iterator[Check]:
    """A lock ends with its process; one that is held although its process is gone is worth a look."""
    from jwstwatch.store.liveness import ProcessMark, is_surely_dead
    from jwstwatch.store.locks import lock_path

    for purpose in ("daemon", "migration"):
        lock = lock_path(path, purpose)
        try:
            mark = json.loads(lock.read_text(encoding="utf-8"))
            host, pid = str(mark["host"]), int(mark["pid"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if _is_held(lock) and is_surely_dead(ProcessMark(host, pid, "")):
            yield warning(
                NAME,
                f"{lock} is locked, but process {pid}, which took it, is gone",
                hint=f"`fuser {lock}` shows who holds it; end that process.",
            )


def _is_held(lock: Path) -> bool:
    import fcntl

    try:
        handle = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _check_runs(patient: Patient, store: Store) -> Iterator[Check]:
    from jwstwatch.store.outlook import Outlook

    for run in Outlook(store.database).open_runs(now=patient.now()):
        if not run.lives:
            yield warning(
                NAME,
                f"run {run.id} of {run.profile or 'a download'} was killed (process {run.pid} on {run.host})",
                hint="Nothing is lost: the next run closes it, and goes on from where it stopped.",
            )
