"""Associations and pools that a newer one took the place of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.superseding import Edition, logical_name, superseded

STAMPS = ["20240101t000000", "20240401t010203", "20250101t235959", "20260701t120000"]


def association(stamp: str, *, candidate: str = "o001", counter: str = "00001") -> str:
    return f"jw01345-{candidate}_{stamp}_image3_{counter}_asn.json"


def pool(stamp: str) -> str:
    return f"jw01345_{stamp}_pool.csv"


def of(*names: str, unlisted: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the name that supersedes each name."""
    editions = [Edition(number, name, name not in unlisted) for number, name in enumerate(names)]
    return {names[key]: newest.name for key, newest in superseded(editions).items()}


def test_all_but_the_newest_of_an_association_and_of_a_pool_are_superseded() -> None:
    old, newer, newest = (association(stamp) for stamp in STAMPS[:3])
    assert of(newest, old, newer) == {old: newest, newer: newest}
    assert of(pool(STAMPS[1]), pool(STAMPS[0])) == {pool(STAMPS[0]): pool(STAMPS[1])}


def test_what_differs_in_more_than_the_stamp_supersedes_nothing() -> None:
    assert of(association(STAMPS[0]), association(STAMPS[1], counter="00002")) == {}
    assert of(association(STAMPS[0]), association(STAMPS[1], candidate="o002")) == {}
    assert of(association(STAMPS[0]), pool(STAMPS[1])) == {}


def test_other_names_with_a_stamp_have_no_editions() -> None:
    guide = "jw01345001001_gs-track_{}_cal.fits"
    assert of(guide.format("2024001000000"), guide.format("2025001000000")) == {}
    assert logical_name(guide.format("2024001000000")) is None
    assert logical_name("jw01345001001_02101_00001_nrca1_rate.fits") is None
    assert logical_name(association(STAMPS[0])) == logical_name(association(STAMPS[1]))


def test_one_that_the_archive_has_no_more_supersedes_nothing_that_it_lists() -> None:
    old, new = association(STAMPS[0]), association(STAMPS[1])
    assert of(old, new, unlisted=(old,)) == {old: new}
    assert of(old, new, unlisted=(new,)) == {}
    # Where it lists none of them, the newest stands for all.
    assert of(old, new, unlisted=(old, new)) == {old: new}


@given(
    st.permutations([association(stamp) for stamp in STAMPS] + [pool(stamp) for stamp in STAMPS]),
    st.sets(st.sampled_from([association(stamp) for stamp in STAMPS])),
)
def test_the_order_decides_nothing_and_one_edition_of_each_is_left(names: list[str], gone: set[str]) -> None:
    found = of(*names, unlisted=tuple(gone))
    assert found == of(*sorted(names), unlisted=tuple(gone))
    for kind in ("_asn.json", "_pool.csv"):
        family = {name for name in names if name.endswith(kind)}
        left = family - found.keys()
        listed = family - gone
        newest = max(listed or family)
        assert newest in left
        assert not left & listed - {newest}
        assert {found[name] for name in family & found.keys()} <= {newest}
