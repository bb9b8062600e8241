"""What arrived and how a root grew, by the hour; and the news that the feeds tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import event as sql_event
from sqlalchemy import func, select, update

from jwstwatch.core.home import DAYS_SHOWN, Change, Fate, fill_days
from jwstwatch.core.model import FileState
from jwstwatch.core.planning import DiskKind, OnDisk
from jwstwatch.store import newsfeed, tables
from jwstwatch.store.roots import Loss
from jwstwatch.store.store import Store
from tests.store.desk import DAY, HOUR, JPG, NOW, RATE, Desk, digest, file_names, row
from tests.store.test_listings import counted


def rows_of(desk: Desk) -> dict[tuple[Any, int], tuple[int, int, int, int]]:
    """Return files, bytes, reprocessed ones and growth by hour and proposal."""
    return {
        (entry.hour, entry.proposal): (entry.files, entry.bytes, entry.reprocessed, entry.growth)
        for entry in desk.rows(tables.arrival)
    }


def on_disk(desk: Desk) -> int:
    """Return the bytes of all copies."""
    file = tables.file
    return int(desk.scalar(select(func.coalesce(func.sum(file.c.size), 0))))


def grown(desk: Desk) -> int:
    """Return the bytes that all growth comes to."""
    return int(desk.scalar(select(func.coalesce(func.sum(tables.arrival.c.growth), 0))))


def reprocess(desk: Desk, *names: str, size: int = 1500) -> None:
    """Let the archive list newer contents, and fetch them."""
    desk.list(*(row(name, size=size, prvversion="1.18.0") for name in names))
    for name in names:
        desk.replan(name, on_disk=OnDisk(kind=DiskKind.FILE, size=1000))
    claims = [claim for claim in desk.claim() if claim.name in names]
    assert len(claims) == len(names)
    desk.place(*claims, size=size, content="newer")


def remove(desk: Desk, *names: str) -> None:
    """Give files up together with their copies."""
    chosen = desk.store.drops.choose(list(names))
    desk.store.drops.drop(chosen, now=desk.now)
    desk.store.drops.remove_copies(
        chosen, remove=lambda some: [choice.file_id for choice in some], now=desk.now
    )


def test_files_are_counted_in_the_hour_in_which_they_take_their_places(desk: Desk) -> None:
    desk.fetch(RATE, JPG)
    later = desk.later(timedelta(hours=1, minutes=59))
    later.fetch("jw01345002001_02101_00001_nrca1_rate.fits")
    hour = NOW.replace(minute=0)
    assert rows_of(desk) == {
        (hour, 1345): (2, 2000, 0, 2000),
        (hour + HOUR, 1345): (1, 1000, 0, 1000),
    }


def test_a_reprocessed_file_counts_whole_and_grows_the_disk_by_what_it_is_larger(desk: Desk) -> None:
    desk.fetch(RATE)
    reprocess(desk.later(DAY).next_run(), RATE)
    assert rows_of(desk)[NOW + DAY, 1345] == (1, 1500, 1, 500)
    assert grown(desk) == on_disk(desk) == 1500


def test_growth_adds_up_to_what_lies_on_disk_whatever_happens(desk: Desk) -> None:
    names = file_names(6)
    ids = desk.fetch(*names)
    lost, dropped, found, pruned = names[:4]
    desk.store.roots.record_losses(
        desk.run.id,
        [Loss(file_id=ids[lost], product_id=desk.product_id(lost), reason="it is not there")] * 2,
        now=desk.now + HOUR,
    )
    assert grown(desk) == on_disk(desk) == 5000
    remove(desk.later(2 * HOUR), dropped)
    assert grown(desk) == on_disk(desk) == 4000
    desk = desk.later(2 * HOUR).next_run()
    desk.place(*desk.claim())  # what was lost comes back
    assert grown(desk) == on_disk(desk) == 5000

    chosen = desk.store.drops.choose([found])
    desk.store.drops.drop(chosen, now=desk.now)
    desk.store.drops.undrop(chosen, missing=[ids[found]], now=desk.now)
    assert grown(desk) == on_disk(desk) == 4000

    desk.plan(skipped=[desk.product_id(pruned)])
    candidates = desk.store.pruning.candidates([desk.profile])
    assert [candidate.file.name for candidate in candidates] == [pruned]
    desk.store.pruning.prune(
        candidates,
        [desk.profile],
        remove=lambda some: [choice.file_id for choice in some],
        now=NOW + 3 * HOUR,
    )
    assert grown(desk) == on_disk(desk) == 3000
    assert rows_of(desk)[NOW + 3 * HOUR, 1345] == (0, 0, 0, -1000)


def test_what_is_adopted_is_growth_and_no_news(desk: Desk) -> None:
    from jwstwatch.store.plans import Adopted

    desk.want(RATE)
    adopted = Adopted(size=700, sha256=digest("old"), modified_ns=1, revision=1)
    desk.replan(RATE, on_disk=OnDisk(kind=DiskKind.FILE, size=700), adopted=adopted)
    assert rows_of(desk) == {(NOW, 1345): (0, 0, 0, 700)}
    desk.want(JPG)
    (claim,) = desk.claim()
    intent = desk.intend(claim)
    desk.store.transfers.record_placed(desk.run.id, [(intent, 1)], now=desk.now, how="adopted")
    assert rows_of(desk) == {(NOW, 1345): (0, 0, 0, 1700)}
    assert desk.store.arrivals.read(desk.root.id, now=NOW).news == ()


def test_a_batch_of_arrivals_costs_two_statements_whatever_its_size(desk: Desk) -> None:
    desk.want(*file_names(40))
    intents = [desk.intend(claim) for claim in desk.claim()]
    seen: list[str] = []
    engine = desk.store.database.engine
    sql_event.listen(engine, "before_cursor_execute", lambda *words: seen.append(words[2]))
    desk.store.transfers.record_placed(desk.run.id, [(intent, 1) for intent in intents], now=desk.now)
    assert sum("arrival" in statement for statement in seen) == 1
    assert rows_of(desk) == {(NOW, 1345): (40, 40000, 0, 40000)}


def test_days_tell_what_lay_on_disk_at_their_end(desk: Desk) -> None:
    first, second, third = file_names(3)
    desk.fetch(first)
    desk.later(2 * DAY).fetch(second)
    remove(desk.later(2 * DAY + HOUR), first)
    desk.later(5 * DAY).fetch(third)
    arrivals = desk.store.arrivals.read(desk.root.id, now=NOW + 9 * DAY)
    told = [(entry.day, entry.files, entry.size, entry.on_disk) for entry in arrivals.days]
    assert told == [
        (date(2026, 3, 1), 1, 1000, 1000),
        (date(2026, 3, 3), 1, 1000, 1000),
        (date(2026, 3, 6), 1, 1000, 2000),
    ]
    filled = fill_days(arrivals, fewest=8)
    assert [entry.on_disk for entry in filled] == [0, 0, 1000, 1000, 1000, 1000, 1000, 2000]
    assert [entry.files for entry in filled] == [0, 0, 1, 0, 1, 0, 0, 1]


def test_the_plots_begin_with_what_was_there_before_their_first_day(desk: Desk) -> None:
    first, second = file_names(2)
    desk.fetch(first)
    desk.later(DAYS_SHOWN * DAY).fetch(second)
    arrivals = desk.store.arrivals.read(desk.root.id, now=NOW + 400 * DAY)
    (day,) = arrivals.days
    assert (arrivals.before, day.files, day.on_disk) == (1000, 1, 2000)


def test_hours_are_those_of_the_week_before_the_newest_arrival(desk: Desk) -> None:
    first, second, third = file_names(3)
    desk.fetch(first)
    desk.later(2 * DAY).fetch(second)
    desk.later(8 * DAY).fetch(third)
    remove(desk.later(20 * DAY), first)
    hours = desk.store.arrivals.read(desk.root.id, now=NOW + 30 * DAY).hours
    assert [(entry.hour, entry.proposal, entry.files) for entry in hours] == [
        (NOW + 8 * DAY, 1345, 1),
        (NOW + 2 * DAY, 1345, 1),
    ]


def test_a_clock_that_ran_ahead_does_not_hide_what_comes_after_it(desk: Desk) -> None:
    first, second = file_names(2)
    desk.later(3650 * DAY).fetch(first)
    desk.fetch(second)
    arrivals = desk.store.arrivals.read(desk.root.id, now=NOW + DAY)
    assert [entry.hour for entry in arrivals.hours] == [NOW]
    assert [entry.day for entry in arrivals.days] == [NOW.date()]


def test_news_are_grouped_by_observation_run_and_fate(desk: Desk) -> None:
    other = "jw01345002001_02101_00001_nrca1_rate.fits"
    desk.fetch(RATE, JPG, other)
    desk.later(HOUR).fetch(*file_names(2, suffix="cal.fits"))
    second = desk.later(DAY).next_run()
    reprocess(second, RATE)
    news = second.store.arrivals.read(desk.root.id, now=NOW + DAY).news
    assert [(entry.fate, entry.obsnum, entry.files, entry.size) for entry in news] == [
        (Fate.REPROCESSED, 1, 1, 1500),
        (Fate.NEW, 1, 4, 4000),
        (Fate.NEW, 2, 1, 1000),
    ]
    newest, first, _ = news
    assert newest.changes == (Change(name="pipeline", former="1.17.1", present="1.18.0"),)
    assert newest.names == (RATE,)
    assert (first.published, first.updated) == (NOW, NOW + HOUR)
    assert first.changes == ()


def test_the_identity_of_an_entry_is_the_same_at_every_look_and_in_no_other_root(desk: Desk) -> None:
    desk.fetch(RATE)
    (before,) = desk.store.arrivals.read(desk.root.id, now=NOW).news
    desk.later(DAY).next_run().fetch(JPG)
    (_, after) = desk.store.arrivals.read(desk.root.id, now=NOW + DAY).news
    assert before == after
    assert before.identity.startswith("urn:uuid:")
    with desk.store.database.write() as connection:
        connection.execute(update(tables.root).values(uuid="00000000-0000-4000-8000-000000000002"))
    (_, elsewhere) = desk.store.arrivals.read(desk.root.id, now=NOW + DAY).news
    assert elsewhere.identity != before.identity


def test_a_file_that_merely_came_back_is_no_news(desk: Desk) -> None:
    ids = desk.fetch(RATE)
    second = desk.later(DAY).next_run()
    loss = Loss(file_id=ids[RATE], product_id=desk.product_id(RATE), reason="it is not there")
    second.store.roots.record_losses(second.run.id, [loss], now=second.now)
    second.place(*second.claim())
    assert len(desk.store.arrivals.read(desk.root.id, now=NOW + DAY).news) == 1


def test_another_root_has_news_and_figures_of_its_own(desk: Desk, store: Store, tmp_path: Any) -> None:
    desk.fetch(RATE)
    root = store.roots.add(tmp_path / "other", identity="00000000-0000-4000-8000-000000000003", now=NOW)
    other = replace(desk.of("elsewhere"), root=root)
    other.want(JPG)
    other.place(*other.claim())
    (entry,) = store.arrivals.read(root.id, now=NOW).news
    assert entry.names == (JPG,)
    (entry,) = store.arrivals.read(desk.root.id, now=NOW).news
    assert entry.names == (RATE,)
    assert sum(entry.files for entry in store.arrivals.read(root.id, now=NOW).hours) == 1


def test_a_run_that_brought_very_much_is_told_of_in_part(desk: Desk, monkeypatch: Any) -> None:
    monkeypatch.setattr(newsfeed, "EVENTS_OF_A_RUN", 10)
    desk.fetch(*file_names(12))
    (entry,) = desk.store.arrivals.read(desk.root.id, now=NOW).news
    assert (entry.files, entry.more) == (10, True)


def test_the_home_page_reads_no_more_of_a_large_state_than_of_a_small_one(
    desk: Desk, monkeypatch: Any
) -> None:
    seen: list[tuple[str, Any]] = []
    engine = desk.store.database.engine
    monkeypatch.setattr(newsfeed, "NEWS_SHOWN", 5)
    for number in range(8):
        desk = desk.later(HOUR).next_run()
        desk.fetch(f"jw01345{number + 1:03d}001_02101_00001_nrca1_rate.fits")
    sql_event.listen(engine, "before_cursor_execute", lambda *words: seen.append((words[2], words[3])))
    arrivals = desk.store.arrivals.read(desk.root.id, now=desk.now)
    asked = list(seen)
    assert len(arrivals.news) == 5
    if not desk.store.database.is_sqlite:
        return
    with desk.store.database.read() as connection:
        for statement, parameters in asked:
            if not statement.lstrip().startswith("SELECT"):
                continue
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            for step in plan:
                # Runs are few; everything else is found by an index.
                assert not step[3].startswith("SCAN") or step[3].startswith("SCAN run"), (statement, step[3])


def test_states_of_files_without_a_copy_are_no_arrivals(desk: Desk) -> None:
    desk.want(RATE, state=FileState.WITHHELD)
    assert rows_of(desk) == {}
    assert desk.store.arrivals.read(desk.root.id, now=NOW).days == ()


def test_the_news_of_many_runs_are_read_in_one_statement_a_run_and_few_besides(desk: Desk) -> None:
    names = file_names(12)
    then = desk
    for name in names:
        then.fetch(name)
        then = then.later(HOUR).next_run()
    with counted(desk.store.database) as statements:
        news = desk.store.arrivals.read(desk.root.id, now=then.now).news
    assert [entry.names for entry in news] == [(name,) for name in reversed(names)]
    assert len([text for text in statements if text.startswith("SELECT")]) <= len(names) + 10
