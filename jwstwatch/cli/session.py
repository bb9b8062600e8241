"""What the commands open: settings, state, archive, token; and how they hear that they should stop."""

from __future__ import annotations

import _thread
import argparse
import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from jwstwatch.cli import output
from jwstwatch.errors import CancelledError, ConfigurationError, ExitCode

if TYPE_CHECKING:
    from jwstwatch.archive.protocol import Archive
    from jwstwatch.config import Profile, Settings
    from jwstwatch.config.secrets import Token, TokenSource
    from jwstwatch.store.store import Store
    from jwstwatch.sync.context import Context, Reporter, Witness
    from jwstwatch.transfer.budget import Budget


def load_settings(arguments: argparse.Namespace, *, one_off: bool = False, service: bool = False) -> Settings:
    """Read the configuration that the command line and the environment name.

    An old jwst_query.cfg stands for one query, so only a one-off command can follow it. Variables in the
    addresses of messages must be set for the `service`; others may not even be allowed to know them.
    """
    from jwstwatch.config import load
    from jwstwatch.config.documents import unusable

    settings = load(
        arguments.config,
        environ=os.environ,
        folder=Path.cwd(),
        legacy_variable=one_off,
        token_file=arguments.token_file,
    )
    if settings.legacy_path is not None and not one_off:
        raise ConfigurationError(
            f"{settings.legacy_path} is a configuration of jwst_mast_query, which has no profiles",
            hint="`jwstwatch query` and `jwstwatch download` take it as it is; for this command write a "
            "jwstwatch.yaml with profiles (docs/configuration.md).",
        )
    if service and settings.unset:
        raise unusable(str(settings.path), settings.unset)
    for warning in settings.warnings:
        output.complain(f"warning: {warning}")
    return settings


def open_state(arguments: argparse.Namespace, settings: Settings, *, upgrade: bool) -> Store:
    """Open the state; with `upgrade` it is made, or brought up to date, first.

    Whoever only looks changes nothing: a state that was never used is an empty one to them.
    """
    from jwstwatch.store.store import open_store, open_to_look

    if not upgrade:
        return open_to_look(settings.state_url, allow_network_state=arguments.allow_network_state)
    return open_store(settings.state_url, upgrade=True, allow_network_state=arguments.allow_network_state)


def token_source(settings: Settings, typed: str | None = None) -> TokenSource:
    """Return what finds the token for the configured archive; a typed one comes first."""
    from jwstwatch.config.secrets import TokenSource

    if typed:
        output.complain(
            "warning: a typed token can be read by everybody on this machine while the command runs",
            hint="Set $MAST_API_TOKEN, or name a file that holds it with --token-file.",
        )
    return TokenSource(settings, os.environ, typed)


def find_token(settings: Settings, typed: str | None = None) -> Token | None:
    """Return the token there is for the configured archive, if any; a typed one comes first."""
    return token_source(settings, typed).current()


def open_archive(settings: Settings, *, token: str | None, stop: threading.Event | None = None) -> Archive:
    """Return the archive that `mast.server` names, and the cloud's bucket where it is preferred."""
    from jwstwatch.archive.mast import MastArchive

    mast = settings.mast
    cloud = mast.cloud_server if mast.cloud == "prefer" else None
    return MastArchive(mast.server, timeout=mast.timeout, token=token, stop=stop, cloud=cloud)


def make_context(
    settings: Settings,
    store: Store,
    *,
    stop: threading.Event,
    report: Reporter,
    profiles: Mapping[str, Profile] | None = None,
    typed_token: str | None = None,
    tokens: TokenSource | None = None,
    budget: Budget | None = None,
    witness: Witness | None = None,
) -> Context:
    """Put together what a run needs.

    The token is read here, and once more where the archive refuses it. A service that runs on hands its own
    `tokens` over, so that what is wrong with a place is not told at every run.
    """
    from jwstwatch.sync.context import Context, Nobody

    source = tokens if tokens is not None else token_source(settings, typed_token)
    token = source.current()
    value = token.value if token else None
    return Context(
        store=store,
        archive=open_archive(settings, token=value, stop=stop),
        mast=settings.mast,
        profiles=settings.profiles if profiles is None else profiles,
        token=value,
        reread_token=partial(_reread, source),
        budget=budget,
        stop=stop,
        report=report,
        witness=witness if witness is not None else Nobody(),
    )


@contextlib.contextmanager
def telling(settings: Settings, store: Store, *, stop: threading.Event | None = None) -> Iterator[Witness]:
    """Yield the witness that hooks, messages and the heartbeat are behind; what they began is waited for.

    Where `stop` is set, or the block was left by an exception, they get a few seconds only.
    """
    from jwstwatch.telling.witness import LINGER, Teller

    teller = Teller(settings, store)
    patience: float | None = LINGER
    try:
        yield teller
        patience = None
    finally:
        teller.close(patience, stop=stop)


def _reread(source: TokenSource, refused: str) -> str | None:
    token = source.again(refused)
    return token.value if token is not None else None


class Stopper:
    """Set by SIGINT and SIGTERM: the run ends soon and in good order; a second SIGINT ends it at once."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.signal: int | None = None

    @property
    def exit_code(self) -> ExitCode | None:
        """The exit code that the signal asks for, None where there was none."""
        if self.signal is None:
            return None
        return ExitCode.TERMINATED if self.signal == signal.SIGTERM else ExitCode.INTERRUPTED

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Note the signal; ask to stop."""
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number
        # Not here: the interrupted thread may be waiting for the event, with its lock in hand.
        _thread.start_new_thread(self.event.set, ())


@contextlib.contextmanager
def stoppable() -> Iterator[Stopper]:
    """Yield a `Stopper` that hears signals until the block ends; one that ends it decides the exit code."""
    stopper = Stopper()
    before = {number: signal.signal(number, stopper.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopper
    except CancelledError as error:
        error.exit_code = stopper.exit_code or error.exit_code
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
