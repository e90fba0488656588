"""Logs with a JSON object on each line: Caddy's, Traefik's, CloudFront's, and values by name from any."""

from collections.abc import Sequence
from typing import Any

import msgspec

from footfall.cli.logs.clf import read_traefik
from footfall.cli.logs.hit import Dialect, Hit, Skip, percent_decoded

_TELLS = frozenset({"address", "time", "method", "target", "host", "status", "agent", "fields"})


class _CaddyRequest(msgspec.Struct, gc=False):
    method: str
    uri: str
    host: str = ""
    client_ip: str = ""  # of who came, where Caddy trusts a proxy before it
    remote_ip: str = ""
    remote_addr: str = ""  # with a port: before Caddy 2.5
    headers: dict[str, Any] | None = None


class _Caddy(msgspec.Struct, gc=False):
    request: _CaddyRequest | None = None
    status: int | None = None
    ts: float | str | None = None
    level: str = ""
    logger: str = ""


class _Traefik(msgspec.Struct, gc=False):
    method: str | None = msgspec.field(name="RequestMethod", default=None)
    path: str | None = msgspec.field(name="RequestPath", default=None)
    host: str | None = msgspec.field(name="RequestHost", default=None)
    address: str | None = msgspec.field(name="ClientHost", default=None)
    status: int | None = msgspec.field(name="DownstreamStatus", default=None)
    started: str | None = msgspec.field(name="StartUTC", default=None)
    time: str | None = None
    agent: str | None = msgspec.field(name="request_User-Agent", default=None)  # where headers are kept
    level: str = ""


class _CloudFront(msgspec.Struct, gc=False):
    method: str | None = msgspec.field(name="cs-method", default=None)
    path: str | None = msgspec.field(name="cs-uri-stem", default=None)
    host: str | None = msgspec.field(name="x-host-header", default=None)
    domain: str | None = msgspec.field(name="cs(Host)", default=None)  # the distribution's own name
    address: str | None = msgspec.field(name="c-ip", default=None)
    status: str | int | None = msgspec.field(name="sc-status", default=None)
    agent: str | None = msgspec.field(name="cs(User-Agent)", default=None)
    date: str | None = None
    time: str | None = None
    moment: str | float | None = msgspec.field(name="timestamp(ms)", default=None)


_decode_cloudfront = msgspec.json.Decoder(_CloudFront).decode
_decode_caddy = msgspec.json.Decoder(_Caddy).decode
_decode_traefik = msgspec.json.Decoder(_Traefik).decode
_decode_any = msgspec.json.Decoder(dict[str, Any]).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def values(line: bytes, fields: Sequence[str]) -> tuple[str, ...]:
    """The values of an object's fields: ``request.host`` is ``host`` in ``request``; empty where there is none."""
    if not fields:
        return ()
    try:
        found = _decode_any(line)
    except _UNREADABLE:
        return ("",) * len(fields)
    return tuple(_value(found, name) for name in fields)


def caddy(fields: Sequence[str]) -> Dialect:
    """Caddy's access log."""

    def read(line: bytes) -> Hit | Skip | str:
        try:
            entry = _decode_caddy(line)
        except _UNREADABLE:
            return "is not an entry of Caddy's log"
        request = entry.request
        # Caddy writes all else into the same file, unless told otherwise: also of requests that failed or were proxied.
        if request is None or (entry.logger and not entry.logger.startswith("http.log.access")):
            return Skip.NOTHING if entry.level else "is not an entry of Caddy's log"
        return Hit(
            request.client_ip or request.remote_ip or _without_port(request.remote_addr),
            entry.ts,
            None,
            request.method,
            request.uri,
            request.host,
            None if entry.status is None else str(entry.status),
            _first((request.headers or {}).get("User-Agent", "")),
            values(line, fields),
        )

    return Dialect(read, _TELLS)


def traefik(fields: Sequence[str]) -> Dialect:
    """Traefik's access log, in JSON or in its own form of the combined format."""

    def read(line: bytes) -> Hit | Skip | str:
        if not line.startswith(b"{"):
            return "has no fields by name" if fields else read_traefik(line)
        try:
            entry = _decode_traefik(line)
        except _UNREADABLE:
            return "is not an entry of Traefik's log"
        if entry.address is None and entry.method is None:
            return Skip.NOTHING if entry.level else "is not an entry of Traefik's log"
        return Hit(
            entry.address,
            entry.started or entry.time,
            None,
            entry.method,
            entry.path,
            entry.host,
            None if entry.status is None else str(entry.status),
            entry.agent,
            values(line, fields),
        )

    return Dialect(read, _TELLS)


def cloudfront(fields: Sequence[str]) -> Dialect:
    """CloudFront's standard log in JSON, of which one may have left out any field."""

    def read(line: bytes) -> Hit | Skip | str:
        try:
            entry = _decode_cloudfront(line)
        except _UNREADABLE:
            return "is not an entry of CloudFront's log"
        if entry.address is None and entry.method is None and entry.path is None:
            return "is not an entry of CloudFront's log"
        return Hit(
            entry.address,
            f"{entry.date}T{entry.time}" if entry.date and entry.time else entry.moment,
            None,
            entry.method,
            entry.path,
            entry.host or entry.domain,
            None if entry.status is None else str(entry.status),
            None if entry.agent is None else percent_decoded(entry.agent),
            tuple(map(percent_decoded, values(line, fields))),
        )

    return Dialect(read, _TELLS)


def _value(found: Any, name: str) -> str:
    if isinstance(found, dict):
        if name in found:
            return _first(found[name])
        first, dot, rest = name.partition(".")
        if dot:
            return _value(found.get(first), rest)
    return ""


def _first(value: Any) -> str:
    """A value as text; of a list, as headers are logged, the first."""
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return msgspec.json.encode(value).decode()
    return ""


def _without_port(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")
