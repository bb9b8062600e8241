"""A user of jwst_mast_query, whose fingers know its command lines."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.acceptance.old_archive import OLD_CONFIGURATION
from tests.acceptance.world import Ended, World, finish

PROGRAMS = {
    "jwstwatch": ("-m", "jwstwatch"),
    "jwst_download.py": ("-c", "from jwstwatch.cli.legacy import download; download()"),
    "jwst_query.py": ("-c", "from jwstwatch.cli.legacy import query; query()"),
}


class OldWorld(World):
    """A user of jwst_mast_query: the old configuration file, $JWSTDOWNLOAD_OUTDIR, and nothing of ours."""

    def __init__(self, folder: Path, server: str, configuration: str = OLD_CONFIGURATION) -> None:
        super().__init__(folder, server)
        self.state = self.home / "state" / "jwstwatch" / "state.db"
        (folder / "jwst_query.cfg").write_text(configuration)

    @property
    def environment(self) -> dict[str, str]:
        mine = {"JWSTWATCH_SERVER": self.server, "JWSTDOWNLOAD_OUTDIR": str(self.root)}
        return super().environment | mine

    def begin(self, line: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command line as it would be typed in this folder."""
        name, *words = shlex.split(line)
        return self.start(*words, program=PROGRAMS[name], **options)

    def type(self, line: str, *, code: int = 0, **options: Any) -> Ended:
        """Run a command line as it would be typed in this folder."""
        ended = finish(self.begin(line, **options))
        assert ended.code == code, (ended.code, ended.out, ended.err)
        assert " -v" in line or "Traceback" not in ended.err
        assert "[y/n]" not in ended.out + ended.err
        return ended

    def type_here(self, line: str, *, code: int = 0, environment: Mapping[str, str] | None = None) -> Ended:
        """Run a command line in this process: most of a short command's time is its start."""
        from jwstwatch.cli.main import main

        name, *words = shlex.split(line)
        command = {"jwst_query.py": ["query"], "jwst_download.py": ["download"]}.get(name, [])
        out, err = io.StringIO(), io.StringIO()
        surroundings = self.environment | dict(environment or {})
        with (
            patch.dict(os.environ, surroundings, clear=True),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                ended = Ended(int(main([*command, *words])), out.getvalue(), err.getvalue())
            except SystemExit as left:
                ended = Ended(int(str(left.code)), out.getvalue(), err.getvalue())
        assert ended.code == code, (ended.code, ended.out, ended.err)
        assert " -v" in line or "Traceback" not in ended.err
        return ended

    def tables(self, line: str, **options: Any) -> dict[str, list[dict[str, Any]]]:
        """Run a query and return its three tables."""
        tables: dict[str, list[dict[str, Any]]] = self.type_here(f"{line} --json", **options).json
        return tables

    def selected(self, line: str, **options: Any) -> list[str]:
        """Run a query and return the names of its products."""
        return sorted(row["productFilename"] for row in self.tables(line, **options)["products"])


def names(
    proposal: int, obsnum: int, detectors: str, *, kinds: Iterable[str] = ("uncal.fits",), exposure: int = 1
) -> set[str]:
    """File names of one observation."""
    return {
        f"jw{proposal:05d}{obsnum:03d}001_02101_{exposure:05d}_{detector}_{kind}"
        for detector in detectors.split()
        for kind in kinds
    }


def paths(selected: Iterable[str]) -> set[str]:
    """Where files land: the proposal in five digits, the observation in two or more, the name."""
    return {f"{name[2:7]}/obsnum{int(name[7:10]):02d}/{name}" for name in selected}
