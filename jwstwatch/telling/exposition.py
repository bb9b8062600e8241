"""Metrics as Prometheus reads them: the text exposition format 0.0.4."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

PREFIX: Final = "jwstwatch_"

Labels = Mapping[str, str]
Samples = list[tuple[Labels, float]]


@dataclass(frozen=True, slots=True)
class Family:
    """All samples of one metric; one without samples is not written."""

    name: str
    type: str
    help: str
    samples: Samples


def exposition(families: Iterable[Family]) -> str:
    """Return the text of some metrics."""
    lines: list[str] = []
    for family in families:
        if family.samples:
            name = f"{PREFIX}{family.name}"
            lines += [f"# HELP {name} {_escape(family.help)}", f"# TYPE {name} {family.type}"]
            lines += [f"{name}{_labels(labels)} {_number(value)}" for labels, value in family.samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_escape(value, quoted=True)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escape(text: str, *, quoted: bool = False) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    escaped = escaped.replace('"', '\\"') if quoted else escaped
    # A path may hold bytes that are no text; the format is UTF-8.
    return escaped.encode(errors="replace").decode()


def _number(value: float) -> str:
    if math.isfinite(value):
        return str(int(value)) if value == int(value) else repr(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
