"""What is put around a server's lines on their way: by Docker, Kubernetes and syslog. Pure; knows nothing of the lines.

Each is told by what no server's own line begins with, so nobody has to say it.
"""

import re
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import msgspec

CUT = "is a part of a line, which the container's runtime cut"

_ISO = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
_BSD = rb"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,6})?"


class Content(NamedTuple):
    """What was in an envelope.

    Attributes:
        line: The server's own line, without its end.
        whole: Whether it is all of that line.
        aside: Whether it came from the error output, where servers tell of other things, too.
    """

    line: bytes
    whole: bool = True
    aside: bool = False


class Envelope(NamedTuple):
    """Something that is put around lines.

    Attributes:
        told: What a person is told of it.
        open: From a line to what is in it; None if it is in no such envelope.
    """

    told: str
    open: Callable[[bytes], Content | None]


class _Docker(msgspec.Struct, gc=False):
    log: str
    stream: Literal["stdout", "stderr"]
    time: str


_decode_docker = msgspec.json.Decoder(_Docker).decode
_CRI = re.compile(_ISO + rb" (?:stdout|(stderr)) (?:F|(P))(?::\w*)? ")


def _docker(line: bytes) -> Content | None:
    try:
        entry = _decode_docker(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    text = entry.log.encode()
    return Content(text.rstrip(b"\r\n"), text.endswith(b"\n"), entry.stream == "stderr")


def _cri(line: bytes) -> Content | None:
    found = _CRI.match(line)
    return Content(line[found.end() :], found[2] is None, found[1] is not None) if found else None


def _behind(pattern: bytes) -> Callable[[bytes], Content | None]:
    prefix = re.compile(pattern)

    def cut_off(line: bytes) -> Content | None:
        found = prefix.match(line)
        return Content(line[found.end() :]) if found else None

    return cut_off


ENVELOPES = (
    Envelope("as Docker keeps it", _docker),
    Envelope("as Kubernetes keeps it", _cri),
    Envelope(
        "as syslog keeps it",
        _behind(rb"(?:<\d{1,3}>)?(?:" + _BSD + rb"|" + _ISO + rb") (?:[^ ]{1,255} )?[\w./-]{1,64}(?:\[\d{1,10}\])?: "),
    ),
    Envelope("with a time before each line", _behind(_ISO + rb" ")),
    Envelope("with a container's name before each line", _behind(rb"[\w.@-]{1,255} {1,255}\| ")),
)


def envelope_of(lines: Sequence[bytes]) -> Envelope | None:
    """What is around at least half of these lines; None if nothing is."""
    told = [line for line in lines if line.strip()]
    found = [(sum(one.open(line) is not None for line in told), one) for one in ENVELOPES]
    count, best = max(found, key=lambda one: one[0])
    return best if count and 2 * count >= len(told) else None
