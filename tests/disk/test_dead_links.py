"""An output folder that is a link to a disk that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from jwstwatch.disk import markers
from jwstwatch.errors import ExitCode, StorageError


def test_a_link_that_leads_nowhere_is_a_missing_disk_and_stays(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.symlink_to(tmp_path / "not-mounted" / "jwst")
    with pytest.raises(StorageError, match="leads nowhere") as caught:
        markers.establish(root, expected=None, files=0)
    assert caught.value.exit_code is ExitCode.STORAGE
    assert root.is_symlink()
    assert not (tmp_path / "not-mounted").exists()
