from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from jwstwatch.errors import ContentError, ExitCode
from jwstwatch.imaging import pictures
from jwstwatch.imaging.content import check
from jwstwatch.imaging.pictures import LARGEST_DECODED
from tests.imaging.samples import make_fits, make_picture

FITS = make_fits("SCI", "ERR", "DQ")
NAME = "jw01345062001_03101_00001_nrca2_cal"

WHOLE = {
    ".fits": FITS,
    ".jpg": make_picture("JPEG"),
    ".png": make_picture("PNG"),
    ".json": json.dumps({"asn_type": "image2", "products": []}).encode(),
    ".csv": b"# pool\nFilename|PntgType\njw05224_uncal.fits|SCIENCE\n",
    ".ecsv": "# %ECSV 1.0\n# ---\nlabel ra dec unit\n1 2.0 3.0 µJy\n".encode(),
    ".txt": b"plain text\n",
    ".asdf": b"#ASDF 1.0.0\n\x00\x01binary",
}

HTML = [
    b"<!DOCTYPE html><html><body>Down for maintenance</body></html>",
    b"<html>\n<head><title>503 Service Temporarily Unavailable</title></head></html>",
    b"  \r\n\t<HTML lang='en'>",
    b"\xef\xbb\xbf<!doctype  HTML>\n<html>",
    b"<!-- built by a proxy --><!-- and another -->\n<html>",
    b"<!-- " + b"a very long comment " * 400 + b" --><html>",
    b'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0">',
    "\ufeff<!doctype html>".encode("utf-16-le"),
    "\ufeff<!doctype html>".encode("utf-16-be"),
    b"<head>",
    b"<body bgcolor=white>",
    b"<center><h1>502 Bad Gateway</h1></center>",
    b"<p>The archive is down for maintenance</p>",
]


@pytest.fixture
def put(tmp_path: Path):
    def write(content: bytes) -> Path:
        path = tmp_path / ".name.1.part"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("ending", WHOLE)
def test_a_whole_file_passes_under_its_own_ending(put, ending):
    check(put(WHOLE[ending]), NAME + ending)
    check(put(WHOLE[ending]), (NAME + ending).upper())


@pytest.mark.parametrize("ending", WHOLE)
@pytest.mark.parametrize("page", HTML)
def test_an_html_page_is_refused_whatever_it_is_called(put, ending, page):
    with pytest.raises(ContentError, match="HTML page"):
        check(put(page), NAME + ending)


@pytest.mark.parametrize("ending", WHOLE)
def test_the_error_of_a_bucket_is_refused_whatever_it_is_called(put, ending):
    said = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>'
    with pytest.raises(ContentError, match="error message of a server"):
        check(put(said), NAME + ending)


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("x.asdf", b"#ASDF 1.0.0\n"),
        ("x_uncal.fits.gz", b"\x1f\x8b\x08"),
        ("x.gif", b"GIF89a"),
        ("x.pdf", b"%PDF-1.7"),
    ],
)
def test_other_files_must_begin_as_they_do(put, name, beginning):
    check(put(beginning + b"and so on"), name)
    with pytest.raises(ContentError, match="does not begin as"):
        check(put(b"a text about it"), name)


@pytest.mark.parametrize("name", ["x.mp4", "x.tar", "x_list.dat", "README", "x.xml"])
def test_of_an_unknown_kind_all_passes_that_is_no_page(put, name):
    check(put(b"anything"), name)
    with pytest.raises(ContentError, match="HTML page"):
        check(put(b"<html>"), name)


@pytest.mark.parametrize("ending", WHOLE)
def test_an_empty_file_is_refused_whatever_it_is_called(put, ending):
    with pytest.raises(ContentError, match="it is empty"):
        check(put(b""), NAME + ending)


@pytest.mark.parametrize(("ending", "content"), WHOLE.items())
def test_a_file_under_another_ending_is_refused(put, ending, content):
    others = {other for other in WHOLE if other not in (ending, ".asdf")}
    if ending in (".json", ".csv", ".ecsv", ".txt"):
        others -= {".csv", ".ecsv", ".txt"}
    for other in others:
        with pytest.raises(ContentError):
            check(put(content), NAME + other)


def test_the_error_names_the_file_and_costs_only_the_file(put):
    with pytest.raises(ContentError) as caught:
        check(put(b"not a FITS file"), f"{NAME}.fits")
    assert NAME in caught.value.message
    assert ".part" not in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == ExitCode.FILES_FAILED


@settings(deadline=None)
@given(cut=st.integers(1, len(FITS) - 1))
def test_a_fits_file_cut_anywhere_but_between_units_is_refused(tmp_path_factory, cut):
    boundaries = {0, 2880, *(2880 + unit * (2880 + 2880) for unit in range(1, 4))}
    path = tmp_path_factory.getbasetemp() / "cut.fits"
    path.write_bytes(FITS[:cut])
    if cut in boundaries:
        check(path, "x.fits")  # documented: only the length can tell
    else:
        with pytest.raises(ContentError):
            check(path, "x.fits")


@pytest.mark.parametrize("more", [b"\0", b" " * 2880, b"<html>" * 480, b"XTENSION"])
def test_bytes_after_the_last_unit_are_refused(put, more):
    with pytest.raises(ContentError):
        check(put(FITS + more), "x.fits")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"NAXIS1  =                   20", b"NAXIS1  =                  -20"),
        (b"NAXIS1  =                   20", b"NAXIS1  =                  2.5"),
        (b"NAXIS1  =                   20", b"NAXIS1  =  9999999999999999999"),
        (b"NAXIS   =                    2", b"NAXIS   =                 1000"),
        (b"NAXIS   =                    2", b"NAXIS   =                   -1"),
        (b"NAXIS   =                    2", b"NAXIS   =                    T"),
        (b"BITPIX  =                  -32", b"BITPIX  =                    7"),
        (b"SIMPLE  =                    T", b"SIMPLE  =                    F"),
        (b"XTENSION=", b"XTENSI0N="),
        (b"END".ljust(80), b"EMD".ljust(80)),
    ],
)
def test_a_fits_header_that_cannot_be_is_refused(put, old, new):
    assert old in FITS
    with pytest.raises(ContentError):
        check(put(FITS.replace(old, new)), "x.fits")


@settings(deadline=None)
@given(st.binary(max_size=4000))
def test_any_bytes_after_a_fits_beginning_are_refused_in_peace(tmp_path_factory, noise):
    path = tmp_path_factory.getbasetemp() / "noise.fits"
    path.write_bytes(FITS[:80] + noise)
    with pytest.raises(ContentError):
        check(path, "x.fits")


def test_a_fits_table_and_compressed_image_pass(tmp_path):
    import numpy as np
    from astropy.io import fits

    table = fits.BinTableHDU.from_columns([fits.Column("text", "PA()", array=["a", "bcd"])])
    packed = fits.CompImageHDU(np.arange(10000, dtype="i4").reshape(100, 100))
    fits.HDUList([fits.PrimaryHDU(), table, packed]).writeto(tmp_path / "t.fits")
    check(tmp_path / "t.fits", "x_x1d.fits")


def test_a_large_fits_file_is_checked_without_reading_its_data(tmp_path):
    path = tmp_path / "large.fits"
    image = make_fits("SCI")
    header = image.replace(b"NAXIS1  =                   20", b"NAXIS1  =              1000000")
    with path.open("wb") as stream:  # 80 MB of holes
        stream.write(header[:5760])
        stream.truncate(5760 + -(-20 * 1000000 * 4 // 2880) * 2880)
    tracemalloc.start()
    check(path, "x.fits")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize(
    "how", [{}, {"progressive": True}, {"mode": "L"}, {"mode": "CMYK"}, {"mode": "CMYK", "progressive": True}]
)
def test_a_jpeg_cut_anywhere_is_refused(put, how):
    whole = make_picture("JPEG", size=(16, 12), **how)
    check(put(whole), "x_rate.jpg")
    check(put(whole + b"\0" * 16), "x_rate.jpg")  # some writers pad
    for cut in [*range(0, len(whole) - 40, 5), *range(len(whole) - 40, len(whole))]:
        with pytest.raises(ContentError):
            check(put(whole[:cut]), "x_rate.jpg")


@pytest.mark.parametrize("more", [b"<html>maintenance</html>", make_picture()[300:2000], b"\0\0trailer"])
def test_what_comes_after_a_jpeg_may_be_padding_only(put, more):
    whole = make_picture("JPEG", size=(24, 20))
    check(put(whole + b"\xff\0 \r\n"), "x_rate.jpg")
    with pytest.raises(ContentError, match="after its picture come other bytes"):
        check(put(whole + more), "x_rate.jpg")


def test_a_picture_of_which_each_scan_goes_over_all_is_not_decoded_for_ever(put, monkeypatch):
    whole = make_picture("JPEG", progressive=True)
    first = whole.index(b"\xff\xda")
    scan = whole[first : whole.index(b"\xff\xc4", first)]
    decoded: list[tuple[int, int]] = []
    monkeypatch.setattr(JpegImageFile, "load", lambda picture: decoded.append(picture.size))
    check(put(whole), "x_i2d.jpg")
    check(put(whole[:first] + scan * 200 + whole[first:]), "x_i2d.jpg")
    assert len(decoded) == 1


def test_a_png_too_large_to_be_held_is_judged_by_its_checksums(put, monkeypatch):
    monkeypatch.setattr(pictures, "LARGEST_HELD", 80 * 60 - 1)
    monkeypatch.setattr(PngImageFile, "load", lambda _: pytest.fail("it was decoded"))
    whole = bytearray(make_picture("PNG"))
    check(put(bytes(whole)), "x_x1d.png")
    whole[len(whole) // 2] ^= 0xFF
    with pytest.raises(ContentError, match="cannot be decoded"):
        check(put(bytes(whole)), "x_x1d.png")


def test_a_png_cut_anywhere_is_refused(put):
    whole = make_picture("PNG", size=(12, 10), mode="RGBA")
    check(put(whole), "x_x1d.png")
    for cut in range(len(whole)):
        with pytest.raises(ContentError):
            check(put(whole[:cut]), "x_x1d.png")


def test_a_png_with_spoilt_pixels_is_refused(put):
    whole = bytearray(make_picture("PNG"))
    whole[len(whole) // 2] ^= 0xFF
    with pytest.raises(ContentError, match="cannot be decoded"):
        check(put(bytes(whole)), "x_x1d.png")


def test_a_picture_larger_than_the_limit_is_judged_by_its_frame_alone(put):
    whole = bytearray(make_picture("JPEG"))
    frame = whole.index(b"\xff\xc0")
    whole[frame + 5 : frame + 9] = b"\xff\x00\xff\x00"  # 65280 x 65280 pixels
    assert LARGEST_DECODED < 65280 * 65280
    check(put(bytes(whole)), "x_i2d.jpg")
    with pytest.raises(ContentError, match="cut short"):
        check(put(bytes(whole[:-400])), "x_i2d.jpg")


@pytest.mark.parametrize(
    "broken",
    [b'{"products": [', b"[" * 200_000, b"\xff\xfe{}", b"\xe9", b"NaN,", b"1" * 5000, b"   ", b"{}{}"],
)
def test_broken_json_is_refused(put, broken):
    with pytest.raises(ContentError):
        check(put(broken), "jw05224-o004_20251221t142913_image2_00005_asn.json")


@pytest.mark.parametrize(
    "binary", [b"a,b\n1,\x002\n", b"a\xe9b\n", b"\n \t\r\n", b"a" * 70 + b"\xc3", b"\x1f\x8b\x08"]
)
@pytest.mark.parametrize("ending", [".csv", ".ecsv", ".txt"])
def test_a_table_that_is_not_text_is_refused(put, binary, ending):
    with pytest.raises(ContentError):
        check(put(binary), "jw05224_20251221t142913_pool" + ending)


def test_a_letter_across_the_border_of_two_reads_is_still_a_letter(put):
    check(put(b"x" * (1024 * 1024 - 1) + "é,ö\n".encode()), "x_pool.csv")


def test_a_file_that_is_not_there_is_the_disks_error_and_no_content_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        check(tmp_path / "absent.part", "x.fits")
