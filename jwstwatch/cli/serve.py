"""`jwstwatch serve`: look at the pages in a browser, without a web server."""

from __future__ import annotations

import argparse
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from jwstwatch.cli import output, session
from jwstwatch.errors import ExitCode, RootMissingError, UsageError

if TYPE_CHECKING:
    from jwstwatch.config import Settings
    from jwstwatch.serving.confining import Site
    from jwstwatch.serving.server import SiteServer

EXAMPLE = "jwstwatch serve --open"

HOST = "127.0.0.1"
PORT = 8000


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare whose sites, and where they are shown."""
    parser.add_argument(
        "profiles",
        nargs="*",
        metavar="PROFILE",
        help="whose output folders are shown (default: those of all profiles)",
    )
    parser.add_argument(
        "--host",
        default=HOST,
        metavar="ADDRESS",
        help=f"address to listen on (default {HOST}: this machine alone; everybody on it can read along)",
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=PORT,
        metavar="N",
        help=f"port to listen on (default {PORT}; 0: any free one)",
    )
    parser.add_argument("--open", action="store_true", help="open the first page in a browser")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:6]) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Serve until SIGINT or SIGTERM; ends with 0 on SIGTERM. The state is not opened."""
    from jwstwatch.serving.server import SiteServer

    settings = session.load_settings(arguments)
    sites = _there(_sites(settings, roots_of(settings, arguments.profiles)))
    with (
        session.stoppable() as stopper,
        SiteServer(sites, host=arguments.host, port=arguments.port) as server,
    ):
        _tell(server)
        if arguments.open:
            _open(server.url)
        stopper.event.wait()
        code = stopper.exit_code
    return ExitCode.DONE if code in (None, ExitCode.TERMINATED) else code


def roots_of(settings: Settings, names: Sequence[str]) -> list[Path]:
    """Return the output folders of the named profiles, or of all, each once, in the order of the profiles."""
    from jwstwatch.sync.rules import root_of

    chosen = [settings.profile(name) for name in dict.fromkeys(names)] or list(settings.profiles.values())
    if not chosen:
        where = f"{settings.path} has" if settings.path else "no configuration file was found, so there is"
        raise UsageError(
            f"{where} no profile: nothing says where pages are",
            hint="Name the right one with --config, or try `jwstwatch demo`.",
        )
    return list(dict.fromkeys(root_of(profile.parameters) for profile in chosen))


def _sites(settings: Settings, roots: Sequence[Path]) -> list[Site]:
    from jwstwatch.serving.confining import Site

    own = (settings.path, settings.mast.token_file, _state_file(settings.state_url))
    private = frozenset(Path(os.path.realpath(path)) for path in own if path is not None)
    return [Site(root=root, private=private) for root in roots]


def _state_file(url: str) -> Path | None:
    scheme, _, path = url.partition(":///")
    return Path(unquote(path.partition("?")[0])) if scheme.startswith("sqlite") and path else None


def _there(sites: Sequence[Site]) -> list[Site]:
    """Return the sites whose folder is an output folder; the others are told, and none at all is an error."""
    from jwstwatch.disk.markers import MARKER, marker_path

    there = [site for site in sites if marker_path(site.root).is_file()]
    for site in sites:
        if site not in there:
            problem = f"{site.root} is no output folder at the moment: its marker {MARKER} is missing"
            hint = "Is its disk mounted? The first `jwstwatch run-now` makes a new one."
            if not there:
                raise RootMissingError(problem, hint=hint)
            output.complain(f"warning: {problem}", hint=hint)
    return there


def _tell(server: SiteServer) -> None:
    from jwstwatch.serving.confining import PAGE

    for address, site in server.addresses.items():
        print(f"{address}  {output.plain(str(site.root))}", flush=True)
        if not (site.root / PAGE).is_file():
            output.complain(
                f"warning: there is no page in {site.root} yet",
                hint="Runs of profiles with makewebpages write them, and so does `jwstwatch pages`.",
            )
    if not server.is_private:
        output.complain(
            f"warning: everybody who reaches port {server.port} of this machine can read all these data",
            hint="There is no password. docs/installation.md has a web server that asks for one.",
        )
    output.hint("Ctrl-C ends it.")


def _open(url: str) -> None:
    """Have the user's browser open the address; one that takes the terminal must not hold us up."""
    import webbrowser

    def ask() -> None:
        if not webbrowser.open(url):
            output.complain(f"no browser could be started; the address is {url}")

    threading.Thread(target=ask, name="browser", daemon=True).start()
