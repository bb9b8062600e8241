"""`jwstwatch token`: the MAST token in the keyring, never typed on a command line."""

from __future__ import annotations

import argparse
import getpass
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from jwstwatch.cli import output, session
from jwstwatch.cli.common import add_common_options
from jwstwatch.core.token_age import days_left
from jwstwatch.errors import AuthenticationError, ExitCode, JwstwatchError, UsageError

if TYPE_CHECKING:
    from jwstwatch.archive.protocol import LogIn
    from jwstwatch.config import Settings
    from jwstwatch.config.secrets import Token

EXAMPLE = "jwstwatch token set"

log = logging.getLogger(__name__)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare `set`, `status` and `clear`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="set|status|clear")
    put = actions.add_parser(
        "set", help="store a token, asked for on the terminal or read from standard input"
    )
    status = actions.add_parser(
        "status", help="say where a token was found, whether the archive takes it, and for how long"
    )
    status.add_argument("--json", action="store_true", help="print JSON")
    clear = actions.add_parser("clear", help="remove the stored token")
    for action in (put, status, clear):
        add_common_options(action)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Carry out the action; the token itself is never shown."""
    from jwstwatch.config import secrets

    if arguments.action == "status":
        return _status(arguments)
    if arguments.token_file is not None:
        raise UsageError(
            f"token {arguments.action} is about the keyring and takes no --token-file",
            hint="A file's token goes into the keyring with: jwstwatch token set < FILE",
        )
    if arguments.action == "set":
        secrets.store_token(_read())
        print("The token is stored. `jwstwatch token status` asks the archive whether it takes it.")
    else:
        print("The stored token is removed." if secrets.clear_token() else "No token was stored.")
    return ExitCode.DONE


def _read() -> str:
    from jwstwatch.config.secrets import MAKE_ONE, read_token

    prompt = "MAST token (it is not shown): "
    value = read_token(getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline())
    if value is None:
        raise UsageError("that is no token", hint=f"{MAKE_ONE}, then run the command again.")
    return value


def _status(arguments: argparse.Namespace) -> ExitCode:
    from jwstwatch.archive.protocol import LogIn, LogInStatus

    settings = session.load_settings(arguments, one_off=True)
    token = session.find_token(settings)
    answer, left = LogIn(status=LogInStatus.ANONYMOUS), None
    if token is not None:
        answer = session.open_archive(settings, token=token.value).log_in()
        left = _left(token, answer, settings, arguments)
    if arguments.json:
        known = {"source": token.source if token else None, "status": answer.status.value}
        days = left.unused if left is not None else None
        output.print_json({"token": {**known, "user": answer.user, "days_left": days}})
        return ExitCode.AUTHENTICATION if answer.status is LogInStatus.REJECTED else ExitCode.DONE
    if token is None:
        print("no token: public data need none")
    else:
        _say(token, answer, left)
    return ExitCode.DONE


def _say(token: Token, answer: LogIn, left: _Left | None) -> None:
    from jwstwatch.archive.protocol import LogInStatus
    from jwstwatch.config.secrets import MAKE_ONE

    if answer.status is LogInStatus.REJECTED:
        raise AuthenticationError(
            f"the archive rejects the token from the {token.source}", hint=f"{MAKE_ONE}."
        )
    who = f" ({answer.user})" if answer.user else ""
    print(f"the archive takes the token from the {token.source}{who}")
    if left is not None:
        sooner = f", {left.unused} if nothing uses it" if left.unused < left.used else ""
        print(f"days that it has left at most: {left.used}{sooner}")


class _Left(NamedTuple):
    """Days that a token has left at most, where it goes on being used and where it does not."""

    used: int
    unused: int


def _left(token: Token, answer: LogIn, settings: Settings, arguments: argparse.Namespace) -> _Left | None:
    """Return what the state knows of the token's age; a state that cannot be opened knows nothing."""
    from jwstwatch.archive.protocol import LogInStatus

    if answer.status is LogInStatus.REJECTED:
        return _Left(0, 0)
    try:
        with session.open_state(arguments, settings, upgrade=False) as store:
            age = store.tokens.age(token.value)
    except JwstwatchError as error:
        log.info("the state does not tell the token's age: %s", error.message)
        return None
    if age is None:
        return None
    now = datetime.now(UTC)
    # It was used this very moment, to ask about it.
    used = days_left(first_seen_at=age.first_seen_at, accepted_at=None, now=now)
    unused = days_left(first_seen_at=age.first_seen_at, accepted_at=now, now=now)
    return _Left(used, unused) if used is not None and unused is not None else None
