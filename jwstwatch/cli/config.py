"""`jwstwatch config`: check the configuration, show what is in effect, import that of jwst_mast_query."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from jwstwatch.cli import output
from jwstwatch.cli.common import add_common_options
from jwstwatch.errors import ConfigurationError, ExitCode, UsageError

if TYPE_CHECKING:
    from jwstwatch.config import Profile, Settings
    from jwstwatch.core.parameter_kinds import Plain
    from jwstwatch.core.parameter_table import Source

HELP = "check the configuration, show what is in effect, or import that of jwst_mast_query"
EXAMPLE = "jwstwatch config show ers-1345"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare `check`, `show [PROFILE]` and `import FILE`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="check|show|import")
    check = actions.add_parser("check", help="say all that is wrong with the configuration, if anything is")
    show = actions.add_parser("show", help="show the effective values and where each comes from")
    show.add_argument("profile", nargs="?", metavar="PROFILE", help="only this profile")
    taken = actions.add_parser("import", help="make a jwstwatch.yaml of a configuration of jwst_mast_query")
    taken.add_argument("file", type=Path, metavar="FILE", help="the old file, such as jwst_query.cfg")
    taken.add_argument("--name", metavar="NAME", help="of the profile (default: like the file)")
    taken.add_argument(
        "--output", type=Path, metavar="FILE", help="write it there (default: print it); never over a file"
    )
    for action in (check, show, taken):
        add_common_options(action)
    for action in (check, show):
        action.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Check, show or import; the exit code is 2 where the configuration cannot be used."""
    actions = {"check": _check, "show": _show, "import": _import}
    return actions[arguments.action](arguments)


def _load(arguments: argparse.Namespace) -> Settings:
    from jwstwatch.config import load

    return load(arguments.config, environ=os.environ, folder=Path.cwd(), token_file=arguments.token_file)


def _check(arguments: argparse.Namespace) -> ExitCode:
    try:
        settings = _load(arguments)
        if settings.path is None and settings.legacy_path is None:
            raise _nothing_found()
    except ConfigurationError as error:
        problems = error.problems or (error.message,)
        if arguments.json:
            _print_json({"path": None, "profiles": [], "problems": list(problems), "warnings": []})
        else:
            print("\n".join(problems))
        return ExitCode.USAGE
    path = settings.legacy_path or settings.path
    if arguments.json:
        names: list[Plain] = list(settings.profiles)
        report: dict[str, Plain] = {"path": str(path), "profiles": names, "problems": []}
        _print_json({**report, "warnings": list(_warnings(settings))})
        return ExitCode.DONE
    for warning in _warnings(settings):
        print(f"warning: {warning}")
    print(f"{_short(path)}: {_contents(settings)}, no problems")
    return ExitCode.DONE


def _nothing_found() -> ConfigurationError:
    from jwstwatch.config.places import search_places

    looked = [str(place.path) for place in search_places(None, environ=os.environ, folder=Path.cwd())]
    return ConfigurationError(f"no configuration file found (looked for {', '.join(looked)})")


def _contents(settings: Settings) -> str:
    if settings.legacy_path is not None:
        return "an old configuration file with one query"
    count = len(settings.profiles)
    return "1 profile" if count == 1 else f"{count} profiles"


def _warnings(settings: Settings) -> tuple[str, ...]:
    from jwstwatch.config import one_off

    # The query of an old file comes into effect only with a command, so its warnings are asked for here.
    about_query = one_off(settings, {}).warnings if settings.legacy_path else ()
    return (*settings.warnings, *settings.unset, *about_query)


def _show(arguments: argparse.Namespace) -> ExitCode:
    settings = _load(arguments)
    profiles = _profiles_to_show(settings, arguments.profile)
    if arguments.json:
        _print_json(
            {
                "path": str(settings.path) if settings.path else None,
                **({} if arguments.profile else {"file": _described(_file_values(settings))}),
                "profiles": [
                    {"name": profile.name, "parameters": _described(_profile_values(profile))}
                    for profile in profiles
                ],
                "warnings": list(_warnings(settings)),
            }
        )
        return ExitCode.DONE
    if arguments.profile is None:
        print(_short(settings.path) if settings.path else "no configuration file")
        _print_values(_file_values(settings))
    for profile in profiles:
        print(f"profile {profile.name}" if profile.name else "one-off commands")
        _print_values(_profile_values(profile))
    return ExitCode.DONE


def _profiles_to_show(settings: Settings, name: str | None) -> list[Profile]:
    from jwstwatch.config import one_off

    if name is not None:
        return [settings.profile(name)]
    return list(settings.profiles.values()) or [one_off(settings, {})]


def _import(arguments: argparse.Namespace) -> ExitCode:
    from jwstwatch.config.importing import import_legacy

    imported = import_legacy(arguments.file, name=arguments.name, environ=os.environ, folder=Path.cwd())
    if arguments.output is None:
        print(imported.text, end="")
    else:
        _write_new(arguments.output, imported.text)
    for warning in imported.warnings:
        output.complain(f"warning: {warning}")
    if arguments.output is not None:
        output.complain(f"wrote {arguments.output} with the profile {imported.profile}")
        output.hint(f"Read its comments, then try: jwstwatch config check --config {arguments.output}")
    return ExitCode.DONE


def _write_new(path: Path, text: str) -> None:
    from jwstwatch.files import translate_storage_errors

    try:
        with translate_storage_errors(path.parent), path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already", hint="Name another file, or move it away.") from None
    except FileNotFoundError:
        raise UsageError(f"{path.parent} is not there", hint="Make the folder first.") from None


_Rows = list[tuple[str, "Plain", "Source"]]


def _file_values(settings: Settings) -> _Rows:
    from jwstwatch.config.places import mask_password

    values: dict[str, Plain] = {"state": mask_password(settings.state_url), **settings.shown()}
    return [(name, value, settings.sources[name]) for name, value in values.items()]


def _profile_values(profile: Profile) -> _Rows:
    from jwstwatch.core.parameters import written

    return [(name, value, profile.sources[name]) for name, value in written(profile.parameters).items()]


def _described(rows: _Rows) -> dict[str, Plain]:
    return {
        name: {
            "value": value,
            "source": str(source.layer),
            "file": str(source.file) if source.file else None,
            "line": source.line,
            "name": source.name or None,
        }
        for name, value, source in rows
    }


def _print_values(rows: _Rows) -> None:
    cells = [(name, _origin(source), _one_line(value)) for name, value, source in rows]
    widths = [max(len(row[column]) for row in cells) for column in (0, 1)]
    for name, origin, value in cells:
        print(f"  {name:<{widths[0]}}  {origin:<{widths[1]}}  {value}".rstrip())


def _origin(source: Source) -> str:
    if source.file is None:
        return f"{source.layer} {source.name}".rstrip()
    return f"{source.layer} {_short(source.file)}:{source.line}"


def _one_line(value: Plain) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(item if isinstance(item, str) else json.dumps(item) for item in value)
    return str(value)


def _short(path: Path | None) -> str:
    """Return a path as seen from the current folder, where it lies below it."""
    if path is None:
        return ""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _print_json(report: dict[str, Plain]) -> None:
    print(json.dumps({"schema": 1, **report}, indent=2))
