"""Options are made from the table, and only what was typed becomes a value."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import pytest

from jwstwatch.cli.common import add_common_options
from jwstwatch.cli.profile_options import add_options, typed_values
from jwstwatch.core.parameter_table import Group
from jwstwatch.core.parameters import PARAMETERS, ProposalChoice
from jwstwatch.errors import UsageError


def typed(line: str) -> Mapping[str, object]:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return typed_values(parser.parse_args(line.split()))


def test_what_was_not_typed_has_no_value() -> None:
    assert typed("") == {}


def test_a_typed_value_that_equals_the_default_is_a_value() -> None:
    assert typed("--lookbacktime 1.0 --instrument nircam") == {"lookbacktime": 1.0, "instrument": ("nircam",)}


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("--propID 1410 --lookbacktime 3 --sca a1 a2", {"lookbacktime": 3.0, "sca": ("a1", "a2")}),
        (
            "--outrootdir /jwst_data -l 1 --propID 01138 --obsnums 4 5 7 --makewebpages --filetypes jpg fits",
            {"lookbacktime": 1.0, "obsnums": (4, 5, 7), "makewebpages": True, "filetypes": ("jpg", "fits")},
        ),
        (
            "--propID 743 --date_select 2021-08-11T16:49:49 2021-08-12T16:49:49",
            {"date_select": ("2021-08-11T16:49:49", "2021-08-12T16:49:49")},
        ),
        ("--propID 743 --date_select 2021-08-11T16:49:49-", {"date_select": ("2021-08-11T16:49:49-",)}),
        ("--lookbacktime 5 --makewebpages --filetype jpg", {"lookbacktime": 5.0, "filetypes": ("jpg",)}),
    ],
)
def test_the_documented_examples_of_jwst_mast_query_are_understood(
    line: str, values: Mapping[str, object]
) -> None:
    assert values.items() <= typed(line).items()


def test_an_option_with_one_hyphen_too_few_is_told_how_to_write_it() -> None:
    with pytest.raises(UsageError, match="-lookbacktime is not an option") as refused:
        typed("-lookbacktime 5")
    assert "--lookbacktime" in refused.value.hint


@pytest.mark.parametrize("option", ["--token", "--t", "--to", "--tok", "--toke"])
def test_a_token_files_option_takes_no_abbreviation_away_from_the_tokens(option: str) -> None:
    parser = argparse.ArgumentParser()
    add_common_options(parser)
    add_options(parser)
    arguments = parser.parse_args([option, "x"])
    assert arguments.token == "x"
    assert not hasattr(arguments, "token_file")


def test_short_options() -> None:
    assert typed("-i miri -f cal -e 5+ -l5 -d 59430.0+ -s night -w -n") == {
        "instrument": ("miri",),
        "filetypes": ("cal",),
        "obsid_select": ("5+",),
        "lookbacktime": 5.0,
        "date_select": ("59430.0+",),
        "savetables": "night",
        "makewebpages": True,
        "skipdownload": True,
    }


def test_a_proposal_with_its_observations_may_be_typed_several_times() -> None:
    assert typed("--propID 1409 3 103 --propID 01410")["propID"] == (
        ProposalChoice(proposal=1409, obsnums=(3, 103)),
        ProposalChoice(proposal=1410),
    )


def test_a_switch_takes_an_optional_word() -> None:
    assert typed("--obsnum2outsubdir False --guidestars --clobber true") == {
        "obsnum2outsubdir": False,
        "guidestars": True,
        "clobber": True,
    }


def test_a_list_may_be_emptied_and_added_to() -> None:
    assert typed("--filetypes") == {"filetypes": ()}
    assert typed("--sca a1 --sca a2") == {"sca": ("a1", "a2")}
    assert typed("--Nobs_per_batch None") == {"Nobs_per_batch": None}
    assert typed("--calib_levels -1 2") == {"calib_levels": (-1, 2)}


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("--sca a9", "--sca"),
        ("-l long", "--lookbacktime"),
        ("--propID 1409 x", "--propID"),
        ("--guidestars perhaps", "--guidestars"),
        ("--instrument", "--instrument"),
        ("--lookbacktime None", "--lookbacktime"),
    ],
)
def test_wrong_words_are_an_error_that_names_the_option(line: str, option: str) -> None:
    with pytest.raises(UsageError, match=f"^{option}: "):
        typed(line)


def test_a_log_in_with_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        typed("--login me hunter2")
    assert "hunter2" not in caught.value.message + caught.value.hint


def test_the_options_of_some_groups_only() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, groups=[Group.WHAT])
    options = parser.format_help()
    expected = {name for name, each in PARAMETERS.items() if each.group is Group.WHAT}
    assert {name for name in PARAMETERS if f"--{name} " in options} == expected


def test_the_help_names_every_option_with_its_sentence() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, groups=list(Group))
    shown = " ".join(parser.format_help().split())
    for name, each in PARAMETERS.items():
        assert f"--{name}" in shown
        assert " ".join(each.help.split())[:30] in shown
