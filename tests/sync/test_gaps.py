"""The gaps of whole runs, as `jwstwatch gaps` and the pages tell them."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from jwstwatch.cli import output
from jwstwatch.cli.main import main
from jwstwatch.errors import ExitCode
from tests.pages.reading import read_html, read_table
from tests.sync.bench import Bench
from tests.sync.conftest import MakeBench

HOSTILE = "\x1b[2J<script>alert(1)</script>"


class Terminal:
    """What the command says, to a script and to people."""

    def __init__(self, bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
        self._words = ["--config", str(bench.folder / "jwstwatch.yaml")]
        self._capsys = capsys

    def text(self, *words: str) -> str:
        assert main(["gaps", *words, *self._words]) is ExitCode.DONE
        return self._capsys.readouterr().out

    def gaps(self, *words: str) -> list[dict[str, Any]]:
        document = json.loads(self.text("--json", *words))
        assert document["schema"] == 1
        found: list[dict[str, Any]] = document["gaps"]
        return found


def test_gaps_come_and_go_with_what_is_here(
    make_bench: MakeBench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench(None)
    profiles = {
        "deep": {"propID": 5224, "filetypes": ["rate", "jpg"]},
        "other": {"propID": 2733, "filetypes": ["i2d"]},
    }
    bench.configure(profiles, makewebpages=True)
    terminal = Terminal(bench, capsys)
    assert terminal.text() == "Nothing has been listed so far: `jwstwatch run-now` asks the archive.\n"
    bench.attempt("deep")
    bench.run("other")
    assert terminal.text("--profile", "other") == (
        "Nothing is missing: what the archive lists and the profiles select is here.\n"
    )

    # What is withheld and what is planned, each in one line; the rest of the demo archive is whole.
    withheld, planned = sorted(terminal.gaps(), key=lambda gap: str(gap["obsnum"]))
    assert (withheld["obsnum"], withheld["kind"], withheld["reason"]) == (7, "withheld", "no token")
    assert withheld["count"] == len(withheld["names"]) > 5
    assert "next_at" in withheld
    assert (planned["proposal"], planned["obsnum"], planned["kind"]) == (5224, 8, "planned")
    text = terminal.text()
    assert text.startswith("proposal 5224\n")
    assert text.endswith("withheld; in 2 observations of 1 proposal\n")
    assert terminal.gaps("--propID", "5224", "8") == [planned]
    assert terminal.gaps("--profile", "other") == []
    assert terminal.text("--propID", "2733").startswith("Nothing is missing")
    assert terminal.gaps("--propID", "99") == []

    # The page and the index say the same.
    page = read_html((bench.root / "05224/index.html").read_bytes())
    assert [row["Gap"].text for row in read_table(page, "gaps")] == ["withheld", "planned"]
    (line, other) = reversed(read_table(read_html((bench.root / "index.html").read_bytes()), "proposals"))
    assert line["Missing"].text == str(withheld["count"] + 1)
    assert other["Missing"].text == "0"

    # What an archive says is told as it is, and harms no terminal.
    name = withheld["names"][0]
    with bench.store.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE file SET state = 'failed', reason = ?, last_error = ? WHERE product_id = "
            "(SELECT id FROM product WHERE name = ?)",
            (HOSTILE, HOSTILE, name),
        )
    (failed,) = [gap for gap in terminal.gaps() if gap["kind"] == "failed"]
    assert (failed["names"], failed["reason"]) == ([name], HOSTILE)
    monkeypatch.setattr(output, "look_of", lambda stream, environ=os.environ: output.Look(width=72))
    text = terminal.text()
    assert "\x1b" not in text
    assert max(map(len, text.splitlines()[:-1])) <= 72


def test_words_that_mean_nothing_are_refused(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gaps", "--propID", "x", "--config", str(bench.folder / "jwstwatch.yaml")]) is ExitCode.USAGE
    assert "propID" in capsys.readouterr().err
    assert main(["gaps", "--profile", "nobody", "--config", str(bench.folder / "jwstwatch.yaml")]) is (
        ExitCode.USAGE
    )
    assert "nobody" in capsys.readouterr().err
