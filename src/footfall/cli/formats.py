"""What one line of a log says: bytes to a visit, or the reason why it is none. Pure: no files, no HTTP."""

import enum
import re
from collections.abc import Callable, Iterable

import msgspec

from footfall.core.visit import VISITOR_BYTES_MAX, Visit, check_text, check_visit
from footfall.errors import CallerError, InvalidVisitError
from footfall.web.bodies import find_repeat

SNIFFED_LINES_MAX = 100  # enough to outvote a few damaged lines at the start
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Format(enum.StrEnum):
    """How a line names its visit."""

    COMBINED = "combined"
    COMMON = "common"
    JSONL = "jsonl"
    LINES = "lines"


class Line(Visit, frozen=True, omit_defaults=True):
    """A visit that a line tells of; what it does not tell is left out of its JSON, which keeps bodies small."""


Parse = Callable[[bytes], Line | str]

# Only the host counts: the rest of the line is checked for its shape alone, so that bytes that are not UTF-8, escaped
# quotes and odd requests do no harm. Possessive quantifiers keep the time linear on lines that do not match.
_QUOTED = rb'"(?:[^"\\]++|\\.)*+"'
_UP_TO_REQUEST = rb"(\S++) \S++ [^\[]*+\[[^\]]*+\] "
_COMMON = re.compile(_UP_TO_REQUEST + _QUOTED + rb" (?:\d{3}|-) (?:\d++|-)(?=\s|$)", re.DOTALL)
# The last quote may be missing: servers and log shippers cut over-long user agents off.
_COMBINED = re.compile(
    _UP_TO_REQUEST + _QUOTED + rb" (?:\d{3}|-) (?:\d++|-) " + _QUOTED + rb' "(?:[^"\\]++|\\.)*+\\?(?:"|$)', re.DOTALL
)
_LOOSE_HOST = re.compile(rb"(\S++) \S++ ")
_LOOSE_STATUS = re.compile(rb'" (?:\d{3}|-) (?:\d++|-)(?=\s|$)')


class _Object(msgspec.Struct, forbid_unknown_fields=True):
    counter: str | None = None
    visitor: str | None = None
    key: str | None = None
    count: int = 1


_decode_object = msgspec.json.Decoder(_Object).decode


def parser(form: Format, counter: str | None) -> Parse:
    """A function from one line, without its end, to its visit or to the reason why it is none. It never raises.

    Args:
        form: The format of the lines.
        counter: Name of the counter; None only for ``jsonl``, where each line then names its own.
    """
    if form is Format.JSONL:
        return _jsonl(counter)
    if counter is None:
        raise ValueError(f"lines of format {form} name no counter")
    if form is Format.LINES:
        return _lines(counter)
    if form is Format.COMMON:
        return _access(counter, form, _COMMON)
    return _access(counter, form, _COMBINED)


def sniff(lines: Iterable[bytes]) -> Format:
    """The format that reads most of these lines; ``combined`` if none reads any.

    ``lines`` is never the answer: it reads everything, so it has to be asked for.
    """
    sample = [line for line in lines if line.strip()][:SNIFFED_LINES_MAX]
    candidates = (Format.COMBINED, Format.COMMON, Format.JSONL)

    def readable(form: Format) -> int:
        parse = parser(form, "any")
        return sum(type(parse(line)) is Line for line in sample)

    return max(candidates, key=readable)  # the first of equals: combined lines are common lines too


def _access(counter: str, form: Format, pattern: re.Pattern[bytes]) -> Parse:
    match_line = pattern.match

    def parse(line: bytes) -> Line | str:
        match = match_line(line) or _match_loosely(line, form)
        if match is None:
            return f"is not in the {form} log format"
        host = match[1]
        if host == b"-":
            return Line(counter)
        try:
            visitor = host.decode()
        except UnicodeDecodeError:
            return "the remote host is not valid UTF-8"
        if len(host) <= VISITOR_BYTES_MAX and visitor.isprintable():
            return Line(counter, visitor)
        return _fault("visitor", visitor, VISITOR_BYTES_MAX)

    return parse


def _match_loosely(line: bytes, form: Format) -> re.Match[bytes] | None:
    """The host of a line whose quotes nobody escaped, or with a bracket in the user's name, if its outline is right.

    Each step is a single search onwards, so that the time stays linear in hostile lines.
    """
    host = _LOOSE_HOST.match(line)
    request = line.find(b'] "')
    if host is None or request < host.end() or line.find(b"[", host.end(), request) < 0:
        return None
    status = _LOOSE_STATUS.search(line, request + 3)
    if status is None or (form is Format.COMBINED and not _has_two_quoted(line, status.end())):
        return None
    return host


def _has_two_quoted(line: bytes, start: int) -> bool:
    return line.startswith(b' "', start) and line.find(b'" "', start + 2) > 0


def _lines(counter: str) -> Parse:
    def parse(line: bytes) -> Line | str:
        try:
            visitor = line.decode().strip()
        except UnicodeDecodeError:
            return "is not valid UTF-8"
        if visitor and visitor.isprintable() and len(line) <= VISITOR_BYTES_MAX:
            return Line(counter, visitor)
        return _fault("visitor", visitor, VISITOR_BYTES_MAX) or Line(counter, visitor)

    return parse


def _jsonl(counter: str | None) -> Parse:
    def parse(line: bytes) -> Line | str:
        try:
            given = _decode_object(line)
        except msgspec.ValidationError as error:
            return str(error)[:1].lower() + str(error)[1:]
        except UnicodeDecodeError:
            return "is not valid UTF-8"
        except (msgspec.DecodeError, RecursionError):
            return "is not JSON"
        fields = (
            (given.counter is not None) + (given.visitor is not None) + (given.key is not None) + (given.count != 1)
        )
        if repeat := find_repeat(line, fields, (given.visitor, given.key)):
            return f"the field {repeat.field!r} is given twice"
        name = given.counter if given.counter is not None else counter
        if name is None:
            return "names no counter, and there is no --counter"
        visit = Line(name, given.visitor, given.key, given.count)
        try:
            check_visit(visit)
        except CallerError as error:
            return str(error)
        return visit

    return parse


def _fault(what: str, text: str, bytes_max: int) -> str:
    """Why a text cannot be a visitor or key; empty if it can."""
    try:
        check_text(what, text, bytes_max)
    except InvalidVisitError as error:
        return str(error)
    return ""
