"""What one line of a log says: bytes to a visit, or the reason why it is none. Pure: no files, no HTTP."""

import enum
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from footfall.cli.logs import aws, clf, objects, templates
from footfall.cli.logs.envelopes import CUT, Envelope
from footfall.cli.logs.hit import Dialect, Hit, Skip
from footfall.cli.logs.usual import usual
from footfall.cli.selecting import Line, Selection, select
from footfall.core.visit import VISITOR_BYTES_MAX, check_text, check_visit
from footfall.errors import CallerError, ConfigError, InvalidVisitError
from footfall.naming import Names, text_parts
from footfall.web.bodies import find_repeat

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Format(enum.StrEnum):
    """How a line tells of its request, or names its visit."""

    COMBINED = "combined"
    COMMON = "common"
    VHOST_COMBINED = "vhost_combined"
    NGINX = "nginx"
    APACHE = "apache"
    CADDY = "caddy"
    TRAEFIK = "traefik"
    HAPROXY = "haproxy"
    ALB = "alb"
    CLOUDFRONT = "cloudfront"
    JSON = "json"
    JSONL = "jsonl"
    LINES = "lines"


HEADED = (Format.CLOUDFRONT, Format.JSON)  # how they are read is told by the log's first lines

Given = TypeVar("Given")
Parse = Callable[[bytes], Line | Skip | str]


class Reading(NamedTuple):
    """How a log is read.

    Attributes:
        form: The format of its lines.
        template: The format as the server has it; empty for its own.
        head: The log's first lines: those of CloudFront and of JSON tell what there is in the others.
        envelope: What is around each line, which ``head`` is without; None for nothing.
    """

    form: Format
    template: str = ""
    head: Sequence[bytes] = ()
    envelope: Envelope | None = None


class _Object(msgspec.Struct, forbid_unknown_fields=True):
    counter: str | None = None
    visitor: str | None = None
    key: str | None = None
    count: int = 1


class _OpenObject(msgspec.Struct):
    visitor: str | None = None
    key: str | None = None
    count: int = 1


_decode_object = msgspec.json.Decoder(_Object).decode
_decode_open_object = msgspec.json.Decoder(_OpenObject).decode


def parser(reading: Reading, selection: Selection, names: Names | None = None) -> Parse:
    """A function from one line, without its end, to its visit or to the reason why it is none. It never raises.

    Args:
        reading: How the log is read.
        selection: What of it counts. It has a counter; only lines of ``jsonl`` name their own.
        names: The counters below the selection's, if it asks for these.

    Raises:
        ConfigError: The log does not tell what was asked for.
        InputError: It is not in the format.
    """
    if reading.envelope is not None:
        return _opened(reading.envelope, parser(reading._replace(envelope=None), selection, names))
    if reading.form is Format.JSONL:
        return jsonl(selection, names)
    if selection.counter is None:
        raise ConfigError(f"lines of format {reading.form} name no counter: say --counter NAME")
    if reading.form is Format.LINES:
        return _lines(selection)
    dialect = dialect_of(reading, selection.fields, closely=bool(selection.needs))
    read, decide = dialect.read, select(selection, dialect, names)

    def parse(line: bytes) -> Line | Skip | str:
        hit = read(line)
        return decide(hit) if type(hit) is Hit else hit  # type: ignore[return-value]

    return parse


def _opened(envelope: Envelope, parse: Parse) -> Parse:
    """Reads what is in envelopes. What a server says aside is another message, unless it can be read."""

    def parse_content(line: bytes) -> Line | Skip | str:
        content = envelope.open(line)
        if content is None:
            return f"is not {envelope.told}"
        if not content.whole:
            return CUT
        if not content.line.strip():
            return Skip.NOTHING
        visit = parse(content.line)
        return Skip.NOTHING if content.aside and isinstance(visit, str) else visit

    return parse_content


def dialect_of(reading: Reading, fields: Sequence[str] = (), closely: bool = True) -> Dialect:
    """How lines of a log with requests are read; ``closely`` for more than the address.

    Raises ConfigError or InputError, as ``parser`` does.
    """
    match reading.form:
        case Format.NGINX if reading.template:
            return templates.nginx(reading.template, fields)
        case Format.APACHE if reading.template:
            return templates.apache(reading.template, fields)
        case Format.COMMON:
            return clf.common(closely)
        case Format.VHOST_COMBINED:
            return clf.vhost_combined()
        case Format.CADDY:
            return objects.caddy(fields)
        case Format.TRAEFIK:
            return objects.traefik(fields)
        case Format.HAPROXY:
            return clf.haproxy()
        case Format.ALB:
            return aws.alb(fields)
        case Format.CLOUDFRONT:
            return aws.cloudfront(reading.head, fields)
        case Format.JSON:
            return usual(reading.head, fields)
        case _:  # what nginx and Apache write where nobody said otherwise
            return clf.combined(closely)


def _refuse_wishes(selection: Selection, form: Format) -> None:
    if selection.needs:
        flag = next(iter(selection.needs.values()))
        raise ConfigError(f"{flag} asks for what lines of format {form} do not tell: they are visits, not requests")


def _lines(selection: Selection) -> Parse:
    _refuse_wishes(selection, Format.LINES)
    if selection.fields:
        raise ConfigError(f"field:{selection.fields[0]} is asked for, and lines of format lines have no fields")
    counter, anonymous = selection.counter, selection.visitor_from == "none"
    assert counter is not None

    def parse(line: bytes) -> Line | Skip | str:
        try:
            visitor = line.decode().strip()
        except UnicodeDecodeError:
            return "is not valid UTF-8"
        if not (visitor and visitor.isprintable() and len(line) <= VISITOR_BYTES_MAX):
            try:
                check_text("visitor", visitor, VISITOR_BYTES_MAX)
            except InvalidVisitError as error:
                return str(error)
        return Line(counter, None if anonymous else visitor)

    return parse


def jsonl(selection: Selection, names: Names | None) -> Parse:
    _refuse_wishes(selection, Format.JSONL)
    if selection.fields:
        return _jsonl_fields(selection, names)
    counter, anonymous = selection.counter, selection.visitor_from == "none"

    def parse(line: bytes) -> Line | Skip | str:
        given = _decoded(_decode_object, line)
        if isinstance(given, str):
            return given
        fields = (
            (given.counter is not None) + (given.visitor is not None) + (given.key is not None) + (given.count != 1)
        )
        if repeat := find_repeat(line, fields, (given.visitor, given.key)):
            return f"the field {repeat.field!r} is given twice"
        name = given.counter if given.counter is not None else counter
        if name is None:
            return "names no counter, and there is no --counter"
        return _checked(Line(name, None if anonymous else given.visitor, given.key, given.count))

    return parse


def _jsonl_fields(selection: Selection, names: Names | None) -> Parse:
    """Objects with any fields, of which some name the counter or the visitor."""
    counter, fields = selection.counter, selection.fields
    by_counter = (selection.counter_from or "").removeprefix("field:")
    by_visitor = selection.visitor_from.removeprefix("field:")
    if counter is None:
        raise ConfigError("lines with fields of their own name no counter: say --counter NAME")

    def parse(line: bytes) -> Line | Skip | str:
        given = _decoded(_decode_open_object, line)
        if isinstance(given, str):
            return given
        values = dict(zip(fields, objects.values(line, fields), strict=True))
        name = names.name(text_parts(values[by_counter])) if names is not None else counter
        visitor = given.visitor
        if selection.visitor_from != "address":
            visitor = values.get(by_visitor) or None
        return _checked(Line(name, visitor, given.key, given.count))

    return parse


def _decoded(decode: Callable[[bytes], Given], line: bytes) -> Given | str:
    try:
        return decode(line)
    except msgspec.ValidationError as error:
        return str(error)[:1].lower() + str(error)[1:]
    except UnicodeDecodeError:
        return "is not valid UTF-8"
    except (msgspec.DecodeError, RecursionError):
        return "is not JSON"


def _checked(visit: Line) -> Line | str:
    try:
        check_visit(visit)
    except CallerError as error:
        return str(error)
    return visit
