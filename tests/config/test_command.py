"""The commands `config check` and `config show`, and the reference page."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.cli import config
from jwstwatch.config.reference_page import page
from jwstwatch.core.parameters import PARAMETERS
from jwstwatch.errors import ExitCode, UsageError
from tests.config.conftest import Desk

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def here(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk.folder)
    for variable in (
        "JWSTWATCH_CONFIG",
        "JWSTWATCH_STATE",
        "JWSTWATCH_SERVER",
        "XDG_CONFIG_HOME",
        "XDG_STATE_HOME",
    ):
        monkeypatch.delenv(variable, raising=False)
    for name, value in desk.environ.items():
        monkeypatch.setenv(name, value)


def run(*words: str, file: Path | None = None) -> ExitCode:
    parser = argparse.ArgumentParser()
    config.add_options(parser)
    arguments = parser.parse_args(words)
    arguments.config, arguments.token_file = file, None
    return config.run(arguments)


def as_json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    captured = capsys.readouterr()
    assert captured.err == ""
    report: dict[str, Any] = json.loads(captured.out)
    assert report["schema"] == 1
    return report


def test_check_counts_the_profiles(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.write("profiles: {a: {}, b: {}}\n")
    assert run("check") is ExitCode.DONE
    assert capsys.readouterr().out == "jwstwatch.yaml: 2 profiles, no problems\n"


def test_check_tells_every_problem(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.write("profiles: {a: {sca: x, every: 6}}\n")
    assert run("check") is ExitCode.USAGE
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in lines] == ["profiles.a.sca", "profiles.a.every"]
    assert run("check", "--json") is ExitCode.USAGE
    assert len(as_json(capsys)["problems"]) == 2


def test_check_tells_warnings_too(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.write("instrument: miri\nfiletype: cal\nobsmode: wrong\n", "old.cfg")
    assert run("check", file=Path("old.cfg")) is ExitCode.DONE
    first, second, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("warning: old.cfg:2: filetype: unknown key")
    assert second.startswith("warning: WRONG is no mode")
    assert last == "old.cfg: an old configuration file with one query, no problems"
    assert run("check", "--json", file=Path("old.cfg")) is ExitCode.DONE
    assert as_json(capsys)["problems"] == []


def test_check_without_a_file_says_where_it_looked(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check") is ExitCode.USAGE
    assert str(desk.folder / "jwstwatch.yaml") in capsys.readouterr().out


def test_show_tells_each_value_and_where_it_was_written(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.write("defaults:\n  sca: [a1, a5]\nprofiles:\n  ers:\n    propID: [1: [3], 2]\n  b:\n")
    assert run("show", "ers") is ExitCode.DONE
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    values = {line[0]: " ".join(line[1].split()) for line in lines}
    assert values["profile"] == "ers"
    assert values["sca"] == "defaults jwstwatch.yaml:2 a1, a5"
    assert values["propID"] == 'profile jwstwatch.yaml:5 {"1": [3]}, 2'
    assert values["makewebpages"] == "built-in false"
    assert values["outrootdir"] == f"built-in $JWSTDOWNLOAD_OUTDIR {desk.environ['JWSTDOWNLOAD_OUTDIR']}"
    assert set(values) == {"profile", *PARAMETERS}


def test_show_aligns_the_values(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.write("profiles: {ers: {filetypes: cal, instrument: miri}}\n")
    run("show", "ers")
    lines = capsys.readouterr().out.splitlines()
    columns = {line.index(value) for line in lines for value in (" cal", " miri") if line.endswith(value)}
    assert len(columns) == 1


def test_show_without_a_profile_tells_the_file_and_all_profiles(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write("state: postgresql://me:hunter2@host/name?password=hunter2\nprofiles: {a: {}, b: {}}\n")
    monkeypatch.setenv("JWSTWATCH_SERVER", "http://127.0.0.1:1")
    assert run("show") is ExitCode.DONE
    text = capsys.readouterr().out
    assert "hunter2" not in text
    assert "postgresql://me:***@host/name" in text
    assert "environment $JWSTWATCH_SERVER  http://127.0.0.1:1" in text
    assert text.count("\nprofile ") == 2


def test_show_as_json(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    path = desk.write("profiles: {a: {every: 2 hours, savetables: x}}\n")
    assert run("show", "--json") is ExitCode.DONE
    report = as_json(capsys)
    assert report["path"] == str(path)
    assert report["file"]["mast.connections"]["value"] == 6
    (profile,) = report["profiles"]
    assert profile["name"] == "a"
    expected = {"value": "2h", "source": "profile", "file": str(path), "line": 1, "name": None}
    assert profile["parameters"]["every"] == expected


def test_show_of_an_old_file_tells_its_one_query(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.write("instrument: miri\n", "old.cfg")
    assert run("show", file=Path("old.cfg")) is ExitCode.DONE
    text = capsys.readouterr().out
    assert "one-off commands\n" in text
    assert "legacy file old.cfg:1" in text


def test_show_of_an_unknown_profile_is_an_error_of_usage(desk: Desk) -> None:
    desk.write("profiles: {a: {}}\n")
    with pytest.raises(UsageError, match="no profile 'b'"):
        run("show", "b")


def test_the_reference_page_is_the_one_that_the_tables_make() -> None:
    committed = (PROJECT / "docs/configuration.md").read_text()
    assert committed == page(), (
        "write it anew: python -m jwstwatch.config.reference_page > docs/configuration.md"
    )


def test_the_reference_page_names_every_parameter_once_with_its_default() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    for name in PARAMETERS:
        assert len([row for row in rows if row.startswith((f"| `{name}` ", f"| `{name}` (`-"))]) == 1


def test_the_pages_example_can_be_used(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.write(page().split("```yaml\n")[1].split("```")[0])
    assert run("check") is ExitCode.DONE
    assert capsys.readouterr().out.endswith("2 profiles, no problems\n")


def test_the_pages_example_for_a_service_can_be_used(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM_WEBHOOK", "slack://T/B/C")
    monkeypatch.setenv("MAIL_PASSWORD", "hunter2")
    desk.write(page().split("```yaml\n")[2].split("```")[0])
    assert run("check") is ExitCode.DONE
    assert capsys.readouterr().out.endswith("0 profiles, no problems\n")


def test_show_masks_what_may_be_secret_and_tells_where_it_is_from(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    path = desk.write(
        "notify: {to: ['mailto://me:hunter2@host', 'slack://hunter2']}\nheartbeat: https://host/hunter2\n"
    )
    assert run("show") is ExitCode.DONE
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "notify.to file jwstwatch.yaml:1 mailto://***, slack://***" in lines
    assert "heartbeat file jwstwatch.yaml:2 https://***" in lines
    assert "daemon.at_once built-in 2" in lines
    assert run("show", "--json") is ExitCode.DONE
    report = as_json(capsys)
    assert "hunter2" not in json.dumps(report)
    expected = {"value": "https://***", "source": "file", "file": str(path), "line": 2, "name": None}
    assert report["file"]["heartbeat"] == expected


def test_check_tells_nothing_secret(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.write("notify: {to: hunter2}\nheartbeat: 'ftp://me:hunter2@host'\nmast: {token: hunter2}\n")
    assert run("check") is ExitCode.USAGE
    assert run("check", "--json") is ExitCode.USAGE
    captured = capsys.readouterr()
    assert "notify.to: it is not an apprise URL" in captured.out
    assert "hunter2" not in captured.out + captured.err


def test_the_commands_module_and_the_options_load_nothing_heavy() -> None:
    heavy = "{'yaml', 'astropy', 'astroquery', 'numpy', 'PIL', 'sqlalchemy', 'requests', 'jinja2', 'keyring'}"
    code = (
        "import argparse, sys\n"
        "from jwstwatch.cli import config, profile_options\n"
        "parser = argparse.ArgumentParser()\n"
        "config.add_options(parser), profile_options.add_options(parser), parser.format_help()\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    assert done.stdout.strip() == "[]"


def test_loading_the_configuration_needs_yaml_and_the_standard_library_alone(desk: Desk) -> None:
    path = desk.write((PROJECT / "jwstwatch.yaml").read_text())
    code = (
        "import sys\nbefore = set(sys.modules)\nfrom pathlib import Path\n"
        "from jwstwatch.config import load\n"
        f"load(Path({str(path)!r}), environ={{'JWSTDOWNLOAD_OUTDIR': '/data'}}, folder=Path.cwd())\n"
        "loaded = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(loaded - sys.stdlib_module_names))\n"
        "print(*sorted({'difflib', 'fractions', 'zoneinfo', 'shlex'} & loaded))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    foreign, avoidable = done.stdout.splitlines()
    # PyYAML brings its parser in C, which Cython made.
    ours = {name for name in foreign.split() if not name.startswith(("_cython", "cython_runtime"))}
    assert ours <= {"jwstwatch", "yaml", "_yaml"}
    assert avoidable == ""
