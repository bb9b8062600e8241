"""The options that set profile parameters, made from the table, and the values typed with them."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import Any, Final

from jwstwatch.core.parameter_kinds import Kind, ValueNotAllowedError
from jwstwatch.core.parameter_scalars import Boolean
from jwstwatch.core.parameter_table import Group, Specification
from jwstwatch.core.parameter_words import Proposals, unite_choices
from jwstwatch.core.parameters import PARAMETERS
from jwstwatch.errors import UsageError

_PREFIX: Final = "typed_"
_REFUSED: Final = "refused_credentials"
_ONE_HYPHEN: Final = "one_hyphen"

ONE_OFF_GROUPS: Final = (Group.WHAT, Group.WHEN, Group.WHERE, Group.TABLES, Group.PAGES)
"""The groups that make sense where nothing is scheduled."""

_TITLES: Final = {
    Group.WHAT: "what to select",
    Group.WHEN: "when it was observed",
    Group.WHERE: "where files go, and which are fetched",
    Group.TABLES: "tables",
    Group.PAGES: "web pages",
}

# Options of jwst_mast_query that here are not the only ones with that letter.
_ABBREVIATED: Final = {"filetypes": "--f", "jpg_separate_subdir": "--j"}
_ABBREVIATED_TOKEN: Final = ("--t", "--to", "--tok", "--toke")


def add_options(parser: argparse.ArgumentParser, *, groups: Iterable[Group] = ONE_OFF_GROUPS) -> None:
    """Give `parser` an option for every parameter of the groups, under the parameter's own name."""
    for group in groups:
        section = parser.add_argument_group(_TITLES.get(group, str(group)))
        for specification in PARAMETERS.values():
            if specification.group is group:
                _add_option(section, specification)
    parser.add_argument(
        "--token",
        metavar="TOKEN",
        help="MAST token for this command (everybody on this machine can read it in the list of processes; "
        "$MAST_API_TOKEN or --token-file is better)",
    )
    parser.add_argument(*_ABBREVIATED_TOKEN, dest="token", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.add_argument(
        "--login", dest=_REFUSED, nargs="*", default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )


def _add_option(section: argparse._ArgumentGroup, specification: Specification) -> None:
    flags = [f"--{specification.name}"]
    if specification.short:
        flags.insert(0, specification.short)
    text = f"{specification.help}{_default(specification)}".replace("%", "%%")
    _add(section, flags, specification, text)
    if specification.name in _ABBREVIATED:
        _add(section, [_ABBREVIATED[specification.name]], specification, argparse.SUPPRESS)
    if specification.name == "lookbacktime":
        # An example of jwst_mast_query's documentation has one hyphen, which would be read as -l OOKBACKTIME.
        section.add_argument(
            "-lookbacktime", dest=_ONE_HYPHEN, default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )


def _add(section: argparse._ArgumentGroup, flags: list[str], specification: Specification, text: str) -> None:
    section.add_argument(
        *flags,
        dest=_PREFIX + specification.name,
        # Only what was typed may reach the namespace: a typed default wins over the file too.
        default=argparse.SUPPRESS,
        metavar=specification.kind.placeholder,
        help=text,
        **_shape(specification.kind),
    )


def _shape(kind: Kind[Any]) -> dict[str, Any]:
    """Return how many words argparse is to take, and what it does with several occurrences."""
    if isinstance(kind, Proposals):
        return {"action": "append", "nargs": "+"}
    if kind.many:
        return {"action": "extend", "nargs": "*"}
    if isinstance(kind, Boolean):
        return {"nargs": "?", "const": "True"}
    return {}


def _default(specification: Specification) -> str:
    default = specification.kind.write(specification.default)
    if default in (None, [], False):
        return ""
    if isinstance(default, list):
        return f" Default: {' '.join(str(item) for item in default)}."
    return f" Default: {default}."


def typed_values(namespace: argparse.Namespace) -> Mapping[str, object]:
    """Return the values that were typed, and only those, by the parameter's name.

    Raises `UsageError` that names the option whose words are not allowed.
    """
    if hasattr(namespace, _REFUSED):
        raise UsageError(
            "MAST has no log-in with user and password any more", hint="Set $MAST_API_TOKEN instead."
        )
    if hasattr(namespace, _ONE_HYPHEN):
        raise UsageError(
            "-lookbacktime is not an option", hint="Write --lookbacktime, with two hyphens, or -l."
        )
    values: dict[str, object] = {}
    for name, specification in PARAMETERS.items():
        if hasattr(namespace, _PREFIX + name):
            values[name] = _read(specification, getattr(namespace, _PREFIX + name))
    return values


def _read(specification: Specification, words: str | list[Any]) -> object:
    kind: Kind[Any] = specification.kind
    try:
        if isinstance(kind, Proposals):
            return unite_choices(choice for occurrence in words for choice in kind.read_words(occurrence))
        return kind.read_words([words] if isinstance(words, str) else words)
    except ValueNotAllowedError as error:
        raise UsageError(
            f"--{specification.name}: {error}", hint="The command's --help describes every option."
        ) from None
