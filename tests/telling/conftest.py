"""A state of its own for each test, and a web server on loopback that writes down what it is asked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from jwstwatch.store.store import Store, open_store
from tests.store.desk import Desk
from tests.telling.ear import Ear


@pytest.fixture(scope="session")
def fresh_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty state, to be copied."""
    path = tmp_path_factory.mktemp("state") / "state.db"
    with open_store(f"sqlite:///{path}", upgrade=True):
        pass
    return path


@pytest.fixture
def store(fresh_state: Path, tmp_path: Path) -> Iterator[Store]:
    """An empty state."""
    path = tmp_path / "state.db"
    shutil.copy(fresh_state, path)
    with open_store(f"sqlite:///{path}", upgrade=False) as store:
        yield store


@pytest.fixture
def desk(store: Store, tmp_path: Path) -> Desk:
    """The state with a profile, a root and a run in progress."""
    return Desk.set_up(store, tmp_path / "data")


@pytest.fixture
def ear() -> Iterator[Ear]:
    """A web server that takes whatever it is sent."""
    with Ear() as ear:
        yield ear
