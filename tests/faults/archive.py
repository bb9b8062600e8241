"""The demo archive with downloads that misbehave on command: listings are sound, bytes are not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from urllib.parse import parse_qs, urlsplit

from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.handler import DOWNLOAD, ArchiveHandler
from jwstwatch.demo.requestlog import LoggedRequest
from jwstwatch.demo.server import ArchiveServer
from tests.transfer.server import Behaviour, Depot, Handler

Chooser = Callable[[str], Behaviour | None]
"""Says what happens to a request for the file of this name; None: it is answered as it should be."""


class FaultyHandler(ArchiveHandler, Handler):
    """One connection; the archive's chooser decides what a download meets."""

    archive: FaultyArchive

    def _serve(self) -> None:
        url = urlsplit(self.path)
        uri = parse_qs(url.query).get("uri", [""])[0]
        behaviour = self.archive.chooser(uri.rpartition("/")[2]) if url.path == DOWNLOAD else None
        if behaviour is None:
            super()._serve()
            return
        self.archive.requests.add(
            LoggedRequest(
                method=self.command,
                path=url.path,
                uri=uri,
                range=self.headers.get("Range"),
                token=self._token(),
                peer=self.client_address[1],
            )
        )
        behaviour(self)


class FaultyArchive(ArchiveServer):
    """An archive whose `chooser` may be set while it runs; without one it is well."""

    def __init__(self, catalogue: Catalogue, *, token: str | None = None) -> None:
        self.chooser: Chooser = lambda name: None
        super().__init__(catalogue, token=token)
        self.depot = Depot(self._listener.server_address[1])
        self._listener.RequestHandlerClass = type(
            "BoundFaultyHandler", (FaultyHandler,), {"archive": self, "depot": self.depot}
        )

    def heal(self) -> None:
        """Answer every download as it should be."""
        self.chooser = lambda name: None

    def close(self) -> None:
        """Let go of whoever is kept waiting, then stop."""
        self.depot.closing.set()
        super().close()


class Scripts:
    """A chooser: each request for a file meets the next behaviour of its script."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scripts: dict[str, tuple[list[Behaviour], bool]] = {}

    def put(self, name: str, script: Sequence[Behaviour], *, then_well: bool) -> None:
        """Strike a file; at the end of its script all is well, or the last behaviour stays for ever."""
        self._scripts[name] = (list(script), then_well)

    def played(self, name: str) -> bool:
        """Tell whether every behaviour of a script was met (or, of a lasting one, is being met)."""
        script, then_well = self._scripts[name]
        return len(script) == (0 if then_well else 1)

    def __call__(self, name: str) -> Behaviour | None:
        with self._lock:
            script, then_well = self._scripts.get(name, ([], True))
            if not script:
                return None
            return script.pop(0) if then_well or len(script) > 1 else script[0]
