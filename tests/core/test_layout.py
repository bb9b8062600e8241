"""Where products lie: as jwst_mast_query's users know it, and never outside the root."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jwstwatch.core.layout import LayoutRules, relative_path, safe_name, thumbnail_name
from jwstwatch.core.model import ListingRow
from jwstwatch.core.naming import parse
from jwstwatch.core.products import Product, group
from jwstwatch.errors import UnsafePathError


def product(name: str, *, proposal: int | None = None, obsnum: int | None = None) -> Product:
    parsed = parse(name)
    return Product(
        uri=f"mast:JWST/product/{name}",
        name=name,
        parsed=parsed,
        rows=(),
        proposal=parsed.proposal if proposal is None else proposal,
        obsnum=parsed.obsnum if obsnum is None else obsnum,
        filetype=parsed.filetype,
        size=None,
        exclusive=False,
    )


FITS = "jw01410023001_02101_00001_nrca1_rate.fits"
JPG = "jw01410023001_02101_00001_nrca1_rate.jpg"


@pytest.mark.parametrize(
    ("rules", "name", "expected"),
    [
        (LayoutRules(), FITS, f"01410/obsnum23/{FITS}"),
        (LayoutRules(), JPG, f"01410/obsnum23/{JPG}"),
        (LayoutRules(jpg_separate_subdir=True), JPG, f"01410/obsnum23/jpg/{JPG}"),
        (LayoutRules(jpg_separate_subdir=True), FITS, f"01410/obsnum23/{FITS}"),
        (LayoutRules(skip_propID2outsubdir=True), FITS, f"obsnum23/{FITS}"),
        (LayoutRules(obsnum2outsubdir=False), FITS, f"01410/{FITS}"),
        (
            LayoutRules(obsnum2outsubdir=False, propIDs_obsnum2outsubdir={1410}),
            FITS,
            f"01410/obsnum23/{FITS}",
        ),
        (LayoutRules(obsnum2outsubdir=False, propIDs_obsnum2outsubdir={1409}), FITS, f"01410/{FITS}"),
        (LayoutRules(skip_propID2outsubdir=True, obsnum2outsubdir=False), FITS, FITS),
        (LayoutRules(), "jw01410-o103_t001_nircam_clear-f200w_i2d.fits",
         "01410/obsnum103/jw01410-o103_t001_nircam_clear-f200w_i2d.fits"),
        (LayoutRules(), "jw01410-c1001_t001_nircam_clear-f200w_i2d.fits",
         "01410/NA/jw01410-c1001_t001_nircam_clear-f200w_i2d.fits"),
        (LayoutRules(), "jw12782004001_01_msa.fits", "12782/obsnum04/jw12782004001_01_msa.fits"),
        (LayoutRules(), "notes.txt", "unknown/NA/notes.txt"),
        (LayoutRules(obsnum2outsubdir=False), "notes.txt", "unknown/notes.txt"),
    ],
)  # fmt: skip
def test_a_product_lies_where_the_parameters_say(rules: LayoutRules, name: str, expected: str) -> None:
    assert relative_path(product(name), rules) == expected


def test_a_number_learned_from_siblings_makes_the_folder() -> None:
    candidate = "jw01409-c1001_t001_nircam_clear-f200w"
    rows = [
        ListingRow(uri=name, name=name, obs_id=name.rpartition("_")[0], obsid=number, parent_obsid=9)
        for number, name in enumerate((f"{candidate}_i2d.fits", "jw01409003001_02101_00001_nrca1_cal.fits"))
    ]

    paths = {relative_path(found, LayoutRules()) for found in group(rows, {})}

    assert f"01409/obsnum03/{candidate}_i2d.fits" in paths


rules = st.builds(
    LayoutRules,
    skip_propID2outsubdir=st.booleans(),
    obsnum2outsubdir=st.booleans(),
    propIDs_obsnum2outsubdir=st.frozensets(st.integers(0, 3)),
    jpg_separate_subdir=st.booleans(),
)
names = (
    st.text(max_size=40)
    | st.text("./\\\x00\x1b\x7f\n\u202ejw01.fitsjpg", max_size=12)
    | st.from_regex(r"jw\d{5}\d{3}001_02101_00001_nrca1_(rate|cal)\.(fits|jpg)", fullmatch=True)
)
proposals = st.none() | st.integers(-5, 10**6)


@given(names, proposals, proposals, rules)
def test_a_path_is_confined_to_its_root_or_refused(
    name: str, proposal: int | None, obsnum: int | None, rules: LayoutRules
) -> None:
    try:
        path = relative_path(product(name, proposal=proposal, obsnum=obsnum), rules)
    except UnsafePathError:
        return
    parts = path.split("/")
    assert 1 <= len(parts) <= 4
    assert parts[-1] == name
    assert not PurePosixPath(path).is_absolute()
    for part in parts:
        assert part
        assert not part.startswith(".")
        assert "\\" not in part
        assert part.isprintable() or not re.search(r"[\x00-\x1f\x7f-\x9f]", part)
        assert len(part.encode()) <= 255
    for folder in parts[:-1]:
        assert re.fullmatch(r"\d{5,}|unknown|obsnum\d{2,}|NA|jpg", folder, re.ASCII)
    assert path == relative_path(product(name, proposal=proposal, obsnum=obsnum), rules)


@given(names, names, rules)
def test_two_names_never_share_a_path(one: str, other: str, rules: LayoutRules) -> None:
    assume(one != other)
    try:
        paths = {relative_path(product(name), rules) for name in (one, other)}
    except UnsafePathError:
        return
    assert len(paths) == 2


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", ".jwstwatch-root", ".x.fits.1.part", "a/b.fits", "../x", "/etc/passwd", "a\\b.fits",
        "a\x00.fits", "a\n.fits", "a\x1b[2J.fits", "a\x7f.fits", "a\x9f.fits", "a\u202estif.fits",
        "a\u2028.fits", "a\ud800.fits", "x" * 250 + ".fits", "ä" * 120 + ".fits",
        "index.html", "Index.HTML", "feed.xml", "feed.json", "jwstwatch-assets", "jwstwatch-pages",
        "SHA256SUMS", "01345.products.txt", "01345.exposures.csv", "x_rate.TN.jpg", "x_rate.QL.jpg",
        "x_rate.r1.QL.jpg",
    ],
)  # fmt: skip
def test_a_name_that_could_do_harm_is_refused(name: str) -> None:
    with pytest.raises(UnsafePathError):
        safe_name(name)


@pytest.mark.parametrize("name", [FITS, JPG, "a..b.fits", "ümlaut x.fits", "x" * 200 + ".fits"])
def test_an_ordinary_name_is_kept_as_it_is(name: str) -> None:
    assert safe_name(name) == name


def test_a_thumbnail_is_named_after_its_picture() -> None:
    assert thumbnail_name("x_rate.jpg") == "x_rate.TN.jpg"
    assert thumbnail_name("a.b_rate.jpg") == "a.b_rate.TN.jpg"
    assert thumbnail_name("picture") == "picture.TN.jpg"
