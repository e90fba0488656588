"""What a log is, told from its first lines. Pure: no files, no HTTP."""

import ipaddress
import re
from collections.abc import Callable, Sequence

from footfall.cli.formats import Format, Reading, dialect_of, jsonl
from footfall.cli.logs import aws
from footfall.cli.logs.envelopes import envelope_of
from footfall.cli.logs.hit import Hit, Skip
from footfall.cli.logs.objects import values
from footfall.cli.logs.usual import Named
from footfall.cli.selecting import Line, Selection
from footfall.errors import InputError

SNIFFED_LINES_MAX = 100  # enough to outvote a few damaged lines at the start

# The first of equals is taken: what Traefik writes are combined lines too, and combined lines are common ones.
# ``lines`` is not here: it reads everything, so it has to be asked for.
_RECOGNISED = (
    Format.TRAEFIK,
    Format.VHOST_COMBINED,
    Format.COMBINED,
    Format.COMMON,
    Format.CADDY,
    Format.HAPROXY,
    Format.ALB,
    Format.CLOUDFRONT,
    Format.JSON,
    Format.JSONL,
)
_HOST = re.compile(r"[\w-]+(\.[\w-]+)+\.?", re.ASCII)  # a name without a dot may be anything
_SITE = re.compile(rf"[^ ]+:\d{{1,5}}|{_HOST.pattern}|localhost|_", re.ASCII)


def settle(lines: Sequence[bytes], asked: Reading | None) -> Reading:
    """How a log is read.

    Args:
        lines: Its first ones.
        asked: What was said of it; None to find it out.

    Raises:
        InputError: It is of no format that can be recognised.
    """
    sample = lines[:SNIFFED_LINES_MAX]
    if asked is not None and (asked.form is Format.LINES or (asked.template and _fits(asked, sample))):
        return asked._replace(head=lines, envelope=None)
    envelope = envelope_of(sample)
    if envelope is not None:
        contents = map(envelope.open, lines)
        lines = [content.line for content in contents if content is not None and content.whole]
    reading = asked or Reading(recognise(lines))
    if reading.form is Format.JSON:  # a log that is followed may go on with other messages, and has the same names
        lines = [*reading.head[:SNIFFED_LINES_MAX], *lines]
    return reading._replace(head=lines, envelope=envelope)


def never_told(reading: Reading, fields: Sequence[str]) -> list[str]:
    """Which of these fields none of the first lines has, where each line may have other ones."""
    objects = [line for line in reading.head[:SNIFFED_LINES_MAX] if line.startswith(b"{")]
    found = [values(line, fields) for line in objects]
    return [name for name, told in zip(fields, zip(*found, strict=True), strict=True) if not any(told)] if found else []


def _fits(reading: Reading, sample: Sequence[bytes]) -> bool:
    """Whether lines are requests in a format that was said, with a client where it has one."""
    found = map(dialect_of(reading).read, sample)
    return any(type(hit) is Hit and (hit.address is None or _is_client(hit.address)) for hit in found)


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
        do += "; of JSON that is no server's, say --format jsonl --visitor-from field:NAME"
    raise InputError(
        f"its lines are of no format that is known, as the first: {first[:80].decode(errors='replace')!r}; {do}"
    )


def _readable(form: Format, sample: Sequence[bytes]) -> tuple[int, int]:
    """How many of the lines are requests, or visits, in a format; and how many these are with its other messages."""
    if form is Format.CLOUDFRONT and not aws.names_columns(sample):
        return 0, 0
    if form is Format.JSON and not Named(sample).of_requests:
        return 0, 0
    read: Callable[[bytes], object] = (
        jsonl(Selection(counter="any"), None) if form is Format.JSONL else dialect_of(Reading(form, head=sample)).read
    )
    found = [read(line) for line in sample]
    requests = sum(
        type(one) is Line or (type(one) is Hit and _begins_right(form, line))
        for line, one in zip(sample, found, strict=True)
    )
    return requests, requests + sum(type(one) is Skip for one in found)


def _begins_right(form: Format, line: bytes) -> bool:
    """Whether there is a client where lines of text begin with one, and no client where they begin with a host.

    Anything may stand there: a time, the name of a machine, the client before a proxy.
    """
    first, _, rest = line.decode(errors="replace").partition(" ")
    if form is Format.VHOST_COMBINED:
        return not _is_address(first) and _SITE.fullmatch(first) is not None
    if form in (Format.COMBINED, Format.COMMON):
        second = rest.partition(" ")[0]
        two_names = bool(_HOST.fullmatch(first) and _HOST.fullmatch(second)) and not _is_address(first)
        return _is_client(first) and not _is_address(second) and not two_names  # of which the first may be the site
    return True


def _is_client(word: str | None) -> bool:
    """Whether it may be a client: an address, a name with a dot, or none."""
    if word in (None, "-", "localhost", "unix:"):
        return True
    return _is_address(word) or _HOST.fullmatch(word) is not None


def _is_address(word: str) -> bool:
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True
