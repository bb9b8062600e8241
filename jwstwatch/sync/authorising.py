"""Log in at the archive: a rejected token is looked up once more, and public data go on without one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from jwstwatch.archive.protocol import LogInStatus
from jwstwatch.core.token_age import days_left
from jwstwatch.errors import AuthenticationError
from jwstwatch.store.tokens import TokenAge
from jwstwatch.sync.context import Context

WARNING_DAYS = 7

_REJECTED = "token rejected"
_EXPIRES = "token expires"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """How a run goes on: its context, whether a token was accepted, and what is wrong with it if not."""

    context: Context
    token_since: datetime | None = None
    """When the accepted token was first seen; None where none was."""
    error: AuthenticationError | None = None

    @property
    def authorised(self) -> bool:
        """Return whether the archive took a token."""
        return self.token_since is not None


def log_in(context: Context) -> LoggedIn:
    """Try the token, and upon its rejection once another one that is stored by now."""
    if context.token is None:
        context.store.notices.clear(_REJECTED, now=context.now())
        context.store.notices.clear(_EXPIRES, now=context.now())
        return LoggedIn(context=context)
    token = context.token
    since = _try(context, token)
    if since is None:
        other = context.reread_token(token)
        if other is not None and other != token:
            token = other
            context.archive.use_token(other)
            since = _try(context, other)
    if since is not None:
        return LoggedIn(context=replace(context, token=token, token_rejected=False), token_since=since)
    error = AuthenticationError(
        "the archive rejected the token (one dies after 10 days without use, or 60 after it was made)",
        hint="Make a new one at https://auth.mast.stsci.edu/token and store it: `jwstwatch token set`.",
    )
    text = f"{error.message}: {error.hint}"
    context.store.notices.raise_(_REJECTED, kind="token", text=text, now=context.now())
    return LoggedIn(context=replace(context, token=None, token_rejected=True), error=error)


def _try(context: Context, token: str) -> datetime | None:
    """Return when the token was first seen, None where the archive does not take it."""
    accepted = context.archive.log_in().status is LogInStatus.ACCEPTED
    age = context.store.tokens.saw(token, accepted=accepted, now=context.now())
    if accepted:
        context.store.notices.clear(_REJECTED, now=context.now())
        _note_age(context, age)
    return age.first_seen_at if accepted else None


def _note_age(context: Context, age: TokenAge) -> None:
    """Warn a week ahead; what is left is an upper bound, as nobody knows when the token was made."""
    days = days_left(first_seen_at=age.first_seen_at, accepted_at=age.accepted_at, now=context.now())
    if days is None or days > WARNING_DAYS:
        context.store.notices.clear(_EXPIRES, now=context.now())
        return
    text = (
        f"the token is good for at most {days} more day{'' if days == 1 else 's'}: make a new one at "
        "https://auth.mast.stsci.edu/token and store it (`jwstwatch token set`)"
    )
    context.store.notices.raise_(_EXPIRES, kind="token", text=text, now=context.now())
