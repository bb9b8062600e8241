"""Commands of the user's that are run after something happened, beside the run and never in its way."""

from __future__ import annotations

import logging
import shlex
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jwstwatch.errors import ConfigurationError
from jwstwatch.telling.calls import (
    AFTER_FILE,
    AFTER_OBSERVATION,
    AFTER_RUN,
    ON_ERROR,
    Call,
    of_file,
    of_observation,
    of_run,
    went_wrong,
)
from jwstwatch.telling.commands import run_command
from jwstwatch.telling.surroundings import clean_environment
from jwstwatch.telling.worker import Worker

if TYPE_CHECKING:
    from jwstwatch.config.settings import HookSettings
    from jwstwatch.store.runs import RunRecord
    from jwstwatch.sync.context import ArrivedFile, CompletedObservation
    from jwstwatch.telling.trouble import Troubles

log = logging.getLogger(__name__)

EVENTS: Final = (AFTER_FILE, AFTER_OBSERVATION, AFTER_RUN, ON_ERROR)

LONGEST_LINE = 10_000
"""Calls that may wait; a run that brings more leaves some out rather than wait for a slow hook."""
PATIENCE = 1.0
"""Seconds that a run waits for room in a full line, once; then not at all until the line is half empty."""


class Hooks:
    """Runs the configured commands, one after the other in the order of what happened."""

    def __init__(
        self,
        settings: HookSettings,
        troubles: Troubles,
        *,
        environ: Mapping[str, str],
        config: Path | None,
        longest_line: int = LONGEST_LINE,
        patience: float = PATIENCE,
    ) -> None:
        self._commands = read_commands(settings)
        self._timeout = settings.timeout
        self._troubles = troubles
        self._environ = clean_environment(environ)
        if config is not None:
            self._environ["JWSTWATCH_CONFIG"] = str(config.absolute())
        self._folder = config.absolute().parent if config is not None else Path.cwd()
        self._longest_line, self._patience = longest_line, patience
        self._lock = threading.Lock()
        self._is_full = False
        self._left_out: Counter[int] = Counter()
        self.worker = Worker("hooks", capacity=longest_line)

    def file_arrived(self, file: ArrivedFile) -> None:
        """Put the call for a file in line."""
        if AFTER_FILE in self._commands:
            self._submit(of_file(file))

    def observation_completed(self, observation: CompletedObservation) -> None:
        """Put the call for an observation in line."""
        if AFTER_OBSERVATION in self._commands:
            self._submit(of_observation(observation))

    def run_ended(self, record: RunRecord) -> None:
        """Put the calls for a run in line, however long that is."""
        for event in (AFTER_RUN, ON_ERROR):
            if event in self._commands and (event == AFTER_RUN or went_wrong(record)):
                self._line_up(of_run(event, record), forced=True)
        self._tell_what_was_left_out(record)

    def _submit(self, call: Call) -> None:
        with self._lock:
            if self._is_full and self.worker.waiting <= self._longest_line // 2:
                self._is_full = False
            patience = 0.0 if self._is_full else self._patience
        if not self._line_up(call, patience=patience):
            with self._lock:
                self._is_full = True
                self._left_out[call.run_id] += 1

    def _line_up(self, call: Call, *, patience: float = 0.0, forced: bool = False) -> bool:
        return self.worker.submit(
            lambda: self._run(call), group=call.run_id, patience=patience, forced=forced
        )

    def _tell_what_was_left_out(self, record: RunRecord) -> None:
        with self._lock:
            count = self._left_out.pop(record.id, 0)
        cause = f"hook queue {record.profile}".rstrip()
        if count:
            text = (
                f"hooks are slower than what they are called for: {count} calls of run {record.id} were left "
                f"out ({self._longest_line} were waiting)"
            )
            self._troubles.note(cause, text, kind="hook", profile=record.profile or None)
        elif AFTER_FILE in self._commands or AFTER_OBSERVATION in self._commands:
            self._troubles.over(cause)

    def _run(self, call: Call) -> None:
        arguments = self._commands[call.event]
        ended = run_command(
            arguments,
            given=call.given(),
            environ=self._environ | call.variables(),
            folder=self._folder,
            timeout=self._timeout,
            abandoned=self.worker.abandoned,
        )
        labels = {"profile": call.profile, "run_id": call.run_id}
        if ended.output:
            log.debug("%s said: %s", call.event, ended.output.rstrip(), extra=labels)
        cause = f"hook {call.event}"
        # Its arguments may hold a password; its name tells enough.
        name = Path(arguments[0]).name
        if ended.abandoned:
            log.warning("%s: %s %s", cause, name, ended.problem, extra=labels)
        elif ended.problem is not None:
            self._troubles.note(cause, f"{name} {ended.problem} (run {call.run_id})", kind="hook")
        else:
            self._troubles.over(cause)


def read_commands(settings: HookSettings) -> dict[str, list[str]]:
    """Return the words of each configured command by its event, or raise `ConfigurationError`."""
    commands = {}
    for event in EVENTS:
        text = getattr(settings, event)
        if text is None:
            continue
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise _unusable(event, f"the command cannot be split into words: {error}") from None
        if not words:
            raise _unusable(event, "there is no command")
        commands[event] = words
    return commands


def _unusable(event: str, problem: str) -> ConfigurationError:
    text = f"hooks.{event}: {problem}"
    return ConfigurationError(
        text, hint="Write the command as in a shell: words, quoted where needed.", problems=(text,)
    )
