"""Whoever ran jwst_download.py or jwst_query.py changes one word, or none, and goes on."""

from __future__ import annotations

import contextlib
import io
import os
import re
import select
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from jwstwatch.demo.server import ArchiveServer, Fault, FaultKind
from tests.acceptance.old_archive import OldArchive, old_catalogue
from tests.acceptance.old_world import PROGRAMS, OldWorld, names, paths
from tests.acceptance.world import PATIENCE, assert_as_archived, every_file

NAMES = ("jwst_download.py", "jwstwatch download")
TABLES = ("selprod", "obs", "summary")


@pytest.fixture(scope="module")
def server() -> Iterator[ArchiveServer]:
    with ArchiveServer(old_catalogue(datetime.now(UTC))) as server:
        yield server
    assert server.errors == []


@pytest.fixture
def old(tmp_path: Path, server: ArchiveServer) -> OldWorld:
    return OldWorld(tmp_path / "old", server.url)


EVERYTHING = ("uncal.fits", "uncal.jpg", "rate.fits", "rate.jpg")
JPGS = ("uncal.jpg", "rate.jpg")
IN_OBSERVATION_4 = names(1138, 4, "nrca1 nrcb1", kinds=EVERYTHING)


@dataclass(frozen=True)
class Example:
    """A command line of the old documentation without the program's name, and what it selects."""

    line: str
    selects: set[str]
    root: str = "data"
    pages: Sequence[str] = ()


EXAMPLES = {
    "two detectors, three days": Example(
        "-v --propID 1410 --config jwst_query.cfg --lookbacktime 3 --sca a1 a2",
        names(1410, 3, "nrca1 nrca2"),
    ),
    "a proposal with pages": Example(
        "-v -c jwst_query.cfg --outrootdir /jwst_data -l 1 --propID 01138 --makewebpages "
        "--filetypes jpg fits",
        IN_OBSERVATION_4
        | names(1138, 3, "nrca1", kinds=EVERYTHING)
        | names(1138, 5, "nrca2", kinds=EVERYTHING)
        | names(1138, 7, "nrcb1", kinds=EVERYTHING),
        root="jwst_data",
        pages=["01138"],
    ),
    "two observations": Example(
        "-v --config jwst_query.cfg --lookbacktime 2 --propID 1409 --obsnums 3 103",
        names(1409, 3, "nrca1 nrca2") | names(1409, 103, "nrcb1"),
    ),
    "one observation with pages": Example(
        "-v -c jwst_query.cfg --outrootdir /jwst_data -l 1 --propID 01138 --obsnums 4 --makewebpages "
        "--filetypes jpg fits",
        IN_OBSERVATION_4,
        root="jwst_data",
        pages=["01138"],
    ),
    "three observations with pages": Example(
        "-v -c jwst_query.cfg --outrootdir /jwst_data -l 1 --propID 01138 --obsnums 4 5 7 --makewebpages "
        "--filetypes jpg fits",
        IN_OBSERVATION_4
        | names(1138, 5, "nrca2", kinds=EVERYTHING)
        | names(1138, 7, "nrcb1", kinds=EVERYTHING),
        root="jwst_data",
        pages=["01138"],
    ),
    "two dates": Example(
        "-v  -c jwst_query.cfg --propID 743 --date_select 2021-08-11T16:49:49 2021-08-12T16:49:49",
        names(743, 3, "nrca1") | names(743, 4, "nrca1") | names(743, 5, "nrca1"),
    ),
    "a date or later": Example(
        "-v  -c jwst_query.cfg --propID 743 --date_select 2021-08-11T16:49:49+",
        names(743, 3, "nrca1") | names(743, 4, "nrca1") | names(743, 5, "nrca1") | names(743, 6, "nrca1"),
    ),
    "a date or earlier": Example(
        "-v  -c jwst_query.cfg --propID 743 --date_select 2021-08-11T16:49:49-",
        names(743, 1, "nrca1") | names(743, 2, "nrca1") | names(743, 3, "nrca1"),
    ),
    "an MJD or later": Example(
        "-v  -c jwst_query.cfg --propID 743 --date_select 59430.0+",
        set.union(*(names(743, number, "nrca1") for number in (2, 3, 4, 5, 6))),
    ),
    "only jpgs, with the hyphen that its documentation forgets": Example(
        "-v -c jwst_query.cfg --outrootdir /my_jwst_data --lookbacktime 5 --makewebpages --filetype jpg",
        names(1410, 3, "nrca1 nrca2 nrcb1", kinds=JPGS)
        | names(1410, 4, "nrca1", kinds=JPGS)
        | names(1138, 3, "nrca1", kinds=JPGS)
        | names(1138, 4, "nrca1 nrcb1", kinds=JPGS)
        | names(1138, 4, "nrca1", kinds=JPGS, exposure=2)
        | names(1138, 5, "nrca2", kinds=JPGS)
        | names(1138, 7, "nrcb1", kinds=JPGS)
        | names(1409, 3, "nrca1 nrca2", kinds=JPGS)
        | names(1409, 5, "nrca1", kinds=JPGS)
        | names(1409, 103, "nrcb1", kinds=JPGS),
        root="my_jwst_data",
        pages=["01138", "01409", "01410"],
    ),
}


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_a_documented_example_lands_the_same_files_under_both_names(
    tmp_path: Path, server: ArchiveServer, example: Example
) -> None:
    worlds = {name: OldWorld(tmp_path / name.split()[0], server.url) for name in NAMES}
    for name, world in worlds.items():
        # An absolute folder of an example becomes one of this world.
        line = re.sub(r"(?<= )/(?=(my_)?jwst_data )", f"{world.folder}/", example.line)
        ended = (world.type if name == "jwst_download.py" else world.type_here)(f"{name} {line}")
        assert "[y/n]" not in ended.out + ended.err
        root = world.folder / example.root
        files = world.files(root)
        assert set(files) == paths(example.selects)
        assert_as_archived(files, server.catalogue)
        assert sorted(page.parent.name for page in root.glob("*/index.html")) == list(example.pages)
        assert (root / "index.html").is_file() is bool(example.pages)
        # Nothing lands anywhere else.
        assert {path.name for path in world.folder.iterdir()} == {"home", "jwst_query.cfg", example.root}


def test_the_installed_programs_have_the_old_names() -> None:
    installed = {entry.name: entry.value for entry in entry_points(group="console_scripts")}
    assert installed["jwst_query.py"] == "jwstwatch.cli.legacy:query"
    assert installed["jwst_download.py"] == "jwstwatch.cli.legacy:download"


def test_lookbacktime_with_one_hyphen_is_an_error_that_names_the_right_option(old: OldWorld) -> None:
    line = "-v -c jwst_query.cfg --outrootdir my_jwst_data -lookbacktime 5 --makewebpages --filetype jpg"
    ended = old.type(f"jwst_download.py {line}", code=2)
    assert "-lookbacktime is not an option" in ended.err
    assert "Write --lookbacktime" in ended.err
    assert not (old.folder / "my_jwst_data").exists()


# -- the configuration file


@pytest.mark.parametrize(
    "way", ["-c FILE", "--config FILE", "--configfile FILE", "--conf FILE", "--configf=FILE", ""]
)
def test_an_old_configuration_file_is_taken_as_it_is(old: OldWorld, way: str) -> None:
    named = {"environment": {"JWST_QUERY_CFGFILE": "jwst_query.cfg"}} if not way else {}
    line = f"jwst_query.py {way.replace('FILE', 'jwst_query.cfg')} --propID 1410 -l 3 --savetables x -f uncal"
    ended = old.type_here(line, **named)
    # The file's columns, which are not the built-in ones, show that it was read.
    head = (old.root / "x.selprod.txt").read_text().split("\n")[0].split()
    assert head[3:6] == ["parent_obsid", "obs_id", "dataproduct_type"]
    assert "sca" not in head
    assert "unknown key" not in ended.err


def test_quirks_of_old_files_are_understood(old: OldWorld) -> None:
    text = (old.folder / "jwst_query.cfg").read_text()
    text = text.replace("propID:\n", "propID: 01409\n").replace("obsnums:\n", "obsnums: [3, 103]\n")
    text = text.replace("date_select: []", "date_select: 2022-06-06 2022-06-08")
    text = text.replace("Nobs_per_batch: 2", "Nobs_per_batch:").replace(
        "obsmode: ['image', 'wfss']", "obsmode:"
    )
    (old.folder / "jwst_query.cfg").write_text(text)
    assert old.selected("jwst_query.py -c jwst_query.cfg") == sorted(names(1409, 3, "nrcb1", exposure=9))


def test_the_old_file_says_where_and_the_command_line_overrides_it(old: OldWorld) -> None:
    path = old.folder / "jwst_query.cfg"
    path.write_text(path.read_text().replace("obsnum2outsubdir: True", "obsnum2outsubdir: False", 1))
    line = "jwst_query.py -c jwst_query.cfg --propID 1138 --obsnums 7 -f jpg"
    first, _ = old.tables(line)["products"]
    assert first["outfilename"] == str(old.root / "01138" / first["productFilename"])
    listed = old.tables("jwst_query.py -c jwst_query.cfg --propID 1409 --obsnums 103")["products"]
    assert listed[0]["outfilename"] == str(old.root / "01409" / "obsnum103" / listed[0]["productFilename"])
    typed = "--outrootdir there --outsubdir sub --obsnum2outsubdir True --skip_propID2outsubdir"
    first, _ = old.tables(f"{line} {typed} --jpg_separate_subdir")["products"]
    below = old.folder / "there" / "sub" / "obsnum07" / "jpg"
    assert first["outfilename"] == str(below / first["productFilename"])


def test_an_output_folder_that_is_not_set_is_the_current_one_with_a_warning(old: OldWorld) -> None:
    ended = old.type_here(
        "jwst_query.py -c jwst_query.cfg --propID 1138 --obsnums 7 --json",
        environment={"JWSTDOWNLOAD_OUTDIR": ""},
    )
    assert "JWSTDOWNLOAD_OUTDIR is not set" in ended.err
    assert ended.json["products"][0]["outfilename"].startswith(str(old.folder / "01138"))


# -- options


def test_options_take_several_words_switches_and_abbreviations(old: OldWorld) -> None:
    line = "jwst_query.py -vvv --instrument nircam --prop 1138 --filetype uncal rate.jpg --lookback 1"
    refused = old.type(line, code=2)
    assert "ambiguous option: --prop could match --propID, --propIDs_obsnum2outsubdir" in refused.err
    chosen = names(1138, 4, "nrca1 nrcb1", kinds=("uncal.fits", "rate.jpg"))
    line = line.replace("--prop ", "--propID ") + " --obsnums 4"
    assert old.selected(line) == sorted(chosen)
    assert old.selected(line.replace("-vvv", "-v -v --guidestars False --clobber")) == sorted(chosen)
    narrow = f"{line} --sca b1 --calib_levels 2"
    assert old.selected(narrow) == sorted(names(1138, 4, "nrcb1", kinds=("rate.jpg",)))


def test_every_abbreviation_that_was_unambiguous_still_is() -> None:
    import argparse

    from jwstwatch.cli import common, download
    from jwstwatch.core.parameters import PARAMETERS

    parser = argparse.ArgumentParser(prog="x", exit_on_error=False)
    common.add_common_options(parser)
    download.add_options(parser)
    legacy = [name for name, each in PARAMETERS.items() if each.legacy]
    options = [*legacy, "configfile", "token", "login", "verbose"]
    for option in options:
        for length in range(1, len(option) + 1):
            short = option[:length]
            if [name for name in options if name.startswith(short)] == [option]:
                word = f"--{short}"
                parsed = parser.parse_args([word] if option == "verbose" else [word, "1"])
                assert parsed is not None


def test_a_proposal_may_be_typed_with_its_observations_and_several_times(old: OldWorld) -> None:
    both = sorted(names(1409, 3, "nrca1 nrca2") | names(1409, 103, "nrcb1"))
    assert old.selected("jwst_query.py -l 2 --propID 1409 3 103") == both
    assert old.selected("jwst_query.py -l 2 --propID 1409 --obsnums 3 103") == both
    several = old.selected("jwst_query.py -l 3 --propID 1409 3 --propID 01410")
    assert several == sorted(
        names(1409, 3, "nrca1 nrca2") | names(1410, 3, "nrca1 nrca2 nrcb1") | names(1410, 5, "nrca2")
    )


def test_ranges_and_lists_of_obsids(old: OldWorld) -> None:
    rows = old.tables("jwst_query.py --propID 743")["products"]
    numbers = sorted(row["obsID"] for row in rows)
    assert len(numbers) == 6
    for option, count in {
        f"--obsid_select {numbers[2]}": 1,
        f"-e {numbers[2]}+": 4,
        f"-e {numbers[2]}-": 3,
        f"-e {numbers[1]} {numbers[3]}": 3,
        f"--obsid_list {numbers[0]} {numbers[5]}": 2,
    }.items():
        assert len(old.selected(f"jwst_query.py --propID 743 {option}")) == count, option


def test_an_unknown_column_is_refused_with_the_known_ones(old: OldWorld) -> None:
    ended = old.type_here("jwst_query.py --propID 743 --outcolumns_productTable obsnum sise", code=2)
    assert "'sise' is no column of the products table" in ended.err
    assert "Did you mean size?" in ended.err
    assert "productFilename" in ended.err


# -- tables


def test_saved_tables_are_read_by_pandas_and_astropy(old: OldWorld) -> None:
    import pandas
    from astropy.table import Table

    tables = old.tables("jwst_query.py -c jwst_query.cfg -l 1 --propID 1138 -s night -f uncal jpg")
    saved = [old.root / f"night.{name}.txt" for name in TABLES]
    assert every_file(old.root) == sorted(path.name for path in saved)
    for path, rows in zip(
        saved, (tables["products"], tables["observations"], tables["summary"]), strict=True
    ):
        frame = pandas.read_fwf(path)
        table = Table.read(path, format="ascii")
        assert list(frame.columns) == list(table.colnames) == list(rows[0])
        assert len(frame) == len(table) == len(rows) > 0
        assert [int(value) for value in frame["obsnum"]] == [row["obsnum"] for row in rows]
        assert list(table["proposal_id"]) == [1138] * len(rows)
    summary = pandas.read_fwf(saved[2])
    assert list(summary.columns) == [
        "proposal_id", "obsnum", "_uncal.fits", "_rate.jpg", "_uncal.jpg", "date_start"
    ]  # fmt: skip


def test_printed_tables_are_read_by_pandas_and_astropy(old: OldWorld) -> None:
    import pandas
    from astropy.table import Table

    line = "jwstwatch query --propID 1138 --filetypes jpg --format"
    text = old.type_here(f"{line} text --table products").out
    assert len(pandas.read_fwf(io.StringIO(text))) == 12
    comma = old.type_here(f"{line} csv").out
    assert list(pandas.read_csv(io.StringIO(comma))["size"]) == list(
        pandas.read_fwf(io.StringIO(text))["size"]
    )
    table = Table.read(old.type_here(f"{line} ecsv --table observations").out, format="ascii.ecsv")
    assert str(table["t_exptime"].unit) == "s"
    assert set(table["_uncal.jpg"]) == {1}
    assert set(old.type_here(f"{line} json").json) >= {"products", "observations", "summary"}


def test_a_download_prints_a_table_alone_where_a_program_reads_it(old: OldWorld) -> None:
    import pandas

    ended = old.type("jwstwatch download --propID 1138 --obsnums 7 --format csv")
    assert list(pandas.read_csv(io.StringIO(ended.out))["dl_str"]) == ["downloaded"]
    assert "1 downloaded" in ended.err


def test_dl_code_and_dl_str_before_after_and_upon_failure(tmp_path: Path) -> None:
    import pandas

    def standing(text: str) -> list[tuple[int, str]]:
        frame = pandas.read_csv(io.StringIO(text), keep_default_na=False)
        return sorted(zip(frame["dl_code"], frame["dl_str"], strict=True))

    with ArchiveServer(old_catalogue(datetime.now(UTC))) as server:
        old = OldWorld(tmp_path / "old", server.url)
        words = "--propID 1138 --obsnums 4 --format csv"
        assert standing(old.type_here(f"jwst_query.py {words}").out) == [(0, "")] * 3
        server.faults.add(Fault(kind=FaultKind.STATUS, status=404, uri="*nrcb1_uncal.fits", times=None))
        failed = old.type(f"jwst_download.py {words}", code=3)
        assert standing(failed.out) == [(1, "downloaded")] * 2 + [(7, "ERRORdownload")]
        assert "nrcb1_uncal.fits" in failed.err
        assert standing(old.type_here(f"jwst_query.py {words}").out) == [(0, "")] + [(2, "exists")] * 2
        server.faults.clear()
        again = old.type(f"jwst_download.py {words}")
        assert standing(again.out) == [(1, "downloaded")] + [(2, "exists")] * 2
        next(old.root.rglob("*nrcb1_uncal.fits")).write_bytes(b"cut")
        wrong = standing(old.type_here(f"jwst_query.py {words}").out)
        assert wrong == [(2, "exists")] * 2 + [(4, "ERRfilesize")]
        trusted = standing(old.type_here(f"jwst_query.py {words} --skip_check_filesize").out)
        assert trusted == [(2, "exists")] * 3


def test_skipdownload_only_makes_the_tables(old: OldWorld, server: ArchiveServer) -> None:
    before = len(server.requests.downloads())
    ended = old.type("jwst_download.py -n -s night --propID 1138 --obsnums 7 -c jwst_query.cfg -l 1")
    assert "jw01138007001_02101_00001_nrcb1_uncal.fits" in ended.out
    assert len(server.requests.downloads()) == before
    assert set(every_file(old.root)) == {f"night.{name}.txt" for name in TABLES}
    # The warning about a mode comes once.
    assert ended.err.count("NIRCAM/WFSS has been seen") == 1


# -- questions and tokens


def test_on_a_terminal_nobody_is_asked_without_ask(old: OldWorld) -> None:
    code, told = on_terminal(old, "jwst_download.py --propID 1138 --obsnums 7", answer=None)
    assert code == 0
    assert "[y/n]" not in told
    assert len(old.files()) == 1


@pytest.mark.parametrize(("answer", "files"), [("y", 1), ("n", 0)])
def test_with_ask_a_terminal_is_asked_once_and_the_answer_counts(
    old: OldWorld, answer: str, files: int
) -> None:
    code, told = on_terminal(old, "jwst_download.py --ask --propID 1138 --obsnums 7", answer=answer)
    assert code == 0, told
    assert told.count("[y/n]") == 1
    assert "1 file to fetch, " in told
    assert len(old.files()) == files


def test_with_ask_and_no_terminal_nobody_is_asked(old: OldWorld) -> None:
    old.type("jwst_download.py --ask --propID 1138 --obsnums 7")
    assert len(old.files()) == 1


def on_terminal(old: OldWorld, line: str, *, answer: str | None) -> tuple[int, str]:
    """Run a command line on a terminal of its own; `answer` is typed when it asks."""
    name, *words = shlex.split(line)
    master, slave = os.openpty()
    process = subprocess.Popen(
        [sys.executable, *PROGRAMS[name], *words],
        cwd=old.folder,
        env=old.environment | {"TERM": "xterm"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    told, limit = "", time.monotonic() + PATIENCE
    try:
        while time.monotonic() < limit:
            if not select.select([master], [], [], 0.2)[0]:
                continue
            try:
                told += os.read(master, 65_536).decode(errors="replace")
            except OSError:  # the other end is closed
                break
            if answer is not None and "[y/n]" in told:
                os.write(master, f"{answer}\n".encode())
                answer = None
        return process.wait(max(limit - time.monotonic(), 1)), told
    finally:
        os.close(master)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()


TOKEN = "d41c7a905be24f3c8a6617b2c0e95f38"


def test_a_typed_token_opens_exclusive_files_with_a_warning_and_is_repeated_nowhere(tmp_path: Path) -> None:
    archive = OldArchive(datetime.now(UTC))
    archive.add(1138, 4, ("nrca1",), days=0.5, exclusive=True)
    with ArchiveServer(archive.catalogue, token=TOKEN) as server:
        old = OldWorld(tmp_path / "old", server.url)
        line = "jwst_download.py -vvv -c jwst_query.cfg -l 1 --propID 1138 -w -f uncal jpg -s night"
        withheld = old.type(line)
        assert old.files().keys() == {f"night.{name}.txt" for name in TABLES}
        assert "3 withheld" in withheld.out
        ended = old.type(f"{line} --token {TOKEN}")
    assert {path for path in old.files() if "obsnum" in path} == paths(
        names(1138, 4, "nrca1", kinds=("uncal.fits", *JPGS))
    )
    assert "warning: a typed token can be read by everybody" in ended.err
    assert "$MAST_API_TOKEN" in ended.err
    assert TOKEN not in ended.out + ended.err
    for path, content in old.everything_written():
        assert TOKEN.encode() not in content, path


def test_a_log_in_with_a_password_says_what_replaced_it(old: OldWorld) -> None:
    ended = old.type("jwst_download.py --login ada hunter2 --propID 1138", code=2)
    assert "$MAST_API_TOKEN" in ended.err
    assert "hunter2" not in ended.err


# -- what one-off commands leave behind


def test_a_query_makes_no_file_at_all(old: OldWorld) -> None:
    old.type("jwst_query.py -c jwst_query.cfg --propID 1138 -l 1 --makewebpages")
    assert every_file(old.folder) == ["jwst_query.cfg"]
    assert not old.root.exists()


def test_a_query_leaves_a_state_that_is_there_as_it_is(old: OldWorld) -> None:
    old.type("jwst_download.py --propID 1138 --obsnums 7")
    before = dict(old.everything_written())
    old.type("jwst_query.py --propID 1138 -f jpg fits")
    assert dict(old.everything_written()) == before


def test_what_a_download_fetched_is_not_fetched_again_by_a_later_profile(
    tmp_path: Path, server: ArchiveServer
) -> None:
    old = OldWorld(tmp_path / "old", server.url)
    old.type("jwst_download.py --propID 1138 --obsnums 4 5")
    fetched = set(old.files())
    assert len(fetched) == 4
    before = len(server.requests.downloads())
    old.configuration = old.home / "config" / "jwstwatch" / "jwstwatch.yaml"
    old.configuration.parent.mkdir(parents=True)
    old.configuration.write_text(
        f"mast: {{server: '{server.url}'}}\n"
        f"profiles: {{all-1138: {{propID: 1138, outrootdir: {old.root}, filetypes: [uncal]}}}}\n"
    )
    (run,) = old.run_now()
    asked = {str(request.uri).rpartition("/")[2] for request in server.requests.downloads()[before:]}
    assert asked == names(1138, 3, "nrca1") | names(1138, 7, "nrcb1")
    assert (run["downloaded"], run["unchanged"]) == (2, 4)
    assert set(old.files()) == fetched | paths(asked)
    states = {row[0] for row in old.ask("SELECT state FROM file")}
    assert states == {"present"}


def test_files_that_the_old_program_fetched_are_taken_over(old: OldWorld, server: ArchiveServer) -> None:
    (name,) = names(1138, 7, "nrcb1")
    (path,) = paths([name])
    (old.root / path).parent.mkdir(parents=True)
    (old.root / path).write_bytes(server.catalogue.read(name).content)
    before = len(server.requests.downloads())
    ended = old.type_here("jwst_download.py -c jwst_query.cfg --propID 1138 --obsnums 7 -l 1")
    assert re.search(rf"{name} +2 +exists", ended.out), ended.out
    assert len(server.requests.downloads()) == before


def test_the_last_day_of_today_is_not_that_of_yesterday(tmp_path: Path) -> None:
    """A download with a look back counts what its window holds, not what an earlier one held."""
    archive = OldArchive(datetime.now(UTC))
    archive.add(1138, 4, ("nrca1",), days=0.9)
    with ArchiveServer(archive.catalogue) as server:
        old = OldWorld(tmp_path / "old", server.url)
        line = "jwst_download.py -l 1 --format csv"
        assert old.type(line).out.count("nrca1_uncal.fits") == 2  # its name and its path
        observation = archive.catalogue.observations[0]
        assert observation.start is not None
        archive.catalogue.add(replace(observation, start=observation.start - timedelta(days=1)))
        archive.add(1138, 5, ("nrcb1",), days=0.1)
        second = old.type(line).out
    assert "nrcb1_uncal.fits" in second
    assert "nrca1_uncal.fits" not in second


# -- help


@pytest.mark.parametrize("program", ["jwst_query.py", "jwst_download.py"])
def test_help_is_grouped_and_fits_eighty_columns(old: OldWorld, program: str) -> None:
    text = old.type(f"{program} --help", environment={"COLUMNS": "80"}).out
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == f"usage: jwstwatch {program[5:-3]} [OPTIONS]"
    titles = [line for line in lines if re.fullmatch(r"[a-z, ]+:", line)]
    assert titles == [
        "options:",
        "what to select:",
        "when it was observed:",
        "where files go, and which are fetched:",
        "tables:",
        "web pages:",
        "what is printed:",
    ]
    assert lines[-1].startswith("Example: jwstwatch ")
