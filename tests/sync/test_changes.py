"""The archive reprocesses, renames, withdraws and misstates: what counts as a change, and what is fetched."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jwstwatch.core.model import FileState, ListingRow, Trigger
from jwstwatch.demo.server import Fault, FaultKind
from jwstwatch.sync.context import Options
from jwstwatch.sync.listing import Subject, plan_batch
from jwstwatch.sync.roots import open_root
from tests.sync.bench import Bench
from tests.sync.conftest import NOW, MakeBench

A_RATE = "jw01345001001_02101_00001_nrca1_rate.fits"
SURVEY = {"survey": {"propID": 1345, "instrument": "nircam", "filetypes": ["_rate.fits", "_i2d.fits"]}}


def test_a_reprocessed_file_is_replaced_and_no_other_touched(synced: Bench) -> None:
    product = synced.server.catalogue.products[1]
    before = {path: path.stat().st_mtime_ns for path in synced.root.rglob("*.*") if path.is_file()}
    old = synced.path(product.name).read_bytes()
    synced.later(days=1)
    synced.server.catalogue.reprocess(product.uri, now=synced.clock)
    record = synced.run()
    assert synced.fetched == [product.name]
    assert (record.counts.downloaded, record.counts.unchanged) == (1, 11)
    report = synced.reports()[product.name]
    assert report.path.read_bytes() == synced.server.catalogue.read(product.uri).content != old
    assert (report.state, report.revision) == (FileState.PRESENT, 2)
    changed = {path for path, stamp in before.items() if path.stat().st_mtime_ns != stamp}
    assert changed == {report.path}
    assert synced.history(product.name) == ["wanted", "fetched", "revised", "fetched"]
    assert not list(synced.root.rglob("*.part*"))


@pytest.fixture
def survey(make_bench: MakeBench) -> Bench:
    """Imaging whose files are listed by exposures, level-3 observations and a candidate, asked one by one."""
    bench = make_bench(None)
    bench.configure(SURVEY, Nobs_per_batch=1)
    bench.run("survey")
    return bench


def test_each_parent_that_lists_a_product_in_a_batch_of_its_own_changes_nothing(survey: Bench) -> None:
    record = survey.run("survey", full=True)
    assert survey.asked_products > 10
    assert (record.counts.downloaded, survey.fetched) == (0, [])
    assert {report.revision for report in survey.reports().values()} == {1}


def test_a_reprocessed_file_that_many_parents_list_rises_by_one_revision(survey: Bench) -> None:
    survey.later(days=8)
    survey.server.catalogue.reprocess(A_RATE, now=survey.clock, grow=1)
    survey.run("survey")
    assert survey.fetched == [A_RATE]
    assert survey.reports()[A_RATE].revision == 2
    survey.later(days=8)
    survey.run("survey")
    assert survey.fetched == []
    assert survey.reports()[A_RATE].revision == 2


def test_an_old_revision_stays_readable_while_the_new_one_cannot_be_had(synced: Bench) -> None:
    product = synced.server.catalogue.product("jw09001001001_02101_00001_nrca1_rate.fits")
    old = synced.path(product.name).read_bytes()
    synced.server.catalogue.reprocess(product.uri, now=synced.clock)
    synced.server.faults.add(Fault(kind=FaultKind.GARBLE, uri=product.uri, times=None, after=0))
    result = synced.attempt()
    assert result.record.counts.failed == 1
    report = synced.reports()[product.name]
    assert report.state is FileState.STALE
    assert report.path.read_bytes() == old
    synced.server.faults.clear()
    synced.later(hours=2)
    synced.run()
    assert synced.path(product.name).read_bytes() == synced.server.catalogue.read(product.uri).content


def test_a_listed_size_that_stays_wrong_is_noted_once_and_not_fetched_again(bench: Bench) -> None:
    product = bench.server.catalogue.products[0]
    true_size = bench.server.catalogue.size(product.uri)
    bench.server.catalogue.restate_size(product.uri, 11)
    assert bench.run().counts.downloaded == 12
    report = bench.reports()[product.name]
    assert (report.state, report.size) == (FileState.PRESENT, true_size)
    assert str(true_size) in str(report.note)
    for _ in range(2):
        bench.later(days=8)
        bench.run()
        assert bench.fetched == []


def test_a_size_that_is_not_stated_today_proves_nothing(synced: Bench) -> None:
    for product in synced.server.catalogue.products:
        synced.server.catalogue.restate_size(product.uri, None)
    synced.run(full=True)
    assert synced.fetched == []


def test_an_observation_number_learned_later_moves_nothing(bench: Bench) -> None:
    name = "jw09001_20260301t100000_pool.csv"
    record = bench.store.runs.begin("watch", Trigger.MANUAL, now=NOW)
    context = bench.context()
    root = open_root(context, bench.root)
    subject = Subject(run=record, profile=bench.settings.profiles["watch"], root=root, options=Options())

    def listed_by(obs_id: str, obsid: int) -> ListingRow:
        uri = f"mast:JWST/product/{name}"
        return ListingRow(
            uri=uri, name=name, obs_id=obs_id, obsid=obsid, parent_obsid=obsid, proposal=9001, calib_level=3
        )

    plan_batch(context, subject, [7], [listed_by("jw09001-c1001_t001_nircam_clear-f444w", 7)])
    (path,) = [report.path for report in bench.reports().values()]
    assert path == bench.root / "09001" / "NA" / name
    plan_batch(context, subject, [8], [listed_by("jw09001003001_02101_00001_nrca1", 8)])
    assert bench.ask("SELECT obsnum FROM product") == [(3,)]
    assert [report.path for report in bench.reports().values()] == [path]


def test_a_withdrawn_file_stays_on_disk(synced: Bench) -> None:
    product = synced.server.catalogue.products[0]
    synced.server.catalogue.withdraw(product.uri)
    synced.run()
    assert synced.path(product.name).is_file()
    assert synced.fetched == []


def test_new_exposures_under_known_parents_are_found(survey: Bench) -> None:
    later = NOW + timedelta(days=1)
    survey.later(days=1, hours=2)
    new = survey.server.catalogue.add_exposure(
        like="jw01345002001_02101_00001_nrca1", start=later, now=survey.clock
    )
    survey.run("survey")
    assert survey.fetched == [f"{new}_rate.fits"] or set(survey.fetched) == {
        f"{new}_rate.fits",
        f"{new}_i2d.fits",
    }
