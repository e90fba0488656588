"""Answers single visits and eventual reads inside the protocol, without the framework; everything else falls through.

It must not change what is answered: a request that it is not sure of goes to the application, which answers as if this
module did not exist. The framework alone takes 30 µs a request.
"""

from asyncio import AbstractEventLoop, Transport
from typing import Any, ClassVar, NamedTuple, cast

import msgspec

from footfall.errors import CallerError, FootfallError, RateLimitedError
from footfall.node.node import Node
from footfall.node.readings import Stored
from footfall.web.connection import Connection, Limits
from footfall.web.cors import NO_READER
from footfall.web.door import NOBODY, Door
from footfall.web.problems import SHED, problem
from footfall.web.pulse import Pulse
from footfall.web.requests import KEY_HEADER_BYTES_MAX
from footfall.web.tokens import Scope, Token
from footfall.web.traffic import Traffic

PREFIX = b"/v1/counters/"
SUFFIX = b"/visits"
BODY_DIGITS_MAX = 4  # a single visit's body is below 10,000 bytes; longer ones are the application's
VISITOR_LENGTH_MAX = 64  # at most 256 bytes of UTF-8: what is longer is measured by the application
HEADS_MAX = 4096  # heads remembered, of at most KNOWN_BYTES_MAX each: 4 MB
KNOWN_BYTES_MAX = 1024
READ = -1  # stands for the length of a read's body

# A request that carries one of these is not a plain one, unless with a value that changes nothing.
UNUSUAL: dict[bytes, tuple[bytes, ...]] = {
    b"connection": (b"keep-alive",),
    b"content-encoding": (),
    b"expect": (),
    b"idempotency-key-age": (),
    b"transfer-encoding": (),
    b"upgrade": (),
}


class Head(NamedTuple):
    """What a head says that was parsed before.

    Attributes:
        counter: Whose counter it is about.
        length: Of the body, or READ.
        token: What it showed, which is good for it as long as the tokens are the same.
        reader: Whose page may read the answer.
    """

    counter: str
    length: int
    token: Token | None
    reader: bytes


class _Visit(msgspec.Struct, forbid_unknown_fields=True):
    visitor: str | None = None


_decode = msgspec.json.Decoder(_Visit).decode
_encode = msgspec.json.Encoder().encode


class _Waiting:
    """Stands in ``cycle`` for a visit that is being stored: what is pipelined behind it queues as behind any."""

    response_complete = False


_WAITING: Any = _Waiting()


class HotProtocol(Connection):
    """A connection, and the waiter for its visit: at most one is being stored, and what follows it waits its turn."""

    node: ClassVar[Node]
    door: ClassVar[Door]
    pulse: ClassVar[Pulse]
    heads: ClassVar[dict[bytes, Head]]
    enabled: ClassVar[bool] = True

    def __init__(
        self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: AbstractEventLoop | None = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._plain = False
        self._counter: str | None = None  # of the request that comes, if it is taken here
        self._length = READ
        self._body = b""
        self._key: str | None = None  # of the visit that comes: no two heads with one are alike
        self._token: Token | None = None  # of the request that comes
        self._reader = self._answering = NO_READER  # of the request that comes, and of the visit that is stored
        self._peer = self._sender = NOBODY  # where the connection comes from, and where the request does
        self._forwarded = False  # the request came over proxies: no two heads of such are alike
        self._waiting = False
        self._shedding = False  # the request that comes is refused when it has come
        self._last = False  # the server stops: close after the answer

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Take a connection, and note where it comes from."""
        super().connection_made(transport)
        self._peer = self._sender = self.door.sender(self.client[0] if self.client else None)

    def data_received(self, data: bytes) -> None:
        """Answer, or parse.

        The head of a request says all about it but its body. One that was parsed before, byte for byte, as a plain
        request is looked up instead of parsed: that saves 2 of 10 µs, and cannot differ from parsing it again.
        """
        if self.partial or self.flow.write_paused or not self.answered:
            super().data_received(data)
            return
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        end = data.find(b"\r\n\r\n") + 4
        head = data[:end]
        known = self.heads.get(head)
        if known is None:
            self.begun = 0
            self._counter = None
            self.feed(data)
            whole = self._counter is not None and self.begun == 1 and not self.partial
            if whole and end <= KNOWN_BYTES_MAX and not self._forwarded and self._key is None:
                if len(self.heads) >= HEADS_MAX:
                    self.heads.clear()
                assert self._counter is not None
                length = READ if self._length < 0 else len(data) - end
                self.heads[head] = Head(self._counter, length, self._token, self._reader)
            return
        self.active = True
        counter, length, self._token, self._reader = known
        self._key = None
        self._sender = self._peer
        if length < 0:
            if len(data) == end and self._read(counter):
                return
        elif len(data) == end + length and self._visit(counter, data[end:]):
            return
        self.feed(data)

    def on_message_begin(self) -> None:
        """Begin to gather."""
        super().on_message_begin()
        self._plain = self.enabled and not self.traffic.leaving
        self._shedding = False
        self._counter = self._key = None
        self._length = READ

    def on_header(self, name: bytes, value: bytes) -> None:
        """Gather a header, and notice what makes a request not a plain one."""
        name = name.lower()
        self.headers.append((name, value))
        if name == b"content-length":
            self._length = 0
            if len(value) > BODY_DIGITS_MAX:
                self._plain = False
        elif name == b"idempotency-key":
            text = value.decode("ascii", "replace")
            if self._key is None and value.isascii() and 0 < len(value) <= KEY_HEADER_BYTES_MAX and text.isprintable():
                self._key = text
            else:
                self._plain = False
        elif name in UNUSUAL and value.lower() not in UNUSUAL[name]:
            self._plain = False
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True

    def on_headers_complete(self) -> None:
        """Decide who answers."""
        self._reader = self.cors.reader(self.headers)
        if self._plain and self.url.startswith(PREFIX) and self.answered and not self.flow.write_paused:
            self._counter = self._taken()
        if self._counter is None:
            if self.pulse.behind() and self._sheds():
                self._shedding = self._headed = True
            else:
                super().on_headers_complete()

    def _sheds(self) -> bool:
        """Whether a request can be refused here: in the application that costs five times as much."""
        return (
            self.answered
            and not self.flow.write_paused
            and self.url.startswith(b"/v1/")
            and self.parser.get_method() in (b"GET", b"POST", b"PUT")
            and self.parser.should_keep_alive()
            and self.parser.get_http_version() == "1.1"
            and not self.parser.should_upgrade()
            and not self.expect_100_continue
        )

    def _shed(self) -> None:
        self.traffic.shed += 1
        self.traffic.failed(SHED.status)
        self.transport.write(self.current(self._reader).failed(SHED))

    def _taken(self) -> str | None:
        """The counter of a request that is taken here."""
        if not self.parser.should_keep_alive() or self.parser.get_http_version() != "1.1":
            return None
        method = self.parser.get_method()
        if method == b"GET" and self._length < 0 and self._key is None:
            name = self.url[len(PREFIX) :].decode("latin-1")
            return name if self._may(Scope.READ, name) else None
        if method == b"POST" and self.url.endswith(SUFFIX):
            name = self.url[len(PREFIX) : -len(SUFFIX)].decode("latin-1")
            if self.node.definition(name) is not None and self._may(Scope.WRITE, name):
                self._length = 0
                self._body = b""
                return name
        return None

    def _may(self, scope: Scope, counter: str) -> bool:
        """Whether the request may be answered, as far as its head says; where it may not, the application says why."""
        forwarded = [value for name, value in self.headers if name == b"x-forwarded-for"]
        self._forwarded = bool(forwarded)
        self._sender = self.door.sender(self.client[0], forwarded) if forwarded and self.client else self._peer
        try:
            self._token = self.door.admit(self.headers, scope, counter, public=True)
        except CallerError:
            return False
        return True

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        if self._shedding:
            return
        if self._counter is None:
            super().on_body(body)
        else:
            self._body += body

    def on_message_complete(self) -> None:
        """Answer a request that is taken here, or let the application do it after all."""
        counter = self._counter
        if self._shedding:
            self._shedding = self.partial = False
            self._shed()
            return
        if counter is None:
            super().on_message_complete()
            return
        self.partial = False
        if not (self._read(counter) if self._length < 0 else self._visit(counter, self._body)):
            self._counter = None
            self.pass_on()
            if self._length >= 0 and self._body:
                super().on_body(self._body)
            super().on_message_complete()

    def _read(self, counter: str) -> bool:
        try:
            reading = self.node.read(counter)
        except FootfallError:
            return False
        self.transport.write(self.current(self._reader).read(_encode(reading)))
        self.traffic.hot_reads += 1
        return True

    def _visit(self, counter: str, body: bytes) -> bool:
        visitor = None
        if body:
            try:
                visitor = _decode(body).visitor
            except (msgspec.MsgspecError, UnicodeDecodeError):
                return False
            if body.count(b'"') > (2 if visitor is None else 4):  # the field may be there twice: the application knows
                return False
            if visitor is not None and not (0 < len(visitor) <= VISITOR_LENGTH_MAX and visitor.isprintable()):
                return False
        if visitor is None:
            visitor = self._sender.visitor
        definition = self.node.definition(counter)
        if definition is None:
            return False
        if self.pulse.behind():
            self._shed()
            return True
        if self.door.limiting:
            try:
                self.door.charge(self._sender.client, self._token, 1)
            except RateLimitedError as error:
                failure = problem(error)
                self.traffic.failed(failure.status)
                self.transport.write(self.current(self._reader).failed(failure))
                return True
        if not self.node.submit(definition, visitor, self, self._key):
            if self.door.limiting:
                self.door.give_back(self._sender.client, self._token, 1)
            return False
        self._waiting = True
        self._answering = self._reader
        self.cycle = _WAITING
        return True

    def stored(self, receipt: str, where: Stored) -> None:
        """The visit is durable. Called by the node, once; the connection may be gone by now."""
        self.traffic.hot_visits += 1
        self._answer(self.current(self._answering).stored(receipt, where))

    def failed(self, error: FootfallError) -> None:
        """The visit was not stored. Called by the node, once."""
        failure = problem(error)
        self.traffic.failed(failure.status)
        self._answer(self.current(self._answering).failed(failure))

    def _answer(self, answer: bytes) -> None:
        self._waiting = False
        if self.cycle is _WAITING:
            self.cycle = cast("Any", None)
        if self.transport.is_closing():
            return
        if self._last:
            self.transport.write(answer.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))
            self.transport.close()
            return
        self.transport.write(answer)
        if self.pipeline:
            self.on_response_complete()
        else:
            self.send_refusal()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection; a visit that waits is stored and counted all the same."""
        if self.cycle is _WAITING:
            self.cycle = cast("Any", None)
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Answer what is waited for, and close."""
        if self._waiting:
            self._last = True
        else:
            super().shutdown()


def protocol(
    node: Node, traffic: Traffic, enabled: bool, door: Door, limits: Limits, pulse: Pulse
) -> type[HotProtocol]:
    """The protocol of one server: ``enabled=False`` makes the application answer everything."""
    heads: dict[bytes, Head] = {}
    door.watchers.append(heads.clear)
    own = {"node": node, "traffic": traffic, "enabled": enabled, "door": door, "limits": limits, "pulse": pulse}
    kept = {"heads": heads, "origins": {}, "answers": {}}
    return type("NodeProtocol", (HotProtocol,), {**own, **kept, "cors": door.cors})
