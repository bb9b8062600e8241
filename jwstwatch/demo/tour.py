"""The demo: an archive in a box, and the real program run against it twice."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from jwstwatch.demo.build import demo_catalogue
from jwstwatch.demo.server import ArchiveServer
from jwstwatch.errors import ExitCode, UsageError
from jwstwatch.files import write_atomically

CONFIGURATION = """\
# What the demo ran with. The archive was in a box; set mast.server to use the real one.
state: {folder}/state.db
mast:
  server: {server}
defaults:
  outrootdir: {folder}/data
  makewebpages: true
  every: 6h
profiles:
  nircam-team:
    instrument: nircam
    lookbacktime: 0
    filetypes: [uncal, rate, cal, i2d, jpg]
  everything-of-2733:
    instrument: all
    propID: 2733
    filetypes: []
    guidestars: true
  spectra:
    instrument: [nirspec, niriss, miri]
    lookbacktime: 0
    filetypes: [uncal, rate, cal, rateints, s2d, s3d, x1d, jpg, png]
"""


def take(folder: Path, *, say: Callable[[str], None], verbose: int = 0) -> ExitCode:
    """Fill `folder` from a loopback archive by running the program itself; nothing else is contacted."""
    configuration = folder / "jwstwatch.yaml"
    if folder.exists() and any(folder.iterdir()) and not configuration.exists():
        raise UsageError(
            f"{folder} is there and is not a demo's", hint="Name an empty folder: jwstwatch demo --keep DIR"
        )
    say(f"An archive in a box: five proposals, all five instruments, on this machine alone.\n({folder})")
    # The archive makes its files with astropy, which warns about folders for settings that nobody uses.
    warnings.filterwarnings("ignore", message="XDG_[A-Z]+_HOME is set to")
    with ArchiveServer(demo_catalogue(now=datetime.now(UTC))) as server:
        content = CONFIGURATION.format(folder=folder, server=server.url)
        write_atomically(configuration, content.encode())
        first = _run(configuration, "run-now", say=say, verbose=verbose)
        fetched = len(server.requests.downloads())
        say(f"  the archive was asked for {fetched} files\n")
        second = _run(configuration, "run-now", say=say, verbose=verbose)
        again = len(server.requests.downloads()) - fetched
        say(f"  the second time the archive was asked for {again} files\n")
        shown = _run(configuration, "status", say=say, verbose=verbose)
    say(f"\nThe page: {folder / 'data' / 'index.html'}")
    failed = next((code for code in (first, second, shown) if code != ExitCode.DONE), ExitCode.DONE)
    return ExitCode(failed)


def _run(configuration: Path, command: str, *, say: Callable[[str], None], verbose: int) -> int:
    """Run the program as a user would, in a process of its own that knows no token."""
    say(f"$ jwstwatch {command} --config {configuration.name}")
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JWSTWATCH_", "MAST_")) and not name.lower().endswith("_proxy")
    }
    environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    words = [sys.executable, "-m", "jwstwatch", command, "--config", str(configuration), *["-v"] * verbose]
    return subprocess.run(words, env=environment, check=False).returncode  # noqa: S603 - our own program
