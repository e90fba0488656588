"""A request as a line of a log tells of it, whatever the format. Pure; knows no format."""

import enum
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

import msgspec

TIMES_MAX = 1_024  # texts of times remembered: a log's lines come in order, many in the same second
SECONDS_MIN = 1e8  # in 1973: what is below is how long something took, and decides nothing

_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_COMMON = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d{4})", re.ASCII)
_MONTHS = dict(Jan=1, Feb=2, Mar=3, Apr=4, May=5, Jun=6, Jul=7, Aug=8, Sep=9, Oct=10, Nov=11, Dec=12)  # noqa: C408
_CONTROLS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


class Skip(enum.Enum):
    """Why a line is no visit, where nothing is wrong with it."""

    NOTHING = "it tells of no request: it is blank, a comment, or another message"
    FILTERED = "it tells of a request that was not asked for"


class Hit(msgspec.Struct, frozen=True, gc=False):
    """A request, as the log wrote it: escaped, with ``-`` for what there was not. None: the log does not tell.

    Attributes:
        address: Who came.
        time: When, in any form that ``parse_time`` reads.
        request: The first line of the request, where the log has it in one piece.
        method: Its method, where the log has it apart.
        target: What was asked for, where the log has it apart: a path, with or without a query, or a whole URL.
        host: The site.
        status: The answer's status.
        agent: The user agent.
        fields: The values of the fields that were asked for by name; empty where the line lacks one.
    """

    address: str | None = None
    time: str | float | None = None
    request: str | None = None
    method: str | None = None
    target: str | None = None
    host: str | None = None
    status: str | None = None
    agent: str | None = None
    fields: tuple[str, ...] = ()


Read = Callable[[bytes], Hit | Skip | str]


class Dialect(NamedTuple):
    """How lines of one format are read.

    Attributes:
        read: From one line, without its end, to its request, or why there is none. It never raises.
        tells: What it may tell of a request: attributes of ``Hit``, ``method`` and ``target`` also by its ``request``.
        doubt: Why it does not tell the address, if there is more to say.
    """

    read: Read
    tells: frozenset[str]
    doubt: str = ""


def to_text(line: bytes) -> str:
    """The line as text; bytes that are not UTF-8 become what no visitor or name can hold."""
    return line.decode(errors="surrogateescape")


def unescape(text: str) -> str:
    r"""What was logged, where a server wrote it as ``\x22``, ``\"``, ``\t`` or ``\u00e9``."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(_unescaped, text.encode(errors="surrogateescape")).decode(errors="surrogateescape")


def percent_decoded(text: str) -> str:
    """What CloudFront wrote percent-encoded, in older logs twice."""
    return unquote(unquote(text)) if "%" in text else text


@lru_cache(1)  # filters and the counter's name ask for the same line's, one after the other
def split_request(request: str) -> tuple[str, str]:
    """Method and target of a request's first line; empty where there are none."""
    method, _, rest = request.partition(" ")
    target, _, protocol = rest.rpartition(" ")
    return method, target if protocol.startswith("HTTP/") else rest


@lru_cache(TIMES_MAX)
def parse_time(text: str | float) -> float | None:
    """Seconds since 1970 of a time as logs have it; None if it is none.

    ``17/May/2015:10:05:03 +0000``, ISO 8601 (in UTC where it names no zone), also with Caddy's slashes in the date, or
    seconds, milliseconds, microseconds or nanoseconds since 1970.
    """
    try:
        seconds = float(text)
    except ValueError:
        return _parse_date(str(text).strip("[]"))
    if not SECONDS_MIN <= seconds < 1e20:
        return None
    while seconds >= 1e11:  # the year 5138, if these were seconds
        seconds /= 1_000
    return seconds


def _parse_date(text: str) -> float | None:
    if common := _COMMON.fullmatch(text):  # strptime takes ten times as long
        day, month, year, time, zone = common.groups()
        text = f"{year}-{_MONTHS.get(month, 0):02}-{day}T{time}{zone}"
    elif text[4:5] == "/":
        text = text.replace("/", "-", 2)
    try:
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _unescaped(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return bytes((int(found[1], 16),))
    if found[2]:
        return chr(int(found[2], 16)).encode(errors="replace")
    return _CONTROLS.get(found[3], found[3])
