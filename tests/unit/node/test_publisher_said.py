"""What a node says of a log that takes nothing: once, and once more when it takes messages again."""

import asyncio

import pytest
from node_line import Line

from footfall.log.memory import Storage
from footfall.node.publisher import Publisher


async def test_a_log_that_is_away_is_said_once_though_one_message_after_the_other_is_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line = Line(Storage(1))
    publisher = Publisher(line, "n1")
    line.disconnect()
    for _ in range(3):  # as messages are that go to the spool
        trying = asyncio.create_task(publisher.publish("footfall.visits.0", b"x"))
        await asyncio.sleep(1)
        trying.cancel()
        await asyncio.gather(trying, return_exceptions=True)
    line.reconnect()
    for _ in range(2):
        await publisher.publish("footfall.visits.0", b"x")
    assert caplog.messages == [
        "the log takes nothing now, and is tried on: the log cannot be reached",
        "the log takes messages again",
    ]
