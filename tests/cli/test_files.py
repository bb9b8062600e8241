"""Long answers are told as they are found, and are whole documents whatever happens in the middle."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from jwstwatch.cli.main import main
from jwstwatch.errors import StateError, StorageError
from jwstwatch.store import filelists
from jwstwatch.store.filelists import FileReport
from jwstwatch.store.reports import Reports
from jwstwatch.store.store import open_store
from tests.store.desk import OTHER, PROFILE, Desk, file_names

CUT = "the state cannot be read any more"
FORMS = (["--json"], [], ["--format", "paths"], ["--history"], ["--json", "--history"])


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration whose state knows seven files; the profile of two of them is not in it."""
    folder = tmp_path_factory.mktemp("files")
    with open_store(f"sqlite:///{folder / 'state.db'}", upgrade=True) as store:
        desk = Desk.set_up(store, folder / "data")
        for name in file_names(5):
            desk.fetch(name)
        other = desk.of(OTHER)
        for name in file_names(7)[5:]:
            other.fetch(name)
    path = folder / "jwstwatch.yaml"
    path.write_text(f"state: {folder / 'state.db'}\nprofiles:\n  {PROFILE}:\n    propID: 1345\n")
    return path


def answer(configuration: Path, *words: str) -> tuple[int, str]:
    """Run a command in this process; return its exit code and what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = main([*words, "--config", str(configuration)])
    return int(code), out.getvalue()


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state goes away after two files."""
    whole = Reports.files

    def files(self: Reports, asked: filelists.FileQuery) -> Iterator[FileReport]:
        for number, file in enumerate(whole(self, asked)):
            if number == 2:
                raise StateError(CUT, hint="Look after it.")
            yield file

    monkeypatch.setattr(Reports, "files", files)


def test_a_document_that_is_cut_short_is_whole_and_says_why(
    configuration: Path, request: pytest.FixtureRequest
) -> None:
    files = json.loads(answer(configuration, "files", "--json")[1])["files"]
    request.getfixturevalue("cut")
    code, out = answer(configuration, "files", "--json")
    told = {"kind": StateError.kind, "message": CUT, "hint": "Look after it."}
    assert code == StateError.exit_code
    assert json.loads(out) == {"schema": 1, "files": files[:2], "error": told}
    # With the revisions of a lot it ends before anything was told.
    code, out = answer(configuration, "files", "--json", "--history")
    assert json.loads(out) == {"schema": 1, "error": told}


def test_all_forms_tell_the_same_in_lots_of_any_size(
    configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [answer(configuration, "files", *words)[1] for words in FORMS]
    paths = [each["path"] for each in json.loads(whole[0])["files"]]
    assert whole[2].splitlines() == paths
    assert [line.split()[-1] for line in whole[1].splitlines()[1:]] == paths
    monkeypatch.setattr(filelists, "LOT", 3)
    monkeypatch.setattr("jwstwatch.cli.revisions._LOT", 2)
    assert [answer(configuration, "files", *words)[1] for words in FORMS] == whole


def test_of_no_file_every_form_says_so(configuration: Path) -> None:
    for words in ([], ["--history"]):
        assert answer(configuration, "files", "--state", "gone", *words) == (0, "no files\n")
    empty = answer(configuration, "files", "--state", "gone", "--json")[1]
    assert json.loads(empty) == {"schema": 1, "files": []}


def test_what_may_be_pruned_is_told_as_it_is_found(
    configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out = answer(configuration, "prune", "--unselected", "--json")
    document = json.loads(out)
    assert (code, document["removed"], document["bytes"], document["left"]) == (0, False, 2000, [])
    assert [each["name"] for each in document["files"]] == file_names(7)[5:]
    assert document["gone"] == {"files": 0, "bytes": 0}
    table = answer(configuration, "prune", "--unselected")[1].splitlines()
    assert table[0].split() == ["size", "why", "file"]
    assert table[3].startswith("2 files, 2 kB: nothing was removed.")


def test_an_output_that_is_full_in_the_middle_is_told_in_a_sentence(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # What such a stream cannot write it forgets, as a large piece of a long answer is forgotten.
    with (
        io.TextIOWrapper(open("/dev/full", "wb", buffering=0), write_through=True) as full,
        contextlib.redirect_stdout(full),
    ):
        code = main(["files", "--json", "--config", str(configuration)])
    assert code == StorageError.exit_code
    assert "standard output cannot be written: No space left on device" in capsys.readouterr().err
