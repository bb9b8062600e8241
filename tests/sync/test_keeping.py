"""What is kept for somebody who asks often: slow answers for a while, and folders that hang."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from jwstwatch.disk.markers import MARKER, establish
from jwstwatch.sync.keeping import REST, SLOW, Kept
from jwstwatch.sync.mounts import Mount, Mounts


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_quick_answer_is_asked_for_each_time() -> None:
    kept, asked = Kept(clock=Clock()), []
    for _ in range(3):
        kept.answer("counts", lambda: asked.append(1))
    assert len(asked) == 3


def test_a_slow_answer_is_good_enough_for_ten_times_as_long_as_it_took() -> None:
    clock = Clock()
    kept = Kept(clock=clock)
    asked: list[float] = []

    def slowly() -> int:
        clock.now += 2 * SLOW
        asked.append(clock.now)
        return len(asked)

    assert kept.answer("counts", slowly) == 1
    clock.now += 2 * SLOW * REST - 0.01
    assert kept.answer("counts", slowly) == 1
    assert kept.answer("another question", slowly) == 2
    clock.now += 0.02
    assert kept.answer("counts", slowly) == 3


def test_a_folder_is_mounted_where_its_marker_says_so(tmp_path: Path) -> None:
    root = tmp_path / "data"
    identity = establish(root, expected=None, files=0)
    mounts = Mounts()
    found = mounts.look(root, identity)
    assert (found.mounted, found.problem) == (True, None)
    assert found.free_bytes is not None
    assert found.free_bytes > 0
    assert mounts.look(root, "another") == Mount(mounted=False, problem="is another output folder")
    (root / MARKER).unlink()
    assert mounts.look(root, identity) == Mount(mounted=False, problem="has no marker")
    assert mounts.look(tmp_path / "gone", identity) == Mount(mounted=False, problem="is not there")


def test_a_folder_that_hangs_keeps_nobody_waiting_and_is_asked_by_one_thread_only(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    os.mkfifo(root / MARKER)  # whoever opens it waits for a writer, as on a dead network mount
    mounts = Mounts(patience=0.05)
    before = threading.active_count()
    for _ in range(3):
        assert mounts.look(root, "an identity") == Mount(mounted=False, problem="does not answer")
    assert threading.active_count() == before + 1
    (root / MARKER).write_text('{"root": "an identity"}')
    for patient in [thread for thread in threading.enumerate() if thread.name == "mount-look"]:
        patient.join(timeout=10)
    assert mounts.look(root, "an identity").mounted, "what it found meanwhile"
