"""The units as systemd reads them, the accounts and folders they need, and the page that installs them."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
UNITS = PROJECT / "systemd"
PAGE = PROJECT / "docs" / "installation.md"


def need(program: str) -> None:
    if shutil.which(program) is None:
        if os.environ.get("CI"):
            pytest.fail(f"CI must have {program} (Debian's package systemd)")
        pytest.skip(f"there is no {program} on this machine (it is in CI)")


def test_systemd_finds_nothing_to_complain_about_and_little_exposed() -> None:
    need("systemd-analyze")
    check = PROJECT / ".ci" / "units"
    if not check.exists():
        pytest.skip("the check of the units is not part of this copy (it is in a clone)")
    done = subprocess.run(["bash", str(check)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_account_and_its_folders_are_made_as_the_units_expect(tmp_path: Path) -> None:
    need("systemd-sysusers")
    need("systemd-tmpfiles")
    if os.geteuid() != 0:
        pytest.skip("only root can give folders away")
    (tmp_path / "etc").mkdir()
    for name in ("passwd", "group"):
        (tmp_path / "etc" / name).write_text("root:x:0:0::/:/bin/sh\n" if name == "passwd" else "root:x:0:\n")
    for program, *words in (
        ("systemd-sysusers", str(UNITS / "jwstwatch.sysusers")),
        ("systemd-tmpfiles", "--create", str(UNITS / "jwstwatch.tmpfiles")),
    ):
        done = subprocess.run(
            [program, f"--root={tmp_path}", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    account = (tmp_path / "etc" / "passwd").read_text().splitlines()[-1].split(":")
    user, group = int(account[2]), int(account[3])
    assert account[0] == "jwstwatch"
    assert account[5:] == ["/var/lib/jwstwatch", "/usr/sbin/nologin"]
    assert {place: owner_and_mode(tmp_path / place) for place in ("srv/jwst", "etc/jwstwatch")} == {
        "srv/jwst": (user, group, 0o2775),
        "etc/jwstwatch": (0, group, 0o750),
    }
    assert owner_and_mode(tmp_path / "var/backups/jwstwatch") == (user, group, 0o750)


def owner_and_mode(path: Path) -> tuple[int, int, int]:
    facts = path.stat()
    return facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode)


def test_folders_that_an_administrator_changed_stay_as_they_are(tmp_path: Path) -> None:
    lines = (UNITS / "jwstwatch.tmpfiles").read_text().splitlines()
    for line in lines:
        if not line.startswith("#"):
            assert all(word.startswith(":") for word in line.split()[2:5]), line


@pytest.mark.parametrize("place", ["jwstwatch.service", "user/jwstwatch.service"])
def test_both_services_tell_when_they_are_ready_alive_and_read_again(place: str) -> None:
    service = settings(UNITS / place)["Service"]
    assert service["Type"] == "notify"
    assert service["NotifyAccess"] == "main"
    assert service["WatchdogSec"] == "120"
    assert service["Restart"] == "on-failure"
    assert service["ExecReload"] == "kill -HUP $MAINPID"


def settings(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment]
    parser.read(path)
    return parser


def test_the_page_names_every_file_that_is_there_and_none_that_is_not() -> None:
    page = PAGE.read_text()
    named = {PROJECT / name for name in re.findall(r"(?<![\w./])systemd/[a-z./-]*[a-z]", page)}
    there = {path for path in UNITS.rglob("*") if path.is_file()}
    assert {path for path in named if not path.is_dir()} == there
