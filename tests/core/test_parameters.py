"""The table of parameters and the kinds of values in it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.parameter_addresses import Server
from jwstwatch.core.parameter_kinds import UNSET, ValueNotAllowedError
from jwstwatch.core.parameter_sizes import Rate
from jwstwatch.core.parameter_units import Duration, format_duration, read_duration
from jwstwatch.core.parameter_words import Proposals, unite_choices
from jwstwatch.core.parameters import PARAMETERS, Group, Parameters, ProposalChoice, written

README_PARAMETERS = """
    instrument propID obsnums outrootdir outsubdir skip_propID2outsubdir obsnum2outsubdir
    propIDs_obsnum2outsubdir skip_check_if_outfile_exists Nobs_per_batch obsmode filetypes jpg_separate_subdir
    guidestars guidestar_data_only lookbacktime date_select savetables mastcolumns_obsTable
    outcolumns_productTable outcolumns_obsTable sortcols_productTable sortcols_obsTable sortcols_summaryTable
    makewebpages webpage_tablefigsize_width webpage_tablefigsize_height webpage_level12_jpgs
    webpage_fitskeys2table webpage_cols4table webpage_sortcols webpage_mkthumbnails
    webpage_thumbnails_overwrite webpage_thumbnails_width webpage_thumbnails_height
    calib_levels sca obsid_select obsid_list skip_check_filesize clobber skipdownload
"""


def read(name: str, text: object) -> object:
    return PARAMETERS[name].kind.take(text)  # type: ignore[arg-type]


def test_every_parameter_of_jwst_mast_query_is_there_and_marked_so():
    assert {name for name, each in PARAMETERS.items() if each.legacy} == set(README_PARAMETERS.split())


def test_the_defaults_are_those_of_the_documentation():
    defaults = Parameters()
    assert defaults.instrument == ("nircam",)
    assert defaults.filetypes == ("uncal",)
    assert defaults.lookbacktime == 1.0
    assert defaults.Nobs_per_batch == 2
    assert defaults.obsnum2outsubdir is True
    assert defaults.propIDs_obsnum2outsubdir == ()
    assert defaults.obsmode == ()
    assert defaults.makewebpages is False
    assert defaults.webpage_thumbnails_width == 120
    assert defaults.sortcols_summaryTable == ("date_start", "proposal_id", "obsnum")
    assert (defaults.every, defaults.cron, defaults.timezone) == (timedelta(hours=6), None, "UTC")
    assert (defaults.recheck, defaults.settle) == (timedelta(days=7), timedelta(days=14))
    assert defaults.max_plan == 500 * 10**9
    assert (defaults.min_free, defaults.quota) == (None, None)
    assert defaults.priority[-1] == "uncal"


def test_each_parameter_has_a_sentence_and_its_own_short_option():
    assert all(each.help.endswith(".") for each in PARAMETERS.values())
    short = [each.short for each in PARAMETERS.values() if each.short]
    assert sorted(short) == ["-d", "-e", "-f", "-i", "-l", "-n", "-s", "-w"]


def test_only_what_makes_no_sense_in_every_run_is_refused_in_a_profile():
    assert {name for name, each in PARAMETERS.items() if each.one_off_only} == {
        "clobber",
        "skip_check_if_outfile_exists",
        "skip_check_filesize",
        "skipdownload",
    }


def test_the_schedule_is_ours_and_nothing_else_is():
    ours = {name for name, each in PARAMETERS.items() if not each.legacy}
    assert ours == {name for name, each in PARAMETERS.items() if each.group is Group.SCHEDULE}


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_default_is_a_value_that_its_kind_reads_back(name):
    kind = PARAMETERS[name].kind
    plain = kind.write(PARAMETERS[name].default)
    texts = [str(item) for item in plain] if isinstance(plain, list) else plain
    assert kind.take(texts if texts is None or isinstance(texts, list) else str(texts)) in (
        PARAMETERS[name].default,
        UNSET,
    )


def test_all_effective_values_can_be_written_by_name():
    plain = written(
        Parameters(propID=(ProposalChoice(proposal=1409, obsnums=(3,)),), outrootdir=Path("/data"))
    )
    assert list(plain) == list(PARAMETERS)
    assert plain["propID"] == [{"1409": [3]}]
    assert plain["outrootdir"] == "/data"
    assert plain["every"] == "6h"


@pytest.mark.parametrize("text", ["1409", "01409", " 1409 "])
def test_leading_zeros_of_a_proposal_mean_nothing(text):
    assert read("propID", text) == (ProposalChoice(proposal=1409),)
    assert read("propID", "00741") == (ProposalChoice(proposal=741),)


def test_a_list_of_proposals_and_a_mapping_with_observations():
    choices = (ProposalChoice(proposal=1409, obsnums=(3, 103)), ProposalChoice(proposal=1410))
    assert read("propID", [{"1409": ["3", "103"]}, "1410"]) == choices
    assert read("propID", {"1409": ["3", "103"], "1410": None}) == choices


@pytest.mark.parametrize("text", ["0", "100000", "-5", "1e3", "jw01409", "1_409", "٣", ["1409", ["3"]]])
def test_what_is_no_proposal_is_refused(text):
    with pytest.raises(ValueNotAllowedError, match="proposal number"):
        read("propID", text)


def test_typed_words_after_a_proposal_are_its_observations():
    assert Proposals().read_words(["01409", "3", "103"]) == (ProposalChoice(proposal=1409, obsnums=(3, 103)),)


def test_of_two_choices_of_one_proposal_the_whole_one_wins():
    part, whole = ProposalChoice(proposal=1, obsnums=(3,)), ProposalChoice(proposal=1)
    assert unite_choices([part, whole]) == unite_choices([whole, part]) == (whole,)
    both = unite_choices([part, ProposalChoice(proposal=1, obsnums=(4, 3))])
    assert both == (ProposalChoice(proposal=1, obsnums=(3, 4)),)


def test_a_proposals_own_observations_come_before_the_general_ones():
    parameters = Parameters(obsnums=(7,))
    assert parameters.observations_of(ProposalChoice(proposal=1, obsnums=(3,))) == (3,)
    assert parameters.observations_of(ProposalChoice(proposal=1)) == (7,)


def test_instruments_are_lower_case_and_all_means_the_five():
    assert read("instrument", "NIRCam, miri") == ("nircam", "miri")
    assert len(read("instrument", ["all"])) == 5  # type: ignore[arg-type]
    with pytest.raises(ValueNotAllowedError, match="nircam, nirspec, niriss, miri, fgs, or all"):
        read("instrument", "wfpc2")


def test_an_empty_key_is_none_everything_or_the_same_as_leaving_it_out():
    assert read("filetypes", None) == ()
    assert read("Nobs_per_batch", None) is None
    assert read("savetables", "None") is None
    assert read("max_plan", None) is read("min_free", None) is read("quota", None) is None
    assert read("priority", None) == ()
    for name in ("instrument", "lookbacktime", "makewebpages", "outrootdir", "every", "outcolumns_obsTable"):
        assert read(name, None) is UNSET


@pytest.mark.parametrize("text", ["a5", "along", "NRCALONG", "mirifushort", "guider2", "nis"])
def test_detectors_are_known_by_their_short_and_full_names(text):
    assert read("sca", text) == (text.lower(),)


@pytest.mark.parametrize("text", ["a6", "nrcc1", "nircam"])
def test_what_is_no_detector_is_refused(text):
    with pytest.raises(ValueNotAllowedError, match="nrs1"):
        read("sca", text)


@pytest.mark.parametrize("words", [["58400+"], ["2020-11-23-"], ["2020-11-23", "2020-11-25"], ["59430.0"]])
def test_dates_are_kept_as_written_once_they_make_a_range(words):
    assert read("date_select", words) == tuple(words)


def test_a_text_may_hold_two_dates_or_a_date_and_its_time():
    assert read("date_select", "2022-06-06  2022-06-08") == ("2022-06-06 2022-06-08",)
    assert read("date_select", "2022-06-06 12:00:00") == ("2022-06-06 12:00:00",)


@pytest.mark.parametrize("text", ["yesterday", "2022-13-01", "2022-06-08 2022-06-06", "1 2 3", {"a": "b"}])
def test_what_is_no_date_range_is_refused(text):
    with pytest.raises(ValueNotAllowedError, match="one date"):
        read("date_select", text)


@pytest.mark.parametrize("text", ["5 3", "abc", "5-+", "1 2 3"])
def test_what_is_no_range_of_obsids_is_refused(text):
    with pytest.raises(ValueNotAllowedError, match="one obsID"):
        read("obsid_select", text)


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1e9", "one", ""])
def test_lookbacktime_is_a_number_of_days(text):
    if text:
        with pytest.raises(ValueNotAllowedError, match="a number of days from 0 to 100000"):
            read("lookbacktime", text)
    else:
        assert read("lookbacktime", text) is UNSET


@pytest.mark.parametrize("name", ["outsubdir", "savetables"])
@pytest.mark.parametrize("text", ["/etc", "../x", "a/../b", "a//b", ".", "a\nb", "x" * 201])
def test_a_name_below_the_output_folder_stays_below_it(name, text):
    with pytest.raises(ValueNotAllowedError):
        read(name, text)


def test_a_name_for_tables_is_a_name_and_not_a_switch():
    assert read("savetables", "nightly") == "nightly"
    with pytest.raises(ValueNotAllowedError, match="write the name itself"):
        read("savetables", "True")
    with pytest.raises(ValueNotAllowedError):
        read("savetables", "tables/nightly")
    assert read("outsubdir", "teams/nircam/") == "teams/nircam"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6h", 21600),
        ("90 min", 5400),
        ("7d", 604800),
        ("1d 12h", 129600),
        ("2 weeks", 1209600),
        ("1.5 hours", 5400),
    ],
)
def test_durations_carry_their_unit(text, seconds):
    assert read_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["6", "0.5", "90"])
def test_a_bare_number_is_no_duration_and_the_error_says_how_to_write_it(text):
    with pytest.raises(ValueNotAllowedError, match=f"has no unit: write {text}h"):
        Duration().read(text)


@pytest.mark.parametrize("text", ["6x", "h", "-6h", "3m", "6h7", "", "999999999999d", "1e3h"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueNotAllowedError, match="a duration"):
        Duration().read(text)


def test_a_schedule_without_a_pause_is_refused():
    with pytest.raises(ValueNotAllowedError, match="at least 1s"):
        read("every", "0")
    assert read("jitter", "0") == timedelta(0)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3660)))
def test_any_duration_survives_being_written(duration):
    assert Duration().read(format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("text", "rate"),
    [("40 MB/s", 40_000_000), ("500kB/s", 500_000), ("1 MiB/s", 1_048_576), ("300 Mbit/s", 37_500_000)],
)
def test_rates_carry_their_unit(text, rate):
    assert Rate().read(text) == rate


@pytest.mark.parametrize("text", ["40", "40 mb/s", "40 Mb/s", "1 B/s", "fast", "-1 MB/s"])
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(ValueNotAllowedError, match="MB/s"):
        Rate().read(text)


@pytest.mark.parametrize("text", ["15 */6 * * *", "0 4 1-7 jan,jul mon-fri", "*/5 0-23/2 * * 7", "0 0 1 1 0"])
def test_five_fields_make_a_schedule(text):
    assert read("cron", text) == text


@pytest.mark.parametrize(
    "text",
    [
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "5-1 * * * *",
        "*/0 * * * *",
    ],
)
def test_what_is_no_schedule_is_refused(text):
    with pytest.raises(ValueNotAllowedError, match="five fields"):
        read("cron", text)


@pytest.mark.parametrize("text", ["Mars/Olympus", "../../etc/passwd", "Europe", "x" * 300, "\ud800"])
def test_a_time_zone_must_exist(text):
    with pytest.raises(ValueNotAllowedError, match="Europe/Berlin"):
        read("timezone", text)
    assert read("timezone", "Europe/Berlin") == "Europe/Berlin"


def test_a_server_is_kept_without_the_slash_at_its_end():
    assert Server().read("https://MAST.stsci.edu/") == "https://mast.stsci.edu"
    assert Server().read("http://127.0.0.1:8080/mast/") == "http://127.0.0.1:8080/mast"


@pytest.mark.parametrize(
    "text", ["mast.stsci.edu", "ftp://a", "https://", "https://a?b", "http://a:x", "http://[1", "http://a b"]
)
def test_what_is_no_server_is_refused(text):
    with pytest.raises(ValueNotAllowedError, match="http or https"):
        Server().read(text)


def test_credentials_in_the_servers_address_are_refused_and_not_repeated():
    with pytest.raises(ValueNotAllowedError) as caught:
        Server().read("https://user:hunter2@mast.stsci.edu")
    assert "hunter2" not in str(caught.value)


@given(st.sampled_from(sorted(PARAMETERS)), st.text(max_size=40))
def test_no_text_makes_a_kind_fail_otherwise_than_by_refusing_it(name, text):
    kind = PARAMETERS[name].kind
    try:
        value = read(name, text)
    except ValueNotAllowedError as error:
        message = str(error)
    else:
        message = "" if value is UNSET else str(kind.write(value))
    assert "\n" not in message


def test_of_a_picture_one_replaced_copy_is_kept_at_least_where_pages_are_made():
    names = ("x_rate.jpg", "x_x1d.PNG", "x_rate.fits")
    assert [Parameters().kept_copies(name) for name in names] == [0, 0, 0]
    assert [Parameters(makewebpages=True).kept_copies(name) for name in names] == [1, 1, 0]
    assert [Parameters(makewebpages=True, keep_replaced=3).kept_copies(name) for name in names] == [3, 3, 3]
