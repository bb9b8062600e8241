"""Reprocessed files: replaced or kept as the profile says, within a day's budget, never before new files."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from jwstwatch.core.model import FileState, Outcome, Trigger
from jwstwatch.core.planning import NEWER_REVISION
from jwstwatch.core.space import BETWEEN, Admission, waits_for_budget
from jwstwatch.errors import ExitCode
from jwstwatch.store.reservations import Room
from jwstwatch.store.store import Store
from jwstwatch.sync import rehearsing
from jwstwatch.sync.context import Options
from jwstwatch.sync.listing import Subject
from jwstwatch.sync.reacting import arrange
from jwstwatch.sync.roots import open_root
from jwstwatch.sync.standing import standing
from jwstwatch.sync.weighing import Weighing
from tests.store.test_listings import counted
from tests.sync.bench import Bench
from tests.sync.conftest import MakeBench

DAY = timedelta(days=1)
BUDGET = 20_000


def configure(bench: Bench, **profile: object) -> None:
    bench.configure({"watch": {"propID": 9001, **profile}})


def storm(bench: Bench, *endings: str) -> set[str]:
    """Every file (with such an ending) is reprocessed; returns their names."""
    found = [each for each in bench.server.catalogue.products if each.name.endswith(endings or "")]
    for product in found:
        bench.server.catalogue.reprocess(product.uri, now=bench.clock, grow=1)
    return {product.name for product in found}


def add_exposure(bench: Bench) -> None:
    """Three new files."""
    like = next(each.obs_id for each in bench.server.catalogue.observations if each.exposure)
    bench.server.catalogue.add_exposure(like=like, start=bench.clock, now=bench.clock)


def outdated(bench: Bench) -> set[str]:
    return {name for name, state in bench.states().items() if state is FileState.STALE}


def spent(bench: Bench) -> list[tuple[datetime, int]]:
    rows = bench.ask("SELECT replaced_at, new_size FROM replaced ORDER BY replaced_at")
    return [(datetime.fromisoformat(str(at)), int(size)) for at, size in rows]


def most_in_a_day(bench: Bench) -> int:
    """The most bytes that replacements took in any 24 hours."""
    rows = spent(bench)
    return max(sum(size for at, size in rows if begin <= at < begin + DAY) for begin, _ in rows)


# -- a budget


def test_a_storm_is_spread_over_days_and_new_files_arrive_first(synced: Bench) -> None:
    synced.mast = {"connections": 1}  # what is asked for is asked for in the order of the plan
    configure(synced, reprocess_budget="20 kB")
    synced.later(hours=6)
    waiting = storm(synced)
    add_exposure(synced)
    result = synced.attempt()
    assert (result.exit_code, result.record.outcome) == (ExitCode.DONE, Outcome.COMPLETE)
    assert (result.record.error_kind, synced.notices()) == (None, {})
    fetched = synced.fetched
    assert not waiting.intersection(fetched[:3]), "new files first"
    assert fetched[3:]
    assert waiting.issuperset(fetched[3:])
    waiting -= set(fetched)
    assert result.record.counts.waiting == len(waiting) > 6
    assert outdated(synced) == waiting
    why = f"{NEWER_REVISION}{BETWEEN}{waits_for_budget('20.0 kB')}"
    assert {synced.reports()[name].reason for name in waiting} == {why}
    synced.later(hours=6)
    assert synced.run().outcome is Outcome.COMPLETE
    assert most_in_a_day(synced) > BUDGET - 6_000
    days = 0
    while outdated(synced):
        fetched += synced.fetched
        synced.later(hours=25)
        assert synced.run().outcome is Outcome.COMPLETE
        days += 1
        assert synced.fetched, "every day takes some"
    fetched += synced.fetched
    assert days >= 4
    assert most_in_a_day(synced) <= BUDGET
    assert (len(fetched), set(Counter(fetched).values())) == (15, {1}), "nothing is fetched twice"
    assert {report.reason for report in synced.reports().values()} == {None}
    synced.later(hours=25)
    record = synced.run()
    assert (synced.fetched, record.counts.waiting) == ([], 0)


def test_one_that_is_larger_than_a_day_s_budget_goes_alone_once_a_day(synced: Bench) -> None:
    configure(synced, reprocess_budget="1 kB")
    waiting = storm(synced, "rate.fits")
    for _ in range(2):
        synced.run()
        assert len(synced.fetched) == 1
        synced.later(hours=12)
        synced.run()
        assert synced.fetched == []
        synced.later(hours=13)
    assert len(outdated(synced)) == len(waiting) - 2


def test_a_budget_that_is_raised_or_lifted_counts_at_once(synced: Bench) -> None:
    configure(synced, reprocess_budget="1 kB")
    storm(synced)
    synced.run()
    assert len(outdated(synced)) == 11
    configure(synced, reprocess_budget="30 kB")
    synced.run()
    assert 0 < len(synced.fetched) < 11
    assert most_in_a_day(synced) <= 30_000, "what was spent under another budget counts"
    left = outdated(synced)
    configure(synced)
    synced.run()
    assert set(synced.fetched) == left
    assert {report.reason for report in synced.reports().values()} == {None}


def test_status_tells_of_the_budget_and_a_rehearsal_too(synced: Bench) -> None:
    configure(synced, reprocess_budget="20 kB")
    storm(synced)
    rehearsal = rehearsing.rehearse(
        synced.settings.profiles["watch"], context=synced.context(), options=Options()
    )
    (note,) = rehearsal.notes
    assert note.endswith("waits for the reprocess budget of 20.0 kB a day")
    assert (rehearsal.held, rehearsal.shortage) == (None, None)
    record = synced.run()
    assert note.startswith(f"{record.counts.waiting} files, ")
    told = standing(synced.settings, synced.store, now=synced.clock, live=None, token=None)
    (profile,) = told["profiles"]  # type: ignore[misc]
    assert profile["waiting"]["files"] == record.counts.waiting == len(outdated(synced))
    assert profile["waiting"]["for"] == "reprocess_budget"
    assert profile["warnings"] == []


def test_a_plan_needs_no_yes_for_what_the_budget_puts_off(synced: Bench) -> None:
    configure(synced, reprocess_budget="20 kB", max_plan="25 kB")
    storm(synced)
    assert synced.run().outcome is Outcome.COMPLETE
    assert 0 < sum(size for _, size in spent(synced)) <= BUDGET
    configure(synced, reprocess_budget="80 kB", max_plan="25 kB")
    synced.later(days=1, hours=1)
    result = synced.attempt()
    assert result.record.error_kind == "plan_waits"
    assert synced.fetched == []


def test_a_plan_that_changed_since_it_was_weighed_exceeds_no_budget(
    synced: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    weigh = Weighing.admit

    def blindly(self: Weighing, room: Room) -> Admission:
        budget, self.budget = self.budget, None
        try:
            return weigh(self, room)
        finally:
            self.budget = budget

    monkeypatch.setattr(Weighing, "admit", blindly)
    configure(synced, reprocess_budget="20 kB")
    storm(synced)
    add_exposure(synced)
    record = synced.run()
    assert (record.outcome, record.error_kind) == (Outcome.COMPLETE, None)
    assert record.counts.downloaded == len(synced.fetched) == 3 + len(spent(synced)) < 8
    assert 0 < most_in_a_day(synced) <= BUDGET
    why = f"{NEWER_REVISION}{BETWEEN}{waits_for_budget('20.0 kB')}"
    assert {synced.reports()[name].reason for name in outdated(synced)} == {why}


def test_what_lacks_room_is_told_also_where_a_budget_waits(synced: Bench) -> None:
    used = sum(map(len, synced.files().values()))
    storm(synced)
    add_exposure(synced)
    configure(synced, reprocess_budget="20 kB", quota=f"{used + 10_000} B")
    result = synced.attempt()
    assert (result.exit_code, result.record.outcome) == (ExitCode.STORAGE, Outcome.PARTIAL)
    new = {name for name in synced.reports() if "_00002_" in name}
    assert set(synced.fetched) < new, "a quota holds back new files too, and all that comes after them"
    assert (len(new), spent(synced)) == (3, [])
    assert list(synced.notices()) == ["quota watch"]
    configure(synced, reprocess_budget="20 kB", quota="1 GB")
    assert synced.run().outcome is Outcome.COMPLETE
    assert new.isdisjoint(outdated(synced))
    assert {synced.states()[name] for name in new} == {FileState.PRESENT}
    assert 0 < most_in_a_day(synced) <= BUDGET
    assert synced.notices() == {}


def test_a_damaged_copy_is_mended_whatever_was_spent(synced: Bench) -> None:
    configure(synced, reprocess_budget="1 kB", on_reprocessed="keep")
    name = next(iter(synced.reports()))
    with synced.store.database.write() as connection:
        connection.execute(
            text(
                "UPDATE file SET state = 'stale', revision = NULL WHERE product_id = "
                "(SELECT id FROM product WHERE name = :name)"
            ),
            {"name": name},
        )
    synced.run()
    assert synced.fetched == [name]
    assert synced.reports()[name].revision == 1
    assert spent(synced) == []


# -- what is kept


def test_a_profile_that_keeps_never_replaces_and_its_runs_are_whole(synced: Bench) -> None:
    configure(synced, on_reprocessed="keep")
    before = synced.files()
    names = storm(synced)
    for _ in range(2):
        record = synced.run()
        assert (record.outcome, synced.fetched) == (Outcome.COMPLETE, [])
        assert (record.counts.unchanged, record.counts.waiting) == (12, 0)
        synced.later(days=8)
    assert synced.files() == before
    assert outdated(synced) == names
    report = synced.store.reports.product(min(names))[0]
    assert (report.files[0].reason, report.files[0].keeping) == (NEWER_REVISION, ("watch",))


def test_what_a_profile_keeps_and_loses_comes_back_as_the_archive_has_it(synced: Bench) -> None:
    configure(synced, on_reprocessed="keep")
    name = min(storm(synced, "rate.fits"))
    synced.run()
    synced.path(name).unlink()
    synced.run()
    assert synced.fetched == [name]
    assert synced.reports()[name].revision == 2


def test_file_types_are_kept_or_replaced_and_a_change_needs_no_answer(synced: Bench) -> None:
    configure(synced, on_reprocessed={"uncal": "keep", "others": "replace"})
    storm(synced)
    record = synced.run()
    assert {name.rpartition("_")[2] for name in synced.fetched} == {"rate.fits", "rate.jpg"}
    assert (record.counts.downloaded, record.counts.unchanged, record.counts.waiting) == (8, 4, 0)
    assert {name.rpartition("_")[2] for name in outdated(synced)} == {"uncal.fits"}
    synced.run()
    assert synced.fetched == []
    configure(synced, on_reprocessed="replace")
    subject = Subject(
        run=synced.store.runs.begin("watch", Trigger.SCHEDULE, now=synced.clock),
        profile=synced.settings.profiles["watch"],
        root=open_root(synced.context(), synced.root),
        options=Options(),
    )
    assert planned(synced.store, subject, synced.clock) == 0
    arrange(synced.context(), subject)
    assert planned(synced.store, subject, synced.clock) == 4
    with counted(synced.store.database) as statements:
        arrange(synced.context(), subject)
    assert len([text for text in statements if "want" in text]) == 1, "nothing to arrange: one look"
    synced.store.runs.finish(
        subject.run,
        Outcome.COMPLETE,
        counts=synced.store.reports.of_run(subject.run.id, "watch"),
        error=None,
        now=synced.clock,
    )
    synced.run()
    assert {name.rpartition("_")[2] for name in synced.fetched} == {"uncal.fits"}
    assert outdated(synced) == set()


def planned(store: Store, subject: Subject, now: datetime) -> int:
    return store.transfers.planned(subject.run.id, "watch", now=now)[0]


def test_another_profile_that_replaces_does_so_for_both(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.configure({"keeps": {"propID": 9001, "on_reprocessed": "keep"}, "replaces": {"propID": 9001}})
    bench.run("keeps")
    bench.run("replaces")
    assert bench.fetched == []
    names = storm(bench, "rate.fits")
    assert bench.run("keeps").counts.unchanged == 12
    assert bench.fetched == []
    assert bench.run("replaces").counts.downloaded == 4
    assert set(bench.fetched) == names
    assert bench.run("keeps").outcome is Outcome.COMPLETE
    assert outdated(bench) == set()


def test_clobber_asks_for_everything_kept_or_not(synced: Bench) -> None:
    configure(synced, on_reprocessed="keep", reprocess_budget="1 kB")
    storm(synced, "rate.fits")
    synced.run()
    profile = synced.settings.profiles["watch"]
    changed = dataclasses.replace(profile.parameters, clobber=True)
    synced.settings.profiles["watch"] = dataclasses.replace(profile, parameters=changed)  # type: ignore[index]
    assert synced.run().counts.downloaded == 12
