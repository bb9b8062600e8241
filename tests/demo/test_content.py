"""The bytes of the demo's files: they open, have the stage's dimensions, and say what they are."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.plain import plain_content

EXPOSURE = "jw01345001001_02101_00001_nrca1"
SEGMENT = "jw01366001001_04101_00001-seg001_nis"
MANY_SLITS = "jw05224004001_03101_00001_nrs1"


def open_fits(catalogue: Catalogue, name: str) -> Any:
    from astropy.io import fits

    return fits.open(io.BytesIO(catalogue.read(name).content))


@pytest.mark.parametrize(
    ("name", "extensions", "dimensions"),
    [
        (f"{EXPOSURE}_uncal.fits", ["SCI"], 4),
        (f"{EXPOSURE}_rate.fits", ["SCI", "ERR", "DQ"], 2),
        (f"{EXPOSURE}_cal.fits", ["SCI", "ERR", "DQ"], 2),
        (f"{EXPOSURE}_i2d.fits", ["SCI", "ERR", "CON", "WHT"], 2),
        (f"{EXPOSURE}_o001_crf.fits", ["SCI", "ERR", "DQ"], 2),
        (f"{SEGMENT}_rateints.fits", ["SCI", "ERR", "DQ"], 3),
        (f"{SEGMENT}_calints.fits", ["SCI", "ERR", "DQ"], 3),
        (f"{MANY_SLITS}_s2d.fits", ["SCI", "WHT", "WAVELENGTH"], 2),
        ("jw02733005001_02101_00001_mirifulong_s3d.fits", ["SCI", "ERR", "DQ", "WMAP"], 3),
        ("jw01345-o001_t001_nircam_clear-f115w_segm.fits", ["SCI"], 2),
        ("jw05224004001_01_msa.fits", ["SHUTTER_IMAGE", "SHUTTER_INFO", "SOURCE_INFO"], 2),
    ],
)
def test_each_stage_has_its_extensions_and_dimensions(
    demo: Catalogue, name: str, extensions: list[str], dimensions: int
) -> None:
    with open_fits(demo, name) as opened:
        opened.verify("exception")
        assert [hdu.name for hdu in opened[1:]] == extensions
        assert opened[1].data.ndim == dimensions
        assert opened[0].header["NEXTEND"] == len(extensions)


def test_raw_counts_are_unsigned_and_rise_from_group_to_group(demo: Catalogue) -> None:
    with open_fits(demo, f"{EXPOSURE}_uncal.fits") as opened:
        data = opened["SCI"].data
        assert data.dtype.name == "uint16"
        assert data[0, -1].mean() > data[0, 0].mean()


def test_an_extracted_spectrum_is_a_table(demo: Catalogue) -> None:
    with open_fits(demo, f"{MANY_SLITS}_x1d.fits") as opened:
        assert {"WAVELENGTH", "FLUX"} <= set(opened["EXTRACT1D"].columns.names)


def test_a_rectified_image_has_sky_coordinates(demo: Catalogue) -> None:
    with open_fits(demo, "jw02733-o002_t001_miri_f770w_i2d.fits") as opened:
        header = opened["SCI"].header
        assert header["CTYPE1"] == "RA---TAN"
        assert header["CRVAL2"] == pytest.approx(-40.4374)


def test_the_primary_header_tells_what_the_name_and_the_row_tell(demo: Catalogue) -> None:
    with open_fits(demo, f"{EXPOSURE}_cal.fits") as opened:
        header = opened[0].header
    expected = {
        "TELESCOP": "JWST", "INSTRUME": "NIRCAM", "DETECTOR": "NRCA1", "FILTER": "F115W", "PUPIL": "CLEAR",
        "PROGRAM": "01345", "OBSERVTN": "001", "VISIT": "001", "EXPOSURE": "1", "EXP_TYPE": "NRC_IMAGE",
        "CAL_VER": "1.17.1", "FILENAME": f"{EXPOSURE}_cal.fits", "SUBARRAY": "FULL",
    }  # fmt: skip
    assert {key: header[key] for key in expected} == expected
    present = (
        "READPATT", "NINTS", "NGROUPS", "NFRAMES", "DATE-OBS", "DATE-BEG", "DATE-END", "EFFINTTM", "EFFEXPTM",
        "TARG_RA", "TARG_DEC", "TARGNAME", "CRDS_CTX", "SDP_VER", "DATE", "TITLE", "PI_NAME",
    )  # fmt: skip
    assert set(present) <= set(header)


def test_a_long_title_survives_its_continuation_cards(demo: Catalogue) -> None:
    with open_fits(demo, f"{SEGMENT}_calints.fits") as opened:
        assert opened[0].header["TITLE"] == demo.observation(SEGMENT).proposal.title


def test_a_guide_star_header_has_neither_filter_nor_target(demo: Catalogue) -> None:
    name = next(product.name for product in demo.products if "_gs-track_" in product.name)
    with open_fits(demo, name) as opened:
        header = opened[0].header
    assert not {"FILTER", "PUPIL", "EFFEXPTM", "TARG_RA"} & set(header)
    assert {"EFFINTTM", "DATE-BEG", "DATE-END", "NINTS", "NGROUPS", "NFRAMES"} <= set(header)


def test_raw_files_do_not_name_a_calibration(demo: Catalogue) -> None:
    with open_fits(demo, f"{EXPOSURE}_uncal.fits") as opened:
        assert not {"CAL_VER", "CRDS_CTX"} & set(opened[0].header)


def test_previews_are_pictures_of_about_500_pixels(demo: Catalogue) -> None:
    from PIL import Image

    with Image.open(io.BytesIO(demo.read(f"{EXPOSURE}_rate.jpg").content)) as picture:
        picture.load()
        assert picture.format == "JPEG"
        assert max(picture.size) == 500
    with Image.open(io.BytesIO(demo.read(f"{MANY_SLITS}_x1d.png").content)) as picture:
        picture.load()
        assert picture.format == "PNG"


def test_an_association_names_members_that_are_in_the_archive(demo: Catalogue) -> None:
    names = {product.name for product in demo.products}
    association = next(
        product for product in demo.products if product.suffix == "asn" and "_image3_" in product.name
    )
    content = json.loads(demo.read(association.uri).content)
    members = [member["expname"] for member in content["products"][0]["members"]]
    assert len(members) > 1
    assert set(members) <= names
    assert content["asn_pool"] in names


def test_a_pool_is_a_table_with_pipes(demo: Catalogue) -> None:
    pool = next(product for product in demo.products if product.suffix == "pool")
    lines = demo.read(pool.uri).content.decode().splitlines()
    assert len(lines) > 2
    assert {line.count("|") for line in lines} == {lines[0].count("|")}


@pytest.mark.parametrize("suffix", ["cat", "whtlt"])
def test_a_catalogue_opens_as_ecsv(demo: Catalogue, suffix: str) -> None:
    from astropy.table import Table

    product = next(product for product in demo.products if product.suffix == suffix)
    table = Table.read(demo.read(product.uri).content.decode(), format="ascii.ecsv")
    assert len(table) > 10


@given(
    size=st.integers(2_000, 200_000),
    noise=st.integers(0, 5),
    extension=st.sampled_from(["jpg", "json", "csv"]),
)
def test_plain_content_has_the_size_to_the_byte_and_opens(size: int, noise: int, extension: str) -> None:
    content = plain_content(extension, size, noise=noise)
    assert len(content) == size
    assert content == plain_content(extension, size, noise=noise)
    if extension == "json":
        json.loads(content)
    elif extension == "jpg":
        from PIL import Image

        with Image.open(io.BytesIO(content)) as picture:
            picture.load()


def test_a_plain_fits_file_opens_and_refuses_sizes_that_no_fits_file_has() -> None:
    from astropy.io import fits

    with fits.open(io.BytesIO(plain_content("fits", 28_800, noise=1))) as opened:
        opened.verify("exception")
        assert opened[0].data.size == 25_920
    with pytest.raises(ValueError, match="whole blocks"):
        plain_content("fits", 28_801, noise=1)


@pytest.mark.parametrize("size", [65_900 + step for step in range(0, 700, 37)])
def test_a_plain_jpeg_survives_the_seam_between_two_comments(size: int) -> None:
    assert len(plain_content("jpg", size, noise=0)) == size
