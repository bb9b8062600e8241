"""The gaps of a proposal as the state knows them: whose files count, and what they wait for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.core.dates import to_mjd
from jwstwatch.core.gaps import Gap, GapKind
from jwstwatch.core.model import PLANNED, FileState
from jwstwatch.store.gaps import EVERYTHING, Scope
from jwstwatch.store.plans import PlanRow
from tests.store.desk import DAY, HOUR, NOW, OTHER, RATE, Desk, file_names, observation, row
from tests.store.test_listings import counted


def gaps(desk: Desk, proposal: int | None = 1345, scope: Scope = EVERYTHING) -> list[Gap]:
    return list(desk.store.gaps.of_proposal(proposal, now=desk.now, scope=scope))


def brief(found: list[Gap]) -> list[tuple[str, int | None, int, str]]:
    return [(gap.kind.value, gap.obsnum, gap.count, gap.reason) for gap in found]


def skip(desk: Desk, *names: str) -> None:
    """List products that the profile's rules leave out."""
    recorded = desk.list(*(row(name) for name in names))
    desk.plan(skipped=[entry.id for entry in recorded.values()])


def test_what_is_here_lacks_nothing(desk: Desk) -> None:
    assert desk.store.gaps.proposals() == []
    desk.fetch(*file_names(3))
    assert desk.store.gaps.proposals() == [1345]
    assert gaps(desk) == []


def test_every_state_tells_its_reason_and_when_it_is_tried_again(desk: Desk) -> None:
    new, broken, late, hurt, lost = file_names(5)
    desk.fetch(late, hurt, lost)
    desk.want(broken)
    desk.fail(*desk.claim(), again=NOW + 2 * HOUR)
    desk.want(new)
    desk.list(row(late, size=2000))
    desk.set_file([desk.file_id(f"01345/{hurt}")], damage="5 of 1000 bytes")
    desk.set_file([desk.file_id(f"01345/{lost}")], state="gone", reason="the archive no longer lists it")
    found = {gap.kind: gap for gap in gaps(desk)}
    assert {kind: gap.names for kind, gap in found.items()} == {
        GapKind.WANTED: (new,),
        GapKind.FAILED: (broken,),
        GapKind.STALE: (late,),
        GapKind.DAMAGED: (hurt,),
        GapKind.GONE: (lost,),
    }
    assert found[GapKind.FAILED].reason == "the archive cannot send it at the moment (HTTP 503)"
    assert found[GapKind.FAILED].next_at == NOW + 2 * HOUR
    assert found[GapKind.DAMAGED].reason == "5 of 1000 bytes"
    assert found[GapKind.GONE].reason == "the archive no longer lists it; the copy is kept"


@pytest.mark.parametrize(
    "values",
    [{"declined": True}, {"superseded": True}, {"state": "stale", "keeps": True}, {"unwanted": True}],
    ids=["dropped", "superseded", "kept old on purpose", "selected by nobody"],
)
def test_what_is_not_to_be_here_is_no_gap(desk: Desk, values: dict[str, Any]) -> None:
    from sqlalchemy import update

    from jwstwatch.store import tables

    ids = desk.fetch(RATE) if "state" in values else desk.want(RATE)
    if "unwanted" in values:
        desk.plan(skipped=[desk.product_id(RATE)])
    elif "keeps" in values:
        desk.set_file([ids[RATE]], state="stale")
        with desk.store.database.write() as connection:
            connection.execute(update(tables.want).values(keeps=True))
    else:
        desk.set_file([ids[RATE]], **values)
    assert gaps(desk) == []


def test_what_is_withheld_says_when_it_is_released(desk: Desk) -> None:
    desk.observe(
        observation(1, t_obs_release=to_mjd(NOW + 30 * DAY)), observation(2, t_obs_release=to_mjd(NOW - DAY))
    )
    names = file_names(3)
    desk.want(*names, state=FileState.WITHHELD, reason="no token")
    desk.list(*(row(name, parent=1002) for name in names))
    (gap,) = gaps(desk)
    assert (gap.kind, gap.count) == (GapKind.WITHHELD, 3)
    assert gap.next_at is not None
    assert abs(gap.next_at - (NOW + 30 * DAY)) < timedelta(seconds=1)


def test_not_listed_not_selected_and_not_here_are_told_apart(desk: Desk) -> None:
    desk.observe(observation(1))
    names = file_names(4)
    desk.fetch(*names)
    other = [name.replace("nrca1", "nrcb3") for name in names]
    desk.fetch(other[0])
    desk.want(other[1])
    skip(desk, other[3])  # of nrcb3, 2 of 3 are selected
    assert brief(gaps(desk)) == [
        ("detector", 1, 1, "the archive does not list it"),
        ("not selected", 1, 1, "the archive lists it, no profile selects it"),
        ("wanted", 1, 1, "not fetched yet"),
    ]
    detector, unselected, wanted = gaps(desk)
    assert (detector.exposure, detector.what) == ("jw01345001001_02101_00003", "nrcb3")
    assert (unselected.names, wanted.names) == ((other[3],), (other[1],))


def test_what_is_planned_or_was_never_listed_is_told(desk: Desk) -> None:
    desk.observe(
        observation(1),
        observation(2),
        observation(3),
        observation(9, obs_id="jw01345009001_xxxxx_00001", calib_level=PLANNED, target_name="M <92>"),
    )
    desk.fetch(RATE)  # in the list of 1
    desk.store.listings.mark_checked(desk.profile, [1003], now=NOW)  # whose list was empty
    assert brief(gaps(desk)) == [
        ("not listed yet", 2, 1, "the archive was not asked for its products so far"),
        ("planned", 9, 1, "planned, not executed so far"),
    ]
    assert gaps(desk)[1].what == "M <92>"


def test_a_profile_is_told_of_its_own_observations_and_files(desk: Desk) -> None:
    desk.observe(observation(1))
    names = file_names(4)
    desk.fetch(*names)
    theirs = desk.of(OTHER)
    theirs.observe(observation(2), observation(4, proposal=2561, obs_id="jw02561-o004_t001_nis_x"))
    second = [name.replace("jw01345001", "jw01345002") for name in names]
    recorded = theirs.list(*(row(name, parent=1002) for name in second))
    theirs.plan(
        PlanRow(
            product_id=recorded[second[0]].id,
            path=f"01345/{second[0]}",
            known=None,
            state=FileState.WANTED,
            reason="new",
            priority=1,
        )
    )
    assert gaps(desk, scope=Scope(profile=desk.profile)) == []
    assert brief(gaps(desk, scope=Scope(profile=OTHER))) == [("wanted", 2, 1, "not fetched yet")]
    assert desk.store.gaps.proposals(profile=desk.profile) == [1345]
    assert desk.store.gaps.proposals(profile=OTHER) == [1345, 2561]
    assert desk.store.gaps.proposals() == [1345, 2561]
    elsewhere = desk.store.roots.add(Path("/elsewhere"), now=NOW)
    assert gaps(desk, scope=Scope(root_id=elsewhere.id)) == []


def test_the_mode_is_the_observations_own_else_its_parents(desk: Desk) -> None:
    """An acquisition at another step, with one detector of ten, is no exposure that lacks nine."""
    acquisition = "jw01345001001_02102_00001_nrca1_rate.fits"
    desk.observe(
        observation(1),
        observation(8, obs_id=acquisition[:-10], instrument_name="NIRCAM/TARGACQ", calib_level=2),
    )
    science = [name.replace("nrca1", d) for name in file_names(3) for d in ("nrca1", "nrcb3")]
    desk.fetch(*science)
    desk.list(row(acquisition, parent=1001, obsid=1008))
    desk.store.listings.mark_checked(desk.profile, [1008], now=NOW)
    assert [gap.kind for gap in gaps(desk)] == []
    desk.list(row(acquisition.replace("02102", "02103"), parent=1001, obsid=1009))
    assert [gap.what for gap in gaps(desk) if gap.kind is GapKind.DETECTOR] == ["nrcb3"]


def test_files_of_unknown_proposals_are_told_together(desk: Desk) -> None:
    odd = "telescope_pointing.csv"
    desk.list(row(odd, proposal=None, obs_id="none"))
    desk.replan(odd)
    assert desk.store.gaps.proposals() == [None]
    (gap,) = gaps(desk, None)
    assert (gap.proposal, gap.names) == (None, (odd,))


def test_a_proposal_is_asked_in_few_statements_whatever_it_holds(desk: Desk) -> None:
    desk.observe(*(observation(number) for number in range(1, 40)))
    desk.want(*file_names(300))
    with counted(desk.store.database) as statements:
        (gap,) = [gap for gap in gaps(desk) if gap.kind is GapKind.WANTED]
    assert gap.count == 300
    assert len([text for text in statements if text.startswith("SELECT")]) == 5


def test_a_part_of_a_page_tells_its_gaps(desk: Desk) -> None:
    from tests.store.test_sites import SETTINGS

    desk.want(*file_names(3))
    view, _ = desk.store.parts.view(desk.root.id, 1345, 1, SETTINGS, now=NOW)
    assert [(gap.kind, gap.count) for gap in view.gaps] == [(GapKind.WANTED, 3)]


def test_a_reprocessed_file_says_when_and_with_what(desk: Desk) -> None:
    from tests.store.test_sites import shown

    desk.fetch(RATE)
    product = desk.product_id(RATE)
    first = {"keywords.checksum": "a", "keywords.cal_ver": "1.14.0", "keywords.crds_ctx": "jwst_1230.pmap"}
    desk.store.revisions.record_facts(desk.run.id, {product: first}, now=NOW)
    assert shown(desk).reprocessed is None
    later = desk.later(DAY)
    second = {"keywords.checksum": "b", "keywords.cal_ver": "1.15.0", "keywords.crds_ctx": "jwst_1241.pmap"}
    later.store.revisions.record_facts(desk.run.id, {product: second}, now=later.now)
    change = shown(later).reprocessed
    assert change is not None
    assert change.at == later.now
    assert change.pipeline == ("1.14.0", "1.15.0")
    assert change.context == ("jwst_1230.pmap", "jwst_1241.pmap")


@pytest.mark.parametrize("change", ["listed", "unselected", "planned", "checked", "damaged"])
def test_what_changes_the_gaps_makes_the_page_due(desk: Desk, change: str) -> None:
    from tests.store.test_sites import is_due, written

    desk.observe(observation(1), observation(2))
    ids = desk.fetch(*file_names(2))
    desk.want(file_names(3)[2])
    written(desk)
    assert not is_due(desk)
    if change == "listed":
        skip(desk, file_names(4)[3])
    elif change == "unselected":
        desk.plan(skipped=[desk.product_id(file_names(3)[2])])
    elif change == "planned":
        desk.observe(observation(9, obs_id="jw01345009001_xxxxx_00001", calib_level=PLANNED))
    elif change == "checked":
        desk.store.listings.mark_checked(desk.profile, [1002], now=NOW)
    else:
        verifications = desk.store.verifications
        read = list(verifications.look_again(ids.values()).values())
        verifications.note([(present.copy, "5 of 1000 bytes") for present in read], now=NOW)
        assert desk.file(file_names(1)[0]).state is FileState.PRESENT
    assert is_due(desk)


def test_a_superseded_file_leaves_counts_and_gaps(desk: Desk) -> None:
    from tests.store.test_sites import view

    stamped = "jw01345-o001_20260101t000000_image3_00001_asn.json"
    ids = desk.fetch(RATE, stamped)
    desk.set_file([ids[stamped]], superseded=True)
    assert [file.name for file in view(desk).files] == [RATE]
    assert gaps(desk) == []
