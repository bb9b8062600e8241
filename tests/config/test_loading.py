"""Where the configuration is found, which value wins, and what an old file means."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jwstwatch.config import Settings, one_off
from jwstwatch.core.parameter_table import Layer
from jwstwatch.core.parameters import ProposalChoice
from jwstwatch.core.timetables import Limit, TimedRate, Timetable
from jwstwatch.errors import ConfigurationError, UsageError
from tests.config.conftest import Desk

SAMPLE = Path(__file__).resolve().parents[2] / "jwstwatch.yaml"
MINIMAL = "profiles: {ers: {propID: 1345}}\n"


def named(name: str) -> str:
    return f"profiles: {{{name}: {{}}}}\n"


def profile_names(settings: Settings) -> list[str]:
    return list(settings.profiles)


def test_without_any_file_everything_is_built_in(desk: Desk) -> None:
    settings = desk.load()
    assert settings.path is None
    assert settings.profiles == {}
    assert settings.state_url == f"sqlite:///{desk.environ['HOME']}/.local/state/jwstwatch/state.db"
    assert (settings.mast.server, settings.mast.connections) == ("https://mast.stsci.edu", 6)
    assert (settings.mast.timeout, settings.mast.bandwidth) == (60.0, None)
    assert one_off(settings, {}).parameters.instrument == ("nircam",)


def test_the_places_are_searched_in_their_order(desk: Desk) -> None:
    home = Path(desk.environ["HOME"])
    desk.write(named("system"), "../etc/jwstwatch.yaml")
    assert profile_names(desk.load()) == ["system"]
    desk.write(named("user"), str(home / ".config/jwstwatch/jwstwatch.yaml"))
    assert profile_names(desk.load()) == ["user"]
    desk.write(named("xdg"), "xdg/jwstwatch/jwstwatch.yaml")
    assert profile_names(desk.load(XDG_CONFIG_HOME=str(desk.folder / "xdg"))) == ["xdg"]
    assert profile_names(desk.load(XDG_CONFIG_HOME="xdg")) == ["user"]
    desk.write(named("here"))
    assert profile_names(desk.load()) == ["here"]
    desk.write(named("variable"), "variable.yaml")
    assert profile_names(desk.load(JWSTWATCH_CONFIG="variable.yaml")) == ["variable"]
    desk.write(named("typed"), "typed.yaml")
    assert profile_names(desk.load("typed.yaml", JWSTWATCH_CONFIG="variable.yaml")) == ["typed"]


def test_a_file_that_was_named_must_be_there(desk: Desk) -> None:
    desk.write(MINIMAL)
    with pytest.raises(ConfigurationError, match="is not there") as caught:
        desk.load("other.yaml")
    assert "--config" in caught.value.problems[0]
    with pytest.raises(ConfigurationError, match="JWSTWATCH_CONFIG"):
        desk.load(JWSTWATCH_CONFIG="other.yaml")


def test_a_folder_or_a_file_that_is_no_text_is_refused(desk: Desk) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        desk.load(str(desk.folder))
    (desk.folder / "image.fits").write_bytes(b"SIMPLE\n\xff\xfe\x00")
    with pytest.raises(ConfigurationError) as caught:
        desk.load("image.fits")
    assert caught.value.problems == ("image.fits:2: not UTF-8 text",)


def test_a_huge_file_is_not_read(desk: Desk) -> None:
    assert "larger than" in desk.problems("#" * 1_000_001)[0]


def test_a_profile_wins_over_the_defaults_and_they_over_what_is_built_in(desk: Desk) -> None:
    desk.write(
        "defaults:\n  filetypes: [rate]\n  guidestars: true\nprofiles:\n  a:\n    filetypes: cal\n  b:\n"
    )
    settings = desk.load()
    first, second = settings.profile("a"), settings.profile("b")
    assert first.parameters.filetypes == ("cal",)
    assert second.parameters.filetypes == ("rate",)
    assert first.parameters.guidestars is True
    assert first.parameters.instrument == ("nircam",)
    assert first.sources["filetypes"].layer is Layer.PROFILE
    assert (second.sources["filetypes"].layer, second.sources["filetypes"].line) == (Layer.DEFAULTS, 2)
    assert second.sources["instrument"].layer is Layer.BUILT_IN


def test_a_value_is_explicit_only_where_it_was_meant_for_this_query(desk: Desk) -> None:
    desk.write("defaults: {lookbacktime: 5}\nprofiles:\n  a: {}\n  b: {lookbacktime: 5}\n")
    settings = desk.load()
    assert not settings.profile("a").explicit("lookbacktime")
    assert settings.profile("b").explicit("lookbacktime")
    assert not settings.profile("b").explicit("instrument")
    assert not one_off(settings, {}).explicit("lookbacktime")
    assert one_off(settings, {"lookbacktime": 1.0}).explicit("lookbacktime")
    desk.write("lookbacktime: 2\n", "old.cfg")
    assert one_off(desk.load("old.cfg"), {}).explicit("lookbacktime")


def test_what_is_typed_wins_even_where_it_equals_the_default(desk: Desk) -> None:
    desk.write("defaults: {lookbacktime: 5, makewebpages: true}\n")
    profile = one_off(desk.load(), {"lookbacktime": 1.0, "makewebpages": False, "outrootdir": Path("here")})
    assert profile.parameters.lookbacktime == 1.0
    assert profile.parameters.makewebpages is False
    assert profile.parameters.outrootdir == desk.folder / "here"
    assert profile.name == ""
    assert profile.sources["lookbacktime"].layer is Layer.TYPED


def test_observation_numbers_of_the_file_that_meet_a_typed_proposal_are_a_warning(desk: Desk) -> None:
    desk.write("propID: 1409\nobsnums: [3, 103]\n", "old.cfg")
    settings = desk.load("old.cfg")
    (warning,) = one_off(settings, {"propID": (ProposalChoice(proposal=1410),)}).warnings
    assert warning.startswith("obsnums 3, 103 (legacy file, ")
    assert one_off(settings, {"propID": (), "obsnums": ()}).warnings == ()
    assert one_off(settings, {}).warnings == ()


def test_an_unknown_profile_is_named_together_with_those_there_are(desk: Desk) -> None:
    desk.write("profiles: {ers-1345: {}, deep: {}}\n")
    with pytest.raises(UsageError, match="did you mean ers-1345") as caught:
        desk.load().profile("ers-1354")
    assert "ers-1345, deep" in caught.value.hint


@pytest.mark.parametrize("text", ["01345", "1345", '"01345"', "'1345'"])
def test_a_proposal_is_what_the_user_means_not_what_yaml_does(desk: Desk, text: str) -> None:
    desk.write(f"profiles: {{a: {{propID: {text}}}}}\n")
    assert desk.load().profile("a").parameters.propID == (ProposalChoice(proposal=1345),)


def test_a_list_means_several_proposals_and_a_mapping_some_observations(desk: Desk) -> None:
    desk.write("profiles:\n  a:\n    propID: [1409, 01410: [3, 103]]\n")
    assert desk.load().profile("a").parameters.propID == (
        ProposalChoice(proposal=1409),
        ProposalChoice(proposal=1410, obsnums=(3, 103)),
    )


def test_variables_are_expanded_in_every_text(desk: Desk) -> None:
    desk.write(
        "defaults: {outrootdir: $DATA/jwst}\n"
        "profiles: {a: {outsubdir: $TEAM, filetypes: [$TYPE], savetables: a$$b}}\n"
    )
    settings = desk.load(DATA="/data", TEAM="nircam", TYPE="rate")
    parameters = settings.profile("a").parameters
    assert parameters.outrootdir == Path("/data/jwst")
    assert parameters.outsubdir == "nircam"
    assert parameters.filetypes == ("rate",)
    assert parameters.savetables == "a$b"


@pytest.mark.parametrize(
    "text", ["profiles: {a: {}, b: {}}", "profiles: {a: {outrootdir: $JWSTDOWNLOAD_OUTDIR/x}}"]
)
def test_an_unset_output_folder_is_the_current_one_and_that_is_told(desk: Desk, text: str) -> None:
    desk.write(text)
    settings = desk.load(JWSTDOWNLOAD_OUTDIR="")
    output = settings.profile("a").parameters.outrootdir
    assert output in (desk.folder, desk.folder / "x")
    (warning,) = settings.warnings
    assert warning.startswith("JWSTDOWNLOAD_OUTDIR is not set")
    assert warning.endswith(str(desk.folder))


def test_nothing_is_told_where_the_unset_output_folder_has_no_effect(desk: Desk) -> None:
    desk.write("defaults: {outrootdir: $JWSTDOWNLOAD_OUTDIR}\nprofiles: {a: {outrootdir: /data}}\n")
    assert desk.load(JWSTDOWNLOAD_OUTDIR="").warnings == ()


def test_folders_of_a_file_are_relative_to_it(desk: Desk) -> None:
    desk.write("state: st.db\nprofiles: {a: {outrootdir: data}}\n", "conf/jwstwatch.yaml")
    settings = desk.load("conf/jwstwatch.yaml")
    assert settings.profile("a").parameters.outrootdir == desk.folder / "conf/data"
    assert settings.state_url == f"sqlite:///{desk.folder}/conf/st.db"
    desk.write("profiles: {a: {outrootdir: ~/data}}\n")
    assert desk.load().profile("a").parameters.outrootdir == Path(desk.environ["HOME"], "data")


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("/var/lib/state.db", "sqlite:////var/lib/state.db"),
        ("sqlite:////var/lib/state.db", "sqlite:////var/lib/state.db"),
        ("sqlite:///state.db?timeout=5", "sqlite:///{folder}/state.db?timeout=5"),
        ("postgresql+psycopg://u:p@host/name", "postgresql+psycopg://u:p@host/name"),
        # A path is what it says, in a URL %20 is a blank.
        ("/a/per%20c/50%.db", "sqlite:////a/per%2520c/50%25.db"),
        ("sqlite:////a/per%20c/50%25.db", "sqlite:////a/per c/50%25.db"),
    ],
)
def test_the_state_is_a_path_or_a_url(desk: Desk, written: str, url: str) -> None:
    desk.write(f"state: {written}\n")
    assert desk.load().state_url == url.format(folder=desk.folder)


def test_the_folder_of_a_configuration_is_taken_literally_too(desk: Desk) -> None:
    for written in ("st.db", "sqlite:///st.db"):
        desk.write(f"state: {written}\n", "per%20c?/jwstwatch.yaml")
        url = desk.load("per%20c?/jwstwatch.yaml").state_url
        assert url == f"sqlite:///{desk.folder}/per%2520c%3F/st.db"


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:///%3Amemory%3A",
        "sqlite:////a/%00b",
        "sqlite://",
        "sqlite:///:memory:",
        "://x",
        "a?b",
        "db/",
        "[a]",
        "SQL://x",
    ],
)
def test_what_is_no_state_is_refused(desk: Desk, text: str) -> None:
    (problem,) = desk.problems(f"state: {text!r}\n" if text != "[a]" else "state: [a]")
    assert problem.startswith("jwstwatch.yaml:1: state: ")


def test_the_environment_overrides_the_state_and_the_server(desk: Desk) -> None:
    desk.write("state: a.db\nmast: {server: https://one.example/, connections: 3}\n")
    settings = desk.load(JWSTWATCH_STATE="b.db", JWSTWATCH_SERVER="http://127.0.0.1:8080/")
    assert settings.state_url == f"sqlite:///{desk.folder}/b.db"
    assert settings.mast.server == "http://127.0.0.1:8080"
    assert settings.mast.connections == 3
    assert settings.sources["state"].layer is Layer.ENVIRONMENT
    assert settings.sources["mast.server"].name == "$JWSTWATCH_SERVER"
    assert desk.load().mast.server == "https://one.example"


def test_a_wrong_variable_is_told_like_a_wrong_line(desk: Desk) -> None:
    with pytest.raises(ConfigurationError) as caught:
        desk.load(JWSTWATCH_SERVER="ftp://x", JWSTWATCH_STATE="sqlite://")
    assert [line.split(": ")[:2] for line in caught.value.problems] == [
        ["environment", "JWSTWATCH_SERVER"],
        ["environment", "JWSTWATCH_STATE"],
    ]


def test_the_state_folder_follows_the_xdg_variable_where_it_is_absolute(desk: Desk) -> None:
    assert desk.load(XDG_STATE_HOME="/srv/state").state_url == "sqlite:////srv/state/jwstwatch/state.db"
    assert "/.local/state/jwstwatch/" in desk.load(XDG_STATE_HOME="state").state_url


def test_settings_never_show_the_password_of_the_state(desk: Desk) -> None:
    desk.write("state: postgresql://u:hunter2@host/name\n")
    assert "hunter2" not in repr(desk.load())


def test_the_archives_settings_are_typed(desk: Desk) -> None:
    desk.write("mast: {timeout: 2 min, bandwidth: 40 MB/s, connections: 64}\n")
    mast = desk.load().mast
    always = Limit(Timetable((TimedRate(rate=40_000_000),)), "UTC")
    assert (mast.timeout, mast.limit, mast.connections) == (120.0, always, 64)


def test_the_cloud_is_not_used_unless_somebody_says_so(desk: Desk) -> None:
    desk.write("mast: {timeout: 60}\n")
    assert desk.load().mast.cloud == "never"
    assert desk.load().mast.cloud_server == "https://stpubdata.s3.us-east-1.amazonaws.com"
    desk.write("mast: {cloud: Prefer, cloud_server: 'http://127.0.0.1:5000/StPubData/'}\n")
    mast = desk.load().mast
    assert (mast.cloud, mast.cloud_server) == ("prefer", "http://127.0.0.1:5000/StPubData")


@pytest.mark.parametrize(
    "line",
    [
        *("cloud: always", "cloud: [never, prefer]", "cloud_server: s3://stpubdata"),
        *("cloud_server: stpubdata", "cloud_server: 'https://user:hunter2@host/b'"),
        *("cloud_server: 'https://host/b?list-type=2'", "cloud_server: 'https://host/a b'"),
    ],
)
def test_a_cloud_that_cannot_be_meant_is_refused_with_its_line(desk: Desk, line: str) -> None:
    (problem,) = desk.problems(f"mast:\n  {line}\n")
    assert problem.startswith(f"jwstwatch.yaml:2: mast.{line.partition(':')[0]}: ")
    assert "hunter2" not in problem


def test_the_schedule_nearest_to_the_profile_wins(desk: Desk) -> None:
    own = "  a: {}\n  b: {cron: '0 4 * * *'}\n  c: {every: }\n  d: {cron: }\n"
    desk.write(f"defaults: {{every: 12h}}\nprofiles:\n{own}")
    profiles = desk.load().profiles
    schedules = {name: (each.parameters.every, each.parameters.cron) for name, each in profiles.items()}
    assert schedules == {
        "a": (timedelta(hours=12), None),
        "b": (None, "0 4 * * *"),
        "c": (timedelta(hours=12), None),
        "d": (timedelta(hours=12), None),
    }
    desk.write("defaults: {cron: 0 4 * * *}\nprofiles:\n  a: {}\n  b: {every: 1h}\n  c: {cron: }\n")
    profiles = desk.load().profiles
    schedules = {name: (each.parameters.every, each.parameters.cron) for name, each in profiles.items()}
    assert schedules == {
        "a": (None, "0 4 * * *"),
        "b": (timedelta(hours=1), None),
        "c": (timedelta(hours=6), None),
    }


def test_only_guide_stars_means_guide_stars(desk: Desk) -> None:
    desk.write("profiles: {a: {guidestar_data_only: true}}\n")
    profile = desk.load().profile("a")
    assert profile.parameters.guidestars is True
    assert profile.sources["guidestars"].layer is Layer.PROFILE


def test_an_invalid_mode_is_a_warning(desk: Desk) -> None:
    desk.write("profiles: {a: {obsmode: [image, spectroscopy]}}\n")
    (warning,) = desk.load().warnings
    assert warning.startswith("profile a: SPECTROSCOPY is no mode")


def test_anchors_and_merging_work_and_a_profiles_own_values_win(desk: Desk) -> None:
    desk.write(
        "x-common: &common {filetypes: [rate], sca: a1}\n"
        "profiles:\n  a: &a\n    <<: *common\n    sca: a2\n  b:\n    <<: [{propID: 1}, *a]\n    propID: 2\n"
    )
    settings = desk.load()
    assert settings.profile("a").parameters.sca == ("a2",)
    assert settings.profile("a").parameters.filetypes == ("rate",)
    assert settings.profile("b").parameters.sca == ("a2",)
    assert settings.profile("b").parameters.propID == (ProposalChoice(proposal=2),)


def test_the_sample_file_can_be_used_as_it_is(desk: Desk) -> None:
    desk.write(SAMPLE.read_text())
    settings = desk.load()
    profile = settings.profile("ers-1345")
    assert settings.warnings == ()
    assert profile.parameters.filetypes == ("uncal", "jpg")
    assert profile.parameters.makewebpages is True


def test_every_line_that_the_sample_file_offers_can_be_used(desk: Desk) -> None:
    desk.write(re.sub(r"^#(?=\S|  )", "", SAMPLE.read_text(), flags=re.MULTILINE))
    settings = desk.load()
    assert profile_names(settings) == ["ers-1345", "miri-recent", "two-programmes"]
    limit = settings.mast.limit
    assert limit is not None
    assert limit.rate_at(datetime(2026, 7, 1, 6, tzinfo=UTC)) == 5_000_000
    assert set(settings.sources) - {path for path, each in settings.sources.items() if each.line} == set()
    assert settings.state_url == "sqlite:////var/lib/jwstwatch/state.db"
