from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from jwstwatch.core.lines import line_from_json, line_to_json
from jwstwatch.core.model import EXCLUSIVE, PLANNED, FileState
from jwstwatch.core.site import PartPicture, SectionSize
from jwstwatch.pages.bundles import arrange
from jwstwatch.pages.overview import summarise
from tests.pages.examples import give_quicklook, make_exposure, make_file, make_observation, make_part

KEY = "jw01345001001_03101_00001_nrca1"


def line_of(*observations, files=(), obsnum=1):
    view = make_part(files, observations, obsnum=obsnum)
    return summarise(view, arrange(view.files, view.observations), sections=(), plain_pages=1)


def test_an_observation_has_one_line_with_what_its_rows_say():
    files = make_exposure(KEY, 0)
    line = line_of(
        make_observation(KEY, 1, t_min=59751.5),
        make_observation(KEY[:-1] + "2", 2, t_min=59751.4, filters="F200W"),
        files=files,
    )
    assert (line.label, line.obsnum) == ("1", 1)
    assert line.targets == ("CEERS-EGS",)
    assert line.filters == ("F115W", "F200W")
    assert line.start == "2022-06-21T09:36Z"
    assert line.exposures == 1
    assert line.bytes_on_disk == sum(file.size for file in files)
    assert not line.planned


def test_an_exposure_counts_once_however_many_detectors_and_products_state_its_time():
    line = line_of(
        make_observation("jw01345001001_03101_00001_nrca1", 1, t_exptime=100.0),
        make_observation("jw01345001001_03101_00001_nrca2", 2, t_exptime=101.0),
        make_observation("jw01345001001_03101_00002_nrca1", 3, t_exptime=50.0),
        make_observation("jw01345001001_03101_00003_nrca1", 4, t_exptime=None),
        make_observation("jw01345-o001_t021_nircam_clear-f115w", 5, t_exptime=151.0),
    )
    assert line.exposure_time == 151.0


def test_level_3_rows_that_share_a_start_count_once():
    line = line_of(
        make_observation("jw01345-o001_s000000001_nirspec_clear-prism", 1, t_exptime=15756.0),
        make_observation("jw01345-o001_s000000002_nirspec_clear-prism", 2, t_exptime=15756.0),
        make_observation("jw01345-o001_t001_miri_f770w", 3, t_exptime=2708.0, t_min=59752.0),
    )
    assert line.exposure_time == 15756.0 + 2708.0


def test_an_observation_without_data_is_planned_until_it_has_some():
    planned = make_observation("jw01345081001_02101_00001_nrca1", 1, calib_level=PLANNED, t_min=59999.0)
    line = line_of(planned, obsnum=81)
    assert (line.planned, line.start, line.label) == (True, "", "81")
    taken = make_observation("jw01345081001_02101_00002_nrca1", 2)
    line = line_of(planned, taken)
    assert not line.planned


def test_exclusive_data_say_until_when():
    late = make_observation(KEY, 1, data_rights=EXCLUSIVE, t_obs_release=61465.5)
    line = line_of(make_observation(KEY[:-1] + "2", 2), late)
    assert line.exclusive_until == "2027-03-01"
    line = line_of(make_observation(KEY, 1))
    assert line.exclusive_until == ""


def test_a_line_says_when_an_observation_began_and_ended_and_with_which_detectors():
    line = line_of(
        make_observation(KEY, 1, t_min=59751.5, t_max=59751.6),
        make_observation(KEY[:-1] + "2", 2, t_min=59751.4, t_max=59751.7),
        files=[*make_exposure(KEY, 0), *make_exposure(KEY.replace("nrca1", "nrcblong"), 1)],
    )
    assert (line.start, line.end) == ("2022-06-21T09:36Z", "2022-06-21T16:48Z")
    assert line.detectors == ("nrca1", "nrcblong")


def test_a_line_counts_the_states_and_tells_the_last_arrival():
    early, late = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    files = [
        make_file(f"{KEY}_uncal.fits", changed_at=early),
        make_file(f"{KEY}_rate.fits", changed_at=late, state=FileState.STALE),
        make_file(f"{KEY}_cal.fits", changed_at=late + timedelta(days=1), state=FileState.WANTED),
    ]
    line = line_of(files=files)
    assert line.counts == {FileState.PRESENT: 1, FileState.STALE: 1, FileState.WANTED: 1}
    assert line.last_arrival == late
    assert line_of().last_arrival is None


def test_the_picture_of_a_line_is_a_level_3_products_and_else_an_exposures():
    exposure = [make_file(f"{KEY}_uncal.fits"), give_quicklook(make_file(f"{KEY}_rate.fits"))]
    product = make_exposure("jw01345-o001_t021_nircam_clear-f115w", 0, types=["i2d"])
    picture = line_of(files=[*exposure, *product]).picture
    assert picture == PartPicture(
        thumbnail="01345/obsnum01/jw01345-o001_t021_nircam_clear-f115w_i2d.TN.jpg",
        instrument="NIRCAM",
        level=3,
    )
    picture = line_of(files=exposure).picture
    assert picture.thumbnail.endswith("_rate.QL.TN.jpg")
    assert picture.level == 2
    assert line_of(files=exposure[:1]).picture is None


def test_a_line_goes_into_the_state_and_back():
    view = make_part(make_exposure(KEY, 0), [make_observation(KEY, 1, t_exptime=float("nan"))])
    size = SectionSize(name="exposures", rows=1, chunks=1, detail_chunks=1, mark="-")
    line = summarise(view, arrange(view.files, ()), sections=[size], plain_pages=1)
    assert line_from_json(json.loads(json.dumps(line_to_json(line), allow_nan=False))) == line


def test_what_belongs_to_no_single_observation_has_a_line_without_a_number():
    line = line_of(make_observation("jw01345-c1004_t001_nircam_clear-f115w", 1), obsnum=None)
    assert (line.obsnum, line.label) == (None, "several")
