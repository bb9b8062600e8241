from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from jwstwatch.core.layout import thumbnail_name
from jwstwatch.errors import ContentError
from jwstwatch.imaging import thumbnails
from jwstwatch.imaging.thumbnails import make_thumbnail
from tests.imaging.samples import make_picture


def put(folder: Path, content: bytes, name: str = "x_rate.jpg") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        assert picture.format == "JPEG"
        assert picture.mode in ("L", "RGB")
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


def sky(side: int) -> np.ndarray:
    """Return a field of stars as a preview shows one."""
    random = np.random.default_rng(4)
    pixels = random.normal(60, 10, (side, side))
    y, x = np.mgrid[-15:16, -15:16]
    for top, left in random.integers(0, side - 31, (200, 2)):
        width, height = random.uniform(1, 4), random.uniform(50, 200)
        pixels[top : top + 31, left : left + 31] += height * np.exp(-(x**2 + y**2) / 2 / width**2)
    return np.clip(pixels, 0, 255).astype("u1")


@pytest.mark.parametrize(
    ("side", "form"), [(500, "grey"), (1024, "colour"), (1024, "progressive"), (2048, "grey")]
)
def test_a_thumbnail_is_as_sharp_as_one_of_the_whole_picture(tmp_path, side, form):
    picture = Image.fromarray(sky(side))
    picture = picture if form == "grey" else picture.convert("RGB")
    picture.save(tmp_path / "x.jpg", progressive=form == "progressive")
    make_thumbnail(tmp_path / "x.jpg", tmp_path / "t.jpg", width=120, height=None)
    with Image.open(tmp_path / "x.jpg") as whole:
        whole.convert("RGB").resize((120, 120), Image.Resampling.LANCZOS).save(tmp_path / "b.jpg", quality=85)
    with Image.open(tmp_path / "b.jpg") as best, Image.open(tmp_path / "t.jpg") as made:
        expected, seen = (np.asarray(entry.convert("L"), float) for entry in (best, made))
    assert np.abs(seen - expected).mean() < 2
    assert seen.std() > 0.95 * expected.std()


def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size(tmp_path, monkeypatch):
    decoded = []
    flatten = thumbnails._flatten
    monkeypatch.setattr(
        thumbnails, "_flatten", lambda picture: decoded.append(picture.size) or flatten(picture)
    )
    Image.fromarray(sky(2048)).save(tmp_path / "x.jpg")
    make_thumbnail(tmp_path / "x.jpg", tmp_path / "t.jpg", width=120, height=None)
    assert decoded == [(256, 256)]


def test_sixteen_bits_keep_their_greys(tmp_path):
    Image.fromarray(np.linspace(0, 65_535, 200 * 100).reshape(100, 200).astype("u2")).save(tmp_path / "x.png")
    make_thumbnail(tmp_path / "x.png", tmp_path / "t.jpg", width=50, height=None)
    with Image.open(tmp_path / "t.jpg") as made:
        seen = np.asarray(made.convert("L"), float)
    assert seen[0].mean() < 12
    assert seen[-1].mean() > 243
    assert 110 < seen.mean() < 145


def test_a_cmyk_jpeg_keeps_its_colours(tmp_path):
    Image.new("RGB", (300, 300), (200, 40, 40)).convert("CMYK").save(tmp_path / "x.jpg")
    make_thumbnail(tmp_path / "x.jpg", tmp_path / "t.jpg", width=50, height=None)
    with Image.open(tmp_path / "t.jpg") as made:
        assert np.abs(np.asarray(made.convert("RGB"), float).mean(axis=(0, 1)) - (200, 40, 40)).max() < 12


def test_a_comment_that_claims_a_frame_outside_of_the_picture_is_ignored(tmp_path):
    comment = b"jwstwatch shows 10 10 9999 9999"
    source = put(tmp_path, make_picture("JPEG", size=(200, 100), comment=comment))
    make_thumbnail(source, tmp_path / "t.jpg", width=50, height=None)
    assert size_of(tmp_path / "t.jpg") == (50, 25)


def test_a_thumbnail_takes_the_place_of_what_stood_there_and_follows_no_link(tmp_path):
    source = put(tmp_path, make_picture())
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"somebody's own")
    for name in ("t.jpg", ".t.jpg.tmp"):
        (tmp_path / name).symlink_to(foreign)
    make_thumbnail(source, tmp_path / "t.jpg", width=20, height=None)
    assert foreign.read_bytes() == b"somebody's own"
    assert not (tmp_path / "t.jpg").is_symlink()
    assert not (tmp_path / ".t.jpg.tmp").is_symlink()
    make_thumbnail(source, tmp_path / "new" / "folder" / "t.jpg", width=20, height=None)
    assert size_of(tmp_path / "new" / "folder" / "t.jpg") == (20, 15)


def test_thumbnails_do_not_wait_for_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: pytest.fail("it waited"))
    make_thumbnail(put(tmp_path, make_picture()), tmp_path / "t.jpg", width=20, height=None)
