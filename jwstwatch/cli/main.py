"""The program: find the command, run it, and turn every foreseen failure into one clear sentence."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import NoReturn, TextIO

from jwstwatch import __version__
from jwstwatch.cli import output
from jwstwatch.cli.common import add_common_options, command_in, complete
from jwstwatch.errors import CancelledError, ConfigurationError, ExitCode, JwstwatchError

COMMANDS: dict[str, tuple[str, str]] = {
    "run-now": ("run_now", "bring profiles up to date now"),
    "status": ("status", "show how profiles, files, roots and the daemon stand"),
    "runs": ("runs", "list what ran, when, with which outcome"),
    "query": ("query", "show what a query finds and selects, without fetching or recording"),
    "download": ("download", "fetch what a query selects, once, without a profile"),
    "files": ("files", "list the local files: paths for scripts, a table, or JSON"),
    "why": ("why", "tell everything about one file name: rule, state, history, last error"),
    "gaps": ("gaps", "tell what observations should have and lack, and why"),
    "retry": ("retry", "try failed files again now, whenever their next attempt would be"),
    "drop": ("drop", "give files up on purpose: they are not fetched again"),
    "undrop": ("undrop", "want dropped files again"),
    "verify": ("verify", "compare the files on disk with the state: sizes, or every byte"),
    "adopt": ("adopt", "take a tree that is there already into the state, without a download"),
    "prune": ("prune", "remove files that no profile selects, or that the archive has no more"),
    "root": ("root", "list output folders; accept a changed one, or tell that one moved"),
    "pages": ("pages", "write the pages that are due now, or all of them anew"),
    "serve": ("serve", "show the pages at an address of this machine, without a web server"),
    "relayout": ("relayout", "give known files the paths that the present layout asks for"),
    "profile": ("profile", "rename a profile, with its history and its files"),
    "config": ("config", "check the configuration, show what is in effect, or import an old one"),
    "token": ("token", "keep a MAST token in the keyring, ask whether it is taken, remove it"),
    "db": ("db", "back the state up, restore, check or upgrade it"),
    "doctor": ("doctor", "check mounts, modes, clock, token, archive, state and service"),
    "daemon": ("daemon", "run every enabled profile on its schedule"),
    "demo": ("demo", "show the whole program at work on an archive in a box"),
}
"""Each command with its module and its line in `--help`; only the one that is run is imported."""

_PROGRAM = "jwstwatch"


def run() -> NoReturn:
    """Run the program and end the process with its exit code."""
    _open_closed_streams()
    try:
        raise SystemExit(int(main(sys.argv[1:])))
    finally:
        _let_go_of_readers()


def _open_closed_streams() -> None:
    """A closed standard stream (`>&-`) must neither be missed nor lend its number to the state's file."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for good


def _let_go_of_readers() -> None:
    """What nobody reads any more must not be tried again, and told as an error, when the process ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _give_up(stream)


def _give_up(stream: TextIO) -> None:
    """Let what a stream still holds go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def main(words: Sequence[str]) -> ExitCode:
    """Carry out a command line; every failure is told, none is raised."""
    try:
        parser, arguments = _parse(words)
    except SystemExit as left:
        if left.code and "--json" in words:
            message = "the command line cannot be understood (standard error says why)"
            output.print_json({"error": {"kind": "usage", "message": message, "hint": "See --help."}})
        raise
    if arguments is None:
        parser.print_help()
        return ExitCode.DONE
    output.prepare(arguments)
    try:
        code: ExitCode = arguments.module.run(arguments)
        print(end="", flush=True)
    except BrokenPipeError:
        # Whoever read our output has seen enough (`| head`).
        return ExitCode.DONE
    except JwstwatchError as error:
        return _tell(error, arguments)
    except KeyboardInterrupt:
        return _tell(
            CancelledError("interrupted", hint="What arrived is kept; the next run goes on."), arguments
        )
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback unless asked for
        if isinstance(error, OSError) and _output_is_lost():
            return _tell_lost_output(error)
        return _tell_bug(error, arguments)
    return code


def _output_is_lost() -> bool:
    try:
        # What failed may have been thrown away with what it held: only something new can tell.
        print(flush=True)
    except OSError:
        return True
    return False


def _tell_lost_output(error: OSError) -> ExitCode:
    _give_up(sys.stdout)
    output.complain(
        f"standard output cannot be written: {error.strerror or error}",
        hint="Make room where it goes; what the command did is done.",
    )
    return ExitCode.STORAGE


def _parse(words: Sequence[str]) -> tuple[argparse.ArgumentParser, argparse.Namespace | None]:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description="Keeps a local copy of the JWST data a team cares about complete and current.",
        epilog="`jwstwatch COMMAND --help` describes a command. Start with: jwstwatch demo",
    )
    parser.add_argument("--version", action="version", version=f"{_PROGRAM} {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND")
    add_common_options(parser)
    chosen = command_in(words, list(COMMANDS))
    for name, (module, text) in COMMANDS.items():
        if name == chosen:
            _add_command(commands, name, importlib.import_module(f"jwstwatch.cli.{module}"), text)
        else:
            commands.add_parser(name, help=text, add_help=False)
    arguments = parser.parse_args(words)
    complete(arguments)
    return parser, arguments if hasattr(arguments, "module") else None


def _add_command(commands: argparse._SubParsersAction, name: str, module: ModuleType, text: str) -> None:  # type: ignore[type-arg]
    parser = commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=f"Example: {module.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_common_options(parser)
    module.add_options(parser)
    parser.set_defaults(module=module, command=name)


def _tell(error: JwstwatchError, arguments: argparse.Namespace) -> ExitCode:
    if arguments.verbose:
        traceback.print_exc()
    problems = error.problems if isinstance(error, ConfigurationError) else ()
    if getattr(arguments, "json", False):
        report = {"kind": error.kind, "message": error.message, "hint": error.hint}
        _print_json(arguments, {"error": report, **({"problems": list(problems)} if problems else {})})
        return error.exit_code
    if problems and problems != (error.message,):
        for problem in problems:
            output.complain(problem)
    else:
        output.complain(error.message)
    if error.hint:
        output.hint(error.hint)
    return error.exit_code


def _print_json(arguments: argparse.Namespace, error: Mapping[str, object]) -> None:
    """Print what went wrong: at the end of the document that was begun, or as the only one."""
    document: output.JsonRows | None = getattr(arguments, "document", None)
    if document is None or not document.begun:
        output.print_json(error)
    elif not document.ended:
        document.end(error)


def _tell_bug(error: Exception, arguments: argparse.Namespace) -> ExitCode:
    if arguments.verbose:
        traceback.print_exc()
    message = f"this should not happen: {type(error).__name__}: {error}"
    text = "Run it again with -v and report what it prints."
    if getattr(arguments, "json", False):
        _print_json(arguments, {"error": {"kind": "bug", "message": message, "hint": text}})
    else:
        output.complain(message, hint=text)
    return ExitCode.BUG
