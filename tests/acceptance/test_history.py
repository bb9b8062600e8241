"""What was, told by `files --history`, `why` and `files --all`."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import datetime

from jwstwatch.demo.server import ArchiveServer
from tests.acceptance.conftest import WATCH
from tests.acceptance.world import World

NAME = "jw09001001001_02101_00001_nrca1_rate.fits"


def test_a_reprocessed_file_tells_its_revisions_and_where_its_old_copy_is_kept(
    synced: World, archive: ArchiveServer, now: datetime
) -> None:
    synced.configure({"watch": WATCH["watch"] | {"keep_replaced": 1}})
    path = next(synced.root.rglob(NAME))
    old = path.read_bytes()
    archive.catalogue.reprocess(archive.catalogue.product(NAME).uri, now=now, version="1.99.0")
    (run,) = synced.run_now("--full")
    assert run["downloaded"] == 1

    (file,) = [
        each for each in synced.run("files", "--history", "--json").json["files"] if each["name"] == NAME
    ]
    first, second = file["history"]
    assert (first["revision"], second["revision"], second["pipeline"]) == (1, 2, "1.99.0")
    assert "1.99.0" in first["why"]
    assert second["why"] is None
    (copy,) = first["copies"]
    assert copy["replaced_at"] is not None
    assert copy["run_id"] == run["run_id"]
    kept = synced.root / ".replaced" / path.parent.relative_to(synced.root) / "r1" / NAME
    assert copy["kept"] == str(kept)
    assert kept.read_bytes() == old

    told = synced.run("files", "--history").out
    assert "11 files of one revision" in told
    assert str(kept) in told
    assert [line.split()[:2] for line in told.splitlines()[2:4]] == [
        ["1", first["pipeline"]],
        ["2", "1.99.0"],
    ]
    why = synced.run("why", NAME)
    assert f"kept as {kept}" in why.out
    assert "pipeline 1.99.0" in why.out
    assert synced.run("why", NAME, "--json").json["products"][0]["revisions"] == file["history"]


def test_superseded_files_are_listed_only_where_all_are_asked_for(synced: World) -> None:
    with contextlib.closing(sqlite3.connect(synced.state)) as connection, connection:
        connection.execute("UPDATE file SET superseded = 1 WHERE path LIKE ?", (f"%{NAME}",))
    assert len(synced.run("files", "--format", "paths").out.splitlines()) == 11
    assert len(synced.run("files", "--format", "paths", "--all").out.splitlines()) == 12
    files = synced.run("files", "--all", "--json").json["files"]
    assert [file["name"] for file in files if file["superseded"]] == [NAME]
