"""Runs as the JSON contract has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jwstwatch.core.dates import iso

if TYPE_CHECKING:
    from jwstwatch.errors import JwstwatchError
    from jwstwatch.store.runs import RunRecord


def run_document(record: RunRecord) -> dict[str, object]:
    """Return a run as the JSON contract has it."""
    counts = record.counts
    error = None
    if record.error_kind:
        error = {"kind": record.error_kind, "message": record.error_message, "hint": record.error_hint or ""}
    return {
        "profile": record.profile,
        "run_id": record.id,
        "trigger": record.trigger.value,
        "outcome": record.outcome.value if record.outcome else None,
        "started_at": iso(record.started_at),
        "finished_at": iso(record.finished_at),
        "observations": counts.observations,
        "products": counts.products,
        "downloaded": counts.downloaded,
        "unchanged": counts.unchanged,
        "withheld": counts.withheld,
        "failed": counts.failed,
        "waiting": counts.waiting,
        "bytes": counts.bytes,
        "pages": counts.pages,
        "error": error,
    }


def busy_document(profile: str, error: JwstwatchError) -> dict[str, object]:
    """Return a run that could not begin in the shape of one that did."""
    document: dict[str, object] = {
        "profile": profile,
        "run_id": None,
        "trigger": "manual",
        "outcome": "failed",
    }
    document |= {"started_at": None, "finished_at": None}
    document |= dict.fromkeys(("observations", "products", "downloaded", "unchanged"), 0)
    document |= dict.fromkeys(("withheld", "failed", "waiting", "bytes", "pages"), 0)
    return document | {"error": {"kind": error.kind, "message": error.message, "hint": error.hint}}
