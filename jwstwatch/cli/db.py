"""`jwstwatch db`: back the state up, go back to a backup, check it, bring it up to date, make it smaller."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jwstwatch.cli import output, session
from jwstwatch.cli.choices import counted
from jwstwatch.cli.common import add_common_options
from jwstwatch.core.dates import iso
from jwstwatch.errors import ExitCode, StateError, UsageError

if TYPE_CHECKING:
    from jwstwatch.config import Settings
    from jwstwatch.store.backups import Summary
    from jwstwatch.sync.restoring import Restored

EXAMPLE = "jwstwatch db backup /backup/jwstwatch-$(date +%F).db"

_ACTIONS = {
    "backup": "copy the state while it is in use; the copy is checked, and whole or not there at all",
    "restore": "let a backup take the place of the state, which is kept beside it",
    "check": "look for damage, and for what a killed run left behind",
    "upgrade": "bring the state up to date, as the daemon does at its start",
    "vacuum": "write the state anew, without the room that deleted rows left; stop the daemon first",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare `backup FILE`, `restore FILE`, `check`, `upgrade` and `vacuum`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="|".join(_ACTIONS))
    for name, text in _ACTIONS.items():
        action = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if name in ("backup", "restore"):
            action.add_argument("file", type=Path, metavar="FILE", help="the backup, one SQLite file")
        if name == "backup":
            action.add_argument("--force", action="store_true", help="replace FILE where it exists")
        action.add_argument("--json", action="store_true", help="print JSON")
        add_common_options(action)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Carry out the action."""
    settings = session.load_settings(arguments)
    if arguments.action == "backup":
        return _backup(arguments, settings)
    if arguments.action == "restore":
        return _restore(arguments, settings)
    if arguments.action == "check":
        return _check(arguments, settings)
    if arguments.action == "vacuum":
        return _vacuum(arguments, settings)
    return _upgrade(arguments, settings)


# -- backup


def _backup(arguments: argparse.Namespace, settings: Settings) -> ExitCode:
    from jwstwatch.store.backups import copy_state, summarise

    state = _state_file(settings, arguments)
    target = arguments.file.absolute()
    _require_there(state)
    _refuse_target(state, target, force=arguments.force)
    began = datetime.now(UTC)
    summary = summarise(state, check=False)
    copy_state(state, target, owner=state)
    size = target.stat().st_size
    if arguments.json:
        document = {"path": str(target), "bytes": size, "taken_at": iso(began), **_holds(summary)}
        output.print_json({"backup": document})
    else:
        print(f"{target}: {output.size(size)}, checked; it knows {_described(summary)}.")
    return ExitCode.DONE


def _refuse_target(state: Path, target: Path, *, force: bool) -> None:
    if target.is_dir():
        raise UsageError(f"{target} is a folder", hint="Name the file that the backup is to be.")
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}", hint="Make it first; is its disk mounted?")
    if target.resolve() == state.resolve():
        raise UsageError(f"{target} is the state itself", hint="Name another file.")
    if any(_belongs_to(state.resolve(), place) for place in _places(target)):
        raise UsageError(f"{target} is a file that the state needs", hint="Name another file.")
    if not force and (target.exists() or target.is_symlink()):
        raise UsageError(f"{target} exists already", hint="Name another file, or replace it with --force.")


def _places(target: Path) -> tuple[Path, Path]:
    """Where a name is, and where it leads to."""
    return target.parent.resolve() / target.name, target.resolve()


def _belongs_to(state: Path, place: Path) -> bool:
    """Return whether a file is the state's log, the log's index, a journal or a lock."""
    name = place.name
    logs = tuple(f"{state.name}{end}" for end in ("-wal", "-shm", "-journal"))
    is_lock = name.startswith(f"{state.name}.") and name.endswith(".lock")
    return place.parent == state.parent and (is_lock or name.startswith(logs))


# -- restore


def _restore(arguments: argparse.Namespace, settings: Settings) -> ExitCode:
    from jwstwatch.sync.restoring import restore

    state = _state_file(settings, arguments)
    source = arguments.file.absolute()
    if not source.is_file():
        raise UsageError(f"there is no file {source}", hint="Check the path; is its disk mounted?")
    done = restore(state, source, now=datetime.now(UTC), allow_network_state=arguments.allow_network_state)
    if arguments.json:
        output.print_json({"restored": _restored_document(state, source, done)})
    else:
        print("\n".join(_restored_lines(state, source, done)))
    return ExitCode.DONE


def _restored_document(state: Path, source: Path, done: Restored) -> dict[str, object]:
    return {
        "state": str(state),
        "from": str(source),
        "kept": str(done.kept) if done.kept else None,
        **_holds(done.backup),
        "runs_closed": done.runs_closed,
        "changed_on_disk": done.changed,
        "not_mounted": [str(path) for path in done.away],
    }


def _restored_lines(state: Path, source: Path, done: Restored) -> list[str]:
    lines = [f"{state} is the backup {source} now: {_described(done.backup)}."]
    if done.kept:
        lines.append(f"The former state is kept as {done.kept}.")
    if done.runs_closed:
        were = "1 run that was" if done.runs_closed == 1 else f"{done.runs_closed} runs that were"
        lines.append(f"{were} under way when the backup was made: closed as cancelled.")
    if done.changed:
        lines.append(f"{counted(done.changed, 'file')} changed on disk since the backup was made.")
    lines += [
        f"{path} is not mounted: what was replaced there since the backup may be fetched again."
        for path in done.away
    ]
    return [
        *lines,
        "The next run of every profile asks the archive for everything and takes in what lies on disk; only "
        "what is missing is fetched.",
    ]


# -- check, vacuum and upgrade


def _check(arguments: argparse.Namespace, settings: Settings) -> ExitCode:
    from jwstwatch.cli.db_size import described, document
    from jwstwatch.store import schema, sizes
    from jwstwatch.store.checking import check
    from jwstwatch.store.engine import open_database

    where = _require_state(settings)
    database = open_database(settings.state_url, look=True, allow_network_state=arguments.allow_network_state)
    try:
        problems = check(database)
        size = None if problems else sizes.measure(database)
    finally:
        database.close()
    if arguments.json:
        told = [{"problem": problem.text, "hint": problem.hint} for problem in problems]
        report = {"state": where, "newest_schema": schema.NEWEST, "problems": told}
        output.print_json({**report, "size": None if size is None else document(size)})
    elif problems:
        for problem in problems:
            output.complain(problem.text, hint=problem.hint)
    elif size is not None:
        print(f"{where}: sound, and up to date (schema {schema.NEWEST}).")
        print(described(size))
    return ExitCode.USAGE if problems else ExitCode.DONE


def _vacuum(arguments: argparse.Namespace, settings: Settings) -> ExitCode:
    from jwstwatch.cli.db_size import vacuum
    from jwstwatch.store.engine import open_database

    where = _require_state(settings)
    database = open_database(settings.state_url, allow_network_state=arguments.allow_network_state)
    try:
        return vacuum(database, where, as_json=arguments.json)
    finally:
        database.close()


def _upgrade(arguments: argparse.Namespace, settings: Settings) -> ExitCode:
    from jwstwatch.store import locks, migrate, schema
    from jwstwatch.store.engine import open_database

    where = _shown(settings)
    database = open_database(settings.state_url, allow_network_state=arguments.allow_network_state)
    try:
        with locks.in_use(database):
            before = migrate.current_revision(database)
            copy = migrate.upgrade(database)
    finally:
        database.close()
    if arguments.json:
        report = {"state": where, "from": before, "to": schema.NEWEST, "kept": str(copy) if copy else None}
        output.print_json({"upgrade": report})
    elif before == schema.NEWEST:
        print(f"{where} is up to date already (schema {before}).")
    elif before is None:
        print(f"{where} was set up (schema {schema.NEWEST}).")
    else:
        print(f"{where} was brought from schema {before} to {schema.NEWEST}.")
        if copy is not None:
            print(f"A copy of it as it was is kept as {copy}.")
    return ExitCode.DONE


# -- the state


def _state_file(settings: Settings, arguments: argparse.Namespace) -> Path:
    """Return the SQLite file, or say what PostgreSQL's own programs are for."""
    from jwstwatch.store.engine import parse_url, sqlite_path

    url = parse_url(settings.state_url)
    path = sqlite_path(url)
    if path is not None:
        return path
    names = url.render_as_string(hide_password=True).replace(":***@", "@").partition("?")[0]
    where = f"postgresql://{names.partition('://')[2]}"
    advice = f"Use: pg_dump --format=custom --file={arguments.file} {where}"
    if arguments.action == "restore":
        advice = (
            "Stop the daemon first (`systemctl stop jwstwatch`). "
            f"Use: pg_restore --clean --if-exists --dbname={where} {arguments.file} - "
            "then `jwstwatch run-now --full` settles what changed since, and the daemon may start again."
        )
    raise UsageError("a state in PostgreSQL is backed up with its own programs", hint=advice)


def _require_state(settings: Settings) -> str:
    from jwstwatch.store.engine import parse_url, sqlite_path

    path = sqlite_path(parse_url(settings.state_url))
    if path is not None:
        _require_there(path)
    return _shown(settings)


def _require_there(path: Path) -> None:
    from jwstwatch.store.sqlite_files import is_there

    if not is_there(path):
        raise StateError(f"there is no state {path} yet", hint="The first run makes it.")


def _shown(settings: Settings) -> str:
    """Return where the state is, without a password."""
    from jwstwatch.store.engine import parse_url, sqlite_path

    url = parse_url(settings.state_url)
    return str(sqlite_path(url) or url.set(query={}).render_as_string(hide_password=True))


def _holds(summary: Summary) -> dict[str, object]:
    return {
        "state_schema": summary.schema,
        "profiles": summary.profiles,
        "runs": summary.runs,
        "files": summary.files,
    }


def _described(summary: Summary) -> str:
    return (
        f"{counted(summary.profiles, 'profile')}, {counted(summary.runs, 'run')} and "
        f"{counted(summary.files, 'file')} on disk (schema {summary.schema})"
    )
