"""What ``Store`` promises (``footfall.log.protocol``), on every kind of log."""

import asyncio

import pytest
from log_kinds import ONE, Logs

from footfall.errors import LogUnavailableError
from footfall.log.protocol import MESSAGE_BYTES_MAX


async def test_what_was_put_last_is_got_on_every_connection(logs: Logs) -> None:
    store, other = await logs.connect(), await logs.connect()
    assert await store.get("cut.1.part") is None
    await store.put("cut.1.part", b"first")
    assert await other.get("cut.1.part") == b"first"
    await other.put("cut.1.part", b"\x00\xff second")
    assert await store.get("cut.1.part") == b"\x00\xff second"
    await store.put("cut.1.part", b"")
    assert await other.get("cut.1.part") == b""


async def test_a_deleted_key_is_gone_and_others_are_not(logs: Logs) -> None:
    store, other = await logs.connect(), await logs.connect()
    for key in ("a", "a.b", "a.b.c", "a.bc", "A.b"):
        await store.put(key, key.encode())
    await other.delete("a.b")
    assert [await store.get(key) for key in ("a", "a.b", "a.b.c", "a.bc", "A.b")] == [
        b"a",
        None,
        b"a.b.c",
        b"a.bc",
        b"A.b",
    ]
    await other.delete("a.b")  # nothing to do is no error
    await other.delete("never.put")
    await store.put("a.b", b"again")
    assert await other.get("a.b") == b"again"


async def test_its_size_is_that_of_what_is_kept(logs: Logs) -> None:
    store = await logs.connect()
    assert await store.size() == 0
    await store.put("cut.1.part", bytes(100_000))
    await store.put("cut.2.part", bytes(200_000))
    await store.put("cut.2.part", bytes(50_000))
    assert 150_000 <= await store.size() <= 152_000
    await store.delete("cut.1.part")
    assert 50_000 <= await store.size() <= 52_000


async def test_keys_are_those_below_the_prefix_sorted(logs: Logs) -> None:
    store = await logs.connect()
    assert await store.keys("a") == []
    for key in ("a.b", "a.b.d", "a.b.c", "a.b.c.e.f.g", "a.bc", "a.bc.d", "b.a.b", "a"):
        await store.put(key, b"x")
    assert await store.keys("a.b") == ["a.b.c", "a.b.c.e.f.g", "a.b.d"]
    assert await store.keys("a") == ["a.b", "a.b.c", "a.b.c.e.f.g", "a.b.d", "a.bc", "a.bc.d"]
    assert await store.keys("a.b.c.e.f.g") == []
    await store.delete("a.b.c")
    assert await store.keys("a.b") == ["a.b.c.e.f.g", "a.b.d"]


async def test_many_keys_are_all_listed(logs: Logs) -> None:
    store = await logs.connect()
    keys = [f"blob.{number}.-_aZ09" for number in range(1200)]
    await asyncio.gather(*(store.put(key, b"") for key in keys))
    assert await store.keys("blob") == sorted(keys)
    assert await store.keys("blob.7") == ["blob.7.-_aZ09"]


async def test_a_blob_may_be_as_large_as_a_message(logs: Logs) -> None:
    store, other = await logs.connect(), await logs.connect()
    blob = bytes(range(250)) * (MESSAGE_BYTES_MAX // 250)
    assert len(blob) == MESSAGE_BYTES_MAX
    await asyncio.gather(*(store.put(f"blob.{number}", blob[number:]) for number in range(4)))
    assert [await other.get(f"blob.{number}") == blob[number:] for number in range(4)] == [True] * 4


async def test_the_store_takes_no_place_in_the_log(logs: Logs) -> None:
    log = await logs.connect()
    await log.publish(ONE, b"x")
    state = await log.state()
    await log.put("a.b", b"x")
    assert await log.state() == state
    await log.trim(2)
    assert await log.get("a.b") == b"x"


async def test_over_a_closed_connection_the_store_is_unavailable(logs: Logs) -> None:
    store, other = await logs.connect(), await logs.connect()
    await store.put("a.b", b"x")
    await store.close()
    for asking in (store.put("a.b", b"y"), store.get("a.b"), store.delete("a.b"), store.keys("a")):
        with pytest.raises(LogUnavailableError):
            await asking
    assert await other.get("a.b") == b"x"
