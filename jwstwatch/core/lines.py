"""Lines and summaries of pages as JSON documents, so that what was made once can be kept in the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from jwstwatch.core.gap_words import GapLine
from jwstwatch.core.gaps import GapKind
from jwstwatch.core.model import FileState
from jwstwatch.core.site import PartLine, PartPicture, ProposalSummary, SectionSize

FORM = 1
"""Of the documents; raised where they change, so that what an older version wrote is made again."""

_Value = TypeVar("_Value")
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)


def line_to_json(line: PartLine) -> dict[str, Any]:
    """Return a part's line as a document of JSON's own types."""
    return {
        "form": FORM,
        "obsnum": line.obsnum,
        "label": line.label,
        "targets": list(line.targets),
        "instruments": list(line.instruments),
        "filters": list(line.filters),
        "detectors": list(line.detectors),
        "start": line.start,
        "end": line.end,
        "exposure_time": line.exposure_time,
        "exposures": line.exposures,
        "counts": _counts_to_json(line.counts),
        "bytes_on_disk": line.bytes_on_disk,
        "planned": line.planned,
        "exclusive_until": line.exclusive_until,
        "sections": [_section_to_json(section) for section in line.sections],
        "plain_pages": line.plain_pages,
        "gaps": [_gap_to_json(gap) for gap in line.gaps],
        "picture": None if line.picture is None else _picture_to_json(line.picture),
        "last_arrival": _time_to_json(line.last_arrival),
    }


def line_from_json(document: object) -> PartLine | None:
    """Return the line that `document` holds; None where this version cannot read it."""
    return _read(document, _line)


def summary_to_json(summary: ProposalSummary) -> dict[str, Any]:
    """Return a proposal's summary as a document of JSON's own types."""
    return {
        "form": FORM,
        "proposal": summary.proposal,
        "title": summary.title,
        "principal_investigator": summary.principal_investigator,
        "instruments": list(summary.instruments),
        "observations": summary.observations,
        "counts": _counts_to_json(summary.counts),
        "bytes_present": summary.bytes_present,
        "last_arrival": _time_to_json(summary.last_arrival),
        "thumbnail": summary.thumbnail,
        "missing": summary.missing,
    }


def summary_from_json(document: object) -> ProposalSummary | None:
    """Return the summary that `document` holds; None where this version cannot read it."""
    return _read(document, _summary)


def _read(document: object, make: Callable[[Mapping[str, Any]], _Value]) -> _Value | None:
    try:
        if not isinstance(document, Mapping) or document["form"] != FORM:
            return None
        return make(document)
    except _UNREADABLE:
        return None


def _line(document: Mapping[str, Any]) -> PartLine:
    picture = document["picture"]
    return PartLine(
        obsnum=document["obsnum"],
        label=document["label"],
        targets=tuple(document["targets"]),
        instruments=tuple(document["instruments"]),
        filters=tuple(document["filters"]),
        detectors=tuple(document["detectors"]),
        start=document["start"],
        end=document["end"],
        exposure_time=document["exposure_time"],
        exposures=document["exposures"],
        counts=_counts(document["counts"]),
        bytes_on_disk=document["bytes_on_disk"],
        planned=document["planned"],
        exclusive_until=document["exclusive_until"],
        sections=tuple(_section(section) for section in document["sections"]),
        plain_pages=document["plain_pages"],
        gaps=tuple(_gap(gap) for gap in document["gaps"]),
        picture=None if picture is None else _picture(picture),
        last_arrival=_time(document["last_arrival"]),
    )


def _summary(document: Mapping[str, Any]) -> ProposalSummary:
    return ProposalSummary(
        proposal=document["proposal"],
        title=document["title"],
        principal_investigator=document["principal_investigator"],
        instruments=tuple(document["instruments"]),
        observations=document["observations"],
        counts=_counts(document["counts"]),
        bytes_present=document["bytes_present"],
        last_arrival=_time(document["last_arrival"]),
        thumbnail=document["thumbnail"],
        missing=document["missing"],
    )


def _counts_to_json(counts: Mapping[FileState, int]) -> dict[str, int]:
    return {state.value: counts[state] for state in FileState if counts.get(state)}


def _counts(document: Mapping[str, int]) -> dict[FileState, int]:
    return {FileState(state): count for state, count in document.items()}


def _section_to_json(section: SectionSize) -> list[str | int]:
    return [section.name, section.rows, section.chunks, section.detail_chunks, section.mark]


def _section(document: Sequence[Any]) -> SectionSize:
    name, rows, chunks, detail_chunks, mark = document
    return SectionSize(name=name, rows=rows, chunks=chunks, detail_chunks=detail_chunks, mark=mark)


def _gap_to_json(gap: GapLine) -> list[object]:
    return [gap.obsnum, gap.kind.value, gap.lacking, gap.reason, gap.next, gap.count, list(gap.names)]


def _gap(document: Sequence[Any]) -> GapLine:
    obsnum, kind, lacking, reason, following, count, names = document
    return GapLine(
        obsnum=obsnum,
        kind=GapKind(kind),
        lacking=lacking,
        reason=reason,
        next=following,
        count=count,
        names=tuple(names),
    )


def _picture_to_json(picture: PartPicture) -> list[object]:
    return [picture.thumbnail, picture.instrument, picture.level]


def _picture(document: Sequence[Any]) -> PartPicture:
    thumbnail, instrument, level = document
    return PartPicture(thumbnail=thumbnail, instrument=instrument, level=level)


def _time_to_json(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
