"""Which file of a row is read for the pages, and when what was read once will do."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.headers import STANDARD_KEYWORDS, covers, describe, extras, place

EXPOSURE = "jw01345001001_02101_00001_nrca1"
PRODUCT = "jw01345-o001_t001_nircam_clear-f200w"
STANDARD = frozenset(STANDARD_KEYWORDS)


def test_the_file_that_tells_most_of_a_row_comes_first() -> None:
    endings = ["rate", "rateints", "cal", "calints", "uncal", "trapsfilled"]
    places = [place(f"{EXPOSURE}_{ending}.fits") for ending in endings]
    assert [rank for _, rank in places] == list(range(len(endings)))
    assert {bundle for bundle, _ in places} == {EXPOSURE}
    assert place(f"{EXPOSURE}_o001_crf.fits") == place(f"{EXPOSURE}_o001_cal.fits") == places[-1]
    products = ["i2d", "s2d", "s3d", "x1d", "c1d", "segm"]
    assert [place(f"{PRODUCT}_{ending}.fits") for ending in products] == [
        (PRODUCT, rank) for rank in range(len(products))
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"{EXPOSURE}_rate.fits", "jw01345001001_02101_00001_nrca2_rate.fits"),
        (
            "jw01366004001_04101_00001-seg001_nrs1_rate.fits",
            "jw01366004001_04101_00001-seg002_nrs1_rate.fits",
        ),
        (
            "jw01345001001_gs-fg_2022172012345_cal.fits",
            "jw01345001001_gs-fg_2022172012346_cal.fits",
        ),
        ("jw01345001001_01_msa.fits", "jw01345001001_02_msa.fits"),
        ("something.fits", "other.fits"),
    ],
)
def test_rows_of_their_own_are_read_each(one: str, other: str) -> None:
    assert place(one)[0] != place(other)[0]


names = st.frozensets(st.text("ABCXYZ-_0189=!", min_size=1, max_size=8), max_size=6)


@given(names, names, st.booleans(), st.booleans())
def test_what_was_read_will_do_for_as_many_keywords_or_fewer(
    read: frozenset[str], asked: frozenset[str], with_standard: bool, asks_standard: bool
) -> None:
    read = read | STANDARD if with_standard else read
    asked = asked | STANDARD if asks_standard else asked
    assert covers(describe(read), asked) == (asked <= read)
    assert describe(read) == describe(frozenset(sorted(read, reverse=True)))


def test_the_standard_keywords_take_little_room_and_others_are_told_apart() -> None:
    assert describe(STANDARD | {"TSOVISIT", "ABC"}).endswith(" ABC TSOVISIT")
    assert len(describe(STANDARD)) < 20
    assert extras(describe(STANDARD | {"TSOVISIT", "ABC"})) == {"TSOVISIT", "ABC"}
    assert extras("") == extras(hashlib.sha256(b"x").hexdigest()) == frozenset()


def test_the_digest_of_an_older_state_will_do_for_the_same_keywords_only() -> None:
    asked = STANDARD | {"ABC"}
    digest = hashlib.sha256(" ".join(sorted(asked)).encode()).hexdigest()
    assert covers(digest, asked)
    assert not covers(digest, STANDARD)
    assert not covers(digest, asked | {"XYZ"})


def test_there_are_about_sixty_standard_keywords_each_once() -> None:
    assert len(STANDARD) == len(STANDARD_KEYWORDS)
    assert 60 <= len(STANDARD) <= 90
