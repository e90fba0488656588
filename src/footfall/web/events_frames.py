"""The bytes of server-sent events, and the ids by which a stream is resumed; knows nothing of who gets them.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import re

from footfall.errors import InvalidRequestError
from footfall.node.watching import Change

_ID = re.compile(r"([0-9]{1,19})-([0-9a-f]{8})\Z")

PREAMBLE = b"retry: %d\n\n"
HEARTBEAT = b":\n\n"


def event(name: bytes, position: int, log: str, data: bytes) -> bytes:
    """An event at a position of a log; its data is JSON, which holds no line break."""
    return b"event: %b\nid: %d-%b\ndata: %b\n\n" % (name, position, log.encode(), data)


def chunk(text: bytes) -> bytes:
    """A part of an answer whose length is not known, as HTTP/1.1 has it."""
    return b"%x\r\n%b\r\n" % (len(text), text)


def parse_last_id(values: list[str], log: str) -> Change | None:
    """Behind which change a stream is resumed; None if it is a new one. An id of another log is behind nothing.

    Args:
        values: Ids that were given; the first counts.
        log: Names this node's log.

    Raises:
        InvalidRequestError: It is no id.
    """
    if not values:
        return None
    found = _ID.match(values[0])
    if found is None:
        raise InvalidRequestError(
            f"{values[0][:60]!r} is not the id of an event: send what came as 'id', or leave Last-Event-ID out"
        )
    return Change(int(found[1]) if found[2] == log else 0)
