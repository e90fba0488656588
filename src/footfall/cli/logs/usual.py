"""JSON logs whose names an administrator chose: those that most choose, for nginx, Apache, HAProxy and Envoy.

A log's first lines tell which of the names it has. What cannot be known for sure is not guessed: of two that may each
be the client's address, nobody can say which is, so the log's reader has to.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from footfall.cli.logs.hit import Dialect, Hit, Skip
from footfall.cli.logs.objects import values
from footfall.errors import InputError

NAMES_SHOWN = 20  # of the fields that a log has

# In small letters, and letters and digits alone: so remoteAddr is remote_addr. Of several in one log, the first here.
_NAMES = {
    "address": (
        "remoteaddr", "remoteaddress", "remoteip", "remotehost", "clientip", "clientaddr", "clientaddress", "client",
        "ip", "realip", "sourceip", "srcip", "downstreamremoteaddress", "downstreamremoteaddresswithoutport",
    ),
    "time": (
        "timeiso8601", "timelocal", "msec", "starttime", "timestamp", "datetime", "ts", "time",
    ),
    "request": ("request", "requestline", "httprequest"),
    "method": ("requestmethod", "httpmethod", "method", "verb"),
    "target": (
        "requesturi", "uri", "requesturl", "url", "httpurl", "requestpath", "urlpath", "path", "documenturi",
    ),
    "host": (
        "httphost", "vhost", "virtualhost", "authority", "requesthost", "host", "servername", "domain",
    ),
    "status": (
        "status", "statuscode", "responsecode", "responsestatus", "httpstatus", "httpstatuscode", "httpcode",
    ),
    "agent": ("httpuseragent", "useragent", "agent", "requestuseragent", "ua"),
}  # fmt: skip
Entry = TypeVar("Entry")
_Scalar = str | int | float | None
_DECODABLE = re.compile(r'[^"\\\x00-\x1f]+')  # what msgspec takes for a field's name
_decode_any = msgspec.json.Decoder(dict[str, Any]).decode
_HEX = re.compile(rb"(?<!\\)\\x([0-9A-Fa-f]{2})")
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_WITH_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:]+):\d{1,5}", re.ASCII)


class Named:
    """Which fields of a log tell of a request.

    Attributes:
        fields: All that its first lines have, in their order.
        chosen: Of an attribute of ``Hit``, the field that tells it.
        addresses: All fields that may be the client's address.
        of_requests: Whether it is the log of a server: a line tells both what was asked for and what was answered.
    """

    def __init__(self, head: Iterable[bytes]) -> None:
        """
        Args:
            head: The log's first lines; those that are no objects tell nothing.
        """
        plain: dict[str, str] = {}
        every: dict[str, None] = {}
        lines: set[frozenset[str]] = set()
        for line in head:
            entry = _object(line)
            lines.add(frozenset(name for name, value in entry.items() if value is not None))
            for name, value in entry.items():
                every[name] = None
                usual = re.sub(r"[^a-z0-9]", "", name.lower())
                if usual == "client" and not _is_address(value):  # it may be the name of a program
                    continue
                if isinstance(value, _Scalar) and _DECODABLE.fullmatch(name):
                    plain.setdefault(usual, name)
        self.fields = list(every)
        found = {attribute: [plain[name] for name in names if name in plain] for attribute, names in _NAMES.items()}
        self.addresses = found["address"]
        if len(self.addresses) > 1:
            del found["address"]
        self.chosen = {attribute: names[0] for attribute, names in found.items() if names}
        asked = {self.chosen[attribute] for attribute in ("request", "target") if attribute in self.chosen}
        self.of_requests = any(self.chosen.get("status") in line and asked & line for line in lines)

    @property
    def doubt(self) -> str:
        """Why it cannot be known who came; empty if it can."""
        if len(self.addresses) == 1:
            return ""
        do = "say which with --visitor-from field:NAME, or --visitor-from none"
        if self.addresses:
            return f"{' and '.join(self.addresses)} may each be the client's address: {do}"
        shown = ", ".join(self.fields[:NAMES_SHOWN]) + (", …" if len(self.fields) > NAMES_SHOWN else "")
        return f"no field of its JSON has a usual name for the client's address: {do}; it has {shown}"


def usual(head: Iterable[bytes], fields: Sequence[str]) -> Dialect:
    """A log with a request in each object, under the usual names.

    Args:
        head: The log's first lines.
        fields: Fields that are asked for by name.

    Raises:
        InputError: None of the first lines is an answered request.
    """
    named = Named(head)
    if not named.of_requests:
        raise InputError(
            "none of its first lines is a JSON object with usual names for what was asked for and what was answered; "
            "other objects are read by --format jsonl --visitor-from field:NAME"
        )
    entry = msgspec.defstruct(
        "Entry",
        [
            (attribute, _Scalar, msgspec.field(name=named.chosen.get(attribute, f"no {attribute}"), default=None))
            for attribute in _NAMES
        ],
        gc=False,
    )
    decode = msgspec.json.Decoder(entry).decode

    def read(line: bytes) -> Hit | Skip | str:
        try:
            found: Any = _decoded(decode, line)
        except msgspec.ValidationError as error:
            return f"is no such object as the log's first lines are: {error}"
        except _UNREADABLE:
            return "is not JSON"
        request, target, status = found.request, found.target, found.status
        if status is None:  # it may tell of a request of which another line tells, too
            return Skip.NOTHING
        if isinstance(request, str) and request.startswith("/"):  # many name the path so in Apache's
            request, target = None, request
        return Hit(
            _without_port(_text(found.address)),
            _text(found.time),
            _text(request),
            _text(found.method),
            _text(target),
            _text(found.host),
            _text(status),
            _text(found.agent),
            values(_in_json(line), fields) if fields else (),
        )

    tells = {*named.chosen, "fields"}
    if "request" in tells:
        tells |= {"method", "target"}
    return Dialect(read, frozenset(tells - {"request"}), named.doubt)


def _object(line: bytes) -> dict[str, Any]:
    try:
        return _decoded(_decode_any, line)
    except _UNREADABLE:
        return {}


def _decoded(decode: Callable[[bytes], Entry], line: bytes) -> Entry:
    try:
        return decode(line)
    except msgspec.ValidationError:
        raise
    except _UNREADABLE:
        return decode(_in_json(line))


def _in_json(line: bytes) -> bytes:
    r"""JSON as it should be, where a client's bytes stand in it as they are, or as ``\x22``.

    nginx writes that with ``escape=json``, and this without it; so does Apache, which has no other way.
    """
    return _HEX.sub(rb"\\u00\1", line.decode(errors="replace").encode())


def _text(value: _Scalar) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def _is_address(value: object) -> bool:
    try:
        ipaddress.ip_address((_without_port(value) if isinstance(value, str) else None) or "")
    except ValueError:
        return False
    return True


def _without_port(address: str | None) -> str | None:
    """Envoy writes 192.0.2.7:41342 and [2001:db8::7]:41342."""
    found = _WITH_PORT.fullmatch(address) if address is not None and ":" in address else None
    return found[1].strip("[]") if found else address
