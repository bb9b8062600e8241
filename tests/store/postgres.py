"""A PostgreSQL server of our own: in a temporary folder, on loopback, gone when the tests are."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROLE = "jwstwatch"
STARTING = 30.0
"""Seconds after which a server that does not answer is given up."""


@dataclass(frozen=True)
class Server:
    """A running server; every database on it belongs to the tests."""

    port: int

    def url(self, database: str) -> str:
        """Return the URL of one of its databases."""
        return f"postgresql+psycopg://{ROLE}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Run one statement outside of any transaction, as CREATE DATABASE wants it."""
        import psycopg

        with psycopg.connect(
            host="127.0.0.1", port=self.port, user=ROLE, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement.encode())


def find_binaries() -> Path | None:
    """Return the folder with initdb and postgres: Debian's newest, or the one in PATH."""
    debian = sorted(
        (folder for folder in Path("/usr/lib/postgresql").glob("*/bin") if (folder / "initdb").is_file()),
        key=lambda folder: int(re.sub(r"\D", "", folder.parent.name) or 0),
    )
    if debian:
        return debian[-1]
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@contextlib.contextmanager
def running(binaries: Path) -> Iterator[Server]:
    """Start a server in a new folder, and stop it and drop the folder in the end."""
    # Not below pytest's folder: the server may run as another user, who cannot enter that one.
    folder = Path(tempfile.mkdtemp(prefix="jwstwatch-postgres-"))
    try:
        who = _unprivileged(folder)
        subprocess.run(
            [binaries / "initdb", "-D", folder / "data", "-U", ROLE, *_initdb_options(binaries)],
            check=True,
            capture_output=True,
            cwd=folder,
            env=_environment(),
            **who,
        )
        with _serving(binaries, folder, who) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged(folder: Path) -> dict[str, Any]:
    """The server refuses to run as root: its own user takes the folder then."""
    if os.getuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _initdb_options(binaries: Path) -> list[str]:
    options = ["-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
    version = subprocess.run([binaries / "initdb", "--version"], check=True, capture_output=True, text=True)
    number = re.search(r"\d+", version.stdout)
    if number is not None and int(number[0]) >= 15:
        # A dictionary's order, unlike that of Python and SQLite: nothing may depend on the order of texts.
        options += ["--locale-provider=icu", "--icu-locale=en-US"]
    return options


@contextlib.contextmanager
def _serving(binaries: Path, folder: Path, who: dict[str, Any]) -> Iterator[Server]:
    port = _free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": folder,
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": 60,
        "shared_buffers": "32MB",
        "autovacuum": "off",
        # No zone that anything of ours is in.
        "timezone": "America/St_Johns",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [binaries / "postgres", "-D", folder / "data", *options],
            stdout=log,
            stderr=log,
            cwd=folder,
            env=_environment(),
            **who,
        )
    try:
        server = Server(port)
        _await(server, process, folder / "log")
        yield server
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(timeout=STARTING)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    import psycopg

    until = time.monotonic() + STARTING
    while True:
        try:
            server.execute("SELECT 1")
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL does not start:\n{log.read_text()}") from None
            time.sleep(0.05)
