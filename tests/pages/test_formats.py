from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwstwatch.pages import formats


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, ""),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (63_672, "63.7 kB"),
        (999_499, "999 kB"),
        (999_600, "1.00 MB"),
        (117_452_160, "117 MB"),
        (14_600_000_000, "14.6 GB"),
        (2 * 10**19, "20000 PB"),
    ],
)
def test_a_size_has_three_digits_and_a_unit(size, text):
    assert formats.format_bytes(size) == text


@pytest.mark.parametrize(
    ("mjd", "text"),
    [
        (None, ""),
        (59751.175087326, "2022-06-21T04:12Z"),
        (0.0, "1858-11-17T00:00Z"),
        (1e12, ""),
        (float("nan"), ""),
    ],
)
def test_a_julian_date_is_shown_as_utc(mjd, text):
    assert formats.format_mjd(mjd) == text


def test_a_time_of_any_zone_is_shown_as_utc():
    zone = timezone(timedelta(hours=-4))
    assert formats.format_time(datetime(2026, 11, 20, 23, 12, 59, tzinfo=zone)) == "2026-11-21T03:12Z"
    assert formats.format_time(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00Z"
    assert formats.format_time(None) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "T"),
        (False, "F"),
        (7, "7"),
        ("F115W", "F115W"),
        (245.9818520833333, "245.981852"),
        (107.0, "107"),
        (0.0, "0"),
        (1.5e-9, "1.5e-09"),
        (-3.2e12, "-3.2e+12"),
        (float("nan"), "nan"),
    ],
)
def test_a_header_value_is_short_and_true_to_its_type(value, text):
    assert formats.format_keyword(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(None, ""), (107.368, "107.4 s"), (15756.003, "15,756 s")])
def test_an_exposure_time_is_in_seconds(seconds, text):
    assert formats.format_seconds(seconds) == text


@pytest.mark.parametrize("path", [None, "", "/etc/passwd", "../x", "01345/../../x", "//host/x"])
def test_what_would_lead_out_of_the_root_is_no_link(path):
    assert formats.make_link(path, "01345") is None


@settings(deadline=None)
@given(
    names=st.lists(
        st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1), min_size=1
    ),
    folder=st.sampled_from(["", "01345", "01345/jwstwatch-pages"]),
    inside=st.booleans(),
)
def test_a_link_leads_a_browser_from_the_page_to_the_file(names, folder, inside):
    names = [name for name in names if name not in (".", "..")]
    if inside and folder:
        names = [folder, *names, "end"]
    path = "/".join(names)
    link = formats.make_link(path, folder)
    if not path:
        assert link is None
        return
    page = f"https://team.example/data/{folder}/index.html".replace("data//", "data/")
    target = urlsplit(urljoin(page, link))
    assert (target.scheme, target.netloc) == ("https", "team.example")
    assert (target.query, target.fragment) == ("", "")
    assert unquote(target.path) == f"/data/{path}"
