"""Files that are given up on purpose: named in many ways, never fetched or missed, wanted again one day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from jwstwatch.core.model import FileState
from jwstwatch.core.planning import NEWER_REVISION, NO_TOKEN, Action, DiskKind, OnDisk
from jwstwatch.core.retrying import FailureKind
from jwstwatch.errors import BusyError, ExitCode, UsageError
from jwstwatch.store import tables
from jwstwatch.store.choosing import Choice
from jwstwatch.store.drops import DROPPED, SINCE_UNDROPPED, WANTED_AGAIN
from tests.store.desk import DAY, HOUR, NOW, OTHER, PROFILE, RATE, Desk, file_names, observation, row


def drop(desk: Desk, *names: str, **options: Any) -> list[str]:
    chosen = desk.store.drops.choose(names, **options)
    return sorted(choice.name for choice in desk.store.drops.drop(chosen, now=desk.now))


def undrop(desk: Desk, *names: str, missing: bool = False) -> list[str]:
    chosen = desk.store.drops.choose(names)
    gone = {choice.file_id for choice in chosen} if missing else set()
    return sorted(choice.name for choice in desk.store.drops.undrop(chosen, missing=gone, now=desk.now))


# -- names


def test_a_file_is_meant_by_its_name_its_path_or_its_uri(desk: Desk) -> None:
    desk.fetch(RATE)
    path = str(desk.root.path / "01345" / RATE)
    for name in (RATE, path, f"mast:JWST/product/{RATE}"):
        (choice,) = desk.store.drops.choose([name])
        assert (choice.name, str(choice.full), choice.identity) == (RATE, path, desk.root.uuid)
        assert (choice.size, choice.state, choice.has_copy) == (1000, FileState.PRESENT, True)
    assert len(desk.store.drops.choose([RATE, path, RATE])) == 1


def test_a_name_means_every_copy_and_a_path_one_of_them(desk: Desk) -> None:
    desk.fetch(RATE)
    second = desk.of(OTHER)
    second.want(RATE, folder="elsewhere")
    assert len(desk.store.drops.choose([RATE])) == 2
    (one,) = desk.store.drops.choose([str(desk.root.path / "elsewhere" / RATE)])
    assert (one.path, one.has_copy) == (f"elsewhere/{RATE}", False)
    (mine,) = desk.store.drops.choose([RATE], profiles=[PROFILE])
    assert mine.path == f"01345/{RATE}"


def test_a_name_that_nobody_knows_is_told_with_those_it_may_mean_and_nothing_is_done(desk: Desk) -> None:
    desk.fetch(RATE)
    typo = RATE.replace("nrca1", "nrcq1")
    with pytest.raises(UsageError, match=f"no file is known as {typo}") as caught:
        drop(desk, RATE, typo)
    assert caught.value.exit_code is ExitCode.USAGE
    assert RATE in caught.value.hint
    assert not desk.file().declined
    for nonsense in ("/nowhere/at/all.fits", "mast:JWST/product/none", "x", ""):
        with pytest.raises(UsageError):
            drop(desk, nonsense)
    with pytest.raises(UsageError, match="and 3 more"):
        drop(desk, *(f"x{number}" for number in range(6)))


def test_a_file_that_another_profile_wants_is_not_meant_where_one_is_named(desk: Desk) -> None:
    desk.fetch(RATE)
    with pytest.raises(UsageError, match=f"not among the files of {OTHER}: {RATE}"):
        drop(desk, RATE, profiles=[OTHER])


# -- dropped


def test_a_dropped_file_is_never_fetched_and_never_counted(desk: Desk) -> None:
    names = file_names(4)
    desk.observe(observation(1))
    desk.fetch(names[3])
    desk.want(*names[:2])
    assert drop(desk, names[0], names[3]) == [names[0], names[3]]
    assert desk.store.transfers.planned(0, PROFILE, now=NOW, force=True) == (1, 1000)
    assert [claim.name for claim in desk.claim(force=True)] == [names[1]]
    counts = desk.store.reports.counts()[PROFILE]
    assert counts.files == {FileState.WANTED: 1}
    assert (counts.bytes_present, counts.bytes_wanted) == (0, 1000)
    assert desk.store.reports.of_run(desk.run.id, PROFILE).products == 1
    kept = desk.product(names[3]).files[0]
    assert (kept.declined, kept.state, kept.reason) == (True, FileState.PRESENT, DROPPED)
    assert desk.kinds(names[0]) == ["wanted", "dropped"]


def test_planning_leaves_a_dropped_file_alone_whatever_lies_on_disk(desk: Desk) -> None:
    desk.want(RATE)
    drop(desk, RATE)
    for on_disk in (None, OnDisk(DiskKind.FILE, 1000), OnDisk(DiskKind.LINK, 3)):
        assert desk.replan(on_disk=on_disk).action is Action.NOTHING
    file = desk.file()
    assert (file.declined, file.state, file.reason) == (True, FileState.WANTED, DROPPED)


def test_nothing_that_frees_files_frees_a_dropped_one(desk: Desk) -> None:
    desk.want(RATE, state=FileState.WITHHELD, reason=NO_TOKEN)
    chosen = desk.store.drops.choose([RATE])
    desk.store.drops.drop(chosen, now=NOW)
    desk.set_file([chosen[0].file_id], reason=NO_TOKEN)
    assert desk.store.plans.ask_withheld_again(PROFILE, now=NOW, token_since=NOW) == 0
    desk.set_file([chosen[0].file_id], state=FileState.PRESENT.value)
    desk.store.plans.fetch_again(PROFILE, now=NOW)
    assert desk.claim(force=True) == []
    assert desk.states()[RATE] is FileState.PRESENT


def test_what_is_dropped_twice_is_told_once(desk: Desk) -> None:
    desk.want(RATE)
    assert drop(desk, RATE) == [RATE]
    assert drop(desk, RATE) == []
    assert desk.kinds() == ["wanted", "dropped"]


def test_what_is_in_transfer_cannot_be_dropped_until_the_run_is_over(desk: Desk) -> None:
    names = file_names(2)
    desk.want(*names)
    desk.claim(1)
    with pytest.raises(BusyError, match=f"{names[0]} is being fetched") as caught:
        drop(desk, *names)
    assert caught.value.exit_code is ExitCode.BUSY
    assert not any(desk.product(name).files[0].declined for name in names)
    # The claim of a process that died holds nobody up.
    with desk.store.database.write() as connection:
        connection.execute(update(tables.run).values(process_start="0:1"))
    assert drop(desk, *names) == names


def test_the_page_of_a_dropped_file_is_written_anew(desk: Desk) -> None:
    desk.fetch(RATE)
    ((page, _, _),) = desk.store.sites.pages(desk.root.id).values()
    desk.store.sites.mark_written(desk.root.id, page, {}, settings="d")
    drop(desk, RATE)
    assert [due for _, due, _ in desk.store.sites.pages(desk.root.id).values()] == [True]


def test_a_removed_copy_is_forgotten_and_the_file_stays_dropped(desk: Desk) -> None:
    desk.fetch(RATE)
    chosen = desk.store.drops.choose([RATE])
    asked: list[str] = []

    def remove(group: Sequence[Choice]) -> list[int]:
        asked.extend(choice.name for choice in group)
        return [choice.file_id for choice in group]

    stay = desk.store.drops.remove_copies(chosen, remove=remove, now=NOW)  # it was not dropped
    assert (stay, asked) == ({chosen[0].file_id: SINCE_UNDROPPED}, [])
    assert desk.file().state is FileState.PRESENT
    desk.store.drops.drop(chosen, now=NOW)
    assert desk.store.drops.remove_copies(chosen, remove=remove, now=NOW) == {}
    assert asked == [RATE]
    file = desk.row_of(chosen[0].file_id)
    assert (file.state, file.declined, file.size, file.sha256, file.revision) == (
        "wanted",
        True,
        None,
        None,
        None,
    )
    assert desk.kinds()[-2:] == ["dropped", "removed"]
    assert desk.claim(force=True) == []


# -- and wanted again


def test_what_is_wanted_again_is_fetched_where_no_copy_is_there(desk: Desk) -> None:
    desk.want(RATE)
    (claim,) = desk.claim()
    desk.fail(claim, kind=FailureKind.CONTENT)
    drop(desk, RATE)
    assert undrop(desk, RATE, missing=True) == [RATE]
    file = desk.file()
    assert (file.declined, file.state, file.reason) == (False, FileState.WANTED, WANTED_AGAIN)
    assert (file.attempts, file.last_error, file.next_attempt_at) == (0, None, None)
    assert [claim.name for claim in desk.next_run().claim()] == [RATE]
    assert desk.kinds()[-2:] == ["dropped", "undropped"]


def test_a_copy_that_is_another_profile_s_too_in_another_folder_is_left(desk: Desk, tmp_path: Path) -> None:
    roots = [
        desk.store.roots.add(
            tmp_path / path, identity=f"00000000-0000-4000-8000-00000000001{number}", now=NOW
        )
        for number, path in enumerate(("real", "linked"))
    ]
    (tmp_path / "real" / "01345").mkdir(parents=True)
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    first, second = (
        replace(desk.of(profile), root=root) for profile, root in zip(("a", "b"), roots, strict=True)
    )
    first.fetch(RATE)
    second.fetch(RATE)

    def remove(group: Sequence[Choice]) -> list[int]:
        return [choice.file_id for choice in group]

    (mine,) = desk.store.drops.choose([RATE], profiles=["a"])
    desk.store.drops.drop([mine], now=NOW)
    stay = desk.store.drops.remove_copies([mine], remove=remove, now=NOW)
    assert stay == {mine.file_id: f"the copy is also b's in {tmp_path / 'linked'}"}
    assert desk.row_of(mine.file_id).size == 1000
    # Given up as well, but with a copy that was to stay: it stays.
    both = desk.store.drops.choose([RATE])
    desk.store.drops.drop(both, now=NOW)
    assert desk.store.drops.remove_copies([mine], remove=remove, now=NOW) == stay
    assert desk.store.drops.remove_copies(both, remove=remove, now=NOW) == {}
    assert [row.size for row in desk.rows(tables.file)] == [None, None]


def test_a_copy_that_stayed_counts_again(desk: Desk) -> None:
    desk.fetch(RATE)
    drop(desk, RATE)
    assert undrop(desk, RATE) == [RATE]
    file = desk.file()
    assert (file.declined, file.state, file.reason, file.size) == (False, FileState.PRESENT, None, 1000)
    assert desk.store.reports.counts()[PROFILE].files == {FileState.PRESENT: 1}
    assert undrop(desk, RATE) == []


def test_a_copy_that_was_reprocessed_meanwhile_is_replaced_once_it_is_wanted_again(desk: Desk) -> None:
    desk.observe(observation(1))
    desk.fetch(RATE)
    drop(desk, RATE)
    later = desk.later(90 * DAY)
    later.list(row(RATE, prvversion="1.18.0", size=1200))
    assert later.claim(force=True) == []
    undrop(later, RATE)
    assert (later.file().state, later.file().reason) == (FileState.STALE, NEWER_REVISION)
    assert [claim.replaces for claim in later.next_run().later(HOUR).claim()] == [True]
