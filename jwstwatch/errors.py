"""One exception tree. Each error carries a hint for the user and the exit code of the program.

Source of the codes: `docs/commands.md`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What the program's exit status means."""

    DONE = 0
    BUG = 1
    USAGE = 2
    FILES_FAILED = 3
    ARCHIVE = 4
    BUSY = 5
    AUTHENTICATION = 6
    STORAGE = 7
    INTERRUPTED = 130
    TERMINATED = 143


# Of several runs in one command, the first of these that applies is the command's.
_PRECEDENCE = (
    ExitCode.BUG,
    ExitCode.USAGE,
    ExitCode.BUSY,
    ExitCode.AUTHENTICATION,
    ExitCode.STORAGE,
    ExitCode.ARCHIVE,
    ExitCode.FILES_FAILED,
)


def first_exit_code(codes: Iterable[ExitCode]) -> ExitCode:
    """Reduce the codes of several runs to the one that the command ends with."""
    seen = set(codes)
    for interrupted in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
        if interrupted in seen:
            return interrupted
    return next((code for code in _PRECEDENCE if code in seen), ExitCode.DONE)


class JwstwatchError(Exception):
    """Anything this program foresees: `message` says what is wrong and where, `hint` what to do."""

    exit_code: ExitCode = ExitCode.BUG
    kind: str = "bug"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(JwstwatchError):
    """The command's words cannot be followed: an unknown profile, a contradiction."""

    exit_code = ExitCode.USAGE
    kind = "usage"


class ConfigurationError(JwstwatchError):
    """The configuration cannot be used; `problems` has one line for each thing that is wrong."""

    exit_code = ExitCode.USAGE
    kind = "configuration"

    def __init__(self, message: str, *, hint: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems


class StateError(JwstwatchError):
    """The state database cannot be used as it is: newer than this program, or not ours."""

    exit_code = ExitCode.USAGE
    kind = "state"


class StateAwayError(StateError):
    """The server of the state database does not answer; it may do so later."""

    exit_code = ExitCode.STORAGE
    kind = "state_away"


class ArchiveError(JwstwatchError):
    """The archive cannot be reached or does not answer as an archive does."""

    exit_code = ExitCode.ARCHIVE
    kind = "archive_unreachable"


class ArchiveTimeoutError(ArchiveError):
    """The archive took too long over one question; a smaller question may succeed."""

    kind = "archive_timeout"


class IncompleteListingError(ArchiveError):
    """The archive sent fewer rows than it announced; nothing may be concluded from them."""

    kind = "incomplete_listing"


class RejectedQueryError(ArchiveError):
    """The archive is there and refused the question itself."""

    kind = "query_rejected"


class AuthenticationError(JwstwatchError):
    """The archive rejected the token."""

    exit_code = ExitCode.AUTHENTICATION
    kind = "authentication"


class BusyError(JwstwatchError):
    """Another process holds what this one needs: the instance lock, a profile, the database."""

    exit_code = ExitCode.BUSY
    kind = "busy"


class PlanWaitsError(JwstwatchError):
    """So much is to be fetched that somebody has to say yes first."""

    exit_code = ExitCode.USAGE
    kind = "plan_waits"


class StorageError(JwstwatchError):
    """Local storage refuses: full, read-only, over quota, not mounted."""

    exit_code = ExitCode.STORAGE
    kind = "storage"


class RootMissingError(StorageError):
    """An output root that the state knows files in is not there, or is another one."""

    kind = "root_missing"


class UnsafePathError(JwstwatchError):
    """A name from outside would leave its folder, or cannot be a file name."""

    kind = "unsafe_path"


class CancelledError(JwstwatchError):
    """Somebody asked the run to stop."""

    exit_code = ExitCode.INTERRUPTED
    kind = "cancelled"


class ContentError(JwstwatchError):
    """A file's bytes are not what its name promises: cut, garbled, or an HTML page."""

    exit_code = ExitCode.FILES_FAILED
    kind = "content"
