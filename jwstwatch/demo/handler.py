"""One connection to the demo archive: which question goes where, and what is answered."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from email.utils import format_datetime
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from jwstwatch.demo.content import Stored
from jwstwatch.demo.faults import FaultKind, Strikes
from jwstwatch.demo.model import URI_PREFIX
from jwstwatch.demo.requestlog import LoggedRequest
from jwstwatch.demo.sending import Reply, asked_range, send
from jwstwatch.demo.services import (
    answer,
    columns_config,
    error_envelope,
    executing_envelope,
    look_up_paths,
)

if TYPE_CHECKING:
    from jwstwatch.demo.server import ArchiveServer

INVOKE = "/api/v0/invoke"
COLUMNS_CONFIG = "/portal/Mashup/Mashup.asmx/columnsconfig"
WHO_AM_I = "/whoami"
DOWNLOAD = "/api/v0.1/Download/file"
PATH_LOOKUP = "/api/v0.1/path_lookup/"
CLOUD = "/stpubdata"
"""The public bucket: what `mast.cloud_server` may be set to, behind the server's address."""
BUCKET = f"{CLOUD}/jwst/public/"
"""Where a redirected download ends, too; it asks for no log-in, as a signed address would not."""

_CONTENT_TYPES = {
    "fits": "application/fits",
    "jpg": "image/jpeg",
    "png": "image/png",
    "json": "application/json",
    "csv": "text/csv",
}


class ArchiveHandler(BaseHTTPRequestHandler):
    """Serves the requests of one connection; `archive` is set by the server's subclass of this class."""

    archive: ArchiveServer
    protocol_version = "HTTP/1.1"
    server_version = "DemoArchive"
    sys_version = ""
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer one GET."""
        self._serve()

    def do_HEAD(self) -> None:
        """Answer one HEAD."""
        self._serve()

    def do_POST(self) -> None:
        """Answer one POST."""
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        """Say nothing: the log of requests is for tests."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the `Date` of an answer, by the archive's own clock."""
        moment = time.time() if timestamp is None else timestamp
        return super().date_time_string(moment + self.archive.clock_offset.total_seconds())

    def handle_one_request(self) -> None:
        """Serve one request; a client that has gone away is no error."""
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _serve(self) -> None:
        url = urlsplit(self.path)
        form = self._form(url.query)
        logged = LoggedRequest(
            method=self.command,
            path=url.path,
            uri=_wanted_uri(url.path, url.query),
            range=self.headers.get("Range"),
            token=self._token(),
            peer=self.client_address[1],
        )
        question = _read_question(form.get("request")) if url.path == INVOKE else None
        if question is not None:
            logged.service = str(question.get("service"))
            logged.question = form["request"]
        self.archive.requests.add(logged)
        strikes = self.archive.faults.take(
            method=self.command, path=url.path, uri=logged.uri, service=logged.service
        )
        if FaultKind.LATENCY in strikes:
            self.archive.pause(strikes[FaultKind.LATENCY].seconds)
        reply = self._troubled_reply(logged, strikes) or self._reply(logged, form, question, strikes)
        send(self, reply, strikes=strikes, logged=logged, pause=self.archive.pause)

    def _troubled_reply(self, logged: LoggedRequest, strikes: Strikes) -> Reply | None:
        """Return the answer of an archive in trouble, if it is."""
        if FaultKind.HTML in strikes:
            return _html(HTTPStatus.OK, "Welcome to the archive", {})
        for kind in (FaultKind.MAINTENANCE, FaultKind.STATUS):
            if kind in strikes:
                fault = strikes[kind]
                headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
                title = (
                    "Down for maintenance" if kind is FaultKind.MAINTENANCE else f"{fault.status} Demo fault"
                )
                return _html(fault.status, title, headers)
        if FaultKind.REDIRECT in strikes and logged.uri and not logged.path.startswith(BUCKET):
            place = self.archive.url + BUCKET + quote(logged.uri.removeprefix(URI_PREFIX))
            location = strikes[FaultKind.REDIRECT].location or place
            return Reply(status=HTTPStatus.FOUND, headers={"Location": location})
        return None

    def _reply(
        self,
        logged: LoggedRequest,
        form: Mapping[str, str],
        question: Mapping[str, Any] | None,
        strikes: Strikes,
    ) -> Reply:
        if logged.path == INVOKE:
            return self._query_reply(question, strikes)
        if logged.path == COLUMNS_CONFIG:
            return _json(columns_config(form.get("colConfigId", "")))
        if logged.path == WHO_AM_I:
            return _json(self._who())
        if logged.path == DOWNLOAD or logged.path.startswith(BUCKET):
            return self._file_reply(logged, strikes)
        if logged.path == PATH_LOOKUP:
            return _json(look_up_paths(self.archive.catalogue, parse_qs(urlsplit(self.path).query)))
        if logged.path == f"{CLOUD}/":
            return Reply(status=HTTPStatus.OK, headers={"Content-Type": "application/xml"})
        return _json({"status_code": 404, "path": None}, status=HTTPStatus.NOT_FOUND)

    def _query_reply(self, question: Mapping[str, Any] | None, strikes: Strikes) -> Reply:
        if question is None:
            return _json(error_envelope("The request is no JSON object."))
        if FaultKind.EXECUTING in strikes:
            return _json(executing_envelope())
        if FaultKind.ERROR in strikes:
            return _json(error_envelope(strikes[FaultKind.ERROR].message))
        missing = strikes[FaultKind.SHORT].amount if FaultKind.SHORT in strikes else 0
        reply = _json(answer(self.archive.catalogue, question, missing=missing))
        if FaultKind.GARBLED_JSON in strikes:
            return Reply(status=reply.status, headers=reply.headers, body=reply.body[: len(reply.body) // 2])
        return reply

    def _file_reply(self, logged: LoggedRequest, strikes: Strikes) -> Reply:
        catalogue, uri = self.archive.catalogue, logged.uri or ""
        try:
            hidden = catalogue.exclusive(uri) and not logged.path.startswith(BUCKET)
            if hidden and not self.archive.accepts(logged.token):
                body = {"status_code": 401, "message": "Unauthorized: exclusive access"}
                return _json(body, status=HTTPStatus.UNAUTHORIZED)
            stored = catalogue.read(uri)
        except KeyError:
            return _json({"status_code": 404, "path": None}, status=HTTPStatus.NOT_FOUND)
        headers = _file_headers(uri, stored)
        chosen = asked_range(
            self.headers,
            size=len(stored.content),
            validators=(stored.etag, headers["Last-Modified"]),
            ignore=FaultKind.IGNORE_RANGE in strikes,
            ignore_condition=FaultKind.IGNORE_IF_RANGE in strikes,
        )
        _misstate(headers, strikes)
        size = len(stored.content)
        if chosen is None:
            return Reply(status=HTTPStatus.OK, headers=headers, body=stored.content)
        start, end = chosen
        if start >= size:
            headers["Content-Range"] = f"bytes */{size}"
            return Reply(status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        body_part = memoryview(stored.content)[start:end]
        return Reply(status=HTTPStatus.PARTIAL_CONTENT, headers=headers, body=body_part)

    def _who(self) -> dict[str, object]:
        if not self.archive.accepts(self._token()):
            return {
                "eppn": "", "ezid": "anonymous", "anon": True, "scopes": [], "session": None, "token": None,
                "attrib": {},
            }  # fmt: skip
        return {
            "eppn": "demo@stsci.edu", "ezid": "demo", "anon": False, "scopes": ["mast:exclusive_access"],
            "session": None, "token": "demo", "attrib": {"display_name": "Demo User"},
        }  # fmt: skip

    def _form(self, query: str) -> dict[str, str]:
        length = self.headers.get("Content-Length", "0")
        body = self.rfile.read(int(length)) if length.isdigit() else b""
        text = body.decode("utf-8", "replace") or query
        fields = parse_qs(text, keep_blank_values=True)
        return {name: values[0] for name, values in fields.items()}

    def _token(self) -> str | None:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() in ("token", "bearer") and token.strip():
            return token.strip()
        try:
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get("mast_token")
        except CookieError:
            return None
        return cookie.value if cookie else None


def _wanted_uri(path: str, query: str) -> str | None:
    if path.startswith(BUCKET):
        return URI_PREFIX + unquote(path.rpartition("/")[2])
    return parse_qs(query).get("uri", [None])[0] if path == DOWNLOAD else None


def _read_question(text: str | None) -> dict[str, Any] | None:
    try:
        question = json.loads(text or "")
    except ValueError:
        return None
    return question if isinstance(question, dict) else None


def _file_headers(uri: str, stored: Stored) -> dict[str, str]:
    name = uri.rpartition("/")[2]
    return {
        "Content-Type": _CONTENT_TYPES.get(name.rpartition(".")[2], "application/octet-stream"),
        "Content-Disposition": f"attachment; filename={name}",
        "Accept-Ranges": "bytes",
        "ETag": stored.etag,
        "Last-Modified": format_datetime(stored.modified, usegmt=True),
    }


def _misstate(headers: dict[str, str], strikes: Strikes) -> None:
    """Let the validators be what the faults make of them."""
    if FaultKind.NEW_ETAG in strikes:
        headers["ETag"] = f'"{uuid.uuid4().hex}"'
    if FaultKind.WEAK_ETAG in strikes:
        headers["ETag"] = f"W/{headers['ETag']}"
    if FaultKind.NO_VALIDATORS in strikes:
        del headers["ETag"], headers["Last-Modified"]


def _json(content: object, *, status: int = HTTPStatus.OK) -> Reply:
    body = json.dumps(content, separators=(",", ":")).encode()
    return Reply(status=status, headers={"Content-Type": "application/json"}, body=body)


def _html(status: int, title: str, headers: dict[str, str]) -> Reply:
    body = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "</body>\r\n</html>\r\n"
    ).encode()
    return Reply(status=status, headers={"Content-Type": "text/html", **headers}, body=body)
