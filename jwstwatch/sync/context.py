"""What a run needs from outside, and how it tells what it does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from jwstwatch.archive.protocol import Archive
from jwstwatch.config.settings import MastSettings, Profile

if TYPE_CHECKING:
    from jwstwatch.store.runs import RunRecord
    from jwstwatch.store.store import Store
    from jwstwatch.transfer.budget import Budget


class Reporter(Protocol):
    """Hears what a run does; a terminal, a log or a socket stands behind it. Called from several threads."""

    def began(self, run_id: int) -> None:
        """The run is recorded, under this number."""

    def step(self, text: str) -> None:
        """A part of the run begins."""

    def listed(self, *, observations: int, done: int, products: int) -> None:
        """So many observations of all have had their `products` listed."""

    def checked(self, *, files: int, done: int) -> None:
        """So many of the files that lie on disk have been read."""

    def planned(self, *, files: int, size: int) -> None:
        """So many files, and bytes as far as listed, are to be fetched."""

    def started(self, key: int, name: str, size: int | None) -> None:
        """An attempt at a file begins; `size` in bytes where it is known. A second one starts from nought."""

    def advanced(self, key: int, count: int) -> None:
        """`count` more bytes of it are there."""

    def finished(self, key: int) -> None:
        """Its transfer ended, whatever became of it."""

    def failed(self, name: str, problem: str) -> None:
        """A file did not arrive; `problem` is a sentence."""

    def warned(self, text: str) -> None:
        """Something the user should know that does not stop the run."""


class Silence:
    """A reporter that says nothing."""

    def began(self, run_id: int) -> None: ...
    def step(self, text: str) -> None: ...
    def listed(self, *, observations: int, done: int, products: int) -> None: ...
    def checked(self, *, files: int, done: int) -> None: ...
    def planned(self, *, files: int, size: int) -> None: ...
    def started(self, key: int, name: str, size: int | None) -> None: ...
    def advanced(self, key: int, count: int) -> None: ...
    def finished(self, key: int) -> None: ...
    def failed(self, name: str, problem: str) -> None: ...
    def warned(self, text: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivedFile:
    """A verified file that was put in place: `size` in bytes, `replaced` where an older one stood there."""

    profile: str
    run_id: int
    path: Path
    name: str
    uri: str
    revision: int
    size: int
    sha256: str
    replaced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedObservation:
    """An observation of which every file that the profile selects is there since this run."""

    profile: str
    run_id: int
    obs_id: str
    proposal: int | None
    obsnum: int | None
    files: int


class Witness(Protocol):
    """Learns what happened, after it is committed: hooks and messages stand behind it. It never raises."""

    def file_arrived(self, file: ArrivedFile) -> None:
        """A file is present."""

    def observation_completed(self, observation: CompletedObservation) -> None:
        """Everything selected of an observation is present."""

    def run_ended(self, record: RunRecord) -> None:
        """A run is recorded with its outcome; waits for what the witness does about it."""


class Nobody:
    """A witness that looks away."""

    def file_arrived(self, file: ArrivedFile) -> None: ...
    def observation_completed(self, observation: CompletedObservation) -> None: ...
    def run_ended(self, record: RunRecord) -> None: ...


def utc_now() -> datetime:
    """Return the time now."""
    return datetime.now(UTC)


def no_other_token(refused: str) -> None:
    """Know of no other token than the one that was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything outside of a run: the state, the archive, the settings, the clock, who listens."""

    store: Store
    archive: Archive
    mast: MastSettings
    profiles: Mapping[str, Profile]
    """Every profile of the configuration, in its order: pages are shared between them."""
    token: str | None = field(default=None, repr=False)
    token_rejected: bool = False
    reread_token: Callable[[str], str | None] = no_other_token
    """Given the token that the archive refused: another one that is stored by now, or None."""
    budget: Budget | None = None
    """What all runs of a process share of the connections; None where there is one run only."""
    stop: threading.Event = field(default_factory=threading.Event)
    report: Reporter = field(default_factory=Silence)
    witness: Witness = field(default_factory=Nobody)
    now: Callable[[], datetime] = utc_now


WISHES = ("full", "force", "yes", "accept_gone")
"""Those of the options that somebody asks a daemon for, each true or false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How one run differs from a usual one."""

    full: bool = False
    """Ask for everything again, as at a first run."""
    force: bool = False
    """Try failed files now, whenever their next attempt would be."""
    yes: bool = False
    """Carry out a plan that is larger than the profile's `max_plan`."""
    accept_gone: bool = False
    """Mark what the archive lists no longer as gone, however much that is at once."""
    confirm: Callable[[int, int], bool] | None = None
    """Asked, with the number of files and the bytes listed for them, before anything is fetched."""
