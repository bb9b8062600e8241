"""Where the daemon listens and where a command looks for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jwstwatch.control.places import asking_places, identity, listening_place


def test_systemd_says_where_to_listen() -> None:
    assert listening_place(
        {"RUNTIME_DIRECTORY": "/run/jwstwatch:/run/other", "XDG_RUNTIME_DIR": "/x"}
    ) == Path("/run/jwstwatch/control.sock")


def test_without_systemd_it_is_the_users_own_runtime_folder() -> None:
    assert listening_place({"XDG_RUNTIME_DIR": "/run/user/7"}) == Path("/run/user/7/jwstwatch/control.sock")


def test_whatever_a_daemon_chose_a_command_looks_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    (tmp_path / "jwstwatch").mkdir()
    for environ in ({"RUNTIME_DIRECTORY": str(tmp_path)}, {"XDG_RUNTIME_DIR": str(tmp_path)}):
        assert listening_place(environ) in asking_places(environ, url)
    assert Path("/run/jwstwatch/control.sock") in asking_places({}, url), "the service's, for everybody"


def test_the_lock_file_of_a_state_names_the_socket_of_its_daemon(tmp_path: Path) -> None:
    lock = tmp_path / "state.db.daemon.lock"
    lock.write_text(json.dumps({"pid": 1, "socket": "/somewhere/else.sock"}))
    assert asking_places({}, f"sqlite:///{tmp_path / 'state.db'}")[0] == Path("/somewhere/else.sock")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"socket": 7}', '{"socket": "relative"}', "\x00\xff"])
def test_a_lock_file_without_sense_names_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "state.db.daemon.lock").write_text(content)
    places = asking_places({}, f"sqlite:///{tmp_path / 'state.db'}")
    assert all(place.name.startswith("control") for place in places)


def test_a_password_is_no_part_of_an_identity() -> None:
    plain = identity("postgresql://watch@db/state")
    assert identity("postgresql://watch:secret@db/state?sslmode=require") == plain
    assert identity("postgresql://watch@db/other") != plain


def test_a_state_is_the_same_however_many_links_lead_to_it(tmp_path: Path) -> None:
    real, link = tmp_path / "real.db", tmp_path / "link.db"
    link.symlink_to(real)
    plain = identity(f"sqlite:///{real}")
    assert identity(f"sqlite:///{link}") == identity(f"sqlite+pysqlite:///{link}?timeout=5") == plain
    assert identity(f"sqlite:///{tmp_path / 'other.db'}") != plain
    (tmp_path / "real.db.daemon.lock").write_text(json.dumps({"socket": "/somewhere/else.sock"}))
    assert asking_places({}, f"sqlite:///{link}")[0] == Path("/somewhere/else.sock")


def test_the_lock_file_is_looked_for_where_the_url_leads(tmp_path: Path) -> None:
    from jwstwatch.store.engine import sqlite_url
    from jwstwatch.store.locks import lock_path

    state = tmp_path / "per%20c?" / "state.db"
    state.parent.mkdir()
    lock_path(state, "daemon").write_text(json.dumps({"socket": "/somewhere/else.sock"}))
    assert asking_places({}, sqlite_url(state))[0] == Path("/somewhere/else.sock")
