"""The sections of our configuration file: `state`, `mast`, `defaults`, `profiles`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from jwstwatch.config import places
from jwstwatch.config.credentials import is_credential
from jwstwatch.config.documents import Node, UnsetVariableError, expand_all, join_path
from jwstwatch.config.settings import MAST_PARAMETERS, MastSettings, Profile, Setting, Values
from jwstwatch.config.values import Reading, build_profile, read_values
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


def read_mast(top: Top, reading: Reading, environment: Reading) -> tuple[MastSettings, dict[str, Source]]:
    """Return how the archive is spoken to and where each value comes from."""
    values: dict[str, Setting] = {}
    if "mast" in top:
        values = read_values(top["mast"], MAST_PARAMETERS, reading, path="mast", layer=Layer.FILE)
    server = environment.environ.get(places.SERVER_VARIABLE)
    if server:
        source = Source(layer=Layer.ENVIRONMENT, name=f"${places.SERVER_VARIABLE}")
        try:
            typed = MAST_PARAMETERS["server"].kind.read(server)
            values["server"] = Setting(value=typed, source=source)
        except ValueNotAllowedError as error:
            environment.problems.add(0, places.SERVER_VARIABLE, str(error))
    built_in = Source(layer=Layer.BUILT_IN)
    sources = {
        f"mast.{name}": values[name].source if name in values else built_in for name in MAST_PARAMETERS
    }
    stated = {name: setting.value for name, setting in values.items()}
    return MastSettings(**stated), sources  # type: ignore[arg-type]  # the kinds made each value's type


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
