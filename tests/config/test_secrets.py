"""Where a token is found, and that it is kept only where it belongs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import PasswordDeleteError

from jwstwatch.config.secrets import KEYRING_SERVICE, KEYRING_USER, clear_token, find_token, store_token
from jwstwatch.errors import ConfigurationError

MAST = "https://mast.stsci.edu"


class Drawer(KeyringBackend):
    """A keyring in memory."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
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


def test_the_environment_comes_before_systemd_and_the_keyring(drawer: Drawer, tmp_path: Path) -> None:
    drawer.set_password(KEYRING_SERVICE, KEYRING_USER, "of-keyring")
    (tmp_path / "mast_token").write_text("of-systemd\n")
    environ = {"MAST_API_TOKEN": " typed ", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    found = []
    for name in ("MAST_API_TOKEN", "CREDENTIALS_DIRECTORY", ""):
        token = find_token(environ, server=MAST)
        assert token is not None
        found.append((token.value, token.source))
        environ.pop(name, None)
    assert found == [("typed", "environment"), ("of-systemd", "credential"), ("of-keyring", "keyring")]


def test_the_keyrings_token_goes_to_mast_alone(drawer: Drawer) -> None:
    drawer.set_password(KEYRING_SERVICE, KEYRING_USER, "of-keyring")
    assert find_token({}, server="http://127.0.0.1:8080") is None


def test_no_token_anywhere_is_none() -> None:
    assert find_token({"MAST_API_TOKEN": "  "}, server=MAST) is None


def test_a_token_shows_in_no_repr() -> None:
    assert "hunter2" not in repr(find_token({"MAST_API_TOKEN": "hunter2"}, server=MAST))


def test_a_stored_token_is_found_where_astroquery_looks_and_can_be_removed(drawer: Drawer) -> None:
    store_token("hunter2")
    assert drawer.kept == {("astroquery:mast.stsci.edu.token", "masttoken"): "hunter2"}
    assert clear_token()
    assert not clear_token()
    assert find_token({}, server=MAST) is None


def test_a_machine_without_a_keyring_has_no_token_and_says_how_to_get_one() -> None:
    keyring.set_keyring(NoKeyring())
    assert find_token({}, server=MAST) is None
    for refused in (lambda: store_token("hunter2"), clear_token):
        with pytest.raises(ConfigurationError) as caught:
            refused()
        assert "jwstwatch[server]" in caught.value.hint
        assert "hunter2" not in caught.value.message + caught.value.hint
