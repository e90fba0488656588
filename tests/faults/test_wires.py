"""The relays carry everything in order, and nothing in a direction that is cut until it is healed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from wires import Wires

CUT_S = 0.1  # in which nothing may arrive


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """A server that sends back what it gets; yields its port. Everyone has to be gone at the end."""
    served: list[asyncio.Task[object] | None] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        while data := await reader.read(1 << 16):
            writer.write(data)
        await closed(writer)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*filter(None, served))


async def closed(writer: asyncio.StreamWriter) -> None:
    """Close it, and return once it is."""
    writer.close()
    await writer.wait_closed()


async def arrives(reader: asyncio.StreamReader, data: bytes) -> bool:
    """Whether these bytes come now."""
    try:
        async with asyncio.timeout(CUT_S):
            assert await reader.readexactly(len(data)) == data
    except TimeoutError:
        return False
    return True


async def test_a_direction_that_is_cut_keeps_everything_until_it_is_healed() -> None:
    with Wires() as wires:
        async with echo() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", wires.relay("a", "b", port))
            writer.write(b"before")
            assert await reader.readexactly(6) == b"before"
            for way in ({"outbound": False}, {"inbound": False}, {}):
                wires.cut("b", **way)
                writer.write(b"while")
                assert not await arrives(reader, b"while")
                assert wires.held > 0
                wires.heal("b")
                assert await reader.readexactly(5) == b"while"
            await closed(writer)


async def test_who_connects_while_a_way_is_cut_is_connected_when_it_is_healed() -> None:
    with Wires() as wires:
        async with echo() as port:
            at = wires.relay("a", "b", port)
            wires.cut("a", outbound=False)
            wires.cut("b", outbound=False)
            reader, writer = await asyncio.open_connection("127.0.0.1", at)
            writer.write(b"late")
            wires.heal("a")
            assert not await arrives(reader, b"late"), "b is still cut off"
            wires.heal("b")
            assert await reader.readexactly(4) == b"late"
            await closed(writer)


async def test_megabytes_pass_unchanged() -> None:
    with Wires() as wires:
        async with echo() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", wires.relay("a", "b", port))
            sent = bytes(range(256)) * (32 << 10)
            writer.write(sent)
            assert await reader.readexactly(len(sent)) == sent
            await closed(writer)
