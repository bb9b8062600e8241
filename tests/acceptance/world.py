"""The real command line in a process of its own, in a world of its own: home, state, output, archive."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import jwstwatch
from jwstwatch.demo.catalogue import Catalogue
from tests.acceptance.starting import Process, start

PACKAGE = Path(jwstwatch.__file__).resolve().parent
PATIENCE = 120.0
"""Seconds after which something that should happen soon is taken not to happen at all."""

OWN_FILES = re.compile(
    r"(^|/)(index\.html|feed\.(xml|json)|\.jwstwatch-root|jwstwatch-(assets|pages)/.*|.*\.TN\.jpg"
    r"|[0-9]{5}\.(products\.txt|exposures\.csv))$|^\.replaced/.*\.(jpg|png)$"
)
"""What the program itself makes in an output folder, and keeps for its pages, beside the archive's files."""

ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")

Profiles = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Ended:
    """What a finished process said; `code` is minus the number of a signal that killed it."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which is to be JSON and nothing else."""
        return json.loads(self.out)

    @property
    def runs(self) -> list[dict[str, Any]]:
        """The runs of `run-now --json`."""
        runs: list[dict[str, Any]] = self.json["runs"]
        return runs


class World:
    """A folder with a home, a configuration, a state and an output folder, and the archive it is set to."""

    def __init__(self, folder: Path, server: str) -> None:
        self.folder = folder
        self.server = server
        self.root = folder / "data"
        self.state = folder / "state" / "state.db"
        self.configuration = folder / "jwstwatch.yaml"
        self.home = folder / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        self.mast: dict[str, Any] = {}

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a user of whom nothing is known: no proxies, no keyring, no settings."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_STATE_HOME": str(self.home / "state"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "XDG_RUNTIME_DIR": str(self.home / "run"),
            "LANG": "C.UTF-8",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "PYTHONPATH": str(PACKAGE.parent),
        }

    def configure(self, profiles: Profiles, **defaults: Any) -> None:
        """Write the configuration."""
        document = {
            "state": str(self.state),
            "mast": {"server": self.server, "timeout": 10} | self.mast,
            "defaults": {"outrootdir": str(self.root), "filetypes": []} | defaults,
            "profiles": {name: dict(values) for name, values in profiles.items()},
        }
        self.configuration.write_text(yaml.safe_dump(document, sort_keys=False))

    def start(
        self,
        *words: str,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = ("-m", "jwstwatch"),
        **options: Any,
    ) -> Process:
        """Start the program; the command's `--config` is set unless the words name one."""
        command, *rest = words or ("--help",)
        if self.configuration.exists() and command[:1] != "-" and "--config" not in rest and "-c" not in rest:
            rest = ["--config", str(self.configuration), *rest]
        return start(
            [*program, command, *rest],
            environment=self.environment | dict(environment or {}),
            cwd=options.pop("cwd", self.folder),
            **options,
        )

    def run(self, *words: str, **options: Any) -> Ended:
        """Run a command to its end, in which it shows no traceback unless it was asked to."""
        ended = finish(self.start(*words, **options))
        if not {"-v", "-vv", "--verbose"} & set(words):
            assert "Traceback" not in ended.out + ended.err, ended.err
        assert "Warning:" not in ended.err, ended.err
        return ended

    def run_now(self, *words: str, code: int = 0, **options: Any) -> list[dict[str, Any]]:
        """Run `run-now --json` and return its runs."""
        ended = self.run("run-now", "--json", *words, **options)
        assert ended.code == code, (ended.code, ended.out, ended.err)
        for run in ended.runs:
            parts = ("downloaded", "unchanged", "withheld", "failed", "waiting")
            assert run["products"] == sum(run[part] for part in parts)
        return ended.runs

    # -- what there is afterwards

    def files(self, root: Path | None = None) -> dict[str, bytes]:
        """Every file from the archive below the output folder, by relative path."""
        root = root or self.root
        found = {name: root / name for name in every_file(root)}
        return {name: path.read_bytes() for name, path in found.items() if not OWN_FILES.search(name)}

    def stamps(self) -> dict[str, tuple[int, int]]:
        """Inode and mtime (ns) of every file below the output folder: what a rewrite would change.

        Without the one that tells how the profiles stand, which is written at the end of every run.
        """
        found = {}
        for name in every_file(self.root):
            if name == "jwstwatch-assets/standing.js":
                continue
            status = (self.root / name).stat()
            found[name] = (status.st_ino, status.st_mtime_ns)
        return found

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the state itself."""
        with contextlib.closing(sqlite3.connect(self.state, timeout=PATIENCE)) as connection:
            return connection.execute(query, values).fetchall()

    def ask_if_there(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the state, which may not have been made yet."""
        return self.ask(query) if self.state.exists() else []

    def file_rows(self) -> dict[str, tuple[Any, ...]]:
        """What the state says of every file, by relative path: state, size, SHA-256, revision."""
        rows = self.ask("SELECT path, state, size, sha256, revision FROM file")
        return {path: tuple(facts) for path, *facts in rows}

    def everything_written(self) -> Iterator[tuple[Path, bytes]]:
        """Every byte that is on disk in this world."""
        for name in every_file(self.folder):
            yield self.folder / name, (self.folder / name).read_bytes()


def every_file(folder: Path) -> list[str]:
    """Relative paths of all files below `folder`, hidden ones and those behind linked folders too."""
    return sorted(
        str(Path(parent, name).relative_to(folder))
        for parent, _, names in os.walk(folder, followlinks=True)
        for name in names
    )


def finish(process: Process, *, timeout: float = PATIENCE) -> Ended:
    """Wait for the end of a process, and kill it where there is none."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"it did not end within {timeout} s: {out} {err}") from None
    return Ended(process.returncode, out or "", err or "")


def stop(process: Process, number: int = signal.SIGTERM, *, timeout: float = 20.0) -> Ended:
    """Send a signal and wait for the end."""
    process.send_signal(number)
    return finish(process, timeout=timeout)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that another process does."""
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit, f"it did not happen: {what}"
        time.sleep(0.02)


def assert_as_archived(files: Mapping[str, bytes], catalogue: Catalogue) -> None:
    """Each file holds byte for byte what the archive has under its name."""
    for path, content in files.items():
        name = path.rpartition("/")[2]
        assert content == catalogue.read(name).content, path


def sha256(content: bytes) -> str:
    """Return the digest as the state has it."""
    return hashlib.sha256(content).hexdigest()
