"""Several profiles, at the same time or one after the other, and profiles that change."""

from __future__ import annotations

from jwstwatch.demo.server import ArchiveServer, Fault, FaultKind
from tests.acceptance.world import World, assert_as_archived, finish

BOTH = {"first": {"propID": 9001}, "second": {"propID": 9001}}


def test_two_profiles_fetch_each_file_once_and_two_roots_hold_a_copy_each(
    world: World, archive: ArchiveServer
) -> None:
    other = world.folder / "other"
    world.configure(BOTH | {"copies": {"propID": 9001, "outrootdir": str(other)}})
    first, second, copies = world.run_now()
    assert (first["downloaded"], second["downloaded"], second["unchanged"]) == (12, 0, 12)
    assert (copies["downloaded"], copies["bytes"]) == (12, 0)
    assert len(archive.requests.downloads()) == 12
    assert world.files(other) == world.files()
    assert_as_archived(world.files(), archive.catalogue)
    assert len(world.run("status", "--json").json["roots"]) == 2


def test_two_processes_at_the_same_time_fetch_each_file_once(world: World, archive: ArchiveServer) -> None:
    world.configure(BOTH)
    world.run("db", "upgrade")
    archive.faults.add(Fault(kind=FaultKind.SLOW, uri="*", rate=20_000, times=None))
    processes = [world.start("run-now", name, "--json") for name in BOTH]
    ends = [finish(process) for process in processes]
    assert [end.code for end in ends] == [0, 0], [end.err for end in ends]
    assert sum(end.runs[0]["downloaded"] for end in ends) == 12
    assert len(archive.requests.downloads()) == 12
    for name, end in zip(BOTH, ends, strict=True):
        # What the other one still had under way is waited for, and there at the next look.
        assert end.runs[0]["outcome"] == ("partial" if end.runs[0]["waiting"] else "complete"), name
    assert_as_archived(world.files(), archive.catalogue)
    assert len(world.files()) == 12
    assert not list(world.root.rglob("*.part*"))
    for run in world.run_now():
        assert (run["outcome"], run["unchanged"]) == ("complete", 12)


def test_a_narrowed_profile_leaves_its_files_and_a_reprocessed_one_is_replaced(
    synced: World, archive: ArchiveServer
) -> None:
    before = synced.stamps()
    synced.configure({"watch": {"propID": 9001, "filetypes": ["rate"]}})
    (run,) = synced.run_now()
    assert (run["products"], run["unchanged"], run["pages"]) == (4, 4, 0)
    assert synced.stamps() == before
    assert len(archive.requests.downloads()) == 0
    name = next(path for path in synced.files() if path.endswith("_rate.fits"))
    product = archive.catalogue.product(name.rpartition("/")[2])
    archive.catalogue.reprocess(product.uri, now=product.modified)
    (run,) = synced.run_now()
    assert (run["downloaded"], run["unchanged"]) == (1, 3)
    assert [request.uri for request in archive.requests.downloads()] == [product.uri]
    after = synced.stamps()
    assert {path for path in after if after[path] != before.get(path)} == {name}
    assert_as_archived(synced.files(), archive.catalogue)
    (told,) = synced.run("why", product.name, "--json").json["products"]
    assert told["revision"] == 2
    assert [event["kind"] for event in told["history"]] == ["wanted", "fetched", "revised", "fetched"]
