"""A finding, and everything that is looked at to make one."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jwstwatch.control import client
from jwstwatch.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from jwstwatch.archive.protocol import Archive
    from jwstwatch.config.secrets import Token
    from jwstwatch.config.settings import Settings
    from jwstwatch.store.store import Store


class Status(StrEnum):
    """How good or bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding: `name` says what was looked at, `hint` what to do; `code` is a problem's exit code."""

    name: str
    status: Status
    text: str
    hint: str = ""
    code: ExitCode = ExitCode.DONE


def ok(name: str, text: str) -> Check:
    """Return that all is well."""
    return Check(name=name, status=Status.OK, text=text)


def warning(name: str, text: str, *, hint: str) -> Check:
    """Return something that works, and may not do so for ever."""
    return Check(name=name, status=Status.WARNING, text=text, hint=hint)


def problem(name: str, text: str, *, hint: str, code: ExitCode) -> Check:
    """Return something that does not work."""
    return Check(name=name, status=Status.PROBLEM, text=text, hint=hint, code=code)


@dataclass(kw_only=True)
class Patient:
    """What is examined. `settings` is None where `refusal` says why the configuration cannot be used.

    `store` is the state, once it has been found to be readable.
    """

    settings: Settings | None
    refusal: ConfigurationError | None
    state_url: str | None
    environ: Mapping[str, str] = field(repr=False)
    now: Callable[[], datetime]
    open_archive: Callable[[Settings, str | None], Archive]
    find_token: Callable[[Settings], Token | None]
    allow_network_state: bool = False
    tell_systemd: Callable[[list[str]], str | None] | None = None
    """Runs `systemctl` with these words and returns what it prints; None where systemd is not in charge."""
    store: Store | None = None

    @cached_property
    def told(self) -> Mapping[str, Any] | None:
        """The daemon's own account of how things stand, None where none answers."""
        if self.state_url is None:
            return None
        try:
            answer = client.ask(self.state_url, self.environ, {"ask": "status"})
        except client.RefusedError:
            return None
        document = answer.get("status") if answer is not None else None
        return document if isinstance(document, dict) else None

    @cached_property
    def writer(self) -> int:
        """The number of the user for whom things have to be right: whoever has the state, else this one."""
        path = self.state_path
        try:
            return path.stat().st_uid if path is not None else os.geteuid()
        except OSError:
            return os.geteuid()

    @cached_property
    def state_path(self) -> Path | None:
        """The file of an SQLite state."""
        from jwstwatch.store.engine import parse_url, sqlite_path

        return sqlite_path(parse_url(self.state_url)) if self.state_url is not None else None

    def may_write(self, folder: Path) -> bool | None:
        """Return whether the writer may put a file into `folder`, None where this user cannot tell."""
        if self.writer == os.geteuid():
            return os.access(folder, os.W_OK | os.X_OK, effective_ids=True)
        if os.geteuid() != 0:
            return None
        return _may_write_as(folder, self.writer)

    def close(self) -> None:
        """Let go of the state."""
        if self.store is not None:
            self.store.database.close()
            self.store = None


def name_of(user: int) -> str:
    """Return a user's name, or number where it has none."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def _may_write_as(folder: Path, user: int) -> bool | None:
    """Ask the kernel in another user's place, so that groups, access lists and mounts all count."""
    try:
        account = pwd.getpwuid(user)
        group, groups = account.pw_gid, os.getgrouplist(account.pw_name, account.pw_gid)
    except KeyError:
        group, groups = user, []
    words = ["test", "-w", str(folder), "-a", "-x", str(folder)]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program of the system's
            words,
            user=user,
            group=group,
            extra_groups=groups,
            check=False,
            timeout=10,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.returncode == 0
