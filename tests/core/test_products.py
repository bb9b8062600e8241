"""Rows become one product per URI, whatever their order, with what the rows agree on."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.model import EXCLUSIVE, ListingRow, Observation
from jwstwatch.core.products import Product, group

PREFIX = "mast:JWST/product/"
EXPOSURE = "jw01409003001_02101_00001_nrca1"


def row(
    name: str, *, obs_id: str = EXPOSURE, obsid: int = 10, parent: int = 20, **facts: object
) -> ListingRow:
    return ListingRow(
        uri=PREFIX + name, name=name, obs_id=obs_id, obsid=obsid, parent_obsid=parent, **facts  # type: ignore[arg-type]
    )  # fmt: skip


def only(*rows: ListingRow, observations: dict[int, Observation] | None = None) -> Product:
    (product,) = group(rows, observations or {})
    return product


def by_name(*rows: ListingRow) -> dict[str, Product]:
    return {product.name: product for product in group(rows, {})}


@pytest.fixture(scope="module")
def recorded(reference: Path) -> list[ListingRow]:
    with (reference / "real" / "products.csv").open(newline="") as stream:
        return [
            ListingRow(
                uri=stated["dataURI"],
                name=stated["productFilename"],
                obs_id=stated["obs_id"],
                obsid=int(stated["obsID"]),
                parent_obsid=int(stated["parent_obsid"]),
                size=int(stated["size"]),
                proposal=int(stated["proposal_id"]),
                prvversion=stated["prvversion"] or None,
                calib_level=int(stated["calib_level"]),
                data_rights=stated["dataRights"],
            )
            for stated in csv.DictReader(stream)
            if stated["row_kind"] == "full_caom"
        ]


def test_recorded_rows_become_one_product_for_each_file(recorded: list[ListingRow]) -> None:
    products = group(recorded, {})

    assert (len(recorded), len(products)) == (718, 323)
    assert sum(len(product.rows) for product in products) == len(recorded)
    assert {product.uri for product in products} == {stated.uri for stated in recorded}
    assert {(product.proposal, product.obsnum, product.exclusive) for product in products} == {
        (5224, 4, False)
    }
    for product in products:
        assert {stated.uri for stated in product.rows} == {product.uri}
        assert product.size in {stated.size for stated in product.rows}


def test_a_row_given_twice_is_one_row() -> None:
    stated = row("jw01409_20251221t142913_pool.csv", size=5)
    other = stated._replace(obsid=11, size=7)

    assert only(stated, stated, stated, other).rows == (stated, other)
    assert only(stated, stated, stated, other).size == 7


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [([3, 3, 9], 3), ([3, 9], 9), ([None, 4], 4), ([None], None), ([0, None, 0], 0), ([1, 1, 5, 5], 5)],
)
def test_the_size_is_what_most_rows_state_and_the_largest_of_equals(
    sizes: list[int | None], expected: int | None
) -> None:
    rows = [
        row("jw01409003001_02101_00001_nrca1_rate.fits", parent=n, size=size) for n, size in enumerate(sizes)
    ]

    assert only(*rows).size == expected


def test_the_name_decides_proposal_and_observation_before_the_rows_do() -> None:
    product = only(
        row("jw01409003001_02101_00001_nrca1_rate.fits", proposal=9999, obs_id="jw09999-o017_t001")
    )

    assert (product.proposal, product.obsnum) == (1409, 3)
    assert only(row("jw01409-o103_t001_nircam_clear-f200w_i2d.fits")).obsnum == 103


def test_an_unreadable_name_leaves_proposal_to_the_rows_and_then_to_the_observation() -> None:
    assert only(row("notes.txt", proposal=1409)).proposal == 1409
    assert only(row("notes.txt")).proposal is None
    observed = {10: Observation(obs_id=EXPOSURE, obsid=10, proposal=1410)}
    assert only(row("notes.txt"), observations=observed).proposal == 1410


def test_a_pool_has_the_number_that_its_rows_agree_on() -> None:
    pool = "jw01409_20251221t142913_pool.csv"
    third = row(pool, obs_id="jw01409003001_02101_00001_nrca1")
    fourth = row(pool, obs_id="jw01409004001_02101_00001_nrca1", obsid=11)
    candidate = row(pool, obs_id="jw01409-c1001_t001_nircam_clear-f200w", obsid=12)

    assert only(third, candidate).obsnum == 3
    assert only(third, fourth, candidate).obsnum is None


CANDIDATE = "jw01409-c1001_t001_nircam_clear-f200w"


def test_a_candidate_has_the_number_that_its_siblings_agree_on() -> None:
    image = row(f"{CANDIDATE}_i2d.fits", obs_id=CANDIDATE, obsid=20)
    sibling = row("jw01409003001_02101_00001_nrca1_cal.fits")
    another = row("jw01409003002_02101_00001_nrca1_cal.fits", obsid=11)

    assert by_name(image, sibling, another)[image.name].obsnum == 3


def test_a_candidate_whose_siblings_disagree_or_that_has_none_has_no_number() -> None:
    image = row(f"{CANDIDATE}_i2d.fits", obs_id=CANDIDATE, obsid=20)
    third = row("jw01409003001_02101_00001_nrca1_cal.fits")
    fourth = row("jw01409004001_02101_00001_nrca1_cal.fits", obsid=11)

    assert by_name(image, third, fourth)[image.name].obsnum is None
    assert only(image).obsnum is None


def test_products_of_another_parent_or_another_proposal_are_no_siblings() -> None:
    image = row(f"{CANDIDATE}_i2d.fits", obs_id=CANDIDATE, obsid=20)
    third = row("jw01409003001_02101_00001_nrca1_cal.fits")
    elsewhere = row("jw01409004001_02101_00001_nrca1_cal.fits", obsid=11, parent=21)
    stranger = row(
        "jw01410009001_02101_00001_nrca1_cal.fits", obs_id="jw01410009001_02101_00001_nrca1", obsid=12
    )

    assert by_name(image, third, elsewhere, stranger)[image.name].obsnum == 3


def test_a_candidate_listed_by_two_parents_needs_both_to_agree() -> None:
    image = f"{CANDIDATE}_i2d.fits"
    first = row(image, obs_id=CANDIDATE, obsid=20, parent=20)
    second = row(image, obs_id=CANDIDATE, obsid=20, parent=21)
    third = row("jw01409003001_02101_00001_nrca1_cal.fits", parent=20)
    fourth = row("jw01409004001_02101_00001_nrca1_cal.fits", obsid=11, parent=21)

    assert by_name(first, third, fourth)[image].obsnum == 3
    assert by_name(first, second, third, fourth)[image].obsnum is None


def test_rights_come_from_the_rows_and_else_from_the_observation() -> None:
    name = "jw01409003001_02101_00001_nrca1_rate.fits"
    kept_back = {10: Observation(obs_id=EXPOSURE, obsid=10, data_rights=EXCLUSIVE)}

    assert only(row(name, data_rights=EXCLUSIVE)).exclusive
    assert only(row(name), observations=kept_back).exclusive
    assert not only(row(name, data_rights="PUBLIC"), observations=kept_back).exclusive
    assert not only(row(name)).exclusive


def test_nothing_of_a_planned_observation_comes_up() -> None:
    name = "jw01409003001_02101_00001_nrca1_uncal.fits"
    planned = {20: Observation(obs_id="jw01409003001_xx101_00001_nircam", obsid=20, calib_level=-1)}

    assert group([row(name, calib_level=-1)], {}) == []
    assert group([row(name, calib_level=1)], planned) == []
    assert len(group([row(name, parent=20), row(name, parent=21)], planned)[0].rows) == 1


def test_a_row_without_a_name_is_named_by_its_uri() -> None:
    nameless = row("jw01409003001_02101_00001_nrca1_uncal.fits")._replace(name="")

    assert only(nameless).name == "jw01409003001_02101_00001_nrca1_uncal.fits"


names = st.sampled_from(
    [
        "jw01409003001_02101_00001_nrca1_cal.fits",
        "jw01409004001_02101_00001_nrca1_cal.fits",
        "jw01409_20251221t142913_pool.csv",
        "jw01409-c1001_t001_nircam_clear-f200w_i2d.fits",
        "jw01409-a3001_t001_nircam_clear-f200w_i2d.fits",
        "notes.txt",
    ]
)
rows_of_a_listing = st.lists(
    st.builds(
        row,
        names,
        obs_id=st.sampled_from([EXPOSURE, CANDIDATE, "jw01409004001_02101_00001_nrca1", ""]),
        obsid=st.integers(1, 4),
        parent=st.integers(1, 4),
        size=st.none() | st.integers(0, 3),
        proposal=st.none() | st.integers(1409, 1411),
        calib_level=st.none() | st.integers(-1, 3),
        data_rights=st.sampled_from([None, "PUBLIC", EXCLUSIVE]),
        prvversion=st.sampled_from([None, "1.17.1", "1.20.2"]),
    ),
    max_size=12,
)


@given(rows_of_a_listing, st.randoms(use_true_random=False))
def test_any_order_and_repetition_of_the_rows_gives_the_same_products(
    rows: list[ListingRow], random: object
) -> None:
    shuffled = [*rows, *rows[:3]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert group(shuffled, {}) == group(rows, {})


@given(rows_of_a_listing)
def test_every_row_of_what_exists_is_in_exactly_one_product(rows: list[ListingRow]) -> None:
    products = group(rows, {})

    assert len({product.uri for product in products}) == len(products)
    assert {stated for product in products for stated in product.rows} == {
        stated for stated in rows if stated.calib_level != -1
    }
