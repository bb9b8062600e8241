"""Which state a configuration means that is otherwise not fit for use."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jwstwatch.errors import ConfigurationError

if TYPE_CHECKING:
    from jwstwatch.config.documents import Node


def state_url_despite(
    explicit: Path | None, *, environ: Mapping[str, str] = os.environ, folder: Path | None = None
) -> str | None:
    """Return the URL of the state that a broken configuration names, None where it is not ours at all.

    Whatever else is wrong, the daemon of that state may be asked how things stand.
    """
    from jwstwatch.config import places, sections
    from jwstwatch.config.documents import Problems
    from jwstwatch.config.legacy import is_legacy
    from jwstwatch.config.values import Reading

    folder = folder or Path.cwd()
    for place in places.search_places(explicit, environ=environ, folder=folder):
        try:
            if not place.path.is_file():
                continue
        except OSError:
            continue
        root = _read(place.path)
        if is_legacy(root):
            return None
        reading = Reading(
            path=place.path,
            base=place.path.parent,
            current=folder,
            environ=environ,
            problems=Problems(str(place.path)),
        )
        return sections.read_state(root.mapping or {}, reading, replace(reading, base=folder))[0]
    return None


def _read(path: Path) -> Node:
    """Return what can be read of the file; where it is no YAML, a line that names the state."""
    from jwstwatch.config.documents import Node, Problems, parse, read_text

    try:
        text = read_text(path, str(path))
    except ConfigurationError:
        return Node(1, None)
    try:
        return parse(text, Problems(str(path)))
    except ConfigurationError:
        match = re.search(r"^state:[ \t]*(['\"]?)(\S[^#\n]*?)\1[ \t]*(?:#.*)?$", text, re.MULTILINE)
        return Node(1, {"state": Node(1, match[2].rstrip())} if match else None)
