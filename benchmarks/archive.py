"""A stand-in for MAST of any size on the loopback interface, in a process of its own.

By hand: `python -m benchmarks.archive --visits 1000 --latency 0.2`; its first line is its address. What it
was asked is at `/benchmark/counts`; a POST to `/benchmark/visit` adds one visit that has just ended, one to
`/benchmark/latency?seconds=0.2` changes how late it answers.
"""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from benchmarks.sky import Sky
from jwstwatch.demo.plain import plain_content
from jwstwatch.demo.rows import OBSERVATION_FIELDS, PRODUCT_FIELDS
from jwstwatch.demo.services import columns_config

_FIELDS = {"Mast.Caom.Filtered": OBSERVATION_FIELDS, "Mast.Caom.Products": PRODUCT_FIELDS}

SETTLED = timedelta(days=30)
"""The newest visit lies so far back: nobody waits for anything more of it."""
SPAN = timedelta(days=1000)
_KEPT = 1000
"""Observations whose rows are kept once they were made: the archive's own time is not what is measured."""


def make_sky(visits: int, *, today: datetime | None = None) -> Sky:
    """Return an archive whose observations are settled; the same for the same `today`."""
    return Sky(visits=visits, newest=(today or datetime.now(UTC)) - SETTLED, span=SPAN)


class Archive(ThreadingHTTPServer):
    """The server; `latency` is in seconds, before each answer."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, sky: Sky, latency: float) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.sky = sky
        self.latency = latency
        self.added: Sky | None = None
        """The same sky with one visit more, of which only that is used."""
        self._products = functools.lru_cache(maxsize=_KEPT)(sky.products)
        self.counts: Counter[str] = Counter()
        self.lock = threading.Lock()

    def add_visit(self) -> None:
        """Let a visit have ended two hours ago, after all others."""
        visits = self.sky.visits + 1
        self.added = Sky(visits=visits, newest=datetime.now(UTC), span=timedelta(hours=2) * visits)

    def observations(
        self, proposals: set[int] | None, begun: tuple[float | None, float | None]
    ) -> Iterator[str]:
        """Yield the rows of observations."""
        yield from self.sky.observations(proposals=proposals, begun=begun)
        if self.added is not None:
            yield from self.added.observations(proposals=proposals, begun=begun, first=self.sky.visits)

    def products(self, obsid: int) -> list[str]:
        """Return the rows of one observation's products."""
        rows = self._products(obsid)
        return rows if rows or self.added is None else self.added.products(obsid)


class _Handler(BaseHTTPRequestHandler):
    server: Archive
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        pass

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if url.path.startswith("/benchmark/"):
            return self._steer(url.path, url.query)
        if self.server.latency:
            time.sleep(self.server.latency)
        if url.path == "/api/v0/invoke":
            return self._answer(json.loads(parse_qs(body.decode())["request"][0]))
        with self.server.lock:
            self.server.counts["files" if "Download" in url.path else url.path] += 1
        if url.path == "/whoami":
            return self._send(json.dumps({"anon": True, "ezid": "anonymous", "attrib": {}}).encode())
        if url.path.endswith("/columnsconfig"):
            query = body.decode() or url.query
            name = parse_qs(query).get("colConfigId", [""])[0]
            return self._send(json.dumps(columns_config(name)).encode())
        if url.path == "/api/v0.1/Download/file":
            name = unquote(parse_qs(url.query)["uri"][0]).rpartition("/")[2]
            content = plain_content(name.rpartition(".")[2], self.server.sky.size(name), noise=hash(name))
            return self._send(content, kind="application/octet-stream")
        return self._send(b"{}", status=404)

    def _steer(self, path: str, query: str) -> None:
        server = self.server
        if path.endswith("counts"):
            counts = dict(server.counts)
            server.counts.clear()
            return self._send(json.dumps(counts).encode())
        if path.endswith("visit"):
            server.add_visit()
        else:
            server.latency = float(parse_qs(query)["seconds"][0])
        return self._send(b"{}")

    def _answer(self, question: Mapping[str, Any]) -> None:
        service, params = question["service"], question["params"]
        with self.server.lock:
            self.server.counts[service] += 1
        if service == "Mast.Caom.Filtered":
            rows = list(self.server.observations(*_filters(params.get("filters") or ())))
        elif service == "Mast.Caom.Products":
            asked = params["obsid"]
            numbers = asked if isinstance(asked, list) else str(asked).split(",")
            rows = [row for number in numbers for row in self.server.products(int(number))]
        else:
            rows = []
        page, size = int(question.get("page", 1)), int(question.get("pagesize", 50_000))
        pages = max(1, -(-len(rows) // size))
        some = rows[(page - 1) * size : page * size]
        paging = {
            "page": page,
            "pageSize": size,
            "pagesFiltered": pages,
            "rows": len(some),
            "rowsFiltered": len(rows),
            "rowsTotal": len(rows),
        }
        fields = [{"name": name, "type": kind} for name, kind in _FIELDS.get(service, ())]
        told = f'"fields":{json.dumps(fields)},"paging":{json.dumps(paging)}'
        head = f'{{"status":"COMPLETE","msg":"",{told},"data":['
        self._send((head + ",".join(some) + "]}").encode())

    def _send(self, body: bytes, *, status: int = 200, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _filters(filters: Any) -> tuple[set[int] | None, tuple[float | None, float | None]]:
    """Return the proposals and the bounds of the start (MJD) that are asked for."""
    proposals: set[int] | None = None
    lower: float | None = None
    upper: float | None = None
    for entry in filters:
        if entry["paramName"] == "proposal_id":
            proposals = {int(value) for value in entry["values"]}
        if entry["paramName"] == "calib_level":
            proposals = set()  # only what is planned is asked for by level, and nothing is
        if entry["paramName"] == "t_min":
            bounds = entry["values"][0]
            lower, upper = float(bounds["min"]), float(bounds["max"])
    return proposals, (lower, upper)


class Client:
    """The other side: steers an archive that runs in another process."""

    def __init__(self, url: str) -> None:
        self.url = url

    def counts(self) -> dict[str, int]:
        """Return what was asked since the last look, by service."""
        with urllib.request.urlopen(f"{self.url}/benchmark/counts") as answer:
            counts: dict[str, int] = json.load(answer)
        return counts

    def add_visit(self) -> None:
        """Let a visit have just ended."""
        urllib.request.urlopen(f"{self.url}/benchmark/visit", data=b"").close()

    def set_latency(self, seconds: float) -> None:
        """Answer so late from now on."""
        urllib.request.urlopen(f"{self.url}/benchmark/latency?seconds={seconds}", data=b"").close()


@contextmanager
def serving(visits: int, *, today: datetime | None = None, latency: float = 0.0) -> Iterator[Client]:
    """Run an archive in a process of its own while the block lasts."""
    words = [sys.executable, "-m", "benchmarks.archive", "--visits", str(visits), "--latency", str(latency)]
    if today is not None:
        words += ["--today", today.isoformat()]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise RuntimeError("the archive did not start")
            yield Client(url)
        finally:
            process.terminate()


def main() -> None:
    """Serve until somebody ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visits", type=int, default=100)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--today", type=datetime.fromisoformat, help="the archive's newest data are older")
    options = parser.parse_args()
    server = Archive(options.port, make_sky(options.visits, today=options.today), options.latency)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
