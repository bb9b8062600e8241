"""What the service needs of the program around it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jwstwatch.config import Settings
    from jwstwatch.config.secrets import Token
    from jwstwatch.daemon.systemd import Notifier
    from jwstwatch.store.store import Store
    from jwstwatch.sync.context import Context, Reporter


class Wish:
    """Something that a signal asks for; without a lock, which the interrupted thread might hold."""

    def __init__(self) -> None:
        self._uttered = False

    def utter(self) -> None:
        """Ask for it."""
        self._uttered = True

    def take(self) -> bool:
        """Return whether it was asked for since this was called last."""
        uttered, self._uttered = self._uttered, False
        return uttered


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The state, the way to a configuration and to a run's context, systemd, and the signals."""

    store: Store
    load: Callable[[], Settings]
    """Reads the configuration afresh; raises `ConfigurationError`."""
    make_context: Callable[[Settings, threading.Event, Reporter], Context]
    """Puts together what a run needs, with the token as it is stored at that moment."""
    find_token: Callable[[Settings], Token | None]
    notifier: Notifier
    socket: Path | None
    """Where to answer; None: nowhere."""
    stop: threading.Event
    """Set by the signal that ends the daemon."""
    reload: Wish
    """The configuration is to be read again."""
