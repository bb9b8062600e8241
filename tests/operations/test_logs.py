"""Log lines: one fact a line, known to the journal, read by programs, and silent about secrets."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch import logs

log = logging.getLogger("jwstwatch.daemon.service")

SECRET = 'to"ken/é\\123'


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave logging as it was found."""
    root, ours, theirs = logging.getLogger(), logging.getLogger("jwstwatch"), logging.getLogger("urllib3")
    their_level = theirs.level
    level, handlers, filters, hook = root.level, root.handlers[:], ours.filters[:], threading.excepthook
    yield
    root.setLevel(level)
    theirs.setLevel(their_level)
    root.handlers[:], ours.filters[:], threading.excepthook = handlers, filters, hook
    logging.captureWarnings(False)


def configured(**options: Any) -> io.StringIO:
    root = logging.getLogger()
    # pytest listens too, and breaks off where a line cannot be written.
    root.handlers[:] = [handler for handler in root.handlers if "pytest" not in type(handler).__module__]
    stream = io.StringIO()
    logs.configure(stream=stream, **options)
    return stream


def lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def only_object(stream: io.StringIO) -> dict[str, Any]:
    (line,) = lines(stream)
    found: dict[str, Any] = json.loads(line)
    return found


def warn(text: str) -> None:
    """Warn as a library does in a program whose warnings are not errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn(text, UserWarning, stacklevel=1)


def break_down(what: str = "went wrong") -> None:
    try:
        raise ValueError(what)
    except ValueError:
        log.exception("the run broke off")


def test_text_has_time_level_origin_message_and_what_is_bound() -> None:
    stream = configured()
    before = datetime.now(UTC).replace(microsecond=0)
    with logs.bound(profile="ers-1345", run_id=7):
        log.warning("%d files failed", 3, extra={"bytes": 12, "server": "a b"})
    (line,) = lines(stream)
    time_part, rest = line.split(" ", 1)
    assert rest == 'WARNING service: 3 files failed profile=ers-1345 run_id=7 bytes=12 server="a b"'
    assert re.fullmatch(r"[0-9-]{10}T[0-9:]{8}\.[0-9]{3}Z", time_part)
    assert before <= datetime.fromisoformat(time_part) <= datetime.now(UTC)


def test_what_is_bound_ends_with_its_block_and_nests() -> None:
    stream = configured()
    with logs.bound(profile="a"):
        with logs.bound(run_id=1):
            log.info("inner")
        log.info("outer")
    log.info("after")
    assert [line.split(": ", 1)[1] for line in lines(stream)] == [
        "inner profile=a run_id=1",
        "outer profile=a",
        "after",
    ]


@pytest.mark.parametrize(
    ("level", "priority"),
    [
        (logging.CRITICAL, 2),
        (logging.ERROR, 3),
        (logging.WARNING, 4),
        (logging.INFO, 6),
        (logging.DEBUG, 7),
    ],
)
def test_the_journal_gets_a_priority_and_no_time(level: int, priority: int) -> None:
    stream = configured(journal=True, level=logging.DEBUG)
    log.log(level, "hello")
    assert lines(stream) == [f"<{priority}>{logging.getLevelName(level)} service: hello"]


def test_in_the_journal_each_line_of_a_traceback_has_its_priority() -> None:
    stream = configured(journal=True, level=logging.DEBUG)
    break_down()
    assert len(lines(stream)) > 3
    assert all(line.startswith("<3>") for line in lines(stream))


def test_the_journal_is_told_by_its_device_and_inode(tmp_path: Path) -> None:
    script = "import logging; from jwstwatch import logs; logs.configure(); logging.warning('hello')"
    place = tmp_path / "stderr"
    for own, start in ((True, "<4>WARNING root: hello"), (False, "2")):
        with place.open("w") as stream:
            facts = os.fstat(stream.fileno())
            journal = f"{facts.st_dev}:{facts.st_ino + (0 if own else 1)}"
            environment = os.environ | {"JOURNAL_STREAM": journal}
            subprocess.run([sys.executable, "-c", script], stderr=stream, env=environment, check=True)
        assert place.read_text().startswith(start)


def test_json_is_one_object_a_line_with_everything() -> None:
    stream = configured(format="json")
    with logs.bound(profile="ers-1345", run_id=7):
        log.info("two\nlines", extra={"size": 12, "path": Path("/a/b"), "names": ("x", None)})
    found = only_object(stream)
    stamp = found.pop("timestamp")
    assert datetime.fromisoformat(stamp).tzinfo is not None
    assert stamp.endswith("Z")
    assert found == {
        "level": "info",
        "logger": "jwstwatch.daemon.service",
        "event": "two\nlines",
        "profile": "ers-1345",
        "run_id": 7,
        "size": 12,
        "path": "/a/b",
        "names": ["x", None],
    }


def test_json_has_the_traceback_at_every_level() -> None:
    stream = configured(format="json", level=logging.WARNING)
    break_down()
    found = only_object(stream)
    assert found["exception"].startswith("Traceback")
    assert found["exception"].endswith("ValueError: went wrong")


def test_text_has_the_traceback_only_for_whoever_looks_for_a_fault() -> None:
    quiet = configured(level=logging.INFO)
    break_down()
    assert len(lines(quiet)) == 1
    assert lines(quiet)[0].endswith('the run broke off error="ValueError: went wrong"')
    for options in ({"level": logging.DEBUG}, {"level": logging.INFO, "tracebacks": True}):
        loud = configured(**options)
        break_down()
        assert lines(loud)[1] == "Traceback (most recent call last):"
        assert lines(loud)[-1] == "ValueError: went wrong"


def test_only_lines_of_the_level_and_above_are_written() -> None:
    stream = configured(level=logging.WARNING)
    log.info("no")
    log.warning("yes")
    assert len(lines(stream)) == 1


@given(st.text())
def test_one_fact_is_one_line_whatever_a_name_holds(name: str) -> None:
    stream = configured(journal=True)
    log.info("%s is there", name, extra={"name_there": name})
    (line,) = stream.getvalue().removesuffix("\n").split("\n")
    assert len(line.splitlines()) == 1
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", line)


@given(st.text(), st.text())
def test_json_says_exactly_what_was_logged(name: str, value: str) -> None:
    stream = configured(format="json")
    log.info("%s is there", name, extra={"value": value})
    found = only_object(stream)
    assert (found["event"], found["value"]) == (f"{name} is there", value)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_hidden_secret_is_in_no_line(form: logs.Format) -> None:
    logs.hide(f" {SECRET}\n")
    stream = configured(format=form, level=logging.DEBUG)
    with logs.bound(profile=SECRET):
        log.info("token %s", SECRET, extra={"header": {"Authorization": f"token {SECRET}"}, SECRET: [SECRET]})
        break_down(f"401 for {SECRET}")
    warn(f"{SECRET} is old")
    written = stream.getvalue()
    assert "***" in written
    for part in (SECRET, "ken/", "123", "ken%2F"):
        assert part not in written


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_secret_in_an_address_is_hidden_too(form: logs.Format) -> None:
    stream = configured(format=form)
    logs.hide("a b/c?d")
    log.info("GET https://somewhere/?token=a%20b%2Fc%3Fd and a%20b/c%3Fd")
    assert "somewhere/?token=*** and ***" in stream.getvalue()


def test_a_secret_stays_hidden_when_the_form_is_changed() -> None:
    logs.hide("first-secret")
    configured()
    logs.hide("second-secret")
    stream = configured(format="json")
    log.info("first-secret second-secret")
    assert only_object(stream)["event"] == "*** ***"


@pytest.mark.parametrize("value", ["", "  ", "abc"])
def test_what_is_too_short_for_a_secret_does_not_spoil_the_log(value: str) -> None:
    logs.hide(value)
    stream = configured()
    log.info("abc  def")
    assert "abc  def" in stream.getvalue()


def test_warnings_of_libraries_become_lines() -> None:
    stream = configured(format="json")
    warn("this is old")
    found = only_object(stream)
    assert (found["level"], found["logger"]) == ("warning", "py.warnings")
    assert "UserWarning: this is old" in found["event"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_that_cannot_be_written_says_where_and_not_what(form: logs.Format) -> None:
    stream = configured(format=form)
    log.info("%d files", "not-hidden-yet")
    (line,) = lines(stream)
    assert f"{Path(__file__).name}:" in line
    assert "TypeError" in line
    assert "not-hidden-yet" not in line
    if form == "json":
        assert json.loads(line)["level"] == "error"


def test_a_reader_that_is_gone_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    stream = configured()
    stream.close()
    log.info("nobody hears")
    assert capsys.readouterr().err == ""


def test_configured_again_it_writes_once_and_leaves_handlers_of_others() -> None:
    others = logging.StreamHandler(io.StringIO())
    others.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logging.getLogger().addHandler(others)
    first, second = configured(), configured()
    log.info("hello")
    assert lines(first) == []
    assert len(lines(second)) == 1
    assert lines(second)[0].endswith("service: hello")
    assert others in logging.getLogger().handlers


def test_a_plain_handler_on_the_same_stream_gives_way() -> None:
    stream = io.StringIO()
    logging.getLogger().addHandler(logging.StreamHandler(stream))
    logs.configure(stream=stream)
    log.info("once")
    assert len(lines(stream)) == 1


def test_another_thread_can_carry_what_is_bound() -> None:
    stream = configured()
    with logs.bound(profile="a", run_id=1):
        say = logs.carried(log.info)
    threads = [threading.Thread(target=say, args=(f"worker {number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(line.split(": ", 1)[1] for line in lines(stream)) == [
        f"worker {number} profile=a run_id=1" for number in range(3)
    ]


def test_a_thread_that_breaks_off_is_logged() -> None:
    stream = configured(format="json")
    logs.take_thread_failures()

    def fail() -> None:
        raise ValueError("unforeseen")

    thread = threading.Thread(target=fail, name="worker-1")
    thread.start()
    thread.join()
    found = only_object(stream)
    assert (found["level"], found["event"]) == ("error", "the thread worker-1 broke off")
    assert found["exception"].endswith("ValueError: unforeseen")


def test_the_time_of_a_line_is_when_it_was_logged() -> None:
    stream = configured(format="json")
    record = log.makeRecord(log.name, logging.INFO, __file__, 1, "earlier", (), None)
    record.created = time.mktime(time.strptime("2026", "%Y")) + 0.25
    log.handle(record)
    stamp = only_object(stream)["timestamp"]
    assert datetime.fromisoformat(stamp).timestamp() == record.created


def test_structlog_is_loaded_only_when_a_line_is_written() -> None:
    script = (
        "import logging, sys; from jwstwatch import logs; logs.configure(); logs.hide('a secret');"
        "assert 'structlog' not in sys.modules; logging.warning('hello'); assert 'structlog' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stderr=subprocess.DEVNULL)


def test_addresses_that_the_http_library_quotes_are_in_no_line() -> None:
    stream = configured()
    logging.getLogger("urllib3.connection").warning("Failed to parse headers (url=%s)", "/x?Signature=abc")
    assert stream.getvalue() == ""
    stream = configured(level=logging.DEBUG)
    logging.getLogger("urllib3.connection").warning("odd")
    assert "odd" in stream.getvalue()
