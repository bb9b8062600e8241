"""Does the archive answer, does it take the token, and does its clock agree with ours?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from jwstwatch.core.model import FileState
from jwstwatch.core.status import duration_text
from jwstwatch.errors import ArchiveError, ExitCode
from jwstwatch.sync.examining.check import Check, Patient, ok, problem, warning
from jwstwatch.sync.noticing import SKEW

if TYPE_CHECKING:
    from jwstwatch.archive.protocol import Probe
    from jwstwatch.config.secrets import Token
    from jwstwatch.config.settings import Settings

SOON = 7
"""Days before a token's end at which it is told of."""
_MAKE_ONE = (
    "Make a new one at https://auth.mast.stsci.edu/token, then `jwstwatch token set` or replace the file."
)


def check(patient: Patient) -> Iterator[Check]:
    """Yield what one cheap question tells, and what becomes of the token."""
    settings = patient.settings
    if settings is None:
        return
    archive = patient.open_archive(settings, None)
    probe = archive.probe()
    if probe.reachable:
        yield ok("archive", f"{settings.mast.server} answers")
    else:
        yield problem(
            "archive",
            probe.problem or f"{settings.mast.server} does not answer",
            hint="Check mast.server, the network and a firewall; an archive that is down is asked again.",
            code=ExitCode.ARCHIVE,
        )
    yield from _check_cloud(archive.probe_cloud(), settings.mast.cloud_server)
    yield _check_clock(patient, probe)
    yield from _check_token(patient, settings, reachable=probe.reachable)


def _check_cloud(probe: Probe | None, bucket: str) -> Iterator[Check]:
    if probe is None:
        return
    if probe.reachable:
        yield ok("cloud", f"{bucket} answers")
    else:
        yield warning(
            "cloud",
            probe.problem or f"{bucket} does not answer",
            hint="Check mast.cloud_server, the network and a firewall; the archive sends everything.",
        )


def _check_clock(patient: Patient, probe: Probe) -> Check:
    if probe.skew is None:
        return warning(
            "clock",
            f"{_utc(patient.now())} could not be compared with the archive's",
            hint="Only an answer of the archive tells; `timedatectl` says whether NTP keeps the clock.",
        )
    if abs(probe.skew) > SKEW:
        rounded = timedelta(minutes=round(abs(probe.skew) / timedelta(minutes=1)))
        which = "behind" if probe.skew > timedelta(0) else "ahead of"
        return warning(
            "clock",
            f"{_utc(patient.now())} is {duration_text(rounded)} {which} the archive's",
            hint="Set the clock (timedatectl set-ntp true): schedules and releases go by it.",
        )
    return ok("clock", f"{_utc(patient.now())} agrees with the archive's")


def _utc(now: datetime) -> str:
    return f"{now:%Y-%m-%d %H:%M} UTC"


def _check_token(patient: Patient, settings: Settings, *, reachable: bool) -> Iterator[Check]:
    told = patient.told["token"] if patient.told is not None else {}
    if told.get("source"):
        yield from _judge(
            f"the daemon's, from {told['source']}", told.get("days_left"), rejected=bool(told.get("rejected"))
        )
    token = patient.find_token(settings)
    if token is not None:
        yield from _try(patient, settings, token, reachable=reachable)
    elif not told.get("source"):
        yield _without(patient)


def _try(patient: Patient, settings: Settings, token: Token, *, reachable: bool) -> Iterator[Check]:
    """Ask the archive what it makes of the token."""
    from jwstwatch.archive.protocol import LogInStatus
    from jwstwatch.sync.standing_parts import token as token_document

    where = f"found in {token.source}"
    left = None
    if patient.store is not None:
        left = token_document(patient.store, token, now=patient.now())["days_left"]
    if not reachable:
        yield ok("token", f"{where}; the archive could not be asked about it")
        return
    try:
        answer = patient.open_archive(settings, token.value).log_in()
    except ArchiveError as error:
        yield warning("token", f"{where}; the archive could not be asked: {error.message}", hint=error.hint)
        return
    user = f", taken by the archive{f' ({answer.user})' if answer.user else ''}"
    rejected = answer.status is LogInStatus.REJECTED
    yield from _judge(where + ("" if rejected else user), left, rejected=rejected)


def _judge(text: str, days_left: object, *, rejected: bool) -> Iterator[Check]:
    if rejected:
        yield problem(
            "token", f"{text}: the archive rejects it", hint=_MAKE_ONE, code=ExitCode.AUTHENTICATION
        )
    elif isinstance(days_left, int) and days_left <= SOON:
        days = f"{days_left} day{'' if days_left == 1 else 's'}"
        yield warning("token", f"{text}, at most {days} left", hint=_MAKE_ONE)
    elif isinstance(days_left, int):
        yield ok("token", f"{text}, at most {days_left} days left")
    else:
        yield ok("token", text)


def _without(patient: Patient) -> Check:
    counts = patient.store.reports.counts() if patient.store is not None else {}
    withheld = sum(each.files.get(FileState.WITHHELD, 0) for each in counts.values())
    if withheld:
        return warning(
            "token",
            f"none; {withheld} file{' is' if withheld == 1 else 's are'} withheld",
            hint="Whoever may have them makes one at https://auth.mast.stsci.edu/token.",
        )
    return ok("token", "none (public data need none)")
