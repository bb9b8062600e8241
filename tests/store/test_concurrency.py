"""Several runs, threads and processes at one state: nothing is done twice, nothing is lost."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TypeVar

from sqlalchemy import update

from jwstwatch.core.model import FileState, Trigger
from jwstwatch.errors import BusyError
from jwstwatch.store import tables
from jwstwatch.store.engine import open_database
from jwstwatch.store.plans import PlanRow
from jwstwatch.store.store import Store
from tests.conftest import PROJECT
from tests.store.desk import NOW, OTHER, PROFILE, RATE, Desk, file_names, observation, row

Answer = TypeVar("Answer")


def all_at_once(url: str, tasks: Iterable[Callable[[Store], Answer]]) -> list[Answer]:
    """Do each task in a thread of its own, with a state of its own as another process has it."""
    tasks = list(tasks)
    barrier = threading.Barrier(len(tasks))

    def do(task: Callable[[Store], Answer]) -> Answer:
        with Store(open_database(url)) as store:
            store.runs.history(profile=None, limit=1)  # connected
            barrier.wait()
            return task(store)

    with ThreadPoolExecutor(len(tasks)) as pool:
        return [future.result() for future in [pool.submit(do, task) for task in tasks]]


def test_of_many_that_begin_one_run_at_once_one_does(url: str) -> None:
    def begin(store: Store) -> bool:
        try:
            store.runs.begin(PROFILE, Trigger.MANUAL, now=NOW)
        except BusyError:
            return False
        return True

    assert sorted(all_at_once(url, [begin] * 6)) == [False] * 5 + [True]


def test_two_profiles_may_list_the_same_things_at_once(desk: Desk, url: str) -> None:
    seen = [observation(number) for number in range(1, 41)]
    rows = [row(name, parent=parent) for name in file_names(60) for parent in (1001, 1002)]
    others = [desk.of(f"profile-{number}") for number in range(3)]

    def work(other: Desk) -> Callable[[Store], None]:
        def record(store: Store) -> None:
            mine = replace(other, store=store)
            mine.observe(*seen)
            recorded = mine.list(*rows)
            mine.plan(
                *(
                    PlanRow(
                        product_id=entry.id,
                        path=f"01345/{name}",
                        known=None,
                        state=FileState.WANTED,
                        reason="new",
                        priority=1,
                    )
                    for name, entry in recorded.items()
                )
            )

        return record

    all_at_once(url, [work(other) for other in others])
    assert len(desk.rows(tables.observation)) == 40
    assert len(desk.rows(tables.product)) == 60
    assert len(desk.rows(tables.listing)) == 120
    assert len(desk.rows(tables.file)) == 60
    assert len(desk.rows(tables.want)) == 180
    assert {entry.revision for entry in desk.rows(tables.product)} == {1}


def shared_files(desk: Desk, count: int) -> list[Desk]:
    """Two profiles that want the same files."""
    desk.want(*file_names(count))
    other = desk.of(OTHER)
    other.want(*file_names(count))
    return [desk, other]


def test_two_threads_never_claim_one_file(desk: Desk, url: str) -> None:
    desks = shared_files(desk, 40) * 2

    def claim_all(mine: Desk) -> Callable[[Store], list[int]]:
        def claim(store: Store) -> list[int]:
            claimed: list[int] = []
            while batch := replace(mine, store=store).claim(3):
                claimed += [entry.file_id for entry in batch]
            return claimed

        return claim

    claimed = chain(*all_at_once(url, [claim_all(mine) for mine in desks]))
    assert sorted(claimed) == sorted(entry.id for entry in desk.rows(tables.file))


# Claims a few files at a time until there are none; the first line waits for the other process.
_CHILD = """
import sys
from jwstwatch.store.store import open_store
from tests.store.desk import DAY, NOW
store = open_store(sys.argv[1], upgrade=False)
print("ready", flush=True)
sys.stdin.readline()
while batch := store.transfers.claim(
    int(sys.argv[2]), sys.argv[3], limit=2, now=NOW, lease_until=NOW + DAY
):
    print(*(claim.file_id for claim in batch), flush=True)
"""


def test_two_processes_never_claim_one_file(desk: Desk, url: str) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _CHILD, url, str(each.run.id), each.profile],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
        )
        for each in shared_files(desk, 60)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    claimed = [list(map(int, child.communicate()[0].split())) for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert sorted(chain(*claimed)) == sorted(entry.id for entry in desk.rows(tables.file))


def test_what_a_closed_run_still_holds_is_taken_over_by_one_only(desk: Desk, url: str) -> None:
    first, second = shared_files(desk, 10)
    assert len(first.claim()) == 10
    third = replace(second.of("third"), profile=second.profile)
    with desk.store.database.write() as connection:
        closed = update(tables.run).where(tables.run.c.id == first.run.id).values(outcome="cancelled")
        connection.execute(closed)

    def claim(mine: Desk) -> Callable[[Store], list[int]]:
        return lambda store: [entry.file_id for entry in replace(mine, store=store).claim(100)]

    claimed = chain(*all_at_once(url, [claim(second), claim(third)]))
    assert sorted(claimed) == sorted(entry.id for entry in desk.rows(tables.file))


def test_outcomes_of_two_runs_are_recorded_beside_each_other(desk: Desk, url: str) -> None:
    first, second = shared_files(desk, 16)
    mine, theirs = first.claim(8), second.claim(8)

    def place(each: Desk, claims: list[object]) -> Callable[[Store], None]:
        def placed(store: Store) -> None:
            for claim in claims:
                replace(each, store=store).place(claim)  # type: ignore[arg-type]

        return placed

    all_at_once(url, [place(first, [*mine]), place(second, [*theirs])])
    assert set(desk.states().values()) == {FileState.PRESENT}
    page, _, _ = desk.store.sites.pages(desk.root.id)[1345]
    # One for the plan of each, and one for each file that arrived: none of the marks got lost.
    assert page.changes == 18
    assert desk.rows(tables.intent) == []


def test_a_root_that_is_used_first_by_two_at_once_is_one(url: str) -> None:
    def add(store: Store) -> int:
        return store.roots.add(Path("/data"), identity="u" * 36, now=NOW).id

    assert len(set(all_at_once(url, [add] * 4))) == 1


def test_looking_is_not_in_the_way_of_writing(desk: Desk, url: str) -> None:
    desk.fetch(RATE)
    with Store(open_database(url, busy_timeout=0.1)) as other:
        copies = other.roots.copies(desk.root.id)
        assert len(next(copies)) == 1
        desk.list(row(size=2000))
        assert list(copies) == []
