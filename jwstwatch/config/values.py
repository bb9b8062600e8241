"""From the mappings of a file to typed settings, and from layers of settings to a profile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from jwstwatch.config.credentials import is_credential
from jwstwatch.config.documents import Node, Problems, UnsetVariableError, expand_all, join_path
from jwstwatch.config.settings import Profile, Setting, Values
from jwstwatch.core.instruments import instrument_patterns
from jwstwatch.core.parameter_kinds import UNSET, ValueNotAllowedError
from jwstwatch.core.parameter_table import Layer, Source, Specification
from jwstwatch.core.parameters import OUTPUT_VARIABLE, PARAMETERS, Parameters

NOT_PARAMETERS: Final[Mapping[str, str]] = {
    "verbose": "this is an option (-v), not a parameter of a profile",
    "configfile": "this is an option (--config), not a parameter of a profile",
}
"""Names that jwst_mast_query takes in its file and that are no parameters here, with the reason."""

_UNNAMED: Final = "an environment variable in it is not set; $$ stands for a dollar sign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is needed to read the values of one file; relative folders are meant from `base`."""

    path: Path
    base: Path
    current: Path
    """The current folder, which stands in for an output folder that is not set."""
    environ: Mapping[str, str] = field(repr=False)
    problems: Problems
    unset: Problems = field(default_factory=lambda: Problems(""))
    """Secrets whose variables are not set here: the service's environment may have them."""


def absolute(path: Path, *, base: Path, environ: Mapping[str, str]) -> Path:
    """Return `path` from `base`, with a leading `~` as the user's home folder."""
    if path.parts[:1] == ("~",) and environ.get("HOME"):
        path = Path(environ["HOME"], *path.parts[1:])
    return base / path


def read_values(
    node: Node, table: Mapping[str, Specification], reading: Reading, *, path: str, layer: Layer
) -> dict[str, Setting]:
    """Return the typed settings of a mapping; whatever is wrong goes to the reading's problems."""
    entries = node.mapping
    if entries is None:
        reading.problems.add(node.line, path, "must be a mapping of names to values")
        return {}
    values: dict[str, Setting] = {}
    for name, entry in entries.items():
        where = join_path(path, name)
        if is_credential(name):
            continue
        if name in NOT_PARAMETERS:
            reading.problems.add(entry.line, where, NOT_PARAMETERS[name])
        elif name not in table:
            reading.problems.unknown(entry.line, where, table)
        elif table[name].one_off_only:
            reading.problems.add(entry.line, where, f"not in a saved profile: {table[name].one_off_only}")
        else:
            setting = read_setting(entry, table[name], reading, path=where, layer=layer)
            if setting is not None:
                values[name] = setting
    _refuse_two_schedules(entries, values, reading.problems, path)
    return values


def _refuse_two_schedules(
    entries: Mapping[str, Node], values: dict[str, Setting], problems: Problems, path: str
) -> None:
    if all(name in values and values[name].value is not None for name in ("every", "cron")):
        line = entries["every"].line
        problems.add(entries["cron"].line, join_path(path, "cron"), f"not together with every (line {line})")


def read_setting(
    entry: Node, specification: Specification, reading: Reading, *, path: str, layer: Layer
) -> Setting | None:
    """Return one typed setting; None where the key is empty and so counts as left out, or is wrong."""
    warning = ""
    environ = reading.environ
    if specification.name == "outrootdir" and not environ.get(OUTPUT_VARIABLE):
        environ = {**environ, OUTPUT_VARIABLE: str(reading.current)}
        if isinstance(entry.value, str) and OUTPUT_VARIABLE in entry.value:
            warning = output_warning(reading.current)
    try:
        value = specification.kind.take(expand_all(entry, None if specification.literal else environ))
    except ValueNotAllowedError as error:
        reading.problems.add(entry.line, path, str(error))
        return None
    except UnsetVariableError as error:
        # What looks like a variable in a password may be a part of it.
        named = error.whole or not specification.secret
        problems = reading.unset if specification.secret else reading.problems
        problems.add(entry.line, path, str(error) if named else _UNNAMED)
        return None
    if value is UNSET:
        return None
    if isinstance(value, Path):
        value = absolute(value, base=reading.base, environ=reading.environ)
    source = Source(layer=layer, file=reading.path, line=entry.line)
    return Setting(value=value, source=source, warning=warning)


def output_warning(folder: Path) -> str:
    """Return what is told where the current folder stands in for the output folder."""
    return f"{OUTPUT_VARIABLE} is not set, so files go to the current folder, {folder}"


def built_in_values(environ: Mapping[str, str], current: Path) -> Values:
    """Return the lowest layer: the defaults of the table, with the output folder of the environment."""
    source = Source(layer=Layer.BUILT_IN)
    values = {name: Setting(value=each.default, source=source) for name, each in PARAMETERS.items()}
    output = environ.get(OUTPUT_VARIABLE)
    if output:
        where = Source(layer=Layer.BUILT_IN, name=f"${OUTPUT_VARIABLE}")
        folder = absolute(Path(output), base=current, environ=environ)
        values["outrootdir"] = Setting(value=folder, source=where)
    else:
        values["outrootdir"] = Setting(value=current, source=source, warning=output_warning(current))
    return values


def build_profile(name: str, layers: Sequence[Values]) -> Profile:
    """Return the profile whose effective values the layers give, the last of them winning."""
    effective: dict[str, Setting] = {}
    for layer in layers:
        effective.update(layer)
        _let_one_schedule_win(effective, layer)
    if effective["every"].value is None and effective["cron"].value is None:
        effective["every"] = layers[0]["every"]
    if effective["guidestar_data_only"].value:
        effective["guidestars"] = Setting(value=True, source=effective["guidestar_data_only"].source)
    values: dict[str, object] = {key: setting.value for key, setting in effective.items()}
    parameters = Parameters(**values)  # type: ignore[arg-type]  # the kinds made each value's type
    return Profile(
        name=name,
        parameters=parameters,
        sources={key: effective[key].source for key in PARAMETERS},
        warnings=tuple(_warnings(name, parameters, effective.values())),
    )


def _let_one_schedule_win(effective: dict[str, Setting], layer: Values) -> None:
    for name, other in (("every", "cron"), ("cron", "every")):
        replaces = name in layer and layer[name].value is not None
        if replaces and effective[other].value is not None:
            effective[other] = Setting(value=None, source=layer[name].source)


def _warnings(name: str, parameters: Parameters, settings: Iterable[Setting]) -> Iterable[str]:
    # These are the same for every profile that they concern, and are told once.
    yield from (setting.warning for setting in settings if setting.warning)
    prefix = f"profile {name}: " if name else ""
    _, about_modes = instrument_patterns(parameters.instrument, parameters.obsmode)
    yield from (f"{prefix}{warning}" for warning in about_modes)
