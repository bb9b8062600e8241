"""One thing done to one world in a process of its own, measured; prints JSON.

What a daemon has loaded is loaded before the clock starts: imports, the client, the open state.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.archive import SETTLED, SPAN, Client
from benchmarks.sky import VISITS
from benchmarks.worlds import PROFILE, World


@dataclass
class Figures:
    """What one action cost: seconds, requests by kind, SQL statements, memory in MB."""

    wall: float
    cpu: float
    rise: float
    """MB by which the peak memory rose over what was loaded."""
    peak: float
    statements: int
    folders: int
    requests: dict[str, int]
    said: dict[str, Any]


def main() -> None:
    """Do it and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=sorted(ACTIONS))
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--visits", type=int, required=True)
    parser.add_argument("--server", required=True)
    parser.add_argument("--later", type=float, default=0.0, help="hours by which the clock is ahead")
    parser.add_argument("--again", action="store_true", help="do it once before, as a daemon has")
    parser.add_argument("--visit", action="store_true", help="a visit ends between the two")
    parser.add_argument("--between", type=float, default=0.0, help="hours that pass between the two")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of the profile")
    options = parser.parse_args()
    parameters = dict(text.split("=", 1) for text in options.set)
    world = World(options.folder, options.visits, datetime.now(UTC))
    clock = Clock(timedelta(hours=options.later))
    before = None
    if options.again:
        visit = Client(options.server).add_visit if options.visit else _nothing
        before = functools.partial(_pass, clock, timedelta(hours=options.between), visit)
    if "disk_check" in parameters:
        _trust_young_folders()
    doing = Doing(
        world=world,
        server=options.server,
        clock=clock,
        parameters=parameters,
        before=before,
    )
    json.dump(asdict(ACTIONS[options.action](doing)), sys.stdout)


@dataclass
class Clock:
    """A clock that is `ahead` of the machine's."""

    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        """Return what it shows, in UTC."""
        return datetime.now(UTC) + self.ahead


def _pass(clock: Clock, span: timedelta, happens: Callable[[], None]) -> None:
    """Let so much time go by, at the end of which something happens."""
    clock.ahead += span
    happens()


def _nothing() -> None:
    """Let nothing happen between two runs."""


def _trust_young_folders() -> None:
    """Take the times of folders that changed a moment ago, too: the world may have been made just now."""
    from jwstwatch.disk import comparing

    comparing.SETTLED_NS = 0  # type: ignore[misc]


@dataclass(frozen=True, kw_only=True)
class Doing:
    """What is to be done to which world; with `before` it is done twice, and that is called in between."""

    world: World
    server: str
    clock: Clock
    parameters: dict[str, Any]
    before: Callable[[], None] | None = None

    @contextlib.contextmanager
    def context(self) -> Iterator[tuple[Any, Any]]:
        """Yield the profile and the context of its runs, as a daemon has them."""
        from jwstwatch import logs
        from jwstwatch.archive import session
        from jwstwatch.archive.mast import MastArchive
        from jwstwatch.store.store import open_store
        from jwstwatch.sync.context import Context

        settings = self.world.settings(self.server, **self.parameters)
        session._load_class()
        stop = threading.Event()
        with logs.bound(), open_store(settings.state_url, upgrade=True) as store:
            yield (
                settings.profiles[PROFILE],
                Context(
                    store=store,
                    archive=MastArchive(self.server, timeout=60.0, stop=stop),
                    mast=settings.mast,
                    profiles=settings.profiles,
                    stop=stop,
                    now=self.clock.now,
                ),
            )


def run(doing: Doing, *, full: bool = False) -> Figures:
    """One run of the profile."""
    from jwstwatch.core.model import Trigger
    from jwstwatch.sync import story
    from jwstwatch.sync.context import Options

    with doing.context() as (profile, context):

        def act() -> Any:
            return story.run(
                profile, context=context, trigger=Trigger.SCHEDULE, options=Options(full=full, yes=True)
            )

        if doing.before is not None:
            act()
            doing.before()
        with counting() as counted:
            figures = measured(act, doing.server)
        record = figures.said["result"].record
        figures.said = {
            "outcome": str(record.outcome),
            "error": record.error_message,
            "downloaded": record.counts.downloaded,
            "unchanged": record.counts.unchanged,
            "pages": record.counts.pages,
        }
        return replace(figures, **counted)


def list_cold(doing: Doing) -> Figures:
    """The observations and product lists of everything, planned in an empty state; nothing is fetched."""
    from jwstwatch.core.model import Trigger
    from jwstwatch.store.reports import FileQuery
    from jwstwatch.sync import listing, roots, rules
    from jwstwatch.sync.context import Options

    if doing.world.visits > VISITS:
        # The window of such a world's runs is a week, in which it has nothing.
        everything = {"lookbacktime": (SPAN + 2 * SETTLED).days}
        doing = replace(doing, parameters=everything | doing.parameters)
    with doing.context() as (profile, context):
        store = context.store

        def act() -> int:
            record = store.runs.begin(PROFILE, Trigger.MANUAL, now=context.now())
            root = roots.open_root(context, rules.root_of(profile.parameters))
            subject = listing.Subject(run=record, profile=profile, root=root, options=Options())
            listing.list_and_plan(context, subject, listing.Heard())
            count: int = store.listings.count_observations(PROFILE)
            return count

        with counting() as counted:
            figures = measured(act, doing.server)
        wanted = len(list(store.reports.files(FileQuery(profile=PROFILE))))
        figures.said = {"observations": figures.said["result"], "files": wanted}
        return replace(figures, **counted)


def command(*words: str, files: Callable[[Output], int] | None = None) -> Callable[..., Figures]:
    """Return an action: the command, its imports loaded before; `files` reads its output for how many."""

    def act(doing: Doing) -> Figures:
        from jwstwatch.cli.main import main as cli

        doing.world.settings(doing.server, **doing.parameters)
        place = ["--config", str(doing.world.folder / "jwstwatch.yaml")]
        with contextlib.redirect_stdout(Output()):
            cli(["runs", *place])
        with contextlib.redirect_stdout(Output()) as output, counting() as counted:
            figures = measured(lambda: cli([words[0], *place, *words[1:]]), doing.server)
        figures.said = {"exit code": int(figures.said["result"]), "characters": output.characters}
        if files is not None and not figures.said["exit code"]:
            figures.said["files"] = files(output)
        return replace(figures, **counted)

    return act


class Output(io.TextIOBase):
    """A standard output that counts, and keeps only how it begins."""

    _KEPT = 1_000_000

    def __init__(self) -> None:
        self.characters = self.rows = 0
        self._beginning: list[str] = []

    def write(self, text: str) -> int:
        if self.characters < self._KEPT:
            self._beginning.append(text)
        self.characters += len(text)
        self.rows += '"uri": ' in text
        return len(text)

    def document(self) -> Any:
        """Return the JSON that was written, if it is not too long."""
        return json.loads("".join(self._beginning))


def _files_of_status(output: Output) -> int:
    files: dict[str, int] = output.document()["profiles"][0]["files"]
    return files["present"] if sum(files.values()) == files["present"] else -1


def _files_verified(output: Output) -> int:
    document = output.document()
    return -1 if document["bad"] else int(document["checked"])


@contextlib.contextmanager
def counting() -> Iterator[dict[str, int]]:
    """Count SQL statements (one for each set of rows) and folders listed, of this whole process."""
    from sqlalchemy import Engine, event

    counted = {"statements": 0, "folders": 0}

    def note(*_: object) -> None:
        counted["statements"] += 1

    scandir = os.scandir

    def listed(*arguments: Any) -> Any:
        counted["folders"] += 1
        return scandir(*arguments)

    event.listen(Engine, "before_cursor_execute", note)
    os.scandir = listed  # type: ignore[assignment,misc]
    try:
        yield counted
    finally:
        os.scandir = scandir  # type: ignore[misc]
        event.remove(Engine, "before_cursor_execute", note)


def measured(action: Callable[[], Any], server: str) -> Figures:
    """Do it and say what it cost; what it returns is in `said`."""
    client = Client(server) if server.startswith("http") else None
    if client is not None:
        client.counts()
    before, cpu, began = _peak(), time.process_time(), time.perf_counter()
    result = action()
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = _peak()
    return Figures(
        wall=wall,
        cpu=cpu,
        rise=peak - before,
        peak=peak,
        statements=0,
        folders=0,
        requests=client.counts() if client is not None else {},
        said={"result": result},
    )


def _peak() -> float:
    """Return the most memory of this process so far, in MB."""
    with contextlib.suppress(OSError), open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    # Where there is no such file; Linux counts what the parent had at the start of this process, too.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


ACTIONS: dict[str, Callable[..., Figures]] = {
    "run": run,
    "run-full": functools.partial(run, full=True),
    "list-cold": list_cold,
    "status": command("status", "--json", files=_files_of_status),
    "files": command("files", "--json", files=lambda output: output.rows),
    "verify-quick": command("verify", "--quick", "--json", files=_files_verified),
    "gaps": command("gaps", "--json"),
}

if __name__ == "__main__":
    main()
