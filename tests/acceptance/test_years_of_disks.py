"""Disks, states and profiles over the years: nothing is lost, nothing is fetched without need."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.cli.main import main
from jwstwatch.core.model import FileState, Outcome, Trigger
from jwstwatch.demo.server import ArchiveServer
from jwstwatch.errors import ExitCode
from jwstwatch.store.store import open_store
from tests.acceptance.conftest import small_catalogue
from tests.acceptance.world import OWN_FILES, every_file
from tests.sync.bench import Bench

ALL = {"propID": 9001}

Told = tuple[int, str, str]


class Years:
    """A bench whose commands are those of the command line, and which knows what was ever fetched."""

    def __init__(self, folder: Path, server: ArchiveServer, capsys: pytest.CaptureFixture[str]) -> None:
        self.bench = Bench(folder=folder, server=server, clock=datetime.now(UTC))
        self.capsys = capsys
        self.fetched: Counter[str] = Counter()
        self.configure(watch=ALL)

    @property
    def root(self) -> Path:
        return self.bench.root

    @property
    def catalogue(self) -> Any:
        return self.bench.server.catalogue

    def configure(self, **profiles: dict[str, Any]) -> None:
        self.bench.configure(profiles)

    def run(self, name: str = "watch", *, fetches: int, **options: Any) -> None:
        """Run to a good end, with so many downloads."""
        self.bench.run(name, **options)
        self.fetched.update(self.bench.fetched)
        assert len(self.bench.fetched) == fetches, self.bench.fetched

    def tell(self, *words: str) -> Told:
        """Give a command; returns exit code, standard output and standard error."""
        self.capsys.readouterr()
        code = main([*words, "--config", str(self.bench.folder / "jwstwatch.yaml")])
        told = self.capsys.readouterr()
        return int(code), told.out, told.err

    def json(self, *words: str) -> Any:
        code, out, err = self.tell(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    def tree(self, root: Path | None = None) -> dict[str, bytes]:
        """Content by path below a root, of all that is not the program's own."""
        root = root or self.root
        return {name: (root / name).read_bytes() for name in every_file(root) if not OWN_FILES.search(name)}

    def require_truth(self, root: Path | None = None, *, ending: str = "") -> None:
        """The tree holds every listed file (that ends so) once, as the archive has it, and nothing else."""
        names = {path: path.rpartition("/")[2] for path in self.tree(root)}
        assert sorted(names.values()) == sorted(
            product.name for product in self.catalogue.products if product.name.endswith(ending)
        )
        for path, content in self.tree(root).items():
            assert content == self.catalogue.read(names[path]).content, path

    def require_no_needless_fetch(self, **again: int) -> None:
        """Every file was fetched once, those of `again` (by name with _ for .) so many times."""
        more = {name: count for name, count in self.fetched.items() if count > 1}
        assert more == again


@pytest.fixture(scope="module")
def begun() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def first_years(tmp_path_factory: pytest.TempPathFactory, begun: datetime) -> Path:
    """The folder of a team after its first run; tests get copies of it."""
    folder = tmp_path_factory.mktemp("years") / "team"
    with ArchiveServer(small_catalogue(begun)) as server:
        bench = Bench(folder=folder, server=server, clock=begun)
        assert bench.run().counts.downloaded == 12
        bench.store.database.close()
    return folder


@pytest.fixture
def years(
    tmp_path: Path, first_years: Path, begun: datetime, capsys: pytest.CaptureFixture[str]
) -> Iterator[Years]:
    """A team that has had everything of a small archive, twelve files, for some time."""
    folder = tmp_path / "team"
    shutil.copytree(first_years, folder)
    with ArchiveServer(small_catalogue(begun)) as server:
        found = Years(folder, server, capsys)
        (root,) = found.bench.store.roots.all()
        found.bench.store.roots.move(root.id, folder / "data")
        found.fetched.update(product.name for product in found.catalogue.products)
        yield found
        found.bench.store.database.close()
        assert server.errors == []


def exit_of(years: Years, name: str = "watch") -> tuple[ExitCode, str]:
    """Run a profile that is to be refused; returns its exit code and the ways on."""
    result = years.bench.attempt(name)
    assert years.bench.fetched == []
    return result.exit_code, f"{result.record.error_message} {result.record.error_hint}"


# -- (a) an output folder moves


@pytest.mark.parametrize("typed", ["relative", "home"])
def test_a_folder_that_moved_is_told_and_nothing_is_fetched(
    years: Years, typed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = years.bench.folder / "new"
    years.root.rename(new)
    refusal, text = exit_of(years)
    assert refusal is ExitCode.STORAGE
    for way in ("mounted?", f"root move {years.root} NEW", f"root accept {years.root}"):
        assert way in text
    monkeypatch.chdir(years.bench.folder)
    monkeypatch.setenv("HOME", str(years.bench.folder))
    words = {
        "relative": ("data/", "./new"),
        "home": ("~/data", "~/new"),
    }
    code, out, err = years.tell("root", "move", *words[typed])
    assert (code, err) == (0, "")
    assert f"{new} now, with 12 files" in out
    assert "watch still has" in out
    years.bench.configure({"watch": ALL}, outrootdir=str(new))
    years.run(fetches=0)
    years.require_truth(new)
    years.require_no_needless_fetch()


def test_what_lay_in_a_folder_that_moved_moves_with_it(years: Years) -> None:
    years.configure(watch=ALL, inner=ALL | {"outsubdir": "team", "filetypes": ["jpg"]})
    years.run("inner", fetches=0)
    new = years.bench.folder / "new"
    years.root.rename(new)
    document = years.json("root", "move", str(years.root), str(new))
    assert document["moved"] == {"from": str(years.root), "to": str(new), "files": 12}
    assert document["inside"] == [{"from": str(years.root / "team"), "to": str(new / "team")}]
    assert (document["missing"], document["to_configure"]) == (0, ["watch"])
    years.bench.configure(
        {"watch": ALL, "inner": ALL | {"outsubdir": "team", "filetypes": ["jpg"]}}, outrootdir=str(new)
    )
    years.run(fetches=0)
    years.run("inner", fetches=0)


def test_a_move_to_the_wrong_place_is_refused_with_what_is_wrong_there(years: Years) -> None:
    other = years.bench.folder / "other"
    years.configure(watch=ALL, second=ALL | {"outrootdir": str(other)})
    years.run("second", fetches=0)
    empty = years.bench.folder / "empty"
    empty.mkdir()
    foreign = years.bench.folder / "foreign"
    foreign.mkdir()
    (foreign / ".jwstwatch-root").write_text('{"root": "somebody else\'s"}')
    shutil.copytree(other, years.bench.folder / "copy")
    for new, what in {
        str(years.bench.folder / "nowhere"): "no such folder",
        str(empty): "no marker",
        str(foreign): "another state's",
        str(other): "of its own already",
        str(years.bench.folder / "copy"): f"that of {other}",
        str(years.root): "already",
    }.items():
        code, _, err = years.tell("root", "move", str(years.root), new)
        assert (code, what in err) == (2, True), err
    code, _, err = years.tell("root", "move", str(years.root / "09001"), str(empty))
    assert code == 2
    assert f"lies in {years.root}" in err
    assert [root["path"] for root in years.json("root", "list")["roots"]] == [str(years.root), str(other)]


def test_a_folder_that_was_copied_in_part_is_told_so(years: Years) -> None:
    new = years.bench.folder / "new"
    shutil.copytree(years.root, new)
    lost = next(new.rglob("*.fits"))
    lost.unlink()
    code, _, err = years.tell("root", "move", str(years.root), str(new))
    assert code == 0
    assert "1 file of 12 did not come along" in err
    assert f"{years.root} is there still" in err
    years.bench.configure({"watch": ALL}, outrootdir=str(new))
    years.run(fetches=1)
    years.require_truth(new)
    years.require_no_needless_fetch(**{lost.name: 2})


@pytest.mark.parametrize("words", [("move", "new"), ("accept",)])
def test_a_folder_is_not_changed_while_a_run_works_there(years: Years, words: tuple[str, ...]) -> None:
    new = years.bench.folder / "new"
    if words[0] == "move":
        years.root.rename(new)
    store, clock = years.bench.store, years.bench.clock
    record = store.runs.begin("watch", Trigger.MANUAL, now=clock)
    typed = [str(years.bench.folder / word) for word in words[1:]]
    code, _, err = years.tell("root", words[0], str(years.root), *typed)
    assert (code, "a run that works there goes on" in err) == (5, True)
    counts = store.reports.of_run(record.id, "watch")
    store.runs.finish(record, Outcome.COMPLETE, counts=counts, error=None, now=clock)
    assert years.tell("root", words[0], str(years.root), *typed)[0] == 0


# -- (b) a disk is replaced


@pytest.mark.parametrize("folder", ["empty", "none"])
def test_an_empty_disk_is_refused_until_it_is_accepted_and_then_filled_once(
    years: Years, folder: str
) -> None:
    shutil.rmtree(years.root)
    if folder == "empty":
        years.root.mkdir()
    assert exit_of(years)[0] is ExitCode.STORAGE
    document = years.json("root", "accept", str(years.root) + "/")
    size = sum(years.catalogue.size(uri) for uri in years.catalogue.uris)
    assert document.items() >= {"made": folder == "none", "missing": 12, "bytes": size, "lost": 0}.items()
    assert (years.root / ".jwstwatch-root").is_file()
    years.run(fetches=12)
    years.run(fetches=0)
    years.require_truth()
    assert set(years.fetched.values()) == {2}


def test_a_disk_that_came_back_from_an_older_copy_is_taken_as_it_is(years: Years) -> None:
    kept = years.bench.folder / "backup"
    shutil.copytree(years.root, kept)
    newer = years.catalogue.products[0]
    years.catalogue.reprocess(newer.uri, now=years.bench.clock, grow=3)
    years.bench.later(days=8)
    years.run(fetches=1)
    shutil.rmtree(years.root)
    shutil.copytree(kept, years.root, copy_function=shutil.copyfile)  # their times are lost
    code, out, err = years.tell("root", "accept", str(years.root))
    assert code == 0
    assert "11 of 12 known files there" in out
    assert "1 file of another size will be fetched again" in out
    assert "11 files there with the right size, but another time" in err
    assert "verify --deep" in err
    years.run(fetches=1)
    years.require_truth()
    years.require_no_needless_fetch(**{newer.name: 3})


def test_what_the_archive_has_no_more_is_told_when_its_disk_is_gone(years: Years) -> None:
    name = years.catalogue.products[0].name
    with years.bench.store.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE file SET state = 'gone' WHERE product_id IN (SELECT id FROM product WHERE name = ?)",
            (name,),
        )
    shutil.rmtree(years.root)
    code, out, err = years.tell("root", "accept", str(years.root))
    assert code == 0
    assert "11 missing files will be fetched again" in out
    assert "1 file, no more in the archive either, lost" in err


# -- (c) the state is restored from last week's backup


def test_after_last_weeks_state_nothing_is_lost_and_only_what_is_unsure_is_fetched(years: Years) -> None:
    backup = years.bench.folder / "backup.db"
    assert years.tell("db", "backup", str(backup))[0] == 0
    like = years.catalogue.observations[0].obs_id
    years.bench.later(days=7)
    start = years.catalogue.observations[-1].start
    years.catalogue.add_exposure(like=like, start=start, now=years.bench.clock)
    grown, same = years.catalogue.products[0], years.catalogue.products[1]
    years.catalogue.reprocess(grown.uri, now=years.bench.clock, grow=2)
    years.catalogue.reprocess(same.uri, now=years.bench.clock)
    years.run(fetches=5, full=True)
    years.require_truth()
    before = {path: (years.root / path).stat().st_ino for path in years.tree()}
    restored(years, backup)
    # Random bytes do not tell which pipeline made them: what may be an older content is fetched to be sure.
    years.run(fetches=2)
    years.require_truth()
    unsure = {path for path in before if path.endswith((grown.name, same.name))}
    now = {path: (years.root / path).stat().st_ino for path in years.tree()}
    assert {path for path in now if now[path] != before.get(path)} == unsure
    years.require_no_needless_fetch(**{grown.name: 3, same.name: 3})
    assert set(years.bench.states().values()) == {FileState.PRESENT}
    years.run(fetches=0)


def test_a_relayout_that_last_weeks_state_knows_nothing_of_is_found_done(years: Years) -> None:
    backup = years.bench.folder / "backup.db"
    assert years.tell("db", "backup", str(backup))[0] == 0
    flat = ALL | {"obsnum2outsubdir": False}
    years.configure(watch=flat)
    assert years.tell("relayout", "--yes")[0] == 0
    restored(years, backup)
    document = years.json("relayout", "--yes")
    assert len(document["files"]) == 12
    years.run(fetches=0)
    years.require_truth()


def restored(years: Years, backup: Path) -> None:
    years.bench.store.database.close()
    code, _, err = years.tell("db", "restore", str(backup))
    assert code == 0, err
    years.bench.store = open_store(years.bench.settings.state_url, upgrade=True)


# -- (d) a profile is narrowed, widened, renamed, deleted


def test_a_profile_over_the_years_fetches_each_file_once(years: Years) -> None:
    years.configure(watch=ALL | {"filetypes": ["jpg"]})
    years.run(fetches=0)
    assert len(years.json("prune", "--unselected")["files"]) == 8
    years.configure(watch=ALL)
    years.run(fetches=0)
    assert years.json("prune", "--unselected")["files"] == []
    # Renamed in the configuration only: to the state it is a new profile that finds everything there.
    years.configure(observe=ALL)
    years.run("observe", fetches=0)
    assert years.json("prune", "--unselected")["files"] == []
    # Deleted beside another one: what only it wanted is told with its name.
    years.configure(pictures=ALL | {"filetypes": ["jpg"]})
    years.run("pictures", fetches=0)
    document = years.json("prune", "--unselected")
    assert len(document["files"]) == 8
    assert all("observe" in entry["reason"] and "watch" in entry["reason"] for entry in document["files"])
    years.require_truth()
    years.require_no_needless_fetch()


def test_a_renamed_profile_takes_its_files_with_it(years: Years) -> None:
    assert years.tell("profile", "rename", "watch", "observe")[0] == 0
    years.configure(observe=ALL)
    years.run("observe", fetches=0)
    assert years.json("prune", "--unselected")["files"] == []
    years.require_truth()


# -- (e) two profiles, one proposal


def test_two_roots_and_layouts_share_every_download(years: Years) -> None:
    other = years.bench.folder / "other"
    years.configure(
        watch=ALL,
        second=ALL | {"outrootdir": str(other), "obsnum2outsubdir": False, "jpg_separate_subdir": True},
    )
    years.run("second", fetches=0)
    years.require_truth(other)
    newer = years.catalogue.products[0]
    years.catalogue.reprocess(newer.uri, now=years.bench.clock, grow=1)
    years.bench.later(days=8)
    years.run(fetches=1)
    years.run("second", fetches=0)
    for root in (years.root, other):
        years.require_truth(root)
    years.require_no_needless_fetch(**{newer.name: 2})


def test_what_is_withdrawn_is_kept_in_both_roots_and_fetched_by_none(years: Years) -> None:
    other = years.bench.folder / "other"
    years.configure(watch=ALL, second=ALL | {"outrootdir": str(other), "obsnum2outsubdir": False})
    years.run("second", fetches=0)
    withdrawn = years.catalogue.products[0]
    content = years.bench.path(withdrawn.name).read_bytes()
    years.catalogue.withdraw(withdrawn.uri)
    for _ in range(2):
        years.bench.later(days=8)
        years.run(fetches=0)
        years.run("second", fetches=0)
    rows = years.bench.ask(
        "SELECT state FROM file JOIN product ON product.id = product_id WHERE name = ?", withdrawn.name
    )
    assert rows == [("gone",), ("gone",)]
    for root in (years.root, other):
        assert next(root.rglob(withdrawn.name)).read_bytes() == content
    # It moves with the rest, and is told once when its disk is lost.
    years.configure(watch=ALL | {"obsnum2outsubdir": False}, second=ALL | {"outrootdir": str(other)})
    assert len(years.json("relayout", "--yes")["files"]) == 24
    years.run(fetches=0)
    years.run("second", fetches=0)
    assert (years.root / "09001" / withdrawn.name).read_bytes() == content
    years.catalogue.restore(withdrawn.uri)
    years.require_truth()
    years.require_truth(other)


def test_two_layouts_in_one_root_end_in_one_tree_once_they_agree(years: Years) -> None:
    flat = ALL | {"obsnum2outsubdir": False}
    years.configure(watch=ALL, flat=flat)
    years.run("flat", fetches=0)
    assert len(years.tree()) == 24
    years.configure(watch=flat, flat=flat)
    document = years.json("relayout", "--yes")
    assert (len(document["files"]), len(document["joined"]), document["left"]) == (0, 12, [])
    for name in ("watch", "flat"):
        years.run(name, fetches=0)
    assert years.tell("prune", "--unselected", "--yes")[0] == 0
    years.require_truth()
    assert {path.count("/") for path in years.tree()} == {1}
    years.require_no_needless_fetch()


# -- relayout as it is typed


def test_relayout_tells_first_and_moves_when_it_is_told_to(years: Years) -> None:
    before = years.tree()
    years.configure(watch=ALL | {"obsnum2outsubdir": False, "jpg_separate_subdir": True})
    code, out, err = years.tell("relayout")
    assert (code, err) == (0, "")
    assert "12 files" in out
    assert "nothing was moved" in out
    assert f"{years.root}/09001/jpg" in out
    assert years.tree() == before
    document = years.json("relayout", "watch", "--yes")
    assert document["moved"] is True
    assert len(document["files"]) == 12
    assert {Path(entry["to"]).parent.name for entry in document["files"]} == {"09001", "jpg"}
    years.run(fetches=0)
    years.require_truth()
    code, out, err = years.tell("relayout", "--yes")
    assert (code, err) == (0, "")
    assert "nothing to move" in out


def test_relayout_is_refused_for_what_is_not_there(years: Years) -> None:
    assert years.tell("relayout", "nobody")[0] == 2
    years.configure(watch=ALL | {"obsnum2outsubdir": False})
    record = years.bench.store.runs.begin("other", Trigger.MANUAL, now=years.bench.clock)
    assert years.tell("relayout", "--yes")[0] == 5
    counts = years.bench.store.reports.of_run(record.id, "other")
    years.bench.store.runs.finish(record, Outcome.COMPLETE, counts=counts, error=None, now=years.bench.clock)
    years.root.rename(years.bench.folder / "away")
    for words in (("relayout",), ("relayout", "--yes")):
        code, _, err = years.tell(*words)
        assert code == 7
        assert "root move" in err


def test_relayout_tells_of_files_in_a_former_output_folder(years: Years) -> None:
    new = years.bench.folder / "new"
    years.bench.configure({"watch": ALL}, outrootdir=str(new))
    code, _, err = years.tell("relayout")
    assert code == 0
    assert f"12 files in {years.root}, but its output folder is {new}" in err
    years.run(fetches=0)
    years.require_truth(new)
    assert len(years.json("prune", "--unselected")["files"]) == 12


# -- retry


def test_retry_says_of_what_is_there_that_nothing_is_to_be_done(years: Years) -> None:
    name = years.catalogue.products[0].name
    code, out, _ = years.tell("retry", name)
    assert code == 0
    assert f"{years.bench.path(name)}: it is there" in out
    document = years.json("retry", name)
    assert (document["retried"], [entry["name"] for entry in document["left"]]) == (0, [name])
