"""The disk is the truth: what stands at a wanted path, and what is missing there."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jwstwatch.core.model import FileState, Outcome
from jwstwatch.demo.plain import plain_content
from jwstwatch.errors import ExitCode
from jwstwatch.store.roots import RootRecord
from jwstwatch.sync.roots import open_root
from tests.sync.bench import Bench
from tests.sync.conftest import MakeBench


def place(bench: Bench, name: str, content: bytes) -> Path:
    path = bench.root / "09001" / "obsnum01" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_sound_file_of_another_size_stays_readable_until_it_is_replaced(bench: Bench) -> None:
    name = bench.server.catalogue.products[0].name
    content = bench.server.catalogue.read(name).content
    place(bench, name, plain_content("fits", len(content) + 2880, noise=1))
    record = bench.run()
    assert record.counts.downloaded == 12
    assert bench.path(name).read_bytes() == content
    assert bench.history(name) == ["adopted", "fetched"]


def test_a_present_file_that_grew_is_fetched_again(synced: Bench) -> None:
    name = synced.server.catalogue.products[0].name
    content = synced.path(name).read_bytes()
    synced.path(name).write_bytes(content + b"x")
    synced.run()
    assert synced.fetched == [name]
    assert synced.path(name).read_bytes() == content


def test_a_folder_in_a_files_place_costs_only_that_file(bench: Bench) -> None:
    name = bench.server.catalogue.products[0].name
    (bench.root / "09001" / "obsnum01" / name).mkdir(parents=True)
    result = bench.attempt()
    assert (result.record.counts.downloaded, result.record.counts.failed) == (11, 1)
    assert result.exit_code is ExitCode.FILES_FAILED
    assert bench.states()[name] is FileState.FAILED


def test_a_file_in_a_folders_place_costs_only_the_files_below_it(bench: Bench) -> None:
    bench.root.mkdir()
    (bench.root / "09001").write_text("no folder")
    result = bench.attempt()
    assert (result.record.counts.downloaded, result.record.counts.failed) == (0, 12)
    assert result.exit_code is ExitCode.FILES_FAILED
    (bench.root / "09001").unlink()
    bench.later(days=2)
    assert bench.run().counts.downloaded == 12


def test_a_present_file_that_became_a_link_is_not_written_through(synced: Bench, tmp_path: Path) -> None:
    name = synced.server.catalogue.products[0].name
    path = synced.path(name)
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    before = elsewhere.read_bytes(), elsewhere.stat().st_mtime_ns
    synced.attempt()
    assert path.is_symlink()
    assert (elsewhere.read_bytes(), elsewhere.stat().st_mtime_ns) == before


@pytest.fixture
def many(make_bench: MakeBench) -> Bench:
    bench = make_bench(75, files=("uncal.fits", "rate.fits"), sizes=(5_760, 5_760))
    assert bench.run().counts.downloaded == 150
    return bench


def test_a_hundred_vanished_files_come_back(many: Bench) -> None:
    for path in sorted(many.root.rglob("*.fits"))[:100]:
        path.unlink()
    assert many.run().counts.downloaded == 100


def test_more_vanished_files_stop_the_run_before_anything_is_asked_or_marked(many: Bench) -> None:
    before = many.reports()
    for path in sorted(many.root.rglob("*.fits"))[:101]:
        path.unlink()
    result = many.attempt()
    assert result.exit_code is ExitCode.STORAGE
    assert result.record.outcome is Outcome.FAILED
    assert str(result.record.error_message).startswith("101 of 150 files vanished")
    assert f"root accept {many.root}" in str(result.record.error_hint)
    assert many.reports() == before
    assert len(many.server.requests) == 0


def test_an_emptied_folder_with_its_marker_counts_as_vanished(many: Bench) -> None:
    shutil.rmtree(many.root / "09001")
    assert many.attempt().exit_code is ExitCode.STORAGE


def test_a_foreign_marker_stops_the_run(synced: Bench) -> None:
    (synced.root / ".jwstwatch-root").write_text('{"root": "8a7e5ad2-0000-4000-8000-000000000000"}')
    before = synced.reports()
    result = synced.attempt()
    assert (result.exit_code, result.record.error_kind) == (ExitCode.STORAGE, "root_missing")
    assert synced.reports() == before
    assert synced.fetched == []


def test_a_garbled_marker_is_no_marker(synced: Bench) -> None:
    (synced.root / ".jwstwatch-root").write_text("{")
    assert synced.attempt().exit_code is ExitCode.STORAGE


def test_a_root_that_never_held_a_file_may_be_made_anew(bench: Bench) -> None:
    bench.configure({"watch": {"propID": 9099}})
    bench.run()
    shutil.rmtree(bench.root)
    bench.configure({"watch": {"propID": 9001}})
    assert bench.run().counts.downloaded == 12


def test_two_runs_that_use_a_folder_first_at_the_same_time_share_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = bench.context()
    together = threading.Barrier(2)
    ask = context.store.roots.get

    def ask_at_the_same_time(path: Path) -> RootRecord | None:
        known = ask(path)
        together.wait(timeout=20)
        return known

    monkeypatch.setattr(context.store.roots, "get", ask_at_the_same_time)
    with ThreadPoolExecutor(2) as pool:
        roots = list(pool.map(lambda _: open_root(context, bench.root), range(2)))
    assert roots[0] == roots[1]
    assert bench.ask("SELECT path FROM root") == [(str(bench.root),)]
