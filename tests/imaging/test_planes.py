from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from astropy.visualization import ZScaleInterval
from hypothesis import given, settings
from hypothesis import strategies as st

from jwstwatch.imaging import montage, planes, stretch
from jwstwatch.imaging.units import ImageUnit
from tests.imaging.quicklooks import noise


def as_file(*arrays: np.ndarray) -> tuple[io.BytesIO, list[ImageUnit]]:
    """Return arrays one behind the other in a file that begins with something else, and their units."""
    stream, units = io.BytesIO(), []
    stream.write(b"before")
    for array in arrays:
        big = array.astype(array.dtype.newbyteorder(">"))
        kind = f">{array.dtype.kind}{array.dtype.itemsize}"
        units.append(ImageUnit(name="SCI", shape=array.shape, kind=kind, start=stream.tell()))
        stream.write(big.tobytes())
    return stream, units


@settings(max_examples=50)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 70), st.integers(1, 70)),
    longest=st.integers(1, 40),
    band=st.sampled_from([1, 100, 10_000]),
    kind=st.sampled_from(["i2", "f4", "f8"]),
    seed=st.integers(0, 1000),
)
def test_each_pixel_of_the_picture_is_the_mean_of_the_good_ones_in_its_block(
    shape, longest, band, kind, seed
):
    random = np.random.default_rng(seed)
    data = random.integers(-500, 500, shape).astype(kind)
    if kind != "i2":
        data[random.random(shape) < 0.2] = np.nan
    quality = (random.random(shape) < 0.2).astype("i4") + 2
    stream, (image, flags) = as_file(data, quality)
    grid = planes.choose_grid(image, longest=longest)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planes, "_BAND", band)
        found = planes.read_plane(stream, image, shape[0] - 1, grid=grid, quality=flags)
    good = np.where(quality[-1] & 1, np.nan, data[-1].astype(float))
    height, width = grid.block
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = [
            [np.nanmean(good[top : top + height, left : left + width]) for left in range(0, shape[2], width)]
            for top in range(0, shape[1], height)
        ]
    assert found.shape == grid.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_a_picture_is_never_larger_than_asked_for_nor_a_strip_invisible(rows, columns):
    image = ImageUnit(name="", shape=(rows, columns), kind=">f4", start=0)
    shape = planes.choose_grid(image, longest=1024).shape
    assert max(shape) <= 1024
    assert min(shape) >= min(rows, columns, 64)


@given(st.integers(1, 8), st.integers(0, 1000))
def test_the_median_is_that_of_the_values_that_are_there(count, seed):
    random = np.random.default_rng(seed)
    stack = random.normal(size=(count, 4, 5)).astype("f4")
    stack[random.random(stack.shape) < 0.4] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = np.nanmedian(stack, axis=0)
    np.testing.assert_allclose(planes.median(list(stack)), expected, rtol=1e-5)


@given(st.integers(1, 10_000), st.integers(1, 100))
def test_planes_are_spread_evenly(count, most):
    numbers = planes.spread(count, most)
    assert len(numbers) == min(count, most)
    assert sorted(set(numbers)) == numbers
    assert 0 <= numbers[0] <= count - numbers[-1]
    assert numbers[-1] < count


@pytest.mark.parametrize("stars", [0, 0.01, 0.1])
def test_zscale_agrees_with_that_of_astropy(stars):
    data = noise(500, 500)
    bright = np.random.default_rng(2).random(data.shape) < stars
    data[bright] += np.random.default_rng(3).exponential(50, bright.sum())
    low, high = stretch.zscale(np.sort(data.ravel()[::61].astype(float)))
    expected = [float(limit) for limit in ZScaleInterval(n_samples=4000).get_limits(data)]
    width = expected[1] - expected[0]
    assert low == pytest.approx(expected[0], abs=0.15 * width)
    assert high == pytest.approx(expected[1], abs=0.15 * width)


def test_brightness_is_the_inverse_hyperbolic_sine_to_a_level():
    chosen = stretch.Stretch(low=-2.0, high=500.0, soft=0.9)
    values = np.concatenate([np.linspace(-5, 5, 4000), np.geomspace(5, 600, 4000), [np.nan]]).astype("f4")
    curve = np.arcsinh((np.clip(values, -2, 500) + 2) / 0.9) / np.arcsinh(502 / 0.9)
    shown = stretch.to_brightness(values, chosen)
    assert abs(shown[:-1] - 255 * curve[:-1]).max() <= 1
    assert shown[-1] == 0


@given(st.floats(0, 1))
def test_the_scale_says_which_value_a_brightness_stands_for(brightness):
    chosen = stretch.Stretch(low=-2.0, high=500.0, soft=0.9)
    assert chosen.brightness_of(chosen.value_at(brightness)) == pytest.approx(brightness, abs=1e-9)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=30))
def test_cutouts_stand_on_shelves_without_covering_each_other(shapes):
    pieces = [np.full(shape, float(number + 1), "f4") for number, shape in enumerate(shapes)]
    whole, placed = montage.arrange(pieces, width=100, height=100)
    assert 1 <= placed <= len(pieces)
    assert max(whole.shape) <= 100
    for number in range(placed):
        assert (whole == number + 1).sum() == pieces[number].size
    assert np.isneginf(whole).sum() == whole.size - sum(piece.size for piece in pieces[:placed])
