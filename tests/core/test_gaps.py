"""What an observation should have and lacks: judged by its own majority, never by a fixed list."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core import space
from jwstwatch.core.gap_words import count_by_kind, summarise
from jwstwatch.core.gaps import Copy, Gap, GapKind, Known, find_gaps
from jwstwatch.core.instruments import DETECTORS
from jwstwatch.core.model import PLANNED, FileState, Observation
from jwstwatch.core.naming import parse
from jwstwatch.core.sisters import Lack, Listed, Part, lacking

IMAGING = "NIRCAM/IMAGE"
MODULE_B = ("nrcb1", "nrcb2", "nrcb3", "nrcb4", "nrcblong")
NIRCAM = DETECTORS["nircam"]
CHAIN = ("uncal", "rate", "cal")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def key(
    detector: str, exposure: int = 1, *, obsnum: int = 1, activity: str = "02101", segment: int | None = None
) -> str:
    part = "" if segment is None else f"-seg{segment:03d}"
    return f"jw01345{obsnum:03d}001_{activity}_{exposure:05d}{part}_{detector}"


def listed(name: str, mode: str | None = IMAGING, filters: str | None = None, **facts: object) -> Listed:
    parsed = parse(name)
    return replace(Listed(name=parsed, obsnum=parsed.obsnum, mode=mode, filters=filters), **facts)


def exposures(
    detectors: Iterable[str],
    numbers: Iterable[int],
    *,
    suffixes: Sequence[str] = CHAIN,
    mode: str | None = IMAGING,
    filters: str | None = None,
    **parts: object,
) -> list[Listed]:
    return [
        listed(f"{key(detector, number, **parts)}_{suffix}.fits", mode, filters)
        for number in numbers
        for detector in detectors
        for suffix in suffixes
    ]


def without(products: Iterable[Listed], *parts: str) -> list[Listed]:
    """Leave out the products whose names hold one of the parts."""
    return [product for product in products if not any(part in product.name.name for part in parts)]


def told(lacks: Iterable[Lack]) -> list[tuple[str, int | None, str | None, str]]:
    return [(lack.part.value, lack.obsnum, lack.exposure, lack.what) for lack in lacks]


# Detectors


def test_a_detector_that_most_sisters_have_is_lacking_where_it_is_not() -> None:
    products = without(exposures(NIRCAM, range(1, 5)), key("nrca3", 2), key("nrcblong", 2), key("nrcb1", 4))
    assert told(lacking(products)) == [
        ("detector", 1, "jw01345001001_02101_00002", "nrca3, nrcblong"),
        ("detector", 1, "jw01345001001_02101_00004", "nrcb1"),
    ]
    assert [lack.count for lack in lacking(products)] == [2, 1]


@pytest.mark.parametrize(
    "detectors", [MODULE_B, ("nrcalong",), ("nrcb1", "nrcblong"), ("nrs1",), ("mirimage",)]
)
def test_an_observation_with_few_detectors_is_whole(detectors: tuple[str, ...]) -> None:
    assert lacking(exposures(detectors, range(1, 6))) == []


def test_a_minority_asks_nothing_of_the_others() -> None:
    assert lacking([*exposures(MODULE_B, range(1, 4)), *exposures(NIRCAM, range(4, 7))]) == []


def test_a_target_acquisition_is_not_measured_by_the_science_that_follows() -> None:
    science = exposures(NIRCAM, range(1, 9))
    acquisition = exposures(["nrcb3"], [1], activity="02102", mode="NIRCAM/TARGACQ")
    assert lacking([*science, *acquisition]) == []
    # Without a mode only exposures of one step of the plan are compared.
    unknown = [replace(product, mode=None) for product in (*science, *acquisition)]
    assert lacking(unknown) == []
    assert told(lacking(without(unknown, key("nrca1", 3)))) == [
        ("detector", 1, "jw01345001001_02101_00003", "nrca1")
    ]


def test_a_step_of_the_plan_that_never_has_a_detector_does_without_it() -> None:
    subarray = exposures(["nrcb1", "nrcblong"], range(1, 3), activity="04101")
    assert lacking([*exposures(NIRCAM, range(1, 9)), *subarray]) == []


def test_a_grating_that_reaches_one_detector_is_not_measured_by_one_that_reaches_both() -> None:
    both = exposures(["nrs1", "nrs2"], range(1, 4), mode="NIRSPEC/SLIT", filters="F290LP;G395H")
    one = exposures(["nrs1"], [1], activity="04101", mode="NIRSPEC/SLIT", filters="CLEAR;PRISM")
    assert lacking([*both, *one]) == []
    assert told(lacking(without([*both, *one], key("nrs2", 2)))) == [
        ("detector", 1, "jw01345001001_02101_00002", "nrs2")
    ]


def test_filters_that_differ_within_an_exposure_part_no_sisters() -> None:
    products = [
        replace(product, filters="F444W" if "long" in product.name.name else "F200W")
        for product in exposures(NIRCAM, range(1, 5))
    ]
    (lack,) = lacking(without(products, "_00003_nrcalong", "_00003_nrcblong"))
    assert lack.what == "nrcalong, nrcblong"


def test_observations_and_parallels_are_judged_each_by_themselves() -> None:
    products = [
        *exposures(NIRCAM, range(1, 4)),
        *exposures(MODULE_B, range(1, 4), obsnum=2),
        *exposures(["nis"], range(1, 4), activity="02201", mode="NIRISS/WFSS"),
    ]
    assert lacking(products) == []


def test_what_was_not_asked_for_yet_counts_as_there() -> None:
    products = without(exposures(NIRCAM, range(1, 5)), key("nrca3", 2))
    assert lacking(products, {key("nrca3", 2)}) == []


def test_what_is_gone_is_told_as_that_and_asks_nothing_of_its_sisters() -> None:
    products = [
        replace(product, listed="nrca3" not in product.name.name or "_00002_" in product.name.name)
        for product in exposures(NIRCAM, range(1, 5))
    ]
    assert lacking(products) == []
    assert lacking(without(products, key("nrca3", 1))) == []


@given(
    detectors=st.sets(st.sampled_from(NIRCAM), min_size=1),
    numbers=st.sets(st.integers(1, 30), min_size=1, max_size=6),
    suffixes=st.sets(st.sampled_from(["uncal", "rate", "rateints", "cal", "calints", "i2d", "o001_crf"])),
    order=st.randoms(use_true_random=False),
)
def test_what_is_alike_has_no_gap_in_any_order(
    detectors: set[str], numbers: set[int], suffixes: set[str], order: object
) -> None:
    products = exposures(sorted(detectors), sorted(numbers), suffixes=sorted(suffixes) or ["uncal"])
    order.shuffle(products)  # type: ignore[attr-defined]
    assert lacking(products) == []


@given(
    data=st.data(),
    detectors=st.sets(st.sampled_from(NIRCAM), min_size=2),
    count=st.integers(3, 8),
)
def test_one_hole_in_what_is_alike_is_found_and_nothing_else(
    data: st.DataObject, detectors: set[str], count: int
) -> None:
    products = exposures(sorted(detectors), range(1, count + 1))
    hole = data.draw(st.sampled_from(products)).name
    assert hole.exposure_key is not None
    (lack,) = lacking(without(products, hole.exposure_key + "_"))
    assert (lack.part, lack.what) == (Part.DETECTOR, hole.detector)
    assert f"{lack.exposure}_{lack.what}" == hole.exposure_key
    (lack,) = lacking(without(products, hole.name))
    assert (lack.part, lack.names) == (Part.STAGE, (hole.name,))


# Segments and stages


def test_a_segment_between_two_others_is_lacking_and_a_last_one_is_nobodys_guess() -> None:
    products = [
        *exposures(["nrs1"], [1], suffixes=["uncal"], segment=1, mode="NIRSPEC/SLIT"),
        *exposures(["nrs1"], [1], suffixes=["uncal"], segment=4, mode="NIRSPEC/SLIT"),
        *exposures(["nrs2"], [1], suffixes=["uncal"], segment=1, mode="NIRSPEC/SLIT"),
    ]
    (lack,) = lacking(products)
    assert (lack.part, lack.what, lack.count) == (Part.SEGMENT, "nrs1 seg002, seg003", 2)


def test_a_stage_that_most_sisters_have_is_lacking_by_name() -> None:
    products = without(exposures(["nis"], range(1, 5)), key("nis", 2) + "_cal", key("nis", 3) + "_rate.")
    lacks = lacking(products)
    assert [lack.names for lack in lacks] == [(key("nis", 2) + "_cal.fits",), (key("nis", 3) + "_rate.fits",)]
    assert {lack.part for lack in lacks} == {Part.STAGE}


def test_a_stage_that_no_sister_has_is_no_gap() -> None:
    assert lacking(exposures(["nis"], range(1, 5), suffixes=["uncal"])) == []
    # Either file of a stage will do: how many integrations there were is no business of the others.
    series = exposures(["nis"], [4], suffixes=["uncal", "rateints", "calints"])
    assert lacking([*exposures(["nis"], range(1, 4)), *series]) == []


def test_a_detector_whose_light_is_never_calibrated_lacks_nothing() -> None:
    products = [
        *exposures(["nrs1"], range(1, 5), mode="NIRSPEC/MSA"),
        *exposures(["nrs2"], range(1, 5), suffixes=["uncal", "rate"], mode="NIRSPEC/MSA"),
    ]
    assert lacking(products) == []


# Level 3


def products_3(obsnum: int) -> list[Listed]:
    return [listed(f"jw01345-o{obsnum:03d}_t001_nircam_clear-f200w_i2d.fits")]


def test_an_observation_without_a_level_3_product_is_told_where_the_others_have_one() -> None:
    whole = [product for number in (1, 2, 3) for product in exposures(NIRCAM, range(1, 4), obsnum=number)]
    assert lacking(whole) == []
    assert told(lacking([*whole, *products_3(1), *products_3(3)])) == [("product", 2, None, "o002")]
    # Its own level 2 comes first.
    partly = without(whole, key("nrca3", 2, obsnum=2))
    assert [lack.part for lack in lacking([*partly, *products_3(1), *products_3(3)])] == [Part.DETECTOR]


def test_another_mode_need_not_end_in_a_level_3_product() -> None:
    products = [
        *exposures(NIRCAM, range(1, 4)),
        *products_3(1),
        *exposures(["nis"], range(1, 4), obsnum=2, mode="NIRISS/AMI"),
        *exposures(NIRCAM, range(1, 4), obsnum=3, suffixes=["uncal"]),
    ]
    assert lacking(products) == []


def test_a_combination_of_observations_is_told_by_its_association() -> None:
    stamp = "20260721t201156"
    products = [
        listed(f"jw01345-c100{number}_{stamp}_image{level}_00001_asn.json")
        for number in range(1, 4)
        for level in (2, 3)
    ]
    products += [listed(f"jw01345-c100{number}_t001_nircam_clear-f200w_i2d.fits") for number in (1, 2)]
    assert told(lacking(products)) == [("product", None, None, "c1003")]


def test_what_the_archive_listed_of_a_whole_observation_has_no_gap(reference: Path) -> None:
    with (reference / "real" / "products.csv").open(newline="") as stream:
        names = {
            row["productFilename"]: row for row in csv.DictReader(stream) if row["row_kind"] == "full_caom"
        }
    assert len(names) > 100
    assert lacking(listed(name, None, row["filters"] or None) for name, row in names.items()) == []


# Files


def known(name: str, *copies: Copy, **facts: object) -> Known:
    return Known(product=listed(name), copies=copies, **facts)  # type: ignore[arg-type]


def judged(*copies: Copy) -> tuple[Gap, ...]:
    return find_gaps(1345, [known(f"{key('nrcb1')}_rate.fits", *copies)])


def test_each_state_of_a_file_is_a_gap_with_its_reason_and_time() -> None:
    later = NOW + timedelta(hours=1)
    found = {
        copy.state: judged(copy)
        for copy in (
            Copy(state=FileState.WANTED, has_copy=False, reason="new"),
            Copy(state=FileState.STALE, reason="the archive has a newer revision"),
            Copy(state=FileState.WITHHELD, has_copy=False, reason="no token", next_at=later),
            Copy(state=FileState.FAILED, has_copy=False, reason="HTTP 503", next_at=later),
            Copy(state=FileState.GONE, reason="the archive no longer lists it"),
        )
    }
    facts = {state.value: (gap.kind.value, gap.reason, gap.queued) for state, (gap,) in found.items()}
    assert facts == {
        "wanted": ("wanted", "not fetched yet", True),
        "stale": ("stale", "the archive has a newer revision", True),
        "withheld": ("withheld", "no token", True),
        "failed": ("failed", "HTTP 503", True),
        "gone": ("gone", "the archive no longer lists it; the copy is kept", False),
    }
    lines = {state: summarise(gaps)[0].next for state, gaps in found.items()}
    assert lines[FileState.WITHHELD] == "released 2026-03-01T13:00:00Z"
    assert lines[FileState.FAILED] == "from 2026-03-01T13:00:00Z"
    assert lines[FileState.WANTED] == "at the next run"
    reason = f"the archive has a newer revision{space.BETWEEN}{space.waits_for_budget('20 GB')}"
    (waiting,) = judged(Copy(state=FileState.STALE, reason=reason))
    assert (waiting.reason, summarise([waiting])[0].next) == (reason, "on a later day")
    (lost,) = judged(Copy(state=FileState.GONE, has_copy=False))
    assert lost.reason == "no longer in the archive; no copy is here"


def test_what_is_here_dropped_kept_old_on_purpose_or_wanted_by_nobody_is_no_gap() -> None:
    assert judged(Copy(state=FileState.PRESENT)) == ()
    assert judged(Copy(state=FileState.STALE, keeps=True)) == ()
    assert judged(Copy(state=FileState.WANTED, has_copy=False, selected=False)) == ()
    assert judged(Copy(state=FileState.GONE, selected=False)) == ()


def test_a_damaged_copy_is_told_with_what_is_wrong_and_whether_it_is_being_mended() -> None:
    (found,) = judged(Copy(state=FileState.PRESENT, damage="5 of 9 bytes"))
    assert (found.kind, found.reason, found.queued) == (GapKind.DAMAGED, "5 of 9 bytes", False)
    assert summarise([found])[0].next == "verify --repair"
    (mended,) = judged(Copy(state=FileState.STALE, damage="5 of 9 bytes"))
    assert summarise([mended])[0].next == "at the next run"


def test_a_thousand_files_that_wait_for_the_same_are_one_gap() -> None:
    withheld = Copy(state=FileState.WITHHELD, has_copy=False, reason="no token")
    entries = [known(product.name.name, withheld) for product in exposures(MODULE_B, range(1, 101))]
    (gap,) = find_gaps(1345, entries)
    assert (gap.count, len(gap.names), gap.what) == (1500, 1500, "cal, rate, uncal")
    (line,) = summarise([gap])
    assert line.lacking == "1,500 files: cal, rate, uncal"
    assert len(line.names) == 3


def test_listed_selected_and_here_are_three_things() -> None:
    here = Copy(state=FileState.PRESENT)
    names = [f"{key('nis', number)}_rate.fits" for number in range(1, 5)]
    entries = [known(names[0], here), known(names[1], here), known(names[2], here), known(names[3])]
    (gap,) = find_gaps(1345, entries)
    assert (gap.kind, gap.names) == (GapKind.UNSELECTED, (names[3],))
    # Of what most are not selected, nothing is missed; nor is what was dropped, or is here all the same.
    assert find_gaps(1345, [known(names[0], here), *map(known, names[1:])]) == ()
    assert find_gaps(1345, [*entries[:3], known(names[3], dropped=True)]) == ()
    assert find_gaps(1345, [*entries[:3], known(names[3], replace(here, selected=False))]) == ()


def test_the_same_detector_of_many_exposures_is_one_line_and_each_is_a_gap() -> None:
    steps = [
        product for step in range(2, 7) for product in exposures(NIRCAM, (1, 2, 3), activity=f"0{step}101")
    ]
    gaps = find_gaps(1345, [Known(product=product) for product in without(steps, "_00002_nrcb3_")])
    assert len(gaps) == 5
    assert {gap.reason for gap in gaps} == {"the archive does not list it"}
    (line,) = summarise(gaps)
    assert (line.lacking, line.count) == ("nrcb3 of 5 exposures", 5)
    assert count_by_kind(gaps) == {GapKind.DETECTOR: 5}


# Observations


def planned(obs_id: str, target: str | None = "EGS", level: int = PLANNED) -> Observation:
    return Observation(obs_id=obs_id, obsid=1, proposal=1345, target_name=target, calib_level=level)


def test_what_is_planned_is_told_by_its_number_and_targets_until_it_is_executed() -> None:
    rows = [planned("jw01345081001_xxxxx_00001"), planned("jw01345081001_xxxxx_00002", "EGS-2")]
    (gap,) = find_gaps(1345, [], rows)
    assert (gap.kind, gap.obsnum, gap.what, gap.count) == (GapKind.PLANNED, 81, "EGS, EGS-2", 2)
    assert gap.names == tuple(row.obs_id for row in rows)
    assert find_gaps(1345, [], [*rows, planned("jw01345081001_02101_00001_nis", level=2)]) == ()
    assert find_gaps(1345, [known(f"{key('nis', obsnum=81)}_rate.fits")], rows) == ()


def test_an_observation_that_was_never_asked_for_its_products_is_told() -> None:
    row = planned("jw01345002001_02101_00001_nis", level=2)
    (gap,) = find_gaps(1345, [], [row], unlisted={row.obs_id})
    assert (gap.kind, gap.obsnum, gap.queued) == (GapKind.UNLISTED, 2, True)
    assert find_gaps(1345, [], [row]) == ()


def test_gaps_that_differ_in_little_keep_their_order_whatever_the_order_of_the_rows() -> None:
    bad = Copy(state=FileState.WANTED, damage="gone bad")
    queued = replace(bad, state=FileState.STALE)
    rows = [known(f"{key('nrca1')}_uncal.fits", bad), known(f"{key('nrcb3')}_uncal.fits", queued)]
    gaps = [gap for gap in find_gaps(1345, rows) if gap.kind is GapKind.DAMAGED]
    assert [gap.queued for gap in gaps] == [False, True]
    assert gaps == [gap for gap in find_gaps(1345, rows[::-1]) if gap.kind is GapKind.DAMAGED]


_COPIES = st.builds(
    Copy,
    state=st.sampled_from(FileState),
    selected=st.booleans(),
    has_copy=st.booleans(),
    reason=st.none() | st.sampled_from(["new", "no token", "<b>"]),
    next_at=st.none() | st.just(NOW),
    damage=st.none() | st.just("gone bad"),
    keeps=st.booleans(),
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["nrca1", "nrcb3"]),
            st.integers(1, 4),
            st.sampled_from([*CHAIN, "o001_crf"]),
            st.lists(_COPIES, max_size=2),
        ),
        max_size=12,
        unique_by=lambda entry: entry[:3],
    )
)
def test_nothing_is_counted_twice_or_lost_in_the_lines(
    entries: list[tuple[str, int, str, list[Copy]]],
) -> None:
    rows = [known(f"{key(entry[0], entry[1])}_{entry[2]}.fits", *entry[3]) for entry in entries]
    gaps = find_gaps(1345, rows)
    assert gaps == find_gaps(1345, rows[::-1])
    lines = summarise(gaps)
    assert sum(line.count for line in lines) == sum(gap.count for gap in gaps)
    counted = Counter(gap.kind for gap in gaps for _ in range(gap.count))
    assert count_by_kind(gaps) == counted
    missed = sum(
        copy.state not in (FileState.PRESENT, FileState.STALE, FileState.GONE)
        for row in rows
        for copy in row.copies
        if copy.selected and not (copy.damage and copy.has_copy)
    )
    states = (GapKind.WANTED, GapKind.WITHHELD, GapKind.FAILED)
    assert sum(counted[kind] for kind in states) == missed
