"""Runs that the daemon carries out for a command: followed to their end, told as if they were ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jwstwatch.errors import ExitCode

if TYPE_CHECKING:
    from jwstwatch.control.client import Conversation
    from jwstwatch.sync.context import Reporter


@dataclass(slots=True, kw_only=True)
class Followed:
    """What became of the runs that were followed: `ended` by ticket, each with its exit code."""

    accepted: Sequence[Mapping[str, Any]]
    ended: dict[int, tuple[dict[str, Any], ExitCode]] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    """Taken back before they began: the profile is no longer in the daemon's configuration."""
    lost: bool = False
    """The daemon tells no more, as this side was too slow; the runs go on."""

    @property
    def open(self) -> list[str]:
        """The profiles whose runs go on without us."""
        over = self.ended.keys() | self.dropped
        return [entry["profile"] for entry in self.accepted if entry["ticket"] not in over]


def follow(conversation: Conversation, report: Reporter, followed: Followed) -> None:
    """Pass on what the runs tell until each has ended, into `followed`; raises `DaemonGoneError`."""
    several = len(followed.accepted) > 1
    for event in conversation:
        name = event.get("event")
        if name == "ended":
            followed.ended[event["ticket"]] = (event["run"], _exit_code(event))
        elif name == "dropped":
            followed.dropped.add(event["ticket"])
        elif name == "lost":
            followed.lost = True
        else:
            _pass_on(event, report, prefix=f"{event.get('profile')}: " if several else "")
        if followed.lost or not followed.open:
            return


def _pass_on(event: Mapping[str, Any], report: Reporter, *, prefix: str) -> None:
    """Tell the reporter what the run told the daemon; what a newer daemon tells besides is left out."""
    match event:
        case {"event": "step", "text": str(text)}:
            report.step(prefix + text)
        case {
            "event": "listed",
            "observations": int(observations),
            "done": int(done),
            "products": int(count),
        }:
            report.listed(observations=observations, done=done, products=count)
        case {"event": "checked", "files": int(files), "done": int(done)}:
            report.checked(files=files, done=done)
        case {"event": "planned", "files": int(files), "size": int(size)}:
            report.planned(files=files, size=size)
        case {"event": "started", "key": int(key), "name": str(name), "size": size}:
            report.started(key, name, size if isinstance(size, int) else None)
        case {"event": "advanced", "key": int(key), "count": int(count)}:
            report.advanced(key, count)
        case {"event": "finished", "key": int(key)}:
            report.finished(key)
        case {"event": "failed", "name": str(name), "problem": str(problem)}:
            report.failed(name, problem)
        case {"event": "warned", "text": str(text)}:
            report.warned(prefix + text)
        case _:
            pass


def _exit_code(event: Mapping[str, Any]) -> ExitCode:
    try:
        return ExitCode(event.get("exit_code", ExitCode.BUG))
    except ValueError:
        return ExitCode.BUG
