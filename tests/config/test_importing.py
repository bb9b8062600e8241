"""A configuration of jwst_mast_query becomes a profile that means the same, and says what it cannot say."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.cli import main
from jwstwatch.config import one_off
from jwstwatch.config.importing import Imported, import_legacy
from jwstwatch.core.parameters import PARAMETERS, Parameters, ProposalChoice
from jwstwatch.errors import ConfigurationError, ExitCode, UsageError
from tests.config.conftest import Desk
from tests.config.test_round_trip import NAME, values

FULL = """\
instrument: nircam
obsmode: ['image', 'wfss']
propID: [01409, 1410]
obsnums:
outrootdir: $JWSTDOWNLOAD_OUTDIR
outsubdir:
clobber: True
skip_check_filesize: False
skip_check_if_outfile_exists: True
verbose: 1
token: hunter2
login: [me, hunter2]
every: 3
filetype: [cal]
filetypes: ['uncal', '_rate.jpg']
lookbacktime: 1.0
date_select: []
savetables: '~'
webpage_tablefigsize_width:
"""

LEGACY = [name for name, each in PARAMETERS.items() if each.legacy]
ONE_OFF = [name for name, each in PARAMETERS.items() if each.one_off_only]
VARIABLES = st.sampled_from(["$JWSTDOWNLOAD_OUTDIR", "${JWSTDOWNLOAD_OUTDIR}", "$PLACE", "${PLACE}"])
PIECES = st.sampled_from(
    ["~", "/", "a b", "é", "..", "$$", "$1", "$", "x:y", "#", "'", '"', "none", "{", "- "]
)


@pytest.fixture(scope="module")
def odd_desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A current folder whose name looks like a variable."""
    folder = tmp_path_factory.mktemp("desk") / "my $HOME $1"
    folder.mkdir()
    return Desk(folder, {"HOME": "/home/me", "PLACE": "some place"})


def take_in(desk: Desk, text: str, name: str | None = "imported", **variables: str) -> Imported:
    path = desk.write(text, "old.cfg")
    return import_legacy(path, name=name, environ={**desk.environ, **variables}, folder=desk.folder)


def comments(imported: Imported) -> str:
    """The comments as running text."""
    return " ".join(line.strip(" #") for line in imported.text.splitlines())


def saved(desk: Desk, imported: Imported, **variables: str) -> Parameters:
    # In a folder of its own: only the values count, not where the file happens to lie.
    desk.write(imported.text, "elsewhere/jwstwatch.yaml")
    return desk.load("elsewhere/jwstwatch.yaml", **variables).profile(imported.profile).parameters


def as_before(desk: Desk, **variables: str) -> Parameters:
    """What the old file itself means, but for what no saved profile may have."""
    parameters = one_off(desk.load("old.cfg", **variables), {}).parameters
    return replace(parameters, **{name: PARAMETERS[name].default for name in ONE_OFF})


def meant(make: Callable[[], Parameters]) -> Parameters | None:
    """What a file means, None where it is refused: it may need a variable that is not set any more."""
    try:
        return make()
    except ConfigurationError:
        return None


@st.composite
def folder_texts(draw: st.DrawFn) -> str:
    pieces = draw(st.lists(VARIABLES | PIECES | NAME, min_size=1, max_size=4))
    return "".join(pieces)


def old_values(name: str) -> st.SearchStrategy[Any]:
    written = values(name, PARAMETERS[name].kind).map(PARAMETERS[name].kind.write)
    if name in ("outrootdir", "outsubdir", "savetables", "filetypes"):
        return folder_texts() | written | st.none()
    if name == "propID":
        return written | st.sampled_from(["01409 1410", 1409, [], [1409], [{1409: [3]}, 1410]])
    return written | st.none()


@given(
    document=st.lists(st.sampled_from(LEGACY), unique=True, min_size=1, max_size=8).flatmap(
        lambda names: st.fixed_dictionaries({name: old_values(name) for name in names})
    ),
    style=st.sampled_from([None, "'", '"']),
    at_import=st.sampled_from([{}, {"JWSTDOWNLOAD_OUTDIR": "/data/jwst"}]),
    later=st.sampled_from([{}, {"JWSTDOWNLOAD_OUTDIR": "/data/jwst"}, {"JWSTDOWNLOAD_OUTDIR": "/other"}]),
)
def test_an_imported_file_loads_to_the_very_same_values(
    odd_desk: Desk,
    document: dict[str, Any],
    style: str | None,
    at_import: dict[str, str],
    later: dict[str, str],
) -> None:
    odd_desk.write(yaml.safe_dump(document, default_style=style, allow_unicode=True), "old.cfg")
    try:
        before = as_before(odd_desk, **at_import)
    except ConfigurationError:
        with pytest.raises(ConfigurationError):
            take_in(odd_desk, (odd_desk.folder / "old.cfg").read_text(), **at_import)
        return
    imported = take_in(odd_desk, (odd_desk.folder / "old.cfg").read_text(), **at_import)
    assert saved(odd_desk, imported, **at_import) == before
    assert meant(lambda: saved(odd_desk, imported, **later)) == meant(lambda: as_before(odd_desk, **later))


def test_a_relative_folder_is_still_meant_from_where_the_program_was_started(odd_desk: Desk) -> None:
    imported = take_in(odd_desk, "outrootdir: $PLACE/data\n")
    assert saved(odd_desk, imported).outrootdir == odd_desk.folder / "some place" / "data"
    assert "/my $$HOME $$1/$PLACE/data" in imported.text


def test_a_variable_stays_a_variable(desk: Desk) -> None:
    imported = take_in(desk, "outrootdir: $JWSTDOWNLOAD_OUTDIR/x\n")
    assert "outrootdir: $JWSTDOWNLOAD_OUTDIR/x\n" in imported.text
    assert saved(desk, imported, JWSTDOWNLOAD_OUTDIR="/elsewhere").outrootdir == Path("/elsewhere/x")
    assert f"was {desk.environ['JWSTDOWNLOAD_OUTDIR']} at the import" in comments(imported)


def test_every_value_has_the_help_of_the_table(desk: Desk) -> None:
    text = comments(take_in(desk, "sca: a1\njpg_separate_subdir: yes\n"))
    for name in ("sca", "jpg_separate_subdir"):
        assert PARAMETERS[name].help in text


def test_what_has_no_counterpart_is_named_in_comments_and_on_standard_error(desk: Desk) -> None:
    imported = take_in(desk, FULL)
    lines = [line for line in imported.text.splitlines() if line.strip().startswith("# Left out: ")]
    named = ["1410", *ONE_OFF, "verbose", "token", "login", "every", "filetype"]
    named.remove("skipdownload")
    assert sorted(line.split("out: ")[1].split()[0].rstrip(".") for line in lines) == sorted(named)
    assert "did you mean filetypes?" in imported.text
    told = [warning.split(": ", 1) for warning in imported.warnings]
    assert [place for place, _ in told] == [f"old.cfg:{line}" for line in (3, 7, 9, 11, 12, 13, 14, 16)]
    assert saved(desk, imported).propID == (ProposalChoice(proposal=1409),)


def test_no_credential_and_no_unknown_value_is_repeated(desk: Desk) -> None:
    imported = take_in(desk, "instrument: miri\ntoken: hunter2\nlogin: me hunter2\nmy_key: hunter2\n")
    assert "hunter2" not in imported.text + str(imported.warnings)
    assert "MAST_API_TOKEN" in imported.text


def test_an_empty_token_is_no_loss_to_warn_of(desk: Desk) -> None:
    assert take_in(desk, "instrument: miri\ntoken:\nlogin: ''\nverbose: 2\n").warnings == ()


@pytest.mark.parametrize(
    ("text", "way_on"),
    [
        ("propID: 1409\nlookbacktime: 1.0\n", "without this line the whole proposal is asked for"),
        ("instrument: miri\nlookbacktime: 3\n", "With 0 there is no such limit"),
        ("propID: 1409\nlookbacktime: 0\n", None),
        ("propID: 1409\nlookbacktime: 2\ndate_select: 2022-06-06+\n", None),
        ("propID: 1409\n", None),
    ],
)
def test_a_window_that_hides_older_data_is_told(desk: Desk, text: str, way_on: str | None) -> None:
    imported = take_in(desk, text)
    assert ("hides what was observed" in comments(imported)) is bool(way_on)
    assert [way_on in warning for warning in imported.warnings if way_on] == [True] * bool(way_on)
    assert not way_on or way_on in comments(imported)


@pytest.mark.parametrize(
    ("file", "name", "expected"),
    [
        ("jwst_query.cfg", None, "jwst_query"),
        ("my team's (old).cfg", None, "my-team-s-old"),
        (".cfg", None, "cfg"),
        ("---.cfg", None, "imported"),
        ("token.cfg", None, "imported"),
        ("x.cfg", "null", "null"),
        ("x.cfg", "2022-06-06", "2022-06-06"),
    ],
)
def test_the_profile_is_named_like_the_file_or_as_asked(
    desk: Desk, file: str, name: str | None, expected: str
) -> None:
    path = desk.write("instrument: miri\n", file)
    imported = import_legacy(path, name=name, environ={}, folder=desk.folder)
    assert imported.profile == expected
    assert saved(desk, imported).instrument == ("miri",)


@pytest.mark.parametrize("name", ["", "a b", "-x", "a\nb", "token", "x" * 65])
def test_an_impossible_name_is_refused(desk: Desk, name: str) -> None:
    with pytest.raises(UsageError):
        take_in(desk, "instrument: miri\n", name)


def test_a_name_or_a_value_cannot_break_out_of_its_comment(desk: Desk) -> None:
    text = '"a\\nprofiles": 1\npropID: [1, "2\\n  evil: 3"]\ninstrument: miri\n'
    imported = take_in(desk, text, "safe")
    assert list(yaml.safe_load(imported.text)["profiles"]["safe"]) == ["propID", "instrument"]


def test_every_problem_of_the_old_file_is_told(desk: Desk) -> None:
    with pytest.raises(ConfigurationError) as caught:
        take_in(desk, "instrument: wfpc2\nlookbacktime: long\n")
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("text", ["", "profiles: {}\n", "just words\n", "unknown: 1\n"])
def test_a_file_that_is_no_old_one_is_refused(desk: Desk, text: str) -> None:
    with pytest.raises(ConfigurationError, match="no configuration of jwst_mast_query"):
        take_in(desk, text)


# -- the command


@pytest.fixture
def here(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    desk.write(FULL, "jwst_query.cfg")
    with contextlib.chdir(desk.folder):
        monkeypatch.setenv("JWSTDOWNLOAD_OUTDIR", desk.environ["JWSTDOWNLOAD_OUTDIR"])
        yield desk


def test_import_prints_the_file_and_warns_on_standard_error(
    here: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["config", "import", "jwst_query.cfg", "--name", "ers"]) is ExitCode.DONE
    told = capsys.readouterr()
    here.write(told.out)
    assert list(here.load().profiles) == ["ers"]
    assert told.err.count("jwstwatch: warning: jwst_query.cfg:") == 8
    assert "lookbacktime: 1 hides" in told.err


def test_import_writes_a_new_file_and_never_over_one(here: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["config", "import", "jwst_query.cfg", "--output", "jwstwatch.yaml"]
    assert main.main(words) is ExitCode.DONE
    assert capsys.readouterr().out == ""
    written = (here.folder / "jwstwatch.yaml").read_text()
    assert list(here.load().profiles) == ["jwst_query"]
    assert main.main([*words, "--name", "other"]) is ExitCode.USAGE
    assert "jwstwatch.yaml is there already" in capsys.readouterr().err
    assert (here.folder / "jwstwatch.yaml").read_text() == written


def test_import_to_a_folder_that_is_not_there_is_an_error_of_usage(
    here: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["config", "import", "jwst_query.cfg", "--output", "nowhere/x.yaml"]
    assert main.main(words) is ExitCode.USAGE
    assert "nowhere is not there" in capsys.readouterr().err
