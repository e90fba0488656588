"""What a producer does at its bounds, and while the log does not answer: it refuses, and tells all who wait."""

import asyncio

import pytest
from node_desk import Desk, Single, outcomes
from node_line import Line, counted, soon

from footfall.core.visit import Visit
from footfall.errors import LogUnavailableError, OverloadedError
from footfall.node import producer


async def test_more_visits_than_may_be_gathered_are_refused_and_none_is_taken(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer, "GATHERED_VISITS_MAX", 3)
    desk = Desk(line)
    requests = [await desk.add_in_flight("a"), desk.add("a", "a", "a")]
    await soon()
    with pytest.raises(OverloadedError, match="3 visits wait"):
        await desk.add("a")
    assert not desk.producer.submit(desk.counter("a"), None, Single())
    with pytest.raises(OverloadedError):
        await desk.add_chunk("file", 0, 1, "a")
    assert desk.producer.gathered == 3
    line.release()
    await asyncio.gather(*requests)
    await desk.add("a")
    assert counted(desk.storage, "a") == 5


async def test_more_bytes_than_may_be_gathered_are_refused_and_none_is_taken(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer, "GATHERED_BYTES_MAX", 1_000)
    desk = Desk(line)
    requests = [await desk.add_in_flight("a"), desk.add(*(Visit("a", "x" * 200) for _ in range(5)))]
    await soon()
    with pytest.raises(OverloadedError):
        await desk.add("a")
    assert not desk.producer.submit(desk.counter("a"), None, Single())
    line.release()
    await asyncio.gather(*requests)
    assert counted(desk.storage, "a") == 6


async def test_more_chunks_than_may_wait_are_refused(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer, "CHUNKS_MAX", 2)
    desk = Desk(line)
    await desk.add_in_flight("a")
    chunks = [desk.add_chunk("file", 0, 10, "a"), desk.add_chunk("file", 10, 20, "a")]
    await soon()
    with pytest.raises(OverloadedError, match="2 chunks"):
        await desk.add_chunk("file", 20, 30, "a")
    line.release()
    await asyncio.gather(*chunks)
    await desk.add_chunk("file", 20, 30, "a")
    assert counted(desk.storage, "a") == 4


async def test_after_ten_seconds_all_who_wait_are_told_and_what_was_in_flight_counts_later_once(line: Line) -> None:
    desk = Desk(line)
    line.hold()
    requests = [desk.add("a")]
    await asyncio.sleep(0)  # it is gathered, and not in flight
    in_flight = desk.submit("a")
    await soon()
    gathered = desk.submit("a")
    requests.append(desk.add("a", "a"))
    chunk = desk.add_chunk("file", 0, 10, "c")
    await asyncio.sleep(9.9)
    assert not in_flight.errors
    assert not any(request.done() for request in (*requests, chunk))
    await asyncio.sleep(0.2)
    failed, dropped = await outcomes(requests)
    assert isinstance(failed, LogUnavailableError)
    assert "may still be counted" in str(failed)
    assert isinstance(dropped, LogUnavailableError)
    assert "nothing was counted" in str(dropped)
    assert [str(error) for error in in_flight.errors] == [str(failed)]
    assert [str(error) for error in gathered.errors] == [str(dropped)]
    with pytest.raises(LogUnavailableError, match="ask for the position"):
        await chunk
    assert desk.producer.gathered == desk.producer.pending(desk.counter("a").number) == 0
    line.release()
    await asyncio.sleep(1)
    assert counted(desk.storage, "a") == 2, "what was in flight, and nothing of what was gathered"
    assert not in_flight.receipts
    assert not gathered.receipts
    assert len(await desk.add("a")) == 1
    assert counted(desk.storage, "a") == 3


async def test_a_visit_that_nobody_waits_for_is_given_up_without_complaint(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(line)
    line.break_off()
    assert await desk.add("a", durable=False) == []
    await asyncio.sleep(11)
    line.mend()
    await asyncio.sleep(1)
    assert "never retrieved" not in caplog.text
    assert counted(desk.storage, "a") == 1


async def test_who_waits_behind_a_chunk_is_told_after_ten_seconds_too(line: Line) -> None:
    desk = Desk(line)
    line.hold()
    chunk = desk.add_chunk("file", 0, 10, "c")
    await soon()
    single, request = desk.submit("a"), desk.add("a")
    await asyncio.sleep(10.1)
    assert len(single.errors) == 1
    (error,) = await outcomes([request])
    assert isinstance(error, LogUnavailableError)
    line.release()
    await asyncio.sleep(1)
    assert chunk.exception() is not None
    assert counted(desk.storage, "a") == 0
    assert counted(desk.storage, "c") == 1, "the chunk was tried on"


async def test_who_comes_while_a_flush_has_been_tried_for_long_is_told_too(line: Line) -> None:
    desk = Desk(line)
    first = await desk.add_in_flight("a")
    await asyncio.sleep(12)
    assert isinstance(first.exception(), LogUnavailableError)
    second = desk.add("a")
    await asyncio.sleep(10.1)
    assert isinstance(second.exception(), LogUnavailableError)


async def test_the_log_is_away_a_second_after_it_stopped_to_answer_and_nothing_more_is_taken(line: Line) -> None:
    desk = Desk(line)
    line.break_off()
    requests = [desk.add("a")]
    await asyncio.sleep(0.9)
    assert not desk.producer.storing.away
    requests.append(desk.add("a"))
    await asyncio.sleep(0.2)
    assert desk.producer.storing.away
    with pytest.raises(LogUnavailableError, match="nothing was counted"):
        await desk.add("a")
    with pytest.raises(LogUnavailableError, match="send the chunk again later"):
        await desk.add_chunk("file", 0, 1, "a")
    assert not desk.producer.submit(desk.counter("a"), None, Single())
    assert desk.producer.gathered == 1
    line.mend()
    await asyncio.gather(*requests)
    assert not desk.producer.storing.away
    assert counted(desk.storage, "a") == 2


async def test_without_a_connection_nothing_is_taken(line: Line) -> None:
    desk = Desk(line)
    line.disconnect()
    assert desk.producer.storing.away
    with pytest.raises(LogUnavailableError):
        await desk.add("a")
    assert not desk.producer.submit(desk.counter("a"), None, Single())
    line.reconnect()
    assert len(await desk.add("a")) == 1


async def test_a_chunk_counts_whole_at_the_sequence_that_is_returned(line: Line) -> None:
    desk = Desk(line)
    visits = [Visit("people", f"visitor {number}") for number in range(20)]
    sequence = await desk.add_chunk("file", 0, 10, "a", *visits, "c")
    assert sequence == desk.storage.last
    *before, last = desk.batches()
    assert last.chunk is not None
    assert (last.chunk.source, last.chunk.start, last.chunk.end) == ("file", 0, 10)
    assert [section.leaf for section in last.sections] == ["a", "c"]
    assert {section.leaf for batch in before for section in batch.sections} == {"people"}
    assert counted(desk.storage, "people") == 20
    assert desk.producer.visits == 22


async def test_whoever_waits_is_told_if_a_producer_dies_of_what_nobody_foresaw(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(line)
    request, single = await desk.add_in_flight("a"), desk.submit("a")

    async def broken(subject: str, data: bytes, timeout_s: float = 5.0) -> int:
        raise AttributeError("a bug")

    monkeypatch.setattr(line, "publish", broken)
    line.lost = 1  # what is held fails, and is tried again
    line.release()
    with pytest.raises(AttributeError, match="a bug"):
        await desk.running
    (error,) = await outcomes([request])
    assert isinstance(error, LogUnavailableError)
    assert "may still be counted" in str(error)
    assert len(single.errors) == 1
