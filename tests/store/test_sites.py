"""What the pages show, in parts, and when they are due."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jwstwatch.core.gap_words import summarise
from jwstwatch.core.gaps import find_product_gaps
from jwstwatch.core.model import FileState, Observation
from jwstwatch.core.naming import parse
from jwstwatch.core.site import FormerPicture, PageFile, PageSettings, PartView
from jwstwatch.store import tables
from jwstwatch.store.parts import Copy
from jwstwatch.store.roots import Loss
from jwstwatch.store.sites import DuePage, Lying, PartRecord
from tests.store.desk import JPG, NOW, OTHER, RATE, Desk, file_names, observation, row

SETTINGS = PageSettings(columns=("proposal_id",), thumbnails=(), keywords=(), sort_by=())
THIRD = "jw01345003001_02101_00001_nrca1_rate.fits"


def page(desk: Desk, proposal: int = 1345) -> tuple[DuePage, bool, str]:
    return desk.store.sites.pages(desk.root.id)[proposal]


def is_due(desk: Desk, proposal: int = 1345) -> bool:
    return page(desk, proposal)[1]


def parts(desk: Desk, proposal: int = 1345) -> dict[int | None, PartRecord]:
    return desk.store.sites.parts(desk.root.id, proposal)


def due_parts(desk: Desk, proposal: int = 1345) -> list[int | None]:
    return [obsnum for obsnum, record in parts(desk, proposal).items() if record.due]


def written(desk: Desk, digest: str = "a") -> None:
    """Write every page that is known, and all its parts."""
    for proposal, (entry, _, _) in desk.store.sites.pages(desk.root.id).items():
        done = {record.part: {"part": obsnum} for obsnum, record in parts(desk, proposal).items()}
        desk.store.sites.mark_parts_written(desk.root.id, proposal, done, settings=digest)
        desk.store.sites.mark_written(desk.root.id, entry, {"page": proposal}, settings=digest)


def view(desk: Desk, obsnum: int | None = 1, proposal: int = 1345) -> PartView:
    return desk.store.parts.view(desk.root.id, proposal, obsnum, SETTINGS, now=desk.now)[0]


def shown(desk: Desk, name: str = RATE) -> PageFile:
    (found,) = [entry for entry in view(desk, parse(name).obsnum).files if entry.name == name]
    return found


def copies(desk: Desk) -> list[Copy]:
    return desk.store.parts.copies(desk.root.id, 1345, 1)


# When a page is due


def test_a_page_is_due_once_something_on_it_changed_and_until_it_was_written(desk: Desk) -> None:
    assert desk.store.sites.pages(desk.root.id) == {}
    desk.want(RATE)
    assert page(desk)[1:] == (True, "")
    written(desk, "digest of the settings")
    assert page(desk)[1:] == (False, "digest of the settings")
    desk.place(*desk.claim())
    assert is_due(desk)


def test_a_change_during_the_writing_is_not_lost(desk: Desk) -> None:
    desk.want(*file_names(2))
    first, second = desk.claim()
    desk.place(first)
    being_written = page(desk)[0]
    desk.place(second)
    desk.store.sites.mark_written(desk.root.id, being_written, {}, settings="a")
    assert is_due(desk)
    desk.store.sites.mark_written(desk.root.id, page(desk)[0], {}, settings="a")
    assert not is_due(desk)


def test_a_change_during_the_writing_of_a_part_is_not_lost(desk: Desk) -> None:
    desk.want(*file_names(2))
    first, second = desk.claim()
    desk.place(first)
    being_written = parts(desk)[1].part
    desk.place(second)
    desk.store.sites.mark_parts_written(desk.root.id, 1345, {being_written: {}}, settings="a")
    desk.store.sites.forget_parts(desk.root.id, 1345, [being_written])
    assert due_parts(desk) == [1]
    written(desk)
    assert due_parts(desk) == []
    assert (parts(desk)[1].settings, parts(desk)[1].document) == ("a", {"part": 1})
    desk.store.sites.forget_parts(desk.root.id, 1345, [parts(desk)[1].part])
    assert parts(desk) == {}


def test_only_the_part_on_which_something_changed_is_due(desk: Desk) -> None:
    combined = "jw01345-c1001_t001_nircam_clear-f200w_i2d.fits"
    desk.fetch(RATE, THIRD)
    desk.fetch(combined)
    assert due_parts(desk) == [None, 1, 3]
    written(desk)
    desk.list(row(THIRD, size=2000))
    assert due_parts(desk) == [3]
    written(desk)
    desk.fail(*desk.next_run().claim())
    assert due_parts(desk) == [3]
    written(desk)
    desk.list(row(combined, size=2000))
    assert due_parts(desk) == [None]


def test_an_observation_makes_its_own_part_due_also_one_that_has_no_files(desk: Desk) -> None:
    desk.observe(observation(1), observation(3))
    desk.fetch(RATE, THIRD)
    written(desk)
    assert due_parts(desk) == []
    desk.observe(observation(3, target_name="another"))
    assert due_parts(desk) == [3]
    desk.observe(observation(7, calib_level=-1, t_min=None, t_max=None))
    assert due_parts(desk) == [3, 7]
    desk.observe(observation(8, proposal=2561, obs_id="jw02561-o008_t001_nircam_clear-f200w"))
    assert due_parts(desk) == [3, 7]


@pytest.mark.parametrize("change", ["revised", "failed", "lost", "released", "another right"])
def test_whatever_a_page_shows_makes_it_due(desk: Desk, change: str) -> None:
    other = file_names(2)[1]
    desk.fetch(RATE)
    desk.want(other, state=FileState.WITHHELD, reason="no token")
    theirs = replace(desk, root=desk.store.roots.add(Path("/elsewhere"), now=NOW)).of(OTHER)
    theirs.want("jw02561001001_02101_00001_nrca1_rate.fits")
    written(desk)
    written(theirs)
    if change == "revised":
        desk.list(row(size=2000))
    elif change == "failed":
        desk.store.plans.ask_withheld_again(desk.profile, now=NOW, token_since=NOW)
        desk.fail(*desk.claim())
    elif change == "lost":
        copies = [copy for batch in desk.store.roots.copies(desk.root.id) for copy in batch]
        desk.store.roots.record_losses(None, [Loss.of(copy, "missing") for copy in copies], now=NOW)
    elif change == "released":
        desk.store.plans.ask_withheld_again(desk.profile, now=NOW, token_since=NOW)
    else:
        desk.list(row(other, data_rights="EXCLUSIVE_ACCESS"))
    assert is_due(desk)
    assert not is_due(theirs, 2561)


def test_one_product_in_two_roots_makes_the_pages_of_both_due(desk: Desk) -> None:
    desk.fetch(RATE)
    theirs = replace(desk, root=desk.store.roots.add(Path("/elsewhere"), now=NOW)).of(OTHER)
    theirs.fetch(RATE)
    written(desk)
    written(theirs)
    desk.list(row(size=2000))
    assert is_due(desk)
    assert is_due(theirs)


def test_files_without_a_proposal_have_no_page(desk: Desk) -> None:
    odd = "telescope_pointing.csv"
    recorded = desk.list(row(odd, proposal=None, obs_id="none"))
    desk.replan(odd)
    assert recorded[odd].id
    assert desk.store.sites.pages(desk.root.id) == {}


def test_who_contributes_to_a_page_is_known(desk: Desk) -> None:
    desk.want(RATE, "jw02561001001_02101_00001_nrca1_rate.fits")
    desk.of(OTHER).replan()
    replace(desk, root=desk.store.roots.add(Path("/elsewhere"), now=NOW)).of("third").replan()
    sites = desk.store.sites
    assert sites.profiles(desk.root.id, 1345, [1, 2, None]) == {1: [OTHER, desk.profile], 2: [], None: []}
    assert sites.profiles(desk.root.id, 2561, [1]) == {1: [desk.profile]}
    combined = "jw01345-c1001_t001_nircam_clear-f200w_i2d.fits"
    desk.want(combined)
    assert sites.profiles(desk.root.id, 1345, [None]) == {None: [desk.profile]}


# What a page shows


def test_a_page_shows_each_file_as_it_is(desk: Desk) -> None:
    desk.observe(observation(1))
    desk.fetch(RATE)
    entry = shown(desk)
    assert entry == PageFile(
        name=RATE,
        path=f"01345/{RATE}",
        uri=row().uri,
        filetype="_rate.fits",
        obs_id=row().obs_id,
        obsid=5000,
        parent_obsid=1001,
        obsnum=1,
        calib_level=2,
        product_type=None,
        size=1000,
        state=FileState.PRESENT,
        reason=None,
        revision=1,
        changed_at=NOW,
        sha256=entry.sha256,
    )
    assert entry.sha256 is not None
    assert len(entry.sha256) == 64


def test_a_file_that_is_not_there_is_shown_with_its_listed_size_and_the_reason(desk: Desk) -> None:
    desk.want(RATE)
    desk.fail(*desk.claim(), message="not there (HTTP 404)")
    entry = shown(desk)
    assert (entry.state, entry.size, entry.reason) == (FileState.FAILED, 1000, "not there (HTTP 404)")


def test_a_stale_file_is_shown_as_the_copy_that_is_there(desk: Desk) -> None:
    desk.fetch(RATE)
    desk.list(row(size=2000))
    entry = shown(desk)
    assert (entry.state, entry.size, entry.revision) == (FileState.STALE, 1000, 1)


def test_a_file_is_shown_under_its_own_observation_not_under_one_that_merely_lists_it(desk: Desk) -> None:
    parent = "jw01345-o001_t001_nircam_clear-f200w"
    desk.list(
        row(parent=1001, obs_id=parent, obsid=1001, calib_level=3),
        row(parent=1003, obsid=5000),
        row(parent=1002, obsid=5000),
    )
    desk.replan()
    entry = shown(desk)
    assert (entry.obs_id, entry.obsid, entry.parent_obsid) == (row().obs_id, 5000, 1002)
    assert entry.calib_level == 2


def test_a_file_that_only_other_observations_list_is_shown_under_the_first_of_them(desk: Desk) -> None:
    desk.list(row(parent=1002, obs_id="b", obsid=2), row(parent=1001, obs_id="a", obsid=1))
    desk.replan()
    assert (shown(desk).obs_id, shown(desk).parent_obsid) == ("a", 1001)


def test_a_superseded_file_is_not_shown(desk: Desk) -> None:
    ids = desk.fetch(*file_names(2))
    desk.set_file([ids[RATE]], superseded=True)
    assert [entry.name for entry in view(desk).files] == [file_names(2)[1]]
    shelf = desk.store.parts.shelf(desk.root.id, 1345, 1)
    assert [product.name for product in shelf.products] == [file_names(2)[1]]
    assert [copy.name for copy in copies(desk)] == [file_names(2)[1]]


def test_the_observations_of_a_page_come_by_time_what_is_only_planned_last(desk: Desk) -> None:
    def of(target: int, **changes: object) -> Observation:
        name = f"jw01345-o001_t{target:03d}_nircam_clear-f200w"
        return observation(1, obs_id=name, obsid=1000 + target, **changes)

    planned = of(1, calib_level=-1, t_min=None, t_max=None)
    late, early = of(2, t_min=60000.5), of(3, t_min=59000.25)
    other = replace(observation(4), obs_id="jw02561-o001_t001_nircam_clear-f200w", proposal=2561)
    desk.observe(planned, late, early, other, observation(5))
    desk.want(RATE)
    assert view(desk).observations == (early, late, planned)
    assert view(desk, 5).observations == (observation(5),)
    assert view(desk).settings is SETTINGS


def test_a_page_holds_its_root_s_files_alone(desk: Desk) -> None:
    desk.fetch(RATE)
    theirs = replace(desk, root=desk.store.roots.add(Path("/elsewhere"), now=NOW)).of(OTHER)
    theirs.fetch(JPG)
    assert [entry.name for entry in view(desk).files] == [RATE]
    assert [entry.name for entry in view(theirs).files] == [JPG]


def test_gaps_of_the_parts_are_those_of_the_proposal(desk: Desk) -> None:
    combined = "jw01345-c1001_t001_nircam_clear-f200w_i2d.fits"
    desk.observe(*(observation(number) for number in (1, 2, 3)))
    desk.observe(observation(9, calib_level=-1, t_min=None, t_max=None))
    for obsnum in (1, 2, 3):
        key = f"jw01345{obsnum:03d}001_02101"
        exposures = (1, 2, 3) if obsnum < 3 else (1,)
        for exposure in exposures:
            names = [f"{key}_{exposure:05d}_nrc{sca}_cal.fits" for sca in ("a1", "a2", "b1")]
            desk.want(*(names if (obsnum, exposure) != (1, 3) else names[:2]))
        if obsnum < 3:
            desk.want(f"jw01345-o{obsnum:03d}_t001_nircam_clear-f200w_i2d.fits")
    desk.want(combined, state=FileState.WITHHELD, reason="no token")
    whole = summarise(desk.store.gaps.of_proposal(1345, now=NOW))
    pieces, facts = [], []
    for obsnum in parts(desk):
        seen, told = desk.store.parts.view(desk.root.id, 1345, obsnum, SETTINGS, now=NOW)
        pieces += seen.gaps
        facts.append(told)
    apart = [*pieces, *summarise(find_product_gaps(1345, facts))]
    assert sorted(apart, key=repr) == sorted(whole, key=repr)
    kinds = {line.kind.value for line in whole}
    assert {"wanted", "withheld", "detector", "planned", "product"} <= kinds


# What CAOM says of a proposal


def test_a_proposal_is_as_most_of_its_observations_say(desk: Desk) -> None:
    desk.observe(
        observation(1),
        observation(2, instrument_name="NIRSPEC/MSA"),
        observation(3, instrument_name="NIRCAM"),
        observation(4, obs_title=None, proposal_pi=None, instrument_name="MIRI/IMAGE"),
    )
    facts = desk.store.sites.facts(1345)
    assert facts.title == "The Cosmic Evolution Early Release Science Survey"
    assert (facts.investigator, facts.observations) == ("Finkelstein, Steven L.", 4)
    assert facts.instruments == ("NIRCAM", "MIRI", "NIRSPEC")
    nobody = desk.store.sites.facts(42)
    assert (nobody.title, nobody.instruments, nobody.observations) == (None, (), 0)


def test_what_is_kept_of_pages_is_read_back(desk: Desk) -> None:
    desk.want("jw02561001001_02101_00001_nrca1_rate.fits", RATE)
    sites = desk.store.sites
    assert sites.documents(desk.root.id) == {}
    sites.keep_document(desk.root.id, 2561, {"profiles": []})
    assert is_due(desk, 2561)
    sites.mark_written(desk.root.id, page(desk)[0], {"summary": {"a": 1}}, settings="d", missing=3)
    assert sites.documents(desk.root.id) == {1345: {"summary": {"a": 1}}, 2561: {"profiles": []}}
    assert not is_due(desk)
    assert sites.home_digest(desk.root.id) == ""
    for digest in ("one", "other"):
        sites.keep_home_digest(desk.root.id, digest)
        assert sites.home_digest(desk.root.id) == digest
    assert list(sites.pages(desk.root.id)) == [1345, 2561]


# Pictures


def test_what_lies_there_is_told_without_reading_any_part(desk: Desk) -> None:
    desk.fetch(RATE, THIRD)
    desk.want(JPG)
    lying = desk.store.sites.lying(desk.root.id, 1345)
    assert lying == {
        FileState.PRESENT: Lying(files=2, bytes=2000, newest=NOW),
        FileState.WANTED: Lying(files=1, bytes=0, newest=NOW),
    }
    assert desk.store.sites.lying(desk.root.id, 2561) == {}
    before = desk.store.sites.marks(desk.root.id)
    desk.fail(*desk.claim())
    assert desk.store.sites.marks(desk.root.id) > before > 0


def test_a_copy_has_the_picture_that_was_made_of_it(desk: Desk) -> None:
    desk.fetch(RATE, JPG)
    desk.want(JPG.replace("rate", "cal"))
    fits, jpg = copies(desk)
    assert (jpg.name, jpg.path, jpg.revision, jpg.made) == (JPG, f"01345/{JPG}", 1, None)
    assert (shown(desk).picture, shown(desk).thumbnail) == (None, None)
    assert (shown(desk, JPG).picture, shown(desk, JPG).thumbnail) == (f"01345/{JPG}", None)
    desk.store.sites.keep_thumbnails({fits.file_id: "ql:1:1:120x80", jpg.file_id: "1:120x80"})
    assert [copy.made for copy in copies(desk)] == ["ql:1:1:120x80", "1:120x80"]
    assert shown(desk, JPG).thumbnail == f"01345/{JPG.replace('.jpg', '.TN.jpg')}"
    folder, stem = "01345/jwstwatch-pages/previews", RATE.removesuffix(".fits")
    assert (shown(desk).picture, shown(desk).thumbnail) == (
        f"{folder}/{stem}.QL.jpg",
        f"{folder}/{stem}.QL.TN.jpg",
    )
    # A new content takes its thumbnail along.
    desk.list(row(JPG, size=2000))
    run = desk.next_run()
    run.place(*(claim for claim in run.claim() if claim.name == JPG))
    assert [(copy.revision, copy.made) for copy in copies(desk)] == [(1, "ql:1:1:120x80"), (2, "1:120x80")]
    assert shown(desk, JPG).thumbnail is None


def test_a_picture_knows_the_kept_one_before_it(desk: Desk) -> None:
    ids = desk.fetch(JPG)
    assert shown(desk, JPG).former_picture is None
    kept = f".replaced/01345/r1/{JPG}"
    with desk.store.database.write() as connection:
        for revision, place in ((1, kept), (2, None)):
            values = {"file_id": ids[JPG], "revision": revision, "new_size": 1, "kept_as": place}
            connection.execute(tables.replaced.insert().values(values | {"replaced_at": NOW}))
    assert shown(desk, JPG).former_picture == FormerPicture(path=kept, revision=1)


# The product table beside the page


def test_the_shelf_of_a_proposal_has_its_products_and_where_they_are(desk: Desk) -> None:
    desk.observe(observation(1), observation(2, proposal=2561))
    second = row(parent=1002)
    desk.list(row(), second)
    desk.fetch(RATE)
    desk.want(JPG)
    shelf = desk.store.parts.shelf(desk.root.id, 1345, 1)
    assert [product.name for product in shelf.products] == sorted([RATE, JPG])
    assert set(shelf.products[0].rows) == {row(), second}
    assert shelf.observations == {1001: observation(1)}
    assert shelf.local == {
        row().uri: (desk.root.path / "01345" / RATE, FileState.PRESENT),
        row(JPG).uri: (desk.root.path / "01345" / JPG, FileState.WANTED),
    }


def test_a_product_at_two_paths_of_a_root_is_on_its_shelf_once(desk: Desk) -> None:
    desk.want(RATE)
    other = desk.of(OTHER)
    other.replan(folder="zz")
    other.place(*other.claim())
    shelf = desk.store.parts.shelf(desk.root.id, 1345, 1)
    assert [product.name for product in shelf.products] == [RATE]
    assert len(view(desk).files) == 2
    assert shelf.local[row().uri] == (desk.root.path / "zz" / RATE, FileState.PRESENT)
    assert len(desk.rows(tables.file)) == 2
