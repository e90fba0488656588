"""Speaks HTTP in bytes, to see what is really sent."""

import asyncio
from typing import NamedTuple


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def request(
    path: str = "/v1/counters/shop/visits",
    body: bytes = b'{"visitor":"a"}',
    headers: str = "",
    method: str = "POST",
    version: str = "1.1",
    length: bool = True,
) -> bytes:
    head = f"{method} {path} HTTP/{version}\r\nHost: x\r\n{headers}"
    if length:
        head += f"Content-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def get(path: str = "/v1/counters/shop") -> bytes:
    return request(path, b"", method="GET", length=False)


async def read_answer(reader: asyncio.StreamReader, bodiless: bool = False) -> Answer:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    pairs = [line.split(": ", 1) for line in lines[1:] if line]
    headers = {name.lower(): value for name, value in pairs}
    assert len(headers) == len(pairs), lines
    body = b"" if bodiless else await reader.readexactly(int(headers.get("content-length", 0)))
    return Answer(int(lines[0].split()[1]), headers, body)


async def talk(port: int, *chunks: bytes, answers: int = 1, bodiless: bool = False) -> list[Answer]:
    """Send chunks one by one, and read so many answers, or as many as come before the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(0.002)
        found: list[Answer] = []
        while len(found) < answers and not await asyncio.wait_for(at_end(reader), 10):
            found.append(await asyncio.wait_for(read_answer(reader, bodiless), 10))
        return found
    finally:
        writer.close()


async def at_end(reader: asyncio.StreamReader) -> bool:
    """Whether the server has closed and nothing more is to be read; waits until that is known.

    If a byte of ours crossed its end, it was reset, and there is no end of file.
    """
    while not reader._buffer and not reader.at_eof() and reader.exception() is None:  # type: ignore[attr-defined]  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0.0005)
    return not reader._buffer  # type: ignore[attr-defined]


async def closes(reader: asyncio.StreamReader) -> bool:
    return await asyncio.wait_for(reader.read(1), 10) == b""
