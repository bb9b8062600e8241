"""Old configuration files (jwst_query.cfg): flat, forgiving, and one query each."""

from __future__ import annotations

from typing import Final

from jwstwatch.config.credentials import is_credential
from jwstwatch.config.documents import Node, suggest
from jwstwatch.config.settings import Setting
from jwstwatch.config.values import NOT_PARAMETERS, Reading, read_setting
from jwstwatch.core.parameter_table import Layer
from jwstwatch.core.parameters import PARAMETERS

OUR_KEYS: Final = frozenset({"profiles", "defaults", "mast", "state"})
"""Any of these at the top tells our file from an old one."""


def is_legacy(root: Node) -> bool:
    """Return whether a document is an old configuration file: flat, with parameters at its top."""
    entries = root.mapping
    if not entries or OUR_KEYS & entries.keys():
        return False
    return any(name in PARAMETERS or name in NOT_PARAMETERS for name in entries)


def read_legacy(root: Node, reading: Reading) -> tuple[dict[str, Setting], tuple[str, ...]]:
    """Return the settings of an old file and warnings about what in it does not count."""
    values: dict[str, Setting] = {}
    warnings: list[str] = []
    for name, entry in (root.mapping or {}).items():
        where = f"{reading.problems.file}:{entry.line}: {name}"
        specification = PARAMETERS.get(name)
        if specification is None:
            if name not in NOT_PARAMETERS and not is_credential(name):
                warnings.append(f"{where}: unknown key, ignored{suggest(name, tuple(PARAMETERS))}")
            continue
        if not specification.legacy:
            warnings.append(f"{where}: ignored, since it is a parameter of profiles in jwstwatch.yaml")
            continue
        if name == "propID":
            entry, warning = _first_proposal(entry, where)
            warnings += warning
        setting = read_setting(entry, specification, reading, path=name, layer=Layer.LEGACY)
        if setting is not None:
            values[name] = setting
    return values, tuple(warnings)


def _first_proposal(entry: Node, where: str) -> tuple[Node, list[str]]:
    """Return the one proposal that an old file means; of a list the first counts."""
    if not isinstance(entry.value, tuple) or len(entry.value) < 2:
        return entry, []
    first, *rest = entry.value
    ignored = ", ".join(item.value if isinstance(item.value, str) else "..." for item in rest)
    return first, [f"{where}: only the first counts in an old file; ignored: {ignored}"]
