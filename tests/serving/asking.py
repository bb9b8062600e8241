"""A folder to serve, and a client that sends exactly the bytes it is told to."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jwstwatch.serving.confining import Site
from jwstwatch.serving.server import SiteServer

PLENTY = 30.0
"""Seconds after which something that should happen has not happened; nothing waits for so long."""
FITS = bytes(range(256)) * 4000
"""More than is sent at a time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, headers by their names in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes


def make_root(folder: Path, name: str = "data") -> Path:
    """Return an output folder with pages, data, what jwstwatch keeps for itself, and links."""
    root = folder / name
    files = {
        "index.html": b"<!DOCTYPE html><title>home</title>",
        "feed.xml": b"<feed/>",
        "feed.json": b"{}",
        "jwstwatch-assets/site.js": b"'use strict';",
        "jwstwatch-assets/jwstwatch.css": b"p { color: red }",
        "jwstwatch-assets/icon.svg": b"<svg/>",
        "01345/index.html": b"<!DOCTYPE html><title>01345</title>",
        "01345/01345.exposures.csv": b"exposure\n",
        "01345/01345.products.txt": b"obs_id\n",
        "01345/jw01345_rate.fits": FITS,
        "01345/jw01345_rate.jpg": b"picture",
        "01345/jw01345_asn.json": b"{}",
        "01345/jw01345_evil.html": b"<script>alert(1)</script>",
        "01345/jw01345_evil.js": b"alert(1)",
        "01345/jw01345_evil.svg": b"<svg/>",
        "01345/empty.txt": b"",
        "01345/jwstwatch-pages/obs003.html": b"<!DOCTYPE html>",
        "01345/jwstwatch-pages/obs003.exposures.1.js": b"jwstwatch.rows({});",
        "02733/no page.txt": b"a folder without a page",
        "SHA256SUMS": b"",
        ".jwstwatch-root": b'{"root": "secret"}',
        ".replaced/01345/r1/jw01345_rate.fits": b"former",
        ".replaced/01345/r1/jw01345_rate.jpg": b"former picture",
        ".replaced/01345/r1/.jw.jpg": b"hidden",
        "01345/.replaced/other.jpg": b"somebody's",
        "01345/.jw01345_cal.fits.2.part": b"half",
        "01345/jw01345_cal.fits.part": b"half",
        "01345/.hidden.jpg": b"hidden",
        "state.db": b"SQLite",
        "state.db-wal": b"SQLite",
        "state.db.2.2026.bak": b"SQLite",
        "team.sqlite3": b"SQLite",
        "jwstwatch.yaml": b"profiles: {}",
        "jwst_query.cfg": b"token: secret",
        "odd-state": b"SQLite",
        "odd-state-wal": b"SQLite",
        "odd-states.txt": b"a list of odd states",
    }
    for path, content in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    outside = folder / f"outside-{name}"
    outside.mkdir()
    (outside / "secret.txt").write_text("outside")
    (outside / "index.html").write_text("outside")
    (root / "01345" / "within.jpg").symlink_to("jw01345_rate.jpg")
    (root / "01346").symlink_to("01345")
    (root / "01345" / "leaves.txt").symlink_to(outside / "secret.txt")
    (root / "away").symlink_to(outside)
    (root / "01345" / "marker.txt").symlink_to("../.jwstwatch-root")
    (root / "01345" / "circle.txt").symlink_to("circle.txt")
    return root


@contextlib.contextmanager
def serving(*roots: Path, private: tuple[Path, ...] = (), **options: Any) -> Iterator[SiteServer]:
    """Serve folders on loopback."""
    sites = [Site(root=root, private=frozenset(private)) for root in roots]
    facts: dict[str, Any] = {"host": "127.0.0.1", "port": 0} | options
    with SiteServer(sites, **facts) as server:
        yield server


def place_of(server: SiteServer) -> tuple[str, int]:
    """Return host and port of a server."""
    host, _, port = server.url.removeprefix("http://").rstrip("/").rpartition(":")
    return host.strip("[]"), int(port)


def connect(server: SiteServer) -> socket.socket:
    """Return a connection to a server."""
    return socket.create_connection(place_of(server), timeout=PLENTY)


def ask(
    server: SiteServer, target: str, *lines: str, method: str = "GET", host: str | None = "localhost"
) -> Answer:
    """Send one request, as it is, and read what comes back until the server closes the connection."""
    head = [f"{method} {target} HTTP/1.1", *([] if host is None else [f"Host: {host}"]), *lines]
    text = "\r\n".join([*head, "Connection: close", "", ""])
    with connect(server) as connection:
        connection.sendall(text.encode("latin-1"))
        return read_answer(connection)


def read_answer(connection: socket.socket) -> Answer:
    """Read to the end of a connection."""
    pieces = []
    while piece := connection.recv(1 << 16):
        pieces.append(piece)
    head, _, body = b"".join(pieces).partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(status.split()[1]), headers, body)
