"""Adopting in detail: which root a file belongs to, what proves it, and what a profile does with it later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.core import products
from jwstwatch.core.model import FileState, ListingRow
from jwstwatch.core.parameter_words import ProposalChoice
from jwstwatch.core.planning import DiskKind
from jwstwatch.core.products import Product
from jwstwatch.disk.walking import Walked
from jwstwatch.errors import CancelledError, RootMissingError
from jwstwatch.store.store import open_store
from jwstwatch.sync.judging import UNPROVED, Finding, Place, Verdict, judge, judge_unread
from jwstwatch.sync.surveying import survey
from jwstwatch.sync.taking_in import take_in
from tests.sync.bench import Bench, Listener
from tests.sync.conftest import MakeBench

ADOPTED, STALE, KNOWN, SKIPPED = Verdict.ADOPTED, Verdict.STALE, Verdict.KNOWN, Verdict.SKIPPED


def names(bench: Bench) -> list[str]:
    return [product.name for product in bench.server.catalogue.products]


def fill(bench: Bench, *chosen: str, place: Callable[[str], str] = lambda name: f"old/{name}") -> None:
    """Put files below the output folder as the archive has them now; without names all of them."""
    for name in chosen or names(bench):
        path = bench.root / place(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bench.server.catalogue.read(name).content)


def adopt(
    bench: Bench,
    folder: Path | None = None,
    *,
    choices: Sequence[ProposalChoice] = (),
    dry_run: bool = False,
) -> list[Finding]:
    context = bench.context()
    found = survey(
        folder or bench.root, context.archive, choices=choices, stop=context.stop, report=context.report
    )
    return take_in(context, found, dry_run=dry_run)


def counts(findings: Sequence[Finding]) -> dict[Verdict, int]:
    return dict(Counter(finding.verdict for finding in findings))


# -- what a profile does with it


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"skip_propID2outsubdir": True},
        {"obsnum2outsubdir": False},
        {"skip_propID2outsubdir": True, "obsnum2outsubdir": False, "jpg_separate_subdir": True},
    ],
)
@pytest.mark.parametrize("same", [True, False])
def test_nothing_is_fetched_or_moved_whatever_the_layout(
    bench: Bench, layout: dict[str, bool], same: bool
) -> None:
    bench.configure({"watch": {"propID": 9001} | layout})
    bench.run()
    paths = list(bench.files())
    with open_store(f"sqlite:///{bench.folder}/another.db", upgrade=True) as bench.store:
        bench.configure({"watch": {"propID": 9001} | (layout if same else {"outsubdir": None})})
        assert counts(adopt(bench)) == {ADOPTED: 12}
        record = bench.run()
    assert (record.counts.downloaded, record.counts.unchanged, bench.fetched) == (0, 12, [])
    assert list(bench.files()) == paths


def test_a_profile_takes_a_path_that_nobody_wanted_and_keeps_it(bench: Bench) -> None:
    fill(bench, place=lambda name: f"reduction/by hand/{name}")
    assert counts(adopt(bench)) == {ADOPTED: 12}
    record = bench.run()
    assert (record.counts.downloaded, record.counts.unchanged) == (0, 12)
    name = names(bench)[1]
    bench.server.catalogue.reprocess(name, now=bench.clock, grow=1)
    bench.later(days=1)
    bench.run(full=True)
    assert bench.fetched == [name]
    assert bench.path(name) == bench.root / "reduction" / "by hand" / name
    assert len(bench.files()) == 12


def test_the_layouts_path_comes_first_where_both_are_adopted(bench: Bench) -> None:
    name = names(bench)[0]
    fill(bench, name, place=lambda name: f"a copy/{name}")
    fill(bench, name, place=lambda name: f"09001/obsnum01/{name}")
    assert counts(adopt(bench)) == {ADOPTED: 2}
    assert bench.run().counts.downloaded == 11
    wanted = bench.ask(
        "SELECT path FROM file JOIN want ON want.file_id = file.id WHERE path LIKE ?", f"%{name}"
    )
    assert wanted == [(f"09001/obsnum01/{name}",)]


def test_an_adopted_file_that_vanished_is_fetched_to_the_layouts_path(bench: Bench) -> None:
    name = names(bench)[0]
    fill(bench, name)
    adopt(bench)
    (bench.root / "old" / name).unlink()
    assert bench.run().counts.downloaded == 12
    assert (bench.root / "09001" / "obsnum01" / name).is_file()
    assert not (bench.root / "old" / name).exists()


def test_an_adopted_file_that_became_a_link_is_not_taken_over(bench: Bench, tmp_path: Path) -> None:
    name = names(bench)[0]
    fill(bench, name)
    adopt(bench)
    (bench.root / "old" / name).rename(tmp_path / "mine")
    (bench.root / "old" / name).symlink_to(tmp_path / "mine")
    assert bench.run().counts.downloaded == 12
    assert (bench.root / "09001" / "obsnum01" / name).is_file()


def test_two_profiles_of_other_layouts_share_the_first_ones_choice_or_copy(bench: Bench) -> None:
    fill(bench)
    adopt(bench)
    bench.configure({"watch": {"propID": 9001}, "flat": {"propID": 9001, "skip_propID2outsubdir": True}})
    assert bench.run().counts.downloaded == 0
    bench.run("flat")
    assert bench.fetched == [], "what the first profile has by now is copied"


# -- where it lies


def test_linked_folders_are_followed_once_and_loops_end(bench: Bench, tmp_path: Path) -> None:
    other_disk = tmp_path / "other disk"
    bench.root.mkdir()
    other_disk.mkdir()
    for name in ("linked", "zz again"):
        (bench.root / name).symlink_to(other_disk)
    (other_disk / "loop").symlink_to(bench.root)
    fill(bench, place=lambda name: f"linked/{name}")
    (bench.root / names(bench)[0]).symlink_to(other_disk / names(bench)[0])
    findings = adopt(bench)
    assert counts(findings) == {ADOPTED: 12, SKIPPED: 1}
    (skipped,) = [finding for finding in findings if finding.verdict is SKIPPED]
    assert skipped.place.full == bench.root / names(bench)[0]
    assert skipped.reason == "it is a link, and left alone"
    assert bench.run().counts.downloaded == 0


def test_a_folder_below_an_output_folder_is_part_of_it(bench: Bench) -> None:
    fill(bench)
    findings = adopt(bench, bench.root / "old")
    assert {finding.place.root for finding in findings} == {bench.root}
    assert (bench.root / ".jwstwatch-root").is_file()
    assert not (bench.root / "old" / ".jwstwatch-root").exists()
    assert bench.run().counts.downloaded == 0


def test_each_file_belongs_to_the_deepest_output_folder_around_it(bench: Bench) -> None:
    bench.configure({"watch": {"propID": 9001, "outsubdir": "team/a"}, "other": {"propID": 1}})
    first, second, *_ = names(bench)
    fill(bench, first, place=lambda name: f"team/a/x/{name}")
    fill(bench, second, place=lambda name: f"team/{name}")
    places = {finding.place.found.name: finding.place for finding in adopt(bench, bench.root / "team")}
    assert (places[first].root, places[first].path) == (bench.root / "team" / "a", f"x/{first}")
    assert (places[second].root, places[second].path) == (bench.root, f"team/{second}")


def test_a_root_that_only_the_state_knows_counts_too(bench: Bench) -> None:
    fill(bench, names(bench)[0])
    adopt(bench)
    bench.configure({"watch": {"propID": 9001}}, outrootdir=str(bench.folder / "new"))
    fill(bench, names(bench)[1])
    findings = adopt(bench, bench.root / "old")
    assert {finding.place.root for finding in findings} == {bench.root}
    assert counts(findings) == {ADOPTED: 1, KNOWN: 1}


def test_a_root_reached_through_a_link_is_the_same_root(bench: Bench, tmp_path: Path) -> None:
    fill(bench)
    (tmp_path / "shortcut").symlink_to(bench.root / "old")
    findings = adopt(bench, tmp_path / "shortcut")
    assert {finding.place.root for finding in findings} == {bench.root}
    assert bench.run().counts.downloaded == 0


def test_a_root_without_its_marker_is_not_filled(bench: Bench) -> None:
    first, second, *_ = names(bench)
    fill(bench, first)
    adopt(bench)
    (bench.root / ".jwstwatch-root").unlink()
    fill(bench, second)
    with pytest.raises(RootMissingError):
        adopt(bench)
    assert set(bench.reports()) == {first}


# -- what is looked at, and when it ends


def test_only_the_proposals_and_observations_asked_for_are_looked_at(make_bench: MakeBench) -> None:
    bench = make_bench(None)
    wanted = [
        name for name in names(bench) if name.startswith(("jw05224012001_02101_00001_nrcalong", "jw01410001"))
    ]
    fill(bench, *wanted)

    def looked_at(*choices: ProposalChoice) -> set[str]:
        return {finding.place.found.name[:10] for finding in adopt(bench, choices=choices, dry_run=True)}

    assert looked_at(ProposalChoice(proposal=5224)) == {"jw05224012"}
    assert looked_at(
        ProposalChoice(proposal=5224, obsnums=(12,)), ProposalChoice(proposal=1410, obsnums=(9,))
    ) == {"jw05224012"}
    assert looked_at() == {"jw05224012", "jw01410001"}


def test_the_archive_is_asked_until_every_name_is_found_and_no_longer(make_bench: MakeBench) -> None:
    bench = make_bench(20)
    newest = [name for name in names(bench) if name.startswith(names(bench)[-1].rpartition("_")[0])]
    fill(bench, *newest)
    assert counts(adopt(bench)) == {ADOPTED: 3}
    assert bench.asked_products == 1, "of those first that files are named after"
    fill(bench)
    assert counts(adopt(bench)) == {KNOWN: 3, ADOPTED: 57}


def test_adopting_again_finds_everything_known_and_reads_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bench)
    adopt(bench)
    before, events = bench.reports(), bench.ask("SELECT count(*) FROM event")
    monkeypatch.setattr("jwstwatch.sync.judging.check", lambda *_: pytest.fail("it was read"))
    assert counts(adopt(bench)) == counts(adopt(bench, dry_run=True)) == {KNOWN: 12}
    assert (bench.reports(), bench.ask("SELECT count(*) FROM event")) == (before, events)


def test_a_file_of_another_size_than_before_is_judged_anew(bench: Bench) -> None:
    fill(bench)
    adopt(bench)
    name = names(bench)[1]
    bench.server.catalogue.reprocess(name, now=bench.clock, grow=1)
    (bench.root / "old" / name).write_bytes(bench.server.catalogue.read(name).content)
    (finding,) = [finding for finding in adopt(bench) if finding.verdict is not KNOWN]
    assert (finding.place.found.name, finding.verdict) == (name, ADOPTED)
    report = bench.reports()[name]
    assert (report.state, report.revision, report.size) == (FileState.PRESENT, 2, finding.place.found.size)
    for _ in range(2):
        (bench.root / "old" / name).write_bytes(bench.server.catalogue.read(name).content)
        bench.server.catalogue.reprocess(name, now=bench.clock, grow=1)
    (finding,) = [finding for finding in adopt(bench) if finding.verdict is not KNOWN]
    assert (finding.place.found.name, finding.verdict) == (name, STALE)
    assert bench.reports()[name].state is FileState.STALE


def test_what_a_run_left_failed_is_adopted_where_it_is_found(bench: Bench) -> None:
    from jwstwatch.demo.server import Fault, FaultKind

    name = names(bench)[1]
    bench.server.faults.add(Fault(kind=FaultKind.STATUS, uri=f"*{name}", status=404, times=None))
    bench.attempt()
    assert bench.states()[name] is FileState.FAILED
    fill(bench, name, place=lambda name: f"09001/obsnum01/{name}")
    assert counts(adopt(bench)) == {KNOWN: 11, ADOPTED: 1}
    record = bench.run()
    assert (record.counts.downloaded, record.counts.unchanged) == (0, 12)


class _Stops(Listener):
    """Asks to stop after the first group."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._bench = bench
        self.heard: list[tuple[int, int]] = []

    def checked(self, *, files: int, done: int) -> None:
        self.heard.append((files, done))
        self._bench.stop.set()


def test_what_was_adopted_before_a_stop_is_kept_and_the_rest_follows(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwstwatch.sync.taking_in.GROUP", 5)
    fill(bench)
    bench.heard = listener = _Stops(bench)
    with pytest.raises(CancelledError):
        adopt(bench)
    assert listener.heard == [(12, 5)]
    assert len(bench.reports()) == 5
    bench.heard = Listener()
    bench.stop.clear()
    assert counts(adopt(bench)) == {KNOWN: 5, ADOPTED: 7}


# -- what proves a file


HEAD = "jw01345001001_02101_00001_nrca1"


def listed(name: str, *rows: dict[str, Any]) -> Product:
    """A product as rows list it; by default one of its own observation with size and version."""
    facts: dict[str, Any] = {
        "uri": f"mast:JWST/product/{name}", "name": name, "obs_id": HEAD, "obsid": 1, "parent_obsid": 1
    }  # fmt: skip
    made = [
        ListingRow(**(facts | {"obsid": number, "parent_obsid": number} | row))
        for number, row in enumerate(rows, start=1)
    ]
    (product,) = products.group(made, {})
    return product


def fits(path: Path, **cards: str) -> Place:
    lines = [
        "SIMPLE  =                    T",
        "BITPIX  =                    8",
        "NAXIS   =                    0",
    ]
    lines += [f"{name:8}= '{value}'" for name, value in cards.items()] + ["END"]
    path.write_bytes("".join(line.ljust(80) for line in lines).ljust(2880).encode())
    return place_of(path)


def place_of(path: Path) -> Place:
    found = Walked(path=path.name, kind=DiskKind.FILE, size=path.stat().st_size)
    return Place(root=path.parent, path=path.name, found=found)


@pytest.mark.parametrize(
    ("rows", "verdict", "reason", "note"),
    [
        ([{"size": 2880, "prvversion": "1.2.3"}], ADOPTED, None, None),
        ([{"size": 2880}], ADOPTED, None, None),
        ([{"prvversion": "1.2.3"}], ADOPTED, None, None),
        ([{}], ADOPTED, None, UNPROVED),
        (
            [{"size": 2881, "prvversion": "1.2.3"}],
            STALE,
            "found with 2880 bytes, the archive lists 2881",
            None,
        ),
        (
            [{"size": 2880, "prvversion": "1.3.0"}],
            STALE,
            "made by pipeline 1.2.3, the archive states 1.3.0",
            None,
        ),
        # The row of an association speaks of the association.
        ([{"size": 2880, "prvversion": "1.3.0", "obs_id": "jw01345-o001_t001_nircam"}], ADOPTED, None, None),
        # Rows that disagree state nothing.
        ([{"size": 2880, "prvversion": "1.2.3"}, {"size": 2880, "prvversion": "1.3.0"}], ADOPTED, None, None),
    ],
)
def test_size_and_pipeline_version_count_where_both_sides_state_them(
    tmp_path: Path, rows: list[dict[str, Any]], verdict: Verdict, reason: str | None, note: str | None
) -> None:
    name = f"{HEAD}_rate.fits"
    finding = judge(fits(tmp_path / name, CAL_VER="1.2.3 "), listed(name, *rows), None, hashed=True)
    assert (finding.verdict, finding.reason, finding.note) == (verdict, reason, note)


def test_a_file_that_says_nothing_of_its_making_is_held_to_its_size(tmp_path: Path) -> None:
    name = f"{HEAD}_rate.fits"
    place = fits(tmp_path / name)
    product = listed(name, {"size": 2880, "prvversion": "1.3.0"})
    assert judge(place, product, None, hashed=False).verdict is ADOPTED


def test_the_history_tells_reason_digest_and_header(tmp_path: Path) -> None:
    name = f"{HEAD}_rate.fits"
    place = fits(tmp_path / name, CAL_VER="1.2.3", CRDS_CTX="jwst_1322.pmap", SDP_VER="2025_1a")
    finding = judge(place, listed(name, {"size": 1}), None, hashed=True)
    assert finding.fingerprint is not None
    assert finding.history == (
        f"found with 2880 bytes, the archive lists 1; 2880 bytes, SHA-256 {finding.fingerprint.sha256}; "
        "header: CAL_VER 1.2.3, CRDS_CTX jwst_1322.pmap, SDP_VER 2025_1a"
    )


def test_a_file_that_vanishes_or_may_not_be_read_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{HEAD}_rate.fits"
    place, product = fits(tmp_path / name), listed(name, {"size": 2880})

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("jwstwatch.sync.judging.fingerprint", refuse)
    finding = judge(place, product, None, hashed=True)
    assert (finding.verdict, finding.reason) == (SKIPPED, "it cannot be read: Permission denied")
    (tmp_path / name).unlink()
    assert judge(place, product, None, hashed=True).verdict is SKIPPED


def test_a_path_that_no_run_could_use_is_skipped(tmp_path: Path) -> None:
    name = f"{HEAD}_rate.fits"
    place = fits(tmp_path / name)
    odd = replace(place, path=f"back\\slash/{name}")
    finding = judge_unread(odd, listed(name, {"size": 2880}))
    assert finding is not None
    assert finding.verdict is SKIPPED
    assert "path separator" in str(finding.reason)
    assert judge_unread(place, listed(name, {"size": 2880})) is None


def test_a_dropped_file_and_another_products_path_are_skipped(synced: Bench) -> None:
    name = names(synced)[0]
    context = synced.context()
    root = context.store.roots.get(synced.root)
    assert root is not None
    path = f"09001/obsnum01/{name}"
    known, uri = context.store.plans.standing(root.id, [path])[path]
    place = replace(place_of(synced.path(name)), root=synced.root, path=path)
    product = listed(name, {"size": 1})
    assert judge(place, product, (known, uri), hashed=False).verdict is KNOWN
    dropped = replace(known, known=replace(known.known, declined=True))
    assert judge(place, product, (dropped, uri), hashed=False).reason == "it was dropped on purpose"
    other = judge(place, product, (known, "mast:OTHER/x"), hashed=False)
    assert other.reason == "the state has another product at its path: mast:OTHER/x"
