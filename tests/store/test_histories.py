"""What a product was: its revisions, what was stated of each, and what became of their copies."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import update

from jwstwatch.core.model import FileState
from jwstwatch.store import tables
from jwstwatch.store.histories import Revision, what_changed
from jwstwatch.store.reports import FileQuery
from tests.store.desk import DAY, NOW, OTHER, PROFILE, RATE, Desk, row

ASN = "jw01345-o001_20260101t000000_image2_00001_asn.json"


def revisions(desk: Desk, name: str = RATE) -> tuple[Revision, ...]:
    key = desk.product_id(name)
    return desk.store.histories.of_products([key])[key]


def revise(desk: Desk, number: int) -> Desk:
    """Let the archive list another content, and the next run fetch it; the copy of before is kept."""
    desk = desk.next_run()
    desk.list(row(prvversion=f"1.{number}.0", size=1000 * number))
    (claim,) = desk.claim()
    intent = desk.intend(claim, size=1000 * number, content=f"content {number}")
    desk.store.transfers.record_placed(
        desk.run.id,
        [(intent, 1)],
        now=desk.now,
        kept={claim.file_id: f".replaced/01345/r{number - 1}/{RATE}"},
    )
    return desk


def test_a_file_that_was_never_revised_has_one_revision_and_its_copy(desk: Desk) -> None:
    desk.fetch(RATE)
    (only,) = revisions(desk)
    assert (only.number, only.began_at, only.ended_at, only.why) == (1, NOW, None, None)
    assert (only.pipeline, only.context, only.size) == ("1.17.1", None, 1000)
    ((path, replaced_at),) = [(copy.path, copy.replaced_at) for copy in only.copies]
    assert (path, replaced_at) == (desk.root.path / "01345" / RATE, None)


def test_every_revision_tells_what_was_stated_when_and_why_it_ended(desk: Desk) -> None:
    desk.fetch(RATE)
    key = desk.product_id(RATE)
    first = {"keywords.cal_ver": "1.20.2", "keywords.crds_ctx": "jwst_1230.pmap", "keywords.checksum": "aa"}
    second = {"keywords.cal_ver": "1.21.0", "keywords.crds_ctx": "jwst_1303.pmap", "keywords.checksum": "bb"}
    desk.store.revisions.record_facts(desk.run.id, {key: first}, now=NOW)
    later = desk.later(DAY)
    assert later.store.revisions.record_facts(desk.run.id, {key: second}, now=later.now) == [key]

    old, new = revisions(later)

    assert (old.number, old.pipeline, old.context, old.checksum) == (1, "1.20.2", "jwst_1230.pmap", "aa")
    assert (old.began_at, old.ended_at) == (NOW, later.now)
    assert "keywords.checksum was aa, now bb" in (old.why or "")
    assert (new.number, new.pipeline, new.context, new.checksum) == (2, "1.21.0", "jwst_1303.pmap", "bb")
    assert (new.began_at, new.ended_at) == (later.now, None)
    assert [copy.replaced_at for copy in old.copies] == [None], "it is stale, and stands there"
    assert new.copies == ()
    with desk.store.database.read() as connection:
        assert what_changed(connection, [RATE, "unknown"]) == {
            RATE: (("1.20.2", "1.21.0"), ("jwst_1230.pmap", "jwst_1303.pmap"))
        }
    assert desk.product().revisions == (old, new)


def test_a_replaced_copy_is_remembered_with_where_it_is_kept(desk: Desk) -> None:
    desk.fetch(RATE)
    later = revise(desk.later(DAY), 2)
    (entry,) = desk.rows(tables.replaced)
    assert (entry.revision, entry.size, entry.new_size, entry.run_id) == (1, 1000, 2000, later.run.id)
    old, new = revisions(desk)
    assert (old.pipeline, new.pipeline) == ("1.17.1", "1.2.0")
    (copy,) = old.copies
    assert (copy.size, copy.replaced_at) == (1000, later.now)
    assert copy.kept == desk.root.path / ".replaced/01345/r1" / RATE
    assert [copy.replaced_at for copy in new.copies] == [None]


def test_the_copy_that_is_fetched_again_as_it_was_replaces_none(desk: Desk) -> None:
    desk.fetch(RATE)
    desk.store.plans.fetch_again(PROFILE, now=desk.now)
    run = desk.next_run()
    run.place(*run.claim())
    assert desk.rows(tables.replaced) == []


def test_kept_copies_are_told_newest_first_until_they_are_forgotten(desk: Desk) -> None:
    ids = desk.fetch(RATE)
    for number in (2, 3):
        desk = revise(desk.later(DAY), number)
    histories = desk.store.histories
    kept = histories.kept(ids.values())[ids[RATE]]
    assert [copy.revision for copy in kept] == [2, 1]
    histories.forget_kept(kept[1:])
    assert [copy.revision for copy in histories.kept(ids.values())[ids[RATE]]] == [2]
    assert [entry.revision for entry in desk.rows(tables.replaced)] == [1, 2]


def test_replaceable_is_a_copy_of_a_known_revision_with_who_wants_it(desk: Desk) -> None:
    ids = desk.fetch(RATE)
    replace(desk, profile=OTHER).want(RATE, state=FileState.PRESENT)
    histories = desk.store.histories
    (found,) = histories.replaceable(ids.values()).values()
    assert (found.revision, found.size, found.profiles) == (1, 1000, (OTHER, PROFILE))
    assert found.modified_ns is not None
    desk.set_file(ids.values(), damage="missing")
    (found,) = histories.replaceable(ids.values()).values()
    assert found.modified_ns is None, "its time alone proves nothing: the disk may have been away"
    desk.set_file(ids.values(), damage=None, revision=None)
    assert histories.replaceable(ids.values()) == {}


def test_superseded_files_are_asked_for_or_left_out(desk: Desk) -> None:
    ids = desk.fetch(RATE, ASN)
    with desk.store.database.write() as connection:
        file = tables.file
        connection.execute(update(file).where(file.c.id == ids[ASN]).values(superseded=True))
    assert len(list(desk.store.reports.files(FileQuery()))) == 2
    assert [entry.name for entry in desk.store.reports.files(FileQuery(superseded=False))] == [RATE]
    assert desk.file(ASN).facts()["superseded"] is True
