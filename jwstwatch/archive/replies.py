"""Judging one HTTP answer of MAST: what it says, or which error it amounts to. Pure: no network here.

The shapes are those of the Mashup service: `status`, `msg`, `data`, `paging`. Every string from outside is
shortened and cleaned before it enters a message.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from jwstwatch.errors import (
    ArchiveError,
    ArchiveTimeoutError,
    AuthenticationError,
    IncompleteListingError,
    RejectedQueryError,
)

CHECK_PROXY = "See http_proxy, https_proxy, all_proxy and no_proxy in the environment."
CHECK_SERVER = "Check mast.server."
DOWN = "The archive may be down; the next run asks again."
SMALLER = "A smaller question may succeed; the next run asks again."
SHORT = "Nothing is concluded from a listing that is not whole; the next run asks again."

PATIENCE = 30.0
"""Seconds that a Retry-After may ask for and still be honoured at once."""

_MESSAGE_LENGTH = 300
_TIMED_OUT = re.compile(r"time[d\s-]*out", re.IGNORECASE)
_PASSING = {429: "is limiting requests", 502: "is in trouble", 503: "is not available"}
_TOO_LONG = {408, 413, 504, 524}
_NO_SERVICE = {404, 405, 410}


class PassingTroubleError(ArchiveError):
    """A trouble that often is over within seconds: 429, 502, 503, a reset. `retry_after` is in seconds.

    `limiting` says that the archive wants to be asked less.
    """

    def __init__(
        self, message: str, *, hint: str = "", retry_after: float | None = None, limiting: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
        self.limiting = limiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer of `server`, its body read to the end."""

    server: str
    status: int
    body: bytes
    content_type: str = ""
    retry_after: str = ""


def clean(text: object) -> str:
    """Return outside text as one short line without control characters."""
    line = "".join(character if character.isprintable() else " " for character in str(text))
    line = " ".join(line.split())
    return line if len(line) <= _MESSAGE_LENGTH else line[: _MESSAGE_LENGTH - 1] + "…"


def check_body(answer: Answer) -> bytes:
    """Return the body of `answer`, which may be JSON, or raise the error that it amounts to."""
    _check_status(answer)
    server = answer.server
    body = answer.body.strip()
    if not body:
        raise ArchiveError(f"{server} sent an empty answer", hint=DOWN)
    if body[:1] == b"<" or ("html" in answer.content_type.lower() and body[:1] not in (b"{", b"[")):
        raise ArchiveError(
            f"{server} answers with a web page instead of data, as MAST does during maintenance",
            hint=f"{DOWN} {CHECK_SERVER}",
        )
    return body


def read_object(answer: Answer) -> dict[str, Any]:
    """Return the JSON object in `answer`, or raise the error that its status and body amount to."""
    server = answer.server
    body = check_body(answer)
    try:
        content = _decode(body)
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"{server} sent something that is not JSON", hint=DOWN) from error
    if not isinstance(content, dict) or not content:
        raise ArchiveError(f"{server} sent JSON that holds no answer", hint=DOWN)
    return content


def read_envelope(answer: Answer, *, page: int) -> dict[str, Any]:
    """Return the Mashup envelope in `answer` (EXECUTING, or COMPLETE with rows), asked for `page`.

    In a COMPLETE one `data` is a list of rows and `paging` holds whole numbers.
    """
    envelope = read_object(answer)
    status = envelope.get("status")
    if status == "EXECUTING":
        return envelope
    if status == "ERROR":
        _raise_refusal(answer.server, clean(envelope.get("msg") or ""))
    if status != "COMPLETE":
        raise ArchiveError(
            f"{answer.server} answers with the unknown status {clean(status)!r}",
            hint=f"{DOWN} {CHECK_SERVER}",
        )
    envelope["paging"] = read_paging(answer.server, envelope.get("paging"), page=page)
    rows = envelope.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise IncompleteListingError(f"{answer.server} sent a page without rows", hint=SHORT)
    return envelope


def read_retry_after(value: str) -> float | None:
    """Return the seconds in a Retry-After header; its date form is of no use for a wait of seconds."""
    return float(value) if re.fullmatch(r"[0-9]{1,6}", value.strip()) else None


def _check_status(answer: Answer) -> None:
    status, server = answer.status, answer.server
    if status == 200:
        return
    if status in (401, 403):
        raise AuthenticationError(
            f"{server} refuses the token (HTTP {status})",
            hint="Set a new one with `jwstwatch token set`, or clear it: public data need none.",
        )
    if status == 407:
        raise ArchiveError(
            f"{server} cannot be reached: the proxy on the way asks for a name and a password (HTTP 407)",
            hint=CHECK_PROXY,
        )
    if status in _TOO_LONG:
        raise ArchiveTimeoutError(f"{server} took too long over this question (HTTP {status})", hint=SMALLER)
    if status in _PASSING:
        retry_after = read_retry_after(answer.retry_after)
        raise PassingTroubleError(
            f"{server} {_PASSING[status]} (HTTP {status})",
            hint=DOWN,
            retry_after=retry_after,
            limiting=status == 429 or retry_after is not None,
        )
    if status in _NO_SERVICE or 300 <= status < 400:
        raise ArchiveError(f"{server} has no MAST service at its address (HTTP {status})", hint=CHECK_SERVER)
    if 400 <= status < 500:
        raise RejectedQueryError(
            f"{server} refuses this question (HTTP {status})", hint="Check the profile's query."
        )
    raise ArchiveError(f"{server} is in trouble (HTTP {status})", hint=DOWN)


def _raise_refusal(server: str, message: str) -> NoReturn:
    if _TIMED_OUT.search(message):
        raise ArchiveTimeoutError(f"{server} took too long over this question: {message}", hint=SMALLER)
    raise RejectedQueryError(
        f"{server} refuses this question: {message or 'it does not say why'}",
        hint="Check the profile's query.",
    )


def _decode(body: bytes) -> Any:
    try:
        return json.loads(body)
    except UnicodeDecodeError:
        # One name in an old encoding must not cost the listing.
        return json.loads(body.decode("latin-1"))


def read_paging(server: str, paging: object, *, page: int) -> dict[str, int]:
    """Return the numbers in an envelope's `paging`, or raise `IncompleteListingError`."""
    if not isinstance(paging, dict):
        raise IncompleteListingError(f"{server} does not say how many rows there are", hint=SHORT)
    try:
        numbers = {
            name: int(paging[name])
            for name in ("page", "pagesFiltered", "rowsFiltered", "pageSize")
            if name != "pageSize" or paging.get(name) is not None
        }
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise IncompleteListingError(
            f"{server} does not say clearly how many rows there are", hint=SHORT
        ) from error
    if numbers["page"] != page:
        raise IncompleteListingError(
            f"{server} was asked for page {page} and sent page {numbers['page']}", hint=SHORT
        )
    return numbers
