"""Files that are taken away for good: only ours, only below their root, never through a link."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from jwstwatch.core.model import FileState
from jwstwatch.disk import markers
from jwstwatch.errors import ExitCode, RootMissingError
from jwstwatch.store.choosing import Choice
from jwstwatch.sync.removing import CHANGED, Removal, Remover, Verified, require_roots

NAME = "jw01345001001_02101_00001_nrca1_rate.fits"
JPG = "jw01345001001_02101_00001_nrca1_rate.jpg"


def put(path: Path, size: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


def remove(root: Path, path: str, size: int | None = 10) -> str | None:
    remover = Remover(root)
    reason = remover.remove(path, Verified(size=size))
    remover.sync()
    return reason


def left(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir() or path.is_symlink()}


def test_a_file_goes_with_its_thumbnail_and_its_partials_and_nothing_else(tmp_path: Path) -> None:
    others = [
        "01345/other.jpg",
        "01345/other.TN.jpg",
        f"01345/.{JPG}x.1.part",
        f"01345/{NAME}",
        "01345/index.html",
    ]
    ours = [JPG, JPG.replace(".jpg", ".TN.jpg"), f".{JPG}.1.part", f".{JPG}.12.part", f".{JPG}.2.part.json"]
    for path in (*others, *(f"01345/{name}" for name in ours)):
        put(tmp_path / path)
    assert remove(tmp_path, f"01345/{JPG}") is None
    assert left(tmp_path) == set(others)
    assert remove(tmp_path, f"01345/{JPG}") is None  # a kill may have come before it was written down
    assert remove(tmp_path, f"no/such/folder/{JPG}") is None


def test_a_fits_file_goes_with_the_quick_looks_that_were_made_of_it_and_a_kept_copy_without(
    tmp_path: Path,
) -> None:
    stem, previews = NAME.removesuffix(".fits"), "01345/jwstwatch-pages/previews"
    ours = [f"{previews}/{stem}{ending}" for ending in (".QL.jpg", ".QL.TN.jpg", ".r1.QL.jpg", ".r12.QL.jpg")]
    others = [f"{previews}/x{stem}.QL.jpg", f"{previews}/{stem}x.r1.QL.jpg", f"{previews}/{stem}.jpg"]
    kept = f".replaced/01345/r1/{NAME}"
    for path in (*ours, *others, kept, f"01345/obsnum01/{NAME}"):
        put(tmp_path / path)
    assert remove(tmp_path, kept) is None
    assert left(tmp_path) == {*ours, *others, f"01345/obsnum01/{NAME}"}
    assert remove(tmp_path, f"01345/obsnum01/{NAME}") is None
    assert left(tmp_path) == set(others)


def test_quick_looks_behind_a_link_stay(tmp_path: Path) -> None:
    picture = put(tmp_path / "elsewhere" / "previews" / f"{NAME.removesuffix('.fits')}.QL.jpg")
    put(tmp_path / "root" / "01345" / NAME)
    (tmp_path / "root" / "01345" / "jwstwatch-pages").symlink_to(tmp_path / "elsewhere")
    assert remove(tmp_path / "root", f"01345/{NAME}") is None
    assert picture.exists()


def test_a_file_at_the_top_of_its_root_goes_too(tmp_path: Path) -> None:
    put(tmp_path / NAME)
    assert remove(tmp_path, NAME) is None
    assert left(tmp_path) == set()


def test_another_file_than_the_one_that_is_known_is_left(tmp_path: Path) -> None:
    put(tmp_path / "01345" / NAME, 12)
    assert "another file stands at its path (12 bytes instead of 10)" in str(
        remove(tmp_path, f"01345/{NAME}")
    )
    assert remove(tmp_path, f"01345/{NAME}", size=None) is None


def test_no_link_is_followed_or_removed(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    target = put(elsewhere / NAME)
    (root / "01345").mkdir(parents=True)
    (root / "01345" / NAME).symlink_to(target)
    (root / "02733").symlink_to(elsewhere)
    (root / "01345" / JPG).mkdir()
    assert remove(root, f"01345/{NAME}") == "a link stands at its path"
    assert remove(root, f"02733/{NAME}") == "it lies behind a link (02733), which is not followed"
    assert remove(root, f"01345/{JPG}") == "no plain file stands at its path"
    assert target.exists()
    assert (root / "01345" / NAME).is_symlink()


@pytest.mark.parametrize(
    "path", [f"../{NAME}", f"01345/../../{NAME}", "..", f"/{NAME}", f"01345//{NAME}", "01345/"]
)
def test_nothing_outside_of_the_root_is_touched(path: str, tmp_path: Path) -> None:
    outside = put(tmp_path / NAME)
    (tmp_path / "root" / "01345").mkdir(parents=True)
    put(tmp_path / "root" / "01345" / NAME)
    assert remove(tmp_path / "root", path)
    assert outside.exists()
    assert left(tmp_path / "root") == {f"01345/{NAME}"}


def test_a_thumbnail_that_is_a_link_stays(tmp_path: Path) -> None:
    target = put(tmp_path / "elsewhere.jpg")
    put(tmp_path / "root" / JPG)
    thumbnail = tmp_path / "root" / JPG.replace(".jpg", ".TN.jpg")
    thumbnail.symlink_to(target)
    assert remove(tmp_path / "root", JPG) is None
    assert thumbnail.is_symlink()
    assert target.exists()


def test_a_root_that_is_a_link_itself_is_the_folder_it_leads_to(tmp_path: Path) -> None:
    put(tmp_path / "disk" / NAME)
    (tmp_path / "root").symlink_to(tmp_path / "disk")
    assert remove(tmp_path / "root", NAME) is None
    assert left(tmp_path / "disk") == set()


def test_roots_without_their_marker_are_refused_before_anything_is_removed(tmp_path: Path) -> None:
    here = tmp_path / "here"
    identity = markers.establish(here, expected=None, files=0)
    require_roots([(here, identity)])
    for path, expected in ((tmp_path / "away", identity), (here, "another")):
        with pytest.raises(RootMissingError, match="marker") as caught:
            require_roots([(here, identity), (path, expected)])
        assert caught.value.exit_code is ExitCode.STORAGE
    assert not (tmp_path / "away").exists()


def test_a_root_that_vanishes_meanwhile_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    root = tmp_path / "root"
    put(root / "01345" / NAME)
    remover = Remover(root)
    root.rename(tmp_path / "away")
    with pytest.raises(RootMissingError):
        remover.remove(f"01345/{NAME}", Verified(size=10))


def test_a_file_in_the_place_of_a_folder_is_left(tmp_path: Path) -> None:
    put(tmp_path / "01345")
    assert remove(tmp_path, f"01345/{NAME}") == "01345 is no folder any more"
    assert left(tmp_path) == {"01345"}


# -- as it was verified


def verified(path: Path) -> Verified:
    status = path.stat()
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    return Verified(size=status.st_size, modified_ns=status.st_mtime_ns, sha256=content)


def test_a_file_that_was_edited_to_the_same_length_is_left(tmp_path: Path) -> None:
    path = put(tmp_path / "01345" / NAME)
    known = verified(path)
    path.write_bytes(b"edited it.")
    os.utime(path, ns=(0, 5_000_000_000))
    assert Remover(tmp_path).remove(f"01345/{NAME}", known) == CHANGED
    assert path.read_bytes() == b"edited it."


def test_a_file_that_was_only_touched_goes(tmp_path: Path) -> None:
    path = put(tmp_path / "01345" / NAME)
    known = verified(path)
    os.utime(path, ns=(0, 5_000_000_000))
    assert Remover(tmp_path).remove(f"01345/{NAME}", known) is None
    assert not path.exists()


# -- a folder that refuses


def choice(root: Path, number: int, path: str) -> Choice:
    return Choice(
        file_id=number,
        product_id=number,
        root=root,
        identity=markers.establish(root, expected=None, files=0),
        path=path,
        name=path.rpartition("/")[2],
        uri=f"mast:JWST/product/{number}",
        state=FileState.PRESENT,
        declined=False,
        size=10,
    )


def test_what_was_removed_before_a_folder_refused_is_told_and_the_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [choice(tmp_path, number, f"{number:05}/{NAME}") for number in range(3)]
    for file in files:
        put(file.full)
    unlink = os.unlink

    def refusing(name: str, *, dir_fd: int) -> None:
        if os.fstat(dir_fd).st_ino == files[1].full.parent.stat().st_ino:
            raise PermissionError(errno.EACCES, "Permission denied", name)
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refusing)
    removal = Removal()
    assert removal(files) == [0]
    assert removal.failure is not None
    assert removal.failure.message == f"{tmp_path / '00001'} may not be written by this user"
    assert removal.left == dict.fromkeys((1, 2), removal.failure.message)
    assert removal(files[2:]) == []
    assert [file.full.exists() for file in files] == [False, True, True]


def test_files_below_an_empty_mount_point_are_not_taken_for_removed(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    file = choice(root, 1, f"01345/{NAME}")
    put(file.full)
    root.rename(tmp_path / "unmounted")
    root.mkdir()
    removal = Removal()
    assert removal([file]) == []
    assert isinstance(removal.failure, RootMissingError)
    assert removal.left == {1: removal.failure.message}
