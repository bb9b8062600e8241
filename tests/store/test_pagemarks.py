"""Which changes make which parts of the pages due: whatever is shown, and nothing else."""

from __future__ import annotations

import pytest

from jwstwatch.core import products
from jwstwatch.core.model import ListingRow, Outcome
from jwstwatch.core.space import waits_for_quota
from jwstwatch.store import tables
from jwstwatch.store.reservations import Due
from jwstwatch.store.runs import Counts
from jwstwatch.store.verifications import Scope
from tests.store.desk import DAY, JPG, NOW, OTHER, RATE, Desk, observation, row
from tests.store.test_sites import THIRD, due_parts, is_due, written

JOINED = "jw01345-c1001_t001_nircam_clear-f200w_i2d.fits"


def listed(desk: Desk, *rows: ListingRow, parents: tuple[int, ...]) -> None:
    """Record whole product lists of these parents."""
    listings = desk.store.listings
    listings.record_products(desk.run.id, products.group(rows, {}), now=desk.now, parents=parents)


def test_a_file_whose_observation_becomes_known_leaves_the_part_where_it_was(desk: Desk) -> None:
    desk.fetch(JOINED)
    desk.fetch(RATE)
    written(desk)
    # Its parent turns out to be of the third observation.
    desk.list(row(JOINED), row(THIRD))
    assert desk.product(JOINED).obsnum == 3
    assert due_parts(desk) == [None, 3]


def test_a_profile_that_begins_to_want_what_is_there_makes_it_due(desk: Desk) -> None:
    desk.fetch(RATE)
    desk.fetch(THIRD)
    written(desk)
    other = desk.of(OTHER)
    other.replan(THIRD)
    assert due_parts(desk) == [3]
    written(desk)
    other.replan(THIRD)
    assert not is_due(desk), "it wanted it before"


def test_a_product_that_the_archive_describes_in_another_way_is_shown_so(desk: Desk) -> None:
    desk.fetch(RATE)
    desk.fetch(THIRD)
    written(desk)
    desk.list(row(RATE, product_type="SCIENCE"))
    assert due_parts(desk) == [1]
    written(desk)
    desk.list(row(RATE, product_type="SCIENCE"))
    assert not is_due(desk)


def test_what_a_product_list_lacks_from_now_on_is_no_gap_any_more(desk: Desk) -> None:
    desk.observe(observation(1), observation(3))
    desk.fetch(RATE)
    desk.fetch(THIRD)
    unwanted = RATE.replace("_rate", "_cal")
    listed(desk, row(RATE), row(unwanted), parents=(1001,))
    written(desk)
    desk = desk.later(DAY)
    listed(desk, row(RATE), parents=(1001,))
    assert due_parts(desk) == [1]
    written(desk)
    listed(desk.later(DAY), row(RATE), parents=(1001,))
    assert not is_due(desk)
    listed(desk.later(2 * DAY), row(RATE), row(unwanted), parents=(1001,))
    assert due_parts(desk) == [1]


@pytest.mark.parametrize("revised", [False, True])
def test_a_pipeline_version_that_is_told_later_is_shown_where_it_is_shown(desk: Desk, revised: bool) -> None:
    desk.fetch(RATE)
    if revised:
        desk.list(row(RATE, size=2000))
    written(desk)
    known = {desk.product_id(RATE): {"keywords.cal_ver": "1.18.0"}}
    desk.store.revisions.record_facts(desk.run.id, known, now=NOW)
    assert is_due(desk) == revised
    written(desk)
    desk.store.revisions.record_facts(desk.run.id, known, now=NOW)
    assert not is_due(desk)


def test_what_waits_for_room_and_what_no_longer_does_says_so_on_its_page(desk: Desk) -> None:
    desk.want(RATE)
    desk.of(OTHER).want(THIRD)
    written(desk)
    reservations = desk.store.reservations
    mine = Due(run_id=desk.run.id, profile=desk.profile, now=desk.now)
    why = waits_for_quota("2.00 TB")
    reservations.mark(mine, waiting=(), why=why)
    assert due_parts(desk) == [1]
    written(desk)
    waits = f"new; {why}"
    reservations.mark(mine, waiting=(waits,), why=why)
    assert not is_due(desk), "it waits as before"
    reservations.mark(mine, waiting=(waits,), why=None)
    assert due_parts(desk) == [1]


def test_a_copy_that_is_kept_although_it_is_old_is_no_gap(desk: Desk) -> None:
    desk.fetch(RATE)
    desk.list(row(RATE, size=2000))
    written(desk)
    desk.store.reactions.keep(desk.profile, ["_rate.fits"], keeps=True)
    assert due_parts(desk) == [1]
    written(desk)
    desk.store.reactions.keep(desk.profile, ["_rate.fits"], keeps=True)
    assert not is_due(desk)


def test_a_profile_that_is_called_otherwise_writes_its_pages_under_its_new_name(desk: Desk) -> None:
    desk.fetch(RATE)
    written(desk)
    desk = desk.next_run()
    desk.store.runs.finish(desk.run, Outcome.COMPLETE, counts=Counts(), error=None, now=desk.now)
    desk.store.profiles.rename(desk.profile, "again", now=desk.now)
    assert due_parts(desk) == [1]


@pytest.mark.parametrize("why", ["it is missing", "others are newer"])
def test_a_former_picture_that_is_kept_no_more_is_offered_no_more(desk: Desk, why: str) -> None:
    ids = desk.fetch(JPG)
    desk.fetch(THIRD.replace("_rate.fits", "_rate.jpg"))
    place = f".replaced/01345/r1/{JPG}"
    with desk.store.database.write() as connection:
        values = {"file_id": ids[JPG], "revision": 1, "new_size": 1, "kept_as": place, "replaced_at": NOW}
        connection.execute(tables.replaced.insert().values(values))
    written(desk)
    if why == "it is missing":
        desk.store.inventory.forget_kept(desk.store.inventory.kept(Scope(), desk.root.id))
    else:
        desk.store.histories.forget_kept(desk.store.histories.kept([ids[JPG]])[ids[JPG]])
    assert due_parts(desk) == [1]
