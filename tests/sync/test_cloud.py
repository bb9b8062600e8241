"""Runs that prefer the cloud: what is asked of whom, and that it makes no difference to what arrives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.core.model import FileState
from jwstwatch.demo.build import demo_catalogue
from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer, Fault, FaultKind
from jwstwatch.sync import examining
from jwstwatch.sync.examining import Status
from tests.sync.bench import Bench
from tests.sync.conftest import NOW, MakeBench
from tests.sync.test_examining import patient

LOOKUP = "/api/v0.1/path_lookup/"
CLOUD = "/stpubdata/*"
A_RATE = "jw01345001001_02101_00001_nrca1_rate.fits"


@pytest.fixture
def bucket() -> Iterator[ArchiveServer]:
    """The cloud on a host of its own, with the same twelve files."""
    with ArchiveServer(scaled_catalogue(observations=4, now=NOW, sizes=(6_000, 9_000))) as server:
        yield server


@pytest.fixture
def preferring(bench: Bench, bucket: ArchiveServer) -> Bench:
    return prefer(bench, bucket)


def prefer(bench: Bench, bucket: ArchiveServer, **defaults: Any) -> Bench:
    bench.mast = {"cloud": "prefer", "cloud_server": f"{bucket.url}/stpubdata"}
    bench.configure({"watch": {"propID": 9001}}, **defaults)
    return bench


def sources(bench: Bench) -> dict[str, bool]:
    """Whether each file's history says that it came from the cloud, by name."""
    rows = bench.ask(
        "SELECT name, detail FROM event JOIN product ON product.id = product_id WHERE kind = 'fetched'"
    )
    return {name: detail.endswith(", from the cloud") for name, detail in rows}


def assert_as_archived(bench: Bench) -> None:
    files = bench.files()
    assert len(files) == 12
    for path, content in files.items():
        assert content == bench.server.catalogue.read(Path(path).name).content, path
    assert set(bench.states().values()) == {FileState.PRESENT}


def test_without_the_setting_nobody_hears_of_the_cloud(bench: Bench, bucket: ArchiveServer) -> None:
    bench.mast = {"cloud_server": f"{bucket.url}/stpubdata"}
    bench.configure({"watch": {"propID": 9001}})
    assert bench.run().counts.downloaded == 12
    assert bench.server.requests.count(path=LOOKUP) == 0
    assert len(bucket.requests) == 0
    assert not any(sources(bench).values())


def test_public_files_come_from_the_cloud_and_say_so(preferring: Bench, bucket: ArchiveServer) -> None:
    run = preferring.run()
    assert (run.counts.downloaded, run.counts.bytes) == (12, sum(map(len, preferring.files().values())))
    assert_as_archived(preferring)
    assert preferring.fetched == []
    assert preferring.server.requests.count(path=LOOKUP) == 1
    assert len(bucket.requests.downloads()) == 12
    assert all(sources(preferring).values())
    facts = preferring.ask("SELECT facts FROM product")
    assert all('"s3.etag"' in text and '"http.' not in text for (text,) in facts)


def test_many_files_are_looked_up_as_they_are_come_to(make_bench: MakeBench) -> None:
    bench = make_bench(40)
    bench.mast = {"cloud": "prefer", "cloud_server": f"{bench.server.url}/stpubdata", "connections": 1}
    bench.configure({"watch": {"propID": 9001}})
    assert bench.run().counts.downloaded == 120
    assert all(sources(bench).values())
    requests = [request.path for request in bench.server.requests.all()]
    places = [place for place, path in enumerate(requests) if path == LOOKUP]
    assert len(places) >= 3
    between = requests[places[0] : places[-1]]
    assert [path for path in between if path.startswith("/stpubdata/")], "transfers went on meanwhile"


def test_a_second_run_asks_neither(preferring: Bench, bucket: ArchiveServer) -> None:
    preferring.run()
    bucket.requests.clear()
    preferring.later(hours=6)
    assert preferring.run().counts.unchanged == 12
    assert preferring.server.requests.count(path=LOOKUP) == 0
    assert len(bucket.requests) == 0


def test_exclusive_files_are_never_looked_for_in_the_cloud(make_bench: MakeBench) -> None:
    token = "0" * 32
    bench = make_bench(None, token=token)
    bench.token = token
    bench.mast = {"cloud": "prefer", "cloud_server": f"{bench.server.url}/stpubdata"}
    bench.configure({"deep": {"propID": 5224, "obsnums": [7]}})
    assert bench.run("deep").counts.downloaded > 0
    assert bench.server.requests.count(path=LOOKUP) == 0
    assert bench.server.requests.count(path=CLOUD) == 0
    assert {request.token for request in bench.server.requests.downloads()} == {token}


def test_the_token_stays_with_the_archive(preferring: Bench, bucket: ArchiveServer) -> None:
    preferring.server.token = preferring.token = "0" * 32
    bucket.faults.add(Fault(kind=FaultKind.STATUS, status=404, path="*_rate.fits", times=None))
    preferring.run()
    assert_as_archived(preferring)
    assert {request.token for request in bucket.requests.all()} == {None}
    lookups = [request for request in preferring.server.requests.all() if request.path == LOOKUP]
    assert {request.token for request in lookups} == {None}


@pytest.mark.parametrize(
    "faults",
    [
        [Fault(kind=FaultKind.STATUS, status=404, times=None)],
        [Fault(kind=FaultKind.STATUS, status=503, times=None)],
        [Fault(kind=FaultKind.HTML, times=None)],
        [Fault(kind=FaultKind.RESET, times=None)],
        [Fault(kind=FaultKind.TRUNCATE, after=4000, times=None)],
        [Fault(kind=FaultKind.WRONG_LENGTH, amount=-100, times=None)],
        [Fault(kind=FaultKind.GARBLE, after=1, times=None)],
        [
            Fault(kind=FaultKind.STATUS, status=404, path="*_uncal.fits", times=None),
            Fault(kind=FaultKind.GARBLE, after=1, path="*_rate.fits", times=1),
            Fault(kind=FaultKind.TRUNCATE, after=3000, path="*.jpg", times=2),
        ],
    ],
    ids=["404", "503", "HTML", "reset", "cut", "wrong length", "garbled", "all kinds"],
)
def test_whatever_the_cloud_does_everything_arrives(
    preferring: Bench, bucket: ArchiveServer, faults: list[Fault]
) -> None:
    bucket.faults.add(*faults)
    preferring.run()
    assert_as_archived(preferring)
    assert (
        preferring.ask("SELECT name FROM product JOIN file ON product_id = product.id WHERE attempts") == []
    )
    assert {kind for name in preferring.states() for kind in preferring.history(name)} <= {
        *("listed", "wanted", "fetched")
    }


def test_a_cloud_with_copies_of_another_size_is_not_believed(bench: Bench) -> None:
    with ArchiveServer(scaled_catalogue(observations=4, now=NOW, sizes=(12_000, 20_000))) as stale:
        prefer(bench, stale).run()
        assert len(stale.requests.downloads()) == 12
    assert_as_archived(bench)
    assert not any(sources(bench).values())


def test_a_file_that_is_listed_without_a_size_is_the_archives(
    preferring: Bench, bucket: ArchiveServer
) -> None:
    product = preferring.server.catalogue.products[0]
    preferring.server.catalogue.restate_size(product.uri, 0)
    preferring.run()
    assert_as_archived(preferring)
    assert preferring.fetched == [product.name]
    assert len(bucket.requests.downloads()) == 11


def test_an_archive_that_does_not_say_what_the_cloud_has_sends_everything(
    preferring: Bench, bucket: ArchiveServer
) -> None:
    preferring.server.faults.add(Fault(kind=FaultKind.HTML, path=LOOKUP, times=None))
    preferring.run()
    assert_as_archived(preferring)
    assert len(bucket.requests) == 0


def test_a_path_in_another_bucket_is_not_followed(
    preferring: Bench, bucket: ArchiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jwstwatch.demo import handler

    def lie(_: object, form: dict[str, list[str]]) -> dict[str, object]:
        return {uri: {"status_code": 200, "path": f"/jwst/public/../../x/{uri}"} for uri in form["uri"]}

    monkeypatch.setattr(handler, "look_up_paths", lie)
    preferring.run()
    assert_as_archived(preferring)
    assert len(bucket.requests) == 0


def test_a_file_that_replaces_another_always_comes_from_the_archive(
    preferring: Bench, bucket: ArchiveServer
) -> None:
    preferring.run()
    changed = preferring.server.catalogue.products[1]
    preferring.later(days=1)
    preferring.server.catalogue.reprocess(changed.uri, now=preferring.clock)
    bucket.requests.clear()
    assert preferring.run().counts.downloaded == 1
    assert preferring.fetched == [changed.name]
    assert preferring.server.requests.count(path=LOOKUP) == 0
    assert len(bucket.requests) == 0


def test_a_copy_at_a_second_path_is_made_on_disk_and_not_looked_up(
    preferring: Bench, bucket: ArchiveServer
) -> None:
    preferring.run()
    bucket.requests.clear()
    preferring.configure({"other": {"propID": 9001, "outsubdir": "other"}})
    assert preferring.run("other").counts.downloaded == 12
    assert preferring.server.requests.count(path=LOOKUP) == 0
    assert len(bucket.requests) == 0


@pytest.mark.parametrize(
    ("setting", "status", "expected"),
    [("never", 200, []), ("prefer", 200, [Status.OK]), ("prefer", 503, [Status.WARNING])],
)
def test_the_doctor_looks_for_the_bucket_where_it_is_to_be_used(
    preferring: Bench, bucket: ArchiveServer, setting: str, status: int, expected: list[Status]
) -> None:
    preferring.mast["cloud"] = setting
    settings = preferring.configure({"watch": {"propID": 9001}})
    if status != 200:
        bucket.faults.add(Fault(kind=FaultKind.STATUS, status=status, times=None))
    facts = {"settings": settings, "find_token": lambda _: None}
    examined = patient(preferring, open_archive=lambda *_: preferring.context().archive, **facts)
    found = [check for check in examining.archive.check(examined) if check.name == "cloud"]
    assert [check.status for check in found] == expected
    assert all(f"{bucket.url}/stpubdata" in check.text for check in found)
    assert len(bucket.requests) == len(expected)


def test_the_listed_pipeline_tells_an_older_copy_of_the_same_size(make_bench: MakeBench) -> None:
    bench = make_bench(None)
    changed = A_RATE
    with ArchiveServer(demo_catalogue(now=NOW)) as lagging:
        size = bench.server.catalogue.size(changed)
        bench.server.catalogue.reprocess(changed, now=NOW)
        assert bench.server.catalogue.size(changed) == size
        bench.mast = {"cloud": "prefer", "cloud_server": f"{lagging.url}/stpubdata"}
        bench.configure({"ers": {"propID": 1345, "obsnums": [1], "sca": "a1", "filetypes": ["_rate.fits"]}})
        bench.run("ers")
        assert len(lagging.requests.downloads(f"*/{changed}")) == 1
    assert bench.path(changed).read_bytes() == bench.server.catalogue.read(changed).content
    assert [name for name, from_cloud in sources(bench).items() if not from_cloud] == [changed]
    assert len(sources(bench)) > 1
