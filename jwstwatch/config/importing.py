"""From a configuration of jwst_mast_query to a commented jwstwatch.yaml with one profile like it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from jwstwatch.config.credentials import is_credential
from jwstwatch.config.documents import Node, Problems, expand, parse, read_text, suggest, unusable
from jwstwatch.config.legacy import is_legacy, read_legacy
from jwstwatch.config.sections import PROFILE_NAME
from jwstwatch.config.settings import Setting
from jwstwatch.config.values import NOT_PARAMETERS, Reading
from jwstwatch.config.writing import to_yaml
from jwstwatch.core.parameter_kinds import Written
from jwstwatch.core.parameter_table import Specification
from jwstwatch.core.parameters import OUTPUT_VARIABLE, PARAMETERS
from jwstwatch.errors import ConfigurationError, UsageError

_INDENT: Final = " " * 4
_WIDTH: Final = 100

_NO_CREDENTIALS: Final = (
    "No token or password belongs in a file that others may read: set $MAST_API_TOKEN, or use "
    "jwstwatch token set."
)

_TOP: Final = """\
# Made by `jwstwatch config import` from {source}.
# Values keep their meaning; what has no counterpart here is named in comments. Check it with
# `jwstwatch config check` and `jwstwatch config show`; docs/configuration.md describes everything.

profiles:
"""
_SCHEDULE: Final = """\
    # New here: how often the daemon runs the profile.
    # every: 6h
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The text of a jwstwatch.yaml, and what its user should know before relying on it."""

    profile: str
    text: str
    warnings: tuple[str, ...]


def import_legacy(path: Path, *, name: str | None, environ: Mapping[str, str], folder: Path) -> Imported:
    """Return what a configuration file of jwst_mast_query comes to as a profile called `name`.

    `folder` is the current one, from which an old file's relative folders are meant. Without a `name` the
    profile is called like the file. Raises `ConfigurationError` with a line for each problem of the file, and
    `UsageError` for a name that no profile can have. A credential's value is never repeated.
    """
    path = folder / path
    shown = str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
    profile = _profile_name(name, path)
    reading = Reading(
        path=path, base=folder, current=folder, environ=environ, problems=Problems(_one_line(shown))
    )
    root = parse(read_text(path, shown), reading.problems)
    if not is_legacy(root):
        raise ConfigurationError(
            f"{shown} is no configuration of jwst_mast_query",
            hint="Such a file is flat, with parameters as instrument: and propID: at its top.",
        )
    settings, _ = read_legacy(root, reading)
    if reading.problems.lines():
        raise unusable(reading.problems.file, reading.problems.lines())
    translation = _Translation(reading, settings)
    lines = [line for key, entry in (root.mapping or {}).items() for line in translation.lines(key, entry)]
    body = "".join(f"{_INDENT}{line}\n" if line else "\n" for line in lines)
    head = _TOP.format(source=_one_line(path.name)) + f"  {to_yaml({profile: None}).strip()}\n"
    return Imported(profile=profile, text=head + _SCHEDULE + body, warnings=tuple(translation.warnings))


def _profile_name(name: str | None, path: Path) -> str:
    if name is None:
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._")[:64] or "imported"
        return "imported" if is_credential(name) else name
    if PROFILE_NAME.fullmatch(name) and not is_credential(name):
        return name
    raise UsageError(
        f"{name!r} is no name for a profile",
        hint="Up to 64 letters, digits, dots, hyphens and underscores, the first a letter or a digit.",
    )


@dataclass(slots=True)
class _Translation:
    """Turns the entries of an old file into the lines of a profile."""

    reading: Reading
    settings: Mapping[str, Setting]
    warnings: list[str] = field(default_factory=list)

    def lines(self, name: str, entry: Node) -> Iterator[str]:
        """Yield the lines of one entry, a blank one before it, without their indentation."""
        yield ""
        specification = PARAMETERS.get(name)
        if specification is None or not specification.legacy:
            yield from _comment(f"Left out: {_one_line(name)}. {_why_left_out(name, specification)}")
            self._warn_of_loss(name, entry)
        elif specification.one_off_only:
            yield from self._one_off_only(specification, entry)
        else:
            yield from _comment(specification.help)
            yield from self._about(name, entry)
            yield from to_yaml({name: self._value(name, entry)}).splitlines()

    def _warn(self, entry: Node, text: str) -> None:
        self.warnings.append(f"{self.reading.problems.file}:{entry.line}: {text}")

    def _warn_of_loss(self, name: str, entry: Node) -> None:
        """Tell of what is left out, unless nothing is lost with it."""
        if is_credential(name) and entry.value:
            self._warn(entry, f"{name} is left out. {_NO_CREDENTIALS}")
        elif not (is_credential(name) or name in NOT_PARAMETERS):
            self._warn(entry, f"{_one_line(name)} has no counterpart and is left out")

    def _one_off_only(self, specification: Specification, entry: Node) -> Iterator[str]:
        setting = self.settings.get(specification.name)
        yield from _comment(
            f"Left out: {specification.name}"
            + (f" (it was {str(setting.value).lower()}). " if setting else ". ")
            + f"Not in a saved profile: {specification.one_off_only}."
        )
        if setting is not None and setting.value:
            self._warn(entry, f"{specification.name} is left out: {specification.one_off_only}")

    def _about(self, name: str, entry: Node) -> Iterator[str]:
        """Yield comments on a value that needs one."""
        if name == "propID" and isinstance(entry.value, tuple) and len(entry.value) > 1:
            yield from self._about_other_proposals(entry)
        elif name == "outrootdir" and isinstance(entry.value, str) and OUTPUT_VARIABLE in entry.value:
            yield from self._about_folder()
        elif name == "lookbacktime":
            yield from self._about_window(entry)

    def _about_other_proposals(self, entry: Node) -> Iterator[str]:
        assert isinstance(entry.value, tuple)
        words = [item.value if isinstance(item.value, str) else "..." for item in entry.value]
        left_out = _one_line(", ".join(words[1:]))
        yield from _comment(
            f"Left out: {left_out}. In the old file only the first of a list counted; here a list means "
            f"several proposals: propID: [{_one_line(', '.join(words))}]"
        )
        self._warn(entry, f"of the proposals only the first counted; left out: {left_out}")

    def _about_folder(self) -> Iterator[str]:
        if self.reading.environ.get(OUTPUT_VARIABLE):
            found = _one_line(self.reading.environ[OUTPUT_VARIABLE])
            yield from _comment(f"${OUTPUT_VARIABLE} was {found} at the import; a daemon may not know it.")
        else:
            yield from _comment(f"${OUTPUT_VARIABLE} was not set at the import; a daemon should know it.")

    def _about_window(self, entry: Node) -> Iterator[str]:
        setting = self.settings.get("lookbacktime")
        dates = self.settings.get("date_select")
        if setting is None or not setting.value or (dates is not None and dates.value):
            return
        proposal = self.settings.get("propID")
        length = f"{setting.value:g} {'day' if setting.value == 1 else 'days'}"
        hides = f"lookbacktime: {setting.value:g} hides what was observed more than {length} before"
        if proposal is not None and proposal.value:
            way_on = (
                "Written in a profile it counts as a window that was chosen, even for a proposal; "
                "without this line the whole proposal is asked for."
            )
        else:
            way_on = "With 0 there is no such limit."
        yield from _comment(f"Careful: {hides} the profile's first run. {way_on}")
        self._warn(entry, f"{hides} the first run. {way_on}")

    def _value(self, name: str, entry: Node) -> Written:
        """Return what is written for an entry: its own text, so that variables stay variables."""
        if name == "propID" and isinstance(entry.value, tuple) and entry.value:
            return _written(entry.value[0])
        if name == "outrootdir" and isinstance(entry.value, str) and name in self.settings:
            return self._folder(entry.value)
        return _written(entry)

    def _folder(self, text: str) -> str:
        """An old file's relative folder is meant from the current one, ours from the file's own."""
        current = str(self.reading.current)
        environ = {OUTPUT_VARIABLE: current, **_without_empty(self.reading.environ)}
        meant = Path(expand(text, environ).strip())
        if meant.is_absolute() or (meant.parts[:1] == ("~",) and environ.get("HOME")):
            return text
        return f"{_escape(current)}/{text.strip()}"


def _why_left_out(name: str, specification: Specification | None) -> str:
    if is_credential(name):
        return _NO_CREDENTIALS
    if name in NOT_PARAMETERS:
        return f"Here {NOT_PARAMETERS[name]}."
    if specification is not None:
        return "jwst_mast_query has no such parameter, so it did not count; here it would."
    return f"There is no such parameter{suggest(name, tuple(PARAMETERS))}."


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _one_line(text: str) -> str:
    """Return `text` as it may stand in a comment or a message: printable, on one line."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _escape(text: str) -> str:
    """Write a text of which no dollar sign is to begin a variable."""
    return text.replace("$", "$$")


def _without_empty(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if value}


def _written(node: Node) -> Written:
    if isinstance(node.value, tuple):
        return [_written(item) for item in node.value]
    if isinstance(node.value, Mapping):
        return {key: _written(item) for key, item in node.value.items()}
    return node.value
