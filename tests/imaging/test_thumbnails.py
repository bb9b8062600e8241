from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from jwstwatch.core.layout import thumbnail_name
from jwstwatch.errors import ContentError
from jwstwatch.imaging.thumbnails import make_thumbnail
from tests.imaging.samples import make_picture


def put(folder: Path, content: bytes, name: str = "x_rate.jpg") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        assert picture.format == "JPEG"
        assert picture.mode == "RGB"
        return picture.size


@pytest.mark.parametrize("name", ["x_rate.jpg", "x_rate.png", "x_rate.jpeg"])
def test_the_thumbnail_of_any_picture_is_a_tn_jpg(name):
    assert thumbnail_name(name) == "x_rate.TN.jpg"


@pytest.mark.parametrize(
    ("original", "width", "height", "expected"),
    [
        ((2048, 2048), 120, None, (120, 120)),
        ((2048, 2048), None, None, (120, 120)),
        ((1000, 500), 120, None, (120, 60)),
        ((1000, 500), None, 60, (120, 60)),
        ((1000, 500), 100, 100, (100, 100)),
        ((64, 64), 120, None, (120, 120)),
        ((2048, 4), 120, None, (120, 1)),
        ((72, 416), 120, None, (120, 480)),
        ((416, 72), None, 100, (400, 100)),
    ],
)
def test_a_missing_side_follows_the_shape(tmp_path, original, width, height, expected):
    source = put(tmp_path, make_picture("JPEG", size=original))
    make_thumbnail(source, tmp_path / "x_rate.TN.jpg", width=width, height=height)
    assert size_of(tmp_path / "x_rate.TN.jpg") == expected


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "LA", "1"])
def test_a_png_of_any_mode_becomes_a_jpeg(tmp_path, mode):
    source = put(tmp_path, make_picture("PNG", mode=mode), "x_x1d.png")
    make_thumbnail(source, tmp_path / "x_x1d.TN.jpg", width=40, height=None)
    assert size_of(tmp_path / "x_x1d.TN.jpg") == (40, 30)


def test_what_is_transparent_becomes_white(tmp_path):
    source = tmp_path / "x_x1d.png"
    Image.new("RGBA", (100, 100), (0, 0, 0, 0)).save(source)
    make_thumbnail(source, tmp_path / "t.jpg", width=10, height=None)
    with Image.open(tmp_path / "t.jpg") as picture:
        assert np.asarray(picture).min() > 250


def test_the_thumbnail_looks_like_the_picture(tmp_path):
    pixels = np.zeros((800, 800), "u1")
    pixels[:400, :400] = 255
    Image.fromarray(pixels).save(tmp_path / "x_rate.jpg")
    make_thumbnail(tmp_path / "x_rate.jpg", tmp_path / "t.jpg", width=100, height=None)
    with Image.open(tmp_path / "t.jpg") as picture:
        small = np.asarray(picture.convert("L"))
    assert small[:45, :45].min() > 240
    assert small[55:, :].max() < 15
    assert small[:, 55:].max() < 15


def test_what_else_its_exif_garbles_does_not_keep_a_picture_from_its_thumbnail(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x011A] = 72.0
    content = exif.tobytes()
    entry = content.index(b"\x1a\x01\x05\x00" if b"II*" in content else b"\x01\x1a\x00\x05")
    # A resolution that says of itself that it is raw bytes.
    garbled = (
        content[: entry + 2] + content[entry + 2 : entry + 4].replace(b"\x05", b"\x07") + content[entry + 4 :]
    )
    source = put(tmp_path, make_picture("JPEG", size=(200, 100), exif=garbled))
    make_thumbnail(source, tmp_path / "t.jpg", width=50, height=None)
    assert size_of(tmp_path / "t.jpg") == (50, 100)


@pytest.mark.parametrize("orientation", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_every_orientation_is_turned_as_pillow_would(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = put(tmp_path, make_picture("JPEG", size=(40, 20), exif=exif))
    with Image.open(source) as picture:
        turned = ImageOps.exif_transpose(picture).convert("RGB")
    make_thumbnail(source, tmp_path / "t.jpg", width=turned.width, height=turned.height)
    with Image.open(tmp_path / "t.jpg") as made:
        difference = np.abs(np.asarray(made, dtype=float) - np.asarray(turned, dtype=float)).mean()
    assert difference < 20


def test_the_orientation_that_a_picture_states_is_followed(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    source = put(tmp_path, make_picture("JPEG", size=(200, 100), exif=exif))
    make_thumbnail(source, tmp_path / "t.jpg", width=50, height=None)
    assert size_of(tmp_path / "t.jpg") == (50, 100)


@pytest.mark.parametrize("content", [b"", b"<html>", make_picture("JPEG")[:900], make_picture("PNG")[:900]])
def test_a_broken_picture_is_an_error_and_the_old_thumbnail_stays(tmp_path, content):
    source = put(tmp_path, content)
    target = put(tmp_path, b"the old one", "x_rate.TN.jpg")
    with pytest.raises(ContentError, match=r"x_rate\.jpg"):
        make_thumbnail(source, target, width=120, height=None)
    assert target.read_bytes() == b"the old one"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["x_rate.TN.jpg", "x_rate.jpg"]


def test_a_picture_that_would_fill_the_memory_is_refused(tmp_path):
    whole = bytearray(make_picture("JPEG"))
    frame = whole.index(b"\xff\xc0")
    whole[frame + 5 : frame + 9] = b"\xff\x00\xff\x00"
    with pytest.raises(ContentError, match="too many"):
        make_thumbnail(put(tmp_path, bytes(whole)), tmp_path / "t.jpg", width=120, height=None)


def test_a_thumbnail_has_the_modes_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        make_thumbnail(put(tmp_path, make_picture()), tmp_path / "t.jpg", width=20, height=None)
    finally:
        os.umask(before)
    assert (tmp_path / "t.jpg").stat().st_mode & 0o777 == 0o640
