"""Everything that is wrong is told at once, each with its file, line, path and what is allowed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.errors import ConfigurationError, ExitCode
from tests.config.conftest import Desk


def test_each_problem_is_one_line_with_its_place_and_the_way_out(desk: Desk) -> None:
    problems = desk.problems(
        "state: ''\n"
        "mast:\n"
        "  connections: 100\n"
        "  speed: 3\n"
        "defaults:\n"
        "  every: 6\n"
        "profiles:\n"
        "  ers-1345:\n"
        "    filetype: [uncal]\n"
        "    lookbacktime: long\n"
        "    outsubdir: $TEAM\n"
    )
    assert problems == (
        "jwstwatch.yaml:1: state: it must be an SQLAlchemy URL or the path of an SQLite file",
        "jwstwatch.yaml:3: mast.connections: '100' is not a number of connections from 1 to 64",
        "jwstwatch.yaml:4: mast.speed: unknown key",
        "jwstwatch.yaml:6: defaults.every: '6' has no unit: write 6h or 6d, for example",
        "jwstwatch.yaml:9: profiles.ers-1345.filetype: unknown key (did you mean filetypes?)",
        "jwstwatch.yaml:10: profiles.ers-1345.lookbacktime: 'long' is not a number of days from 0 to 100000",
        "jwstwatch.yaml:11: profiles.ers-1345.outsubdir: the environment variable TEAM is not set",
    )


def test_the_error_counts_the_problems_and_is_one_of_usage(desk: Desk) -> None:
    desk.write("profile: {}\nprofiles: {a: {propid: 1, obsnum: 3}}\n")
    with pytest.raises(ConfigurationError, match="cannot be used: 3 problems") as caught:
        desk.load()
    assert caught.value.exit_code is ExitCode.USAGE
    assert [line.rpartition("did you mean ")[2] for line in caught.value.problems] == [
        "profiles?)",
        "propID?)",
        "obsnums?)",
    ]


@pytest.mark.parametrize(
    "name", ["clobber", "skip_check_if_outfile_exists", "skip_check_filesize", "skipdownload"]
)
@pytest.mark.parametrize("place", ["defaults: {NAME: true}", "profiles: {a: {NAME: true}}"])
def test_what_would_harm_every_run_is_refused_in_a_saved_profile(desk: Desk, name: str, place: str) -> None:
    (problem,) = desk.problems(place.replace("NAME", name))
    assert f"{name}: not in a saved profile: " in problem
    assert "daemon" in problem


@pytest.mark.parametrize(
    "text",
    [
        "token: hunter2",
        "mast: {token: hunter2}",
        "mast: {login: [me, hunter2]}",
        "defaults: {MAST_API_TOKEN: hunter2}",
        "profiles: {a: {password: hunter2}}",
        "profiles: {a: {propID: {token: hunter2}}}",
        "x-aside: [{api-token: hunter2}]",
        "mast: {server: 'https://me:hunter2@host'}",
        "tokn: hunter2",
        "state: sqlite://hunter2",
        "lookbacktime: 1\ntoken: hunter2",
    ],
)
def test_a_token_anywhere_is_an_error_that_does_not_repeat_it(desk: Desk, text: str) -> None:
    problems = desk.problems(text)
    assert problems
    assert not any("hunter2" in problem for problem in problems)


def test_the_error_about_a_token_says_where_it_belongs(desk: Desk) -> None:
    (problem,) = desk.problems("mast:\n  token: hunter2\n")
    assert problem.startswith("jwstwatch.yaml:2: mast.token: credentials do not belong")
    assert "jwstwatch token set" in problem


def test_a_key_written_twice_is_an_error(desk: Desk) -> None:
    (problem,) = desk.problems("profiles:\n  a: {propID: 1}\n  b: {}\n  a: {propID: 2}\n")
    assert problem == "jwstwatch.yaml:4: profiles.a: written twice (first in line 2)"


def test_two_schedules_in_one_place_are_an_error(desk: Desk) -> None:
    (problem,) = desk.problems("profiles:\n  a:\n    every: 6h\n    cron: 0 4 * * *\n")
    assert problem == "jwstwatch.yaml:4: profiles.a.cron: not together with every (line 3)"


@pytest.mark.parametrize("name", ["-a", ".a", "a b", "a/b", "'é'", "''", "a" * 65])
def test_a_profiles_name_is_a_plain_word(desk: Desk, name: str) -> None:
    (problem,) = desk.problems(f"profiles:\n  ? {name}\n  : {{}}\n")
    assert "no name for a profile" in problem


def test_a_parameter_at_the_top_of_our_file_is_told_where_it_belongs(desk: Desk) -> None:
    (problem,) = desk.problems("defaults: {}\ninstrument: miri\n")
    assert problem.startswith("jwstwatch.yaml:2: instrument: belongs below defaults:")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("profiles: [unclosed\n", 2),
        ("a: 1\nb: {\n\tc: 1}\n: :\n", 3),
        ("a: 1\n\x01\n", 2),
        ("--- 1\n--- 2\n", 2),
        ("a: *nobody\n", 1),
        ('a: "\\U00110000"\n', 0),
        ("[" * 1200, 0),
    ],
)
def test_what_is_no_yaml_is_told_with_its_line(desk: Desk, text: str, line: int) -> None:
    (problem,) = desk.problems(text)
    assert problem.startswith(f"jwstwatch.yaml:{line}: " if line else "jwstwatch.yaml: ")


@pytest.mark.parametrize(
    "text",
    [
        "- 1\n",
        "plain text\n",
        "profiles: [a, b]\n",
        "profiles: {a: 3}\n",
        "defaults: yes\n",
        "pages: /var/www\n",
        "profiles: {a: !!python/object:os.system {}}\n",
        "profiles: {a: {propID: !secret 3}}\n",
        "profiles: {[a]: {}}\n",
        "profiles: {a: {<<: 3}}\n",
        "x-loop: &a [*a]\n",
        "x-loop: &a {<<: *a}\n",
    ],
)
def test_what_is_not_of_the_right_shape_is_one_problem(desk: Desk, text: str) -> None:
    (problem,) = desk.problems(text)
    assert problem.startswith("jwstwatch.yaml:1: ")


BROKEN = st.sampled_from(
    [
        ("instrument", "wfpc2"), ("propID", "none-such"), ("obsnums", "[0]"), ("filetypes", "{a: b}"),
        ("calib_levels", "9"), ("sca", "a7"), ("obsid_select", "x"), ("lookbacktime", "-1"),
        ("date_select", "tomorrow"), ("Nobs_per_batch", "0"), ("outsubdir", "../x"), ("guidestars", "maybe"),
        ("webpage_thumbnails_width", "wide"), ("every", "6"), ("timezone", "Mars"), ("settle", "[1d]"),
        ("clobber", "true"), ("token", "hunter2"), ("verbose", "2"), ("filetype", "uncal"), ("Q", "{b: 1}"),
        ("outrootdir", "$NOBODY/x"), ("savetables", "true"), ("outcolumns_obsTable", "[]"),
    ]
)  # fmt: skip
SOUND = st.sampled_from(
    [
        ("enabled", "no"),
        ("jitter", "5 min"),
        ("obsmode", ""),
        ("webpage_sortcols", "[]"),
        ("skip_propID2outsubdir", "no"),
    ]
)


@given(broken=st.lists(BROKEN, unique=True, min_size=1), sound=st.lists(SOUND, unique=True), data=st.data())
def test_there_are_exactly_as_many_problems_as_broken_keys(
    shared_desk: Desk, broken: list[tuple[str, str]], sound: list[tuple[str, str]], data: st.DataObject
) -> None:
    entries = data.draw(st.permutations(broken + sound))
    text = "profiles:\n  a:\n" + "".join(f"    {name}: {value}\n" for name, value in entries)
    problems = shared_desk.problems(text)
    told = {problem.split(": ")[1].removeprefix("profiles.a.") for problem in problems}
    assert len(problems) == len(broken)
    assert told == {name for name, _ in broken}
    lines = [int(problem.split(":")[1]) for problem in problems]
    assert lines == sorted(3 + number for number, entry in enumerate(entries) if entry in broken)
