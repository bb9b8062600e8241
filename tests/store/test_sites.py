"""What the pages show, when they are due, and what is still to be read for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jwstwatch.core.model import FileState
from jwstwatch.core.site import PageFile, PageSettings, ProposalView
from jwstwatch.store import tables
from jwstwatch.store.roots import Loss
from jwstwatch.store.sites import DuePage, UnreadFile
from tests.store.desk import DAY, HOUR, JPG, NOW, OTHER, RATE, Desk, file_names, observation, row

SETTINGS = PageSettings(columns=("proposal_id",), thumbnails=(), keywords=(), sort_by=())


def page(desk: Desk, proposal: int = 1345) -> tuple[DuePage, bool, str]:
    return desk.store.sites.pages(desk.root.id)[proposal]


def is_due(desk: Desk, proposal: int = 1345) -> bool:
    return page(desk, proposal)[1]


def written(desk: Desk, digest: str = "a") -> None:
    """Write every page that is known."""
    pages = {entry: digest for entry, _, _ in desk.store.sites.pages(desk.root.id).values()}
    desk.store.sites.mark_written(desk.root.id, pages)


def view(desk: Desk, proposal: int = 1345) -> ProposalView:
    return desk.store.sites.proposal(desk.root.id, proposal, SETTINGS, now=desk.now)


def shown(desk: Desk, name: str = RATE) -> PageFile:
    (found,) = [entry for entry in view(desk).files if entry.name == name]
    return found


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
    desk.store.sites.mark_written(desk.root.id, {being_written: "a"})
    assert is_due(desk)
    desk.store.sites.mark_written(desk.root.id, {page(desk)[0]: "a"})
    assert not is_due(desk)


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
    assert desk.store.sites.index(desk.root.id) == ()


def test_who_contributes_to_a_page_is_known(desk: Desk) -> None:
    desk.want(RATE, "jw02561001001_02101_00001_nrca1_rate.fits")
    desk.of(OTHER).replan()
    replace(desk, root=desk.store.roots.add(Path("/elsewhere"), now=NOW)).of("third").replan()
    assert desk.store.sites.profiles(desk.root.id) == {1345: [OTHER, desk.profile], 2561: [desk.profile]}


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
    )


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
    assert [product.name for product in desk.store.sites.shelf(desk.root.id, 1345).products] == [
        file_names(2)[1]
    ]


def test_dropped_files_are_not_counted_and_a_page_without_others_is_made_all_the_same(desk: Desk) -> None:
    ids = desk.fetch(*file_names(2))
    desk.set_file([ids[RATE]], declined=True)
    assert view(desk).summary.counts == {FileState.PRESENT: 1}
    desk.set_file(list(ids.values()), declined=True)
    assert not any(view(desk).summary.counts.values())


def test_the_observations_of_a_page_come_by_time_what_is_only_planned_last(desk: Desk) -> None:
    planned = observation(1, calib_level=-1, t_min=None, t_max=None)
    late, early = observation(2, t_min=60000.5), observation(3, t_min=59000.25)
    desk.observe(planned, late, early, observation(4, proposal=2561))
    desk.want(RATE)
    assert view(desk).observations == (early, late, planned)
    assert view(desk).settings is SETTINGS


def test_a_page_holds_its_root_s_files_alone(desk: Desk) -> None:
    desk.fetch(RATE)
    theirs = replace(desk, root=desk.store.roots.add(Path("/elsewhere"), now=NOW)).of(OTHER)
    theirs.fetch(JPG)
    assert [entry.name for entry in view(desk).files] == [RATE]
    assert [entry.name for entry in view(theirs).files] == [JPG]


# The index


def test_a_proposal_is_summed_up(desk: Desk) -> None:
    desk.observe(
        observation(1),
        observation(2, instrument_name="NIRSPEC/MSA"),
        observation(3, instrument_name="NIRCAM"),
        observation(4, obs_title=None, proposal_pi=None),
    )
    names = file_names(4)
    desk.fetch(names[0])
    desk.later(HOUR).fetch(names[1])
    desk.later(DAY).want(names[2])
    desk.later(DAY).want(names[3], state=FileState.WITHHELD, reason="no token")
    (line,) = desk.store.sites.index(desk.root.id)
    assert line == replace(view(desk).summary, missing=None)
    assert (line.proposal, line.title) == (1345, "The Cosmic Evolution Early Release Science Survey")
    assert line.principal_investigator == "Finkelstein, Steven L."
    assert line.instruments == ("NIRCAM", "NIRSPEC")
    assert line.observations == 4
    assert line.counts == {FileState.PRESENT: 2, FileState.WANTED: 1, FileState.WITHHELD: 1}
    assert (line.bytes_present, line.last_arrival) == (2000, NOW + HOUR)
    assert line.thumbnail is None


def test_the_index_has_a_line_for_each_proposal_by_number(desk: Desk) -> None:
    desk.want("jw02561001001_02101_00001_nrca1_rate.fits", RATE, "jw00042001001_02101_00001_nrca1_rate.fits")
    assert [line.proposal for line in desk.store.sites.index(desk.root.id)] == [42, 1345, 2561]
    line = desk.store.sites.index(desk.root.id)[0]
    assert (line.title, line.instruments, line.observations, line.last_arrival) == (None, (), 0, None)


def test_the_picture_of_a_proposal_is_the_newest_one_of_the_highest_level(desk: Desk) -> None:
    old, new, unlisted = (
        "jw01345-o001_t001_nircam_clear-f444w_i2d.jpg",
        "jw01345-o009_t001_nircam_clear-f200w_i2d.jpg",
        "jw01345-o002_t001_nircam_clear-f444w_i2d.jpg",
    )

    def arrive(name: str, level: int | None, hours: int) -> int:
        then = desk.later(hours * HOUR)
        then.list(row(name, calib_level=level))
        then.replan(name)
        (claim,) = then.claim()
        then.place(claim)
        then.store.sites.keep_thumbnails({claim.file_id: "1:120x"})
        return claim.file_id

    def picture() -> str | None:
        return desk.store.sites.index(desk.root.id)[0].thumbnail

    arrive(JPG, 2, 9)
    assert picture() == "01345/" + JPG.replace(".jpg", ".TN.jpg")
    arrive(old, 3, 1)
    assert picture() == "01345/" + old.replace(".jpg", ".TN.jpg")
    newest = arrive(new, 3, 2)
    assert picture() == "01345/" + new.replace(".jpg", ".TN.jpg")
    arrive(unlisted, None, 20)
    assert picture() == "01345/" + new.replace(".jpg", ".TN.jpg")
    desk.store.sites.keep_thumbnails({newest: None})
    assert picture() == "01345/" + old.replace(".jpg", ".TN.jpg")


# Headers and thumbnails


def unread(desk: Desk, names: str = "digest") -> list[UnreadFile]:
    return desk.store.sites.unread_headers(desk.root.id, [1345], names=names)


def test_the_header_of_a_copy_is_read_once_for_each_revision_and_set_of_keywords(desk: Desk) -> None:
    desk.fetch(RATE, JPG)
    desk.want(file_names(2)[1])
    (entry,) = unread(desk)
    assert (entry.path, entry.revision) == (f"01345/{RATE}", 1)
    cards = {"FILTER": "F200W", "EFFEXPTM": 311.4, "NINTS": 1, "TSOVISIT": False, "PUPIL": None}
    desk.store.sites.keep_headers([(entry, cards)], names="digest")
    assert unread(desk) == []
    assert shown(desk).keywords == cards
    assert unread(desk, names="another set") == [entry]
    assert desk.store.sites.unread_headers(desk.root.id, [2561], names="another set") == []
    # A newer content has another header: the one of the old copy is not shown for it.
    desk.list(row(size=2000))
    run = desk.next_run()
    claim = next(claim for claim in run.claim() if claim.name == RATE)
    run.place(claim)
    assert [again.revision for again in unread(desk)] == [2]
    assert shown(desk).keywords == {}
    desk.store.sites.keep_headers([(unread(desk)[0], {"FILTER": "F444W"})], names="digest")
    assert shown(desk).keywords == {"FILTER": "F444W"}


def test_headers_of_many_files_are_kept_together(desk: Desk) -> None:
    desk.fetch(*file_names(30))
    found = unread(desk)
    assert len(found) == 30
    desk.store.sites.keep_headers([(entry, {"EXPOSURE": entry.file_id}) for entry in found], names="digest")
    assert unread(desk) == []
    assert all(entry.keywords for entry in view(desk).files)
    desk.store.sites.keep_headers([], names="digest")


def test_a_thumbnail_is_made_for_previews_that_are_there(desk: Desk) -> None:
    desk.fetch(RATE, JPG)
    desk.want(JPG.replace("rate", "cal"))
    ((entry, mark),) = desk.store.sites.jpegs(desk.root.id, [1345])
    assert (entry.path, entry.revision, mark) == (f"01345/{JPG}", 1, None)
    desk.store.sites.keep_thumbnails({entry.file_id: "1:120x80"})
    assert desk.store.sites.jpegs(desk.root.id, [1345]) == [(entry, "1:120x80")]
    assert shown(desk, JPG).thumbnail == f"01345/{JPG.replace('.jpg', '.TN.jpg')}"
    assert shown(desk).thumbnail is None
    # A new content takes its thumbnail along.
    desk.list(row(JPG, size=2000))
    run = desk.next_run()
    run.place(*(claim for claim in run.claim() if claim.name == JPG))
    ((entry, mark),) = desk.store.sites.jpegs(desk.root.id, [1345])
    assert (entry.revision, mark) == (2, None)
    assert shown(desk, JPG).thumbnail is None


# The product table beside the page


def test_the_shelf_of_a_proposal_has_its_products_and_where_they_are(desk: Desk) -> None:
    desk.observe(observation(1), observation(2, proposal=2561))
    second = row(parent=1002)
    desk.list(row(), second)
    desk.fetch(RATE)
    desk.want(JPG)
    shelf = desk.store.sites.shelf(desk.root.id, 1345)
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
    shelf = desk.store.sites.shelf(desk.root.id, 1345)
    assert [product.name for product in shelf.products] == [RATE]
    assert len(view(desk).files) == 2
    assert shelf.local[row().uri] == (desk.root.path / "zz" / RATE, FileState.PRESENT)
    assert len(desk.rows(tables.file)) == 2
