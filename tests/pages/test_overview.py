from __future__ import annotations

from jwstwatch.core.model import EXCLUSIVE, PLANNED
from jwstwatch.pages.bundles import arrange
from jwstwatch.pages.overview import summarise
from tests.pages.examples import make_exposure, make_observation, make_view

KEY = "jw01345001001_03101_00001_nrca1"


def lines_of(*observations, files=()):
    view = make_view(files, observations)
    return summarise(view, arrange(view).exposures)


def test_an_observation_has_one_line_with_what_its_rows_say():
    files = make_exposure(KEY, 0)
    lines = lines_of(
        make_observation(KEY, 1, t_min=59751.5),
        make_observation(KEY[:-1] + "2", 2, t_min=59751.4, filters="F200W"),
        files=files,
    )
    assert len(lines) == 1
    assert (lines[0].label, lines[0].obsnum) == ("1", 1)
    assert lines[0].targets == ("CEERS-EGS",)
    assert lines[0].filters == ("F115W", "F200W")
    assert lines[0].start == "2022-06-21T09:36Z"
    assert lines[0].exposures == 1
    assert lines[0].bytes_on_disk == sum(file.size for file in files)
    assert not lines[0].planned


def test_an_exposure_counts_once_however_many_detectors_and_products_state_its_time():
    (line,) = lines_of(
        make_observation("jw01345001001_03101_00001_nrca1", 1, t_exptime=100.0),
        make_observation("jw01345001001_03101_00001_nrca2", 2, t_exptime=101.0),
        make_observation("jw01345001001_03101_00002_nrca1", 3, t_exptime=50.0),
        make_observation("jw01345001001_03101_00003_nrca1", 4, t_exptime=None),
        make_observation("jw01345-o001_t021_nircam_clear-f115w", 5, t_exptime=151.0),
    )
    assert line.exposure_time == 151.0


def test_level_3_rows_that_share_a_start_count_once():
    (line,) = lines_of(
        make_observation("jw01345-o001_s000000001_nirspec_clear-prism", 1, t_exptime=15756.0),
        make_observation("jw01345-o001_s000000002_nirspec_clear-prism", 2, t_exptime=15756.0),
        make_observation("jw01345-o001_t001_miri_f770w", 3, t_exptime=2708.0, t_min=59752.0),
    )
    assert line.exposure_time == 15756.0 + 2708.0


def test_an_observation_without_data_is_planned_until_it_has_some():
    planned = make_observation("jw01345081001_02101_00001_nrca1", 1, calib_level=PLANNED, t_min=59999.0)
    (line,) = lines_of(planned)
    assert (line.planned, line.start, line.label) == (True, "", "81")
    taken = make_observation("jw01345081001_02101_00002_nrca1", 2)
    (line,) = lines_of(planned, taken)
    assert not line.planned


def test_exclusive_data_say_until_when():
    late = make_observation(KEY, 1, data_rights=EXCLUSIVE, t_obs_release=61465.5)
    (line,) = lines_of(make_observation(KEY[:-1] + "2", 2), late)
    assert line.exclusive_until == "2027-03-01"
    (line,) = lines_of(make_observation(KEY, 1))
    assert line.exclusive_until == ""


def test_lines_follow_the_observation_numbers_and_candidates_come_last():
    lines = lines_of(
        make_observation("jw01345-c1004_t001_nircam_clear-f115w", 1),
        make_observation("jw01345062001_03101_00001_nrs1", 2),
        make_observation("jw01345007001_03101_00001_nrs1", 3),
        files=make_exposure("jw01345100001_03101_00001_nrca1", 0),
    )
    assert [line.label for line in lines] == ["7", "62", "100", "c1004"]
    assert lines[2].exposures == 1
    assert lines[2].exposure_time is None
