"""The token that a run sends with its files: one that dies is replaced by another that is stored by then."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

from jwstwatch.errors import JwstwatchError
from jwstwatch.sync.context import Context
from jwstwatch.transfer.job import Failed, Fetched, Job

log = logging.getLogger(__name__)


class Renewal:
    """Knows which token to send. `token` and `refused` are called from the transfer's workers."""

    def __init__(self, context: Context, *, authorised: bool) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._token = context.token if authorised else None
        self._refused: set[str] = set()
        self._tried_again: dict[int, tuple[str, str]] = {}
        self._noted: set[tuple[str, str]] = set()

    def token(self) -> str | None:
        """Return the token to send now, None for none."""
        return self._token

    def refused(self, job: Job, token: str) -> bool:
        """Return whether there is another token than the one that a file was refused with.

        What is stored is looked up once for each refused token, however many files it is refused for: a file
        may be closed to its user, too.
        """
        with self._lock:
            if token == self._token and token not in self._refused:
                self._refused.add(token)
                self._token = self._look_up(token)
            if self._token is None or self._token in self._refused:
                return False
            self._tried_again[job.key] = (token, self._token)
            return True

    def _look_up(self, refused: str) -> str:
        try:
            other = self._context.reread_token(refused)
        except JwstwatchError as error:
            log.warning("no other token could be looked up: %s", error.message)
            other = None
        if other is None or other in self._refused:
            return refused
        log.info("the archive refused the token; another one that is stored by now is used")
        self._context.archive.use_token(other)
        return other

    def note(self, outcomes: Iterable[Fetched | Failed]) -> None:
        """Keep what the archive made of the tokens: a file that one did not open and the other did tells."""
        for outcome in outcomes:
            with self._lock:
                tokens = self._tried_again.pop(outcome.job.key, None)
            if tokens is None or isinstance(outcome, Failed) or tokens in self._noted:
                continue
            self._noted.add(tokens)
            for token, accepted in zip(tokens, (False, True), strict=True):
                self._context.store.tokens.saw(token, accepted=accepted, now=self._context.now())
