"""Several profiles over one state: what they share, and what a changed one leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from jwstwatch.core.model import FileState
from tests.sync.bench import Bench

BOTH = {"first": {"propID": 9001, "filetypes": ["rate", "uncal"]}, "second": {"propID": 9001}}


def test_a_file_that_two_profiles_want_is_fetched_once(bench: Bench) -> None:
    bench.configure(BOTH)
    assert bench.run("first").counts.downloaded == 8
    record = bench.run("second")
    assert (record.counts.downloaded, record.counts.unchanged) == (4, 8)
    assert len(bench.fetched) == 4
    assert len(bench.ask("SELECT id FROM file")) == 12


def test_a_file_that_is_wanted_in_two_roots_is_copied_and_not_fetched_again(bench: Bench) -> None:
    other = bench.folder / "other"
    bench.configure({"watch": {"propID": 9001}, "copies": {"propID": 9001, "outrootdir": str(other)}})
    bench.run()
    record = bench.run("copies")
    assert bench.fetched == []
    assert (record.counts.downloaded, record.counts.bytes) == (12, 0)
    for path, content in bench.files().items():
        assert (other / path).read_bytes() == content
    assert not list(other.rglob("*.part*"))


def test_a_copy_whose_source_was_damaged_is_fetched_instead(bench: Bench) -> None:
    other = bench.folder / "other"
    bench.configure({"watch": {"propID": 9001}, "copies": {"propID": 9001, "outrootdir": str(other)}})
    bench.run()
    name = bench.server.catalogue.products[0].name
    content = bench.path(name).read_bytes()
    bench.path(name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    bench.run("copies")
    assert bench.fetched == [name]
    assert next(other.rglob(name)).read_bytes() == content


def test_two_layouts_in_one_root_hold_a_copy_each(bench: Bench) -> None:
    bench.configure({"watch": {"propID": 9001}, "flat": {"propID": 9001, "skip_propID2outsubdir": True}})
    bench.run()
    record = bench.run("flat")
    assert (record.counts.downloaded, bench.fetched) == (12, [])
    assert (bench.root / "obsnum01").is_dir()


def test_a_narrowed_profile_leaves_its_files_and_no_longer_counts_them(bench: Bench) -> None:
    bench.run()
    before = bench.files()
    bench.configure({"watch": {"propID": 9001, "filetypes": ["jpg"]}})
    record = bench.run()
    assert record.counts.products == 4
    assert bench.files() == before
    dropped = {name: report for name, report in bench.reports().items() if report.unselected}
    assert len(dropped) == 8
    assert {report.state for report in dropped.values()} == {FileState.PRESENT}


@pytest.mark.parametrize("days", [0, 20], ids=["young", "settled"])
def test_a_proposal_that_a_profile_gives_up_is_no_longer_counted_and_its_files_stay(
    bench: Bench, days: int
) -> None:
    bench.configure({"watch": {"propID": [9001, 9002]}})
    bench.run()
    bench.later(days=days)
    bench.run()
    before = bench.files()
    bench.configure({"watch": {"propID": 9002}})
    record = bench.run()
    assert record.counts.products == 0
    assert bench.files() == before
    assert all(report.unselected for report in bench.reports().values())


def test_a_widened_profile_wants_its_files_again_without_fetching_them(bench: Bench) -> None:
    bench.run()
    bench.configure({"watch": {"propID": 9001, "filetypes": ["jpg"]}})
    bench.run()
    bench.configure({"watch": {"propID": 9001}})
    record = bench.run()
    assert (record.counts.downloaded, record.counts.unchanged, bench.fetched) == (0, 12, [])
    assert not any(report.unselected for report in bench.reports().values())


def test_files_deleted_after_their_profile_was_narrowed_stay_deleted(bench: Bench) -> None:
    bench.run()
    bench.configure({"watch": {"propID": 9001, "filetypes": ["jpg"]}})
    for path in bench.root.rglob("*.fits"):
        path.unlink()
    record = bench.run()
    assert (record.counts.products, bench.fetched) == (4, [])
    assert list(bench.root.rglob("*.fits")) == []


def test_a_root_may_lie_below_another(bench: Bench) -> None:
    below = Path(bench.root) / "team"
    bench.configure({"watch": {"propID": 9001}, "team": {"propID": 9001, "outsubdir": "team"}})
    bench.run()
    bench.run("team")
    assert len(list(below.rglob("*.fits"))) == 8
    assert bench.run().counts.unchanged == 12
