"""Where a MAST token may be kept: never in the configuration, a log, a page or a process list."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from jwstwatch.errors import ConfigurationError

log = logging.getLogger(__name__)

VARIABLE = "MAST_API_TOKEN"
CREDENTIAL = "mast_token"
"""Name of the systemd credential."""

KEYRING_SERVICE = "astroquery:mast.stsci.edu.token"
KEYRING_USER = "masttoken"
"""The keyring entry that astroquery writes, so that a token stored with it is found."""

MAST_HOST = "mast.stsci.edu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token and where it was found."""

    value: str = field(repr=False)
    source: str


def find_token(environ: Mapping[str, str], *, server: str) -> Token | None:
    """Return the token of $MAST_API_TOKEN, of systemd's credentials, or of the keyring, in this order.

    The keyring's entry belongs to mast.stsci.edu and is not given to another server.
    """
    value = environ.get(VARIABLE, "").strip()
    if value:
        return Token(value=value, source="environment")
    value = _credential(environ)
    if value:
        return Token(value=value, source="credential")
    if urlsplit(server).hostname == MAST_HOST:
        value = _keyring()
        if value:
            return Token(value=value, source="keyring")
    return None


def _credential(environ: Mapping[str, str]) -> str:
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        return ""
    try:
        return (Path(folder) / CREDENTIAL).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        log.warning("the credential %s cannot be read: %s", CREDENTIAL, error.strerror)
        return ""


def _keyring() -> str:
    """Return the keyring's entry; a server without a keyring has none."""
    import keyring
    from keyring.errors import KeyringError

    try:
        return (keyring.get_password(KEYRING_SERVICE, KEYRING_USER) or "").strip()
    except (KeyringError, RuntimeError, OSError) as error:
        log.info("the keyring gives no token: %s", type(error).__name__)
        return ""


def store_token(value: str) -> None:
    """Keep a token in the keyring, where astroquery looks for it too."""
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(KEYRING_SERVICE, KEYRING_USER, value)
    except (KeyringError, RuntimeError, OSError) as error:
        raise _no_keyring("keep the token", error) from error


def clear_token() -> bool:
    """Remove the token from the keyring; False where there was none."""
    import keyring
    from keyring.errors import KeyringError, PasswordDeleteError

    try:
        if not keyring.get_password(KEYRING_SERVICE, KEYRING_USER):
            return False
        keyring.delete_password(KEYRING_SERVICE, KEYRING_USER)
    except PasswordDeleteError:
        return False
    except (KeyringError, RuntimeError, OSError) as error:
        raise _no_keyring("remove the token", error) from error
    return True


def _no_keyring(what: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"there is no keyring on this machine to {what} ({type(error).__name__})",
        hint="pip install 'jwstwatch[server]' brings one for servers; $MAST_API_TOKEN works without.",
    )
