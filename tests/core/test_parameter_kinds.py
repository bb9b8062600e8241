"""The kinds of values that only the service's own sections have."""

from __future__ import annotations

import ipaddress
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.parameter_addresses import Bucket, LoopbackAddress, Server
from jwstwatch.core.parameter_kinds import UNSET, Kind, ValueNotAllowedError
from jwstwatch.core.parameter_priority import PriorityWord
from jwstwatch.core.parameter_reactions import ReactionChoice
from jwstwatch.core.parameter_scalars import Choice, File
from jwstwatch.core.parameter_secrets import CommandLine, MessageAddresses, TokenFile, WebAddress
from jwstwatch.core.parameter_sizes import Rate, Size
from jwstwatch.core.parameter_timetables import Rates
from jwstwatch.core.parameter_units import Cron, MinuteOfDay, read_duration

PRIVATE: list[Kind[Any]] = [WebAddress(), MessageAddresses(), TokenFile(), CommandLine()]
KINDS: list[Kind[Any]] = [
    *PRIVATE,
    LoopbackAddress(),
    MinuteOfDay(),
    Size(),
    PriorityWord(),
    ReactionChoice(),
    Rate(),
    Rates(),
    File(),
    Choice(("text", "json")),
    Server(),
    Bucket(),
]
WRITTEN = st.text(max_size=40) | st.lists(st.text(max_size=20) | st.none(), max_size=3)


@given(st.sampled_from(KINDS), WRITTEN)
def test_no_text_makes_a_kind_fail_otherwise_than_by_refusing_it(kind: Kind[Any], written: Any) -> None:
    try:
        value = kind.take(written)
    except ValueNotAllowedError as error:
        value, message = UNSET, str(error)
    else:
        message = ""
    assert "\n" not in message
    assert value is UNSET or value == () or kind.take(_as_text(kind.write(value))) == value


def _as_text(plain: Any) -> Any:
    return [str(item) for item in plain] if isinstance(plain, list) else str(plain)


AROUND = st.text(":/'\"@\\[] \n$", max_size=4)


@given(st.sampled_from(PRIVATE), st.builds("{}{}{}".format, AROUND, st.just("hunter2"), AROUND))
def test_what_may_be_secret_is_never_repeated(kind: Kind[Any], text: str) -> None:
    forms: list[Any] = [text, [text], {text: text}, ["json://localhost", text]]
    assert not [said for said in (_refusal(kind, form) for form in forms) if "hunter2" in said]


def _refusal(kind: Kind[Any], written: Any) -> str:
    try:
        kind.read(written)
    except ValueNotAllowedError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "text", ["https://hc.example.org/uuid", "http://u:p@127.0.0.1:8000/a?b=c#d", "https://[::1]/x"]
)
def test_a_web_address_is_kept_as_it_was_written(text: str) -> None:
    assert WebAddress().read(text) == text


@pytest.mark.parametrize(
    "text",
    ["hc.example.org", "ftp://a", "https://", "https://a:x/", "https://[::1", "https://a b", "mailto://a"],
)
def test_what_is_no_web_address_is_refused(text: str) -> None:
    with pytest.raises(ValueNotAllowedError, match="http or https URL"):
        WebAddress().read(text)


def test_messages_go_to_one_or_several_urls_which_may_hold_commas() -> None:
    kind = MessageAddresses()
    one = "mailto://u:p@host?to=a@x,b@y"
    assert kind.take(one) == (one,)
    assert kind.take(f"{one} slack://T/B/C") == (one, "slack://T/B/C")
    assert kind.take([one, "json://localhost", one]) == (one, "json://localhost")
    assert kind.take(None) == ()


@pytest.mark.parametrize(
    ("written", "which"),
    [
        ("team@example.org", "it"),
        (["json://a", "nobody"], "number 2"),
        ([None], "it"),
        (["a://b", {}], "number 2"),
    ],
)
def test_the_message_address_that_is_wrong_is_told_by_its_number(written: Any, which: str) -> None:
    with pytest.raises(ValueNotAllowedError, match=f"^{which} is not an apprise URL"):
        MessageAddresses().read(written)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9177", ("127.0.0.1", 9177)),
        ("127.0.0.1:9177", ("127.0.0.1", 9177)),
        ("127.1.2.3:1", ("127.1.2.3", 1)),
        ("localhost:65535", ("127.0.0.1", 65535)),
        ("[::1]:9177", ("::1", 9177)),
        ("[0:0:0:0:0:0:0:1]:9177", ("::1", 9177)),
    ],
)
def test_a_loopback_address_has_a_port(text: str, address: tuple[str, int]) -> None:
    assert LoopbackAddress().read(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0:9177",
        "[::]:9177",
        "192.168.1.2:80",
        "example.org:80",
        "[::ffff:127.0.0.1]:80",
        "localhost.:80",
    ],
)
def test_an_address_that_others_reach_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(ValueNotAllowedError, match="from other machines: only a loopback address"):
        LoopbackAddress().read(text)


@pytest.mark.parametrize(
    "text", ["0", "65536", ":9177", "::1", "::1:80", "127.0.0.1", "localhost:http", "1:2:3"]
)
def test_what_is_no_address_with_a_port_is_refused(text: str) -> None:
    with pytest.raises(ValueNotAllowedError, match="HOST:PORT or a port"):
        LoopbackAddress().read(text)


@given(st.ip_addresses(), st.integers(1, 65535))
def test_of_all_addresses_only_those_of_this_machine_are_taken(
    host: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int
) -> None:
    shown = f"[{host}]" if host.version == 6 else str(host)
    ours = host in ipaddress.ip_network("127.0.0.0/8") or host == ipaddress.ip_address("::1")
    try:
        assert LoopbackAddress().read(f"{shown}:{port}") == (str(host), port)
    except ValueNotAllowedError:
        assert not ours
    else:
        assert ours


@pytest.mark.parametrize(
    ("text", "minute"), [("08:00", 480), ("8:00", 480), ("18:30", 1110), ("23:59", 1439)]
)
def test_a_time_of_day_is_its_minute(text: str, minute: int) -> None:
    assert MinuteOfDay().read(text) == minute


@pytest.mark.parametrize("text", ["24:00", "8", "480", "8:0", "08:60", "8 am", "08:00:00", "-1:00", "٠٨:٠٠"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(ValueNotAllowedError, match="from 00:00 to 23:59"):
        MinuteOfDay().read(text)


@given(st.integers(0, 1439))
def test_every_minute_of_the_day_survives_being_written(minute: int) -> None:
    assert MinuteOfDay().read(str(MinuteOfDay().write(minute))) == minute


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("500 GB", 500 * 10**9),
        ("1.5TB", 1_500 * 10**9),
        ("200 MiB", 200 * 2**20),
        ("1 B", 1),
        ("1 PB", 10**15),
    ],
)
def test_sizes_carry_their_unit(text: str, size: int) -> None:
    assert Size().read(text) == size


@pytest.mark.parametrize("text", ["500", "0 GB", "500 gb", "500 Gbit", "1 MB/s", "many", "-1 GB", "9999 PB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueNotAllowedError, match="GB"):
        Size().read(text)


@pytest.mark.parametrize("text", ["RATE", "_rate.fits", "level1", "level4", "others", "txt"])
def test_a_priority_is_made_of_file_types_levels_and_the_rest(text: str) -> None:
    assert PriorityWord().read(text) == text.lower()


@pytest.mark.parametrize("text", ["level", "level5", "level-1", "rate/cal", "*", "ü"])
def test_what_means_no_files_is_refused_as_a_priority(text: str) -> None:
    with pytest.raises(ValueNotAllowedError, match="level3"):
        PriorityWord().read(text)


@given(st.integers(1, 10**18))
def test_every_size_survives_being_written(size: int) -> None:
    assert Size().read(str(Size().write(size))) == size


@pytest.mark.parametrize("text", ["0", "0 GB", "0.0 kB"])
def test_nothing_is_a_size_where_that_makes_sense(text: object) -> None:
    kind = Size(least=0)
    assert kind.read(text) == 0
    assert kind.read(kind.write(0)) == 0
    with pytest.raises(ValueNotAllowedError, match="a size such as"):
        Size().read(text)


@pytest.mark.parametrize(
    ("text", "microseconds"), [("0.000001s", 1), ("1.000000001 d", 86_400_000_086), ("0.1s", 100_000)]
)
def test_fractions_of_a_unit_are_exact(text: str, microseconds: int) -> None:
    duration = read_duration(text)
    assert duration is not None
    assert round(duration.total_seconds() * 10**6) == microseconds


def test_a_command_line_is_kept_as_written_and_can_be_split() -> None:
    text = "sh -c 'echo \"$JWSTWATCH_NAME\" >> log'"
    assert CommandLine().read(f"  {text} ") == text
    assert shlex.split(text)[:2] == ["sh", "-c"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("echo 'open", "no closing quotation"),
        ("''", "names no program"),
        ("  ", "names no program"),
        ("$HOME/bin/hook", "no shell replaces"),
        ("~/bin/hook", "no shell replaces"),
        ("echo \x07", "on one line"),
        ("a\nb", "on one line"),
    ],
)
def test_what_cannot_be_run_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueNotAllowedError, match=f"a command line such as .*{reason}"):
        CommandLine().read(text)


def test_a_token_in_place_of_its_files_path_is_recognised() -> None:
    assert TokenFile().read("keys/mast") == Path("keys/mast")
    with pytest.raises(ValueNotAllowedError, match="looks like a token itself"):
        TokenFile().read("0123456789abcdef0123456789abcdef")


@pytest.mark.parametrize("text", ["/", "a/", ".", "a/..", "~", "a\x00b"])
def test_what_is_no_path_of_a_file_is_refused(text: str) -> None:
    for kind in (File(), TokenFile()):
        with pytest.raises(ValueNotAllowedError, match="the path of a file"):
            kind.read(text)


def test_a_choice_is_one_of_its_words_in_any_case() -> None:
    kind = Choice(("text", "json"))
    assert kind.read("JSON") == "json"
    with pytest.raises(ValueNotAllowedError, match="one of text and json"):
        kind.read("xml")


@pytest.mark.parametrize("text", ["0 0 30 2 *", "0 0 31 4,6,sep,11 *", "0 0 31 feb-feb *", "0 0 30-31 2 *"])
def test_a_cron_that_never_comes_is_refused(text: str) -> None:
    with pytest.raises(ValueNotAllowedError, match="no month that it names has such a day"):
        Cron().read_text(text)


@pytest.mark.parametrize(
    "text", ["0 0 29 2 *", "0 0 30 2 mon", "0 0 31 4,5 *", "0 0 31 */2 *", "0 0 * 2 *", "0 0 1,31 2 *"]
)
def test_a_cron_that_comes_seldom_is_taken(text: str) -> None:
    assert Cron().read_text(text) == text
