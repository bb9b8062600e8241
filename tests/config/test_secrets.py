"""Where a token is found, that a changed one is found too, and that it is told nowhere."""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.backends.null import Keyring as NullKeyring
from keyring.errors import KeyringLocked, PasswordDeleteError

from jwstwatch.cli import config
from jwstwatch.config import Settings
from jwstwatch.config.secrets import (
    KEYRING_SERVICE,
    KEYRING_USER,
    Token,
    TokenSource,
    clear_token,
    read_token,
    store_token,
)
from jwstwatch.errors import ConfigurationError, JwstwatchError, UsageError
from tests.config.conftest import Desk
from tests.conftest import PROJECT

TOKEN = "0123456789abcdefhunter2hunter2ff"


class Drawer(KeyringBackend):
    """A keyring in memory."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked("locked")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise KeyringLocked("locked")
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("nothing there")


@pytest.fixture(autouse=True)
def drawer() -> Iterator[Drawer]:
    before = keyring.get_keyring()
    made = Drawer()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def settings_of(desk: Desk, text: str = "", **options: Any) -> Settings:
    desk.write(text)
    return desk.load(**options)


def write_token(desk: Desk, text: str, *, mode: int = 0o640) -> Path:
    path = desk.folder / "key"
    path.write_text(text)
    path.chmod(mode)
    return path


# -- the places


def test_the_places_count_in_their_order(desk: Desk, drawer: Drawer) -> None:
    drawer.set_password(KEYRING_SERVICE, KEYRING_USER, "of-keyring")
    desk.write("of-systemd\n", "mast_token")
    file = write_token(desk, "of-file\n")
    environ = {"MAST_API_TOKEN": " of-environment ", "CREDENTIALS_DIRECTORY": str(desk.folder)}
    settings = settings_of(desk, "mast: {token_file: key}\n")

    def found(typed: str | None = None) -> tuple[str, str]:
        token = TokenSource(settings, environ, typed).current()
        assert token is not None
        return token.value, token.source

    assert found(" typed ") == ("typed", "command line")
    assert found() == ("of-file", "token file")
    file.unlink()
    assert found() == ("of-environment", "environment")
    del environ["MAST_API_TOKEN"]
    assert found() == ("of-systemd", "credential")
    del environ["CREDENTIALS_DIRECTORY"]
    assert found() == ("of-keyring", "keyring")
    drawer.kept.clear()
    assert TokenSource(settings, environ).current() is None


def test_the_keyrings_token_goes_to_mast_alone(desk: Desk, drawer: Drawer) -> None:
    drawer.set_password(KEYRING_SERVICE, KEYRING_USER, "of-keyring")
    settings = settings_of(desk, "mast: {server: 'http://127.0.0.1:8080'}\n")
    assert TokenSource(settings, {}).current() is None


def test_the_keyring_is_not_even_loaded_where_another_place_has_the_token(desk: Desk) -> None:
    settings = settings_of(desk)
    code = (
        "import sys\nfrom pathlib import Path\nfrom jwstwatch.config import load\n"
        "from jwstwatch.config.secrets import TokenSource\n"
        "settings = load(None, environ={}, folder=Path.cwd())\n"
        "print(TokenSource(settings, {'MAST_API_TOKEN': 'x'}).current().source, 'keyring' in sys.modules)"
    )
    assert settings.mast.server.endswith("stsci.edu")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    assert done.stdout.split() == ["environment", "False"]


def test_a_typed_token_that_cannot_be_one_is_refused_and_not_repeated(desk: Desk) -> None:
    with pytest.raises(UsageError) as caught:
        TokenSource(settings_of(desk), {}, "hunter2 hunter2").current()
    assert "hunter2" not in caught.value.message + caught.value.hint


@given(st.text(max_size=20))
def test_a_token_is_one_word_that_a_header_can_hold(text: str) -> None:
    token = read_token(text)
    if token is None:
        assert len(text.split()) != 1 or not text.isascii() or not text.strip().isprintable()
    else:
        assert token == text.strip()
        f"Authorization: token {token}".encode("ascii")
        assert not any(letter.isspace() for letter in token)


# -- its file


def test_a_rotated_token_is_found_without_a_restart(desk: Desk) -> None:
    file = write_token(desk, "first\n")
    source = TokenSource(settings_of(desk, "mast: {token_file: key}\n"), {})
    first = source.current()
    assert first == Token(value="first", source="token file")
    assert source.again("first") is None
    file.write_text("second\n")
    assert source.again("first") == Token(value="second", source="token file")
    assert source.again("second") is None
    assert source.current() == Token(value="second", source="token file")


def test_what_is_stored_in_the_keyring_meanwhile_is_found_too(desk: Desk) -> None:
    source = TokenSource(settings_of(desk), {})
    assert source.current() is None
    store_token("later")
    token = source.again("earlier")
    assert token == Token(value="later", source="keyring")


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o642, 0o641])
def test_a_file_that_is_open_to_everybody_counts_with_a_warning_that_names_the_fix(
    desk: Desk, caplog: pytest.LogCaptureFixture, mode: int
) -> None:
    file = write_token(desk, TOKEN, mode=mode)
    source = TokenSource(settings_of(desk, "mast: {token_file: key}\n"), {})
    assert source.current() == Token(value=TOKEN, source="token file")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "chmod 0640" in record.getMessage()
    assert str(file) in record.getMessage()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o660, 0o400])
def test_a_file_for_its_owner_or_its_group_is_in_order(
    desk: Desk, caplog: pytest.LogCaptureFixture, mode: int
) -> None:
    write_token(desk, TOKEN, mode=mode)
    assert TokenSource(settings_of(desk, "mast: {token_file: key}\n"), {}).current() is not None
    assert caplog.records == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        (b"", "on a single line"),
        (b"hunter2\nhunter2\n", "on a single line"),
        (b"token hunter2\n", "on a single line"),
        (b"hunter2\x00", "on a single line"),
        (b"hunter2\xff", "no short text"),
        (b"hunter2" * 1000, "no short text"),
    ],
)
def test_a_file_without_a_token_is_a_warning_and_the_next_place_counts(
    desk: Desk, caplog: pytest.LogCaptureFixture, content: bytes | None, said: str
) -> None:
    if content is not None:
        write_token(desk, "").write_bytes(content)
    settings = settings_of(desk, "mast: {token_file: key}\n")
    token = TokenSource(settings, {"MAST_API_TOKEN": "next"}).current()
    assert token == Token(value="next", source="environment")
    (record,) = caplog.records
    assert said in record.getMessage()
    assert "hunter2" not in caplog.text


def test_a_folder_or_a_file_of_others_gives_no_token(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    (desk.folder / "key").mkdir()
    assert TokenSource(settings_of(desk, "mast: {token_file: key}\n"), {}).current() is None
    assert "is a directory" in caplog.text


def test_a_windows_editors_byte_order_mark_is_no_part_of_the_token(desk: Desk) -> None:
    write_token(desk, "").write_bytes(b"\xef\xbb\xbfabc\r\n")
    token = TokenSource(settings_of(desk, "mast: {token_file: key}\n"), {}).current()
    assert token == Token(value="abc", source="token file")


def test_the_same_trouble_is_told_once_and_again_after_it_was_over(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    source = TokenSource(settings_of(desk, "mast: {token_file: key}\n"), {})
    source.current()
    source.current()
    assert len(caplog.records) == 1
    file = write_token(desk, TOKEN)
    source.current()
    file.unlink()
    source.current()
    assert len(caplog.records) == 2


def test_a_typed_path_is_not_repeated_since_it_may_be_the_token(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_of(desk, token_file=Path("hunter2"))
    assert TokenSource(settings, {}).current() is None
    assert "--token-file" in caplog.text
    assert "hunter2" not in caplog.text


def test_other_places_without_a_token_are_warnings_too(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.write("hunter2 hunter2", "mast_token")
    environ = {"MAST_API_TOKEN": "hunter2\nX: hunter2", "CREDENTIALS_DIRECTORY": str(desk.folder)}
    assert TokenSource(settings_of(desk), environ).current() is None
    assert len(caplog.records) == 2
    assert "hunter2" not in caplog.text


def test_an_empty_variable_or_no_credential_is_nothing_to_tell(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    environ = {"MAST_API_TOKEN": "  ", "CREDENTIALS_DIRECTORY": str(desk.folder)}
    assert TokenSource(settings_of(desk), environ).current() is None
    assert caplog.records == []


# -- the keyring


def test_a_stored_token_is_found_where_astroquery_looks_and_can_be_removed(
    desk: Desk, drawer: Drawer
) -> None:
    store_token("hunter2")
    assert drawer.kept == {("astroquery:mast.stsci.edu.token", "masttoken"): "hunter2"}
    assert clear_token()
    assert not clear_token()
    assert TokenSource(settings_of(desk), {}).current() is None


def test_a_machine_without_a_keyring_has_no_token_and_says_how_to_get_one(desk: Desk) -> None:
    keyring.set_keyring(NoKeyring())
    assert TokenSource(settings_of(desk), {}).current() is None
    for refused in (lambda: store_token("hunter2"), clear_token):
        with pytest.raises(ConfigurationError) as caught:
            refused()
        assert "jwstwatch[server]" in caught.value.hint
        assert "hunter2" not in caught.value.message + caught.value.hint


def test_a_locked_keyring_is_not_taken_for_a_missing_one(desk: Desk, drawer: Drawer) -> None:
    drawer.locked = True
    assert TokenSource(settings_of(desk), {}).current() is None
    with pytest.raises(ConfigurationError, match="cannot keep the token") as caught:
        store_token("hunter2")
    assert "Unlock it" in caught.value.hint


def test_a_keyring_that_keeps_nothing_is_not_trusted() -> None:
    keyring.set_keyring(NullKeyring())
    with pytest.raises(ConfigurationError, match="keeps nothing"):
        store_token("hunter2")


# -- where the token must never be


def holders(desk: Desk) -> Iterator[TokenSource]:
    """Everything that can hold a token, holding it."""
    write_token(desk, TOKEN)
    desk.write(TOKEN, "mast_token")
    settings = settings_of(desk, "mast: {token_file: key}\n")
    yield TokenSource(settings, {})
    yield TokenSource(settings, {}, TOKEN)
    yield TokenSource(settings_of(desk), {"MAST_API_TOKEN": TOKEN})
    yield TokenSource(settings_of(desk), {"CREDENTIALS_DIRECTORY": str(desk.folder)})


def test_no_repr_log_or_exception_holds_the_token(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for source in holders(desk):
        token = source.current()
        assert token is not None
        assert token.value == TOKEN
        for text in (repr(source), str(source), repr(token), str(token), repr(source.settings)):
            assert TOKEN not in text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        f"mast: {{token_file: {TOKEN}}}",
        f"mast: {{token_file: [{TOKEN}]}}",
        "mast: {token_file: $MAST_API_TOKEN}",
        f"mast: {{token: {TOKEN}}}",
        f"token: {TOKEN}",
        f"heartbeat: {TOKEN}",
        f"notify: {{to: {TOKEN}}}",
        "state: $MAST_API_TOKEN?",
    ],
)
def test_no_exception_of_a_wrong_configuration_holds_the_token(desk: Desk, text: str) -> None:
    desk.write(text + "\n")
    with pytest.raises(JwstwatchError) as caught:
        desk.load(MAST_API_TOKEN=TOKEN)
    assert isinstance(caught.value, ConfigurationError)
    for said in (repr(caught.value), str(caught.value), caught.value.hint, *caught.value.problems):
        assert TOKEN not in said


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_config_show_and_check_never_hold_the_token(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, form: list[str]
) -> None:
    write_token(desk, TOKEN)
    file = desk.write(
        f"mast: {{token_file: key}}\nheartbeat: https://h/{TOKEN}\nnotify: {{to: a://{TOKEN}}}\n"
    )
    monkeypatch.chdir(desk.folder)
    monkeypatch.setenv("MAST_API_TOKEN", TOKEN)
    monkeypatch.setenv("JWSTDOWNLOAD_OUTDIR", "/data")
    for action in ("show", "check"):
        parser = argparse.ArgumentParser()
        config.add_options(parser)
        arguments = parser.parse_args([action, *form])
        arguments.config, arguments.token_file = file, None
        config.run(arguments)
    captured = capsys.readouterr()
    assert str(desk.folder / "key") in captured.out
    assert TOKEN not in captured.out + captured.err


# -- the command


def run_command(
    desk: Desk, *words: str, given: str = "", backend: str = "fail"
) -> subprocess.CompletedProcess[str]:
    environ = {
        **desk.environ,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "PYTHON_KEYRING_BACKEND": f"keyring.backends.{backend}.Keyring",
    }
    return subprocess.run(
        [sys.executable, "-m", "jwstwatch", *words],
        input=given,
        capture_output=True,
        text=True,
        env=environ,
        cwd=desk.folder,
        timeout=60,
    )


@pytest.mark.parametrize("words", [["token", "set"], ["token", "clear"]])
def test_without_a_keyring_the_command_names_the_fix_and_no_traceback(desk: Desk, words: list[str]) -> None:
    done = run_command(desk, *words, given="hunter2\n")
    assert done.returncode == 2
    assert "there is no keyring on this machine" in done.stderr
    assert "pip install 'jwstwatch[server]'" in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert "hunter2" not in done.stdout + done.stderr


def test_without_a_keyring_the_status_of_no_token_is_in_order(desk: Desk) -> None:
    done = run_command(desk, "token", "status", "--json")
    assert done.returncode == 0, done.stderr
    token = json.loads(done.stdout)["token"]
    assert token == {"source": None, "status": "anonymous", "user": None, "days_left": None}


@pytest.mark.parametrize("action", ["set", "clear"])
def test_the_keyring_commands_do_not_take_a_token_file_silently(desk: Desk, action: str) -> None:
    done = run_command(desk, "token", action, "--token-file", "key")
    assert done.returncode == 2
    assert "jwstwatch token set < FILE" in done.stderr


def test_a_token_typed_where_its_file_belongs_is_refused_and_not_repeated(desk: Desk) -> None:
    done = run_command(desk, "status", "--token-file", TOKEN)
    assert done.returncode == 2
    assert "looks like a token itself" in done.stderr
    assert TOKEN not in done.stdout + done.stderr


def test_a_token_files_path_is_not_taken_for_the_command(desk: Desk) -> None:
    write_token(desk, TOKEN)
    done = run_command(desk, "--token-file", "key", "config", "show", "--json")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)["file"]["mast.token_file"]
    assert (shown["value"], shown["source"]) == (str(desk.folder / "key"), "command line")
