from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jwstwatch.core.model import FileState
from jwstwatch.pages.bundles import arrange
from tests.pages import examples
from tests.pages.examples import make_exposure, make_file

KEY = "jw01345001001_03101_00001_nrca1"


def arrange_files(*files, observations=()):
    return arrange(files, observations)


def test_every_file_of_a_proposal_has_exactly_one_place():
    view = examples.make_ceers(1)
    files = arrange_files(*view.files)
    placed = [
        file
        for group in (files.exposures, files.products, files.guide_stars, files.others)
        for row in group
        for file in row.files
    ]
    assert sorted(file.name for file in placed) == sorted(file.name for file in view.files)


def test_an_exposure_has_a_row_for_each_detector_and_segment_even_without_its_uncal():
    files = arrange_files(
        make_file(f"{KEY}_rate.fits"),
        make_file(f"{KEY}_rate.jpg"),
        make_file(f"{KEY}_o001_crf.fits"),
        make_file("jw01345001001_03101_00001_nrca2_cal.fits"),
        make_file("jw01345001001_03101_00001-seg001_nrs1_uncal.fits"),
        make_file("jw01345001001_03101_00001-seg002_nrs1_uncal.fits"),
    )
    assert [(row.key, row.labels) for row in files.exposures] == [
        ("jw01345001001_03101_00001-seg001_nrs1", ("uncal",)),
        ("jw01345001001_03101_00001-seg002_nrs1", ("uncal",)),
        (KEY, ("rate", "o001_crf", "rate.jpg")),
        ("jw01345001001_03101_00001_nrca2", ("cal",)),
    ]


def test_the_file_that_stands_for_a_row_is_the_uncal_unless_only_another_is_on_disk():
    uncal, rate = make_file(f"{KEY}_uncal.fits"), make_file(f"{KEY}_rate.fits")
    assert arrange_files(rate, uncal).exposures[0].leading == uncal
    wanted = replace(uncal, state=FileState.WANTED)
    assert arrange_files(wanted, rate).exposures[0].leading == rate
    assert arrange_files(wanted, replace(rate, state=FileState.FAILED)).exposures[0].leading == wanted


def test_keywords_are_those_of_the_rate_then_the_cal_then_the_uncal_then_any():
    def file(suffix, **keywords):
        return make_file(f"{KEY}_{suffix}.fits", keywords=keywords)

    files = (
        file("crf", A="crf", B="crf", C="crf", D="crf", E="crf"),
        file("uncal", A="uncal", B="uncal", C="uncal", D=None),
        file("cal", A="cal", B="cal"),
        file("rate", A="rate", B=None),
    )
    expected = {"A": "rate", "B": "cal", "C": "uncal", "D": "crf", "E": "crf"}
    assert arrange_files(*files).exposures[0].keywords == expected
    assert arrange_files(*reversed(files)).exposures[0].keywords == expected


def test_a_level_3_product_gathers_its_files_and_previews():
    root = "jw01345-o001_t021_nircam_clear-f115w"
    names = [
        f"{root}_i2d.fits",
        f"{root}_i2d.jpg",
        f"{root}_i2d_thumb.jpg",
        f"{root}_segm.fits",
        f"{root}_cat.ecsv",
    ]
    files = arrange_files(*map(make_file, names))
    assert [row.key for row in files.products] == [root]
    assert {file.name for file in files.products[0].files} == set(names)
    assert files.products[0].obsnum == 1


def test_a_row_knows_its_observation_by_name_and_else_by_number():
    exposure = examples.make_observation(KEY, 1)
    parent = examples.make_observation("jw01345-o001_t021_nircam_clear-f115w", 2)
    file = make_file(f"{KEY}_uncal.fits", obsid=7, parent_obsid=2)
    assert arrange_files(file, observations=(parent, exposure)).exposures[0].observation == exposure
    assert arrange_files(file, observations=(parent,)).exposures[0].observation == parent
    assert arrange_files(file).exposures[0].observation is None


def test_a_name_outside_the_grammar_is_among_the_others():
    odd = make_file("jw01345_odd name;rm -rf.fits")
    (row,) = arrange_files(odd).others
    assert (row.key, row.files, row.labels) == (odd.name, (odd,), (odd.name,))


def test_the_recorded_names_all_find_a_place(reference: Path):
    names = (reference / "real" / "filenames.csv").read_text().splitlines()[1:]
    files = [make_file(name.partition(",")[0]) for name in names]
    placed = arrange_files(*files)
    bundles = (*placed.exposures, *placed.products, *placed.guide_stars)
    bundles = (*bundles, *placed.others)
    assert sum(len(bundle.files) for bundle in bundles) == len(files)
    assert all(bundle.key and len(set(bundle.labels)) == len(bundle.labels) for bundle in bundles)
    assert len(placed.others) < 60  # associations, the pool, MSA files


def test_exposures_with_several_detectors_keep_their_files_apart():
    files = arrange_files(*make_exposure(KEY, 1), *make_exposure(KEY.replace("nrca1", "nrcalong"), 2))
    assert [len(row.files) for row in files.exposures] == [6, 6]
