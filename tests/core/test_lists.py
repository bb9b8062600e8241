"""Digests of product lists: the same for the same list, another for any other."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.lists import list_digests
from jwstwatch.core.model import EXCLUSIVE, PLANNED, ListingRow, Observation

TEXT = st.one_of(st.none(), st.sampled_from(["a", "b", "1.20", "é"]))
NUMBER = st.one_of(st.none(), st.integers(min_value=0, max_value=2**53))


@st.composite
def listing_rows(draw: st.DrawFn) -> ListingRow:
    """A row of one of two observations, each fact of few values or none."""
    values = {
        name: draw(NUMBER if name in ("size", "proposal", "calib_level") else TEXT)
        for name in ListingRow._fields
    }
    values |= {"uri": draw(st.sampled_from("pqr")), "name": "n", "obs_id": draw(st.sampled_from(["x", "y"]))}
    values |= {"obsid": draw(st.integers(1, 3)), "parent_obsid": draw(st.integers(1, 2))}
    return ListingRow(**values)  # type: ignore[arg-type]


def unlike(rows: list[ListingRow]) -> list[ListingRow]:
    """The rows without those that differ only in facts beside product and observations."""
    return list({(row.uri, row.obsid, row.parent_obsid): row for row in rows}.values())


@given(rows=st.lists(listing_rows(), min_size=1, max_size=8), seed=st.randoms())
def test_order_and_repetition_mean_nothing(rows: list[ListingRow], seed: object) -> None:
    rows = unlike(rows)
    mixed = [*rows, rows[0]]
    seed.shuffle(mixed)  # type: ignore[attr-defined]
    copies = [row._replace(uri="".join(list(row.uri))) for row in mixed]
    assert list_digests([1, 2], copies, {}, rules="r") == list_digests([2, 1], rows, {}, rules="r")


@given(rows=st.lists(listing_rows(), min_size=1, max_size=6), data=st.data())
def test_every_fact_of_every_row_counts(rows: list[ListingRow], data: st.DataObject) -> None:
    rows = unlike(rows)
    before = list_digests([1, 2], rows, {}, rules="r")
    place = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from(ListingRow._fields))
    if name in ("parent_obsid", "obsid"):
        value: object = 99
    elif name in ("size", "proposal", "calib_level"):
        value = -7
    else:
        value = "another"
    changed = [*rows[:place], rows[place]._replace(**{name: value}), *rows[place + 1 :]]  # type: ignore[arg-type]
    after = list_digests([1, 2], changed, {}, rules="r")
    assert after.get(rows[place].parent_obsid) != before[rows[place].parent_obsid]


def test_so_do_the_rules_and_what_is_known_of_the_observations() -> None:
    row = ListingRow(uri="u", name="n", obs_id="o", obsid=2, parent_obsid=1)
    plain = Observation(obs_id="o", obsid=2, proposal=1, calib_level=2)
    known = [{}, {2: plain}, {2: replace(plain, proposal=2)}, {2: replace(plain, calib_level=PLANNED)}]
    known.append({2: replace(plain, data_rights=EXCLUSIVE)})
    found = [list_digests([1], [row], entry, rules="r")[1] for entry in known]
    found.append(list_digests([1], [row], {}, rules="other")[1])
    assert len(set(found)) == len(found)
    moved = {2: replace(plain, target_name="elsewhere")}
    assert list_digests([1], [row], moved, rules="r")[1] == found[1]


def test_an_empty_list_has_none() -> None:
    assert list_digests([5], [], {}, rules="r") == {}
