"""A loopback MAST whose every answer a test writes, in recorded shapes, and which keeps what was asked."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

COLUMNS = {
    "obs_collection": {"text": "Mission", "separator": ";", "vot.datatype": "char"},
    "instrument_name": {"text": "Instrument", "vot.datatype": "char"},
    "proposal_id": {"text": "Proposal ID", "vot.datatype": "char"},
    "t_min": {"text": "Start Time", "vot.datatype": "double", "isMjd": True},
    "calib_level": {"text": "Calibration Level", "vot.datatype": "int"},
}


@dataclass
class Reply:
    """One answer; `silent` keeps the connection open without a byte, `cut` resets it."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    silent: bool = False
    cut: bool = False
    short_of: int = 0


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    request: dict[str, Any]


Script = Callable[[Asked], Reply]


def envelope(rows: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """Return a COMPLETE envelope in the shape that is on record."""
    names = sorted({name for row in rows for name in row})
    paging = {
        "page": 1,
        "pageSize": 50000,
        "pagesFiltered": 1,
        "rows": len(rows),
        "rowsFiltered": len(rows),
        "rowsTotal": len(rows),
    }
    return {
        "status": "COMPLETE",
        "msg": "",
        "data": rows,
        "fields": [{"name": name, "type": "string"} for name in names],
        "paging": paging | changes,
    }


def as_reply(content: Any, **options: Any) -> Reply:
    return Reply(json.dumps(content).encode(), **options)


def paged(rows: list[dict[str, Any]]) -> Script:
    """Answer every question with `rows`, cut into pages of the size that was asked for."""

    def answer(asked: Asked) -> Reply:
        page, size = asked.request["page"], asked.request["pagesize"]
        part = rows[(page - 1) * size : page * size]
        pages = max(1, -(-len(rows) // size))
        return as_reply(envelope(part, page=page, pageSize=size, pagesFiltered=pages, rowsFiltered=len(rows)))

    return answer


def in_turn(*replies: Reply | Script) -> Script:
    """Answer with each of `replies`, then with the last one for ever."""
    waiting = list(replies)

    def answer(asked: Asked) -> Reply:
        reply = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return reply if isinstance(reply, Reply) else reply(asked)

    return answer


class Mast:
    """The running server: set `invoke`, `whoami`, `columns`, `lookup` and `head`, read `asked`."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.invoke: Script = paged([])
        self.whoami: Script = lambda asked: as_reply({"anon": True})
        self.columns: Script = lambda asked: as_reply(COLUMNS)
        self.lookup: Script = lambda asked: Reply(b"not here", status=404)
        self.head: Script = lambda asked: Reply(b"", status=404)
        self.asked: list[Asked] = []
        self.closing = threading.Event()

    @property
    def questions(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == "/api/v0/invoke"]

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        if asked.method == "HEAD":
            return self.head(asked)
        if asked.path == "/api/v0/invoke":
            return self.invoke(asked)
        if asked.path.startswith("/api/v0.1/path_lookup/"):
            return self.lookup(asked)
        if asked.path == "/whoami":
            return self.whoami(asked)
        if asked.path.endswith("/columnsconfig"):
            return self.columns(asked)
        return Reply(b"not here", status=404)


@contextmanager
def running() -> Iterator[Mast]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self._serve()

        def do_HEAD(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
            request = json.loads(form["request"][0]) if "request" in form else {}
            reply = mast.answer(Asked(self.command, self.path, dict(self.headers), request))
            if reply.silent:
                mast.closing.wait(60)
            if reply.silent or reply.cut:
                self.close_connection = True
                return
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if "Date" not in reply.headers:
                self.send_header("Date", self.date_time_string())
            self.send_header("Content-Length", str(len(reply.body) + reply.short_of))
            self.end_headers()
            self.wfile.write(reply.body)
            if reply.short_of:
                self.close_connection = True

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say nothing of clients that hang up in mid-answer, as they may."""
            if not isinstance(sys.exception(), ConnectionError):
                super().handle_error(request, client_address)

    server = Quiet(("127.0.0.1", 0), Handler)
    mast = Mast(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield mast
    finally:
        mast.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
