"""What a run and the commands cost at growing sizes: `python -m benchmarks --to DIR`.

Worlds (a state and an output folder of so many files) are made in DIR once and found again. Each thing is
done in a process of its own, against an archive in another one on the loopback interface; what a daemon has
loaded is loaded before the clock starts. Prints a table and stores it in DIR. What did not do all that it
should is told as failed, without figures, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.archive import serving
from benchmarks.sky import FILES, FIRST_PROPOSAL, OBSERVATIONS
from benchmarks.worlds import NoWorldError, World, forget_newest, make_world, visits_of

SIZES = (1_000, 17_000, 200_000)
SMALL = 20_000
"""Up to so many files a thing is done three times, and the median counts."""
RECHECK = 169.0
"""Hours after which every product list is asked for again."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One line of the table for each size: a driver's action and its options."""

    name: str
    action: str
    words: tuple[str, ...] = ()
    latency: float = 0.0
    cold: bool = False
    """In an empty folder."""
    recheck: bool = False
    """Both times so much later than the last time that every list is asked for."""
    visit: bool = False
    most: int = 10**9
    """Left out beyond so many files."""


CASES = (
    Case(name="cold listing", action="list-cold", cold=True, most=250_000),
    Case(name="cold listing, 200 ms late", action="list-cold", cold=True, latency=0.2, most=250_000),
    Case(name="nothing new", action="run", words=("--again",)),
    Case(name="nothing new, 200 ms late", action="run", words=("--again",), latency=0.2),
    Case(name="nothing new, by folders", action="run", words=("--again", "--set", "disk_check=recheck")),
    Case(
        name="every list asked again",
        action="run",
        words=("--again", "--between", str(RECHECK)),
        recheck=True,
        most=250_000,
    ),
    Case(name="one new visit", action="run", words=("--again",), visit=True),
    Case(name="status", action="status"),
    Case(name="files --json", action="files"),
    Case(name="verify --quick", action="verify-quick"),
    Case(name="gaps", action="gaps"),
    Case(
        name="nothing new, with pages",
        action="run",
        words=("--again", "--set", "makewebpages=true"),
        most=SMALL,
    ),
    Case(
        name="one new visit, with pages",
        action="run",
        words=("--again", "--set", "makewebpages=true"),
        visit=True,
        most=SMALL,
    ),
)


class FailedError(Exception):
    """What was to be measured was not done, or not all of it."""


def main() -> None:
    """Measure, print, store."""
    options = _options()
    rows: list[dict[str, Any]] = []
    try:
        for size in options.sizes:
            print(f"making {size} files ...", file=sys.stderr, flush=True)
            world = make_world(options.to, size)
            for row in _measured(world, options.cases, options.before):
                rows.append(row)
                print(line(row), flush=True)
    except (NoWorldError, OSError) as error:
        sys.exit(f"python -m benchmarks: {error}")
    except KeyboardInterrupt:
        sys.exit("python -m benchmarks: interrupted")
    finally:
        if rows:
            print()
            for text in fits(rows):
                print(text)
            store(options.to, rows)
    failed = sum("failed" in row for row in rows)
    if failed:
        sys.exit(f"python -m benchmarks: {failed} of {len(rows)} measurements failed")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--to", type=Path, required=True, metavar="DIR", help="where worlds are made and kept"
    )
    parser.add_argument("--sizes", type=_size, nargs="+", default=SIZES, help=f"files (default: {SIZES})")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="cases whose name holds one")
    parser.add_argument(
        "--before", metavar="PYTHON", help="an interpreter that has jwst_mast_query 0.0.6: its figures beside"
    )
    options = parser.parse_args()
    options.to = options.to.absolute()
    # Of two sizes that come to the same number of visits there is one world.
    options.sizes = list({visits_of(size): size for size in options.sizes}.values())
    options.cases = [
        case for case in CASES if not options.only or any(word in case.name for word in options.only)
    ]
    if not options.cases:
        names = "; ".join(case.name for case in CASES)
        parser.error(f"argument --only: no case has {' or '.join(options.only)} in its name: {names}")
    if options.before and shutil.which(options.before) is None:
        parser.error(f"argument --before: {options.before} is no program that can be run")
    try:
        options.to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"argument --to: {error}")
    return options


def _size(text: str) -> int:
    size = int(text) if text.isascii() and text.isdigit() else 0
    if not size:
        raise argparse.ArgumentTypeError("write a number of files such as 1000")
    return size


def _measured(world: World, cases: Sequence[Case], python: str | None) -> Iterator[dict[str, Any]]:
    for case in cases:
        if world.files <= case.most:
            yield _row(case.name, world, lambda case=case: measure(case, world))
    if python and world.files <= SMALL:
        for latency in (0.0, 0.2):
            name = "jwst_mast_query" + (", 200 ms late" if latency else "")
            yield _row(name, world, lambda latency=latency: before(python, world, latency))


def _row(name: str, world: World, action: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    try:
        figures = action()
    except (FailedError, RuntimeError) as error:
        figures = {"failed": str(error)}
    return {"case": name, "files": world.files, **figures}


def measure(case: Case, world: World) -> dict[str, Any]:
    """Return the median figures of a case."""
    rounds = 3 if world.files <= SMALL else 1
    found = []
    for _ in range(rounds):
        try:
            found.append(_once(case, world))
        finally:
            if case.visit:
                forget_newest(world)
    middle = sorted(found, key=lambda figures: figures["cpu"])[rounds // 2]
    return middle | {"wall": statistics.median(figures["wall"] for figures in found)}


def _once(case: Case, world: World) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=world.folder.parent) as empty:
        folder = Path(empty) if case.cold else world.folder
        with serving(world.visits, today=world.today, latency=case.latency) as archive:
            words = [sys.executable, "-m", "benchmarks.driver", case.action, "--server", archive.url]
            words += ["--folder", str(folder), "--visits", str(world.visits), *case.words]
            if case.recheck:
                words += ["--later", str(_next_recheck(world))]
            if case.visit:
                words.append("--visit")
            figures = _done(words)
    missed = [
        f"{name} is {figures['said'].get(name)}, not {value}"
        for name, value in _expected(case, world).items()
        if figures["said"].get(name) != value
    ]
    if (case.recheck or case.cold) and not figures["requests"].get("Mast.Caom.Products"):
        missed.append("no product list was asked for")
    if missed:
        raise FailedError("; ".join(missed) + f" (all: {figures['said']})")
    return figures


def _done(words: Sequence[str]) -> dict[str, Any]:
    """Return the figures that a process prints."""
    done = subprocess.run(words, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise FailedError(f"it ended with {done.returncode}: {last}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _expected(case: Case, world: World) -> dict[str, Any]:
    """Return what is true of a thing that was done, and done to all files: else its figures mean nothing."""
    if case.action == "run":
        new = FILES if case.visit else 0
        return {"outcome": "complete", "error": None, "downloaded": new, "unchanged": world.files}
    if case.cold:
        return {"observations": world.visits * OBSERVATIONS, "files": world.files}
    whole = {"exit code": 0}
    return whole if case.action == "gaps" else whole | {"files": world.files}


def before(python: str, world: World, latency: float) -> dict[str, Any]:
    """Return what a run of jwst_mast_query costs that finds its files there, apart from imports."""
    script = Path(__file__).with_name("before.py")
    with serving(world.visits, today=world.today, latency=latency) as archive:
        words = [python, str(script), "--server", archive.url, "--folder", str(world.folder / "data")]
        words += ["--proposal", str(FIRST_PROPOSAL)]
        figures = _done(words)
        requests = archive.counts()
    if not requests.get("Mast.Caom.Products"):
        raise FailedError(f"it asked for no product list: {requests}")
    return {"statements": 0, "folders": 0, "rise": 0.0, "requests": requests, **figures}


def _next_recheck(world: World) -> float:
    """Return by how many hours the clock is to be ahead: each of two rechecks moves the world's memory on."""
    marks = world.folder / "rechecked"
    done = int(marks.read_text()) if marks.exists() else 0
    marks.write_text(str(done + 2))
    return (done + 1) * RECHECK


def line(row: Mapping[str, Any]) -> str:
    """Return a row of the table as text."""
    if "failed" in row:
        return f"{row['case']:28} {row['files']:>9,} files failed: {row['failed']}"
    requests = sum(row["requests"].values())
    return (
        f"{row['case']:28} {row['files']:>9,} files {row['wall']:8.2f} s {row['cpu']:8.2f} s CPU"
        f" {row['peak']:6.0f} MB (+{row['rise']:.0f}) {requests:>6} requests"
        f" {row['statements']:>7} statements {row['folders']:>6} folders"
    )


def fits(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield how the processor time of each case grows with the number of files."""
    by_case: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        if "failed" not in row:
            by_case.setdefault(row["case"], []).append((row["files"], row["cpu"]))
    for case, points in by_case.items():
        if len(points) > 1:
            base, slope = straight(points)
            power = exponent(points)
            yield (
                f"{case:28} {base:6.2f} s + {slope * 1e6:8.2f} s per million files"
                f"   (between the two largest: size ** {power:.2f})"
            )


def straight(points: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """Return (base, slope) of the line of least relative squares through (size, seconds)."""
    weights = [1 / max(seconds, 1e-3) ** 2 for _, seconds in points]
    total = sum(weights)
    mean_x = sum(w * x for w, (x, _) in zip(weights, points, strict=True)) / total
    mean_y = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
    spread = sum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, points, strict=True))
    both = sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points, strict=True))
    slope = both / spread
    return mean_y - slope * mean_x, slope


def exponent(points: Sequence[tuple[int, float]]) -> float:
    """Return the power of the size by which the cost grew between the two largest sizes."""
    (small, cheap), (large, dear) = sorted(points)[-2:]
    return math.log(max(dear, 1e-3) / max(cheap, 1e-3)) / math.log(large / small)


def store(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep the figures with what they were measured on."""
    now = datetime.now(UTC)
    path = folder / f"results-{now:%Y%m%dT%H%M%S}.json"
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    measured = {"at": now.isoformat(), "machine": machine, "rows": list(rows), "fits": list(fits(rows))}
    path.write_text(json.dumps(measured, indent=1))
    print(f"\nstored in {path}")


if __name__ == "__main__":
    main()
