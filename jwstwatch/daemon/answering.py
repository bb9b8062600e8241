"""What the daemon answers at its control socket: status, run-now, retry, progress."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from jwstwatch.control.client import OTHER_STATE, UNKNOWN_PROFILE
from jwstwatch.core.model import Trigger
from jwstwatch.daemon.hub import Follower
from jwstwatch.errors import ExitCode, JwstwatchError, UsageError
from jwstwatch.sync.context import WISHES, Options

if TYPE_CHECKING:
    from jwstwatch.config import Settings
    from jwstwatch.control.lines import Message
    from jwstwatch.daemon.listening import Client
    from jwstwatch.daemon.runner import Runner, Ticket
    from jwstwatch.store.store import Store

log = logging.getLogger(__name__)

_GLANCE = 0.5
"""Seconds between two looks whether a client is still there."""


class Desk(Protocol):
    """What the answers need of the daemon."""

    store: Store

    @property
    def runner(self) -> Runner:
        """What runs and waits."""

    @property
    def settings(self) -> Settings:
        """The configuration in force."""

    def document(self) -> Mapping[str, Any]:
        """How things stand, as `status --json` has it."""

    def document_of(self, profile: str) -> Mapping[str, Any]:
        """How one profile stands, as `status PROFILE --json` has it."""


class Answering:
    """Answers one client at a time in that client's thread."""

    def __init__(self, desk: Desk, *, identity: str) -> None:
        self._desk = desk
        self._identity = identity
        self._answers: Mapping[str, Callable[[Client, Message], None]] = {
            "status": self._status,
            "run-now": self._run_now,
            "retry": self._retry,
            "progress": self._progress,
        }

    def __call__(self, client: Client, request: Message) -> None:
        """Answer a request; what cannot be followed is refused in a sentence."""
        if request.get("state") != self._identity:
            client.tell(_refusal(OTHER_STATE, "this daemon serves another state", "", ExitCode.BUSY))
            return
        wish = str(request.get("ask"))
        level = logging.DEBUG if wish in ("status", "progress") else logging.INFO
        answer = self._answers.get(wish)
        try:
            log.log(level, "user %d (process %d) asks for %s", client.user, client.process, _shown(request))
            if answer is None:
                known = ", ".join(self._answers)
                raise UsageError(
                    f"the daemon does not know {wish!r}",
                    hint=f"It answers {known}; is it older than this command?",
                )
            answer(client, request)
        except JwstwatchError as error:
            client.tell(_refusal(error.kind, error.message, error.hint, error.exit_code))

    def _known(self, name: str) -> str:
        """Return the name of a profile, or refuse it in a way that the client can tell."""
        try:
            return self._desk.settings.profile(name).name
        except UsageError as error:
            error.kind = UNKNOWN_PROFILE
            raise

    def _status(self, client: Client, request: Message) -> None:
        profile = request.get("profile")
        if isinstance(profile, str):
            self._known(profile)
            client.tell({"status": dict(self._desk.document_of(profile))})
        else:
            client.tell({"status": dict(self._desk.document())})

    def _run_now(self, client: Client, request: Message) -> None:
        profiles = self._profiles(_texts(request, "profiles"))
        self._run(client, request, profiles, {})

    def _retry(self, client: Client, request: Message) -> None:
        from jwstwatch.sync.context import utc_now

        wanted = _texts(request, "profiles")
        for name in wanted:
            self._known(name)
        count, concerned = self._desk.store.transfers.retry(
            _texts(request, "names"), profiles=wanted, now=utc_now()
        )
        known = [name for name in concerned if name in self._desk.settings.profiles]
        # A run in progress does not try again what it has tried.
        self._run(client, request, known, {"retried": count}, anew=count > 0)

    def _profiles(self, names: Sequence[str]) -> list[str]:
        """Return the profiles that were named, else every enabled one."""
        settings = self._desk.settings
        if names:
            return [self._known(name) for name in dict.fromkeys(names)]
        return [name for name, profile in settings.profiles.items() if profile.parameters.enabled]

    def _run(
        self,
        client: Client,
        request: Message,
        profiles: Sequence[str],
        said: Mapping[str, Any],
        *,
        anew: bool = False,
    ) -> None:
        """Ask for the runs, say so, and pass on what they tell until each has ended."""
        wishes: dict[str, Any] = {name: request.get(name) is True for name in WISHES}
        options = Options(**wishes)
        follower = Follower() if request.get("follow") is True else None
        tickets: list[Ticket] = []
        accepted = []
        try:
            for name in profiles:
                ticket, joined = self._desk.runner.ask(
                    name, Trigger.MANUAL, options, follower=follower, anew=anew
                )
                tickets.append(ticket)
                accepted.append({"profile": name, "ticket": ticket.number, "joined": joined})
            client.tell({**said, "accepted": accepted})
            if follower is not None:
                _pass_on(client, follower, tickets)
        finally:
            if follower is not None:
                for ticket in tickets:
                    ticket.hub.leave(follower)

    def _progress(self, client: Client, _request: Message) -> None:
        """Pass on whatever runs tell, also those that begin later, until the client leaves."""
        follower = Follower()
        client.tell({"following": True})
        self._desk.runner.follow_all(follower)
        try:
            while not (client.left or follower.lost):
                _pass_one_on(client, follower)
        finally:
            self._desk.runner.leave(follower)


def _pass_on(client: Client, follower: Follower, tickets: Sequence[Ticket]) -> None:
    open_tickets = {ticket.number: ticket for ticket in tickets}
    while open_tickets:
        if follower.lost:
            client.tell({"event": "lost"})
            return
        event = _pass_one_on(client, follower)
        if event is None:
            if client.left:
                return
            # One that was taken back before it began says nothing.
            for ticket in [each for each in open_tickets.values() if each.over.is_set()]:
                if follower.events.empty():
                    open_tickets.pop(ticket.number)
                    client.tell({"event": "dropped", "profile": ticket.profile, "ticket": ticket.number})
        elif event["event"] == "ended":
            open_tickets.pop(event["ticket"], None)


def _pass_one_on(client: Client, follower: Follower) -> dict[str, Any] | None:
    try:
        event = follower.events.get(timeout=_GLANCE)
    except queue.Empty:
        return None
    client.tell(event)
    return event


def _refusal(kind: str, message: str, hint: str, code: ExitCode) -> Message:
    return {"error": {"kind": kind, "message": message, "hint": hint}, "exit_code": int(code)}


def _texts(request: Message, name: str) -> list[str]:
    value = request.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise UsageError(f"{name} must be a list of texts", hint="")
    return value


def _shown(request: Message) -> str:
    words = [str(request.get("ask")), *_texts(request, "profiles")]
    words += [f"--{name.replace('_', '-')}" for name in WISHES if request.get(name) is True]
    return " ".join(word if word.isprintable() else repr(word) for word in words)
