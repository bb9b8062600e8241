"""What an exception of the HTTP library means for the archive."""

from __future__ import annotations

from urllib.parse import urlsplit

from requests import RequestException, exceptions
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import MaxRetryError, NewConnectionError, ReadTimeoutError

from jwstwatch.archive.replies import CHECK_PROXY, CHECK_SERVER, DOWN, SMALLER, PassingTroubleError, clean
from jwstwatch.errors import ArchiveError, ArchiveTimeoutError

CHECK_AUTHORITIES = "A site's own certificate authority is named in REQUESTS_CA_BUNDLE."


def translate(error: OSError, *, server: str, timeout: float) -> ArchiveError:
    """Return what requests raised in our own words; silence may mean a question that is too large."""
    if isinstance(error, exceptions.ReadTimeout) or isinstance(_cause(error), ReadTimeoutError):
        return ArchiveTimeoutError(
            f"{server} was silent for {timeout:g} s", hint=f"{SMALLER} See mast.timeout."
        )
    if (on_the_way := _translate_way(error, server)) is not None:
        return on_the_way
    never_connected = isinstance(_cause(error), NewConnectionError)
    if never_connected or isinstance(error, exceptions.ConnectTimeout):
        return ArchiveError(f"{server} cannot be reached", hint=f"{CHECK_SERVER} {DOWN}")
    if isinstance(error, (exceptions.ConnectionError, exceptions.ChunkedEncodingError)):
        return PassingTroubleError(f"{server} broke the connection off", hint=DOWN)
    return ArchiveError(f"{server} cannot be asked: {clean(error)}", hint=CHECK_SERVER)


def _translate_way(error: OSError, server: str) -> ArchiveError | None:
    """Return what `error` says of proxies and authorities, None where it is about the archive."""
    if isinstance(error, exceptions.SSLError):
        hint = f"{CHECK_SERVER} {CHECK_AUTHORITIES}"
        return ArchiveError(f"{server} cannot prove who it is: {clean(error)}", hint=hint)
    if isinstance(error, exceptions.ProxyError):
        refused = " 407" in str(error)
        what = "asks for a name and a password that it accepts" if refused else "lets nothing through"
        message = f"{server} cannot be reached: the proxy {_proxy(server)} {what}"
        return ArchiveError(message, hint=CHECK_PROXY)
    if isinstance(error, (exceptions.InvalidURL, exceptions.InvalidSchema)):
        # Without what the library says: it may quote a password.
        message = f"{server} cannot be asked: the proxy {_proxy(server)} cannot be used"
        return ArchiveError(message, hint=CHECK_PROXY)
    if not isinstance(error, RequestException):  # requests' own words for a bundle that is not there
        return ArchiveError(f"{server} cannot be asked: {clean(error)}", hint=CHECK_AUTHORITIES)
    return None


def _cause(error: OSError) -> object:
    cause = error.args[0] if error.args else None
    return cause.reason if isinstance(cause, MaxRetryError) else cause


def _proxy(server: str) -> str:
    """Return host and port of the proxy that is asked for `server`, or what to call one without."""
    stated = select_proxy(server, get_environ_proxies(server)) or ""
    try:
        parts = urlsplit(stated if "://" in stated else f"http://{stated}")
    except ValueError:
        return "in the environment"
    # What stands before a stray @ is not the host but a piece of a password.
    place = "" if "@" in f"{parts.path}{parts.query}{parts.fragment}" else parts.netloc.rpartition("@")[2]
    return place or "in the environment"
