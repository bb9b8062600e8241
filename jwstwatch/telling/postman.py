"""The program `python -m jwstwatch.telling.postman`, which hands one message to apprise.

A service that hangs can be ended with its process, and what apprise says of its URLs, which hold passwords,
ends with it. The request comes as JSON on standard input, the answer goes as JSON to standard output.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from concurrent.futures import Future
from enum import StrEnum
from typing import Any


class Fate(StrEnum):
    """What became of a message at one target."""

    SENT = "sent"
    UNKNOWN = "unknown"
    """apprise makes nothing of the URL."""
    REFUSED = "refused"
    LATE = "late"


def deliver(request: dict[str, Any]) -> list[Fate]:
    """Send `title` and `body` to every URL of `to`, all at the same time, within `limit` seconds."""
    import apprise

    asset = apprise.AppriseAsset(app_id="jwstwatch", app_desc="jwstwatch")
    services = [apprise.Apprise.instantiate(url, asset=asset) for url in request["to"]]
    answers = []
    for service in services:
        answer: Future[Fate] = Future()
        threading.Thread(target=_send, args=(answer, service, request), daemon=True).start()
        answers.append(answer)
    end = time.monotonic() + request["limit"]
    return [_fate(answer, end) for answer in answers]


def _fate(answer: Future[Fate], end: float) -> Fate:
    try:
        return answer.result(max(0.0, end - time.monotonic()))
    except TimeoutError:
        return Fate.LATE


def _send(answer: Future[Fate], service: Any, request: dict[str, Any]) -> None:
    import apprise

    if service is None:
        answer.set_result(Fate.UNKNOWN)
        return
    post = apprise.Apprise(asset=service.asset)
    post.add(service)
    try:
        taken = bool(
            post.notify(
                body=request["body"],
                title=request["title"],
                notify_type=apprise.NotifyType(request["kind"]),
                body_format=apprise.NotifyFormat.TEXT,
            )
        )
    except Exception:  # noqa: BLE001 - a hundred services of others; none may keep the rest from its answer
        taken = False
    answer.set_result(Fate.SENT if taken else Fate.REFUSED)


def main() -> None:
    """Deliver one message and tell what became of it; ends at once, whatever still hangs."""
    request = json.load(sys.stdin)
    # Nothing but the answer: a service may print.
    answer = os.dup(sys.stdout.fileno())
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, sys.stdout.fileno())
    os.dup2(silence, sys.stderr.fileno())
    os.write(answer, json.dumps(deliver(request)).encode())
    os._exit(0)


if __name__ == "__main__":
    main()
