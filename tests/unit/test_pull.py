"""A reader of the log, with a server that says what a test wants it to say."""

import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
from nats.aio.msg import Msg

from footfall.core.position import Position
from footfall.errors import LogTrimmedError
from footfall.log import pull
from footfall.log.protocol import Delivery

Say = Callable[[Msg], Awaitable[None]]


class Clock:
    """A clock that goes on when it is told."""

    now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


class Server:
    """A consumer on one server, whose copy of the log may be behind what the log is."""

    is_connected = True

    def __init__(self) -> None:
        self.first = 1
        self.asked = 0
        self.answers: list[int] = []  # to each request: a sequence, or 0 if nothing is new
        self._numbers = itertools.count(1)
        self._say: Say

    def new_inbox(self) -> str:
        return "inbox"

    async def subscribe(self, subject: str, cb: Say, **limits: int) -> "Server":
        self._say = cb
        return self

    async def unsubscribe(self) -> None:
        return None

    async def publish(self, subject: str, payload: bytes, reply: str = "") -> None:
        if reply:
            if sequence := self.answers.pop(0):
                ack = f"$JS.ACK.FOOTFALL.pull.1.{sequence}.{next(self._numbers)}.0.0"
                await self._say(Msg(_client=None, subject="footfall.control", reply=ack, data=b"x"))  # type: ignore[arg-type]
            await self._say(Msg(_client=None, subject=reply, headers={"Status": "408"}))  # type: ignore[arg-type]

    async def call(self, subject: str, body: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        return {"num_pending": 0}

    async def first_sequence(self) -> int:
        self.asked += 1
        return self.first

    async def check(self, position: Position) -> None:
        if position.sequence and self.first > position.sequence + 1:
            raise LogTrimmedError(f"it starts at {self.first}, and {position.sequence} was read")

    def deliveries(self) -> AsyncGenerator[Delivery, None]:
        begin = Position("begun")
        subjects = ["footfall.control"]
        return pull.PullLoop(
            self,  # type: ignore[arg-type]
            self.call,
            "FOOTFALL",
            subjects,
            begin,
            self.check,
            self.first_sequence,
        ).deliveries()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pull, "time", clock)
    return clock


async def test_what_was_trimmed_while_a_server_was_cut_off_and_said_that_nothing_is_new_is_not_left_out(
    clock: Clock,
) -> None:
    server = Server()
    server.answers = [75, 0, 0, 0, 90]
    async with aclosing(server.deliveries()) as deliveries:
        assert [message.sequence for message in (await anext(deliveries)).messages] == [75]
        for _ in range(3):  # the others go on meanwhile, and trim
            clock.now_s += pull.EXPIRES_S
            assert (await anext(deliveries)).messages == []
        clock.now_s += pull.EXPIRES_S
        server.first = 90  # it hears them again
        with pytest.raises(LogTrimmedError, match="75 was read"):
            await anext(deliveries)


async def test_who_is_sent_messages_all_the_time_does_not_ask_where_the_log_begins(clock: Clock) -> None:
    server = Server()
    server.answers = list(range(1, 101))
    async with aclosing(server.deliveries()) as deliveries:
        for sequence in range(1, 101):
            clock.now_s += pull.EXPIRES_S / 100
            assert (await anext(deliveries)).messages[0].sequence == sequence
    assert server.asked == 1
