"""Room: what fits arrives in the order of the priority, the rest waits, says so, and comes once it fits."""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import literal, select, update

from jwstwatch.core.amounts import size_text
from jwstwatch.core.model import FileState, Outcome, Trigger
from jwstwatch.core.space import Admission, on_disk
from jwstwatch.errors import ExitCode
from jwstwatch.store import tables
from jwstwatch.store.reservations import Room
from jwstwatch.store.runs import Counts, RunRecord
from jwstwatch.sync import fetching, rehearsing, story, weighing
from jwstwatch.sync.context import ArrivedFile, Nobody, Options
from jwstwatch.sync.examining import Status, folders
from jwstwatch.sync.listing import Subject
from jwstwatch.sync.standing import standing, standing_of_profile
from jwstwatch.sync.weighing import Weighing
from tests.store.test_listings import counted
from tests.sync.bench import Bench
from tests.sync.conftest import NOW, MakeBench
from tests.sync.test_examining import patient

BLOCK = 512
REAL = os.statvfs


class Disk:
    """A disk of a size of its own below an output folder; `taken` bytes are another program's."""

    def __init__(self, root: Path) -> None:
        self.root, self.size, self.taken = root, 10**9, 0

    def statvfs(self, path: Path) -> object:
        if not Path(path).is_relative_to(self.root.parent):
            return REAL(path)
        free = max(0, self.size - self.used() - self.taken)
        return SimpleNamespace(f_bavail=free // BLOCK, f_frsize=BLOCK, f_blocks=self.size // BLOCK, f_flag=0)

    def used(self) -> int:
        used = 0
        for path in self.root.rglob("*"):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            used += on_disk(status.st_size, block=BLOCK) if stat.S_ISREG(status.st_mode) else 0
        return used


@pytest.fixture
def disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The disk of the bench's output folder, as large as one likes."""
    disk = Disk(bench.root)
    monkeypatch.setattr(os, "statvfs", disk.statvfs)
    return disk


def sizes(bench: Bench, *endings: str) -> int:
    """What the archive's files with these endings take on the disk."""
    return sum(
        on_disk(product.plain_size or 0, block=BLOCK)
        for product in bench.server.catalogue.products
        if product.name.endswith(endings or "")
    )


def fill(bench: Bench, disk: Disk, *endings: str, more: int = 0, **profile: object) -> None:
    """Leave room for the files with these endings, and `more`, above what is kept free."""
    bench.configure({"watch": {"propID": 9001, "min_free": "20 kB", **profile}})
    marker = on_disk(200, block=BLOCK)
    disk.size = sizes(bench, *endings) + 20_480 + marker + more


def here(bench: Bench) -> set[str]:
    return {name.rpartition("_")[2] for name in bench.files()}


def waiting_reasons(bench: Bench) -> set[str | None]:
    return {report.reason for report in bench.reports().values() if report.state is not FileState.PRESENT}


def document(bench: Bench) -> dict[str, object]:
    return standing(bench.settings, bench.store, now=bench.clock, live=None, token=None)


def again(bench: Bench) -> story.RunResult:
    """Fetch every file again, as with `clobber`."""
    profile = bench.settings.profiles["watch"]
    bench.server.requests.clear()
    return story.run(
        dataclasses.replace(profile, parameters=dataclasses.replace(profile.parameters, clobber=True)),
        context=bench.context(),
        trigger=Trigger.MANUAL,
        options=Options(),
    )


# -- a disk that is too small


def test_what_has_no_room_waits_and_the_run_says_why(bench: Bench, disk: Disk) -> None:
    fill(bench, disk, "jpg", "rate.fits")
    result = bench.attempt()
    record = result.record
    assert (result.exit_code, record.outcome) == (ExitCode.STORAGE, Outcome.PARTIAL)
    assert here(bench) == {"rate.jpg", "rate.fits"}
    assert (record.counts.downloaded, record.counts.waiting, record.counts.failed) == (8, 4, 0)
    listed = sum(
        product.plain_size or 0 for product in bench.server.catalogue.products if "uncal" in product.name
    )
    assert record.error_kind == "storage"
    assert record.error_message is not None
    assert record.error_message.startswith(
        f"4 files, {listed / 1000:.1f} kB wait for space on {bench.root}: "
    )
    assert "20.0 kB are kept free" in record.error_message
    assert str(record.error_hint).startswith("Free ")
    assert "lower min_free" in str(record.error_hint)
    assert waiting_reasons(bench) == {f"new; waits for space on {bench.root}"}
    assert bench.states()[next(name for name in bench.states() if "uncal" in name)] is FileState.WANTED
    assert bench.heard.plans == [(8, sum(map(len, bench.files().values())))]
    assert bench.ask("SELECT * FROM reservation") == []


def test_what_is_kept_free_stays_free(bench: Bench, disk: Disk) -> None:
    fill(bench, disk, "jpg", "rate.fits")
    bench.attempt()
    assert disk.size - disk.used() >= 20_000


def test_status_says_it_until_a_later_run_got_through(bench: Bench, disk: Disk) -> None:
    fill(bench, disk, "jpg", "rate.fits")
    bench.attempt()
    (cause,) = bench.notices()
    assert cause == "space watch"
    assert bench.notices()[cause].startswith("watch: 4 files, ")
    told = document(bench)
    (root,) = told["roots"]  # type: ignore[misc, attr-defined]
    assert (root["min_free_bytes"], root["waiting"]["files"]) == (20_000, 4)
    (profile,) = told["profiles"]  # type: ignore[misc, attr-defined]
    assert (profile["waiting"]["files"], profile["waiting"]["for"]) == (4, "space")
    assert len(profile["warnings"]) == 1
    bench.later(hours=6)
    assert bench.attempt().exit_code is ExitCode.STORAGE
    assert bench.fetched == []
    assert waiting_reasons(bench) == {f"new; waits for space on {bench.root}"}
    disk.size *= 2
    bench.later(hours=6)
    assert bench.run().counts.downloaded == 4
    assert bench.notices() == {}
    assert {report.reason for report in bench.reports().values()} == {None}
    (profile,) = document(bench)["profiles"]  # type: ignore[misc, attr-defined]
    assert profile["waiting"] is None


def test_a_disk_without_any_room_gets_nothing(bench: Bench, disk: Disk) -> None:
    fill(bench, disk)
    disk.taken = disk.size
    result = bench.attempt()
    assert result.exit_code is ExitCode.STORAGE
    assert (bench.files(), bench.fetched) == ({}, [])
    assert result.record.counts.waiting == 12


def test_a_file_that_does_not_fit_holds_back_the_rest_and_is_told_of(bench: Bench, disk: Disk) -> None:
    fill(bench, disk, priority=["uncal", "others"])
    disk.size -= sizes(bench) - sizes(bench, "jpg") // 4
    result = bench.attempt()
    assert (result.exit_code, bench.files()) == (ExitCode.STORAGE, {}), "a preview would have had room"
    ((first,),) = bench.ask(
        "SELECT product.size FROM file JOIN product ON product.id = product_id "
        "ORDER BY priority, file.id LIMIT 1"
    )
    assert str(result.record.error_message).endswith(f"kept free, the next file takes {size_text(first)}")


def test_an_exact_fit_is_fetched_whole(bench: Bench, disk: Disk) -> None:
    fill(bench, disk)
    assert bench.run().counts.downloaded == 12


def test_copies_are_replaced_one_after_the_other_where_there_is_no_room_for_all_twice(
    bench: Bench, disk: Disk
) -> None:
    fill(bench, disk)
    bench.run()
    result = again(bench)
    assert result.exit_code is ExitCode.STORAGE, "not even one fits beside its old copy"
    assert waiting_reasons(bench) == {f"asked for again (clobber); waits for space on {bench.root}"}
    disk.size += 6 * 11_776  # the six largest that are under way at once
    assert again(bench).record.counts.downloaded == 12
    assert disk.size - disk.used() >= 20_000


def test_a_partial_file_that_lies_there_needs_no_room_again(bench: Bench, disk: Disk) -> None:
    fill(bench, disk)
    first = next(product for product in bench.server.catalogue.products if "jpg" in product.name)
    folder = bench.root / "09001" / "obsnum01"
    folder.mkdir(parents=True)
    (folder / f".{first.name}.1.part").write_bytes(bytes(first.plain_size or 0))
    assert bench.run().counts.downloaded == 12


# -- the order


def test_another_priority_reaches_files_that_wait_already(bench: Bench, disk: Disk) -> None:
    fill(bench, disk, "jpg")
    bench.attempt()
    assert here(bench) == {"rate.jpg"}
    disk.size += sizes(bench, "uncal.fits")
    bench.configure({"watch": {"propID": 9001, "min_free": "20 kB", "priority": ["jpg", "uncal", "others"]}})
    bench.attempt()
    assert here(bench) == {"rate.jpg", "uncal.fits"}


def test_new_files_come_before_new_revisions_also_where_the_priority_says_otherwise(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench()
    bench.mast = {"connections": 1}
    bench.configure({"watch": {"propID": 9001, "filetypes": ["uncal"]}})
    bench.run()
    bench.configure({"watch": {"propID": 9001, "priority": ["uncal", "rate", "jpg"]}})
    assert again(bench).exit_code is ExitCode.DONE
    kinds = [name.rpartition("_")[2] for name in bench.fetched]
    assert kinds == 4 * ["rate.fits"] + 4 * ["rate.jpg"] + 4 * ["uncal.fits"]


# -- a quota


def test_a_quota_holds_back_what_would_exceed_it(bench: Bench, disk: Disk) -> None:
    listed = sum(product.plain_size or 0 for product in bench.server.catalogue.products)
    bench.configure({"watch": {"propID": 9001, "quota": f"{listed - 1} B"}})
    result = bench.attempt()
    assert (result.exit_code, result.record.counts.downloaded) == (ExitCode.STORAGE, 11)
    assert "wait for the quota of " in str(result.record.error_message)
    assert ", the next file takes " in str(result.record.error_message)
    assert "Raise quota by 1 B" in str(result.record.error_hint)
    assert [*bench.notices()] == ["quota watch"]
    (reason,) = waiting_reasons(bench)
    assert str(reason).startswith("new; waits for the quota of ")
    (profile,) = document(bench)["profiles"]  # type: ignore[misc, attr-defined]
    assert (profile["waiting"]["for"], profile["quota_bytes"]) == ("quota", listed - 1)
    bench.later(hours=6)
    assert bench.attempt().record.counts.waiting == 1
    bench.configure({"watch": {"propID": 9001, "quota": f"{listed} B"}})
    assert bench.run().counts.downloaded == 1
    assert bench.notices() == {}


def test_a_quota_that_is_used_up_lets_copies_be_replaced(bench: Bench) -> None:
    bench.run()
    used = sum(map(len, bench.files().values()))
    bench.configure({"watch": {"propID": 9001, "quota": f"{used} B"}})
    result = again(bench)
    assert (result.exit_code, result.record.counts.downloaded) == (ExitCode.DONE, 12)


def test_what_waits_for_room_has_the_archive_asked_no_more_often(make_bench: MakeBench) -> None:
    bench = make_bench(21)
    bench.run()
    bench.later(days=15)
    bench.run()
    for path in bench.root.rglob("*.fits"):
        path.unlink()
    bench.configure({"watch": {"propID": 9001, "quota": "1 B"}})
    bench.attempt()
    bench.later(minutes=1)
    assert bench.attempt().exit_code is ExitCode.STORAGE
    assert bench.asked_products == 0
    bench.configure({"watch": {"propID": 9001}})
    bench.later(minutes=1)
    assert bench.run().counts.downloaded == 42


# -- while a run goes on


class Filler(Nobody):
    """Another program that writes to the disk when so many files have arrived."""

    def __init__(self, disk: Disk, after: int) -> None:
        self._disk, self._after, self._arrived = disk, after, 0

    def file_arrived(self, file: ArrivedFile) -> None:
        self._arrived += 1
        if self._arrived == self._after:
            self._disk.taken = self._disk.size - self._disk.used() - 30_000


def test_a_disk_that_others_fill_stops_the_claims_and_fails_nothing(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench(50)
    monkeypatch.setattr(fetching, "BATCH_BYTES", 1)
    bench.mast = {"connections": 1}
    bench.configure({"watch": {"propID": 9001, "min_free": "20 kB"}})
    disk = Disk(bench.root)
    monkeypatch.setattr(os, "statvfs", disk.statvfs)
    bench.witness = Filler(disk, after=64)
    result = bench.attempt()
    counts = result.record.counts
    assert result.exit_code is ExitCode.STORAGE
    assert 64 <= counts.downloaded < 100
    assert (counts.failed, counts.downloaded + counts.waiting) == (0, 150)
    assert len(bench.fetched) == counts.downloaded, "what was not begun is not asked for"
    assert f"{counts.waiting} files, " in str(result.record.error_message)
    assert waiting_reasons(bench) == {f"new; waits for space on {bench.root}"}
    tried = bench.ask("SELECT count(*) FROM file WHERE attempted_by = ?", result.record.id)
    assert tried == [(counts.downloaded,)]
    assert bench.ask("SELECT count(*) FROM file WHERE claimed_by IS NOT NULL") == [(0,)]
    disk.taken = 0
    bench.witness = Nobody()
    assert bench.run().counts.downloaded == counts.waiting
    assert bench.notices() == {}


def test_a_quota_holds_also_where_another_profile_changes_the_order_meanwhile(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench(120)
    monkeypatch.setattr(fetching, "BATCH_BYTES", 1)
    previews = [each.plain_size or 0 for each in bench.server.catalogue.products if "jpg" in each.name]
    bench.mast = {"connections": 1}
    bench.configure(
        {
            "watch": {"propID": 9001, "priority": ["jpg", "others"], "quota": f"{sum(previews)} B"},
            "other": {"propID": 9001, "priority": ["uncal", "others"], "quota": "1 B"},
        }
    )

    class Turning(Nobody):
        turned = False

        def file_arrived(self, file: ArrivedFile) -> None:
            if not self.turned:
                self.turned = True
                bench.attempt("other")

    bench.witness = Turning()
    result = bench.attempt()
    assert here(bench) == {"rate.jpg", "uncal.fits"}, "the order was changed in mid-run"
    assert bench.store.reservations.used("watch") <= sum(previews)
    assert result.exit_code is ExitCode.STORAGE
    counts = result.record.counts
    assert (counts.failed, counts.downloaded + counts.waiting) == (0, 360)
    assert str(result.record.error_message).startswith(f"{counts.waiting} files, ")
    assert "wait for the quota of " in str(result.record.error_message)
    assert bench.ask("SELECT count(*) FROM file WHERE claimed_by IS NOT NULL") == [(0,)]
    assert "quota watch" in bench.notices()


@pytest.fixture
def second(bench: Bench) -> Callable[[int], RunRecord]:
    """Another run that goes on, and has reserved so much of the same disk."""

    def begin(size: int) -> RunRecord:
        run = bench.store.runs.begin("other", Trigger.MANUAL, now=NOW)
        device = bench.folder.stat().st_dev
        bench.store.reservations.take(run.id, device=device, wanted=size, measure=lambda: 10**12)
        return run

    return begin


def test_what_another_run_has_reserved_is_not_counted_on(
    bench: Bench, disk: Disk, second: Callable[[int], RunRecord]
) -> None:
    fill(bench, disk)
    other = second(sizes(bench, "uncal.fits"))
    result = bench.attempt()
    assert here(bench) == {"rate.jpg", "rate.fits"}
    assert "are reserved by other runs" in str(result.record.error_message)
    bench.store.runs.finish(other, Outcome.COMPLETE, counts=Counts(), error=None, now=NOW)
    assert bench.run().counts.downloaded == 4


def test_room_that_went_while_a_plan_was_weighed_is_not_counted_on(
    bench: Bench, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bench, disk)
    weigh = Weighing.admit

    def admit(self: Weighing, room: Room) -> Admission:
        admission = weigh(self, room)
        disk.taken = disk.size - disk.used() - 20_480
        return admission

    monkeypatch.setattr(Weighing, "admit", admit)
    result = bench.attempt()
    assert (result.exit_code, bench.fetched, bench.heard.plans) == (ExitCode.STORAGE, [], [])
    assert result.record.counts.waiting == 12


@pytest.mark.parametrize("nested", [{"filetypes": ["uncal"]}, {}])
def test_a_run_takes_no_more_room_than_it_can_use_also_while_it_weighs_its_plan(
    bench: Bench, disk: Disk, monkeypatch: pytest.MonkeyPatch, nested: dict[str, object]
) -> None:
    """The other one begins, and ends, between this one's look at the disk and its reservation."""
    fill(bench, disk)
    jpg = sum(product.plain_size or 0 for product in bench.server.catalogue.products if "jpg" in product.name)
    watch = {"propID": 9001, "min_free": "20 kB", "quota": f"{jpg} B"}
    bench.configure({"watch": watch, "other": {"propID": 9001, "min_free": "20 kB", **nested}})
    weigh, others = Weighing.admit, []

    def admit(self: Weighing, room: Room) -> Admission:
        admission = weigh(self, room)
        if self.subject.profile.name == "watch" and not others:
            others.append(bench.attempt("other"))
        return admission

    monkeypatch.setattr(Weighing, "admit", admit)
    result = bench.attempt()
    assert [other.exit_code for other in others] == [ExitCode.DONE]
    assert result.record.counts.failed == 0
    assert disk.size - disk.used() >= 20_000
    assert bench.ask("SELECT * FROM reservation") == []


def test_what_is_said_of_a_profile_ends_with_its_own_waiting(bench: Bench, disk: Disk) -> None:
    other = {"propID": 9001, "min_free": "20 kB", "filetypes": ["jpg"]}
    fill(bench, disk, "jpg")
    bench.configure({"watch": {"propID": 9001, "min_free": "20 kB"}, "other": other})
    disk.taken = disk.size
    bench.attempt()
    bench.attempt("other")
    assert [*bench.notices()] == ["space other", "space watch"]
    disk.taken = 0
    bench.run("other")
    assert [*bench.notices()] == ["space watch"], "the other one has no share in that any more"
    disk.size *= 3
    bench.run()
    assert bench.notices() == {}


def test_files_that_only_a_typed_download_wanted_keep_no_profile_flagged(bench: Bench, disk: Disk) -> None:
    fill(bench, disk, "jpg")
    bench.attempt()
    typed = dataclasses.replace(bench.settings.profiles["watch"], name="one-off:1")
    story.run(typed, context=bench.context(), trigger=Trigger.ONE_OFF, options=Options())
    bench.configure({"watch": {"propID": 9001, "min_free": "20 kB", "filetypes": ["jpg"]}})
    bench.later(hours=6)
    bench.run()
    assert bench.notices() == {}
    (root,) = document(bench)["roots"]  # type: ignore[misc, attr-defined]
    assert root["waiting"] == {"files": 0, "bytes": 0}


def test_of_two_profiles_with_the_same_files_each_is_told_what_it_lacks(bench: Bench, disk: Disk) -> None:
    fill(bench, disk, "jpg")
    bench.configure(
        {
            "small": {"propID": 9001, "min_free": "20 kB", "quota": "1 kB"},
            "large": {"propID": 9001, "min_free": "20 kB"},
            "idle": {"propID": 9001, "min_free": "20 kB"},
        }
    )
    disk.taken = disk.size - 21_000
    bench.attempt("large")
    disk.taken = 0
    bench.attempt("small")
    with bench.store.database.write() as connection:
        wants = select(literal("idle"), tables.want.c.file_id, tables.want.c.product_id)
        columns = ["profile", "file_id", "product_id"]
        connection.execute(
            tables.want.insert().from_select(columns, wants.where(tables.want.c.profile == "large"))
        )
    told = document(bench)
    waiting = {profile["name"]: profile["waiting"] for profile in told["profiles"]}  # type: ignore[attr-defined]
    assert {name: each and each["for"] for name, each in waiting.items()} == {
        "small": "quota",
        "large": "space",
        "idle": None,
    }
    bench.attempt("large")
    bench.configure({"small": {"propID": 9001}, "large": {"propID": 9001}})
    (root,) = document(bench)["roots"]  # type: ignore[misc, attr-defined]
    assert root["waiting"]["files"] == 8, "what both want counts once"


def test_a_typed_download_tells_its_terminal_alone(bench: Bench, disk: Disk) -> None:
    fill(bench, disk, "jpg")
    result = story.run(
        dataclasses.replace(bench.settings.profiles["watch"], name="one-off:1"),
        context=bench.context(),
        trigger=Trigger.ONE_OFF,
        options=Options(),
    )
    assert result.exit_code is ExitCode.STORAGE
    assert bench.notices() == {}


def test_an_interrupted_run_leaves_no_reservation(make_bench: MakeBench) -> None:
    bench = make_bench(30)

    class Interrupting(Nobody):
        def file_arrived(self, file: ArrivedFile) -> None:
            assert bench.ask("SELECT bytes > 0 FROM reservation") == [(1,)]
            bench.stop.set()

    bench.mast = {"connections": 1}
    bench.witness = Interrupting()
    bench.configure({"watch": {"propID": 9001}})
    assert bench.attempt().record.outcome is Outcome.CANCELLED
    assert bench.ask("SELECT * FROM reservation") == []


def test_a_run_that_has_nothing_to_fetch_asks_nothing_of_room(synced: Bench) -> None:
    with counted(synced.store.database) as statements:
        synced.run()
    assert not [each for each in statements if "reservation" in each]
    due = [each for each in statements if "calib_level" in each and "GROUP BY" in each]
    assert len(due) == 1, "only what is due is looked at, which was asked before too"


def test_a_size_that_is_not_listed_counts_as_the_mean_of_the_others(bench: Bench, disk: Disk) -> None:
    fill(bench, disk)
    disk.taken = disk.size
    bench.attempt()
    with bench.store.database.write() as connection:
        connection.execute(update(tables.product).values(size=1000))
        connection.execute(update(tables.product).where(tables.product.c.id == 1).values(size=None))
        connection.execute(update(tables.product).where(tables.product.c.id == 2).values(size=6000))
    run = bench.store.runs.begin("watch", Trigger.MANUAL, now=NOW)
    (root,) = bench.store.roots.all()
    profile = bench.settings.profiles["watch"]
    subject = Subject(run=run, profile=profile, root=root, options=Options())
    plan = weighing.outline(bench.context(), subject)
    assert (plan.files, plan.size, plan.usual) == (12, 16_000, 16_000 // 11)
    disk.taken = disk.size - disk.used() - 20_480 - 12 * 1024 - 5 * 1024 - 512
    admission, refusal = weighing.foresee(bench.context(), subject)
    assert (admission.files, refusal) == (12, None)
    disk.taken += BLOCK
    assert weighing.foresee(bench.context(), subject)[0].files < 12


# -- told beforehand


def test_a_rehearsal_tells_how_far_a_run_would_get(bench: Bench, disk: Disk) -> None:
    fill(bench, disk, "jpg", "rate.fits")
    rehearsal = rehearsing.rehearse(
        bench.settings.profiles["watch"], context=bench.context(), options=Options()
    )
    assert (len(rehearsal.files), rehearsal.waits.files) == (12, 4)
    assert all("uncal" in file.name for file in rehearsal.files[-4:])
    assert f"wait for space on {bench.root}" in str(rehearsal.shortage)
    assert not bench.root.exists()
    disk.size *= 2
    rehearsal = rehearsing.rehearse(
        bench.settings.profiles["watch"], context=bench.context(), options=Options()
    )
    assert (rehearsal.waits.files, rehearsal.shortage) == (0, None)


def test_a_profiles_own_document_tells_what_waits(bench: Bench, disk: Disk) -> None:
    fill(bench, disk, "jpg")
    bench.attempt()
    told = standing_of_profile(bench.settings, bench.store, "watch", now=bench.clock, live=None)
    profile = told["profile"]
    assert isinstance(profile, dict)
    assert profile["waiting"]["files"] == profile["plan"]["files"] == 8


def test_the_doctor_knows_what_is_kept_free(bench: Bench, disk: Disk) -> None:
    fill(bench, disk, "jpg", "rate.fits")
    bench.attempt()
    (found,) = [each for each in folders.check(patient(bench)) if "still to be fetched" in each.text]
    assert (found.status, "20.0 kB kept free" in found.text) == (Status.WARNING, True)
    disk.size = 20_000 + disk.used() + sizes(bench, "uncal.fits") + BLOCK
    (found,) = [each for each in folders.check(patient(bench)) if "still to be fetched" in each.text]
    assert found.status is Status.OK


def test_a_disk_that_cannot_be_asked_is_a_storage_error(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "statvfs", refuse)
    result = bench.attempt()
    assert (result.exit_code, result.record.counts.waiting) == (ExitCode.STORAGE, 12)
    assert bench.ask("SELECT * FROM reservation") == []
