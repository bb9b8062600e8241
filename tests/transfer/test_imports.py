"""What a command that fetches nothing must not load."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
from jwstwatch.archive import background, batching, clock, criteria, listing, protocol, replies, rows
from jwstwatch.transfer import budget, job, placing, pool, progress
print(sorted({"requests", "urllib3", "astropy", "astroquery", "numpy"} & set(sys.modules)))
"""


def test_the_rooms_can_be_imported_without_their_heavy_packages() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == "[]\n"
