"""`jwstwatch token`: the MAST token in the keyring, never typed on a command line."""

from __future__ import annotations

import argparse
import getpass
import sys

from jwstwatch.cli import output, session
from jwstwatch.cli.common import add_common_options
from jwstwatch.errors import AuthenticationError, ExitCode, UsageError

EXAMPLE = "jwstwatch token set"

_MAKE_ONE = "Make one at https://auth.mast.stsci.edu/token"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare `set`, `status` and `clear`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="set|status|clear")
    put = actions.add_parser(
        "set", help="store a token, asked for on the terminal or read from standard input"
    )
    status = actions.add_parser(
        "status", help="say where a token was found, and whether the archive takes it"
    )
    status.add_argument("--json", action="store_true", help="print JSON")
    clear = actions.add_parser("clear", help="remove the stored token")
    for action in (put, status, clear):
        add_common_options(action)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Carry out the action; the token itself is never shown."""
    from jwstwatch.config import secrets

    if arguments.action == "set":
        secrets.store_token(_read())
        print("The token is stored. `jwstwatch token status` asks the archive whether it takes it.")
        return ExitCode.DONE
    if arguments.action == "clear":
        print("The stored token is removed." if secrets.clear_token() else "No token was stored.")
        return ExitCode.DONE
    return _status(arguments)


def _read() -> str:
    prompt = "MAST token (it is not shown): "
    value = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline()
    if not value.strip() or not value.strip().isprintable() or len(value.split()) != 1:
        raise UsageError("that is no token", hint=f"{_MAKE_ONE}, then run the command again.")
    return value.strip()


def _status(arguments: argparse.Namespace) -> ExitCode:
    from jwstwatch.archive.protocol import LogInStatus

    settings = session.load_settings(arguments, one_off=True)
    token = session.find_token(settings)
    status, user = LogInStatus.ANONYMOUS, None
    if token is not None:
        answer = session.open_archive(settings, token=token.value).log_in()
        status, user = answer.status, answer.user
    if arguments.json:
        source = token.source if token else None
        output.print_json({"token": {"source": source, "status": status.value, "user": user}})
        return ExitCode.AUTHENTICATION if status is LogInStatus.REJECTED else ExitCode.DONE
    if status is LogInStatus.REJECTED:
        raise AuthenticationError(
            f"the archive rejects the token from the {token.source if token else ''}", hint=f"{_MAKE_ONE}."
        )
    if token is None:
        print("no token: public data need none")
    else:
        print(f"the archive takes the token from the {token.source}" + (f" ({user})" if user else ""))
    return ExitCode.DONE
