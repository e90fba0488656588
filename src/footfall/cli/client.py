"""Speaks to one node over HTTP and turns its answers into values and errors; decides nothing, prints nothing."""

from collections.abc import Iterator, Sequence
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from footfall.cli.arguments import Where, typed
from footfall.cli.top_wire import Said
from footfall.client.access import authorization, check_url, shown, verification
from footfall.client.refusals import cause, foreign, refusal
from footfall.core.names import Unit
from footfall.core.visit import Visit
from footfall.errors import UnavailableError, UnreachableError
from footfall.web import wire

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


class _Page(msgspec.Struct, frozen=True):
    counters: list[Reading]
    next: str | None = None


class _Rows(msgspec.Struct, frozen=True):
    counters: list[dict[str, Any]]


class _Batch(msgspec.Struct, frozen=True, omit_defaults=True):
    visits: Sequence[Visit]
    source: wire.Source | None = None


_encode = msgspec.json.Encoder().encode


class Client:
    """A node at a URL. Use as a context manager."""

    def __init__(
        self,
        where: Where | str,
        transport: httpx.BaseTransport | None = None,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        """Connects at the first request only.

        Args:
            where: The node, or its URL alone, such as http://127.0.0.1:8080.
            transport: Replaces the network, for tests.
            timeout_s: How long to wait for an answer.

        Raises:
            ConfigError: If the URL or the token is not one, or the certificates cannot be read.
        """
        where = Where(where) if isinstance(where, str) else where
        url = check_url(where.url)
        self.url = shown(url)
        self._http = httpx.Client(
            base_url=url,
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S)),
            headers=authorization(where.token),
            # Certificates are read (35 ms) only where there is TLS; a proxy from the environment would hide loopback.
            verify=verification(url, typed(where.ca)),
            trust_env=False,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def hit(self, visit: Visit) -> wire.Accepted:
        """Count one visit (or ``visit.count`` of them), durably. With a key, the same call may safely be made again."""
        return self._call("POST", "/v1/visits", wire.Accepted, body=encode_visits([visit]))

    def send_keyed(self, visits: Sequence[Visit]) -> None:
        """Count visits that have keys, durably; the same call may safely be made again."""
        self._request("POST", "/v1/visits", encode_visits(visits), {})

    def send_chunk(self, body: bytes) -> None:
        """Count the part of a source that ``encode_chunk`` made. Raises SourcePositionError if it is not its turn."""
        self._request("POST", "/v1/visits", body, {})

    def source_positions(self, sources: Sequence[str]) -> list[int]:
        """The byte up to which each source was counted; 0 if it is not known."""
        asked = {"ids": ",".join(sources)}
        answer = self._call("GET", "/v1/sources", wire.SourceList, query=asked)
        known = {one.id: one.position for one in answer.sources}
        return [known.get(source, 0) for source in sources]

    def read(self, counter: str, consistency: str = "eventual") -> Reading:
        """What the node says of a counter."""
        wanted = {} if consistency == "eventual" else {"consistency": consistency}
        return self._call("GET", _counter(counter), Reading, query=wanted)

    def find(self, counter: str) -> Reading | None:
        """A counter as the lists have it; None if it was neither visited nor defined."""
        page = self._call("GET", "/v1/counters", _Page, query={"prefix": counter, "limit": "1"})
        return next((one for one in page.counters if one.counter == counter), None)

    def counters(self, prefix: str = "") -> Iterator[Reading]:
        """The counters at and below ``prefix``, by name, page by page."""
        query = {"limit": str(PAGE_COUNTERS)} | ({"prefix": prefix} if prefix else {})
        while True:
            page = self._call("GET", "/v1/counters", _Page, query=query)
            yield from page.counters
            if page.next is None or page.next == query.get("after"):
                return
            query["after"] = page.next

    def look(self, parent: str, limit: int) -> Said:
        """All that the node knows of the whole, and the first counters below one, or, if empty, at the top."""
        return Said(self._call("GET", "/v1/overview", dict[str, Any]), self.below(parent, limit))

    def below(self, parent: str, limit: int) -> list[dict[str, Any]]:
        """The first counters directly below one, or, if empty, at the top, with how many are below each."""
        return self._call("GET", "/v1/counters", _Rows, query={"parent": parent, "limit": str(limit)}).counters

    def define(self, counter: str, unit: Unit) -> bool:
        """Define a counter; whether it was made now. Raises UnitConflictError if it has the other unit."""
        return self._request("PUT", _counter(counter), _encode(wire.CounterDefinition(unit)), {}).status_code == 201

    def add_milestone(self, counter: str, n: int) -> tuple[wire.Milestone, bool]:
        """Set a milestone; returns it, and whether it was made now. Raises MilestonePassedError."""
        return self._put(f"{_counter(counter)}/milestones/{n}", None, wire.Milestone)

    def milestone(self, counter: str, n: int) -> wire.Milestone:
        """How far a milestone is. Raises UnknownMilestoneError."""
        return self._call("GET", f"{_counter(counter)}/milestones/{n}", wire.Milestone)

    def milestones(self, counter: str | None = None) -> list[wire.Milestone]:
        """A counter's milestones, or all."""
        path = "/v1/milestones" if counter is None else f"{_counter(counter)}/milestones"
        return self._call("GET", path, wire.MilestoneList).milestones

    def claim(self, counter: str, n: int, receipt: str, key: str) -> wire.Milestone:
        """Show the winner's receipt; with the same key, the same call may safely be made again. Raises ClaimError."""
        return self._call(
            "POST",
            f"{_counter(counter)}/milestones/{n}/claim",
            wire.Milestone,
            body=_encode(wire.Claim(receipt)),
            key=key,
        )

    def import_count(self, counter: str, source: str, value: int, note: str) -> tuple[wire.Imported, bool]:
        """Import a prior count, once per source; returns it, and whether it was now. Raises ImportConflictError."""
        path = f"{_counter(counter)}/imports/{quote(source, safe='')}"
        return self._put(path, _encode(wire.Import(value, note)), wire.Imported)

    def nodes(self) -> list[wire.NodeEntry]:
        """The nodes that this one hears, itself included."""
        return self._call("GET", "/v1/nodes", wire.NodeList).nodes

    def ready(self) -> bool:
        """Whether the node counts and answers."""
        try:
            self._request("GET", "/readyz", None, {})
        except UnavailableError:
            return False
        return True

    def remarks(self) -> list[str]:
        """What a person should look at, as the node says: why it is not ready, and its warnings."""
        try:
            said = msgspec.json.decode(self._http.get("/readyz").content, type=wire.Readiness)
        except (httpx.TransportError, msgspec.MsgspecError, UnicodeDecodeError):
            return []
        return [*said.problems, *said.warnings]

    def _call(
        self,
        method: str,
        path: str,
        shape: type[Answer],
        *,
        body: bytes | None = None,
        query: dict[str, str] | None = None,
        key: str | None = None,
    ) -> Answer:
        return self._decoded(f"{method} {path}", self._request(method, path, body, query or {}, key), shape)

    def _put(self, path: str, body: bytes | None, shape: type[Answer]) -> tuple[Answer, bool]:
        """What there is now, and whether it was made now."""
        response = self._request("PUT", path, body, {})
        return self._decoded(f"PUT {path}", response, shape), response.status_code == 201

    def _decoded(self, asked: str, response: httpx.Response, shape: type[Answer]) -> Answer:
        try:
            return msgspec.json.decode(response.content, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise foreign(self.url, asked, response, str(error)) from None

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None,
        query: dict[str, str],
        key: str | None = None,
    ) -> httpx.Response:
        headers = {} if body is None else {b"content-type": b"application/json"}
        if key is not None:
            headers[b"idempotency-key"] = key.encode()
        try:
            response = self._http.request(method, path, content=body, headers=headers, params=query)
        except httpx.ConnectError as error:
            why = cause(error)
            do = "start one with `footfall serve`, or name it by --url"
            if "not trusted" in why:
                do = next((advice for sign, advice in _DISTRUST.items() if sign in why), _UNKNOWN_AUTHORITY)
            raise UnreachableError(f"no node answers at {self.url} ({why}): {do}") from None
        except httpx.TransportError as error:
            raise UnavailableError(f"{self.url} broke off {method} {path}: {cause(error)}") from None
        if response.is_success:
            return response
        raise refusal(self.url, f"{method} {path}", response)


_UNKNOWN_AUTHORITY = "name the certificate of whoever signed it with --ca, or FOOTFALL_CA"
_DISTRUST = {  # what is said of a certificate, and what to do
    "expired": "it has to be renewed, if this machine's clock is right",
    "not yet valid": "see that the clocks of this machine and of whoever signed it are right",
    "mismatch": "name the node with --url as its certificate does, or give it one for this name",
}


def _counter(name: str) -> str:
    return f"/v1/counters/{quote(name, safe='')}"


def encode_visits(visits: Sequence[Visit]) -> bytes:
    """The body that counts these visits."""
    return _encode(_Batch(visits))


def encode_chunk(source: str, start: int, end: int, visits: Sequence[Visit]) -> bytes:
    """The body that counts bytes ``start`` to ``end`` of a source."""
    return _encode(_Batch(visits, wire.Source(source, start, end)))
