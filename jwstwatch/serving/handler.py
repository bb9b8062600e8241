"""One connection: which file is asked for, may it be seen, and which part of it is sent."""

from __future__ import annotations

import errno
import io
import logging
import socket
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, BinaryIO

from jwstwatch.serving import listing
from jwstwatch.serving.addresses import Target, names_us, read_target, write_target
from jwstwatch.serving.conditions import UNSATISFIABLE, Span, Validators, asked_span, is_known
from jwstwatch.serving.confining import PAGE, Site, open_below
from jwstwatch.serving.kinds import ASK_AGAIN, HTML, PLAIN, SECURITY, STYLE, caching_of, type_of

if TYPE_CHECKING:
    from jwstwatch.serving.server import Server

log = logging.getLogger(__name__)

PIECE = 1 << 18
"""Bytes that are read and sent at a time; each has the server's patience to get through."""

_NOT_THERE = "There is no such file here."
_NO_LISTING = "This folder has no page, and folders are not listed."
_NO_PAGE_YET = "No page is there yet: `jwstwatch pages` writes the pages of an output folder."
_FORBIDDEN = "The user who runs this server may not read that file."
_DISK = "The disk does not give that file out at the moment."
_METHODS = "GET, HEAD"
_NO_SUCH = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL, errno.ENXIO)


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection, from files alone."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def version_string(self) -> str:
        """Return what the answers call this program."""
        return "jwstwatch"

    def setup(self) -> None:
        """Read with patience for a whole request, however its bytes trickle in."""
        super().setup()
        self.rfile.close()
        self._incoming = _Incoming(self.connection)
        self.rfile = io.BufferedReader(self._incoming)

    def handle_one_request(self) -> None:
        """Serve one request; a client that has gone away or stalls is no error."""
        self._incoming.deadline = time.monotonic() + self.server.patience
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def do_GET(self) -> None:
        """Answer one GET."""
        self._serve()

    def do_HEAD(self) -> None:
        """Answer one HEAD."""
        self._serve()

    def _serve(self) -> None:
        self.connection.settimeout(self.server.patience)
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers or any(length.strip() != "0" for length in lengths):
            self.close_connection = True  # its body would be taken for the next request
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1:
            self._say(HTTPStatus.BAD_REQUEST, "A request names one host.")
            return
        if self.server.bound is not None and not names_us(hosts[0], bound=self.server.bound):
            text = "This server answers to the names of this machine alone, such as localhost."
            self._say(HTTPStatus.MISDIRECTED_REQUEST, text)
            return
        target = read_target(self.path)
        if target is None:
            self._say(HTTPStatus.NOT_FOUND, _NOT_THERE)
        elif self.server.several:
            self._serve_one_of_several(target)
        else:
            self._serve_site(self.server.sites[""], (), target)

    def _serve_one_of_several(self, target: Target) -> None:
        sites = self.server.sites
        if not target.parts:
            self._send(HTTPStatus.OK, {"Content-Type": HTML}, listing.list_page(sites).encode())
        elif target.parts == (listing.STYLE_NAME,):
            self._send(HTTPStatus.OK, {"Content-Type": STYLE}, listing.STYLE.encode())
        elif target.parts == ("favicon.ico",):
            self._send(HTTPStatus.NO_CONTENT, {}, None)
        elif target.parts[0] not in sites:
            self._say(HTTPStatus.NOT_FOUND, _NOT_THERE)
        else:
            prefix, *parts = target.parts
            below = Target(parts=tuple(parts), folder=target.folder, query=target.query)
            self._serve_site(sites[prefix], (prefix,), below)

    def _serve_site(self, site: Site, prefix: tuple[str, ...], target: Target) -> None:
        wanted = (*target.parts, PAGE) if target.folder else target.parts
        try:
            stream, status = open_below(site, wanted)
        except IsADirectoryError:
            self._lead_into(site, prefix, target)
        except PermissionError:
            self._say(HTTPStatus.FORBIDDEN, _FORBIDDEN)
        except OSError as error:
            self._explain(error, target)
        else:
            with stream:
                self._send_file(stream, Validators.of(status), size=status.st_size, parts=wanted)

    def _lead_into(self, site: Site, prefix: tuple[str, ...], target: Target) -> None:
        """Send whoever asked for a folder to its page, so that its relative links are right."""
        try:
            open_below(site, (*target.parts, PAGE))[0].close()
        except OSError:
            self._say(HTTPStatus.NOT_FOUND, _NO_LISTING)
            return
        place = write_target((*prefix, *target.parts))
        self._say(HTTPStatus.MOVED_PERMANENTLY, f"It is at {place}", {"Location": place})

    def _explain(self, error: OSError, target: Target) -> None:
        # Whatever keeps a name from leading to a file; what remains is the disk's.
        if error.errno is None or error.errno in _NO_SUCH:
            text = _NOT_THERE
            if target.folder:
                text = _NO_LISTING if target.parts else _NO_PAGE_YET
            self._say(HTTPStatus.NOT_FOUND, text)
            return
        log.warning("%s cannot be read: %s", ascii("/".join(target.parts)), error)
        self._say(HTTPStatus.SERVICE_UNAVAILABLE, _DISK)

    def _send_file(
        self, stream: BinaryIO, validators: Validators, *, size: int, parts: tuple[str, ...]
    ) -> None:
        headers = {
            "ETag": validators.tag,
            "Last-Modified": validators.modified,
            "Cache-Control": caching_of(self.path.partition("?")[2]),
        }
        if is_known(self.headers, validators):
            self._send(HTTPStatus.NOT_MODIFIED, headers, None)
            return
        headers |= {"Content-Type": type_of(parts), "Accept-Ranges": "bytes"}
        span = asked_span(self.headers, validators, size=size) if self.command == "GET" else None
        if span is UNSATISFIABLE:
            text = f"The file has {size} bytes."
            self._say(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, text, {"Content-Range": f"bytes */{size}"})
            return
        code = HTTPStatus.OK
        if span is None:
            span = Span(start=0, end=size)
        else:
            code = HTTPStatus.PARTIAL_CONTENT
            headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{size}"
        self._head(code, headers, length=span.end - span.start)
        if self.command == "GET":
            self._copy(stream, span)

    def _copy(self, stream: BinaryIO, span: Span) -> None:
        left = span.end - span.start
        try:
            stream.seek(span.start)
            while left:
                piece = stream.read(min(left, PIECE))
                if not piece:
                    break
                self.wfile.write(piece)
                left -= len(piece)
        except (ConnectionError, TimeoutError):
            raise
        except OSError as error:
            log.warning("%s broke off: %s", ascii(self.path), error)
        if left:
            self.close_connection = True  # fewer bytes than announced: only the end can tell the client

    def _say(self, code: HTTPStatus, text: str, headers: Mapping[str, str] | None = None) -> None:
        """Answer with a sentence."""
        self._send(code, {"Content-Type": PLAIN, **(headers or {})}, f"{text}\n".encode())

    def _send(self, code: HTTPStatus, headers: Mapping[str, str], body: bytes | None) -> None:
        self._head(code, headers, length=None if body is None else len(body))
        if body is not None and self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, code: HTTPStatus, headers: Mapping[str, str], *, length: int | None) -> None:
        self.send_response(code)
        for name, value in {"Cache-Control": ASK_AGAIN, **SECURITY, **headers}.items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002 - the base's signature
        """Answer a request that cannot be understood, or whose method is none of ours."""
        self.close_connection = True
        if code == HTTPStatus.NOT_IMPLEMENTED:
            text = "This server only shows files: GET and HEAD."
            self._say(HTTPStatus.METHOD_NOT_ALLOWED, text, {"Allow": _METHODS})
        else:
            self._say(HTTPStatus(code), "The request cannot be understood.")

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002 - the base's signature
        """Keep the access log, where somebody wants to see it."""
        number = code.value if isinstance(code, HTTPStatus) else code
        line = getattr(self, "requestline", "")
        log.info("%s %s %s", self.client_address[0], number, ascii(line)[1:-1])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's signature
        """Say what went wrong with a connection only to those who want to see everything."""
        log.debug(format, *args)


class _Incoming(io.RawIOBase):
    """The bytes of a connection; reading ends with `TimeoutError` when `deadline` (monotonic) is over."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.deadline = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request did not arrive in time")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)
