"""One HTTP connection: uvicorn's, with its gaps closed; knows nothing of what is asked over it.

Uvicorn answers bytes that are no request before it has answered what came ahead of them, loses the body of a request
that offers an upgrade, bounds neither heads nor what is pipelined, and times out only what is idle after an answer.
It is pinned, because this leans on its internals; tests/unit/test_hot.py is the conformance test.
"""

import logging
import socket
from asyncio import AbstractEventLoop, Transport
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from footfall.addresses import Proxies, household, parse_address
from footfall.errors import OverloadedError
from footfall.web.answers import Answers
from footfall.web.cors import NO_READER, Cors
from footfall.web.problems import plain_problem, problem
from footfall.web.traffic import Traffic

logger = logging.getLogger(__name__)

CONNECTION = "footfall.connection"  # in the scope of a request: the connection over which it came

OFFERS_MAX = 4  # of another protocol, in one packet
HEAD_BYTES_MAX = 65_536  # common servers take 8 to 64 KB
STREAM_BUFFER_BYTES = 32_768  # of an answer without an end; the system takes as much again, or twice
PIPELINED_MAX = 10_000  # requests that wait behind others of their connection; a packet can hold 4,000


class Limits(NamedTuple):
    """What connections may take.

    Attributes:
        connections_max: How many there may be.
        per_address_max: How many from one address, or one network of IPv6, that is no proxy's; 0: no limit.
        request_timeout_s: For a request to come, and for what is written to be read, however slowly it goes on.
        proxies: Connections of these are many clients'.
        streams_max: How many of them may be streams of events.
    """

    connections_max: int = 10_000
    per_address_max: int = 0
    request_timeout_s: float = 30.0
    proxies: Proxies = Proxies(())
    streams_max: int = 8_000


class Connection(HttpToolsProtocol):
    """A connection that gathers a request's head before uvicorn begins with it.

    Attributes:
        active: Whether anything came since the last sweep.
        partial: Whether a request has begun to come, and not ended.
        begun: Requests in the packet that is parsed now; set to 0 by who wants to know.
    """

    answers: ClassVar[dict[bytes, Answers]]  # by reader: there are as many as origins are configured
    cors: ClassVar[Cors] = Cors(())
    traffic: ClassVar[Traffic]
    limits: ClassVar[Limits] = Limits()
    origins: ClassVar[dict[str, int]]  # connections by address, if these have a limit

    def __init__(
        self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: AbstractEventLoop | None = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.active = True
        self.partial = False
        self.begun = 0
        self._head_bytes = 0
        self._headed = False  # the head of the request has ended
        self._passed = False  # the request was passed to uvicorn, and has not ended
        self._offered = b""  # the method of a request that offers another protocol
        self._refusal = b""  # to be sent when all requests before it are answered
        self._origin = ""
        self._comes_since_s = 0.0  # when the present request was first seen to come; 0: not seen yet
        self._stuck_since_s = 0.0  # when what is written was first seen not to be read
        self._lost: Callable[[bool], None] | None = None  # of an answer that has no end

    # Who comes

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Take a connection, or turn it away."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections_max:
            self._turn_away(f"this node has {self.limits.connections_max} connections, which is the most")
        elif self.limits.per_address_max:
            address = parse_address(self.client[0]) if self.client else None
            if address is not None and address not in self.limits.proxies:
                self._origin = household(address)
                self.origins[self._origin] = count = self.origins.get(self._origin, 0) + 1
                if count > self.limits.per_address_max:
                    self._turn_away(f"{self._origin} has {self.limits.per_address_max} connections, which is the most")

    def _turn_away(self, why: str) -> None:
        self.traffic.refused += 1
        failure = problem(OverloadedError(f"{why}; close some, or try again later"))
        headers = {**failure.headers, "connection": "close"}
        self.transport.write(self.current().failed(failure._replace(headers=headers)))
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._lost is not None:
            self._lost(self.clogged or isinstance(exc, TimeoutError))  # which is the system's word for the same
            self._lost = None
        if self._origin:
            self.origins[self._origin] -= 1
            if not self.origins[self._origin]:
                del self.origins[self._origin]
            self._origin = ""
        super().connection_lost(exc)

    # What comes

    def data_received(self, data: bytes) -> None:
        """Parse."""
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        self.feed(data)
        self.active = self.active or self.partial  # empty lines ahead of a request are no activity

    def feed(self, data: bytes) -> None:
        """Parse, within bounds."""
        if len(self.pipeline) > PIPELINED_MAX:
            self.transport.abort()
            return
        begun, in_head = self.begun, self.partial and not self._headed
        for _ in range(OFFERS_MAX):
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = self._decline(data[upgrade.args[0] :])
            except httptools.HttpParserCallbackError as error:
                if not isinstance(error.__context__, (UnicodeDecodeError, httptools.HttpParserInvalidURLError)):
                    logger.error("a request could not be handled", exc_info=error.__context__)
                    self.refuse(500, "this is a bug; the log of the server says more")
                    return
                break  # of the URL
            except httptools.HttpParserError:
                break
            else:
                if in_head and not self._headed and self.begun == begun:  # all of it is of one head
                    self._head_bytes += len(data)
                    if self._head_bytes > HEAD_BYTES_MAX:
                        self.refuse(431, f"the head of the request has more than {HEAD_BYTES_MAX} bytes")
                return
        self.refuse(400, "this is not an HTTP request that can be understood")

    def _decline(self, rest: bytes) -> bytes:
        """Ignore an offer to speak another protocol, as Java's HTTP client makes with its first request.

        The parser does not parse the body of such a request, so it gets the request again, without the offer.
        """
        offer = (b"upgrade", b"connection", b"http2-settings")
        lines = [b"%b %b HTTP/1.1\r\n" % (self._offered, self.url)]
        lines += [b"%b: %b\r\n" % header for header in self.headers if header[0] not in offer]
        self._offered = b""
        self.parser = httptools.HttpRequestParser(self)
        return b"".join(lines) + b"\r\n" + rest

    def on_message_begin(self) -> None:
        """Begin to gather."""
        self.active = self.partial = True
        self._comes_since_s = 0.0
        self.begun += 1
        self._head_bytes = 0
        self._headed = False
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        """Pass the request to uvicorn, unless it must come again."""
        self._headed = True
        if self.parser.should_upgrade():
            self._offered = self.parser.get_method()
        else:
            self.pass_on()

    def pass_on(self) -> None:
        """Let uvicorn begin with the request."""
        self._passed = True
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.scope[CONNECTION] = self  # type: ignore[literal-required]
        self.url = url
        self.headers.extend(headers)  # in place: the scope holds this list
        self.expect_100_continue = expects
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        if not self._offered:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request has ended."""
        if not self._offered:
            self.partial = self._passed = False
            super().on_message_complete()

    # What goes

    def stream(self, lost: Callable[[bool], None]) -> None:
        """Get ready for an answer that has no end, of which little is buffered if it is not read.

        Args:
            lost: Called when the connection is; with whether the other end did not read.
        """
        self._lost = lost
        self.transport.set_write_buffer_limits(STREAM_BUFFER_BYTES)
        system = self.transport.get_extra_info("socket")
        system.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, STREAM_BUFFER_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # of Linux; others give up a client that has vanished much later
            timeout_ms = int(self.limits.request_timeout_s * 1000)
            system.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)

    def send(self, data: bytes) -> None:
        """Write a part of an answer that has no end, framed as it must be."""
        self.transport.write(data)

    @property
    def clogged(self) -> bool:
        """Whether the other end does not read as fast as is written."""
        return self.flow.write_paused

    @property
    def answered(self) -> bool:
        """Whether all requests so far are answered."""
        return self.cycle is None or self.cycle.response_complete

    def refuse(self, status: int, detail: str) -> None:
        """Answer bytes that are no request, once everything before them is answered, and close."""
        failure = plain_problem(status, detail)._replace(headers={"connection": "close"})
        self._refusal = self.current().failed(failure)
        if self._passed and self.pipeline:
            self.pipeline.popleft()  # the newest, whose body they were to be
        elif self.answered or self._passed:
            self.send_refusal()
            return
        self.flow.pause_reading()

    def send_refusal(self) -> None:
        """Send what ``refuse`` has prepared, if there is anything."""
        if self._refusal and not self.transport.is_closing():
            self.transport.write(self._refusal)
            self.transport.close()

    def on_response_complete(self) -> None:
        """The application has answered: go on with what is pipelined, and take more only behind it."""
        super().on_response_complete()
        if self.pipeline:
            self.flow.pause_reading()
        elif self._refusal and (self.answered or self._passed):
            self.send_refusal()

    def current(self, reader: bytes = NO_READER) -> Answers:
        """Heads of answers with the date of now, which a page of the reader's origin may read."""
        defaults = self.server_state.default_headers
        answers = self.answers.get(reader)
        if answers is None or answers.defaults is not defaults:
            answers = self.answers[reader] = Answers(defaults, self.cors.headers(reader))
        return answers

    def sweep(self) -> None:
        """Close a connection over which nothing came since the last sweep, unless an answer is on its way."""
        if self.active or self._lost is not None:  # of a stream nothing comes: see hurry
            self.active = False
        elif self.flow.write_paused:
            self.transport.abort()  # it does not read: there is no other way to be rid of what is buffered for it
        elif self.partial or self.answered:
            self.transport.close()

    def hurry(self, now_s: float) -> None:
        """End a connection whose request, or whose reading of answers, takes too long. Called about every second.

        What waits for the node is not its client's fault: then nothing more is read from it, and its time stands still.
        """
        if self.flow.write_paused or self.transport.is_closing():
            self._stuck_since_s = self._stuck_since_s or now_s
            if now_s - self._stuck_since_s > self.limits.request_timeout_s:
                self.traffic.slow += 1
                self.transport.abort()
            return
        self._stuck_since_s = 0.0
        if not self.partial or self.flow.read_paused:
            self._comes_since_s = 0.0
            return
        self._comes_since_s = self._comes_since_s or now_s
        if now_s - self._comes_since_s > self.limits.request_timeout_s:
            self.traffic.slow += 1
            self.refuse(408, f"the request did not come within {self.limits.request_timeout_s:g} s")
