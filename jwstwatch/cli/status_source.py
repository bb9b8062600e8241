"""Where `status` gets its document: from the daemon if one answers, else from the state."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jwstwatch.cli import output, session
from jwstwatch.cli.state_place import state_url_despite
from jwstwatch.control import client
from jwstwatch.errors import ConfigurationError

if TYPE_CHECKING:
    from jwstwatch.config import Settings
    from jwstwatch.config.secrets import Token
    from jwstwatch.store.store import Store
    from jwstwatch.sync.keeping import Kept

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """A document, and whether the daemon itself made it."""

    document: Document
    by_daemon: bool


class Source:
    """Asks for documents, as often as one likes; the configuration is read once.

    A configuration that cannot be used does not keep anybody from asking the daemon, which works with the
    last good one; without a daemon `ConfigurationError` is raised.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._settings: Settings | None = None
        self._broken: ConfigurationError | None = None
        self._token: tuple[Token | None] | None = None
        self._kept: Kept | None = None
        try:
            self._settings = session.load_settings(arguments)
            self._state_url = self._settings.state_url
        except ConfigurationError as error:
            url = state_url_despite(arguments.config)
            if url is None:
                raise
            self._broken, self._state_url = error, url

    def whole(self) -> Told:
        """Return the document of `status`."""
        answer = self._ask({"ask": "status"})
        if answer is not None:
            return Told(answer, by_daemon=True)
        from jwstwatch.sync.standing import standing

        with self._state() as (settings, store, now):
            document = standing(
                settings,
                store,
                now=now,
                live=None,
                token=self._find_token(settings),
                next_runs=_next_runs(settings, store, now),
                kept=self._keep(),
            )
        return Told(document, by_daemon=False)

    def of_profile(self, name: str) -> Told:
        """Return the document of `status PROFILE`; `UsageError` where there is no such profile."""
        answer = self._ask({"ask": "status", "profile": name})
        if answer is not None and "profile" in answer:
            return Told(answer, by_daemon=True)
        from jwstwatch.sync.standing import standing_of_profile

        with self._state() as (settings, store, now):
            document = standing_of_profile(
                settings,
                store,
                name,
                now=now,
                live=None,
                next_runs=_next_runs(settings, store, now),
                kept=self._keep(),
            )
        return Told(document, by_daemon=False)

    def _ask(self, request: Mapping[str, Any]) -> Document | None:
        answer = client.ask(self._state_url, os.environ, request)
        document = answer.get("status") if answer is not None else None
        if not isinstance(document, dict):
            return None
        if self._broken is not None:
            self._warn(self._broken)
            self._broken = None
        return document

    @staticmethod
    def _warn(error: ConfigurationError) -> None:
        for problem in error.problems or (error.message,):
            output.complain(f"warning: {problem}")
        output.hint("The daemon answers, and works with the configuration that it has read before.")

    @contextlib.contextmanager
    def _state(self) -> Iterator[tuple[Settings, Store, datetime]]:
        if self._settings is None:
            assert self._broken is not None
            raise self._broken
        with session.open_state(self._arguments, self._settings, upgrade=False) as store:
            yield self._settings, store, datetime.now(UTC)

    def _find_token(self, settings: Settings) -> Token | None:
        if self._token is None:  # a keyring takes its time
            self._token = (session.find_token(settings),)
        return self._token[0]

    def _keep(self) -> Kept:
        from jwstwatch.sync.keeping import Kept

        if self._kept is None:
            self._kept = Kept()
        return self._kept


def _next_runs(settings: Settings, store: Store, now: datetime) -> dict[str, datetime]:
    """Return when a daemon that does not answer runs each profile next; nothing where there is none."""
    from jwstwatch.store.locks import holder

    if not holder(store.database, "daemon")["running"]:
        return {}
    from jwstwatch.daemon.schedule import next_run

    last = store.runs.last(list(settings.profiles))
    due = {
        name: next_run(
            profile.parameters, last_started_at=last[name].started_at if name in last else None, now=now
        )
        for name, profile in settings.profiles.items()
    }
    return {name: when for name, when in due.items() if when is not None}
