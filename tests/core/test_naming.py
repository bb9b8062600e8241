"""JWST file names: every form is read into its parts and written again, whatever comes is survived."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.instruments import DETECTORS, INSTRUMENTS
from jwstwatch.core.naming import Form, ProductName, format_name, parse, parse_obs_id

# Every form of the naming page with what the name says, from names that the archive has.
KNOWN: list[tuple[str, Form, dict[str, object]]] = [
    (
        "jw05224004001_02101_00002_nrs2_uncal.fits",
        Form.EXPOSURE,
        {
            "proposal": 5224, "obsnum": 4, "visit": 1, "visit_group": "02", "parallel": 1, "activity": "01",
            "exposure": 2, "segment": None, "detector": "nrs2", "candidate": None, "instrument": "nirspec",
            "suffix": "uncal", "extension": "fits", "filetype": "_uncal.fits", "is_guide_star": False,
            "exposure_key": "jw05224004001_02101_00002_nrs2",
        },
    ),
    (
        "jw01386002001_0310a_00001_nrcalong_calints.fits",
        Form.EXPOSURE,
        {"activity": "0a", "detector": "nrcalong", "instrument": "nircam"},
    ),
    (
        "jw01410001001_02101_00001_guider1_uncal.fits",
        Form.EXPOSURE,
        {"detector": "guider1", "instrument": "fgs", "is_guide_star": False},
    ),
    (
        "jw02734002001_04101_00001-seg003_nis_uncal.fits",
        Form.SEGMENT,
        {"segment": 3, "detector": "nis", "exposure_key": "jw02734002001_04101_00001-seg003_nis"},
    ),
    (
        "jw02732004001_02105_00001_mirimage_a3001_crf.fits",
        Form.STAGE3_EXPOSURE,
        {
            "candidate": "a3001", "obsnum": 4, "suffix": "crf", "filetype": "_crf.fits",
            "exposure_key": "jw02732004001_02105_00001_mirimage",
        },
    ),
    (
        "jw01029001001_gs-id_1_stacked_uncal.fits",
        Form.GUIDE_STAR_ID,
        {
            "guide_function": "id", "attempt": "1", "guide_mode": "stacked", "detector": None, "obsnum": 1,
            "instrument": "fgs", "is_guide_star": True, "exposure_key": None,
        },
    ),
    (
        "jw01366003001_gs-fg_2022212062047-seg001_cal.fits",
        Form.GUIDE_STAR_TIMED,
        {"guide_function": "fg", "stamp": "2022212062047", "segment": 1, "is_guide_star": True},
    ),
    (
        "jw02780-c1014_t001_nircam_f444w-maskrnd-sub320a335r_i2d.fits",
        Form.TARGET,
        {
            "obsnum": None, "visit": None, "candidate": "c1014", "target": "t001", "instrument": "nircam",
            "optical": "f444w-maskrnd-sub320a335r", "suffix": "i2d", "detector": None,
        },
    ),
    ("jw02733-o001_t001_nircam_f444w-f470n_i2d.fits", Form.TARGET, {"obsnum": 1, "candidate": "o001"}),
    (
        "jw02731-o001_t017_nircam_clear-f090w_i2d_thumb.jpg",
        Form.TARGET,
        {"suffix": "i2d", "thumbnail": True, "extension": "jpg", "filetype": "_thumb.jpg"},
    ),
    ("jw01093-c1002_t005-epoch2_niriss_nrm-f480m_ami-oi.fits", Form.TARGET, {"epoch": 2, "suffix": "ami-oi"}),
    ("jw01165-o009_t001_nircam_f212n_wfscmb-01.fits", Form.TARGET, {"filetype": "_wfscmb-01.fits"}),
    ("jw05224-o004_s000277193_nirspec_clear-prism_x1d.png", Form.SOURCE, {"source": "s000277193"}),
    ("jw02736-o007_s06355_nirspec_f290lp-g395m_s2d.fits", Form.SOURCE, {"source": "s06355", "obsnum": 7}),
    (
        "jw01024-o001_20220501t155404_image3_001_asn.json",
        Form.ASSOCIATION,
        {
            "stamp": "20220501t155404", "association_type": "image3", "counter": "001", "obsnum": 1,
            "logical_name": "jw01024-o001_image3_001_asn.json", "filetype": "_asn.json",
        },
    ),
    (
        "jw05224_20251221t142913_pool.csv",
        Form.POOL,
        {"proposal": 5224, "obsnum": None, "logical_name": "jw05224_pool.csv"},
    ),
    ("jw05224004001_01_msa.fits", Form.MSA, {"msa_number": 1, "obsnum": 4, "visit": 1, "suffix": "msa"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "form", "facts"), KNOWN, ids=[name for name, _, _ in KNOWN])
def test_a_name_tells_its_parts(name: str, form: Form, facts: dict[str, object]) -> None:
    parsed = parse(name)

    assert parsed.form is form
    assert {fact: getattr(parsed, fact) for fact in facts} == facts
    assert format_name(parsed) == name


CSV_FORMS = {
    "exposure": Form.EXPOSURE,
    "exposure_seg": Form.SEGMENT,
    "exposure_stage3 (2c)": Form.STAGE3_EXPOSURE,
    "guidestar_time": Form.GUIDE_STAR_TIMED,
    "stage3_target": Form.TARGET,
    "stage3_source": Form.SOURCE,
    "association": Form.ASSOCIATION,
    "pool": Form.POOL,
    "msa": Form.MSA,
}


def test_every_recorded_name_has_the_form_that_was_recorded(reference: Path) -> None:
    with (reference / "real" / "filenames.csv").open(newline="") as stream:
        recorded = {row["filename"]: CSV_FORMS[row["form"]] for row in csv.DictReader(stream)}

    assert len(recorded) > 2000
    assert {name: parse(name).form for name in recorded} == recorded
    assert [name for name in recorded if format_name(parse(name)) != name] == []


def test_every_recorded_product_is_read_as_its_row_says(reference: Path) -> None:
    with (reference / "real" / "products.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))

    assert len(rows) > 1000
    for row in rows:
        name = row["productFilename"]
        parsed = parse(name)
        assert parsed.form is not Form.OPAQUE, name
        assert format_name(parsed) == name
        if row["proposal_id"]:
            assert parsed.proposal == int(row["proposal_id"]), name
        if row["detector"] and not parsed.is_guide_star:
            assert parsed.detector == row["detector"], name
        # The recorded file type of a guide-star file and of a thumbnail is written otherwise.
        if not parsed.is_guide_star and not parsed.thumbnail:
            assert parsed.filetype == row["filetype"], name


def test_every_recorded_observation_tells_its_proposal_and_number(reference: Path) -> None:
    for file in ("observations_full.csv", "observations_level3_images.csv"):
        with (reference / "real" / file).open(newline="") as stream:
            for row in csv.DictReader(stream):
                parsed = parse_obs_id(row["obs_id"])
                assert parsed.proposal == int(row["proposal_id"]), row["obs_id"]
                candidate = row["obs_id"].partition("-")[2].partition("_")[0]
                if candidate.startswith("o"):
                    assert parsed.obsnum == int(candidate[1:])
                elif candidate:
                    assert parsed.obsnum is None
                else:
                    assert parsed.obsnum == int(row["obs_id"][7:10])


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=count, max_size=count)


def text(*parts: st.SearchStrategy[str] | str) -> st.SearchStrategy[str]:
    return st.tuples(*(st.just(part) if isinstance(part, str) else part for part in parts)).map("".join)


words = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,2}", fullmatch=True)
detectors = st.sampled_from([name for names in DETECTORS.values() for name in names])
candidates = text(st.just("o"), digits(3)) | text(st.sampled_from("car"), digits(4))
visits = text("jw", digits(5), digits(3), digits(3))
exposures = text(
    visits, "_", digits(2), st.sampled_from("12345"), st.from_regex(r"[0-9a-z]{2}", fullmatch=True),
    "_", digits(5),
)  # fmt: skip
segments = text("-seg", digits(3))
optional_segments = st.just("") | segments
epochs = st.just("") | text("-epoch", digits(1))
optics = text("_", st.sampled_from(INSTRUMENTS), "_", words)
programs = text("jw", digits(5))
stamps = text("_", digits(8), "t", digits(6))
extensions = st.sampled_from(["fits", "jpg", "png", "json", "csv", "ecsv", "fits.gz"])
endings = text("_", words, st.sampled_from(["", "_thumb"]), ".", extensions)

HEADS = {
    Form.EXPOSURE: text(exposures, "_", detectors),
    Form.SEGMENT: text(exposures, segments, "_", detectors),
    Form.STAGE3_EXPOSURE: text(exposures, optional_segments, "_", detectors, "_", candidates),
    Form.GUIDE_STAR_ID: text(
        visits, "_gs-id_", digits(1) | digits(3), "_", st.sampled_from(["image", "stacked"])
    ),
    Form.GUIDE_STAR_TIMED: text(
        visits, "_gs-", st.sampled_from(["acq1", "acq2", "track", "fg"]), "_", digits(13), optional_segments
    ),
    Form.TARGET: text(programs, "-", candidates, "_t", digits(3), epochs, optics),
    Form.SOURCE: text(
        programs, "-", candidates, "_", st.sampled_from("sbv"), digits(5) | digits(9), epochs, optics
    ),
}  # fmt: skip
NAMES = {form: text(head, endings) for form, head in HEADS.items()} | {
    Form.ASSOCIATION: text(
        programs, "-", candidates, stamps, "_", words, "_", digits(3) | digits(5), "_asn.", extensions
    ),
    Form.POOL: text(programs, stamps, "_pool.", extensions),
    Form.MSA: text(visits, "_", digits(2), "_msa.", extensions),
}


def pairs(
    strategies: dict[Form, st.SearchStrategy[str]],
) -> st.SearchStrategy[tuple[Form, str]]:
    return st.one_of([st.tuples(st.just(form), names) for form, names in strategies.items()])


@given(pairs(NAMES))
def test_every_name_of_the_grammar_has_its_form_and_is_written_again_from_its_parts(
    pair: tuple[Form, str],
) -> None:
    form, name = pair
    parsed = parse(name)

    # A suffix that looks like a candidate, before _thumb, is the one place where the grammar is ambiguous.
    ambiguous = form in (Form.EXPOSURE, Form.SEGMENT) and parsed.suffix == "thumb"
    assert parsed.form is form or ambiguous
    assert format_name(replace(parsed, name="")) == name
    assert parsed.proposal == int(name[2:7])


@given(pairs(HEADS))
def test_every_observation_identifier_is_read_like_a_name_without_its_ending(pair: tuple[Form, str]) -> None:
    form, obs_id = pair
    parsed = parse_obs_id(obs_id)
    named = parse(f"{obs_id}_cal.fits")

    assert parsed.form is form
    assert format_name(parsed) == obs_id
    assert replace(named, name="", suffix=None, extension=None) == replace(parsed, name="")


@given(st.text() | st.text("jw0123456789_-.tocars", max_size=60) | st.from_regex(r"jw\d{0,12}.*"))
def test_no_text_is_an_error_and_an_unreadable_one_is_kept_as_it_is(name: str) -> None:
    for parsed in (parse(name), parse_obs_id(name)):
        assert parsed.name == name
        assert name.endswith(parsed.filetype)
        if parsed.form is Form.OPAQUE:
            assert format_name(parsed) == name
            assert parsed.logical_name == name
            assert parsed.exposure_key is None


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        (
            "jw05224004001_gs-id_1_image-uncal.fits",
            {"proposal": 5224, "obsnum": 4, "visit": 1, "instrument": "fgs"},
        ),
        ("jw05224-c1001_something.fits", {"proposal": 5224, "obsnum": None, "candidate": "c1001"}),
        ("jw05224-o012_something_else_jw.fits", {"proposal": 5224, "obsnum": 12}),
        ("jw05224_report.pdf", {"proposal": 5224, "obsnum": None, "filetype": "_report.pdf"}),
        ("jw05224004001_02101_00002_nrca5_uncal.fits", {"proposal": 5224, "obsnum": 4, "detector": None}),
        ("jw05224004001_02101_00002_nrs2_UNCAL.fits", {"obsnum": 4, "detector": "nrs2"}),
        ("jw0522٤004001_02101_00002_nrs2_uncal.fits", {"proposal": None, "obsnum": None}),
        ("readme.txt", {"proposal": None, "filetype": "readme.txt"}),
        ("hst_9999_acs.fits", {"proposal": None}),
        ("jw05224004001_02101_00002_nrs2_uncal.fits\n", {"proposal": 5224}),
        ("", {"proposal": None, "filetype": ""}),
    ],
)
def test_an_unreadable_name_still_tells_what_its_beginning_says(name: str, facts: dict[str, object]) -> None:
    parsed = parse(name)

    assert parsed.form is Form.OPAQUE
    assert {fact: getattr(parsed, fact) for fact in facts} == facts


@pytest.mark.parametrize(
    ("obs_id", "facts"),
    [
        ("jw01534001001_03101_00002_guider1", {"obsnum": 1, "visit": 1, "detector": "guider1"}),
        # Exposures without detector, and planned ones whose activity is not known yet.
        ("jw01979002001_02101_00003", {"proposal": 1979, "obsnum": 2, "visit": 1, "detector": None}),
        ("jw02079004004_xx10b_00001_nircam", {"obsnum": 4, "visit": 4, "instrument": "nircam"}),
        ("jw05224-c1001_t001_miri_f770w", {"obsnum": None, "candidate": "c1001", "instrument": "miri"}),
    ],
)
def test_an_observation_identifier_tells_number_visit_and_detector(
    obs_id: str, facts: dict[str, object]
) -> None:
    parsed = parse_obs_id(obs_id)

    assert {fact: getattr(parsed, fact) for fact in facts} == facts


def test_files_of_one_exposure_and_detector_share_a_key_and_others_do_not() -> None:
    head = "jw02733002001_02103_00001"
    same = [f"{head}_mirimage_{end}" for end in ("uncal.fits", "rate.jpg", "o002_crf.fits", "cal_thumb.jpg")]
    other = [f"{head}_mirifulong_uncal.fits", f"{head}-seg001_mirimage_uncal.fits"]

    assert {parse(name).exposure_key for name in same} == {f"{head}_mirimage"}
    assert not {parse(name).exposure_key for name in other} & {f"{head}_mirimage"}


@given(pairs({form: NAMES[form] for form in (Form.ASSOCIATION, Form.POOL)}), stamps)
def test_the_logical_name_forgets_the_time_stamp_and_nothing_else(pair: tuple[Form, str], other: str) -> None:
    parsed = parse(pair[1])
    later = parse(format_name(replace(parsed, stamp=other[1:])))

    assert later.logical_name == parsed.logical_name
    assert later.form is parsed.form
    assert format_name(parsed).replace(f"_{parsed.stamp}", "", 1) == parsed.logical_name


def test_a_product_name_is_a_value() -> None:
    assert parse("jw05224_20251221t142913_pool.csv") == parse("jw05224_20251221t142913_pool.csv")
    with pytest.raises(AttributeError):
        parse("x.fits").proposal = 1  # type: ignore[misc]
    assert not hasattr(ProductName(name="x", form=Form.OPAQUE), "__dict__")
