"""Speaks to one node over HTTP and turns its answers into values and errors; decides nothing, prints nothing."""

from collections.abc import Iterator, Sequence
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from footfall.core.names import Unit
from footfall.core.visit import Visit
from footfall.errors import (
    ConfigError,
    FootfallError,
    InvalidVisitError,
    SourcePositionError,
    UnavailableError,
    UnreachableError,
)
from footfall.web.problems import revive

DEFAULT_URL = "http://127.0.0.1:8080"
CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 30.0  # a durable answer waits for the log, which takes seconds while it elects a leader
PAGE_COUNTERS = 1_000

Answer = TypeVar("Answer")


class Reading(msgspec.Struct, frozen=True):
    """What a node knows of a counter."""

    counter: str
    value: int
    unit: str
    pending: int = 0
    phase: str = "ap"
    consistency: str = "eventual"
    sequence: int = 0
    staleness_ms: int = 0


class Accepted(msgspec.Struct, frozen=True):
    """The answer to visits: they are stored."""

    accepted: int
    stored: str
    receipt: str | None = None
    receipts: list[str] | None = None


class NodeStatus(msgspec.Struct, frozen=True):
    """One node, as the node asked knows it."""

    id: str
    url: str
    topology: str
    partitions: list[int]
    sequence: int = 0
    lag_ms: int = 0
    heard_ms_ago: int = 0
    self: bool = False


class _Definition(msgspec.Struct, frozen=True):
    unit: Unit


class _Page(msgspec.Struct, frozen=True):
    counters: list[Reading]
    next: str | None = None


class _Nodes(msgspec.Struct, frozen=True):
    nodes: list[NodeStatus]


class _SourceStatus(msgspec.Struct, frozen=True):
    position: int


class _Source(msgspec.Struct, frozen=True):
    id: str
    start: int = msgspec.field(name="from")
    end: int = msgspec.field(name="to")


class _Batch(msgspec.Struct, frozen=True, omit_defaults=True):
    visits: Sequence[Visit]
    source: _Source | None = None


class _Problem(msgspec.Struct, frozen=True):
    """RFC 9457, as a node answers it."""

    detail: str
    type: str = "about:blank"
    index: int | None = None
    position: int | None = None


_encode = msgspec.json.Encoder().encode


class Client:
    """A node at a URL. Use as a context manager."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        """Connects at the first request only.

        Args:
            url: Where the node listens, such as http://127.0.0.1:8080.
            transport: Replaces the network, for tests.

        Raises:
            ConfigError: If the URL is not one.
        """
        self.url = check_url(url)
        self._http = httpx.Client(
            base_url=self.url,
            timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            # Certificates are read (35 ms) only where there is TLS; a proxy from the environment would hide loopback.
            verify=self.url.startswith("https:"),
            trust_env=False,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def hit(self, visit: Visit) -> Accepted:
        """Count one visit (or ``visit.count`` of them), durably. With a key, the same call may safely be made again."""
        return self._call("POST", "/v1/visits", Accepted, body=encode_visits([visit]))

    def send_keyed(self, visits: Sequence[Visit]) -> None:
        """Count visits that have keys, durably; the same call may safely be made again."""
        self._request("POST", "/v1/visits", encode_visits(visits), {})

    def send_chunk(self, body: bytes) -> None:
        """Count the part of a source that ``encode_chunk`` made. Raises SourcePositionError if it is not its turn."""
        self._request("POST", "/v1/visits", body, {})

    def source_position(self, source: str) -> int:
        """The byte up to which the source was counted; 0 if it is not known."""
        return self._call("GET", f"/v1/sources/{quote(source, safe='')}", _SourceStatus).position

    def read(self, counter: str, consistency: str = "eventual") -> Reading:
        """What the node says of a counter."""
        wanted = {} if consistency == "eventual" else {"consistency": consistency}
        return self._call("GET", f"/v1/counters/{quote(counter, safe='')}", Reading, query=wanted)

    def counters(self, prefix: str = "") -> Iterator[Reading]:
        """The counters at and below ``prefix``, by name, page by page."""
        query = {"limit": str(PAGE_COUNTERS)} | ({"prefix": prefix} if prefix else {})
        while True:
            page = self._call("GET", "/v1/counters", _Page, query=query)
            yield from page.counters
            if page.next is None or page.next == query.get("after"):
                return
            query["after"] = page.next

    def define(self, counter: str, unit: Unit) -> bool:
        """Define a counter; whether it was made now. Raises UnitConflictError if it has the other unit."""
        path = f"/v1/counters/{quote(counter, safe='')}"
        return self._request("PUT", path, _encode(_Definition(unit)), {}).status_code == 201

    def nodes(self) -> list[NodeStatus]:
        """The nodes that this one hears, itself included."""
        return self._call("GET", "/v1/nodes", _Nodes).nodes

    def ready(self) -> bool:
        """Whether the node counts and answers."""
        try:
            self._request("GET", "/readyz", None, {})
        except UnavailableError:
            return False
        return True

    def _call(
        self,
        method: str,
        path: str,
        shape: type[Answer],
        *,
        body: bytes | None = None,
        query: dict[str, str] | None = None,
    ) -> Answer:
        response = self._request(method, path, body, query or {})
        try:
            return msgspec.json.decode(response.content, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._foreign(f"{method} {path}", response, str(error)) from None

    def _request(self, method: str, path: str, body: bytes | None, query: dict[str, str]) -> httpx.Response:
        headers = {} if body is None else {"content-type": "application/json"}
        try:
            response = self._http.request(method, path, content=body, headers=headers, params=query)
        except httpx.ConnectError as error:
            raise UnreachableError(
                f"no node answers at {self.url} ({_cause(error)}): start one with `footfall serve`, or name it by --url"
            ) from None
        except httpx.TransportError as error:
            raise UnavailableError(f"{self.url} broke off {method} {path}: {_cause(error)}") from None
        if response.is_success:
            return response
        raise self._error(f"{method} {path}", response)

    def _error(self, asked: str, response: httpx.Response) -> FootfallError:
        try:
            problem = msgspec.json.decode(response.content, type=_Problem)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            if response.status_code in (502, 503, 504):
                return UnavailableError(f"{self.url} answered {response.status_code} to {asked}")
            return self._foreign(asked, response, response.reason_phrase)
        if response.status_code in (404, 405):  # a node has all that is asked here
            return self._foreign(asked, response, problem.detail)
        return to_error(problem, response.status_code)

    def _foreign(self, asked: str, response: httpx.Response, what: str) -> FootfallError:
        return FootfallError(
            f"{self.url} answered {response.status_code} to {asked}, and not as a node does ({what}): is --url right?"
        )


def check_url(url: str) -> str:
    """The URL without a slash at its end. Raises ConfigError unless a node can be at it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(mark in url for mark in "?# \t\n"):
        raise ConfigError(f"{url!r} is not the URL of a node: write something like {DEFAULT_URL}")
    return url.rstrip("/")


def encode_visits(visits: Sequence[Visit]) -> bytes:
    """The body that counts these visits."""
    return _encode(_Batch(visits))


def encode_chunk(source: str, start: int, end: int, visits: Sequence[Visit]) -> bytes:
    """The body that counts bytes ``start`` to ``end`` of a source."""
    return _encode(_Batch(visits, _Source(source, start, end)))


def to_error(problem: _Problem, status: int) -> FootfallError:
    """The error that a node answered, as one of ours."""
    error: Any = revive(problem.type, problem.detail)
    if status == 503 and not isinstance(error, UnavailableError):
        error = UnavailableError(problem.detail)
    if problem.index is not None or isinstance(error, InvalidVisitError):
        error.index = problem.index
    if isinstance(error, SourcePositionError):
        error.position = problem.position or 0
    result: FootfallError = error
    return result


def _cause(error: httpx.TransportError) -> str:
    text = str(error).lower()
    if "refused" in text:
        return "connection refused"
    if "name or service" in text or "name resolution" in text or "nodename" in text:
        return "unknown host"
    return text or type(error).__name__
