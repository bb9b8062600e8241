"""The options that every command has, wherever on the line they are typed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

CONFIG_FLAGS = ("-c", "--config", "--configfile")
# argparse would take them for ambiguous, although both options are the same.
_ABBREVIATED = ("--co", "--con", "--conf", "--confi")
_TOKEN_FILE = "--token-file"  # noqa: S105 - an option, not a secret
_FILE_FLAGS = (*CONFIG_FLAGS, *_ABBREVIATED, _TOKEN_FILE)


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Declare them without defaults, so that one parser does not undo what another has read."""
    parser.add_argument(
        *CONFIG_FLAGS,
        type=Path,
        metavar="FILE",
        default=argparse.SUPPRESS,
        dest="config",
        help="configuration file: jwstwatch.yaml or an old jwst_query.cfg",
    )
    parser.add_argument(
        *_ABBREVIATED, type=Path, default=argparse.SUPPRESS, dest="config", help=argparse.SUPPRESS
    )
    parser.add_argument(
        _TOKEN_FILE,
        type=_token_file,
        metavar="FILE",
        default=argparse.SUPPRESS,
        dest="token_file",
        help="file with the MAST token, in place of mast.token_file; one line, mode 0640 or less",
    )
    parser.add_argument(
        "-v",
        "--verbose",
        action="count",
        default=argparse.SUPPRESS,
        help="say more (-vv: also what libraries say)",
    )
    parser.add_argument(
        "--allow-network-state",
        action="store_true",
        default=argparse.SUPPRESS,
        help="use an SQLite state on a network file system at your own risk",
    )


def _token_file(text: str) -> Path:
    """Read the path of a token file; where the token itself was typed, it is not repeated."""
    from jwstwatch.core.parameter_kinds import ValueNotAllowedError
    from jwstwatch.core.parameter_secrets import TokenFile

    try:
        return TokenFile().read(text)
    except ValueNotAllowedError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def complete(arguments: argparse.Namespace) -> None:
    """Give the options that were not typed their defaults."""
    defaults = {
        "config": None,
        "token_file": None,
        "verbose": 0,
        "allow_network_state": False,
        "json": False,
    }
    for name, value in defaults.items():
        if not hasattr(arguments, name):
            setattr(arguments, name, value)


def command_in(words: Sequence[str], commands: Sequence[str]) -> str | None:
    """Return the command among the words of a command line: the first word that is no option and no file."""
    before = ""
    for word in words:
        if not word.startswith("-") and before not in _FILE_FLAGS:
            return word if word in commands else None
        before = word
    return None
