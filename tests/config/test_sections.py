"""What the sections for the service mean, and that nothing secret in them is ever told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.config import Settings
from jwstwatch.config.settings import FILE_PARAMETERS
from jwstwatch.core.parameter_table import Layer
from jwstwatch.errors import ConfigurationError
from tests.config.conftest import Desk

WHOLE = """\
daemon: {at_once: 4, log_format: json}
mast:
  token_file: keys/token
notify:
  to: [$HOOK, 'mailto://me:$PASSWORD@host?to=a@x,b@y']
  when: [new, failures]
  digest: 08:00
heartbeat: https://monitor.example.org/ping/0123
hooks:
  after_file: /bin/true
  after_observation: sh -c 'echo "$JWSTWATCH_NAME"'
  after_run: "true"
  on_error: logger $$
  timeout: 2 min
metrics:
  file: out/jwstwatch.prom
  listen: 9177
"""


def test_without_any_section_the_service_does_nothing_of_its_own(desk: Desk) -> None:
    settings = desk.load()
    assert (settings.daemon.at_once, settings.daemon.log_format) == (2, "text")
    assert (settings.notify.to, settings.notify.digest, settings.heartbeat) == ((), None, None)
    assert settings.notify.when == ("new", "reprocessed", "failures", "archive", "token")
    hooks = settings.hooks
    assert [hooks.after_file, hooks.after_observation, hooks.after_run, hooks.on_error] == [None] * 4
    assert hooks.timeout == 60.0
    assert (settings.metrics.file, settings.metrics.listen, settings.mast.token_file) == (None, None, None)
    assert {source.layer for source in settings.sources.values()} == {Layer.BUILT_IN}


@pytest.mark.parametrize(("words", "days"), [("90d", 90), ("2y", 730), ("Always", None), ("", 730)])
def test_runs_are_kept_for_a_time_or_always(desk: Desk, words: str, days: int | None) -> None:
    desk.write(f"daemon: {{keep_runs: {words}}}\n")
    assert desk.load().daemon.keep_runs == (None if days is None else timedelta(days=days))


@pytest.mark.parametrize("words", ["29d", "2", "never"])
def test_runs_of_the_last_month_are_always_kept(desk: Desk, words: str) -> None:
    desk.write(f"daemon: {{keep_runs: {words}}}\n")
    with pytest.raises(ConfigurationError) as caught:
        desk.load()
    (problem,) = caught.value.problems
    assert "daemon.keep_runs" in problem


def test_every_section_is_read_with_its_types(desk: Desk) -> None:
    desk.write(WHOLE)
    settings = desk.load(HOOK="slack://T/B/C", PASSWORD="hunter2")
    assert (settings.daemon.at_once, settings.daemon.log_format) == (4, "json")
    assert settings.mast.token_file == desk.folder / "keys/token"
    assert settings.notify.to == ("slack://T/B/C", "mailto://me:hunter2@host?to=a@x,b@y")
    assert settings.notify.when == ("new", "failures")
    assert settings.notify.digest == 8 * 60
    assert settings.heartbeat == "https://monitor.example.org/ping/0123"
    assert settings.hooks.timeout == 120.0
    assert settings.metrics.file == desk.folder / "out/jwstwatch.prom"
    assert settings.metrics.listen == ("127.0.0.1", 9177)


def test_a_hooks_dollar_signs_are_left_to_its_shell(desk: Desk) -> None:
    desk.write(WHOLE)
    hooks = desk.load(HOOK="a://b", PASSWORD="x", JWSTWATCH_NAME="not this").hooks
    assert hooks.after_observation == "sh -c 'echo \"$JWSTWATCH_NAME\"'"
    assert hooks.on_error == "logger $$"


def test_each_value_knows_where_it_was_written(desk: Desk) -> None:
    path = desk.write(WHOLE)
    sources = desk.load(HOOK="a://b", PASSWORD="x").sources
    assert set(sources) == {"state", *FILE_PARAMETERS}
    lines = {
        name: sources[name].line
        for name in ("mast.token_file", "notify.digest", "heartbeat", "hooks.timeout")
    }
    assert lines == {"mast.token_file": 3, "notify.digest": 7, "heartbeat": 8, "hooks.timeout": 14}
    assert sources["metrics.listen"].file == path


@pytest.mark.parametrize("text", ["08:00", "8:00", "'08:00'", '"08:00"', "18:30", "01:20", "00:00", "23:59"])
def test_a_time_of_day_is_not_what_yaml_makes_of_it(desk: Desk, text: str) -> None:
    desk.write(f"notify:\n  digest: {text}\n")
    hour, minute = text.strip("'\"").split(":")
    assert desk.load().notify.digest == int(hour) * 60 + int(minute)


def test_an_empty_key_is_none(desk: Desk) -> None:
    desk.write(
        "notify: {to: , when: [], digest: }\nheartbeat:\nmetrics:\n"
        "hooks: {after_run: }\nmast: {token_file: }\n"
    )
    settings = desk.load()
    assert (settings.notify.to, settings.notify.when, settings.heartbeat) == ((), (), None)
    assert (settings.hooks.after_run, settings.mast.token_file) == (None, None)


def test_a_typed_token_file_wins_and_is_meant_from_the_current_folder(desk: Desk) -> None:
    desk.write("mast: {token_file: a}\n", "conf/jwstwatch.yaml")
    settings = desk.load("conf/jwstwatch.yaml")
    assert settings.mast.token_file == desk.folder / "conf/a"
    settings = desk.load("conf/jwstwatch.yaml", token_file=Path("b"))
    assert settings.mast.token_file == desk.folder / "b"
    assert settings.sources["mast.token_file"].layer is Layer.TYPED


def test_each_mistake_is_one_line_with_its_place_and_what_is_allowed(desk: Desk) -> None:
    problems = desk.problems(
        "daemon:\n  at_once: 65\n  logformat: json\n  log_format: xml\n"
        "notify:\n  when: [new, old]\n  digest: noon\n"
        "heartbeat: nowhere\n"
        "hooks:\n  after_run: sh -c 'open\n  timeout: soon\n"
        "metrics:\n  listen: 0.0.0.0:9177\n  file: /\n"
        "mast:\n  token_file: 0123456789abcdef0123456789abcdef\n"
        "hook: {}\n"
    )
    unrepeated = "(it may hold a secret and is not repeated here)"
    assert problems == (
        "jwstwatch.yaml:2: daemon.at_once: '65' is not a number of profiles from 1 to 64",
        "jwstwatch.yaml:3: daemon.logformat: unknown key (did you mean log_format?)",
        "jwstwatch.yaml:4: daemon.log_format: 'xml' is not one of text and json",
        "jwstwatch.yaml:6: notify.when: 'old' is not one of new, reprocessed, failures, archive and token",
        "jwstwatch.yaml:7: notify.digest: 'noon' is not a time of day from 00:00 to 23:59",
        f"jwstwatch.yaml:8: heartbeat: it is not an http or https URL {unrepeated}",
        "jwstwatch.yaml:10: hooks.after_run: it is not a command line such as "
        f"/usr/local/bin/reduce --quick: no closing quotation {unrepeated}",
        "jwstwatch.yaml:11: hooks.timeout: 'soon' is not a number of seconds from 0.1 to 3600",
        "jwstwatch.yaml:13: metrics.listen: '0.0.0.0:9177' can be reached from other machines: only a "
        "loopback address (127.0.0.0/8, ::1, localhost) is allowed, since whoever reaches it is told "
        "everything",
        "jwstwatch.yaml:14: metrics.file: '/' is not the path of a file",
        "jwstwatch.yaml:16: mast.token_file: it is not the path of a file that holds a token: "
        f"it looks like a token itself {unrepeated}",
        "jwstwatch.yaml:17: hook: unknown key (did you mean hooks?)",
    )


@pytest.mark.parametrize("section", ["daemon", "notify", "hooks", "metrics"])
def test_a_section_is_a_mapping(desk: Desk, section: str) -> None:
    (problem,) = desk.problems(f"{section}: [json://hunter2]\n")
    assert problem == f"jwstwatch.yaml:1: {section}: must be a mapping of names to values"


def test_a_bare_token_is_refused_beside_its_file(desk: Desk) -> None:
    (problem,) = desk.problems("mast:\n  token_file: a\n  token: hunter2\n")
    assert problem.startswith("jwstwatch.yaml:3: mast.token: credentials do not belong")


@pytest.mark.parametrize(
    "text",
    [
        "notify: {to: hunter2}",
        "notify: {to: [json://a, hunter2]}",
        "notify: {to: {'mailto://me:hunter2@host': x}}",
        "notify: {to: 'mailto://me:pa$hunter2@host'}",
        "notify: {'mailto://me:hunter2@host': x}",
        "notify: {'mailto://me:hunter2@host': x, 'mailto://me:hunter2@host': x}",
        "notify: mailto://me:hunter2@host",
        "'mailto://me:hunter2@host': x",
        "heartbeat: ftp://hunter2",
        "heartbeat: [https://hunter2]",
        "heartbeat: https://$hunter2/x",
        "hooks: {after_run: 'curl -u me:hunter2 \"'}",
        "mast: {token_file: [hunter2]}",
        "mast: {token_file: hunter2/}",
        "mast: {token_file: 0123456789abcdefhunter2hunter2hunter2}",
    ],
)
def test_a_secret_is_not_repeated_in_what_is_wrong_with_it(desk: Desk, text: str) -> None:
    desk.write(text + "\n")
    try:
        problems = desk.load().unset
    except ConfigurationError as error:
        problems = error.problems
    assert problems
    assert not any("hunter2" in problem for problem in problems)


def test_an_address_whose_variable_only_the_service_has_counts_as_left_out_elsewhere(desk: Desk) -> None:
    desk.write("notify:\n  to: [json://a, $TEAM_HOOK]\nheartbeat: https://a/$PING_KEY\n")
    settings = desk.load()
    assert (settings.notify.to, settings.heartbeat) == ((), None)
    alone, within = settings.unset
    assert alone == "jwstwatch.yaml:2: notify.to: the environment variable TEAM_HOOK is not set"
    assert within.endswith("an environment variable in it is not set; $$ stands for a dollar sign")
    settings = desk.load(TEAM_HOOK="json://b", PING_KEY="x")
    assert (len(settings.notify.to), settings.heartbeat, settings.unset) == (2, "https://a/x", ())


SECRET = st.text("abcdefghij0123456789", min_size=8, max_size=20)


@given(SECRET, SECRET)
def test_neither_repr_nor_what_is_shown_holds_a_secret(shared_desk: Desk, first: str, second: str) -> None:
    shared_desk.write(
        f"notify: {{to: [$HOOK, 'json://u:{second}@h']}}\nheartbeat: https://h/{first}?k={second}\n"
        f"state: postgresql://u:{first}@h/name\n"
    )
    settings = shared_desk.load(HOOK=f"slack://{first}", MAST_API_TOKEN=second)
    for text in (repr(settings), str(settings.shown())):
        assert first not in text
        assert second not in text
    assert settings.shown()["notify.to"] == ["slack://***", "json://***"]
    assert settings.shown()["heartbeat"] == "https://***"


def test_what_is_shown_is_whole_and_plain(desk: Desk) -> None:
    desk.write(WHOLE)
    shown = desk.load(HOOK="a://b", PASSWORD="x").shown()
    assert list(shown) == list(FILE_PARAMETERS)
    assert shown["notify.digest"] == "08:00"
    assert shown["metrics.listen"] == "127.0.0.1:9177"
    assert shown["mast.token_file"] == str(desk.folder / "keys/token")
    assert shown["hooks.timeout"] == 120


def test_an_old_configuration_file_leaves_the_sections_to_ours(desk: Desk) -> None:
    desk.write("instrument: miri\n", "old.cfg")
    desk.write("daemon: {at_once: 3}\n")
    settings: Settings = desk.load("old.cfg")
    assert settings.daemon.at_once == 3
