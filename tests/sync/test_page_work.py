"""What publishing costs in a small and in a large state, in counts: statements, steps, files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from jwstwatch.core.headers import STANDARD_KEYWORDS, describe
from jwstwatch.core.parameters import Parameters
from tests.pages import big, bigsite
from tests.pages.bigsite import FOLDER, Site, Work

# Both end five exposures into an observation, and have more arrivals than the feeds look at.
SMALL = 6 * big.PER_OBSERVATION + 5
LARGE = 16 * big.PER_OBSERVATION + 5
KEYWORDS = describe(frozenset((*STANDARD_KEYWORDS, *Parameters().webpage_fitskeys2table)))


@pytest.fixture(scope="module")
def sites(tmp_path_factory) -> Iterator[tuple[Site, Site]]:
    """A small and a large site, published once. None of their data files exist: nothing may open them."""
    with ExitStack() as stack:

        def make(exposures: int) -> Site:
            folder = tmp_path_factory.mktemp("site")
            site = stack.enter_context(
                bigsite.make_site(folder, exposures, names=KEYWORDS, webpage_mkthumbnails=False)
            )
            site.publish()
            return site

        yield make(SMALL), make(LARGE)


@pytest.fixture(scope="module")
def refreshed(sites) -> tuple[Work, Work]:
    """What it cost to publish one more exposure in each of them."""
    small, large = sites
    small.add(SMALL)
    large.add(LARGE)
    return small.publish(), large.publish()


def test_publishing_needs_no_fits_file_whose_header_is_kept(sites):
    assert [site.warnings.texts for site in sites] == [[], []]


def test_one_new_exposure_takes_as_many_statements_among_many_as_among_few(refreshed):
    small, large = refreshed
    assert len(large.statements) == len(small.statements)
    assert len(large.statements) < 80


def test_one_new_exposure_reads_the_rows_of_its_own_observation(refreshed):
    small, large = refreshed
    assert large.steps < 1.5 * small.steps


def test_one_new_exposure_rewrites_what_names_it_and_nothing_else(refreshed):
    _, large = refreshed
    pages = f"{FOLDER}/jwstwatch-pages"
    assert {str(path) for path in large.written} == {
        f"{FOLDER}/index.html",
        f"{FOLDER}/{FOLDER}.exposures.csv",
        f"{FOLDER}/{FOLDER}.products.txt",
        f"{pages}/obs017.csv",
        f"{pages}/obs017.exposures.1.js",
        f"{pages}/obs017.exposures.details.1.js",
        f"{pages}/obs017.html",
        f"{pages}/obs017.products.txt",
        "index.html",
        "feed.json",
        "feed.xml",
    }


def test_publishing_again_writes_nothing_and_asks_nothing_that_grows(sites, refreshed):
    small, large = [site.publish() for site in sites]
    assert small.written == large.written == []
    assert len(large.statements) == len(small.statements) < 12
    assert large.steps <= small.steps + 1000


def test_no_file_of_a_large_site_is_too_large_for_a_page(sites):
    _, large = sites
    sizes = {path.name: path.stat().st_size for path in large.stamps() if path.suffix in (".html", ".js")}
    assert max(sizes.values()) < 500_000, max(sizes, key=sizes.__getitem__)
