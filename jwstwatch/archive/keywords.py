"""Questions to MAST's JWST file-keyword services, and their rows. Pure: no network here.

Sources: the field list of `Mast.Jwst.Filtered.<Instrument>` and a recorded export. Of about 240 columns those
are asked for that say something about a file's content.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from jwstwatch.archive.criteria import LATEST, proposal_texts
from jwstwatch.archive.listing import Row
from jwstwatch.archive.rows import text, whole_number
from jwstwatch.core.dates import parse_iso
from jwstwatch.core.keywords import KeywordRow

log = logging.getLogger(__name__)

NAMES: Mapping[str, str] = {
    "nircam": "Mast.Jwst.Filtered.Nircam",
    "nirspec": "Mast.Jwst.Filtered.Nirspec",
    "niriss": "Mast.Jwst.Filtered.Niriss",
    "miri": "Mast.Jwst.Filtered.Miri",
    "fgs": "Mast.Jwst.Filtered.Fgs",
    "guidestar": "Mast.Jwst.Filtered.GuideStar",
}
"""What MAST calls the services."""

COLUMNS = (
    "filename",
    "dataURI",
    "fileSize",
    "checksum",
    "date",
    "cal_ver",
    "crds_ctx",
    "ingestCompletionDate",
)
PROGRAM, INGESTED = "program", "ingestCompletionDate_mjd"
"""The columns that a question is narrowed by."""

_URI_PREFIX = "mast:JWST/product/"
_LONGEST = 255
_LONGEST_WORD = 64
_LARGEST_SIZE = 2**53
_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
# As a Mashup service writes dates in JSON; what may follow the number is a zone that changes nothing.
_JSON_DATE = re.compile(r"/Date\((-?[0-9]{1,15})(?:[-+][0-9]{4})?\)/", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parameters(proposals: Sequence[int], *, since: float | None) -> dict[str, Any]:
    """Return the parameters of a question about proposals; with `since` (MJD) what came in from then on."""
    filters: list[dict[str, Any]] = [{"paramName": PROGRAM, "values": proposal_texts(proposals)}]
    if since is not None:
        filters.append({"paramName": INGESTED, "values": [{"min": since, "max": LATEST}]})
    return {"columns": ",".join(COLUMNS), "filters": filters}


def keyword_key(row: Row) -> Hashable:
    """Return what makes a row of a keyword service this row."""
    return (str(row.get("filename")), str(row.get("dataURI")), str(row.get("checksum")))


def read_keywords(rows: Iterable[Row]) -> list[KeywordRow]:
    """Return one `KeywordRow` for every file that is named; of a file with rows that disagree none."""
    found: dict[str, KeywordRow] = {}
    torn: set[str] = set()
    unusable = 0
    for row in rows:
        entry = _keyword_row(row)
        if entry is None:
            unusable += 1
        elif found.setdefault(entry.uri, entry) != entry:
            torn.add(entry.uri)
    if unusable or torn:
        log.info("the keyword service: %d rows without a file, %d files twice", unusable, len(torn))
    return [entry for uri, entry in found.items() if uri not in torn]


def _keyword_row(row: Row) -> KeywordRow | None:
    uri = _uri(row)
    if uri is None:
        return None
    size = whole_number(row.get("fileSize"))
    checksum = (text(row.get("checksum")) or "").lower()
    return KeywordRow(
        uri=uri,
        checksum=checksum if _MD5.fullmatch(checksum) else None,
        size=size if size is not None and 0 <= size <= _LARGEST_SIZE else None,
        date=_moment(row.get("date")),
        cal_ver=_word(row.get("cal_ver")),
        crds_ctx=_word(row.get("crds_ctx")),
        ingested=_moment(row.get("ingestCompletionDate")),
    )


def _uri(row: Row) -> str | None:
    """Return the file's data URI; its name tells it where the service gives none."""
    uri = text(row.get("dataURI"))
    if uri is not None:
        return uri if uri.startswith("mast:") and len(uri) <= _LONGEST else None
    name = text(row.get("filename"))
    if name is None or len(name) > _LONGEST or not _NAME.fullmatch(name):
        return None
    return _URI_PREFIX + name


def _word(value: object) -> str | None:
    word = text(value) if isinstance(value, str) else None
    sound = word is not None and len(word) <= _LONGEST_WORD and word.isascii() and word.isprintable()
    return word if sound else None


def _moment(value: object) -> str | None:
    """Return a time as ISO to the second: however it is written, the same time is the same text."""
    written = _word(value)
    if written is None:
        return None
    try:
        match = _JSON_DATE.fullmatch(written)
        moment = _EPOCH + timedelta(milliseconds=int(match[1])) if match else parse_iso(written)
    except (ValueError, OverflowError):
        return None
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
