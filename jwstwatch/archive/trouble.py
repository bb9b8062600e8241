"""What an exception of the HTTP library means for the archive."""

from __future__ import annotations

from requests import RequestException, exceptions
from urllib3.exceptions import MaxRetryError, NewConnectionError, ReadTimeoutError

from jwstwatch.archive.replies import CHECK_SERVER, DOWN, SMALLER, PassingTroubleError, clean
from jwstwatch.errors import ArchiveError, ArchiveTimeoutError


def translate(error: RequestException, *, server: str, timeout: float) -> ArchiveError:
    """Return `error` in our own words; silence on an open connection may be a question that is too large."""
    if isinstance(error, exceptions.ReadTimeout) or isinstance(_cause(error), ReadTimeoutError):
        return ArchiveTimeoutError(
            f"{server} was silent for {timeout:g} s", hint=f"{SMALLER} See mast.timeout."
        )
    if isinstance(error, exceptions.SSLError):
        hint = f"{CHECK_SERVER} A site's own certificate authority is named in REQUESTS_CA_BUNDLE."
        return ArchiveError(f"{server} cannot prove who it is: {clean(error)}", hint=hint)
    never_connected = isinstance(_cause(error), NewConnectionError)
    if never_connected or isinstance(error, (exceptions.ConnectTimeout, exceptions.ProxyError)):
        return ArchiveError(f"{server} cannot be reached", hint=f"{CHECK_SERVER} {DOWN}")
    if isinstance(error, (exceptions.ConnectionError, exceptions.ChunkedEncodingError)):
        return PassingTroubleError(f"{server} broke the connection off", hint=DOWN)
    return ArchiveError(f"{server} cannot be asked: {clean(error)}", hint=CHECK_SERVER)


def _cause(error: RequestException) -> object:
    cause = error.args[0] if error.args else None
    return cause.reason if isinstance(cause, MaxRetryError) else cause
