"""Figures for Prometheus, kept up while the daemon runs: a text file, and an address to ask."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jwstwatch.config.settings import MetricsSettings

if TYPE_CHECKING:
    from jwstwatch.telling.endpoint import Endpoint

log = logging.getLogger(__name__)


class Figures:
    """Writes and serves what `document` tells; trouble with either is logged once, until it is over."""

    def __init__(
        self, document: Callable[[], Mapping[str, Any]], healthy: Callable[[], tuple[bool, str]]
    ) -> None:
        self._document = document
        self._healthy = healthy
        self._settings = MetricsSettings()
        self._endpoint: Endpoint | None = None
        self._trouble: str | None = None

    def follow(self, settings: MetricsSettings) -> None:
        """Take another configuration."""
        before, self._settings = self._settings, settings
        if before.listen != settings.listen:
            self.close()
            self._open()
        self.write()

    def _open(self) -> None:
        if self._settings.listen is None:
            return
        from jwstwatch.telling.endpoint import Endpoint

        host, port = self._settings.listen
        try:
            self._endpoint = Endpoint(host, port, document=self._document, healthy=self._healthy)
            self._endpoint.start()
            log.info("figures at http://%s:%d/metrics", host, port)
        except OSError as error:
            log.warning("no figures at %s:%d: %s", host, port, error.strerror or error)

    def write(self) -> None:
        """Write the text file, where one is wanted."""
        if self._settings.file is None:
            return
        from jwstwatch.telling.metrics import write_metrics

        try:
            write_metrics(self._settings.file, self._document())
            self._trouble = None
        except Exception as error:  # noqa: BLE001 - figures must never end the service
            trouble = str(error)
            if trouble != self._trouble:
                log.warning("%s cannot be written: %s", self._settings.file, trouble)
            self._trouble = trouble

    def close(self) -> None:
        """Serve no more."""
        if self._endpoint is not None:
            self._endpoint.stop()
            self._endpoint = None
