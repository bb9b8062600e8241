"""Where a MAST token may be kept: never in the configuration, a log, a page or a process list."""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from jwstwatch.config.settings import Settings
from jwstwatch.core.parameter_table import Layer
from jwstwatch.errors import ConfigurationError, UsageError

log = logging.getLogger(__name__)

VARIABLE = "MAST_API_TOKEN"
CREDENTIAL = "mast_token"
"""Name of the systemd credential."""

KEYRING_SERVICE = "astroquery:mast.stsci.edu.token"
KEYRING_USER = "masttoken"
"""The keyring entry that astroquery writes, so that a token stored with it is found."""

MAST_HOST = "mast.stsci.edu"
MAKE_ONE = "Make one at https://auth.mast.stsci.edu/token"

_LONGEST = 4096
"""Bytes that a file with a token may have."""

_FOR_OTHERS = 0o007


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token and where it was found."""

    value: str = field(repr=False)
    source: str


def read_token(text: str) -> str | None:
    """Return the token that `text` is, None where it is none: a token is one printable word."""
    word = text.strip()
    # What else there is would end in a header of a request, and in the error that refuses it.
    return word if re.fullmatch(r"[!-~]+", word) else None


@dataclass(slots=True)
class TokenSource:
    """Finds the token, anew whenever it is asked, so that a rotated one counts without a restart.

    The places in their order: what was typed, the token file, $MAST_API_TOKEN, systemd's credential, and the
    keyring, whose entry belongs to mast.stsci.edu and is given to no other server. A place that cannot be
    used is told in the log, once as long as nothing changes, and the next one counts.
    """

    settings: Settings = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)
    typed: str | None = field(default=None, repr=False)
    _told: dict[str, str] = field(default_factory=dict, init=False, repr=False)
    """What was last told of each place."""

    def current(self) -> Token | None:
        """Return the token there is now; raises `UsageError` for a typed one that cannot be a token.

        From then on it is masked in every line of the log.
        """
        from jwstwatch import logs

        token = self._find()
        if token is not None:
            logs.hide(token.value)
        return token

    def _find(self) -> Token | None:
        if self.typed:
            value = read_token(self.typed)
            if value is None:
                raise UsageError("what was typed as a token is none", hint=f"{MAKE_ONE}; it is one word.")
            return Token(value=value, source="command line")
        for source, look in (
            ("token file", self._file),
            ("environment", self._environment),
            ("credential", self._credential),
            ("keyring", self._keyring),
        ):
            value = look()
            if value:
                return Token(value=value, source=source)
        return None

    def again(self, refused: str) -> Token | None:
        """Return the token there is now if it is another than the one that the archive `refused`."""
        token = self.current()
        return token if token is not None and token.value != refused else None

    def _file(self) -> str | None:
        path = self.settings.mast.token_file
        if path is None:
            return None
        source = self.settings.sources.get("mast.token_file")
        typed = source is not None and source.layer is Layer.TYPED
        # A typed path may be a token that took a file's place.
        name = "the file that --token-file names" if typed else f"{path} (mast.token_file)"
        try:
            text, mode = _read_file(path)
        except (OSError, ValueError) as error:
            self._tell("file", f"{name} gives no token: {_reason(error)}")
            return None
        open_to_all = stat.S_ISREG(mode) and bool(mode & _FOR_OTHERS)
        self._tell(
            "mode", f"{name} is open to everybody on this machine: chmod 0640 it" if open_to_all else ""
        )
        value = read_token(text)
        self._tell("file", "" if value else f"{name} gives no token: it must hold one on a single line")
        return value

    def _environment(self) -> str | None:
        text = self.environ.get(VARIABLE, "")
        value = read_token(text)
        wrong = bool(text.strip()) and value is None
        self._tell("environment", f"${VARIABLE} holds no token: it must be one word" if wrong else "")
        return value

    def _credential(self) -> str | None:
        folder = self.environ.get("CREDENTIALS_DIRECTORY", "")
        if not folder:
            return None
        problem = ""
        try:
            text = _read_file(Path(folder) / CREDENTIAL)[0]
            value = read_token(text)
            # The service's unit has an empty one where no token was put.
            if value is None and text.strip():
                problem = f"the credential {CREDENTIAL} gives no token: it must hold one on a single line"
        except FileNotFoundError:
            value = None
        except (OSError, ValueError) as error:
            value, problem = None, f"the credential {CREDENTIAL} cannot be read: {_reason(error)}"
        self._tell("credential", problem)
        return value

    def _keyring(self) -> str | None:
        if urlsplit(self.settings.mast.server).hostname != MAST_HOST:
            return None
        return read_token(_from_keyring())

    def _tell(self, place: str, problem: str) -> None:
        """Warn of what is wrong with a place, but not again and again of the same."""
        if problem and self._told.get(place) != problem:
            log.warning("%s", problem)
        self._told[place] = problem


def _read_file(path: Path) -> tuple[str, int]:
    """Return a file's text and mode; raises `OSError`, and `ValueError` for what is no short text."""
    with path.open("rb") as stream:
        mode = os.fstat(stream.fileno()).st_mode
        content = stream.read(_LONGEST + 1)
    if len(content) > _LONGEST:
        raise ValueError("too large")
    return content.decode("utf-8-sig"), mode


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return (error.strerror or type(error).__name__).lower()
    return "it is no short text"


def _from_keyring() -> str:
    """Return the keyring's entry; a server without a keyring has none."""
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(KEYRING_SERVICE, KEYRING_USER) or ""
    except (KeyringError, RuntimeError, OSError, ValueError, ImportError) as error:
        log.info("the keyring gives no token: %s", type(error).__name__)
        return ""


def store_token(value: str) -> None:
    """Keep a token in the keyring, where astroquery looks for it too."""
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(KEYRING_SERVICE, KEYRING_USER, value)
        kept = keyring.get_password(KEYRING_SERVICE, KEYRING_USER)
    except (KeyringError, RuntimeError, OSError, ValueError, ImportError) as error:
        raise _no_keyring("keep the token", error) from error
    if kept != value:
        # The null keyring, which switches keyrings off, takes everything and keeps nothing.
        raise ConfigurationError(
            f"the keyring in use, {type(keyring.get_keyring()).__module__}, keeps nothing",
            hint="Choose another (keyring --list-backends), or keep the token in a file: mast.token_file.",
        )


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
    except (KeyringError, RuntimeError, OSError, ValueError, ImportError) as error:
        raise _no_keyring("remove the token", error) from error
    return True


def _no_keyring(what: str, error: Exception) -> ConfigurationError:
    from keyring.errors import NoKeyringError

    if not isinstance(error, NoKeyringError):
        return ConfigurationError(
            f"the keyring of this machine cannot {what} ({type(error).__name__})",
            hint="Unlock it, or keep the token in a file: mast.token_file (docs/configuration.md).",
        )
    return ConfigurationError(
        f"there is no keyring on this machine to {what} ({type(error).__name__})",
        hint="pip install 'jwstwatch[server]' brings one for servers; mast.token_file and $MAST_API_TOKEN "
        "work without.",
    )
