"""What there is to know of a row: its observation, its header keywords, and each file with its history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jwstwatch.core.model import Observation
from jwstwatch.core.site import FormerVersion, PageFile
from jwstwatch.pages.bundles import Bundle
from jwstwatch.pages.formats import format_bytes, format_keyword, format_mjd, format_seconds, format_time

_Facts = list[list[str]]


def make_detail(bundle: Bundle) -> dict[str, object]:
    """Return facts, keywords (by name) and files of a row as JSON's own types."""
    keywords = ((name, format_keyword(value)) for name, value in sorted(bundle.keywords.items()))
    return {
        "facts": _facts(bundle),
        "keywords": [[name, text] for name, text in keywords if text],
        "files": [_file(file) for file in bundle.files],
    }


def _facts(bundle: Bundle) -> _Facts:
    seen = bundle.observation
    stated = _observation_facts(seen) if seen is not None else {}
    return [[name, text] for name, text in stated.items() if text]


def _observation_facts(seen: Observation) -> Mapping[str, str]:
    release = format_mjd(seen.t_obs_release)
    return {
        "target": seen.target_name or "",
        "instrument": seen.instrument_name or "",
        "filters": seen.filters or "",
        "start (UTC)": format_mjd(seen.t_min),
        "end (UTC)": format_mjd(seen.t_max),
        "exposure time": format_seconds(seen.t_exptime),
        "access": ", ".join(
            word for word in ((seen.data_rights or "").lower(), f"released {release}" * bool(release)) if word
        ),
        "observation": seen.obs_id,
    }


def _file(file: PageFile) -> dict[str, object]:
    return {
        "name": file.name,
        "path": file.path,
        "uri": file.uri,
        "type": file.filetype,
        "state": file.state.value,
        "size": file.size,
        "sha256": file.sha256,
        "revision": file.revision,
        "changed": format_time(file.changed_at) or None,
        "reason": file.reason,
        "note": file.note,
        "damage": file.damage,
        "history": list(tell_history(file)),
    }


def tell_history(file: PageFile) -> Iterator[str]:
    """Yield a line for each content that the file had, newest first; nothing for one that never changed."""
    if not file.versions:
        return
    change = file.reprocessed
    if change is not None:
        stated = _stated(None, change.pipeline[1], change.context[1])
        yield f"present content: since {format_time(change.at)}" + (f", {stated}" if stated else "")
    for version in file.versions:
        yield _tell_version(version)


def _tell_version(version: FormerVersion) -> str:
    stated = _stated(version.size, version.pipeline, version.context)
    lasted = (
        f"revision {version.revision}: {format_time(version.began_at)} to {format_time(version.ended_at)}"
    )
    return ", ".join(
        word for word in (lasted, stated, f"ended by {version.why}" if version.why else "") if word
    )


def _stated(size: int | None, pipeline: str | None, context: str | None) -> str:
    words = (
        format_bytes(size),
        f"pipeline {pipeline}" if pipeline else "",
        f"context {context}" if context else "",
    )
    return ", ".join(word for word in words if word)
