"""Old configuration files mean here what they meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from jwstwatch.config import one_off
from jwstwatch.core.parameter_table import Layer
from jwstwatch.core.parameters import ProposalChoice
from jwstwatch.errors import ConfigurationError
from tests.config.conftest import Desk

OLD = """\
# the query
instrument: nircam
obsmode: ['image', 'wfss']
propID: 01409
obsnums:
outrootdir: $JWSTDOWNLOAD_OUTDIR
outsubdir:
skip_propID2outsubdir: False
obsnum2outsubdir: True
propIDs_obsnum2outsubdir: [1409]
skip_check_if_outfile_exists: False
clobber: True
verbose: 1
token:
Nobs_per_batch:
filetypes: ['uncal', '_rate.jpg']
guidestars: False
lookbacktime: 2
date_select: 2022-06-06 2022-06-08
savetables:
sortcols_productTable: ['calib_level','filetype','obsID']
webpage_tablefigsize_width:
"""


def test_an_old_file_is_one_query_without_a_name(desk: Desk) -> None:
    desk.write(OLD, "jwst_query.cfg")
    settings = desk.load("jwst_query.cfg")
    profile = one_off(settings, {})
    parameters = profile.parameters
    assert settings.profiles == {}
    assert settings.legacy_path == desk.folder / "jwst_query.cfg"
    assert settings.warnings == ()
    assert parameters.propID == (ProposalChoice(proposal=1409),)
    assert parameters.obsmode == ("image", "wfss")
    assert parameters.outrootdir == Path(desk.environ["JWSTDOWNLOAD_OUTDIR"])
    assert (parameters.outsubdir, parameters.savetables, parameters.Nobs_per_batch) == (None, None, None)
    assert parameters.filetypes == ("uncal", "_rate.jpg")
    assert parameters.date_select == ("2022-06-06 2022-06-08",)
    assert parameters.clobber is True
    assert profile.sources["lookbacktime"].layer is Layer.LEGACY
    assert profile.sources["lookbacktime"].line == 18


def test_what_is_typed_wins_over_an_old_file_and_our_defaults_do_not_count(desk: Desk) -> None:
    desk.write("defaults: {sca: a1, guidestars: true}\nmast: {connections: 3}\nstate: /x.db\n")
    desk.write(OLD, "jwst_query.cfg")
    settings = desk.load("jwst_query.cfg")
    parameters = one_off(settings, {"lookbacktime": 1.0}).parameters
    assert parameters.sca == ()
    assert parameters.guidestars is False
    assert parameters.lookbacktime == 1.0
    assert settings.mast.connections == 3
    assert settings.state_url == "sqlite:////x.db"


def test_unknown_keys_of_an_old_file_are_warnings(desk: Desk) -> None:
    desk.write("instrument: miri\nfiletype: [cal]\nevery: 6h\n", "old.cfg")
    settings = desk.load("old.cfg")
    assert settings.warnings == (
        "old.cfg:2: filetype: unknown key, ignored (did you mean filetypes?)",
        "old.cfg:3: every: ignored, since it is a parameter of profiles in jwstwatch.yaml",
    )
    assert one_off(settings, {}).parameters.filetypes == ("uncal",)


def test_the_first_of_several_proposals_of_an_old_file_counts(desk: Desk) -> None:
    desk.write("propID: [01409, 3, 103]\n", "old.cfg")
    settings = desk.load("old.cfg")
    assert one_off(settings, {}).parameters.propID == (ProposalChoice(proposal=1409),)
    assert settings.warnings == ("old.cfg:1: propID: only the first counts in an old file; ignored: 3, 103",)


def test_wrong_values_of_an_old_file_are_problems_all_at_once(desk: Desk) -> None:
    problems = desk.problems("instrument: wfpc2\nlookbacktime: long\ntoken: hunter2\n", "old.cfg")
    assert [problem.split(": ")[0] for problem in problems] == ["old.cfg:1", "old.cfg:2", "old.cfg:3"]
    assert "hunter2" not in str(problems)


def test_problems_of_both_files_are_told_together(desk: Desk) -> None:
    desk.write("mast: {connections: 0}\n")
    problems = desk.problems("lookbacktime: long\n", "old.cfg")
    assert [problem.split(":")[0] for problem in problems] == ["jwstwatch.yaml", "old.cfg"]


def test_folders_of_an_old_file_are_relative_to_the_current_one(desk: Desk) -> None:
    desk.write("outrootdir: data\n", "team/old.cfg")
    assert one_off(desk.load("team/old.cfg"), {}).parameters.outrootdir == desk.folder / "data"


def test_only_a_file_that_was_named_is_taken_for_an_old_one(desk: Desk) -> None:
    desk.write("instrument: miri\n")
    with pytest.raises(ConfigurationError) as caught:
        desk.load()
    assert "belongs below defaults:" in caught.value.problems[0]
    assert desk.load("jwstwatch.yaml").legacy_path == desk.folder / "jwstwatch.yaml"


@pytest.mark.parametrize("variable", ["JWSTWATCH_CONFIG", "JWST_QUERY_CFGFILE"])
def test_a_variable_may_name_an_old_file(desk: Desk, variable: str) -> None:
    desk.write("instrument: miri\n", "old.cfg")
    settings = desk.load(legacy_variable=True, **{variable: "old.cfg"})
    assert one_off(settings, {}).parameters.instrument == ("miri",)


def test_the_old_variable_counts_only_for_one_off_commands_that_name_no_other_file(desk: Desk) -> None:
    desk.write("instrument: miri\n", "old.cfg")
    desk.write("defaults: {instrument: fgs}\n")
    assert desk.load(JWST_QUERY_CFGFILE="old.cfg").legacy_path is None
    named = desk.load("jwstwatch.yaml", legacy_variable=True, JWST_QUERY_CFGFILE="old.cfg")
    assert one_off(named, {}).parameters.instrument == ("fgs",)
