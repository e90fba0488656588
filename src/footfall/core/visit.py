"""A visit as a client sends it, and what a client may send."""

import msgspec

from footfall.core.names import check_name
from footfall.errors import InvalidVisitError

COUNT_MAX = 1_000_000_000  # of one visit's count: more than that at once is an import, not visits
VISITOR_BYTES_MAX = 256  # an IPv6 address has 45, a UUID 36
KEY_BYTES_MAX = 256
BATCH_VISITS_MAX = 10_000
BATCH_BYTES_MAX = 1_000_000


class Visit(msgspec.Struct, frozen=True):
    """One visit, or ``count`` of them by the same visitor under the same key.

    Attributes:
        counter: Name of the counter; the visit adds to its ancestors too.
        visitor: Who came, in 1 to 256 bytes of UTF-8; None if nobody asked.
        key: Idempotency key, unique within its counter, in 1 to 256 bytes of UTF-8.
        count: From 1 to 10**9.
    """

    counter: str
    visitor: str | None = None
    key: str | None = None
    count: int = 1


def check_text(what: str, text: str, bytes_max: int, index: int | None = None) -> None:
    """Raises InvalidVisitError unless ``text`` is 1 to ``bytes_max`` bytes of UTF-8 without control characters."""
    if 0 < len(text) <= bytes_max // 4 and text.isprintable():  # a character has at most 4 bytes of UTF-8
        return
    if not text:
        raise InvalidVisitError(f"the {what} is empty; leave it out, or send 1 to {bytes_max} bytes", index)
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        raise InvalidVisitError(f"the {what} is not valid Unicode: {text[:40]!r}", index) from None
    if size > bytes_max:
        raise InvalidVisitError(f"the {what} has {size} bytes; at most {bytes_max} are allowed", index)
    if not text.isprintable():
        raise InvalidVisitError(f"the {what} has characters that cannot be shown: {text[:40]!r}", index)


def check_visit(visit: Visit, index: int | None = None) -> None:
    """Refuse a visit that is not one.

    Raises:
        InvalidNameError: For the counter's name.
        InvalidVisitError: For the count, the visitor or the key; with ``index`` in its message.
    """
    check_name(visit.counter)
    check_entry(visit, index)


def check_entry(visit: Visit, index: int | None = None) -> None:
    """``check_visit`` of all but the counter's name. Raises InvalidVisitError."""
    if not 1 <= visit.count <= COUNT_MAX:
        raise InvalidVisitError(f"the count is {visit.count}; it must be a whole number from 1 to {COUNT_MAX}", index)
    if visit.visitor is not None:
        check_text("visitor", visit.visitor, VISITOR_BYTES_MAX, index)
    if visit.key is not None:
        check_text("key", visit.key, KEY_BYTES_MAX, index)
