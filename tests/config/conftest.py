"""A folder to write configuration files in, and a way to load them as a process would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.config import Settings, load
from jwstwatch.errors import ConfigurationError


@dataclass(frozen=True)
class Desk:
    """A user's current folder, home and environment."""

    folder: Path
    environ: Mapping[str, str]

    def write(self, text: str, name: str = "jwstwatch.yaml") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def load(self, explicit: str | None = None, **variables: Any) -> Settings:
        legacy_variable = variables.pop("legacy_variable", False)
        token_file = variables.pop("token_file", None)
        return load(
            Path(explicit) if explicit else None,
            environ={**self.environ, **variables},
            folder=self.folder,
            legacy_variable=legacy_variable,
            token_file=token_file,
            system_folder=self.folder.parent / "etc",
        )

    def problems(self, text: str, name: str = "jwstwatch.yaml", **variables: Any) -> tuple[str, ...]:
        self.write(text, name)
        with pytest.raises(ConfigurationError) as caught:
            self.load(name, **variables)
        return caught.value.problems


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_desk(tmp_path)


@pytest.fixture(scope="module")
def shared_desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """One desk for all examples of a property."""
    return make_desk(tmp_path_factory.mktemp("desk"))


def make_desk(place: Path) -> Desk:
    folder = place / "work"
    folder.mkdir()
    return Desk(folder, {"HOME": str(place / "home"), "JWSTDOWNLOAD_OUTDIR": str(place / "data")})
