from __future__ import annotations

import gzip
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from jwstwatch.errors import ContentError
from jwstwatch.imaging.quicklook import make_quicklook
from jwstwatch.imaging.thumbnails import make_thumbnail
from tests.imaging.quicklooks import BLUE, blueness, brightness, image, noise, see, spectrum, write

EXPOSURE = "jw01345001001_02101_00001_nrca1"


def corners(seen: np.ndarray) -> dict[str, float]:
    """Return the mean brightness of the four corners of what is seen."""
    light = brightness(seen)
    rows, columns = light.shape[0] // 8, light.shape[1] // 8
    return {
        "lower left": light[-rows:, :columns].mean(),
        "lower right": light[-rows:, -columns:].mean(),
        "upper left": light[:rows, :columns].mean(),
        "upper right": light[:rows, -columns:].mean(),
    }


@pytest.mark.parametrize("side", [32, 300, 2048, 2500])
def test_the_first_pixel_of_the_array_is_in_the_lower_left_corner(tmp_path, side):
    data = noise(side, side)
    data[: side // 6, : side // 6] += 50
    seen = corners(see(write(tmp_path / f"{EXPOSURE}_rate.fits", image(data))))
    assert seen.pop("lower left") > 150
    assert max(seen.values()) < 80


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2048, 2048), (1024, 1024)),
        ((64, 64), (640, 640)),
        ((700, 700), (700, 700)),
        ((64, 2048), (128, 1024)),
    ],
)
def test_pictures_have_a_sensible_size(tmp_path, shape, expected):
    assert see(write(tmp_path / f"{EXPOSURE}_rate.fits", image(noise(*shape)))).shape[:2] == expected


def test_tiny_subarrays_are_enlarged_without_being_smoothed(tmp_path):
    data = noise(64, 64)
    data[32, 32] = 60
    light = brightness(see(write(tmp_path / f"{EXPOSURE}_rate.fits", image(data))))
    block = light[310:320, 320:330]  # row 32 from the bottom, ten times as large
    assert block[1:-1, 1:-1].min() > 200
    assert light[300:308, 320:330].max() < 120


def test_sky_is_dark_grey_and_brighter_things_differ_from_each_other(tmp_path):
    data = noise(600, 600)
    steps = (10.5, 12, 20, 100, 400)
    for number, value in enumerate(steps):
        data[:100, 100 * number : 100 * number + 100] += value
    light = brightness(see(write(tmp_path / f"{EXPOSURE}_rate.fits", image(data))))
    sky = light[:400].mean()
    seen = [light[-90:-10, 100 * number + 10 : 100 * number + 90].mean() for number in range(len(steps))]
    assert 5 < sky < 80
    assert all(later > earlier + 3 for earlier, later in zip([sky, *seen], seen, strict=False))


def test_bad_pixels_and_those_without_a_value_are_blue_and_do_not_count(tmp_path):
    data = noise(200, 200)
    data[:50] = np.nan
    data[150:, :100] = 1e9
    quality = np.zeros(data.shape, "u4")
    quality[150:, :100] = 1 | 1 << 20
    quality[100:150] = 4  # something else is wrong, the value is used
    seen = see(write(tmp_path / f"{EXPOSURE}_cal.fits", image(data), image(quality, "DQ", unit="")))
    size = seen.shape[0] // 200
    assert blueness(seen)[160 * size :].min() > BLUE
    assert blueness(seen)[: 40 * size, : 90 * size].min() > BLUE
    assert abs(blueness(seen)[60 * size : 140 * size]).max() < 12
    assert brightness(seen)[60 * size : 140 * size].max() > 200


def test_a_bad_pixel_does_not_spoil_the_block_that_it_is_shown_in(tmp_path):
    data = noise(2048, 2048)
    data[::4, ::4] = np.nan
    data[1::4, 1::4] = np.inf
    seen = see(write(tmp_path / f"{EXPOSURE}_rate.fits", image(data)))
    assert abs(blueness(seen)).max() < 12


def test_integers_are_scaled_and_their_blanks_have_no_value(tmp_path):
    raw = (np.arange(400 * 400).reshape(400, 400) % 1000 - 500).astype(">i2")
    raw[:40] = -32768
    path = tmp_path / f"{EXPOSURE}_rate.fits"
    path.write_bytes(headers(16, 400, 400, BSCALE=2.0, BZERO=1000.0, BLANK=-32768) + raw.tobytes())
    path.write_bytes(path.read_bytes() + bytes(-path.stat().st_size % 2880))
    seen = see(path)
    assert blueness(seen)[-35:].min() > BLUE
    assert abs(blueness(seen)[:300]).max() < 12


def headers(bits: int, *axes: int, **cards: float) -> bytes:
    """Return the headers of a file with an image of scaled integers, which astropy would scale itself."""
    primary, image_header = fits.Header(), fits.Header()
    primary["SIMPLE"], primary["BITPIX"], primary["NAXIS"] = True, 8, 0
    image_header["XTENSION"], image_header["BITPIX"], image_header["NAXIS"] = "IMAGE", bits, len(axes)
    image_header.update({f"NAXIS{number}": length for number, length in enumerate(axes, start=1)})
    image_header.update({"PCOUNT": 0, "GCOUNT": 1, "EXTNAME": "SCI"} | cards)
    return primary.tostring().encode() + image_header.tostring().encode()


def test_of_a_ramp_the_rise_of_its_first_integration_is_shown(tmp_path):
    ramp = np.random.default_rng(1).integers(11_000, 11_010, (2, 4, 300, 300), "u2")
    ramp[0, 3, :60, :60] += 3000  # the last group of the first integration
    ramp[0, 1, -60:, -60:] += 9000  # an inner group
    ramp[1, 3, :60, -60:] += 9000  # another integration
    ramp[0, :, -60:, :60] += 20_000  # bright from the start, without a rise
    seen = corners(see(write(tmp_path / f"{EXPOSURE}_uncal.fits", image(ramp, unit="DN"))))
    assert seen.pop("lower left") > 200
    assert max(seen.values()) < 140


def test_a_saturated_star_is_not_black_in_its_core(tmp_path):
    ramp = np.random.default_rng(1).integers(11_000, 11_010, (1, 3, 300, 300), "u2")
    ramp[0, 2, 100:200, 100:200] += 20_000
    ramp[0, :, 140:160, 140:160] = 65_535
    light = brightness(see(write(tmp_path / f"{EXPOSURE}_uncal.fits", image(ramp, unit="DN"))))
    middle = light.shape[0] // 2
    assert light[middle - 5 : middle + 5, middle - 5 : middle + 5].min() > 200


def test_of_integrations_the_median_is_shown(tmp_path):
    data = np.stack([noise(200, 200, seed=number) for number in range(5)])
    data[3] += 1000  # a satellite's trail is in one of them
    data[:, :50, :50] += 20
    data[1:4, 120:, 120:] = np.nan
    seen = see(write(tmp_path / f"{EXPOSURE}_rateints.fits", image(data)))
    light = brightness(seen)
    assert light[-100:, :100].mean() > 150
    assert light[: light.shape[0] // 3, : light.shape[1] // 3].mean() < 90
    assert abs(blueness(seen)).max() < 12


def test_of_a_cube_the_median_over_its_wavelengths_is_shown(tmp_path):
    cube = np.stack([noise(30, 30, seed=number) for number in range(500)])
    cube[:, :8, :8] += 10
    cube[100, 20:, 20:] = 1e6
    cube[::2, 10:15] = np.nan
    cube[:, -5:] = np.nan
    seen = see(write(tmp_path / "jw01345-o001_t001_nirspec_g395h-f290lp_s3d.fits", image(cube)))
    size = seen.shape[0] // 30
    light = brightness(seen)
    assert light[-7 * size :, : 7 * size].mean() > 150
    assert light[6 * size : 9 * size, 21 * size :].mean() < 90
    assert blueness(seen)[5 : 4 * size, 5:-5].min() > BLUE
    assert abs(blueness(seen)[7 * size :]).max() < 12


def test_cutouts_stand_beside_each_other_in_one_scale(tmp_path):
    pieces = [noise(40, 1000, level=10.0 + 5 * (number == 0), seed=number) for number in range(30)]
    units = [image(piece, version=number + 1) for number, piece in enumerate(pieces)]
    light = brightness(see(write(tmp_path / f"{EXPOSURE}_cal.fits", *units)))
    assert light.shape[0] > 900
    assert light[-35:-5, :900].mean() > light[: light.shape[0] // 2, :900].mean() + 60


def test_a_level_array_is_grey_and_one_without_values_is_blue(tmp_path):
    level = see(write(tmp_path / "a_rate.fits", image(np.full((50, 50), 5.0, "f4"))))
    empty = see(write(tmp_path / "b_rate.fits", image(np.full((50, 50), np.nan, "f4"))))
    assert brightness(level).std() < 3
    assert abs(blueness(level)).max() < 12
    assert 60 < brightness(level).mean() < 200
    assert blueness(empty).min() > BLUE


@pytest.mark.parametrize("value", [1e38, -1e38, 1e-38])
def test_values_at_the_ends_of_what_floats_hold_are_no_trouble(tmp_path, value):
    data = np.full((2048, 300), value, "f4")
    data[:200] = 0
    see(write(tmp_path / "a_rate.fits", image(data)))


def test_a_spectrum_is_a_line_from_left_to_right(tmp_path):
    wavelength = np.linspace(0.6, 5.3, 500)
    flux = 1e-6 * wavelength
    flux[200] = 1.0  # a spike must not flatten the rest
    flux[:50] = np.nan
    seen = see(write(tmp_path / f"{EXPOSURE}_x1d.fits", spectrum(wavelength, flux)))
    line = blueness(seen) > 60
    heights = [np.flatnonzero(line[:, place]).mean() for place in (60, 200, 800)]
    assert seen.shape[1] > seen.shape[0] > 300
    assert heights[0] > heights[1] + 40 > heights[2] + 200


def test_flagged_points_and_the_padding_of_a_spectrum_are_left_out(tmp_path):
    wavelength = np.linspace(1, 2, 400)
    flux, quality = np.full(400, 3.0), np.zeros(400)
    flux[300:] = 0
    flux[100:200], quality[100:200] = 5.0, 1
    line = blueness(see(write(tmp_path / "a_x1d.fits", spectrum(wavelength, flux, quality=quality)))) > 60
    width = line.shape[1]
    # The first 300 points are the whole width: a third has no line, and the flagged ones set no limit.
    assert line[:, 10 : width // 3 - 10].any(axis=0).all()
    assert not line[:, width // 3 + 10 : 2 * width // 3 - 10].any()
    assert line[:, 2 * width // 3 + 10 : -10].any(axis=0).all()


def test_several_orders_have_several_colours(tmp_path):
    wavelength = np.linspace(1, 2, 100)
    tables = [spectrum(wavelength, np.full(100, 1.0 + order), SPORDER=order) for order in (1, 2)]
    seen = see(write(tmp_path / "a_x1d.fits", *tables))
    assert (blueness(seen) > 60).any(axis=0)[10:-10].mean() > 0.95
    assert (blueness(seen) < -60).any(axis=0)[10:-10].mean() > 0.95


def test_rows_that_hold_whole_spectra_are_shown_as_such(tmp_path):
    wavelength = np.tile(np.linspace(1, 2, 100), (40, 1))
    flux = np.tile(np.linspace(2, 3, 100), (40, 1))
    flux[:, 90:] = wavelength[:, 90:] = np.nan
    light = brightness(see(write(tmp_path / "a_x1d.fits", spectrum(wavelength, flux))))
    assert (light[:, 10:-10].max(axis=0) > 80).all()


def test_surface_brightness_stands_in_where_there_is_no_flux(tmp_path):
    wavelength = np.linspace(1, 2, 100)
    table = spectrum(wavelength, np.full(100, 2.0), column="SURF_BRIGHT")
    assert (blueness(see(write(tmp_path / "a_x1d.fits", table))) > 60).any()


@pytest.mark.parametrize("scale", [1e-320, 1e-30, 1e30, 1e307, 0.0])
def test_fluxes_of_any_size_are_drawn_or_refused(tmp_path, scale):
    path = write(tmp_path / "a_x1d.fits", spectrum(np.linspace(1, 2, 50), scale * np.linspace(-9, 9, 50)))
    try:
        assert (blueness(see(path)) > 60).any()
    except ContentError:
        assert scale == 1e307


def test_a_quick_look_says_what_it_is_of_and_hostile_headers_are_only_drawn(tmp_path):
    hostile = "<script>alert(1)</script>" + "x" * 40
    path = write(tmp_path / "a_rate.fits", image(noise(40, 40), unit=hostile[:60]), TARGPROP=hostile)
    make_quicklook(path, tmp_path / "a.jpg")
    assert b"script" not in (tmp_path / "a.jpg").read_bytes()


def test_its_thumbnail_shows_the_picture_without_the_frame(tmp_path):
    data = noise(2048, 1024)
    data[:, :512] += 50
    make_quicklook(write(tmp_path / "a_rate.fits", image(data)), tmp_path / "a.jpg")
    make_thumbnail(tmp_path / "a.jpg", tmp_path / "t.jpg", width=60, height=None)
    with Image.open(tmp_path / "t.jpg") as picture:
        light = np.asarray(picture.convert("L"), float)
    assert light.shape == (120, 60)
    assert light[:, :28].min() > 150
    assert light[:, 32:].max() < 110


def test_two_planes_of_a_ramp_of_gigabytes_are_read_and_no_more(tmp_path):
    path = tmp_path / f"{EXPOSURE}_uncal.fits"
    beginning = headers(16, 2048, 2048, 50, 10, BZERO=32768)
    size = 2048 * 2048 * 50 * 10 * 2
    with path.open("wb") as stream:
        stream.write(beginning)
        stream.truncate(len(beginning) + -(-size // 2880) * 2880)
    assert path.stat().st_size > 4_000_000_000
    make_quicklook(path, tmp_path / "warm.jpg")
    tracemalloc.start()
    make_quicklook(path, tmp_path / "a.jpg")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64_000_000


def test_a_mosaic_larger_than_what_is_read_keeps_its_orientation(tmp_path, monkeypatch):
    monkeypatch.setattr("jwstwatch.imaging.planes._MOST_READ", 1_000_000)
    data = noise(3000, 2600)
    data[:600, :500] += 50
    seen = corners(see(write(tmp_path / "jw01345-o001_t001_nircam_f115w_i2d.fits", image(data))))
    assert seen.pop("lower left") > 150
    assert max(seen.values()) < 80


def broken(folder: Path, kind: str) -> Path:
    path = folder / "x_rate.fits"
    if kind == "a cut file":
        write(path, image(noise(200, 200)))
        path.write_bytes(path.read_bytes()[:100_000])
    elif kind == "a cut spectrum":
        write(path, spectrum(np.arange(1, 4000), np.arange(1, 4000)))
        path.write_bytes(path.read_bytes()[:20_000])
    elif kind == "a compressed file":
        path.write_bytes(gzip.compress(b"SIMPLE  =                    T"))
    elif kind == "no file of data":
        path.write_bytes(b"<html>" * 1000)
    elif kind == "nothing to show":
        write(path)
    elif kind == "rows without end":
        beginning = headers(-32, 8_000_000, 10)
        path.write_bytes(beginning)
        os.truncate(path, len(beginning) + -(-8_000_000 * 10 * 4 // 2880) * 2880)
    elif kind == "rows that cannot be":
        write(path, image(noise(10, 10)))
        raw = path.read_bytes().replace(b"NAXIS1  =                   10", b"NAXIS1  =          99999999999")
        path.write_bytes(raw)
    elif kind == "a spectrum without points":
        write(path, spectrum([1.0, 2.0], [np.nan, np.nan]))
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("a cut file", "middle of its data"),
        ("a cut spectrum", "middle of its data"),
        ("a compressed file", "compressed"),
        ("no file of data", "begin as a FITS"),
        ("nothing to show", "neither an image nor a spectrum"),
        ("rows without end", "too long"),
        ("rows that cannot be", "middle of its data"),
        ("a spectrum without points", "no point"),
    ],
)
def test_what_cannot_be_shown_is_an_error_with_its_reason(tmp_path, kind, reason):
    path = broken(tmp_path, kind)
    with pytest.raises(ContentError, match=rf"x_rate\.fits: .*{reason}"):
        make_quicklook(path, tmp_path / "x.jpg")
    assert not (tmp_path / "x.jpg").exists()
