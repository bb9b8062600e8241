from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from jwstwatch.config.settings import MastSettings
from jwstwatch.core.filetypes import normalise_filetypes
from jwstwatch.core.pictures import PictureMark, read_mark
from jwstwatch.store.parts import Copy
from jwstwatch.sync import picturing
from jwstwatch.sync.context import Context
from jwstwatch.sync.picturing import PictureStyle, make_pictures
from tests.imaging.quicklooks import image, noise, write
from tests.imaging.samples import make_picture
from tests.sync.bench import Listener

STYLE = PictureStyle(
    wanted=True,
    shown=normalise_filetypes(["_uncal.jpg", "_rate.jpg", "_cal.jpg"]),
    width=120,
    height=None,
    overwrite=False,
)
EXPOSURE = "jw01345001001_02101_00001_nrca1"


class Shop:
    """A root with copies, and the marks that the state would keep of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.copies: dict[str, Copy] = {}
        self.listener = Listener()
        self.stop = threading.Event()

    def put(self, path: str, content: bytes | None = None, *, level: float = 10.0, revision: int = 1) -> None:
        """Put a picture or a FITS image at a path, in place of an older one."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            target.write_bytes(content)
        elif path.endswith(".fits"):
            target.unlink(missing_ok=True)
            write(target, image(noise(64, 64, level=level)))
        else:
            target.write_bytes(make_picture("PNG" if path.endswith("png") else "JPEG"))
        before = self.copies.get(path)
        self.copies[path] = Copy(
            file_id=before.file_id if before else len(self.copies) + 1,
            product_id=1,
            path=path,
            name=target.name,
            filetype=target.name[target.name.rfind("_") :],
            revision=revision,
            made=before.made if before else None,
        )

    def make(self, style: PictureStyle = STYLE) -> dict[str, str | None]:
        """Make pictures and keep the marks; returns those that changed, by path."""
        nothing: Any = None
        context = Context(
            store=nothing,
            archive=nothing,
            mast=MastSettings(),
            profiles={},
            report=self.listener,
            stop=self.stop,
        )
        marks = make_pictures(context, self.root, list(self.copies.values()), proposal=1345, style=style)
        changed = {}
        for path, copy in self.copies.items():
            if copy.file_id in marks:
                changed[path] = marks[copy.file_id]
                self.copies[path] = replace(copy, made=marks[copy.file_id])
        return changed

    def previews(self) -> list[str]:
        """Return the names of the quick-looks and their thumbnails."""
        return sorted(path.name for path in (self.root / "01345/jwstwatch-pages").glob("previews/*"))

    def preview(self, name: str) -> Path:
        return self.root / "01345/jwstwatch-pages/previews" / name


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_fits_file_without_its_jpg_gets_a_quick_look_and_its_thumbnail(shop):
    shop.put(f"01345/obsnum01/{EXPOSURE}_rate.fits")
    assert shop.make() == {f"01345/obsnum01/{EXPOSURE}_rate.fits": "ql:1:1:120xNone"}
    assert shop.previews() == [f"{EXPOSURE}_rate.QL.TN.jpg", f"{EXPOSURE}_rate.QL.jpg"]
    with Image.open(shop.preview(f"{EXPOSURE}_rate.QL.TN.jpg")) as picture:
        assert picture.size == (120, 120)


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_one_whose_picture_is_there_does_not(shop, ending):
    shop.put(f"01345/{EXPOSURE}_rate.fits")
    shop.put(f"01345/jpg/{EXPOSURE}_rate.{ending}")
    assert shop.make() == {f"01345/jpg/{EXPOSURE}_rate.{ending}": "1:120xNone"}
    assert (shop.root / f"01345/jpg/{EXPOSURE}_rate.TN.jpg").is_file()
    assert shop.previews() == []


def test_a_quick_look_gives_way_to_the_picture_that_comes_later(shop):
    path = f"01345/{EXPOSURE}_rate.fits"
    for revision in (1, 2):
        shop.put(path, revision=revision)
        shop.make()
    shop.put(f"01345/{EXPOSURE}_rate.jpg")
    assert shop.make() == {path: None, f"01345/{EXPOSURE}_rate.jpg": "1:120xNone"}
    assert shop.previews() == []
    assert shop.make() == {}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (f"{EXPOSURE}_rate.fits", True),
        (f"{EXPOSURE}_uncal.fits", True),
        (f"{EXPOSURE}_rateints.fits", False),
        (f"{EXPOSURE}_ramp.fits", False),
        (f"{EXPOSURE}_x1d.fits", True),
        (f"{EXPOSURE}_calints.fits", True),
        (f"{EXPOSURE}_rate.json", False),
        (f"{EXPOSURE}_rate.jpg", True),
        (f"{EXPOSURE}_ramp.jpg", False),
        (f"{EXPOSURE}_x1d.png", True),
        ("jw01345-o001_t001_nircam_f115w_i2d.fits", True),
        ("jw01345-o001_t001_nircam_f115w_i2d.jpg", True),
        ("jw01345-o001_20230101t010101_image3_00001_asn.json", False),
        ("jw01345-c1001_t001_niriss_ami-oi.fits", False),
    ],
)
def test_which_files_have_a_picture(shop, name, shown):
    shop.put(f"01345/{name}", b"broken" if not name.endswith(".fits") else None)
    shop.make()
    assert (f"01345/{name}" in shop.make(replace(STYLE, width=99)) or bool(shop.listener.warnings)) is shown


def test_nobody_who_shows_no_pictures_of_exposures_gets_any_of_their_spectra(shop):
    shop.put(f"01345/{EXPOSURE}_x1d.fits")
    assert shop.make(replace(STYLE, shown=())) == {}


def test_without_thumbnails_there_are_no_pictures_at_all(shop):
    shop.put(f"01345/{EXPOSURE}_rate.fits")
    shop.put(f"01345/{EXPOSURE}_cal.jpg")
    assert shop.make(replace(STYLE, wanted=False)) == {}
    assert shop.previews() == []


def test_what_is_fresh_is_not_made_again_unless_it_is_gone_or_empty(shop):
    shop.put(f"01345/{EXPOSURE}_rate.fits")
    shop.put(f"01345/{EXPOSURE}_cal.jpg")
    shop.make()
    names = [
        shop.preview(f"{EXPOSURE}_rate.QL.jpg"),
        shop.preview(f"{EXPOSURE}_rate.QL.TN.jpg"),
        shop.root / f"01345/{EXPOSURE}_cal.TN.jpg",
    ]
    before = [path.stat().st_mtime_ns for path in names]
    assert shop.make() == {}
    assert [path.stat().st_mtime_ns for path in names] == before
    names[0].unlink()
    names[2].write_bytes(b"")
    shop.make()
    assert all(path.stat().st_size > 500 for path in names)


def test_another_size_makes_thumbnails_anew_and_leaves_quick_looks(shop):
    shop.put(f"01345/{EXPOSURE}_rate.fits")
    shop.put(f"01345/{EXPOSURE}_cal.jpg")
    shop.make()
    before = shop.preview(f"{EXPOSURE}_rate.QL.jpg").stat().st_mtime_ns
    assert set(shop.make(replace(STYLE, width=60)).values()) == {"1:60xNone", "ql:1:1:60xNone"}
    assert shop.preview(f"{EXPOSURE}_rate.QL.jpg").stat().st_mtime_ns == before
    with Image.open(shop.preview(f"{EXPOSURE}_rate.QL.TN.jpg")) as picture:
        assert picture.width == 60


def test_they_are_made_anew_where_that_is_asked_for(shop):
    shop.put(f"01345/{EXPOSURE}_cal.jpg")
    shop.make()
    thumbnail = shop.root / f"01345/{EXPOSURE}_cal.TN.jpg"
    thumbnail.write_bytes(b"somebody's own")
    shop.make()
    assert thumbnail.read_bytes() == b"somebody's own"
    shop.make(replace(STYLE, overwrite=True))
    assert thumbnail.read_bytes() != b"somebody's own"


def test_a_newer_revision_leaves_one_predecessor_to_compare_with(shop):
    path = f"01345/{EXPOSURE}_rate.fits"
    pictures = []
    for revision in (1, 3, 4):
        shop.put(path, level=10.0 * revision, revision=revision)
        shop.make()
        pictures.append(shop.preview(f"{EXPOSURE}_rate.QL.jpg").read_bytes())
    assert len(set(pictures)) == 3
    assert shop.copies[path].made == "ql:1:4:120xNone<3"
    assert shop.previews() == [
        f"{EXPOSURE}_rate.QL.TN.jpg",
        f"{EXPOSURE}_rate.QL.jpg",
        f"{EXPOSURE}_rate.r3.QL.jpg",
    ]
    assert shop.preview(f"{EXPOSURE}_rate.r3.QL.jpg").read_bytes() == pictures[1]


def test_a_remake_of_the_same_revision_keeps_the_predecessor_it_has(shop, monkeypatch):
    path = f"01345/{EXPOSURE}_rate.fits"
    for revision in (1, 2):
        shop.put(path, level=10.0 * revision, revision=revision)
        shop.make()
    former = shop.preview(f"{EXPOSURE}_rate.r1.QL.jpg").read_bytes()
    monkeypatch.setattr("jwstwatch.imaging.quicklook.LOOKS", 2)
    assert shop.make() == {path: "ql:2:2:120xNone<1"}
    assert shop.preview(f"{EXPOSURE}_rate.r1.QL.jpg").read_bytes() == former


def test_a_run_killed_before_the_mark_was_kept_takes_no_new_picture_for_the_old_one(shop):
    path = f"01345/{EXPOSURE}_rate.fits"
    shop.put(path, level=10.0)
    shop.make()
    former = shop.preview(f"{EXPOSURE}_rate.QL.jpg").read_bytes()
    shop.put(path, level=20.0, revision=2)
    killed = shop.copies[path]
    shop.make()
    shop.copies[path] = killed
    assert shop.make() == {path: "ql:1:2:120xNone<1"}
    assert shop.preview(f"{EXPOSURE}_rate.r1.QL.jpg").read_bytes() == former


def test_copies_at_two_places_share_one_quick_look(shop):
    paths = [f"01345/{folder}/{EXPOSURE}_rate.fits" for folder in ("a", "b")]
    shop.put(paths[0], level=10.0)
    shop.put(paths[1], level=20.0, revision=2)
    assert shop.make() == {paths[0]: "ql:1:1:120xNone", paths[1]: "ql:1:2:120xNone"}
    shown = shop.preview(f"{EXPOSURE}_rate.QL.jpg").read_bytes()
    shop.put(paths[0], level=20.0, revision=2)
    shop.make()
    assert shop.preview(f"{EXPOSURE}_rate.QL.jpg").read_bytes() == shown
    assert shop.previews() == [f"{EXPOSURE}_rate.QL.TN.jpg", f"{EXPOSURE}_rate.QL.jpg"]
    assert shop.make() == {}


def test_one_unreadable_file_is_a_warning_and_the_others_have_pictures(shop):
    shop.put(f"01345/{EXPOSURE}_rate.fits")
    shop.put(f"01345/{EXPOSURE}_cal.jpg")
    shop.make()
    shop.put(f"01345/{EXPOSURE}_rate.fits", b"SIMPLE  = cut", revision=2)
    shop.put(f"01345/{EXPOSURE}_cal.jpg", b"cut", revision=2)
    shop.put(f"01345/{EXPOSURE}_uncal.jpg")
    shop.put(f"01345/{EXPOSURE}_x1d.fits")
    (shop.root / f"01345/{EXPOSURE}_x1d.fits").unlink()
    assert shop.make() == {
        f"01345/{EXPOSURE}_rate.fits": None,
        f"01345/{EXPOSURE}_cal.jpg": None,
        f"01345/{EXPOSURE}_uncal.jpg": "1:120xNone",
    }
    assert sorted(text.partition(":")[0] for text in shop.listener.warnings) == [
        f"no picture of 01345/{EXPOSURE}_cal.jpg",
        f"no picture of 01345/{EXPOSURE}_rate.fits",
        f"no picture of 01345/{EXPOSURE}_x1d.fits",
    ]


def test_a_stop_comes_between_two_pictures(shop, monkeypatch):
    monkeypatch.setattr(picturing, "THREADS", 1)
    for number in range(5):
        shop.put(f"01345/jw0134500100{number}_02101_00001_nrca1_cal.jpg")
    make, before = picturing._make, shop.stop

    def make_one_and_stop(*given: Any) -> Any:
        made = make(*given)
        before.set()
        return made

    monkeypatch.setattr(picturing, "_make", make_one_and_stop)
    assert list(shop.make()) == ["01345/jw01345001000_02101_00001_nrca1_cal.jpg"]


@pytest.mark.parametrize("text", ["1:120xNone", "ql:2:3:Nonex60", "ql:1:3:120xNone<2"])
def test_marks_are_read_as_they_are_written(text):
    assert str(read_mark(text)) == text


@pytest.mark.parametrize("text", [None, "", "ql:1", "1:1:1", "x"])
def test_what_is_no_mark_stands_for_no_picture(text):
    assert read_mark(text) is None


def test_the_mark_says_whose_picture_it_is():
    assert not PictureMark(revision=1, size="120xNone").is_quicklook
    assert read_mark("ql:1:3:120xNone<2") == PictureMark(revision=3, size="120xNone", looks=1, former=2)
