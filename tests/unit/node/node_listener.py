"""A connection that keeps what a stream writes to it, and reads or does not, as a test wants."""

from typing import Any, NamedTuple

import msgspec


class Event(NamedTuple):
    """An event as a client reads it."""

    name: str
    id: str
    data: Any

    @property
    def position(self) -> int:
        return int(self.id.partition("-")[0])


def parsed(text: bytes) -> list[Event]:
    """The events of a stream."""
    found = []
    for block in text.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if "data" in fields:
            found.append(Event(fields["event"], fields["id"], msgspec.json.decode(fields["data"])))
    return found


def unchunked(data: bytes) -> bytes:
    """The body of an answer in chunks."""
    body = b""
    while data:
        size, _, rest = data.partition(b"\r\n")
        length = int(size, 16)
        assert rest[length : length + 2] == b"\r\n"
        body, data = body + rest[:length], rest[length + 2 :]
    return body


class Listener:
    """The connection. ``clogged``: whether it is not read."""

    def __init__(self) -> None:
        self.clogged = False
        self.written: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.written.append(data)

    @property
    def text(self) -> bytes:
        return unchunked(b"".join(self.written))

    @property
    def events(self) -> list[Event]:
        return parsed(self.text)

    def named(self, name: str) -> list[Event]:
        return [event for event in self.events if event.name == name]

    @property
    def values(self) -> list[int]:
        """What ``value`` events told."""
        return [event.data["value"] for event in self.named("value")]
