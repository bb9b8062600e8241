"""Copies that nobody fetched: recorded whoever wants them, taken over by the first profile that does."""

from __future__ import annotations

from pathlib import Path

from jwstwatch.core.model import FileState
from jwstwatch.store.plans import Adopted, PlanRow
from tests.store.desk import DAY, JPG, NOW, OTHER, RATE, Desk, digest, observation, row

WHERE = f"old/{RATE}"


def adoptable(desk: Desk, name: str = RATE, path: str | None = None, *, current: bool = True) -> PlanRow:
    """What planning makes of a file that was found at a path, as the state has that path now."""
    path = path or f"old/{name}"
    recorded = desk.list(row(name))[name]
    standing = desk.store.plans.standing(desk.root.id, [path])
    return PlanRow(
        product_id=recorded.id,
        path=path,
        known=standing[path][0] if path in standing else None,
        state=FileState.PRESENT if current else FileState.STALE,
        reason=None if current else "of another size",
        priority=300,
        adopted=Adopted(
            size=1000,
            sha256=digest("content"),
            modified_ns=7,
            revision=recorded.revision if current else None,
            note="unproved",
            detail="header: CAL_VER 1.17.1",
        ),
    )


def adopt(desk: Desk, *rows: PlanRow) -> set[str]:
    return desk.store.plans.adopt(desk.root.id, rows, now=desk.now)


def unwanted(desk: Desk, name: str = RATE) -> str | None:
    number = desk.product_id(name)
    found = desk.store.plans.unwanted_copies(desk.root.id, [number]).get(number)
    return found.path if found else None


def test_an_adopted_file_is_present_with_what_it_told_of_itself(desk: Desk) -> None:
    assert adopt(desk, adoptable(desk)) == {WHERE}
    report = desk.file()
    assert (report.state, report.reason, report.revision) == (FileState.PRESENT, None, 1)
    assert (report.size, report.sha256, report.note) == (1000, digest("content"), "unproved")
    assert report.profiles == ()
    (event,) = desk.product().events
    assert (event.kind, event.detail) == ("adopted", "header: CAL_VER 1.17.1")
    assert list(desk.store.sites.pages(desk.root.id)) == [1345]


def test_an_older_content_is_stale(desk: Desk) -> None:
    adopt(desk, adoptable(desk, current=False))
    report = desk.file()
    assert (report.state, report.reason, report.revision) == (FileState.STALE, "of another size", None)


def test_a_path_that_somebody_took_meanwhile_stays_theirs(desk: Desk) -> None:
    mine = adoptable(desk)
    desk.want(RATE, folder="old")
    assert adopt(desk, mine) == set()
    assert desk.file().state is FileState.WANTED


def test_a_row_that_changed_meanwhile_stays_as_it_is(desk: Desk) -> None:
    desk.want(RATE, folder="old")
    mine = adoptable(desk)
    assert mine.known is not None
    (claim,) = desk.claim()
    desk.place(claim)
    assert adopt(desk, mine) == set()
    assert desk.kinds() == ["wanted", "fetched"]


def test_a_wanted_file_that_was_found_is_present_and_nothing_is_held_against_it(desk: Desk) -> None:
    desk.want(RATE, folder="old")
    desk.fail(*desk.claim())
    assert adopt(desk, adoptable(desk)) == {WHERE}
    report = desk.file()
    assert (report.state, report.attempts, report.last_error) == (FileState.PRESENT, 0, None)
    assert report.profiles == (desk.profile,)


def test_what_stands_at_a_path_is_found_with_its_product(desk: Desk) -> None:
    adopt(desk, adoptable(desk))
    found = desk.store.plans.standing(desk.root.id, [WHERE, "elsewhere"])
    ((path, (known, uri)),) = found.items()
    assert (path, known.path, uri) == (WHERE, WHERE, f"mast:JWST/product/{RATE}")
    other = desk.store.roots.add(Path("/elsewhere"), now=NOW)
    assert desk.store.plans.standing(other.id, [WHERE]) == {}


def test_a_copy_that_nobody_wants_is_found_until_somebody_does(desk: Desk) -> None:
    adopt(desk, adoptable(desk), adoptable(desk, JPG))
    assert (unwanted(desk), unwanted(desk, JPG)) == (WHERE, f"old/{JPG}")
    number = desk.product_id(RATE)
    known = desk.store.plans.unwanted_copies(desk.root.id, [number])[number]
    desk.of(OTHER).plan(
        PlanRow(
            product_id=number,
            path=known.path,
            known=known,
            state=FileState.PRESENT,
            reason=None,
            priority=300,
        )
    )
    assert unwanted(desk) is None
    assert unwanted(desk, JPG) == f"old/{JPG}"
    assert desk.file().profiles == (OTHER,)
    assert desk.kinds() == ["adopted"], "taking it over is no news about the file"


def test_what_is_wanted_only_and_what_was_dropped_are_no_copies_to_take_over(desk: Desk) -> None:
    desk.want(RATE)
    assert unwanted(desk) is None
    adopt(desk, adoptable(desk, JPG))
    desk.set_file([desk.file_id(f"old/{JPG}")], declined=True)
    assert unwanted(desk, JPG) is None


def test_of_several_unwanted_copies_the_newest_content_counts(desk: Desk) -> None:
    adopt(desk, adoptable(desk, path=f"first/{RATE}", current=False))
    adopt(desk, adoptable(desk, path=f"second/{RATE}"))
    adopt(desk, adoptable(desk, path=f"third/{RATE}", current=False))
    assert unwanted(desk) == f"second/{RATE}"


def test_an_adopted_copy_becomes_stale_when_the_archive_has_another_content(desk: Desk) -> None:
    adopt(desk, adoptable(desk))
    desk.later(DAY).list(row(size=2000))
    assert desk.file().state is FileState.STALE


def test_observations_and_products_can_be_known_before_anybody_is_interested(desk: Desk) -> None:
    desk.store.listings.record_observations(None, [observation()], now=NOW, everything=False)
    desk.store.listings.record_products(None, [], now=NOW)
    assert desk.store.listings.count_observations(desk.profile) == 0
    desk.observe(observation())
    due = desk.store.listings.due_observations(desk.profile, now=NOW, settle=DAY, recheck=DAY)
    assert due == [1001]
