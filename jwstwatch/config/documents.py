"""A YAML file as a tree that still knows its lines, and the list of everything that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jwstwatch.core.parameter_kinds import Written
from jwstwatch.errors import ConfigurationError

if TYPE_CHECKING:
    import yaml

LARGEST = 1_000_000
"""Bytes that a configuration file may have."""

_DEEPEST = 12
_TAG = "tag:yaml.org,2002:"
_TAGS = frozenset(
    _TAG + name for name in ("str", "int", "float", "bool", "timestamp", "value", "merge", "seq", "map")
)
_VARIABLE = re.compile(r"\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")


@dataclass(frozen=True, slots=True)
class Node:
    """A value in a file: `line` is that of its key, from 1; a scalar is its text, an empty one None."""

    line: int
    value: str | tuple[Node, ...] | Mapping[str, Node] | None

    @property
    def mapping(self) -> Mapping[str, Node] | None:
        """Return the entries of a mapping; an empty value counts as an empty mapping."""
        if self.value is None:
            return {}
        return self.value if isinstance(self.value, Mapping) else None


@dataclass(slots=True)
class Problems:
    """What is wrong with a file, collected so that all of it is told at once."""

    file: str
    _found: list[tuple[int, str]] = field(default_factory=list, init=False)

    def add(self, line: int, path: str, message: str) -> None:
        """Note that the value at the dotted `path` is wrong."""
        where = f"{self.file}:{line}" if line else self.file
        self._found.append((line, f"{where}: {path}: {message}" if path else f"{where}: {message}"))

    def unknown(self, line: int, path: str, known: Iterable[str]) -> None:
        """Note an unknown key and the known one that was probably meant."""
        self.add(line, path, f"unknown key{suggest(path.rpartition('.')[2], tuple(known))}")

    def lines(self) -> tuple[str, ...]:
        """Return one line for each problem, in the order of the file."""
        return tuple(text for _, text in sorted(self._found, key=lambda found: found[0]))


def suggest(word: str, known: tuple[str, ...]) -> str:
    """Return ` (did you mean ...?)` where a known word resembles `word`, or nothing."""
    from difflib import get_close_matches

    plain = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), plain, n=1, cutoff=0.7)
    return f" (did you mean {plain[close[0]]}?)" if close else ""


def join_path(path: str, key: str) -> str:
    """Return the dotted path of `key` below `path`, on one line whatever the key holds."""
    # A URL that slipped to where a key belongs may hold a password.
    key = re.sub(r"://.*", "://***", key, flags=re.DOTALL)
    shown = key if re.fullmatch(r"[\w.+-]{1,64}", key, re.ASCII) else ascii(key[:64])
    return f"{path}.{shown}" if path else shown


class UnsetVariableError(ValueError):
    """A string names an environment variable that is not set; `whole` where it holds nothing else."""

    def __init__(self, name: str, *, whole: bool) -> None:
        super().__init__(f"the environment variable {name} is not set")
        self.name = name
        self.whole = whole


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Replace `$NAME` and `${NAME}` in `text`; `$$` is a dollar sign. An empty variable counts as unset."""

    def replacement(match: re.Match[str]) -> str:
        name = match[2] or match[3]
        if name is None:
            return "$"
        if not environ.get(name):
            raise UnsetVariableError(name, whole=match[0] == text.strip())
        return environ[name]

    return _VARIABLE.sub(replacement, text)


def expand_all(node: Node, environ: Mapping[str, str] | None) -> Written:
    """Return the written value of `node`, its variables expanded; None expands nothing."""
    if isinstance(node.value, str):
        return node.value if environ is None else expand(node.value, environ)
    if isinstance(node.value, tuple):
        return [expand_all(item, environ) for item in node.value]
    if isinstance(node.value, Mapping):
        return {key: expand_all(item, environ) for key, item in node.value.items()}
    return None


def read_text(path: Path, shown: str) -> str:
    """Return the text of a configuration file, or raise `ConfigurationError` saying why it cannot be read."""
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except OSError as error:
        raise ConfigurationError(
            f"{shown} cannot be read: {error.strerror}",
            hint="Check the path and the modes of the file.",
            problems=(f"{shown}: cannot be read: {error.strerror}",),
        ) from error
    if len(content) > LARGEST:
        raise unusable(shown, (f"{shown}: larger than {LARGEST // 1000} kB: this is no configuration file",))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise unusable(shown, (f"{shown}:{line}: not UTF-8 text",)) from error


def unusable(shown: str, problems: tuple[str, ...]) -> ConfigurationError:
    """Return the error for a file with these problems."""
    count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
    return ConfigurationError(
        f"{shown} cannot be used: {count}",
        hint="Mend them; jwstwatch config check reads the file again.",
        problems=problems,
    )


def parse(text: str, problems: Problems) -> Node:
    """Return the tree of a YAML document, or raise `ConfigurationError` where it is no YAML."""
    import yaml

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = ", ".join(part for part in (error.context, error.problem) if part)
        problems.add(mark.line + 1 if mark else 0, "", f"not YAML: {' '.join(what.split())}")
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problems.add(line, "", "not YAML: it holds a control character")
    except (ValueError, OverflowError):
        # PyYAML hands the number of a \U escape to chr() unchecked.
        problems.add(0, "", "not YAML: an escape such as \\U00110000 stands for no character")
    except RecursionError:
        problems.add(0, "", "nested too deeply")
    else:
        return Node(1, None) if root is None else _Converter(problems).convert(root, "", depth=0)
    raise unusable(problems.file, problems.lines())


class _Converter:
    """Turns YAML nodes into ours, and notes what no configuration may hold."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._open: set[int] = set()

    def convert(self, node: yaml.Node, path: str, *, depth: int, line: int = 0) -> Node:
        line = line or _line(node)
        if depth > _DEEPEST or id(node) in self._open:
            self._problems.add(line, path, "nested too deeply")
            return Node(line, None)
        self._open.add(id(node))
        try:
            return Node(line, self._value(node, path, depth=depth))
        finally:
            self._open.remove(id(node))

    def _value(
        self, node: yaml.Node, path: str, *, depth: int
    ) -> str | tuple[Node, ...] | Mapping[str, Node] | None:
        import yaml

        if isinstance(node, yaml.ScalarNode) and node.tag == _TAG + "null":
            return None
        if node.tag not in _TAGS:
            self._problems.add(_line(node), path, "a YAML tag is not allowed here")
            return None
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        if isinstance(node, yaml.SequenceNode):
            items = enumerate(node.value, start=1)
            return tuple(self.convert(item, f"{path}[{number}]", depth=depth + 1) for number, item in items)
        entries: dict[str, Node] = {}
        for key, (line, value) in self._pairs(node, path, depth=depth).items():
            entries[key] = self.convert(value, join_path(path, key), depth=depth + 1, line=line)
        return entries

    def _pairs(self, node: yaml.Node, path: str, *, depth: int) -> dict[str, tuple[int, yaml.Node]]:
        """Return the lines and values of a mapping, with those that `<<` merges into it."""
        import yaml

        own: dict[str, tuple[int, yaml.Node]] = {}
        merged: dict[str, tuple[int, yaml.Node]] = {}
        for key, value in node.value:
            line = _line(key)
            if not isinstance(key, yaml.ScalarNode):
                self._problems.add(line, path, "a key must be a single word")
            elif key.tag == _TAG + "merge":
                # What was merged first wins, and the mapping's own entries win over all.
                merged = {**self._merge(value, path, depth=depth), **merged}
            elif key.value in own:
                first = own[key.value][0]
                self._problems.add(line, join_path(path, key.value), f"written twice (first in line {first})")
            else:
                own[key.value] = line, value
        return {**merged, **own}

    def _merge(self, node: yaml.Node, path: str, *, depth: int) -> dict[str, tuple[int, yaml.Node]]:
        import yaml

        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        pairs: dict[str, tuple[int, yaml.Node]] = {}
        for source in sources:
            if isinstance(source, yaml.MappingNode) and depth <= _DEEPEST:
                pairs = {**self._pairs(source, path, depth=depth + 1), **pairs}
            else:
                self._problems.add(_line(node), join_path(path, "<<"), "only mappings can be merged")
        return pairs


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
