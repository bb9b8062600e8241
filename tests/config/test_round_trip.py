"""Any value that a parameter can have is written to YAML and read back as itself."""

from __future__ import annotations

import shlex
import zoneinfo
from datetime import timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.config.settings import FILE_PARAMETERS
from jwstwatch.core.instruments import INSTRUMENTS
from jwstwatch.core.parameter_addresses import Bucket, LoopbackAddress, Server
from jwstwatch.core.parameter_kinds import Kind, Maybe, Several
from jwstwatch.core.parameter_priority import PriorityWord
from jwstwatch.core.parameter_reactions import ReactionChoice
from jwstwatch.core.parameter_scalars import (
    Boolean,
    Choice,
    File,
    Folder,
    Integer,
    Number,
    RelativeName,
    Word,
)
from jwstwatch.core.parameter_secrets import CommandLine, MessageAddresses, TokenFile, WebAddress
from jwstwatch.core.parameter_sizes import Size
from jwstwatch.core.parameter_timetables import Rates
from jwstwatch.core.parameter_units import Cron, Duration, Keeping, MinuteOfDay, Seconds, TimeZone
from jwstwatch.core.parameter_words import Detector, Instruments, ProposalChoice, Proposals, Range
from jwstwatch.core.parameters import PARAMETERS
from jwstwatch.core.reactions import Reaction, Reactions
from jwstwatch.core.timetables import EVERY_DAY, TimedRate, Timetable, first_idle_line
from tests.config.conftest import Desk

# A dollar sign in a file is the beginning of a variable.
PRINTABLE = st.characters(categories=["L", "M", "N", "P", "S"], exclude_characters="$,~")
TEXT = st.text(PRINTABLE, min_size=1, max_size=12)
NAME = TEXT.filter(lambda name: name.lower() not in (".", "..", "none", "true", "false") and "/" not in name)
PATHS = st.lists(NAME, min_size=1, max_size=3).map(lambda parts: Path("/", *parts))
NUMBERS = st.integers(0, 59).map(str)
DATES = st.dates().map(str) | st.floats(0, 99999).map(lambda mjd: f"{mjd:.6f}")
MINUTES = st.sampled_from(["*", "*/5", "0,30", "10-20", "10-40/3"]) | NUMBERS


def proposals() -> st.SearchStrategy[tuple[ProposalChoice, ...]]:
    obsnums = st.lists(st.integers(1, 999), unique=True, max_size=3).map(tuple)
    choice = st.builds(ProposalChoice, proposal=st.integers(1, 99999), obsnums=obsnums)
    return st.lists(choice, unique_by=lambda one: one.proposal, max_size=4).map(tuple)


def ranges(limits: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.just(()) | st.tuples(st.builds("{}{}".format, limits, st.sampled_from(["", "+", "-"])))


def values(name: str, kind: Kind[Any]) -> st.SearchStrategy[Any]:
    if isinstance(kind, Maybe):
        inner = values(name, kind.kind)
        return inner if kind.inherited else st.none() | inner
    if isinstance(kind, Several):
        items = st.lists(values(name, kind.item), unique=True, min_size=int(kind.at_least_one), max_size=4)
        return items.map(tuple)
    if isinstance(kind, Integer | Number):
        low, high = kind.lowest, kind.highest
        return st.integers(int(low), int(high)) if isinstance(kind, Integer) else st.floats(low, high)
    if isinstance(kind, Word):
        return TEXT.map(str.lower) if kind.lower else TEXT
    if isinstance(kind, Range):
        return ranges(DATES if name == "date_select" else st.integers(0, 10**9).map(str))
    if isinstance(kind, Instruments):
        return st.lists(st.sampled_from(INSTRUMENTS), unique=True, min_size=1).map(tuple)
    if isinstance(kind, Choice):
        return st.sampled_from(kind.words)
    if isinstance(kind, Duration):
        return st.timedeltas(min_value=max(kind.shortest, timedelta(0)), max_value=timedelta(days=3660))
    return SIMPLE[type(kind)]


def timetables() -> st.SearchStrategy[Timetable]:
    minutes = st.integers(0, 1439)
    hours = st.just((0, 1440)) | st.tuples(minutes, minutes.map(lambda minute: minute or 1440)).filter(
        lambda both: both[0] != both[1]
    )
    days = st.sets(st.integers(0, 6), min_size=1).map(sorted).map(tuple)
    line = st.builds(
        lambda rate, days, hours: TimedRate(rate=rate, days=days, begin=hours[0], end=hours[1]),
        st.none() | st.integers(1000, 10**12),
        days | st.just(EVERY_DAY),
        hours,
    )
    return st.lists(line, min_size=1, max_size=4).map(useful).map(Timetable)


def useful(lines: list[TimedRate]) -> tuple[TimedRate, ...]:
    while (idle := first_idle_line(lines)) is not None:
        lines = lines[:idle] + lines[idle + 1 :]
    return tuple(lines)


def reactions() -> st.SearchStrategy[Reactions]:
    reaction = st.sampled_from(Reaction)
    words = st.sampled_from(["uncal", "jpg", "_rate.jpg", "asn.json", ".fits", "x1d-2"])
    by_type = st.lists(st.tuples(words, reaction), unique_by=lambda pair: pair[0], max_size=4).map(tuple)
    return st.builds(Reactions, by_type, reaction)


SIMPLE: dict[type, st.SearchStrategy[Any]] = {
    Boolean: st.booleans(),
    Proposals: proposals(),
    Detector: st.sampled_from(["a1", "b5", "along", "nrcblong", "nis", "guider1"]),
    RelativeName: NAME,
    Folder: st.lists(NAME, max_size=3).map(lambda parts: Path("/", *parts)),
    Cron: st.builds("{} 4 1-15 jan,7 mon-fri".format, MINUTES),
    TimeZone: st.sampled_from(sorted(zoneinfo.available_timezones() - {"localtime"})),
    Rates: timetables(),
    Seconds: st.floats(1, 3600),
    Bucket: st.sampled_from(["https://b.s3.amazonaws.com", "http://127.0.0.1:5000/b"]),
    Server: st.sampled_from(["https://mast.stsci.edu", "http://127.0.0.1:8080/mast"]),
    Size: st.integers(1, 10**18),
    PriorityWord: st.sampled_from(["jpg", "rate", "_cal.fits", "asn.json", "level3", "others"]),
    ReactionChoice: reactions(),
    MinuteOfDay: st.integers(0, 1439),
    Keeping: st.none() | st.timedeltas(timedelta(days=30), timedelta(days=3660)),
    File: PATHS,
    TokenFile: PATHS,
    LoopbackAddress: st.tuples(st.sampled_from(["127.0.0.1", "::1"]), st.integers(1, 65535)),
    WebAddress: st.sampled_from(["https://a.example/uuid", "http://u:p@b.example:8000/?a=1&b=2#c"]),
    MessageAddresses: st.lists(
        st.sampled_from(["mailto://u:p@host?to=a@x,b@y", "slack://T/B/C", "json://localhost"]), unique=True
    ).map(tuple),
    CommandLine: st.lists(TEXT, min_size=1, max_size=3)
    .map(shlex.join)
    .filter(lambda text: text.lower() != "none"),
}


@given(st.data())
def test_any_value_survives_being_written_to_a_profile(shared_desk: Desk, data: st.DataObject) -> None:
    names = [name for name, each in PARAMETERS.items() if not each.one_off_only and name != "cron"]
    chosen = data.draw(st.lists(st.sampled_from(names), unique=True, min_size=1, max_size=6))
    wanted = {name: data.draw(values(name, PARAMETERS[name].kind), label=name) for name in chosen}
    wanted.pop("guidestars" if wanted.get("guidestar_data_only") else "", None)
    plain = {name: PARAMETERS[name].kind.write(value) for name, value in wanted.items()}
    shared_desk.write(yaml.safe_dump({"profiles": {"a": plain}}, allow_unicode=data.draw(st.booleans())))
    parameters = shared_desk.load().profile("a").parameters
    assert {name: getattr(parameters, name) for name in wanted} == wanted


@given(st.data())
def test_any_value_survives_being_written_to_a_section(shared_desk: Desk, data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(list(FILE_PARAMETERS)), unique=True, min_size=1, max_size=6))
    kinds = {path: FILE_PARAMETERS[path].kind for path in chosen}
    wanted = {path: data.draw(values(path, kind), label=path) for path, kind in kinds.items()}
    document: dict[str, Any] = {}
    for path, value in wanted.items():
        section, _, name = path.rpartition(".")
        place = document.setdefault(section, {}) if section else document
        place[name] = kinds[path].write(value)
    shared_desk.write(yaml.safe_dump(document, allow_unicode=data.draw(st.booleans())))
    settings = shared_desk.load()
    assert {path: reduce(getattr, path.split("."), settings) for path in wanted} == wanted


@given(st.data())
def test_any_value_of_every_kind_survives_being_written_as_text(data: st.DataObject) -> None:
    kinds = [each.kind for each in (*PARAMETERS.values(), *FILE_PARAMETERS.values())]
    kind = data.draw(st.sampled_from(kinds))
    name = next((name for name, each in PARAMETERS.items() if each.kind is kind), "")
    value = data.draw(values(name, kind))
    assert kind.take(as_text(kind.write(value))) == value


def as_text(plain: Any) -> Any:
    if isinstance(plain, list):
        return [as_text(item) for item in plain]
    if isinstance(plain, dict):
        return {key: as_text(item) for key, item in plain.items()}
    return None if plain is None else str(plain)
