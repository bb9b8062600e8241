"""How long `jwstwatch status` takes: through the daemon's socket, and without a daemon.

The measure is the bare interpreter's start, taken in turns with the rest. Prints medians in seconds.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer

CONFIGURATION = """\
state: {folder}/state.db
mast: {{server: "{server}"}}
defaults: {{outrootdir: {folder}/data, every: 1d, filetypes: []}}
profiles: {{all: {{propID: 9001}}}}
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--observations", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = os.environ | {
            "XDG_RUNTIME_DIR": name,
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }
        catalogue = scaled_catalogue(
            observations=options.observations, now=datetime.now(UTC), sizes=(3000, 9000)
        )
        with ArchiveServer(catalogue) as server:
            (folder / "jwstwatch.yaml").write_text(CONFIGURATION.format(folder=folder, server=server.url))
            run([*program(folder, "run-now")], environment)
            alone = measure(
                {"start": [sys.executable, "-c", ""], "alone": program(folder, "status")},
                environment,
                options.rounds,
            )
            with daemon(folder, environment):
                asked = measure(
                    {"start": [sys.executable, "-c", ""], "asked": program(folder, "status")},
                    environment,
                    options.rounds,
                )
    start = statistics.median([*alone["start"], *asked["start"]])
    for label, seconds in (
        ("the interpreter's start", start),
        ("status through the socket", statistics.median(asked["asked"])),
        ("status without a daemon", statistics.median(alone["alone"])),
    ):
        print(f"{label:28} {seconds:6.3f} s  {seconds / start:5.1f}")


def program(folder: Path, command: str) -> list[str]:
    """Return the command line of a command."""
    return [sys.executable, "-m", "jwstwatch", command, "--config", str(folder / "jwstwatch.yaml")]


def run(words: Sequence[str], environment: Mapping[str, str]) -> None:
    """Carry out a command, silently."""
    subprocess.run(words, env=environment, check=True, capture_output=True)


def measure(
    commands: Mapping[str, Sequence[str]], environment: Mapping[str, str], rounds: int
) -> dict[str, list[float]]:
    """Return the seconds that each command took, in turns; the first round warms up and does not count."""
    took: dict[str, list[float]] = {label: [] for label in commands}
    for number in range(rounds + 1):
        for label, words in commands.items():
            began = time.perf_counter()
            run(words, environment)
            if number:
                took[label].append(time.perf_counter() - began)
    return took


@contextmanager
def daemon(folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Serve the state while the block lasts."""
    process = subprocess.Popen(program(folder, "daemon"), env=environment, stderr=subprocess.DEVNULL)
    try:
        while not (folder / "jwstwatch" / "control.sock").exists():
            time.sleep(0.1)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


if __name__ == "__main__":
    main()
