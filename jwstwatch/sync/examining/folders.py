"""Are the output folders mounted, the right ones, writable, open to the team, and large enough?"""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from jwstwatch.core.amounts import size_text
from jwstwatch.errors import ExitCode
from jwstwatch.files import current_umask
from jwstwatch.store.roots import RootRecord
from jwstwatch.sync.examining.check import Check, Patient, name_of, ok, problem, warning
from jwstwatch.sync.mounts import Mount, Mounts
from jwstwatch.sync.standing_parts import min_free

NAME = "output folder"
PATIENCE = 5.0
"""Seconds that a folder may take to answer."""
_GROUP_READS = stat.S_IRGRP | stat.S_IXGRP


def check(patient: Patient) -> Iterator[Check]:
    """Yield the findings of every folder that the state has used, and of those that are to be used."""
    roots = patient.store.roots.all() if patient.store is not None else []
    mounts = Mounts(patience=PATIENCE)
    for root in roots:
        found = mounts.look(root.path, root.uuid)
        if not found.mounted:
            yield _missing(root, found.problem or "is not there")
            continue
        yield from _check_folder(patient, root.path)
        yield _check_space(patient, root.path, found)
    for path in _wanted(patient):
        if path not in {root.path for root in roots}:
            yield _check_new(patient, path)
    yield _check_umask(patient)


def _wanted(patient: Patient) -> list[Path]:
    from jwstwatch.sync.rules import root_of

    if patient.settings is None:
        return []
    profiles = patient.settings.profiles.values()
    return list(dict.fromkeys(root_of(profile.parameters) for profile in profiles))


def _missing(root: RootRecord, why: str) -> Check:
    if root.files == 0:
        return warning(
            NAME,
            f"{root.path} {why}; nothing lay there",
            hint="The next run makes it, or mount its disk first.",
        )
    return problem(
        NAME,
        f"{root.path} {why}: {root.files} files are known there, and nothing is fetched",
        hint=f"Is its disk mounted? If the folder moved: `jwstwatch root move {root.path} NEW`. If it is "
        f"right that the files are gone: `jwstwatch root accept {root.path}`.",
        code=ExitCode.STORAGE,
    )


def _check_folder(patient: Patient, path: Path) -> Iterator[Check]:
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    writer = name_of(patient.writer)
    writable = patient.may_write(path)
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        yield problem(
            NAME, f"{path} is mounted read-only", hint="Mount it for writing.", code=ExitCode.STORAGE
        )
    elif writable is False:
        yield problem(
            NAME,
            f"{path} may not be written by {writer} (mode {mode:04o}, owner {name_of(status.st_uid)})",
            hint=f"chown {writer} {path}, or open it to a group of which {writer} is a member.",
            code=ExitCode.STORAGE,
        )
    else:
        sure = (
            f"writable by {writer}"
            if writable
            else f"whether {writer} may write only {writer} or root can tell"
        )
        yield ok(NAME, f"{path}: mounted, {sure}")
    group = _group(status.st_gid)
    if mode & _GROUP_READS != _GROUP_READS:
        yield warning(
            NAME,
            f"{path} is closed to its group {group} (mode {mode:04o})",
            hint=f"chmod g+rxs {path}, so that the team can read what arrives.",
        )
    elif not mode & stat.S_ISGID and status.st_gid != _own_group(patient.writer):
        yield warning(
            NAME,
            f"what is written to {path} does not get its group {group}",
            hint=f"chmod g+s {path}, and the same for the folders in it.",
        )


def _own_group(user: int) -> int:
    import pwd

    if user == os.geteuid():
        return os.getegid()
    try:
        return pwd.getpwuid(user).pw_gid
    except KeyError:
        return -1


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _check_space(patient: Patient, path: Path, found: Mount) -> Check:
    from jwstwatch.sync.rules import root_of

    free = found.free_bytes
    if free is None:
        return warning(NAME, f"{path} does not tell its free space", hint="`df` may tell why.")
    counts = patient.store.reports.counts() if patient.store is not None else {}
    profiles = patient.settings.profiles.values() if patient.settings is not None else ()
    # Files that two profiles want count twice: rather too much than too little.
    wanted = sum(
        counts[profile.name].bytes_wanted
        for profile in profiles
        if profile.name in counts and root_of(profile.parameters) == path
    )
    kept = min_free(patient.settings, path, found) if patient.settings is not None else None
    said = f", {size_text(kept)} kept free" if kept else ""
    if free == 0 or wanted > max(0, free - (kept or 0)):
        return warning(
            NAME,
            f"{path}: {size_text(free)} are free{said}, {size_text(wanted)} are still to be fetched",
            hint="Free some space there, lower min_free, or narrow the profiles: what has no room waits.",
        )
    return ok(NAME, f"{path}: {size_text(free)} free{said}, {size_text(wanted)} still to be fetched")


def _check_new(patient: Patient, path: Path) -> Check:
    """A folder that no run has used yet has to be makeable."""
    try:
        folder = next(parent for parent in (path, *path.parents) if parent.is_dir())
    except (OSError, StopIteration):
        folder = path.parent
    if patient.may_write(folder) is False:
        return problem(
            NAME,
            f"{path} has not been used yet, and {name_of(patient.writer)} may not write to {folder}",
            hint=f"Make {path} and give it to {name_of(patient.writer)}, or mount its disk.",
            code=ExitCode.STORAGE,
        )
    return ok(NAME, f"{path} has not been used yet; the first run makes it")


def _check_umask(patient: Patient) -> Check:
    """What is written gets the umask of its process: the daemon's, where one runs here."""
    umask, whose = current_umask(), "this process"
    daemon = patient.told["daemon"].get("pid") if patient.told is not None else None
    if isinstance(daemon, int):
        known = _umask_of(daemon)
        if known is not None:
            umask, whose = known, "the daemon"
    if umask & _GROUP_READS:
        return warning(
            NAME,
            f"the umask of {whose} is {umask:04o}: the group cannot read what it writes",
            hint="UMask=0002 in the unit, or `umask 0002` before the command.",
        )
    return ok(NAME, f"the umask of {whose} is {umask:04o}: the group reads what it writes")


def _umask_of(process: int) -> int | None:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1], 8) for line in lines if line.startswith("Umask:")), None)
