"""One no-op run of jwst_mast_query against an archive on the loopback interface, timed; prints JSON.

For an interpreter that has jwst_mast_query 0.0.6 and what it needs; nothing of ours is imported. Two things
are mended at its start: it reads the version of astroquery as text, and it knows one server only.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any


def main() -> None:
    """Point it at the archive, run it up to its question, say what it took apart from imports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True)
    parser.add_argument("--folder", required=True, help="where the files are")
    parser.add_argument("--proposal", required=True)
    parser.add_argument("--batch", type=int, help="observations in one question (its default: 2)")
    options = parser.parse_args()
    jwst_query, download = loaded(options.server)
    jwst_query.query_mast.__init__ = pointed_at(options.server, jwst_query.query_mast.__init__)
    jwst_query.query_mast.login = lambda *_, **__: None  # one more question at most
    words = ["jwst_download.py", "--propID", options.proposal, "--outrootdir", options.folder]
    words += ["--obsnum2outsubdir", "True", "--guidestars", "--filetypes", "fits", "jpg", "json", "ecsv"]
    words += ["-l", "100000"]
    if options.batch:
        words += ["--Nobs_per_batch", str(options.batch)]
    sys.argv = words
    said = io.StringIO()
    wall, cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit, EOFError):
        download()
    figures = {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "peak": _peak(),
        "said": {"downloads": "Downloading" in said.getvalue()},
    }
    json.dump(figures, sys.__stdout__)


def _peak() -> float:
    """Return the most memory of this process so far, in MB, and nothing of what its parent had."""
    with contextlib.suppress(OSError), open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def loaded(server: str) -> tuple[Any, Callable[[], None]]:
    """Import it, mended; returns its module of queries and its program."""
    import astroquery
    from astroquery.mast.discovery_portal import PortalAPI

    PortalAPI.MAST_REQUEST_URL = f"{server}/api/v0/invoke"
    PortalAPI.COLUMNS_CONFIG_URL = f"{server}/portal/Mashup/Mashup.asmx/columnsconfig"
    astroquery.__version__ = "0.4.2"
    from jwst_mast_query import jwst_query
    from jwst_mast_query.scripts.jwst_download import main

    return jwst_query, main


def pointed_at(server: str, usual: Callable[[object], None]) -> Callable[[Any], None]:
    """Return its constructor, for another server."""

    def begin(self: Any) -> None:
        usual(self)
        portal = self.JwstObs._portal_api_connection
        portal.MAST_REQUEST_URL = f"{server}/api/v0/invoke"
        portal.MAST_DOWNLOAD_URL = f"{server}/api/v0.1/Download/file"
        portal.COLUMNS_CONFIG_URL = f"{server}/portal/Mashup/Mashup.asmx/columnsconfig"

    return begin


if __name__ == "__main__":
    main()
