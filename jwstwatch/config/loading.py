"""Find the configuration, read it whole, and tell everything that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from jwstwatch.config import places, sections
from jwstwatch.config.credentials import refuse_credentials
from jwstwatch.config.documents import Node, Problems, parse, read_text, unusable
from jwstwatch.config.legacy import is_legacy, read_legacy
from jwstwatch.config.settings import Profile, Setting, Settings, Values
from jwstwatch.config.values import Reading, absolute, build_profile, built_in_values
from jwstwatch.core.parameter_scalars import Folder
from jwstwatch.core.parameter_table import Layer, Source
from jwstwatch.core.parameters import PARAMETERS
from jwstwatch.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A configuration file that was found and parsed, but not yet understood."""

    root: Node
    reading: Reading


@dataclass(slots=True, kw_only=True)
class _Files:
    """The files that count: ours, and an old one where the user named one."""

    own: _Found | None = None
    legacy: _Found | None = None


def load(
    explicit_path: Path | None,
    *,
    environ: Mapping[str, str],
    folder: Path,
    legacy_variable: bool = False,
    token_file: Path | None = None,
    system_folder: Path = places.SYSTEM_FOLDER,
) -> Settings:
    """Return the settings of the first configuration file found, or those of no file at all.

    An old file (`jwst_query.cfg`) gives no profiles but the base of a one-off command; the state and the
    archive then come from the next file of ours. `legacy_variable` lets $JWST_QUERY_CFGFILE name one.
    `token_file` is a typed one, which wins over `mast.token_file`.
    Raises `ConfigurationError` with one line for each problem.
    """
    folder = folder.absolute()
    searched = places.search_places(
        explicit_path,
        environ=environ,
        folder=folder,
        system_folder=system_folder,
        legacy_variable=legacy_variable,
    )
    files = _Files()
    for place in searched:
        if files.legacy is not None and place.path == files.legacy.reading.path:
            continue
        found = _open(place, environ=environ, folder=folder)
        if found is not None and place.named and is_legacy(found.root):
            files.legacy = files.legacy or found
        elif found is not None:
            files.own = found
            break
    return _understand(files, environ=environ, folder=folder, token_file=token_file)


def one_off(settings: Settings, typed: Mapping[str, object]) -> Profile:
    """Return the nameless profile of a one-off command: what is typed, over the file, over the defaults.

    Without typed values it is the profile that an old configuration file stands for.
    """
    layer: dict[str, Setting] = {}
    for name, value in typed.items():
        if isinstance(PARAMETERS[name].kind, Folder) and isinstance(value, Path):
            value = absolute(value, base=settings.folder, environ={})
        layer[name] = Setting(value=value, source=Source(layer=Layer.TYPED, name=f"--{name}"))
    base = settings.base or (built_in_values({}, settings.folder),)
    profile = build_profile("", (*base, layer))
    if "propID" in layer and "obsnums" not in layer and profile.parameters.obsnums:
        numbers = ", ".join(map(str, profile.parameters.obsnums))
        about = f"obsnums {numbers} ({profile.sources['obsnums']}) count for the typed proposal too"
        return replace(profile, warnings=(*profile.warnings, about))
    return profile


def _open(place: places.Place, *, environ: Mapping[str, str], folder: Path) -> _Found | None:
    shown = str(place.path)
    if place.path.is_relative_to(folder) and folder != Path("/"):
        shown = str(place.path.relative_to(folder))
    try:
        present = place.path.exists()
    except OSError:
        # A folder that this user may not even look into is not theirs.
        present = False
    if not present:
        if not place.named:
            return None
        missing = f"{shown} is not there ({place.named} names it)"
        raise ConfigurationError(missing, hint="Check the path.", problems=(missing,))
    reading = Reading(
        path=place.path,
        base=place.path.parent,
        current=folder,
        environ=environ,
        problems=Problems(shown),
        unset=Problems(shown),
    )
    return _Found(root=parse(read_text(place.path, shown), reading.problems), reading=reading)


def _understand(
    files: _Files, *, environ: Mapping[str, str], folder: Path, token_file: Path | None
) -> Settings:
    environment = Reading(
        path=folder, base=folder, current=folder, environ=environ, problems=Problems("environment")
    )
    built_in = built_in_values(environ, folder)
    top, reading = _sections_of(files.own) if files.own else ({}, environment)
    defaults = sections.read_defaults(top, reading)
    profiles = {} if files.legacy else sections.read_profiles(top, reading, (built_in, defaults))
    own, sources = sections.read_own(top, reading, environment, token_file=token_file)
    state_url, sources["state"] = sections.read_state(top, reading, environment)
    sections.refuse_pages(top, reading)
    old_values, warnings = _old_values(files.legacy, folder) if files.legacy else ({}, ())
    _refuse_problems(files, environment)
    about_profiles = (warning for profile in profiles.values() for warning in profile.warnings)
    return Settings(
        path=files.own.reading.path if files.own else None,
        state_url=state_url,
        profiles=profiles,
        **own,
        warnings=tuple(dict.fromkeys((*warnings, *about_profiles))),
        unset=reading.unset.lines(),
        sources=sources,
        legacy_path=files.legacy.reading.path if files.legacy else None,
        folder=folder,
        base=(built_in, old_values if files.legacy else defaults),
    )


def _sections_of(own: _Found) -> tuple[sections.Top, Reading]:
    refuse_credentials(own.root, own.reading.problems)
    return sections.read_top(own.root, own.reading), own.reading


def _old_values(legacy: _Found, folder: Path) -> tuple[Values, tuple[str, ...]]:
    refuse_credentials(legacy.root, legacy.reading.problems, empty_allowed=True)
    # What an old file calls a folder was always meant from where the program was started.
    return read_legacy(legacy.root, replace(legacy.reading, base=folder))


def _refuse_problems(files: _Files, environment: Reading) -> None:
    """Raise for the problems of every file together, if there are any."""
    found = [each.reading for each in (files.own, files.legacy) if each is not None]
    concerned = [each for each in (*found, environment) if each.problems.lines()]
    if concerned:
        lines = tuple(line for each in concerned for line in each.problems.lines())
        raise unusable(concerned[0].problems.file, lines)
