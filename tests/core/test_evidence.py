"""Rule 2: changed means contradicted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core import evidence
from jwstwatch.core.evidence import PairFacts
from jwstwatch.core.model import ListingRow

NAME = "jw05224004001_02101_00002_nrs2_rate.fits"
OWN = "jw05224004001_02101_00002_nrs2"
PARENT = "jw05224-o004_s000277193_nirspec_clear-prism"


def row(
    parent: int, *, obs_id: str = OWN, size: int | None = 100, version: str | None = "1.17.1"
) -> ListingRow:
    return ListingRow(
        uri=f"mast:JWST/product/{NAME}",
        name=NAME,
        obs_id=obs_id,
        obsid=1,
        parent_obsid=parent,
        size=size,
        prvversion=version,
    )


def facts_of(rows: list[ListingRow], revision: int = 1) -> dict[tuple[int, int], PairFacts]:
    return {
        (r.parent_obsid, r.obsid): PairFacts(size=r.size, prvversion=r.prvversion, revision=revision)
        for r in rows
    }


versions = st.sampled_from([None, "1.17.1", "1.20.2", "2.0"])
truths = st.dictionaries(
    st.integers(1, 8), st.builds(lambda v, o: (v, o), versions, st.sampled_from([OWN, PARENT])), min_size=1
).map(lambda pairs: [row(p, obs_id=o, version=v) for p, (v, o) in pairs.items()])


@given(truths, st.data())
def test_any_order_and_any_subset_of_unchanged_rows_is_no_change(
    rows: list[ListingRow], data: st.DataObject
) -> None:
    then = data.draw(st.lists(st.sampled_from(rows), unique_by=lambda r: r.parent_obsid))
    now = data.draw(
        st.permutations(data.draw(st.lists(st.sampled_from(rows), unique_by=lambda r: r.parent_obsid)))
    )
    assert evidence.listing_contradictions(facts_of(then), now, revision=1) == ()


@given(truths, st.sampled_from([("size", None), ("prvversion", None)]), st.booleans())
def test_a_fact_that_vanishes_or_appears_proves_nothing(
    rows: list[ListingRow], nothing: tuple[str, None], appears: bool
) -> None:
    blank = [r._replace(**{nothing[0]: None}) for r in rows]
    then, now = (blank, rows) if appears else (rows, blank)
    assert evidence.listing_contradictions(facts_of(then), now, revision=1) == ()


def test_a_size_that_differs_for_the_same_row_is_a_change() -> None:
    found = evidence.listing_contradictions(facts_of([row(1)]), [row(1, size=200)], revision=1)
    assert [str(c) for c in found] == ["caom.size was 100, now 200"]


def test_a_pipeline_version_counts_only_in_the_files_own_row() -> None:
    own = evidence.listing_contradictions(facts_of([row(1)]), [row(1, version="1.20.2")], revision=1)
    other = evidence.listing_contradictions(
        facts_of([row(1, obs_id=PARENT)]), [row(1, obs_id=PARENT, version="1.20.2")], revision=1
    )
    assert [c.fact for c in own] == ["caom.prvversion"]
    assert other == ()


def test_rows_that_disagree_today_state_nothing_until_they_agree() -> None:
    known = facts_of([row(1), row(2)])
    halfway = [row(1, version="1.20.2"), row(2)]
    assert evidence.listing_contradictions(known, halfway, revision=1) == ()
    known = facts_of(halfway)
    settled = [row(1, version="1.20.2"), row(2, version="1.20.2")]
    assert len(evidence.listing_contradictions(known, settled, revision=1)) == 1


def test_a_change_is_counted_once_although_the_other_parents_are_listed_later() -> None:
    known = facts_of([row(1), row(2)], revision=1)
    assert evidence.listing_contradictions(known, [row(1, size=7)], revision=1)
    assert evidence.listing_contradictions(known, [row(2, size=7)], revision=2) == ()


facts = st.dictionaries(
    st.sampled_from(
        ["keywords.checksum", "keywords.cal_ver", "keywords.date", "http.etag", "keywords.ingested"]
    ),
    st.one_of(st.none(), st.sampled_from(["a", "b"])),
)


@given(facts, facts)
def test_a_fact_of_a_service_counts_only_where_it_was_stated_then_and_is_stated_now(
    then: dict[str, str | None], now: dict[str, str | None]
) -> None:
    found = {entry.fact for entry in evidence.fact_contradictions(then, now)}
    compared = {fact for fact in then.keys() & now.keys() if None not in (then[fact], now[fact])}
    different = {fact for fact in compared - {"keywords.ingested"} if then[fact] != now[fact]}
    if "keywords.checksum" in compared - different:  # the bytes are the same
        different &= {"http.etag"}
    assert found == different


@given(facts, facts)
def test_what_is_known_after_an_answer_contradicts_neither_it_nor_what_it_left_out(
    then: dict[str, str | None], now: dict[str, str | None]
) -> None:
    merged = evidence.merge_facts(then, now)
    assert evidence.fact_contradictions(merged, now) == ()
    left_out = {fact: value for fact, value in then.items() if now.get(fact) is None}
    assert evidence.fact_contradictions(merged, left_out) == ()


def test_an_echo_is_told_by_the_checksum_alone_where_there_is_one() -> None:
    former = {"keywords.checksum": "a", "keywords.cal_ver": "1.17.1"}
    assert evidence.is_echo(former, {"keywords.checksum": "a", "keywords.cal_ver": "1.20.2"})
    assert not evidence.is_echo(former, {"keywords.checksum": "b", "keywords.cal_ver": "1.17.1"})
    assert evidence.is_echo(former, {"keywords.cal_ver": "1.17.1", "keywords.ingested": "today"})
    assert not evidence.is_echo(former, {"http.etag": "a"})
    assert not evidence.is_echo({}, former)


def test_only_what_the_keyword_service_told_first_explains_a_listing() -> None:
    found = (evidence.Contradiction(fact="caom.prvversion", before="1.17.1", now="1.20.2"),)
    stated: dict[str, str | int | None] = {"keywords.cal_ver": "1.20.2"}
    told_first = "keywords.cal_ver was 1.17.1, now 1.20.2"
    assert evidence.unexplained(found, facts=stated, former_ended=told_first) == ()
    assert evidence.unexplained(found, facts=stated, former_ended="caom.size was 1, now 2") == found
    assert evidence.unexplained(found, facts=stated, former_ended="") == found
    assert evidence.unexplained(found, facts={}, former_ended=told_first) == found


def test_the_same_change_told_by_a_row_that_lags_is_explained() -> None:
    found = (evidence.Contradiction(fact="caom.size", before=1, now=2),)
    ended = "caom.prvversion was a, now b; caom.size was 1, now 2"
    assert evidence.unexplained(found, facts={}, former_ended=ended) == ()
    assert evidence.unexplained(found, facts={}, former_ended="caom.size was 2, now 1") == found
