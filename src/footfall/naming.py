"""Counters' names made from what a request says: its host, its path, a field. Pure; knows no requests and no logs.

What comes from a request may be anything. So a name is made of it, whatever it is; what does not fit into one counts in
the counter above; and no more counters are made than was said.
"""

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from footfall.core.names import NAME_LENGTH_MAX, PARTS_MAX, check_name

NAMES_MAX = 10_000  # counters made from what requests say, below one prefix: a scanner asks for any number of paths

_ODD = re.compile(rb"[^A-Za-z0-9_-]")
_PORT = re.compile(r":\d*$")
_ORIGIN = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


def text_parts(text: str) -> tuple[str, ...]:
    """The part of a name that stands for a text; none for an empty one, and for the ``-`` of logs.

    Letters, digits, ``_`` and ``-`` stay; other characters of ASCII become ``_``; others are told apart by their bytes
    in UTF-8, as in ``caf_C3_A9``. What is percent-encoded is decoded first.
    """
    if text in ("", "-"):
        return ()
    return (_ODD.sub(_replaced, unquote_to_bytes(text.encode(errors="replace"))).decode(),)


def host_parts(host: str) -> tuple[str, ...]:
    """The part of a name that stands for a host, as in ``www_example_com``: one part, in lower case, without the port.

    It is one part because a name's dots lead from the whole to its parts, and a host's the other way.
    """
    name = host if host.endswith("]") else _PORT.sub("", host)
    return text_parts(name.strip("[]").removesuffix(".").lower())


def path_parts(path: str, depth: int = PARTS_MAX) -> tuple[str, ...]:
    """The parts of a name that stand for a path, as in ``blog.2026.hello_html``; none for ``/``.

    Args:
        path: As in the request, with or without a query, which is left out; also a whole URL.
        depth: Take no more parts than so many.
    """
    if not path.startswith("/"):
        origin = _ORIGIN.match(path)
        if origin is None:  # OPTIONS *, CONNECT host:443, or what is no request at all
            return ()
        path = path[origin.end() :]
    path = path.partition("?")[0].partition("#")[0]
    segments = [segment for segment in path.split("/", 4 * PARTS_MAX)[: 4 * PARTS_MAX] if segment]
    return tuple(part for segment in segments[:depth] for part in text_parts(segment) or ("-",))


def below(prefix: str, parts: Iterable[str]) -> str:
    """The name of a counter below ``prefix``: with as many of the parts as a name can have."""
    name = prefix
    room = PARTS_MAX - 1 - prefix.count(".")
    for _, part in zip(range(room), parts, strict=False):
        if len(name) + 1 + len(part) > NAME_LENGTH_MAX:
            break
        name = f"{name}.{part}"
    return name


class Names:
    """The counters below a prefix, of which no more are made than was said."""

    def __init__(self, prefix: str, names_max: int = NAMES_MAX, known: Iterable[str] = ()) -> None:
        """
        Args:
            prefix: The counter that all are below.
            names_max: Make no further counter when there are so many.
            known: Counters that are there already; they count.

        Raises:
            InvalidNameError: If the prefix is no name.
        """
        self._prefix = check_name(prefix)
        self._names_max = names_max
        self._known = {name for name in known if name.startswith(f"{prefix}.")}

    def __len__(self) -> int:
        return len(self._known)

    @property
    def full(self) -> bool:
        """Whether no further counter is made."""
        return len(self._known) >= self._names_max

    def name(self, parts: Iterable[str]) -> str:
        """The counter that a visit counts in: ``below`` the prefix, or the nearest one above if none may be made."""
        wanted = below(self._prefix, parts)
        if wanted in self._known:
            return wanted
        name = self._prefix
        for part in wanted[len(name) + 1 :].split(".") if wanted != name else ():
            deeper = f"{name}.{part}"
            if deeper not in self._known:
                if self.full:
                    return name
                self._known.add(deeper)
            name = deeper
        return name


def _replaced(found: re.Match[bytes]) -> bytes:
    byte = found[0][0]
    return b"_" if byte < 128 else b"_%02X" % byte
