"""Messages go out through the real apprise, in a process that can be ended, and tell nobody its URLs."""

from __future__ import annotations

import importlib.util
import logging
import os
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.errors import ConfigurationError
from jwstwatch.telling.posting import Message, Post
from tests.telling.ear import Ear
from tests.telling.things import PLENTY, until

HELLO = Message(title="jwstwatch: nircam: 3 new files", body="3 new files <b>& more\n- one\n", kind="success")
NEVER = threading.Event()


def post(*to: str, **options: Any) -> Post:
    return Post(to=to, environ=dict(os.environ), **options)


def test_a_message_arrives_as_it_was_meant(ear: Ear) -> None:
    delivery = post(ear.apprise).send(HELLO, abandoned=NEVER)

    assert (delivery.sent, delivery.problems) == (1, ())
    (heard,) = ear.heard
    assert heard.document["title"] == HELLO.title
    assert heard.document["message"].rstrip() == HELLO.body.rstrip()
    assert heard.document["type"] == "success"


def test_every_target_gets_it_and_those_that_do_not_take_it_are_named_without_their_secrets(ear: Ear) -> None:
    with Ear() as unwilling:
        unwilling.status = 500
        delivery = post(unwilling.apprise, "nosuchservice://SECRET-TOKEN", "SECRET-WORD", ear.apprise).send(
            HELLO, abandoned=NEVER
        )

    assert delivery.sent == 1
    assert delivery.problems == (
        "target 1 (json) did not take the message",
        "target 2 (nosuchservice) is no URL that apprise knows",
        "target 3 is no URL that apprise knows",
    )


def test_a_service_that_hangs_is_given_up_and_the_others_have_it(ear: Ear) -> None:
    with Ear() as silent:
        silent.hold.clear()
        begin = time.monotonic()
        delivery = post(silent.apprise, ear.apprise, limit=3.0).send(HELLO, abandoned=NEVER)

        assert time.monotonic() - begin < PLENTY / 2
        assert (delivery.sent, delivery.problems) == (1, ("target 1 (json) did not answer in time",))


def test_a_message_is_given_up_when_the_program_ends(ear: Ear) -> None:
    ear.hold.clear()
    abandoned = threading.Event()

    def abandon() -> None:
        until(lambda: bool(ear.heard))
        abandoned.set()

    threading.Thread(target=abandon).start()
    begin = time.monotonic()
    delivery = post(ear.apprise).send(HELLO, abandoned=abandoned)

    assert delivery.sent == 0
    assert time.monotonic() - begin < PLENTY / 2


def test_the_urls_stand_in_no_process_list_no_log_and_no_output(
    ear: Ear, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = uuid.uuid4().hex  # another test that runs at the same time has another one
    ear.hold.clear()
    seen: list[bytes] = []

    def look() -> None:
        until(lambda: bool(ear.heard))
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                seen.append((folder / "cmdline").read_bytes() + (folder / "environ").read_bytes())
            except OSError:
                continue
        ear.hold.set()

    looking = threading.Thread(target=look)
    looking.start()
    with caplog.at_level(1):
        logging.getLogger("apprise").setLevel(1)
        mine = post(ear.apprise, f"json://user:{secret}@127.0.0.1:1/", f"mailto://{secret}")
        delivery = mine.send(HELLO, abandoned=NEVER)
    looking.join()

    assert any(b"jwstwatch.telling.postman" in line for line in seen)
    assert not any(secret.encode() in line for line in seen)
    told = caplog.text + "".join(capfd.readouterr()) + repr(delivery) + repr(mine)
    assert secret not in told


def test_the_token_is_not_handed_to_the_other_process(ear: Ear) -> None:
    ear.hold.clear()
    mine = Post(to=(ear.apprise,), environ={**os.environ, "MAST_API_TOKEN": "0123456789abcdef"})
    sending = threading.Thread(target=lambda: mine.send(HELLO, abandoned=NEVER))
    sending.start()
    until(lambda: bool(ear.heard))

    environments = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"telling.postman" in (folder / "cmdline").read_bytes():
                environments.append((folder / "environ").read_bytes())
        except OSError:
            continue
    ear.hold.set()
    sending.join()

    assert environments
    assert not any(b"0123456789abcdef" in environment for environment in environments)


def test_a_process_that_breaks_down_is_a_message_that_was_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    delivery = post("json://127.0.0.1/").send(HELLO, abandoned=NEVER)

    assert (delivery.sent, delivery.problems) == (0, ("target 1 (json) did not take the message",))


def test_a_process_that_cannot_be_started_is_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")

    delivery = post("json://127.0.0.1/").send(HELLO, abandoned=NEVER)

    assert delivery.problems == ("no process could be started: No such file or directory",)


def test_messages_without_apprise_are_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "apprise" else find(name, *rest)
    )

    with pytest.raises(ConfigurationError, match="apprise") as caught:
        post("json://127.0.0.1/")

    assert caught.value.hint == "pip install 'jwstwatch[notify]'"
    assert caught.value.problems


def test_apprise_is_not_loaded_by_who_sends() -> None:
    program = (
        "import os, sys, threading; from jwstwatch.telling.posting import Message, Post; "
        "post = Post(to=('json://127.0.0.1:1/',), environ=dict(os.environ)); "
        "post.send(Message(title='t', body='b'), abandoned=threading.Event()); "
        "print(sorted(name for name in sys.modules if name.partition('.')[0] in ('apprise', 'requests')))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert said.stdout == "[]\n"
