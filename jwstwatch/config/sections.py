"""The sections of our configuration file: state, profiles and their defaults, and what the service needs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jwstwatch.config import places
from jwstwatch.config.credentials import is_credential
from jwstwatch.config.documents import Node, UnsetVariableError, expand_all, join_path
from jwstwatch.config.section_settings import SECTION_PARAMETERS, SECTIONS
from jwstwatch.config.settings import FILE_PARAMETERS, TOP_PARAMETERS, Profile, Setting, Values
from jwstwatch.config.values import Reading, absolute, build_profile, read_setting, read_values
from jwstwatch.core.parameter_kinds import ValueNotAllowedError
from jwstwatch.core.parameter_table import Layer, Source
from jwstwatch.core.parameters import PARAMETERS

TOP_KEYS: Final[Mapping[str, str]] = {
    "state": (
        "Where the state is kept: an SQLAlchemy URL, or the path of an SQLite file. "
        "Default: jwstwatch/state.db in the user's state folder."
    ),
    "mast": "How the archive is spoken to, see below.",
    "defaults": "Values for every profile that does not say otherwise.",
    "profiles": "The saved queries by name: letters, digits, dots, hyphens, underscores.",
    "daemon": "How the daemon shares the machine, see below.",
    "notify": "Who is told what happened, see below.",
    "heartbeat": "A URL that is asked for after each good round, see below.",
    "hooks": "Commands that are run when something happened, see below.",
    "metrics": "Figures for Prometheus, see below.",
}
"""The keys at the top of the file, and what they are for."""

PROFILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ASIDE: Final = "x-"
_PAGES: Final = "pages"

Top = Mapping[str, Node]


def read_top(root: Node, reading: Reading) -> Top:
    """Return the sections of a file, having noted every key that is none."""
    entries = root.mapping
    if entries is None:
        reading.problems.add(root.line, "", "must be a mapping with profiles: and so on")
        return {}
    for name, entry in entries.items():
        if name in (*TOP_KEYS, _PAGES) or name.startswith(_ASIDE) or is_credential(name):
            continue
        if name in PARAMETERS:
            problem = "belongs below defaults: or below a profile, not at the top"
            reading.problems.add(entry.line, join_path("", name), problem)
        else:
            reading.problems.unknown(entry.line, join_path("", name), TOP_KEYS)
    return entries


def read_defaults(top: Top, reading: Reading) -> Values:
    """Return the layer that `defaults:` makes."""
    if "defaults" not in top:
        return {}
    return read_values(top["defaults"], PARAMETERS, reading, path="defaults", layer=Layer.DEFAULTS)


def read_profiles(top: Top, reading: Reading, below: Sequence[Values]) -> dict[str, Profile]:
    """Return every profile by name, in the order of the file."""
    if "profiles" not in top:
        return {}
    entries = top["profiles"].mapping
    if entries is None:
        reading.problems.add(top["profiles"].line, "profiles", "must be a mapping of names to profiles")
        return {}
    profiles: dict[str, Profile] = {}
    for name, entry in entries.items():
        path = join_path("profiles", name)
        if is_credential(name):
            continue
        if not PROFILE_NAME.fullmatch(name):
            reading.problems.add(
                entry.line,
                path,
                "no name for a profile (allowed: up to 64 letters, digits, dots, hyphens and underscores, "
                "the first a letter or a digit)",
            )
            continue
        values = read_values(entry, PARAMETERS, reading, path=path, layer=Layer.PROFILE)
        profiles[name] = build_profile(name, (*below, values))
    return profiles


def read_own(
    top: Top, reading: Reading, environment: Reading, *, token_file: Path | None
) -> tuple[dict[str, Any], dict[str, Source]]:
    """Return what belongs to the file as a whole, by the attributes of `Settings`, and each value's source.

    The environment's server and a typed `token_file` win over the file's.
    """
    values: dict[str, Setting] = {}
    for section, table in SECTION_PARAMETERS.items():
        if section in top:
            found = read_values(top[section], table, reading, path=section, layer=Layer.FILE)
            values |= {f"{section}.{name}": setting for name, setting in found.items()}
    for name, specification in TOP_PARAMETERS.items():
        setting = (
            read_setting(top[name], specification, reading, path=name, layer=Layer.FILE)
            if name in top
            else None
        )
        if setting is not None:
            values[name] = setting
    values |= _server_of(environment)
    if token_file is not None:
        path = absolute(token_file, base=environment.current, environ=environment.environ)
        values["mast.token_file"] = Setting(value=path, source=Source(layer=Layer.TYPED, name="--token-file"))
    built_in = Source(layer=Layer.BUILT_IN)
    sources = {path: values[path].source if path in values else built_in for path in FILE_PARAMETERS}
    return _built(values), sources


def _server_of(environment: Reading) -> Values:
    server = environment.environ.get(places.SERVER_VARIABLE)
    if not server:
        return {}
    try:
        typed = SECTION_PARAMETERS["mast"]["server"].kind.read(server)
    except ValueNotAllowedError as error:
        environment.problems.add(0, places.SERVER_VARIABLE, str(error))
        return {}
    source = Source(layer=Layer.ENVIRONMENT, name=f"${places.SERVER_VARIABLE}")
    return {"mast.server": Setting(value=typed, source=source)}


def _built(values: Values) -> dict[str, Any]:
    built: dict[str, Any] = {name: values[name].value for name in TOP_PARAMETERS if name in values}
    for section, made in SECTIONS.items():
        paths = {name: f"{section}.{name}" for name in SECTION_PARAMETERS[section]}
        built[section] = made(**{name: values[path].value for name, path in paths.items() if path in values})
    return built


def read_state(top: Top, reading: Reading, environment: Reading) -> tuple[str, Source]:
    """Return the URL of the state and where it comes from."""
    url = places.default_state_url(reading.environ, reading.current)
    source = Source(layer=Layer.BUILT_IN)
    entry = top.get("state")
    if entry is not None and entry.value is not None:
        try:
            text = expand_all(entry, reading.environ)
            if not isinstance(text, str):
                raise ValueNotAllowedError("it must be one text")
            url = places.read_state_url(text.strip(), base=reading.base, environ=reading.environ)
            source = Source(layer=Layer.FILE, file=reading.path, line=entry.line)
        except (ValueNotAllowedError, UnsetVariableError) as error:
            reading.problems.add(entry.line, "state", str(error))
    variable = environment.environ.get(places.STATE_VARIABLE)
    if variable:
        try:
            url = places.read_state_url(variable, base=environment.base, environ=environment.environ)
            source = Source(layer=Layer.ENVIRONMENT, name=f"${places.STATE_VARIABLE}")
        except ValueNotAllowedError as error:
            environment.problems.add(0, places.STATE_VARIABLE, str(error))
    return url, source


def refuse_pages(top: Top, reading: Reading) -> None:
    """Say that one site over all output folders is not to be had: a page must not promise it silently."""
    entry = top.get(_PAGES)
    if entry is not None:
        reading.problems.add(
            entry.line,
            _PAGES,
            "one site over all output folders cannot be made by this version; each output folder has its own "
            "(makewebpages)",
        )
