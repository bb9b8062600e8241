"""A strict reader of Prometheus' text format, made from its description: what it does not know is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
_SAMPLE = re.compile(
    rf"({_NAME})(?:\{{((?:{_LABEL})(?:,{_LABEL})*)\}})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|NaN|[+-]Inf)"
)
_HELP = re.compile(rf"# HELP ({_NAME}) ((?:[^\\\n]|\\[\\n])+)")
_TYPE = re.compile(rf"# TYPE ({_NAME}) (counter|gauge)")
_ESCAPES = {"\\\\": "\\", "\\n": "\n", '\\"': '"'}

Labels = frozenset[tuple[str, str]]


@dataclass
class Metric:
    """One metric as it was read."""

    type: str
    help: str
    samples: dict[Labels, float] = field(default_factory=dict)


def read(text: str) -> dict[str, Metric]:
    """Read an exposition; each metric is one block: its help, its type, its samples."""
    assert text.endswith("\n"), "the last line must end"
    found: dict[str, Metric] = {}
    helps: dict[str, str] = {}
    current = ""
    for line in text[:-1].split("\n"):
        if match := _HELP.fullmatch(line):
            assert match[1] not in helps, f"{match[1]} has two helps"
            current, helps[match[1]] = match[1], _unescape(match[2])
        elif match := _TYPE.fullmatch(line):
            assert match[1] == current, f"{match[1]} is not below its help"
            assert match[1] not in found, f"{match[1]} has two types"
            assert (match[2] == "counter") == match[1].endswith("_total"), f"{match[1]} is misnamed"
            found[match[1]] = Metric(match[2], helps[match[1]])
        else:
            match = _SAMPLE.fullmatch(line)
            assert match is not None, f"this is no line: {line!r}"
            assert match[1] == current, f"{match[1]} is out of its block"
            labels = [(name, _unescape(value)) for name, value in re.findall(_LABEL, match[2] or "")]
            assert len({name for name, _ in labels}) == len(labels), "a label is there twice"
            assert frozenset(labels) not in found[current].samples, f"{line!r} is there twice"
            found[current].samples[frozenset(labels)] = float(match[match.lastindex or 0])
    assert all(metric.samples for metric in found.values()), "a metric without samples"
    return found


def _unescape(text: str) -> str:
    return re.sub(r"\\.", lambda match: _ESCAPES[match[0]], text)
