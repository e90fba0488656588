"""Reads a stream of server-sent events, line by line, and knows where to take it up again. Pure."""

from typing import Any

import msgspec

from footfall.errors import UnavailableError

DATA_BYTES_MAX = 1 << 20  # of one event; a winner has some 500


class Event(msgspec.Struct, frozen=True):
    """Something that happened to a counter.

    Attributes:
        kind: ``value``, ``phase`` or ``winner``.
        data: What the node says of it: as ``GET /v1/counters/{name}`` answers, or a milestone.
    """

    kind: str
    data: Any


class EventParser:
    """The state of one stream, over several connections."""

    def __init__(self) -> None:
        self._last_id: str | None = None
        self.begin()

    @property
    def headers(self) -> dict[str, str]:
        """What asks a node to go on behind the last event."""
        return {} if self._last_id is None else {"last-event-id": self._last_id}

    def begin(self) -> None:
        """A connection begins: half an event of the last one is forgotten."""
        self._kind = ""
        self._data: list[str] = []
        self._id: str | None = None

    def line(self, line: str) -> Event | None:
        """The event that a line ends, if it ends one. Raises UnavailableError if no node writes so."""
        if line:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                self._kind = value
            elif field == "data":
                self._data.append(value)
                if sum(map(len, self._data)) > DATA_BYTES_MAX:
                    raise UnavailableError(f"an event has more than {DATA_BYTES_MAX} bytes")
            elif field == "id":
                self._id = value
            return None
        kind, data, number = self._kind, "\n".join(self._data), self._id
        self.begin()
        if not data:
            return None
        if number is not None:
            self._last_id = number
        try:
            return Event(kind or "message", msgspec.json.decode(data))
        except msgspec.MsgspecError as error:
            raise UnavailableError(f"an event is no JSON ({error}): {data[:60]!r}") from None
