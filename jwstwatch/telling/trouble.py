"""What goes wrong while telling: kept as a notice until it is over, logged once, fatal never."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from jwstwatch.errors import JwstwatchError

if TYPE_CHECKING:
    from jwstwatch.store.notices import Notices

log = logging.getLogger(__name__)

AGAIN = 60.0
"""Seconds after which a trouble that goes on is noted anew; a thousand files may fail one hook."""


class Troubles:
    """Raises and clears notices; a state that cannot be written is logged, and nothing more."""

    def __init__(self, notices: Notices, *, now: Callable[[], datetime]) -> None:
        self._notices = notices
        self._now = now
        self._lock = threading.Lock()
        self._noted: dict[str, float | None] = {}

    def note(self, cause: str, text: str, *, kind: str, profile: str | None = None) -> None:
        """Keep that something holds; the first time it is a warning in the log."""
        with self._lock:
            before = self._noted.get(cause)
            if before is not None and time.monotonic() - before < AGAIN:
                log.debug("%s: %s", cause, text)
                return
            self._noted[cause] = time.monotonic()
        log.log(
            logging.WARNING if before is None else logging.DEBUG,
            "%s: %s",
            cause,
            text,
            extra={} if profile is None else {"profile": profile},
        )
        try:
            self._notices.raise_(cause, kind=kind, text=text, now=self._now(), profile=profile)
        except JwstwatchError as error:
            log.warning("%s could not be noted: %s", cause, error.message)

    def over(self, cause: str) -> None:
        """Keep that it is over, also where another process noted it."""
        with self._lock:
            if self._noted.get(cause, 0.0) is None:
                return
            self._noted[cause] = None
        try:
            if self._notices.clear(cause, now=self._now()):
                log.info("%s: over", cause)
        except JwstwatchError as error:
            with self._lock:
                self._noted.pop(cause, None)  # to be tried again
            log.warning("that %s is over could not be noted: %s", cause, error.message)
