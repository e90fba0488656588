"""Answers single visits and eventual reads inside the protocol, without the framework; everything else falls through.

It must not change what is answered: a request that it is not sure of goes to the application, which answers as if this
module did not exist. It leans on uvicorn's ``HttpToolsProtocol``, which is why uvicorn is pinned.
"""

from asyncio import AbstractEventLoop
from typing import TYPE_CHECKING, Any, ClassVar, cast

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from footfall.errors import FootfallError
from footfall.web.answers import Answers
from footfall.web.problems import plain_problem, problem
from footfall.web.traffic import Traffic

if TYPE_CHECKING:
    from footfall.node.node import Node

PREFIX = b"/v1/counters/"
SUFFIX = b"/visits"
BODY_DIGITS_MAX = 4  # a single visit's body is below 10,000 bytes; longer ones are the application's
VISITOR_LENGTH_MAX = 64  # at most 256 bytes of UTF-8: what is longer is measured by the application
HEADS_MAX = 4096  # heads remembered, of at most HEAD_BYTES_MAX each: 4 MB
HEAD_BYTES_MAX = 1024
UPGRADES_MAX = 4  # offers of another protocol in one packet
READ = -1  # stands for the length of a read's body

# A request that carries one of these is not a plain one, unless with a value that changes nothing.
UNUSUAL: dict[bytes, tuple[bytes, ...]] = {
    b"connection": (b"keep-alive",),
    b"content-encoding": (),
    b"expect": (),
    b"idempotency-key": (),
    b"transfer-encoding": (),
    b"upgrade": (),
}


class _Visit(msgspec.Struct, forbid_unknown_fields=True):
    visitor: str | None = None


_decode = msgspec.json.Decoder(_Visit).decode
_encode = msgspec.json.Encoder().encode


class _Waiting:
    """Stands in ``cycle`` for a visit that is being stored: what is pipelined behind it queues as behind any."""

    response_complete = False


_WAITING: Any = _Waiting()


class HotProtocol(HttpToolsProtocol):
    """One connection, and the waiter for its visit: at most one is being stored, and what follows it waits its turn."""

    node: ClassVar["Node"]
    traffic: ClassVar[Traffic]
    heads: ClassVar[dict[bytes, tuple[str, int]]]  # a head → its counter, and the length of its body, or READ
    enabled: ClassVar[bool] = True
    answers: ClassVar[Answers] = Answers([])

    def __init__(
        self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: AbstractEventLoop | None = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.active = True  # since the last sweep
        self.partial = False  # a part of a request has come
        self.begun = 0  # requests in the packet being parsed
        self.plain = False
        self.counter: str | None = None  # of the request being parsed, if it is taken here
        self.length = READ
        self.body = b""
        self.waiting = False
        self.last = False
        self.malformed = False
        self.declined = False  # the request being parsed offers another protocol
        self.method = b""

    def data_received(self, data: bytes) -> None:
        """Answer, or parse.

        The head of a request says all about it but its body. One that was parsed before, byte for byte, as a plain
        request is looked up instead of parsed: that saves 2 of 6 µs, and cannot differ from parsing it again.
        """
        self.active = True
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        if self.partial or self.flow.write_paused or not (self.cycle is None or self.cycle.response_complete):
            self._feed(data)
            return
        end = data.find(b"\r\n\r\n") + 4
        head = data[:end]
        known = self.heads.get(head)
        if known is not None:
            counter, length = known
            if len(data) == (end if length < 0 else end + length) and (
                self._read(counter) if length < 0 else self._visit(counter, data[end:])
            ):
                return
            self._feed(data)
            return
        self.begun = 0
        self.counter = None
        self._feed(data)
        if self.counter is not None and self.begun == 1 and not self.partial and end <= HEAD_BYTES_MAX:
            if len(self.heads) >= HEADS_MAX:
                self.heads.clear()
            self.heads[head] = (self.counter, READ if self.length < 0 else len(data) - end)

    def _feed(self, data: bytes) -> None:
        for _ in range(UPGRADES_MAX):
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = self._decline(data[upgrade.args[0] :])
            except httptools.HttpParserError:
                break
            else:
                return
        self.send_400_response("this is not an HTTP request that can be understood")

    def _decline(self, rest: bytes) -> bytes:
        """Ignore an offer to speak another protocol, as Java's HTTP client makes with its first request.

        The parser does not parse the body of such a request, so it gets the request again, without the offer.
        """
        offer = (b"upgrade", b"connection", b"http2-settings")
        lines = [b"%b %b HTTP/1.1\r\n" % (self.method, self.url)]
        lines += [b"%b: %b\r\n" % header for header in self.headers if header[0] not in offer]
        self.declined = False
        self.parser = httptools.HttpRequestParser(self)
        return b"".join(lines) + b"\r\n" + rest

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that are no request, after everything before them was answered, and close."""
        if not (self.cycle is None or self.cycle.response_complete):
            self.malformed = True
            self.flow.pause_reading()
            return
        failure = plain_problem(400, msg)
        self._write(self._current().failed(failure._replace(headers={"connection": "close"})))
        self.transport.close()

    def on_message_begin(self) -> None:
        """Start to gather; uvicorn's part waits until it is known who answers."""
        self.partial = True
        self.begun += 1
        self.plain = self.enabled
        self.counter = None
        self.length = READ
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Gather a header, and notice what makes a request not a plain one."""
        name = name.lower()
        self.headers.append((name, value))
        if name == b"content-length":
            self.length = 0
            if len(value) > BODY_DIGITS_MAX:
                self.plain = False
        elif name in UNUSUAL and value.lower() not in UNUSUAL[name]:
            self.plain = False
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True

    def on_headers_complete(self) -> None:
        """Decide who answers."""
        if self.parser.should_upgrade():
            self.declined = True
            self.method = self.parser.get_method()
            return
        if (
            self.plain
            and self.url.startswith(PREFIX)
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
            and self.parser.should_keep_alive()
            and self.parser.get_http_version() == "1.1"
        ):
            method = self.parser.get_method()
            if method == b"POST" and self.url.endswith(SUFFIX):
                name = self.url[len(PREFIX) : -len(SUFFIX)].decode("latin-1")
                if self.node.definition(name) is not None:
                    self.counter = name
                    self.length = 0
                    self.body = b""
                    return
            elif method == b"GET" and self.length < 0:
                self.counter = self.url[len(PREFIX) :].decode("latin-1")
                return
        self._fall_through()

    def _fall_through(self) -> None:
        self.counter = None
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url = url
        self.headers.extend(headers)  # in place: the scope holds this list
        self.expect_100_continue = expects
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        if self.counter is None:
            super().on_body(body)
        else:
            self.body += body

    def on_message_complete(self) -> None:
        """Answer a request that is taken here, or let the application do it after all."""
        if self.declined:
            return
        self.partial = False
        if self.counter is None:
            super().on_message_complete()
        elif not (self._read(self.counter) if self.length < 0 else self._visit(self.counter, self.body)):
            self._fall_through()
            if self.body and self.length >= 0:
                super().on_body(self.body)
            super().on_message_complete()

    def _read(self, counter: str) -> bool:
        try:
            reading = self.node.read(counter)
        except FootfallError:
            return False
        self._write(self._current().read(_encode(reading)))
        self.traffic.hot_reads += 1
        return True

    def _visit(self, counter: str, body: bytes) -> bool:
        visitor = None
        if body:
            try:
                visitor = _decode(body).visitor
            except (msgspec.MsgspecError, UnicodeDecodeError):
                return False
            if visitor is not None and not (0 < len(visitor) <= VISITOR_LENGTH_MAX and visitor.isprintable()):
                return False
        definition = self.node.definition(counter)
        if definition is None or not self.node.submit(definition, visitor, self):
            return False
        self.waiting = True
        self.cycle = _WAITING
        return True

    def stored(self, receipt: str) -> None:
        """The visit is durable. Called by the node, once; the connection may be gone by now."""
        self.traffic.hot_visits += 1
        self._answer(self._current().stored(receipt))

    def failed(self, error: FootfallError) -> None:
        """The visit was not stored. Called by the node, once."""
        failure = problem(error)
        self.traffic.failed(failure.status)
        self._answer(self._current().failed(failure))

    def _answer(self, answer: bytes) -> None:
        self.waiting = False
        if self.cycle is _WAITING:
            self.cycle = cast("Any", None)
        if self.transport.is_closing():
            return
        if self.last:
            self.transport.write(answer.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))
            self.transport.close()
            return
        self.transport.write(answer)
        if self.pipeline:
            self.on_response_complete()
        elif self.malformed:
            self.send_400_response("what follows the last request is not an HTTP request")

    def on_response_complete(self) -> None:
        """The application has answered."""
        super().on_response_complete()
        if self.malformed and not self.pipeline and not self.transport.is_closing():
            self.send_400_response("what follows the last request is not an HTTP request")

    def _write(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)

    def _current(self) -> Answers:
        defaults = self.server_state.default_headers
        if self.answers.defaults is not defaults:
            type(self).answers = Answers(defaults)
        return self.answers

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection; a visit that waits is stored and counted all the same."""
        if self.cycle is _WAITING:
            self.cycle = cast("Any", None)
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Answer what is waited for, and close."""
        if self.waiting:
            self.last = True
        else:
            super().shutdown()

    def sweep(self) -> None:
        """Close a connection that did nothing since the last sweep and has no answer coming (uvicorn's own timer is
        armed only after the application's answers, and never while a request is on its way)."""
        if self.active:
            self.active = False
        elif self.flow.write_paused:
            self.transport.abort()
        elif self.partial or self.cycle is None or self.cycle.response_complete:
            self.transport.close()


def protocol(node: "Node", traffic: Traffic, enabled: bool) -> type[HotProtocol]:
    """The protocol of one server: ``enabled=False`` makes the application answer everything."""
    return type("NodeProtocol", (HotProtocol,), {"node": node, "traffic": traffic, "enabled": enabled, "heads": {}})
