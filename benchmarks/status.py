"""What `jwstwatch status` costs with a state of so many files: through the daemon's socket, and without it.

The state is made directly, in SQL: one profile wants all files, another one in twenty; 97 in 100 are present,
the others in every other state. The measure is the bare interpreter's start, taken in turns with the rest.
Prints medians: seconds on the clock, and of the processors (the command's, and what the daemon adds).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from jwstwatch.store.store import open_store

CONFIGURATION = """\
state: {folder}/state.db
mast: {{server: "http://127.0.0.1:9"}}
metrics: {{listen: "127.0.0.1:{port}"}}
defaults: {{outrootdir: {folder}/data, cron: "0 0 1 1 *", filetypes: []}}
profiles:
  all: {{propID: 1345}}
  some: {{propID: 1345, filetypes: [rate]}}
"""

_NOW = "'2026-03-01 12:00:00.000000'"
_STATE = """CASE WHEN i % 100 < 97 THEN 'present' WHEN i % 100 = 97 THEN 'wanted'
    WHEN i % 400 = 98 THEN 'stale' WHEN i % 400 = 198 THEN 'failed'
    WHEN i % 100 = 98 THEN 'withheld' ELSE 'gone' END"""
_NAME = """printf('jw01345%03d001_02101_%05d_nrca1_', i / 1000 % 1000, i)
    || iif(i % 20, 'cal.fits', 'rate.fits')"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=_count, default=17_000)
    parser.add_argument("--rounds", type=_count, default=9)
    parser.add_argument("--folder", type=Path, help="keep the state here, and use it again")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(exist_ok=True)
        prepare(folder, options.files)
        compare(folder, options.rounds)


def _count(text: str) -> int:
    count = int(text) if text.isascii() and text.isdigit() else 0
    if not count:
        raise argparse.ArgumentTypeError("write a number from 1 on")
    return count


def prepare(folder: Path, files: int) -> None:
    """Make the configuration, the output folder and the state, if they are not there."""
    (folder / "data").mkdir(exist_ok=True)
    (folder / "jwstwatch.yaml").write_text(CONFIGURATION.format(folder=folder, port=free_port()))
    state = folder / "state.db"
    if not state.exists():
        open_store(f"sqlite:///{state}", upgrade=True).database.close()
        began = time.process_time()
        fill(state, folder / "data", files)
        print(f"a state of {files} files, made in {time.process_time() - began:.0f} s")


def fill(state: Path, root: Path, files: int) -> None:
    """Put products, files, listings, wants and runs into an empty state."""
    parents = files // 20 + 1

    def there(value: str) -> str:
        return f"iif({_STATE} IN ('present', 'stale', 'gone'), {value}, NULL)"

    connection = sqlite3.connect(state, isolation_level=None)
    with contextlib.closing(connection):

        def insert(table: str, count: int, **values: str) -> None:
            columns = ", ".join(f'"{name}"' for name in values)
            connection.execute(
                f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
                f"INSERT INTO {table} ({columns}) SELECT {', '.join(values.values())} FROM n"
            )

        connection.execute("BEGIN")
        insert("root", 1, id="1", uuid="'u'", path=f"'{root}'", created_at=_NOW)
        insert("profile", 2, name="iif(i % 2, 'all', 'some')", query_digest="'d'", created_at=_NOW)
        times = dict.fromkeys(("started_at", "finished_at", "heartbeat_at"), _NOW)
        process = {"host": "'h'", "pid": "1", "process_start": "'s'"}
        ended = {"trigger": "'schedule'", "outcome": "'complete'"}
        insert("run", 5000, profile="iif(i % 2, 'all', 'some')", **ended, **times, **process)
        seen = {"proposal": "1345", "t_obs_release": "62000.0 + i % 50", "first_seen_at": _NOW}
        insert("observation", parents, id="i", obs_id="'jw01345' || i", obsid="i", **seen)
        kind = {
            "filetype": "iif(i % 20, '_cal.fits', '_rate.fits')",
            "size": "1000000 + i",
            "proposal": "1345",
        }
        uri = f"'mast:JWST/product/' || {_NAME}"
        when = {"first_seen_at": _NOW, "changed_at": _NOW}
        insert("product", files, id="i", uri=uri, name=_NAME, revision="1", **kind, **when)
        pair = {"product_id": "i", "parent_obsid": f"1 + i % {parents}", "obsid": "i"}
        insert("listing", files, **pair, obs_id="'jw01345' || i", revision="1")
        copy = {"revision": there("1"), "size": there("1000000 + i"), "sha256": there("hex(i)")}
        why = f"iif({_STATE} = 'withheld', 'no token', NULL)"
        where = {"root_id": "1", "path": f"'01345/' || {_NAME}", "product_id": "i"}
        insert("file", files, id="i", **where, state=_STATE, reason=why, **copy, changed_at=_NOW)
        insert("want", files, profile="'all'", file_id="i", product_id="i")
        insert("want", files // 20, profile="'some'", file_id="i * 20", product_id="i * 20")
        connection.execute("COMMIT")


def compare(folder: Path, rounds: int) -> None:
    """Measure every way to ask, and print the medians."""
    environment = os.environ | {
        "XDG_RUNTIME_DIR": str(folder),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
    asked = {
        "status": ["status"],
        "status PROFILE": ["status", "all"],
        "status --json": ["status", "--json"],
    }
    commands = {label: program(folder, *words) for label, words in asked.items()}
    found = measure({"the interpreter": [sys.executable, "-c", ""], **commands}, environment, rounds)
    for label, costs in found.items():
        tell(label, costs)
    with daemon(folder, environment) as number:
        fetch = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{port_of(folder)}/metrics').read()"
        commands["figures for Prometheus"] = [sys.executable, "-c", fetch]
        for label, costs in measure(commands, environment, rounds, helper=number).items():
            tell(f"{label}, through the socket", costs)


def tell(label: str, costs: Sequence[tuple[float, float]]) -> None:
    """Print what something cost."""
    clock, processor = (statistics.median(each) for each in zip(*costs, strict=True))
    print(f"{label:44} {clock:7.3f} s  {processor:7.3f} s of a processor")


def program(folder: Path, *words: str) -> list[str]:
    """Return the command line of a command."""
    return [sys.executable, "-m", "jwstwatch", *words, "--config", str(folder / "jwstwatch.yaml")]


def measure(
    commands: Mapping[str, Sequence[str]],
    environment: Mapping[str, str],
    rounds: int,
    helper: int | None = None,
) -> dict[str, list[tuple[float, float]]]:
    """Return the seconds that each command took, in turns, and those of processors.

    Those of the process `helper` are added. The first round warms up and does not count.
    """
    took: dict[str, list[tuple[float, float]]] = {label: [] for label in commands}
    for number in range(rounds + 1):
        for label, words in commands.items():
            before, began = spent(helper), time.perf_counter()
            done = subprocess.run(words, env=environment, check=False, capture_output=True, text=True)
            clock = time.perf_counter() - began
            if done.returncode:
                last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
                raise SystemExit(f"{label} ended with {done.returncode}: {last}")
            if number:
                took[label].append((clock, spent(helper) - before))
    return took


def spent(helper: int | None) -> float:
    """Return the seconds of processors that our commands that ended took, and a process that goes on."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = children.ru_utime + children.ru_stime
    if helper is not None:
        fields = Path(f"/proc/{helper}/stat").read_text().rpartition(")")[2].split()
        seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


@contextmanager
def daemon(folder: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """Serve the state while the block lasts, as a process with this number; no run is due before New Year."""
    process = subprocess.Popen(program(folder, "daemon"), env=environment, stderr=subprocess.DEVNULL)
    try:
        while not (folder / "jwstwatch" / "control.sock").exists():
            if process.poll() is not None:
                raise SystemExit("the daemon did not start")
            time.sleep(0.1)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def free_port() -> int:
    """Return the number of a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_of(folder: Path) -> int:
    """Return the port at which the daemon tells its figures."""
    words = (folder / "jwstwatch.yaml").read_text()
    return int(words.partition("127.0.0.1:9")[2].partition("127.0.0.1:")[2].partition('"')[0])


if __name__ == "__main__":
    main()
