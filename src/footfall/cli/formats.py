"""What one line of a log says: bytes to a visit, or the reason why it is none. Pure: no files, no HTTP."""

import enum
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from footfall.cli.logs import aws, clf, objects, templates
from footfall.cli.logs.hit import Dialect, Hit, Skip
from footfall.cli.selecting import Line, Selection, select
from footfall.core.visit import VISITOR_BYTES_MAX, check_text, check_visit
from footfall.errors import CallerError, ConfigError, InputError, InvalidVisitError
from footfall.naming import Names, text_parts
from footfall.web.bodies import find_repeat

SNIFFED_LINES_MAX = 100  # enough to outvote a few damaged lines at the start
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
    ALB = "alb"
    CLOUDFRONT = "cloudfront"
    JSONL = "jsonl"
    LINES = "lines"


Given = TypeVar("Given")
Parse = Callable[[bytes], Line | Skip | str]

# The first of equals is taken: what Traefik writes are combined lines too, and combined lines are common ones.
# ``lines`` is not here: it reads everything, so it has to be asked for.
_RECOGNISED = (
    Format.TRAEFIK,
    Format.VHOST_COMBINED,
    Format.COMBINED,
    Format.COMMON,
    Format.CADDY,
    Format.ALB,
    Format.CLOUDFRONT,
    Format.JSONL,
)


class Reading(NamedTuple):
    """How a log is read.

    Attributes:
        form: The format of its lines.
        template: The format as the server has it; empty for its own.
        head: The log's first lines: CloudFront's name the columns.
    """

    form: Format
    template: str = ""
    head: Sequence[bytes] = ()


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
    if reading.form is Format.JSONL:
        return _jsonl(selection, names)
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
        case Format.ALB:
            return aws.alb(fields)
        case Format.CLOUDFRONT:
            return aws.cloudfront(reading.head, fields)
        case _:  # what nginx and Apache write where nobody said otherwise
            return clf.combined(closely)


def recognise(lines: Sequence[bytes]) -> Format:
    """The format that finds a request in most of these lines, and makes sense of at least half of them.

    Args:
        lines: The log's first lines.

    Raises:
        InputError: They are of no format that can be recognised.
    """
    sample = [line for line in lines if line.strip()][:SNIFFED_LINES_MAX]
    counts = {form: _readable(form, sample) for form in _RECOGNISED}
    best = max(counts, key=lambda form: counts[form][0])
    requests, understood = counts[best]
    told = sum(not line.startswith(b"#") for line in sample)
    if requests and 2 * understood >= told:
        return best
    if not told:  # nothing but blank lines and comments
        return Format.CLOUDFRONT if aws.names_columns(sample) else Format.COMBINED
    first = next(line for line in sample if not line.startswith(b"#"))
    do = "say --format, or --log-format with the server's own"
    if first.startswith(b"{"):
        do += "; of other JSON, say --format jsonl --visitor-from field:NAME"
    raise InputError(
        f"its lines are of no format that is known, as the first: {first[:80].decode(errors='replace')!r}; {do}"
    )


def _readable(form: Format, sample: Sequence[bytes]) -> tuple[int, int]:
    """How many of the lines are requests, or visits, in a format; and how many these are with its other messages."""
    if form is Format.CLOUDFRONT and not aws.names_columns(sample):
        return 0, 0
    read: Callable[[bytes], object] = (
        _jsonl(Selection(counter="any"), None) if form is Format.JSONL else dialect_of(Reading(form, head=sample)).read
    )
    kinds = [type(read(line)) for line in sample]
    requests = kinds.count(Hit) + kinds.count(Line)
    return requests, requests + kinds.count(Skip)


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


def _jsonl(selection: Selection, names: Names | None) -> Parse:
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
