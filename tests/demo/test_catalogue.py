"""The demo archive: what is in it, that it is always the same, and how it changes."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.core import naming
from jwstwatch.demo.build import demo_catalogue
from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.model import to_mjd
from jwstwatch.demo.scaled import scaled_catalogue
from tests.demo.conftest import NOW

EXPOSURE = "jw01345001001_02101_00001_nrca1"


def product_rows(catalogue: Catalogue, *obs_ids: str) -> list[dict[str, Any]]:
    return catalogue.product_rows([catalogue.observation(obs_id).obsid for obs_id in obs_ids])


def all_rows(catalogue: Catalogue) -> list[dict[str, Any]]:
    return catalogue.product_rows(observation.obsid for observation in catalogue.observations)


def test_the_same_seed_and_present_give_the_same_archive(demo: Catalogue) -> None:
    again = demo_catalogue(now=NOW)
    assert again.observation_rows() == demo.observation_rows()
    assert again.products == demo.products
    for name in ("_uncal.fits", "_rate.jpg", "_cat.ecsv", "_x1d.png", "_asn.json", "_pool.csv"):
        uri = next(uri for uri in demo.uris if uri.endswith(name))
        assert again.read(uri) == demo.read(uri)


def test_another_seed_gives_another_content_and_other_numbers(demo: Catalogue) -> None:
    other = demo_catalogue(now=NOW, seed=7)
    uri = f"mast:JWST/product/{EXPOSURE}_rate.fits"
    assert other.read(uri).content != demo.read(uri).content
    assert other.observation(EXPOSURE).obsid != demo.observation(EXPOSURE).obsid
    assert other.uris == demo.uris


def test_the_demo_archive_is_small_enough_to_be_fetched_in_seconds(demo: Catalogue) -> None:
    assert 50 <= len(demo.observations) <= 70
    assert 400 <= len(demo.products) <= 600
    assert demo.total_size() < 150_000_000


def test_every_file_name_is_in_the_grammar_and_every_form_occurs(demo: Catalogue) -> None:
    parsed = [naming.parse(product.name) for product in demo.products]
    assert {parts.form for parts in parsed} == set(naming.Form) - {naming.Form.OPAQUE}
    assert {parts.guide_function for parts in parsed} == {None, "id", "acq1", "acq2", "track", "fg"}
    assert {(parts.source or " ")[0] for parts in parsed} == {" ", "s", "b", "v"}
    assert {(parts.candidate or " ")[0] for parts in parsed} == {" ", "o", "c", "a"}


def test_names_agree_with_the_rows_that_list_them(demo: Catalogue) -> None:
    for row in all_rows(demo):
        parts = naming.parse(row["productFilename"])
        assert parts.proposal == int(row["proposal_id"])
        assert row["dataURI"] == f"mast:JWST/product/{row['productFilename']}"


def test_observation_ids_are_unique_and_so_are_their_numbers(demo: Catalogue) -> None:
    rows = demo.observation_rows()
    assert len({row["obs_id"] for row in rows}) == len({row["obsid"] for row in rows}) == len(rows)


def test_rows_have_every_column_of_the_real_rows(demo: Catalogue, reference: Path) -> None:
    with (reference / "real" / "observations_full.csv").open(newline="") as stream:
        real = set(next(csv.reader(stream))) - {
            "t_max_iso", "t_obs_release_iso", "derived_columns", "row_kind", "source",
        }  # fmt: skip
    assert real <= demo.observation_rows()[0].keys()
    with (reference / "real" / "products.csv").open(newline="") as stream:
        real = set(next(csv.reader(stream))[:20])
    assert real <= product_rows(demo, EXPOSURE)[0].keys()


def test_shared_product_columns_take_the_values_of_real_rows(demo: Catalogue, reference: Path) -> None:
    columns = ("productType", "productSubGroupDescription", "type", "calib_level", "project")
    with (reference / "real" / "products.csv").open(newline="") as stream:
        real = {
            tuple(row[column] for column in columns)
            for row in csv.DictReader(stream)
            if row["row_kind"] == "full_caom"
        }
    ours = {
        tuple(str(row[column] if row[column] is not None else "") for column in columns)
        for row in all_rows(demo)
        if row["obs_id"].endswith(("nrs1", "nrs2")) or "_s000277" in row["obs_id"]
    }
    assert ours
    assert ours <= real


def test_all_instruments_are_there_and_one_is_bare(demo: Catalogue) -> None:
    modes = Counter(row["instrument_name"] for row in demo.observation_rows())
    assert {str(mode).partition("/")[0] for mode in modes} == {"NIRCAM", "NIRSPEC", "NIRISS", "MIRI", "FGS"}
    assert modes["MIRI"] == 1
    assert modes["FGS/FGS1"] == 2


def test_a_planned_observation_has_no_start_and_no_files(demo: Catalogue) -> None:
    (planned,) = (row for row in demo.observation_rows() if row["calib_level"] == -1)
    assert planned["t_min"] is planned["dataURL"] is planned["t_obs_release"] is None
    assert product_rows(demo, str(planned["obs_id"])) == []


def test_exclusive_files_have_a_release_date_to_come(demo: Catalogue) -> None:
    rows = [row for row in demo.observation_rows() if row["dataRights"] == "EXCLUSIVE_ACCESS"]
    released = [row["t_obs_release"] for row in rows if row["calib_level"] != -1]
    assert released
    assert all(isinstance(day, float) and day > to_mjd(NOW) for day in released)
    assert demo.exclusive("jw05224007001_02101_00001_nrcalong_uncal.fits")
    assert not demo.exclusive(f"{EXPOSURE}_uncal.fits")


def test_some_observations_began_within_the_last_day_and_most_long_ago(demo: Catalogue) -> None:
    starts = [row["t_min"] for row in demo.observation_rows() if isinstance(row["t_min"], float)]
    recent = [start for start in starts if start > to_mjd(NOW) - 1]
    assert 5 <= len(recent) <= len(starts) // 2
    assert max(starts) < to_mjd(NOW)


def test_one_file_is_listed_by_several_parents_with_differing_versions(demo: Catalogue) -> None:
    rows = all_rows(demo)
    versions: dict[object, set[object]] = defaultdict(set)
    parents: dict[object, set[object]] = defaultdict(set)
    for row in rows:
        versions[row["dataURI"]].add(row["prvversion"])
        parents[row["dataURI"]].add(row["parent_obsid"])
    assert any(len(stated - {None}) > 1 for stated in versions.values())
    assert max(len(parent) for parent in parents.values()) > 3
    assert {row["prvversion"] for row in rows if row["calib_level"] == 1} == {None}


def test_a_file_comes_once_for_each_pair_of_parent_and_holder(demo: Catalogue) -> None:
    pairs = Counter((row["dataURI"], row["parent_obsid"], row["obsID"]) for row in all_rows(demo))
    assert set(pairs.values()) == {1}


def test_a_level_3_set_lists_its_exposures_files_under_their_own_number(demo: Catalogue) -> None:
    rows = product_rows(demo, "jw01345-o001_t001_nircam_clear-f115w")
    exposure = demo.observation(EXPOSURE)
    (row,) = (row for row in rows if row["productFilename"] == f"{EXPOSURE}_rate.fits")
    assert row["obsID"] == exposure.obsid != row["parent_obsid"]


def test_a_new_exposure_appears_in_its_own_and_its_parents_listing(demo: Catalogue) -> None:
    catalogue = demo_catalogue(now=NOW)
    obs_id = catalogue.add_exposure(like=EXPOSURE, start=NOW - timedelta(hours=1), now=NOW)
    assert obs_id == "jw01345001001_02101_00003_nrca1"
    names = {
        row["productFilename"] for row in product_rows(catalogue, "jw01345-o001_t001_nircam_clear-f115w")
    }
    assert f"{obs_id}_uncal.fits" in names
    assert catalogue.read(f"{obs_id}_uncal.fits").content != demo.read(f"{EXPOSURE}_uncal.fits").content


def test_reprocessing_changes_bytes_validators_and_the_own_rows_version_but_no_size(
    demo: Catalogue,
) -> None:
    catalogue = demo_catalogue(now=NOW)
    uri = f"mast:JWST/product/{EXPOSURE}_cal.fits"
    before = catalogue.read(uri)
    catalogue.reprocess(uri, now=NOW, version="1.22.0")
    after = catalogue.read(uri)
    assert before.etag != after.etag
    assert before.modified < after.modified
    assert len(before.content) == len(after.content)
    (row,) = (row for row in product_rows(catalogue, EXPOSURE) if row["dataURI"] == uri)
    assert row["prvversion"] == "1.22.0"
    assert b"1.22.0" in after.content


@pytest.mark.parametrize(("ending", "unit"), [("_cal.fits", 2880), ("_cal.jpg", 0)])
def test_reprocessing_can_make_a_file_grow(demo: Catalogue, ending: str, unit: int) -> None:
    catalogue = demo_catalogue(now=NOW)
    before = demo.size(EXPOSURE + ending)
    catalogue.reprocess(EXPOSURE + ending, now=NOW, grow=3)
    assert catalogue.size(EXPOSURE + ending) == len(catalogue.read(EXPOSURE + ending).content)
    if unit:
        assert catalogue.size(EXPOSURE + ending) == before + 3 * unit


def test_reprocessing_an_observation_renames_its_association() -> None:
    catalogue = demo_catalogue(now=NOW)
    before = set(catalogue.uris)
    changed = catalogue.reprocess_observation(EXPOSURE, now=NOW)
    gone, new = before - set(catalogue.uris), set(catalogue.uris) - before
    assert len(gone) == len(new) == 1
    (old_name,), (new_name,) = gone, new
    parsed = naming.parse(new_name.rpartition("/")[2])
    assert parsed.logical_name == naming.parse(old_name.rpartition("/")[2]).logical_name
    assert parsed.stamp == "20261122t133000"
    assert f"mast:JWST/product/{EXPOSURE}_uncal.fits" in changed


def test_a_withdrawn_file_is_neither_listed_nor_read_until_it_is_restored(small: Catalogue) -> None:
    uri = small.uris[0]
    small.withdraw(uri)
    assert uri not in {row["dataURI"] for row in all_rows(small)}
    with pytest.raises(KeyError):
        small.read(uri)
    small.restore(uri)
    assert uri in {row["dataURI"] for row in all_rows(small)}
    assert len(small.read(uri).content) == small.size(uri)


def test_a_restated_size_is_wrong_in_the_listing_only(small: Catalogue) -> None:
    uri = small.uris[0]
    true = small.size(uri)
    small.restate_size(uri, 17)
    assert {row["size"] for row in all_rows(small) if row["dataURI"] == uri} == {17}
    assert len(small.read(uri).content) == true
    small.restate_size(uri, None)
    assert {row["size"] for row in all_rows(small) if row["dataURI"] == uri} == {true}


def test_release_ends_the_exclusive_access_of_a_set_and_its_members() -> None:
    catalogue = demo_catalogue(now=NOW)
    catalogue.release("jw05224-o007_t001_nircam_clear-f444w", now=NOW)
    assert not catalogue.exclusive("jw05224007001_02101_00001_nrcalong_uncal.fits")
    rows = [row for row in catalogue.observation_rows() if "nrcalong" in str(row["obs_id"])]
    assert {row["dataRights"] for row in rows} == {"PUBLIC"}


def test_an_observation_can_be_added(small: Catalogue) -> None:
    model = small.observations[0]
    product = small.products[0]
    fresh = replace(model, obs_id="jw09001999001_02101_00001_nrca1", obsid=5)
    name = product.name.replace(model.obs_id, fresh.obs_id)
    small.add(fresh, [replace(product, name=name, holders=(fresh.obs_id,))])
    assert [row["productFilename"] for row in small.product_rows([5])] == [name]


def test_a_scaled_archive_has_the_asked_files_with_sizes_in_range() -> None:
    catalogue = scaled_catalogue(observations=100, now=NOW, sizes=(50_000, 300_000))
    assert len(catalogue.products) == 300
    assert len({product.name for product in catalogue.products}) == 300
    assert {naming.parse(product.name).form for product in catalogue.products} == {naming.Form.EXPOSURE}
    for uri in catalogue.uris[:30]:
        assert 50_000 <= catalogue.size(uri) < 300_000 + 2880
        assert len(catalogue.read(uri).content) == catalogue.size(uri)
    starts = [observation.start for observation in catalogue.observations]
    assert all(NOW - timedelta(days=1) < start < NOW for start in starts if start)


def test_a_large_scaled_archive_has_unique_names_over_many_observations() -> None:
    catalogue = scaled_catalogue(observations=1500, now=NOW, files=("rate.fits",))
    assert len(set(catalogue.uris)) == 1500
    assert max(observation.number or 0 for observation in catalogue.observations) == 15


def test_plain_content_is_reprocessed_with_the_same_size_or_a_greater_one(small: Catalogue) -> None:
    uri = next(uri for uri in small.uris if uri.endswith("_rate.fits"))
    before = small.read(uri)
    small.reprocess(uri, now=NOW)
    assert len(small.read(uri).content) == len(before.content)
    assert small.read(uri).md5 != before.md5
    small.reprocess(uri, now=NOW, grow=2)
    assert small.size(uri) == len(small.read(uri).content) == len(before.content) + 2 * 2880
