"""What jwst_mast_query does wrong and this program must not: between runs, and with a faulty archive.

What its users see of one run stands in `tests/acceptance/test_mended.py`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from jwstwatch.core.model import FileState
from jwstwatch.demo.server import Fault, FaultKind
from jwstwatch.errors import ExitCode
from tests.sync.bench import Bench
from tests.sync.conftest import MakeBench


def first_rate(bench: Bench) -> str:
    return next(product.name for product in bench.server.catalogue.products if product.suffix == "rate")


@pytest.mark.parametrize("kind", [FaultKind.TRUNCATE, FaultKind.RESET, FaultKind.HTML])
def test_a_good_file_stands_until_its_successor_is_verified(synced: Bench, kind: FaultKind) -> None:
    name = first_rate(synced)
    path, content = synced.path(name), synced.path(name).read_bytes()
    synced.server.catalogue.reprocess(name, now=synced.clock, grow=1)
    synced.server.faults.add(Fault(kind=kind, uri=f"*{name}", after=100, times=None))
    synced.later(hours=1)
    assert synced.attempt().exit_code is ExitCode.FILES_FAILED
    assert path.read_bytes() == content
    synced.server.faults.clear()
    synced.later(days=1)
    assert synced.run().counts.downloaded == 1
    assert path.read_bytes() == synced.server.catalogue.read(name).content != content


@pytest.mark.parametrize("kind", [FaultKind.TRUNCATE, FaultKind.RESET, FaultKind.HTML])
def test_a_broken_transfer_leaves_nothing_under_the_final_name(bench: Bench, kind: FaultKind) -> None:
    name = first_rate(bench)
    # So little at a time that even going on from there does not bring it to its end.
    bench.server.faults.add(Fault(kind=kind, uri=f"*{name}", after=100, times=None))
    assert bench.attempt().exit_code is ExitCode.FILES_FAILED
    assert bench.states()[name] is FileState.FAILED
    assert not bench.path(name).exists()
    assert len([path for path in bench.root.rglob("jw*") if path.is_file()]) == 11


@pytest.mark.parametrize("stated", [17, 9_999_999])
def test_a_size_that_the_listing_has_wrong_is_no_reason_to_fetch_every_time(
    bench: Bench, stated: int
) -> None:
    name = first_rate(bench)
    bench.server.catalogue.restate_size(name, stated)
    assert bench.run().counts.downloaded == 12
    for _ in range(2):
        bench.later(days=8)
        bench.run()
        assert bench.fetched == []


def test_data_that_reach_the_archive_late_are_found(bench: Bench) -> None:
    bench.configure({"watch": {"propID": 9001, "lookbacktime": 1}})
    assert bench.run().counts.downloaded == 12
    started = bench.clock - timedelta(hours=6)
    bench.later(days=3)
    # Observed in the first run's window, archived days after it.
    like = bench.server.catalogue.observations[0].obs_id
    late = bench.server.catalogue.add_exposure(like=like, start=started, now=bench.clock)
    bench.later(days=5)
    assert bench.run().counts.downloaded == 3
    assert all(name.startswith(late) for name in bench.fetched)


def test_a_proposal_alone_finds_what_is_older_than_a_day(make_bench: MakeBench) -> None:
    bench = make_bench(4, newest=timedelta(days=700))
    assert bench.run().counts.downloaded == 12


def test_a_file_reprocessed_under_the_same_name_is_fetched_again(synced: Bench) -> None:
    name = first_rate(synced)
    synced.server.catalogue.reprocess(name, now=synced.clock, version="1.21.0")
    assert synced.server.catalogue.size(name) == synced.path(name).stat().st_size
    synced.later(days=1)
    synced.run()
    assert synced.fetched == [name]
    assert synced.path(name).read_bytes() == synced.server.catalogue.read(name).content


def test_a_transfer_that_fails_once_is_tried_again_in_the_same_run(bench: Bench) -> None:
    name = first_rate(bench)
    bench.server.faults.add(Fault(kind=FaultKind.RESET, uri=f"*{name}", after=100, times=1))
    assert bench.run().counts.downloaded == 12
    assert bench.fetched.count(name) == 2


def test_files_come_over_several_connections(make_bench: MakeBench) -> None:
    bench = make_bench(10)
    assert bench.run().counts.downloaded == 30
    assert len({request.peer for request in bench.server.requests.downloads()}) > 1


def test_a_run_with_nothing_new_writes_a_page_that_is_missing(bench: Bench) -> None:
    bench.configure({"watch": {"propID": 9001, "makewebpages": True}})
    bench.run()
    page = bench.root / "09001" / "index.html"
    before = page.read_bytes()
    page.unlink()
    record = bench.run()
    assert (record.counts.downloaded, record.counts.unchanged) == (0, 12)
    assert page.read_bytes() == before


def test_a_page_keeps_an_observation_that_the_window_has_left_behind(bench: Bench) -> None:
    bench.configure({"watch": {"propID": 9001, "makewebpages": True, "lookbacktime": 1}})
    bench.run()
    old = bench.server.catalogue.observations[0]
    bench.later(days=5)
    assert old.start is not None
    new = bench.server.catalogue.add_exposure(
        like=old.obs_id, start=bench.clock - timedelta(hours=1), now=bench.clock
    )
    assert bench.run().counts.downloaded == 3
    page = (bench.root / "09001" / "index.html").read_text()
    assert old.obs_id in page
    assert new in page


def test_a_product_of_several_types_is_planned_once(bench: Bench) -> None:
    bench.configure({"watch": {"propID": 9001, "filetypes": ["rate", "_rate.fits", "fits"]}})
    record = bench.run()
    assert record.counts.products == 8
    assert len(bench.fetched) == len(set(bench.fetched)) == 8


def test_product_questions_that_time_out_are_asked_in_smaller_parts(make_bench: MakeBench) -> None:
    bench = make_bench(10)
    bench.configure({"watch": {"propID": 9001, "Nobs_per_batch": 10}})
    service = "Mast.Caom.Products"
    bench.server.faults.add(
        Fault(kind=FaultKind.ERROR, service=service, message="This is a timeout", times=2)
    )
    assert bench.run().counts.downloaded == 30


def test_a_level_3_file_is_selected_by_the_number_that_its_siblings_state(make_bench: MakeBench) -> None:
    bench = make_bench(None)
    bench.configure({"watch": {"propID": {"5224": [14]}, "filetypes": ["psfsub", "i2d"]}})
    bench.run()
    assert {path for path in bench.files() if "-c1014_" in path} == {
        "05224/obsnum14/jw05224-c1014_t001_nircam_f444w-maskrnd-sub320a335r_i2d.fits",
        "05224/obsnum14/jw05224-c1014_t001_nircam_f444w-maskrnd-sub320a335r_psfsub.fits",
    }


def test_a_file_is_kept_for_any_of_its_parents(make_bench: MakeBench) -> None:
    bench = make_bench(None)
    catalogue = bench.server.catalogue
    exposure = catalogue.observation("jw01345001001_02101_00001_nrcalong")
    parents = [each.obsid for each in catalogue.observations if exposure.obs_id in each.members]
    for obsid in parents:
        bench.configure({"watch": {"propID": 1345, "filetypes": ["cal"], "obsid_list": [obsid]}})
        bench.run()
        assert bench.reports()[f"{exposure.obs_id}_cal.fits"].unselected is False


def test_a_selection_that_changed_keeps_the_copies_that_it_leaves_out(synced: Bench) -> None:
    before = {product.name for product in synced.server.catalogue.products}
    synced.configure({"watch": {"propID": 9001, "filetypes": ["rate"]}})
    synced.later(hours=1)
    record = synced.run()
    assert record.counts.products == 4
    assert {path.rpartition("/")[2] for path in synced.files()} == before
    assert {name for name, row in synced.reports().items() if not row.unselected} == {
        name for name in before if name.endswith("_rate.fits")
    }


def test_a_planned_observation_is_no_missing_file(make_bench: MakeBench) -> None:
    bench = make_bench(None)
    bench.configure({"watch": {"propID": 5224, "obsnums": [8]}})
    assert bench.run().counts.products == 0


def test_settings_of_a_one_off_run_never_stay(synced: Bench) -> None:
    """`clobber` of one download makes no later run fetch everything."""
    profile = synced.settings.profiles["watch"]
    again = replace(profile, parameters=replace(profile.parameters, clobber=True))
    synced.settings.profiles["watch"] = again  # type: ignore[index]
    assert synced.run().counts.downloaded == 12
    synced.settings.profiles["watch"] = profile  # type: ignore[index]
    assert synced.run().counts.downloaded == 0
