"""What a run did, in a line for people; made from its JSON document, whoever carried it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jwstwatch.cli import output

Document = Mapping[str, Any]


def say(document: Document) -> None:
    """Print what a run did, and on standard error what went wrong in it."""
    error = document["error"]
    if document["run_id"] is None and error:
        _complain(document["profile"], error["message"], error["hint"])
        return
    print(describe(document), flush=True)
    if error:
        _complain(_label(document), error["message"], error["hint"])
    elif document["failed"]:
        count = document["failed"]
        _complain(
            _label(document),
            f"{count} file{'' if count == 1 else 's'} failed",
            "`jwstwatch why NAME` tells why one failed and when it is tried again.",
        )


def describe(document: Document) -> str:
    """Say in a line what a run did."""
    if not document["downloaded"] and document["unchanged"] and not document["error"]:
        did = f"nothing new; {document['unchanged']} files unchanged"
    else:
        size = output.size(document["bytes"])
        did = f"{document['downloaded']} downloaded ({size}), {document['unchanged']} unchanged"
    rest = [f"{document[name]} {name}" for name in ("withheld", "failed", "waiting") if document[name]]
    pages = f"{document['pages']} page files written" if document["pages"] else "pages unchanged"
    return (
        f"{_label(document)}: {document['outcome'] or 'running'}: {', '.join([did, *rest])}; "
        f"{document['observations']} observations; {pages}"
    )


def _label(document: Document) -> str:
    return "download" if document["trigger"] == "one-off" else str(document["profile"])


def _complain(profile: str, message: str, hint: str) -> None:
    output.complain(message if message.startswith(profile) else f"{profile}: {message}", hint=hint)
