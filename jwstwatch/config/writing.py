"""Written values as YAML text that is read back as they are, with no more quotation marks than that needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from jwstwatch.core.parameter_kinds import Written

if TYPE_CHECKING:
    import yaml

_WIDTH: Final = 100
_TAG: Final = "tag:yaml.org,2002:"
_PLAIN_TAGS: Final = frozenset(f"{_TAG}{name}" for name in ("str", "int", "float", "bool", "timestamp"))


def to_yaml(entries: Mapping[str, Written]) -> str:
    """Return the lines of a mapping: an entry each, lists and mappings in it in brackets."""
    import yaml

    pairs = [(_node(name), _node(value, flow=False)) for name, value in entries.items()]
    mapping = yaml.MappingNode(f"{_TAG}map", pairs, flow_style=False)
    return str(yaml.serialize(mapping, width=_WIDTH, allow_unicode=True))


def _node(value: Written, *, flow: bool = True) -> yaml.Node:
    import yaml

    if value is None:
        return yaml.ScalarNode(f"{_TAG}null", "null" if flow else "")
    if isinstance(value, list):
        return yaml.SequenceNode(f"{_TAG}seq", [_node(item) for item in value], flow_style=True)
    if isinstance(value, dict):
        pairs = [(_node(name), _node(item)) for name, item in value.items()]
        return yaml.MappingNode(f"{_TAG}map", pairs, flow_style=True)
    tag = yaml.resolver.Resolver().resolve(yaml.ScalarNode, value, (True, False))  # type: ignore[no-untyped-call]
    # What YAML would read as nothing, or could not write without a tag, is put in quotation marks.
    plain = tag in _PLAIN_TAGS and not (flow and ":" in value)
    return yaml.ScalarNode(tag if plain else f"{_TAG}str", value)
