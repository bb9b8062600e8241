"""Sending a message to everybody who wants it, with a time limit that holds."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jwstwatch.errors import ConfigurationError
from jwstwatch.telling.postman import Fate
from jwstwatch.telling.surroundings import clean_environment, end_group

LIMIT = 30.0
"""Seconds that a service may take."""
SPARE = 10.0
"""Seconds beyond, for the process to start and to answer."""
_GLANCE = 0.2

_PROBLEMS: Mapping[Fate, str] = {
    Fate.UNKNOWN: "is no URL that apprise knows",
    Fate.REFUSED: "did not take the message",
    Fate.LATE: "did not answer in time",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message; `kind` is info, success, warning or failure."""

    title: str
    body: str
    kind: str = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a message: how many took it, and a phrase for each who did not."""

    sent: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Sends to apprise's URLs `to`; raises `ConfigurationError` where apprise is not installed.

    The URLs go to the other process over its standard input: they stand in no process list and in no log.
    """

    to: Sequence[str] = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)
    limit: float = LIMIT

    def __post_init__(self) -> None:
        if importlib.util.find_spec("apprise") is None:
            text = "notify: messages need apprise, which is not installed"
            raise ConfigurationError(text, hint="pip install 'jwstwatch[notify]'", problems=(text,))

    def send(self, message: Message, *, abandoned: threading.Event) -> Delivery:
        """Send to all; ended early where `abandoned` is set."""
        request = {
            "to": list(self.to),
            "title": message.title,
            "body": message.body,
            "kind": message.kind,
            "limit": self.limit,
        }
        try:
            answer = self._ask(json.dumps(request).encode(), abandoned)
        except OSError as error:
            return Delivery(problems=(f"no process could be started: {error.strerror}",))
        fates = _read(answer, len(self.to))
        problems = [
            f"{_label(number, url)} {_PROBLEMS[fate]}"
            for number, (url, fate) in enumerate(zip(self.to, fates, strict=True), start=1)
            if fate is not Fate.SENT
        ]
        return Delivery(sent=fates.count(Fate.SENT), problems=tuple(problems))

    def _ask(self, request: bytes, abandoned: threading.Event) -> bytes | None:
        """Return the other process's answer, None where it took too long."""
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "jwstwatch.telling.postman"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=clean_environment(self.environ),
            start_new_session=True,
        )
        end = time.monotonic() + self.limit + SPARE
        given: bytes | None = request
        with process:
            try:
                while time.monotonic() < end and not abandoned.is_set():
                    try:
                        return process.communicate(given, _GLANCE)[0]
                    except subprocess.TimeoutExpired:
                        given = None  # it was taken over at the first call
                return None
            finally:
                if process.returncode is None:
                    end_group(process)


def _read(answer: bytes | None, count: int) -> list[Fate]:
    if answer is None:
        return [Fate.LATE] * count
    try:
        fates = [Fate(word) for word in json.loads(answer)]
    except (ValueError, TypeError):
        fates = []  # it broke down
    return fates if len(fates) == count else [Fate.REFUSED] * count


def _label(number: int, url: str) -> str:
    """Name a target without its secrets: by its place in `notify.to`, and its scheme."""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]{0,20})://", url)
    return f"target {number} ({scheme[1].lower()})" if scheme else f"target {number}"
