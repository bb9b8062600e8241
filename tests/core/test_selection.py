"""What is kept, and why the rest is not; modes, detectors and file types as users write them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.filetypes import matching_filetype, normalise_filetypes
from jwstwatch.core.instruments import (
    INSTRUMENTS,
    OBSMODES,
    instrument_patterns,
    normalise_detectors,
    normalise_instruments,
)
from jwstwatch.core.model import ListingRow
from jwstwatch.core.products import Product, group
from jwstwatch.core.ranges import IntRange
from jwstwatch.core.selection import KEPT, Rules, judge, passing_rows, resolve_same_path, select

EXPOSURE = "jw01409003001_02101_00001_nrca1"
UNCAL = f"{EXPOSURE}_uncal.fits"
POOL = "jw01409_20251221t142913_pool.csv"
GUIDE_STAR = "jw01409003001_gs-fg_2022212062047_cal.fits"
CANDIDATE = "jw01409-c1001_t001_nircam_clear-f200w_i2d.fits"
MIRI = "jw01409003001_02101_00001_mirimage_rate.jpg"


def row(
    name: str, *, obs_id: str | None = None, obsid: int = 10, parent: int = 20, **facts: object
) -> ListingRow:
    own = name.rpartition("_")[0] if obs_id is None else obs_id
    return ListingRow(
        uri=f"mast:JWST/product/{name}", name=name, obs_id=own, obsid=obsid, parent_obsid=parent,
        **facts,  # type: ignore[arg-type]
    )  # fmt: skip


def product(name: str, *rows: ListingRow) -> Product:
    (found,) = group(rows or (row(name),), {})
    return found


def refused_by(found: Product, rules: Rules) -> str | None:
    verdict = judge(found, rules)
    assert verdict.kept == (verdict == KEPT)
    assert verdict.reason.endswith(".")
    return None if verdict.kept else verdict.rule


@pytest.mark.parametrize(
    ("name", "rules", "rule"),
    [
        (UNCAL, Rules(), None),
        (UNCAL, Rules(proposals={1409: frozenset()}), None),
        (UNCAL, Rules(proposals={1410: frozenset()}), "propID"),
        ("notes.txt", Rules(proposals={1410: frozenset()}), "propID"),
        (UNCAL, Rules(proposals={1409: {3, 103}}), None),
        (UNCAL, Rules(proposals={1409: {4, 103}}), "propID"),
        (UNCAL, Rules(proposals={1409: {3}, 1410: frozenset()}, obsnums={4}), None),
        (UNCAL, Rules(proposals={1409: {4}}, obsnums={3}), "propID"),
        (UNCAL, Rules(proposals={1409: frozenset()}, obsnums={3}), None),
        (UNCAL, Rules(proposals={1409: frozenset()}, obsnums={4}), "obsnums"),
        (UNCAL, Rules(obsnums={4}), "obsnums"),
        (CANDIDATE, Rules(obsnums={3}), "obsnums"),
        (CANDIDATE, Rules(proposals={1409: frozenset()}), None),
        (UNCAL, Rules(filetypes=("uncal",)), None),
        (UNCAL, Rules(filetypes=("rate", "jpg")), "filetypes"),
        (GUIDE_STAR, Rules(), "guidestars"),
        (GUIDE_STAR, Rules(guidestars=True), None),
        (GUIDE_STAR, Rules(guidestar_data_only=True), None),
        (GUIDE_STAR, Rules(guidestars=True, filetypes=("uncal",)), "filetypes"),
        (UNCAL, Rules(guidestars=True), None),
        (UNCAL, Rules(guidestar_data_only=True), "guidestar_data_only"),
        (UNCAL, Rules(sca={"a1", "a2"}), None),
        (UNCAL, Rules(sca={"NRCA1"}), None),
        (UNCAL, Rules(sca={"a2", "along"}), "sca"),
        (CANDIDATE, Rules(sca={"a1"}), "sca"),
        (UNCAL, Rules(instruments=("NIRCam",)), None),
        (MIRI, Rules(instruments=("nircam",)), "instrument"),
        (MIRI, Rules(instruments=("all",)), None),
        (POOL, Rules(instruments=("nircam",)), None),
        (GUIDE_STAR, Rules(instruments=("nircam",), guidestars=True), None),
    ],
)  # fmt: skip
def test_a_product_is_kept_or_refused_by_the_parameter_that_says_so(
    name: str, rules: Rules, rule: str | None
) -> None:
    assert refused_by(product(name), rules) == rule


def test_the_reason_is_a_sentence_that_names_what_was_asked_for() -> None:
    reasons = {
        judge(product(UNCAL), rules).reason
        for rules in (
            Rules(filetypes=("rate", "jpg")), Rules(proposals={1409: {4, 103}}), Rules(sca={"a5"}),
            Rules(obsid_list={1, 2, 3, 4, 5, 6, 7, 8}),
        )
    }  # fmt: skip

    assert reasons == {
        "Its file type _uncal.fits is not among filetypes: _rate.fits, .jpg.",
        "Its observation number 3 is not among propID: 4, 103.",
        "Its detector nrca1 is not among sca: nrcalong.",
        "Its obsID or parent_obsid 10, 20 is not among obsid_list: 1, 2, 3, 4, 5, 6 and 2 more.",
    }
    assert judge(product(CANDIDATE), Rules(sca={"a1"})).reason == (
        "It has no detector, and only nrca1 is asked for (sca)."
    )


def test_a_pool_is_kept_for_any_observation_that_lists_it() -> None:
    pool = product(
        POOL,
        row(POOL, obs_id="jw01409003001_02101_00001_nrca1"),
        row(POOL, obs_id="jw01409004001_02101_00001_nrca1", obsid=11),
    )

    assert pool.obsnum is None
    assert refused_by(pool, Rules(obsnums={4})) is None
    assert refused_by(pool, Rules(obsnums={5})) == "obsnums"


def test_a_guide_star_file_has_the_detector_of_the_observation_that_lists_it() -> None:
    found = product(GUIDE_STAR, row(GUIDE_STAR, obs_id="jw01409003001_03101_00002_guider1"))

    assert refused_by(found, Rules(guidestars=True, sca={"guider1"})) is None
    assert refused_by(found, Rules(guidestars=True, sca={"guider2"})) == "sca"


@pytest.mark.parametrize(
    ("rules", "rule"),
    [
        (Rules(calib_levels={2}), None),
        (Rules(calib_levels={3}), None),
        (Rules(calib_levels={1, 4}), "calib_levels"),
        (Rules(obsid_select=IntRange(10, 10)), None),
        (Rules(obsid_select=IntRange(29, None)), None),
        (Rules(obsid_select=IntRange(31, None)), "obsid_select"),
        (Rules(obsid_select=IntRange(None, 9)), "obsid_select"),
        (Rules(obsid_list={30, 99}), None),
        (Rules(obsid_list={99}), "obsid_list"),
        # Each of the two is met by a row, and by no row at the same time as the other.
        (Rules(calib_levels={2}, obsid_list={30}), "obsid_list"),
        (Rules(calib_levels={3}, obsid_list={30}), None),
        (Rules(calib_levels={3}, obsid_select=IntRange(20, 20)), "obsid_select"),
    ],
)
def test_one_row_that_fulfils_every_rule_about_rows_suffices(rules: Rules, rule: str | None) -> None:
    found = product(UNCAL, row(UNCAL, parent=20, calib_level=2), row(UNCAL, parent=30, calib_level=3))

    assert refused_by(found, rules) == rule
    assert bool(passing_rows(found, rules)) == (rule is None)


def test_a_row_without_a_calibration_level_is_in_none() -> None:
    assert judge(product(UNCAL), Rules(calib_levels={1})).reason == (
        "It has no calibration level, and only 1 is asked for (calib_levels)."
    )


names = st.sampled_from([UNCAL, POOL, GUIDE_STAR, CANDIDATE, MIRI, "notes.txt", f"{EXPOSURE}_uncal.jpg"])
rule_sets = st.builds(
    Rules,
    proposals=st.dictionaries(st.integers(1408, 1410), st.frozensets(st.integers(2, 4)), max_size=2),
    obsnums=st.frozensets(st.integers(2, 4), max_size=2),
    filetypes=st.lists(st.sampled_from(["uncal", "jpg", "fits", "_cal.fits"]), max_size=3),
    guidestars=st.booleans(),
    guidestar_data_only=st.booleans(),
    sca=st.frozensets(st.sampled_from(["a1", "mirimage"])),
    calib_levels=st.frozensets(st.integers(1, 3), max_size=2),
)


@given(st.lists(names, unique=True), rule_sets)
def test_every_product_is_either_kept_or_skipped_with_the_verdict_of_its_own(
    chosen: list[str], rules: Rules
) -> None:
    products = [
        product(name, row(name, calib_level=1), row(name, parent=21, calib_level=2)) for name in chosen
    ]

    selection = select(products, rules)

    assert sorted(
        found.name for found in (*selection.kept, *(found for found, _ in selection.skipped))
    ) == sorted(chosen)
    assert all(judge(found, rules) == KEPT for found in selection.kept)
    assert all(judge(found, rules) == verdict for found, verdict in selection.skipped)


@given(names, rule_sets)
def test_no_rule_depends_on_the_order_of_the_rows(name: str, rules: Rules) -> None:
    found = product(name, row(name, calib_level=1), row(name, parent=21, calib_level=2))

    assert judge(replace(found, rows=found.rows[::-1]), rules) == judge(found, rules)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["uncal"], ("_uncal.fits",)),
        (["UNCAL", "_uncal.fits", " uncal "], ("_uncal.fits",)),
        (["fits", "jpg"], (".fits", ".jpg")),
        ([".jpg"], (".jpg",)),
        (["_rate.jpg", "asn.json"], ("_rate.jpg", "_asn.json")),
        (["_uncal"], ("_uncal.fits",)),
        (["i2d", "ami-oi", "wfscmb-01"], ("_i2d.fits", "_ami-oi.fits", "_wfscmb-01.fits")),
        (["_cat.ecsv", "pool.csv"], ("_cat.ecsv", "_pool.csv")),
        ([], ()),
        ([""], ()),
    ],
)
def test_file_types_are_understood_as_users_write_them(words: list[str], expected: tuple[str, ...]) -> None:
    assert normalise_filetypes(words) == expected
    assert normalise_filetypes(expected) == expected


@pytest.mark.parametrize(
    ("name", "word", "matches"),
    [
        (UNCAL, "uncal", True),
        (UNCAL, "cal", False),
        (f"{EXPOSURE}_cal.fits", "uncal", False),
        (f"{EXPOSURE}_UNCAL.FITS", "uncal", True),
        (UNCAL, "fits", True),
        (MIRI, "jpg", True),
        (MIRI, "rate", False),
        ("jw01409-o003_t001_nircam_clear-f200w_i2d_thumb.jpg", "_thumb.jpg", True),
        ("jw01409-o003_t001_nircam_clear-f200w_i2d_thumb.jpg", "_i2d_thumb.jpg", True),
        ("jw01409-o003_t001_nircam_clear-f200w_i2d_thumb.jpg", "_i2d.jpg", False),
        ("jw01409-o003_t001_niriss_nrm-f480m_ami-oi.fits", "ami-oi", True),
        ("jw01409-o003_t001_niriss_nrm-f480m_amimulti-oi.fits", "ami-oi", False),
        ("jw01409-o003_t001_nircam_f212n_wfscmb-01.fits", "wfscmb-01", True),
        ("jw01409-o003_20251221t142913_image2_00005_asn.json", "asn.json", True),
        ("x_uncal.fits.gz", "uncal", False),
        (f"{UNCAL}_x.jpg", "uncal", False),
    ],
)
def test_a_file_type_is_anchored_at_the_end_of_the_name(name: str, word: str, matches: bool) -> None:
    assert (matching_filetype(name, normalise_filetypes([word])) is not None) is matches


def test_overlapping_file_types_keep_a_file_once() -> None:
    selection = select([product(UNCAL)], Rules(filetypes=("uncal", "fits", "_uncal.fits")))

    assert len(selection.kept) == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a1", "b4"], {"nrca1", "nrcb4"}),
        (["a5", "along", "NRCALONG", "nrca5"], {"nrcalong"}),
        (["b5", "blong"], {"nrcblong"}),
        (["nrs1", "NIS", "mirimage", "mirifulong", "mirifushort", "guider1", "Guider2"],
         {"nrs1", "nis", "mirimage", "mirifulong", "mirifushort", "guider1", "guider2"}),
        ([], set()),
    ],
)  # fmt: skip
def test_detectors_are_understood_as_users_write_them(words: list[str], expected: set[str]) -> None:
    assert normalise_detectors(words) == expected
    assert normalise_detectors(expected) == expected


@pytest.mark.parametrize(("word", "suggestion"), [("mirimge", "mirimage"), ("a6", "a"), ("", "known are")])
def test_a_word_that_is_no_detector_is_named(word: str, suggestion: str) -> None:
    with pytest.raises(ValueError, match=f"{word!r} is no detector.*{suggestion}"):
        normalise_detectors([word])


def test_instruments_are_named_in_any_case_and_all_means_all() -> None:
    assert normalise_instruments(["NIRCam", "nircam", "fgs"]) == ("nircam", "fgs")
    assert normalise_instruments(["miri", "all"]) == INSTRUMENTS
    with pytest.raises(ValueError, match=r"'nircm' is no instrument of JWST \(did you mean 'nircam'\?\)"):
        normalise_instruments(["nircm"])


def test_without_modes_the_archive_is_asked_for_every_one() -> None:
    assert instrument_patterns(["nircam"]) == (("NIRCAM*",), ())
    assert instrument_patterns(["all"])[0] == ("NIRCAM*", "NIRSPEC*", "NIRISS*", "MIRI*", "FGS*")


def test_modes_narrow_what_the_archive_is_asked_for() -> None:
    patterns, warnings = instrument_patterns(["nircam"], ["image", "CORON", "Image"])

    assert patterns == ("NIRCAM/IMAGE*", "NIRCAM/CORON*")
    assert warnings == ()


@pytest.mark.parametrize(
    ("instrument", "mode", "home"), [("nircam", "wfss", "NIRCAM/GRISM"), ("nirspec", "bots", "NIRSPEC/SLIT")]
)
def test_a_mode_in_no_listing_is_warned_about_and_asked_for_all_the_same(
    instrument: str, mode: str, home: str
) -> None:
    patterns, (warning,) = instrument_patterns([instrument], [mode])

    assert patterns == (f"{instrument}/{mode}*".upper(),)
    assert home in warning


def test_niriss_has_wfss_in_the_listings() -> None:
    assert instrument_patterns(["niriss"], ["wfss"]) == (("NIRISS/WFSS*",), ())


def test_an_invalid_mode_is_named_with_the_valid_ones_and_ignored() -> None:
    patterns, (warning,) = instrument_patterns(["miri"], ["image", "soss"])

    assert patterns == ("MIRI/IMAGE*",)
    assert "SOSS is no mode of MIRI" in warning
    assert all(mode in warning for mode in OBSMODES["miri"])


def test_where_every_mode_is_invalid_every_mode_is_asked_for() -> None:
    patterns, warnings = instrument_patterns(["fgs"], ["image", "x"])

    assert patterns == ("FGS*",)
    assert len(warnings) == 3


def test_fgs_has_its_two_guiders_as_modes() -> None:
    assert instrument_patterns(["fgs"], ["fgs1", "FGS2"]) == (("FGS/FGS1*", "FGS/FGS2*"), ())


def test_slit_does_not_bring_slitless() -> None:
    assert instrument_patterns(["miri"], ["slit", "slitless"])[0] == ("MIRI/SLIT", "MIRI/SLITLESS*")
    assert instrument_patterns(["nirspec"], ["slit"])[0] == ("NIRSPEC/SLIT*",)


def test_of_several_instruments_one_without_the_mode_is_left_out_with_a_warning() -> None:
    patterns, (warning,) = instrument_patterns(["nircam", "fgs"], ["image"])

    assert patterns == ("NIRCAM/IMAGE*",)
    assert warning.startswith("FGS has none of the modes IMAGE and is left out")


@given(
    st.lists(st.sampled_from(INSTRUMENTS), min_size=1),
    st.lists(st.sampled_from(["image", "slit", "wfss", "fgs1", "nonsense", " ", "BOTS"])),
)
def test_some_pattern_is_always_asked_for_and_none_twice(instruments: list[str], modes: list[str]) -> None:
    patterns, _ = instrument_patterns(instruments, modes)

    assert patterns
    assert len(set(patterns)) == len(patterns)


def test_of_two_uris_for_one_file_the_one_in_its_place_wins() -> None:
    proper = product(UNCAL)
    stray = replace(proper, uri=f"mast:JWST/other/{UNCAL}")
    other = product(MIRI)

    for order in ([proper, stray, other], [stray, other, proper]):
        selection = resolve_same_path(order)
        assert set(selection.kept) == {proper, other}
        ((loser, verdict),) = selection.skipped
        assert loser == stray
        assert verdict.reason == f"{proper.uri} leads to the same file {UNCAL}."


def test_of_two_stray_uris_the_order_of_listing_decides_nothing() -> None:
    strays = [replace(product(UNCAL), uri=f"mast:JWST/{place}/{UNCAL}") for place in "ba"]

    assert {resolve_same_path(order).kept[0].uri for order in (strays, strays[::-1])} == {
        f"mast:JWST/a/{UNCAL}"
    }


def test_files_of_one_name_in_two_folders_both_stay_where_paths_are_given() -> None:
    one, other = (
        product("notes.txt", row("notes.txt", proposal=1)),
        product("notes.txt", row("notes.txt", proposal=2)),
    )

    selection = resolve_same_path([one, other], lambda found: f"{found.proposal}/{found.name}")

    assert selection.kept == (one, other)
