"""Log lines for people, for the journal and for programs: structlog behind the standard library's loggers.

Every module logs with `logging.getLogger(__name__)`. Only this one knows structlog, and imports it when a
first line is written: most commands write none.
"""

from __future__ import annotations

import contextvars
import functools
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final, Literal, ParamSpec, TextIO, TypeVar
from urllib.parse import quote

Format = Literal["text", "json"]
Given = ParamSpec("Given")
Result = TypeVar("Result")

HIDDEN: Final = "***"
"""What stands in a line where a secret was."""
SHORTEST_SECRET: Final = 4
"""Characters; anything shorter is in every other word and protects nothing."""

_ALWAYS: Final = ("profile", "run_id")
_Event = MutableMapping[str, Any]
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_PLAIN: Final = re.compile(r"[^\s\"'=\\]+")
_PRIORITIES: Final = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


def configure(
    *,
    format: Format = "text",  # noqa: A002 - the name of the option
    level: int = logging.INFO,
    journal: bool | None = None,
    stream: TextIO | None = None,
    tracebacks: bool | None = None,
) -> None:
    """Write what is logged from `level` on to `stream` (standard error), in one form; may be said again.

    `journal` puts the syslog priority before each line and leaves out the time, which the journal knows;
    None finds out from $JOURNAL_STREAM. `tracebacks` are written in text from the level DEBUG on, or as
    told; in JSON always.
    """
    stream = sys.stderr if stream is None else stream
    journal = _is_journal(stream, os.environ) if journal is None else journal
    handler = _Handler(stream)
    handler.setFormatter(
        _Lines(
            as_json=format == "json",
            journal=journal,
            tracebacks=level <= logging.DEBUG if tracebacks is None else tracebacks,
            secrets=_secrets(),
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        # A plain one on the same stream would say everything twice, secrets included.
        if isinstance(old, _Handler) or (type(old) is logging.StreamHandler and old.stream is stream):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    # Its warnings quote whole addresses, signatures included; what they are about is told as a failure.
    logging.getLogger("urllib3").setLevel(logging.DEBUG if level <= logging.DEBUG else logging.ERROR)
    logging.captureWarnings(True)


def hide(value: str) -> None:
    """Have `***` written instead of a secret in every line from now on, also one configured later."""
    value = value.strip()
    if len(value) >= SHORTEST_SECRET:
        _secrets().add(value)


@contextmanager
def bound(*, profile: str | None = None, run_id: int | None = None) -> Iterator[None]:
    """Put the profile and the run on every line that this thread logs within."""
    from structlog.contextvars import bound_contextvars

    given = {"profile": profile, "run_id": run_id}
    with bound_contextvars(**{name: value for name, value in given.items() if value is not None}):
        yield


def carried(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """Return `function` with what is bound here and now, for another thread to call."""
    context = contextvars.copy_context()

    @functools.wraps(function)
    def call(*values: Given.args, **named: Given.kwargs) -> Result:
        return context.copy().run(function, *values, **named)

    return call


def take_thread_failures() -> None:
    """Log what ends a thread unforeseen, in place of Python's bare traceback on standard error."""

    def tell(failure: threading.ExceptHookArgs) -> None:
        if failure.exc_value is None or isinstance(failure.exc_value, SystemExit):
            return
        name = failure.thread.name if failure.thread else "?"
        cause = (failure.exc_type, failure.exc_value, failure.exc_traceback)
        logging.getLogger(__name__).error("the thread %s broke off", name, exc_info=cause)

    threading.excepthook = tell


def _is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether the stream leads into the journal: systemd names its device and inode."""
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        facts = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(facts.st_dev), str(facts.st_ino))


class _Secrets(logging.Filter):
    """What no line may hold. It lets every record pass: it is kept with a logger, as handlers come and go."""

    def __init__(self) -> None:
        super().__init__()
        self._pattern: re.Pattern[str] | None = None
        self._forms: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    def add(self, value: str) -> None:
        with self._lock:
            escaped = {
                json.dumps(value)[1:-1],
                json.dumps(value, ensure_ascii=False)[1:-1],
                repr(value)[1:-1],
            }
            self._forms |= {value, *escaped, quote(value), quote(value, safe="")}
            longest_first = sorted(self._forms, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def masked(self, text: str) -> str:
        pattern = self._pattern
        return pattern.sub(HIDDEN, text) if pattern else text

    def masked_deeply(self, value: object) -> object:
        if isinstance(value, bool | int | float | None):
            return value
        if isinstance(value, Mapping):
            return {self.masked(str(key)): self.masked_deeply(entry) for key, entry in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.masked_deeply(entry) for entry in value]
        return self.masked(str(value))


_FINDING: Final = threading.Lock()


def _secrets() -> _Secrets:
    """Return the one collection of this process, which hangs on the package's logger."""
    logger = logging.getLogger("jwstwatch")
    with _FINDING:
        for found in logger.filters:
            if isinstance(found, _Secrets):
                return found
        made = _Secrets()
        logger.addFilter(made)
        return made


class _Handler(logging.StreamHandler[TextIO]):
    """Ours among the root logger's handlers."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Tell where a line came from that could not be written; its arguments might hold a secret."""
        kind = sys.exc_info()[0]
        if kind is None or issubclass(kind, OSError) or self.stream.closed:
            return  # nobody reads any more
        text = f"a log line of {record.pathname}:{record.lineno} cannot be written ({kind.__name__})"
        instead = logging.makeLogRecord({"name": record.name, "msg": text, "levelno": logging.ERROR})
        instead.levelname = logging.getLevelName(logging.ERROR)
        with suppress(OSError, ValueError):
            self.stream.write(self.format(instead) + self.terminator)
            self.flush()


class _Lines(logging.Formatter):
    """Turns records into lines; structlog is imported at the first."""

    def __init__(self, *, as_json: bool, journal: bool, tracebacks: bool, secrets: _Secrets) -> None:
        super().__init__()
        self._as_json = as_json
        self._journal = journal
        self._tracebacks = tracebacks
        self._secrets = secrets

    @functools.cached_property
    def _chain(self) -> logging.Formatter:
        from structlog.contextvars import merge_contextvars
        from structlog.processors import format_exc_info
        from structlog.stdlib import ExtraAdder, ProcessorFormatter

        told_in_full = self._as_json or self._tracebacks
        return ProcessorFormatter(
            foreign_pre_chain=[merge_contextvars, ExtraAdder()],
            processors=[
                _add_origin,
                ProcessorFormatter.remove_processors_meta,
                format_exc_info if told_in_full else _shorten_failure,
                self._render_json if self._as_json else self._render_text,
            ],
        )

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line; in the journal every line of a traceback has the priority too."""
        text = self._chain.format(record)
        if not self._journal:
            return text
        priority = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in text.split("\n"))

    def _render_json(self, logger: object, method: str, event: _Event) -> str:  # noqa: ARG002 - structlog's
        first = ("timestamp", "level", "logger", "event", *_ALWAYS)
        names = [*(name for name in first if name in event), *(name for name in event if name not in first)]
        return json.dumps(self._secrets.masked_deeply({name: event[name] for name in names}))

    def _render_text(self, logger: object, method: str, event: _Event) -> str:  # noqa: ARG002 - structlog's
        time, level, origin = (event.pop(name) for name in ("timestamp", "level", "logger"))
        message, details = str(event.pop("event")).strip(), []
        for name in ("stack_info", "exception"):
            details += str(event.pop(name, "")).splitlines()
        names = [
            *(name for name in _ALWAYS if name in event),
            *(name for name in event if name not in _ALWAYS),
        ]
        words = [] if self._journal else [time]
        words += [level.upper(), f"{origin.rpartition('.')[2]}:", _one_line(message)]
        words += [f"{name}={_quoted(self._secrets.masked_deeply(event[name]))}" for name in names]
        return self._secrets.masked("\n".join([" ".join(words), *map(_one_line, details)]))


def _add_origin(logger: object, method: str, event: _Event) -> _Event:  # noqa: ARG001 - structlog's
    """Add when, how grave and whence, as the standard library's record knows it."""
    record: logging.LogRecord = event["_record"]
    moment = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None)
    event["timestamp"] = moment.isoformat(timespec="milliseconds") + "Z"
    event["level"] = record.levelname.lower()
    event["logger"] = record.name
    for name in ("message", "asctime"):  # marks that another handler has left on the record
        event.pop(name, None)
    return event


def _shorten_failure(logger: object, method: str, event: _Event) -> _Event:  # noqa: ARG001 - structlog's
    """Leave of an exception what it says, and nothing of where the program was."""
    event.pop("stack_info", None)
    cause = event.pop("exc_info", None)
    if isinstance(cause, tuple) and cause[1] is not None:
        event["error"] = f"{type(cause[1]).__name__}: {cause[1]}"
    return event


def _quoted(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) and not _UNSAFE.search(text) else json.dumps(text)


def _one_line(text: str) -> str:
    """Write line breaks, and whatever else a terminal would obey, as escapes."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)
