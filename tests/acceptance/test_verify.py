"""`jwstwatch verify` as a user types it: damage, its report, its repair, and what it does not touch."""

from __future__ import annotations

import signal
import subprocess

from jwstwatch.demo.server import ArchiveServer
from tests.acceptance.world import World, assert_as_archived, finish, wait_until

CONTENT = "its content is not what was verified (SHA-256)"


def test_damage_is_found_told_queued_and_mended(synced: World, archive: ArchiveServer) -> None:
    flipped, missing, *_ = (path for path in sorted(synced.files()) if path.endswith("_rate.fits"))
    ended = synced.run("verify")
    assert (ended.code, ended.err) == (0, "jwstwatch: verifying 12 files\n")
    assert ended.out == "12 files verified by name and size: all good.\n"

    content = bytearray((synced.root / flipped).read_bytes())
    content[-1] ^= 1
    (synced.root / flipped).write_bytes(content)
    assert synced.run("verify", "--quick").code == 0
    (synced.root / missing).unlink()
    (synced.root / "mine.txt").write_text("notes")

    ended = synced.run("verify", "--deep", "--json", "--jobs", "2", "--rate", "1GB/s")
    document = ended.json
    assert ended.code == 3
    assert (document["schema"], document["checked"], document["complete"]) == (1, 12, True)
    assert [(bad["path"], bad["problem"]) for bad in document["bad"]] == [
        (str(synced.root / flipped), CONTENT),
        (str(synced.root / missing), "missing"),
    ]
    assert document["foreign"] == [{"path": str(synced.root / "mine.txt"), "size": 5}]
    assert (document["links"], document["leftovers"], document["queued"]) == ([], [], 0)

    ended = synced.run("verify", "--repair", "--profile", "watch")
    assert ended.code == 3
    assert f"{synced.root / flipped}: {CONTENT}\n" in ended.out
    assert "2 files queued: `jwstwatch run-now watch`" in ended.out
    assert CONTENT in synced.run("why", flipped.rpartition("/")[2]).out
    assert (synced.root / flipped).read_bytes() == content

    (run,) = synced.run_now()
    assert run["downloaded"] == 2
    (synced.root / "mine.txt").unlink()
    ended = synced.run("verify", "--deep", "--sums")
    assert (ended.code, ended.out.splitlines()[0]) == (0, f"{synced.root / 'SHA256SUMS'} is written.")
    words = ["sha256sum", "-c", "--quiet", "--strict", "SHA256SUMS"]
    assert subprocess.run(words, cwd=synced.root).returncode == 0
    (synced.root / "SHA256SUMS").unlink()
    assert_as_archived(synced.files(), archive.catalogue)


def test_control_c_keeps_what_was_read_and_an_absent_disk_is_no_damage(synced: World) -> None:
    process = synced.start("verify", "--deep", "--rate", "10kB/s")
    wait_until(
        lambda: synced.ask("SELECT count(*) FROM file WHERE checked_at IS NOT NULL")[0][0] > 0,
        "a result is committed",
    )
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.code == 130, ended.err
    assert "goes on from there" in ended.err
    ended = synced.run("verify", "--deep")
    assert ended.code == 0, ended.out
    assert "goes on where it stopped on " in ended.err
    assert "12 files verified by their SHA-256" in ended.out

    (synced.root / ".jwstwatch-root").rename(synced.folder / "marker")
    ended = synced.run("verify", "--repair", "--json")
    assert ended.code == 7
    assert ended.json["error"]["kind"] == "root_missing"
    assert "root accept" in ended.json["error"]["hint"]
    assert {state for state, *_ in synced.file_rows().values()} == {"present"}

    for words in (["--restart"], ["--jobs", "0"], ["--rate", "fast"], ["--profile", "nobody"]):
        assert synced.run("verify", *words).code == 2
