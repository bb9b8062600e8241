"""One page of a listing: what the archive says about it, and its rows. Pure: no network here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jwstwatch.archive import keywords, typed
from jwstwatch.archive.listing import (
    OBSERVATIONS,
    PRODUCTS,
    Key,
    PlainTable,
    Row,
    observation_key,
    product_key,
)
from jwstwatch.archive.replies import Answer, check_body, read_envelope, read_paging
from jwstwatch.archive.rows import read_listing_row, read_observation


def read_page(answer: Answer, *, service: str, page: int) -> dict[str, Any]:
    """Return the envelope in `answer` as `read_envelope` does; in a COMPLETE one `data` is a `Table`."""
    decoded = typed.decode(check_body(answer), service)
    if decoded is not None:
        paging, table = decoded
        return {
            "status": "COMPLETE",
            "paging": read_paging(answer.server, paging, page=page),
            "data": table,
        }
    envelope = read_envelope(answer, page=page)
    if envelope["status"] == "COMPLETE":
        key, reader = _READERS.get(service, (keywords.keyword_key, _as_it_is))
        envelope["data"] = PlainTable(envelope["data"], key, reader)
    return envelope


def _as_it_is(row: Row) -> Row:
    return row


_READERS: dict[str, tuple[Key, Callable[[Row], Any]]] = {
    OBSERVATIONS: (observation_key, read_observation),
    PRODUCTS: (product_key, read_listing_row),
}
