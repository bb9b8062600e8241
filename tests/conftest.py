"""What every test may use: the shared reference material, where it lies beside the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says nothing on a busy machine.
settings.register_profile("jwstwatch", deadline=None)
settings.load_profile("jwstwatch")

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of recorded facts beside the project; a user's clone has none and skips out loud."""
    folder = PROJECT.parent / "shared" / "reference"
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"CI must have the recorded rows, and {folder} is not there")
        pytest.skip("the recorded rows of MAST are not beside this clone (they are in CI)")
    return folder
