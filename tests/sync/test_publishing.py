"""Pages as runs leave them: of what changed only, whole whatever happens, the same for whoever fetched it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.core.model import FileState, Outcome
from jwstwatch.core.parameters import Parameters
from jwstwatch.sync import picturing
from tests.pages.reading import read_facts, read_html, read_script
from tests.sync.bench import Bench

PAGES = {"propID": 1345, "obsnums": [1, 2], "makewebpages": True, "every": "6h"}
PARTS = Path("01345/jwstwatch-pages")


def site(bench: Bench) -> dict[str, int]:
    """The generated files of the site, each with when it was written."""
    return {
        str(path.relative_to(bench.root)): path.stat().st_mtime_ns
        for path in sorted(bench.root.rglob("*"))
        if path.is_file() and ("jwstwatch-" in str(path) or path.name.startswith(("index", "01345.", "feed")))
    }


def rewritten(bench: Bench, before: dict[str, int]) -> list[str]:
    now = site(bench)
    return [path for path in now if now[path] != before.get(path) and "standing" not in path]


def rows(bench: Bench, part: str, section: str = "exposures") -> Iterator[tuple[str, dict[str, Any]]]:
    """What the data script of a part says: each row's key, and its pictures by kind."""
    content = (bench.root / PARTS / f"{part}.{section}.1.js").read_bytes()
    _, document = read_script(content)
    for key, _, cells, _, *more in document["rows"]:
        pictures = [cell["p"] for cell in cells if isinstance(cell, dict) and "p" in cell]
        pictures += more[0] if more else []
        for picture in pictures:
            for name in ("t", "f", "o"):
                if picture.get(name):
                    folder, file = picture[name][:2]
                    place = bench.root / document["folders"][folder] / file.replace("~", key)
                    assert place.stat().st_size > 0, f"{place} is named on the page"
        yield key, {picture["k"]: picture for picture in pictures}


@pytest.fixture
def ceers(make_bench) -> Bench:
    """The demo archive, with a profile that keeps pages of a proposal and has no picture of the archive's."""
    bench = make_bench(None)
    bench.configure({"watch": PAGES | {"filetypes": ["rate", "cal", "i2d"]}})
    bench.run()
    return bench


def test_a_change_in_one_observation_rewrites_what_shows_it_and_no_other_part(ceers: Bench) -> None:
    before = site(ceers)
    assert ceers.run().counts.pages == 0
    assert rewritten(ceers, before) == []
    ceers.later(days=1)
    ceers.server.catalogue.add_exposure(
        like="jw01345001001_02101_00001_nrca1", start=ceers.clock - timedelta(hours=3), now=ceers.clock
    )
    assert ceers.run().counts.downloaded
    written = rewritten(ceers, before)
    assert "01345/index.html" in written
    assert {path.partition(".")[0] for path in written if "obs" in path and "previews" not in path} == {
        f"{PARTS}/obs001"
    }
    assert f"{PARTS}/obs001.exposures.1.js" in written


def test_files_without_pictures_in_the_archive_get_their_own(ceers: Bench) -> None:
    shown = dict(rows(ceers, "obs001"))
    assert shown
    for key, pictures in shown.items():
        assert pictures["rate"]["f"][1] == "~_rate.QL.jpg", key
        assert pictures["cal"]["t"][1] == "~_cal.QL.TN.jpg", key
    assert [picture["f"][1] for _, found in rows(ceers, "obs001", "products") for picture in found.values()]


@pytest.mark.parametrize("kind", ["fits", "jpg"])
def test_a_reprocessed_picture_has_its_predecessor_beside_it(make_bench, kind: str) -> None:
    bench = make_bench(None)
    bench.configure({"watch": PAGES | {"filetypes": [f"_rate.{kind}"]}})
    bench.run()
    key, pictures = next(rows(bench, "obs001"))
    assert "o" not in pictures["rate"]
    for version in ("1.21.0", "1.22.0"):
        bench.later(days=8)
        bench.server.catalogue.reprocess_observation(key, now=bench.clock, version=version, grow=1)
        assert bench.run().counts.downloaded
    _, pictures = next(rows(bench, "obs001"))
    assert pictures["rate"]["r"] == 3
    assert pictures["rate"]["o"][2] == 2
    # None but the last one is kept.
    kept = [path for path in bench.root.rglob("*rate*") if "/r1/" in str(path) or ".r1." in path.name]
    assert kept == []


def test_the_table_of_products_that_is_put_together_of_pieces_is_the_whole_table(ceers: Bench) -> None:
    def table() -> list[str]:
        return (ceers.root / "01345" / "01345.products.txt").read_text().splitlines()

    names = {report.name for report in ceers.reports().values() if report.state is FileState.PRESENT}
    head, *lines = table()
    assert head.split() == list(Parameters().outcolumns_productTable)
    place = head.split().index("productFilename")
    assert {line.split()[place] for line in lines} == names
    assert len(lines) == len(names)
    ceers.later(days=1)
    longer = ceers.server.catalogue.add_exposure(
        like=next(key for key, _ in rows(ceers, "obs002")),
        start=ceers.clock - timedelta(hours=3),
        now=ceers.clock,
    )
    ceers.run()
    assert longer in "".join(table())
    starts = {line.index(line.split()[place]) for line in table()}
    assert len(starts) == 1, "the columns stand under their heads"
    # What somebody spoilt is made anew, once it is touched.
    whole = table()
    for piece in (ceers.root / PARTS).glob("*.products.txt"):
        piece.write_bytes(b"spoilt \xff\n")
    (ceers.root / PARTS / "obs001.products.txt").unlink()
    ceers.configure({"watch": PAGES | {"filetypes": ["rate", "cal", "i2d"], "webpage_sortcols": ["obsnum"]}})
    ceers.run()
    assert table() == whole


def test_a_site_that_was_cut_short_is_the_old_one_and_the_next_run_completes_it(
    ceers: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = (ceers.root / "01345" / "index.html").read_bytes()
    ceers.later(days=8)
    for key in [next(key for key, _ in rows(ceers, part)) for part in ("obs001", "obs002")]:
        ceers.server.catalogue.reprocess_observation(key, now=ceers.clock, grow=1)
    make = picturing.make_pictures

    def stopping(*arguments: Any, **options: Any) -> Any:
        made = make(*arguments, **options)
        ceers.stop.set()
        return made

    with monkeypatch.context() as patch:
        patch.setattr(picturing, "make_pictures", stopping)
        assert ceers.attempt().record.outcome is Outcome.CANCELLED
    ceers.stop.clear()
    assert (ceers.root / "01345" / "index.html").read_bytes() == old
    named = [part["id"] for part in read_facts(read_html(old))["parts"]]
    for part in named:
        if (ceers.root / PARTS / f"{part}.exposures.1.js").exists():
            assert list(rows(ceers, part))
    assert ceers.run().counts.pages
    assert (ceers.root / "01345" / "index.html").read_bytes() != old
    for part in ("obs001", "obs002"):
        assert any("o" in pictures["rate"] for _, pictures in rows(ceers, part))
    assert ceers.run().counts.pages == 0


def test_two_profiles_share_the_page_of_a_proposal(make_bench) -> None:
    bench = make_bench(None)
    columns = {"webpage_cols4table": ["obsnum", "rate"]}
    bench.configure(
        {
            "watch": PAGES | {"filetypes": ["rate"]} | columns,
            "other": PAGES | {"filetypes": ["cal"], "webpage_cols4table": ["cal", "obsnum"]},
        }
    )
    bench.run()
    bench.run("other")
    page = read_html((bench.root / "01345" / "index.html").read_bytes())
    assert read_facts(page)["columns"]["exposures"] == ["obsnum", "rate", "cal"]
    for _, pictures in rows(bench, "obs001"):
        assert set(pictures) == {"rate", "cal"}
    assert bench.run().counts.pages == 0
    # The other profile is given up: its columns go, its files stay on the page.
    bench.configure({"watch": PAGES | {"filetypes": ["rate"]} | columns})
    assert bench.run().counts.pages
    page = read_html((bench.root / "01345" / "index.html").read_bytes())
    assert read_facts(page)["columns"]["exposures"] == ["obsnum", "rate"]
    assert "_cal.fits" in (bench.root / PARTS / "obs001.exposures.1.js").read_text()


def test_a_page_that_no_profile_keeps_up_goes_with_the_last_of_its_files(make_bench) -> None:
    bench = make_bench(None)
    bench.configure({"watch": PAGES | {"filetypes": ["rate"]}})
    bench.run()
    page = bench.root / "01345" / "index.html"
    # Another profile takes the folder over; of the first one's files some are known and never came.
    bench.configure({"other": PAGES | {"propID": 2733, "obsnums": [1], "filetypes": ["rate"]}})
    bench.run("other")
    assert page.is_file()
    with bench.store.database.write() as connection:
        for (path,) in bench.ask("SELECT path FROM file WHERE path LIKE '01345/%'"):
            (bench.root / path).unlink(missing_ok=True)
        connection.exec_driver_sql("UPDATE file SET state = 'withheld' WHERE path LIKE '01345/%'")
    bench.later(hours=7)
    bench.run("other")
    assert not page.exists()
    assert list((bench.root / "01345").rglob("*.html")) == []
    home = (bench.root / "index.html").read_text()
    assert 'data-proposal="2733"' in home
    assert 'data-proposal="1345"' not in home
