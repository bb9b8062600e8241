"""Copies of older revisions: who keeps them, what is due all the same, what replacing them took."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from jwstwatch.core.planning import NEWER_REVISION
from jwstwatch.core.space import BETWEEN, Limit, waits_for_budget, waits_for_space
from jwstwatch.store import tables
from jwstwatch.store.reactions import Outdated
from jwstwatch.store.reservations import Due, Waiting
from tests.store.desk import DAY, HOUR, JPG, NOW, OTHER, PROFILE, RATE, Desk, file_names, observation
from tests.store.test_listings import counted

BUDGET = waits_for_budget("20.0 GB")


def due(desk: Desk) -> Due:
    return Due(run_id=desk.run.id, profile=desk.profile, now=desk.now)


def outdate(desk: Desk, *names: str, revision: int | None = 1, reason: str = NEWER_REVISION) -> None:
    """The archive has other contents than the copies, which are of that revision."""
    ids = [desk.file_id(f"01345/{name}") for name in names]
    desk.set_file(ids, state="stale", revision=revision, reason=reason, priority=10_008)


def claimed(desk: Desk) -> set[str]:
    return {claim.name for claim in desk.claim()}


def replaced(desk: Desk, name: str, *, size: int, ago: timedelta, revision: int = 1) -> None:
    """A copy was replaced so long ago."""
    with desk.store.database.write() as connection:
        connection.execute(
            tables.replaced.insert(),
            {
                "file_id": desk.file_id(f"01345/{name}"),
                "revision": revision,
                "size": 1,
                "new_size": size,
                "replaced_at": desk.now - ago,
            },
        )


def test_what_a_profile_keeps_is_due_for_the_others_alone(desk: Desk) -> None:
    desk.fetch(RATE, JPG)
    desk = desk.next_run()
    other = desk.of(OTHER)
    other.want(RATE, JPG)
    outdate(desk, RATE, JPG)
    reactions = desk.store.reactions
    found = reactions.outdated(PROFILE)
    assert set(found) == {Outdated("_rate.fits", False, 1), Outdated("_rate.jpg", False, 1)}
    reactions.keep(PROFILE, ["_rate.fits"], keeps=True)
    assert Outdated("_rate.fits", True, 1) in reactions.outdated(PROFILE)
    assert [lot.filetype for lot in desk.store.reservations.lots(due(desk))] == ["_rate.jpg"]
    assert {lot.filetype for lot in desk.store.reservations.lots(due(other))} == {"_rate.fits", "_rate.jpg"}
    assert desk.file(RATE).keeping == (PROFILE,)
    assert desk.file(RATE).profiles == (OTHER, PROFILE)
    assert desk.file(JPG).keeping == ()
    assert claimed(desk) == {JPG}
    assert claimed(other) == {RATE}


def test_a_kept_file_is_unchanged_in_a_run_and_no_bytes_are_wanted_for_it(desk: Desk) -> None:
    desk.fetch(RATE, JPG)
    desk = desk.next_run()
    outdate(desk, RATE, JPG)
    desk.fail(*desk.claim(1))
    desk = desk.next_run()
    desk.store.reactions.keep(PROFILE, ["_rate.fits"], keeps=True)
    counts = desk.store.reports.of_run(desk.run.id, PROFILE)
    assert (counts.unchanged, counts.waiting + counts.failed) == (1, 1), "also one that failed before"
    standing = desk.store.reports.counts()[PROFILE]
    assert (standing.bytes_wanted, standing.kept) == (1000, 1)
    desk.store.reactions.keep(PROFILE, ["_rate.fits"], keeps=False)
    counts = desk.store.reports.of_run(desk.run.id, PROFILE)
    assert (counts.unchanged, counts.waiting + counts.failed) == (0, 2)
    standing = desk.store.reports.counts()[PROFILE]
    assert (standing.bytes_wanted, standing.kept) == (2000, 0)


def test_a_copy_of_no_known_revision_is_never_kept_and_is_mended_like_a_new_file(desk: Desk) -> None:
    desk.fetch(*file_names(2))
    desk = desk.next_run()
    outdate(desk, RATE, revision=None)
    outdate(desk, file_names(2)[1])
    desk.store.reactions.keep(PROFILE, ["_rate.fits"], keeps=True)
    outdate(desk, RATE, revision=None)  # the other is kept
    assert [(lot.files, lot.replaces) for lot in desk.store.reservations.lots(due(desk))] == [(1, False)]
    (planned,) = desk.store.reservations.plan(due(desk))
    assert (planned.name, planned.replaces, planned.copy_size) == (RATE, False, 1000)
    (claim,) = desk.claim()
    assert (claim.name, claim.replaces, claim.updates) == (RATE, True, False)


def test_what_was_kept_and_is_damaged_since_is_due(desk: Desk) -> None:
    desk.fetch(RATE)
    desk = desk.next_run()
    outdate(desk, RATE)
    desk.store.reactions.keep(PROFILE, ["_rate.fits"], keeps=True)
    assert claimed(desk) == set()
    outdate(desk, RATE, revision=None)
    assert claimed(desk) == {RATE}


def test_to_arrange_it_takes_few_statements_however_many_files_there_are(desk: Desk) -> None:
    names = file_names(30)
    desk.fetch(*names)
    with counted(desk.store.database) as statements:
        assert desk.store.reactions.outdated(PROFILE) == []
    assert len([text for text in statements if text.startswith("SELECT")]) == 1
    outdate(desk, *names, reason=f"{NEWER_REVISION}{BETWEEN}{BUDGET}")
    with counted(desk.store.database) as statements:
        desk.store.reactions.keep(PROFILE, ["_rate.fits"], keeps=True)
    sent = [text for text in statements if text.startswith(("SELECT", "UPDATE")) and "advisory" not in text]
    assert len(sent) == 9, "three, and six to make the page due"
    assert desk.store.reactions.outdated(PROFILE) == [Outdated("_rate.fits", True, 30)]


def test_what_everybody_keeps_waits_for_nothing(desk: Desk) -> None:
    desk.fetch(RATE)
    other = desk.of(OTHER)
    other.want(RATE)
    outdate(desk, RATE, reason=f"{NEWER_REVISION}{BETWEEN}{BUDGET}")
    desk.store.reactions.keep(PROFILE, ["_rate.fits"], keeps=True)
    assert desk.file().reason == f"{NEWER_REVISION}{BETWEEN}{BUDGET}", "it waits for the other profile"
    assert desk.store.reservations.waiting() == [
        Waiting(profile=OTHER, root=Path(desk.root.path), limit=Limit.BUDGET, files=1, size=1000)
    ]
    desk.store.reactions.keep(OTHER, ["_rate.fits"], keeps=True)
    assert desk.file().reason == NEWER_REVISION
    assert desk.store.reservations.waiting() == []


def test_an_observation_is_complete_though_older_revisions_of_it_are_kept(desk: Desk) -> None:
    desk.observe(observation())
    desk.fetch(RATE)
    desk = desk.next_run()
    outdate(desk, RATE)
    desk.fetch(JPG)
    assert desk.store.completions.of_run(desk.run.id, PROFILE) == []
    desk.store.reactions.keep(PROFILE, ["_rate.fits"], keeps=True)
    (complete,) = desk.store.completions.of_run(desk.run.id, PROFILE)
    assert complete.files == 2


def test_what_replacing_took_counts_for_a_day_and_for_whoever_wants_the_file(desk: Desk) -> None:
    names = file_names(4)
    desk.fetch(*names)
    desk.of(OTHER).want(names[0])
    replaced(desk, names[0], size=100, ago=HOUR)
    replaced(desk, names[0], size=20, ago=2 * HOUR, revision=2)
    replaced(desk, names[1], size=3, ago=DAY - timedelta(seconds=1))
    replaced(desk, names[2], size=1000, ago=DAY)
    replaced(desk, names[3], size=5000, ago=-400 * DAY)  # a clock that went wrong
    assert desk.store.reactions.spent(PROFILE, now=NOW) == 123
    assert desk.store.reactions.spent(OTHER, now=NOW) == 120
    assert desk.store.reactions.spent("nobody", now=NOW) == 0


def test_what_waits_for_the_budget_is_told_from_what_waits_for_room(desk: Desk) -> None:
    names = file_names(4)
    desk.fetch(*names[:3])
    desk = desk.next_run()
    desk.want(names[3])
    outdate(desk, *names[:3])
    places = {entry.name: entry.place for entry in desk.store.reservations.plan(due(desk))}
    assert next(iter(places)) == names[3]
    assert desk.store.reactions.put_off(PROFILE) == 0
    desk.store.reservations.mark(due(desk), waiting=(), why=BUDGET, first=places[names[1]])
    assert [desk.file(name).reason for name in names[:3]] == [
        NEWER_REVISION,
        *[f"{NEWER_REVISION}{BETWEEN}{BUDGET}"] * 2,
    ]
    assert desk.store.reactions.put_off(PROFILE) == 2
    space = waits_for_space("/data")
    desk.store.reservations.mark(
        due(desk), waiting=(f"{NEWER_REVISION}{BETWEEN}{BUDGET}",), why=space, first=places[names[2]]
    )
    assert [desk.file(name).reason for name in names[:3]] == [
        NEWER_REVISION,
        NEWER_REVISION,
        f"{NEWER_REVISION}{BETWEEN}{space}",
    ]
    assert desk.store.reactions.put_off(PROFILE) == 0
