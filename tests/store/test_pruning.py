"""Copies that nobody wants any more: which they are, and in which order they go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from jwstwatch.core.model import FileState, Outcome
from jwstwatch.core.planning import DiskKind, OnDisk
from jwstwatch.store import tables
from jwstwatch.store.choosing import GROUP, Choice
from jwstwatch.store.plans import Adopted, PlanRow
from jwstwatch.store.pruning import NOT_SELECTED
from jwstwatch.store.runs import Counts
from jwstwatch.store.withdrawals import UNLISTED
from tests.store.desk import HOUR, NOW, OTHER, PROFILE, RATE, Desk, digest, file_names, row


class Disk:
    """Stands for the disk: keeps what it was asked to remove, and leaves what it is told to leave."""

    def __init__(self, *, leave: Sequence[str] = ()) -> None:
        self.asked: list[list[str]] = []
        self.leave = leave

    def __call__(self, group: Sequence[Choice]) -> list[int]:
        self.asked.append([choice.name for choice in group])
        return [choice.file_id for choice in group if choice.name not in self.leave]


def candidates(desk: Desk, *configured: str) -> dict[str, str]:
    return {entry.file.name: entry.reason for entry in desk.store.pruning.candidates(configured)}


def prune(desk: Desk, *configured: str, disk: Disk | None = None) -> list[str]:
    found = desk.store.pruning.candidates(configured)
    gone = desk.store.pruning.prune(found, configured, remove=disk or Disk(), now=desk.now)
    return [entry.file.name for entry in gone]


def unselect(desk: Desk, *names: str) -> None:
    desk.plan(skipped=[desk.product_id(name) for name in names])


def take(desk: Desk, name: str) -> None:
    """Let a profile want a copy that is there."""
    desk.replan(name, on_disk=OnDisk(DiskKind.FILE, 1000))


def test_what_the_configured_profiles_want_is_never_a_candidate(desk: Desk) -> None:
    names = file_names(3)
    desk.fetch(*names)
    assert candidates(desk, PROFILE) == {}
    assert desk.store.reports.unselected([PROFILE]) == (0, 0)
    unselect(desk, names[0])
    assert candidates(desk, PROFILE) == {names[0]: NOT_SELECTED}
    assert desk.store.reports.unselected([PROFILE, OTHER]) == (1, 1000)
    # Wanted again, it is kept again.
    take(desk, names[0])
    assert candidates(desk, PROFILE) == {}


def test_the_files_of_a_profile_that_is_no_more_are_candidates_unless_another_wants_them(desk: Desk) -> None:
    names = file_names(3)
    desk.fetch(*names)
    other = desk.of(OTHER)
    take(other, names[1])
    reason = f"profile {PROFILE} is not in the configuration"
    assert candidates(desk, OTHER) == {names[0]: reason, names[2]: reason}
    third = desk.of("third")
    take(third, names[0])
    assert candidates(desk, OTHER)[names[0]] == f"profiles {PROFILE}, third are not in the configuration"
    assert desk.store.reports.unselected([OTHER]) == (2, 2000)


def test_a_typed_download_keeps_its_files(desk: Desk) -> None:
    desk.fetch(RATE)
    typed = desk.of("one-off:0123456789ab")
    take(typed, RATE)
    unselect(desk, RATE)
    assert candidates(desk) == {}
    typed_only = "jw01345001001_02101_00001_nrcb1_rate.fits"
    typed.fetch(typed_only)
    assert candidates(desk, PROFILE) == {}


def test_what_was_adopted_and_what_was_dropped_stays(desk: Desk) -> None:
    (adopted, dropped), name = file_names(2), "jw01345001001_02101_00001_nrcb1_rate.fits"
    recorded = desk.list(row(adopted))
    copy = Adopted(size=1000, sha256=digest("content"), modified_ns=7, revision=1)
    desk.store.plans.adopt(
        desk.root.id,
        [
            PlanRow(
                product_id=recorded[adopted].id,
                path=f"01345/{adopted}",
                known=None,
                state=FileState.PRESENT,
                reason=None,
                priority=1,
                adopted=copy,
            )
        ],
        now=NOW,
    )
    desk.fetch(dropped, name)
    desk.store.drops.drop(desk.store.drops.choose([dropped]), now=NOW)
    assert candidates(desk) == {name: f"profile {PROFILE} is not in the configuration"}


def test_what_has_no_copy_or_is_under_way_is_no_candidate(desk: Desk) -> None:
    names = file_names(3)
    ids = desk.fetch(names[0])
    desk.want(*names[1:])
    (claim, _) = desk.claim()
    desk.intend(claim)
    desk.set_file([ids[names[0]]], state=FileState.STALE.value, claimed_by=desk.run.id)
    assert candidates(desk) == {}
    with desk.store.database.write() as connection:
        connection.execute(update(tables.run).values(outcome="cancelled"))
    assert list(candidates(desk)) == [names[0]]


def test_what_is_removed_is_forgotten_but_for_its_history(desk: Desk) -> None:
    names = file_names(3)
    desk.fetch(*names)
    unselect(desk, *names[:2])
    disk = Disk(leave=[names[1]])
    assert prune(desk, PROFILE, disk=disk) == [names[0]]
    assert disk.asked == [names[:2]]
    assert set(desk.states()) == {names[1], names[2]}
    assert desk.product(names[0]).files == ()
    last = desk.product(names[0]).events[-1]
    assert last.kind == "pruned"
    assert last.detail == f"{desk.root.path / '01345' / names[0]} was removed: {NOT_SELECTED}"
    assert desk.kinds(names[0]) == ["wanted", "fetched", "pruned"]
    assert candidates(desk, PROFILE) == {names[1]: NOT_SELECTED}


def test_the_history_of_a_removed_file_is_not_taken_for_that_of_a_later_one(desk: Desk) -> None:
    desk.fetch(RATE)
    unselect(desk, RATE)
    prune(desk, PROFILE)
    later = "jw02733001001_02101_00001_mirimage_rate.fits"
    desk.fetch(later)  # may get the number of the one that is gone
    assert {event.path for event in desk.product(RATE).events} == {None}
    desk.replan(RATE)
    assert desk.product(RATE).files[0].state is FileState.WANTED


def test_what_a_run_took_up_since_it_was_looked_at_is_not_removed(desk: Desk) -> None:
    names = file_names(2)
    desk.fetch(*names)
    unselect(desk, *names)
    found = desk.store.pruning.candidates([PROFILE])
    take(desk, names[0])
    disk = Disk()
    gone = desk.store.pruning.prune(found, [PROFILE], remove=disk, now=NOW)
    assert [entry.file.name for entry in gone] == [names[1]]
    assert disk.asked == [[names[1]]]


def test_what_was_moved_or_replaced_since_it_was_looked_at_is_not_removed(desk: Desk) -> None:
    moved, replaced, stale = names = file_names(3)
    ids = desk.fetch(*names)
    unselect(desk, *names)
    found = desk.store.pruning.candidates([PROFILE])
    desk.set_file([ids[moved]], path=f"01345/obsnum01/{moved}")
    desk.set_file([ids[replaced]], sha256=digest("newer"))
    desk.set_file([ids[stale]], state=FileState.STALE.value)
    # Where they stood nothing is left: by the disk alone they would pass for removed.
    gone = desk.store.pruning.prune(found, [PROFILE], remove=Disk(), now=NOW)
    assert [entry.file.name for entry in gone] == [stale]
    assert candidates(desk, PROFILE) == {moved: NOT_SELECTED, replaced: NOT_SELECTED}


def test_many_files_go_in_groups_and_a_kill_leaves_what_the_next_call_forgets(desk: Desk) -> None:
    names = file_names(2 * GROUP + 5)
    desk.fetch(*names)
    unselect(desk, *names)

    class Killed(Disk):
        def __call__(self, group: Sequence[Choice]) -> list[int]:
            done = super().__call__(group)
            if len(self.asked) == 2:
                raise KeyboardInterrupt  # these files are gone, and nobody wrote it down
            return done

    found = desk.store.pruning.candidates([PROFILE])
    with pytest.raises(KeyboardInterrupt):
        desk.store.pruning.prune(found, [PROFILE], remove=Killed(), now=NOW)
    assert len(candidates(desk, PROFILE)) == GROUP + 5
    disk = Disk()
    assert len(prune(desk, PROFILE, disk=disk)) == GROUP + 5
    assert [len(group) for group in disk.asked] == [GROUP, 5]
    assert desk.states() == {}


def test_pages_are_due_where_files_are_left_and_forgotten_where_none_is(desk: Desk) -> None:
    other = "jw02733001001_02101_00001_mirimage_rate.fits"
    kept, gone = file_names(2)
    desk.fetch(kept, gone)
    recorded = desk.list(row(other, proposal=2733))
    values = {"known": None, "state": FileState.WANTED, "reason": "new", "priority": 1}
    desk.plan(PlanRow(product_id=recorded[other].id, path=f"02733/{other}", **values))  # type: ignore[arg-type]
    desk.place(*desk.claim())
    pages = desk.store.sites.pages(desk.root.id)
    for page, _, _ in pages.values():
        desk.store.sites.mark_written(desk.root.id, page, {}, settings="d")
    unselect(desk, gone, other)
    prune(desk, PROFILE)
    assert {number: due for number, (_, due, _) in desk.store.sites.pages(desk.root.id).items()} == {
        1345: True
    }


def test_nothing_of_an_ended_profile_is_left_behind_that_refers_to_a_removed_file(desk: Desk) -> None:
    desk.fetch(*file_names(2))
    desk.store.runs.finish(desk.run, Outcome.COMPLETE, counts=Counts(), error=None, now=NOW + HOUR)
    assert len(prune(desk, OTHER)) == 2
    assert desk.rows(tables.want) == []
    assert desk.rows(tables.file) == []
    # Its memory stays: should it come back, it goes on from its floor.
    assert desk.store.profiles.names() == [PROFILE]


# -- one file on disk, known in two output folders


def second_root(desk: Desk, path: Path, profile: str = OTHER) -> Desk:
    """Return a desk of another profile, with another output folder."""
    root = desk.store.roots.add(path, now=NOW)
    return replace(desk.of(profile), root=root)


@pytest.fixture
def nested(desk: Desk, tmp_path: Path) -> tuple[Desk, Desk]:
    """Two profiles; the second's output folder lies in the first's, and one file is in both."""
    outer = second_root(desk, tmp_path / "outer", PROFILE + "-outer")
    inner = second_root(desk, tmp_path / "outer" / "01345")
    outer.fetch(RATE)
    ids = inner.fetch(RATE)
    inner.set_file(ids.values(), path=RATE)
    return outer, inner


def test_a_file_that_another_folder_s_profile_wants_stays_wherever_it_is_not_selected(
    desk: Desk, nested: tuple[Desk, Desk]
) -> None:
    outer, inner = nested
    for ended, kept in ((outer, inner), (inner, outer)):
        assert candidates(desk, kept.profile) == {}, ended.profile
        assert desk.store.reports.unselected([kept.profile]) == (0, 0)
    # Where nobody wants it in either, it goes, and both records with it.
    assert desk.store.reports.unselected([PROFILE]) == (2, 2000)
    assert prune(desk, PROFILE) == [RATE, RATE]
    assert desk.rows(tables.file) == []


@pytest.mark.parametrize("why", ["typed", "dropped", "adopted"])
def test_what_stays_for_another_reason_in_one_folder_stays_in_the_other(
    desk: Desk, nested: tuple[Desk, Desk], why: str
) -> None:
    inner = nested[1]
    (file_id,) = [row.id for row in desk.rows(tables.file) if row.root_id == inner.root.id]
    with desk.store.database.write() as connection:
        if why == "dropped":
            connection.execute(update(tables.file).where(tables.file.c.id == file_id).values(declined=True))
        elif why == "typed":
            values = {"profile": "one-off:0123456789ab"}
            connection.execute(update(tables.want).where(tables.want.c.file_id == file_id).values(values))
        else:
            connection.execute(delete(tables.want).where(tables.want.c.file_id == file_id))
    assert candidates(desk, PROFILE) == {}
    assert desk.store.reports.unselected([PROFILE]) == (0, 0)


def test_a_file_that_is_wanted_by_way_of_a_linked_folder_stays(desk: Desk, tmp_path: Path) -> None:
    real = tmp_path / "real"
    (real / "01345").mkdir(parents=True)
    (tmp_path / "data").symlink_to(real)
    (tmp_path / "data2").mkdir()
    (tmp_path / "data2" / "01345").symlink_to(real / "01345")
    first = second_root(desk, tmp_path / "data", "first")
    first.fetch(RATE)
    assert candidates(desk, PROFILE) == {RATE: "profile first is not in the configuration"}
    third = second_root(desk, tmp_path / "data2", "third")
    third.want(RATE)
    assert candidates(desk, "third") == {}
    assert candidates(desk, "first") == {}
    # Elsewhere the same name is another file.
    assert candidates(desk, PROFILE) == {RATE: "profile first is not in the configuration"}


def test_what_another_folder_s_profile_began_to_want_meanwhile_is_not_removed(
    desk: Desk, nested: tuple[Desk, Desk]
) -> None:
    found = desk.store.pruning.candidates([PROFILE])
    assert len(found) == 2
    disk = Disk()
    gone = desk.store.pruning.prune(found, [PROFILE, nested[1].profile], remove=disk, now=NOW)
    assert gone == []
    assert disk.asked == [[]]


# -- gone from the archive


def test_what_the_archive_has_no_more_is_pruned_only_where_that_is_meant(desk: Desk) -> None:
    names = file_names(2)
    ids = desk.fetch(*names)
    unselect(desk, *names)
    found = desk.store.pruning.candidates([PROFILE])
    desk.set_file([ids[names[0]]], state=FileState.GONE.value)
    assert list(candidates(desk, PROFILE)) == [names[1]]
    assert desk.store.reports.unselected([PROFILE]) == (1, 1000)
    every = desk.store.pruning.candidates([PROFILE], gone=True)
    assert {entry.file.name: entry.is_gone for entry in every} == {names[0]: True, names[1]: False}
    # Also where it disappeared from the archive since it was looked at.
    gone = desk.store.pruning.prune(found, [PROFILE], remove=Disk(), now=NOW)
    assert [entry.file.name for entry in gone] == [names[1]]
    gone = desk.store.pruning.prune(every, [PROFILE], remove=Disk(), now=NOW, gone=True)
    assert [entry.file.name for entry in gone] == [names[0]]


def gone_names(desk: Desk, *, removed: bool = False) -> list[str]:
    """The copies of what the archive has no more; or (removed) those that go."""
    found = desk.store.pruning.gone()
    if removed:
        found = desk.store.pruning.prune_gone(found, remove=Disk(), now=desk.now)
    return [entry.file.name for entry in found]


def test_copies_that_the_archive_has_no_more_go_whoever_wants_them(desk: Desk) -> None:
    present, wanted, unwanted, lost, dropped = names = file_names(5)
    ids = desk.fetch(*names)
    unselect(desk, unwanted)
    desk.set_file([ids[name] for name in names[1:]], state=FileState.GONE.value)
    desk.set_file([ids[lost]], size=None)
    desk.set_file([ids[dropped]], declined=True)
    assert gone_names(desk) == [wanted, unwanted]
    assert {entry.reason for entry in desk.store.pruning.gone()} == {UNLISTED}
    found = desk.store.pruning.gone()
    desk.set_file([ids[wanted]], state=FileState.PRESENT.value)
    done = desk.store.pruning.prune_gone(found, remove=Disk(), now=desk.now)
    assert [entry.file.name for entry in done] == [unwanted]
    assert set(desk.states()) == {present, wanted, lost, dropped}
    assert desk.kinds(unwanted)[-1] == "pruned"


@pytest.mark.parametrize("why", ["present", "wanted", "dropped"])
def test_a_copy_that_another_record_protects_outlasts_the_archive(
    desk: Desk, nested: tuple[Desk, Desk], why: str
) -> None:
    outer, inner = (
        [row.id for row in desk.rows(tables.file) if row.root_id == one.root.id] for one in nested
    )
    desk.set_file([*outer, *inner], state=FileState.GONE.value)
    if why == "dropped":
        desk.set_file(inner, declined=True)
    else:
        desk.set_file(inner, state=why)
    assert gone_names(desk) == []
    desk.set_file(inner, state=FileState.GONE.value, declined=False)
    assert gone_names(desk) == [RATE, RATE]
    assert gone_names(desk, removed=True) == [RATE, RATE]
    assert desk.rows(tables.file) == []
