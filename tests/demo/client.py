"""A bare HTTP client for the server's tests: nothing is retried, decoded or hidden."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from jwstwatch.demo.server import ArchiveServer

DOWNLOAD = "/api/v0.1/Download/file"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    server: ArchiveServer,
    path: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: str | None = None,
) -> Answer:
    """Ask once on a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def fetch(
    server: ArchiveServer, uri: str, *, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> Answer:
    """Download one product."""
    return ask(server, f"{DOWNLOAD}?uri={quote(uri, safe=':/')}", headers=headers, method=method)


def query(server: ArchiveServer, service: str, params: Mapping[str, Any], **more: Any) -> Any:
    """Put one question to the query service and return the decoded envelope."""
    request = {"service": service, "params": params, "format": "json", **more}
    answer = ask(server, "/api/v0/invoke", method="POST", body=urlencode({"request": json.dumps(request)}))
    assert answer.status == 200
    return answer.json()
