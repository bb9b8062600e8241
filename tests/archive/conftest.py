"""A MAST on loopback and the real client in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jwstwatch.archive.mast import MastArchive
from tests.archive.server import Mast, running


@pytest.fixture
def mast() -> Iterator[Mast]:
    with running() as server:
        yield server


@pytest.fixture
def connect(mast: Mast) -> Callable[..., MastArchive]:
    """Open the real archive client on the loopback server, with waits that take no time."""

    def build(**options: Any) -> MastArchive:
        settings: dict[str, Any] = {"timeout": 5.0, "sleep": lambda seconds: None} | options
        return MastArchive(mast.url, **settings)

    return build
