"""What a server says of its streams, for whoever examines them; decides nothing."""

import json
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

from footfall.errors import LogUnavailableError
from footfall.log.api import unix_ns

MONITOR_TIMEOUT_S = 5.0
HEARD_MAX_NS = 3_000_000_000  # servers of a group hear each other every second


class StreamFacts(NamedTuple):
    """One stream.

    Attributes:
        name: The stream.
        config: As the server has it; empty if there is no such stream.
        messages, first, last, bytes: What it holds.
        deleted: How many sequences between first and last it lacks.
        consumers: How many read it.
        lagging: Servers that have a copy, and are away or behind.
        time_ns: The server's clock when it said so.
    """

    name: str
    config: dict[str, Any]
    messages: int = 0
    first: int = 0
    last: int = 0
    deleted: int = 0
    bytes: int = 0
    consumers: int = 0
    lagging: tuple[str, ...] = ()
    time_ns: int = 0


def stream_facts(name: str, info: dict[str, Any]) -> StreamFacts:
    """The facts in an answer to STREAM.INFO; an empty answer means that there is no stream."""
    if not info:
        return StreamFacts(name, {})
    state, copies = info["state"], (info.get("cluster") or {}).get("replicas") or []
    lagging = tuple(copy["name"] for copy in copies if copy.get("offline") or not copy.get("current"))
    return StreamFacts(
        name,
        info["config"],
        state["messages"],
        state["first_seq"],
        state["last_seq"],
        state.get("num_deleted", 0),
        state["bytes"],
        state.get("consumer_count", 0),
        lagging,
        unix_ns(info["ts"]) if "ts" in info else 0,
    )


def has_quorum(info: dict[str, Any]) -> bool:
    """Whether the server that answered STREAM.INFO has lately heard most of those that have a copy, and knows a leader.

    One that was paused, or cut off from the others, answers from the past and does not know it yet. While there is no
    leader, any of them may answer.
    """
    group = info.get("cluster") or {}
    copies = group.get("replicas") or []
    if copies and not group.get("leader"):
        return False
    heard: int = sum(not copy.get("offline") and copy.get("active", 0) < HEARD_MAX_NS for copy in copies)
    return 2 * (heard + 1) > len(copies) + 1


def syncs_always(monitor: str) -> bool:
    """Whether a server fsyncs before it acknowledges, as its monitoring port (http://HOST:8222) tells.

    Raises:
        LogUnavailableError: It does not tell.
    """
    url = monitor.rstrip("/") + "/jsz?config=1"
    if not url.startswith(("http://", "https://")):
        raise LogUnavailableError(f"{monitor!r} is no monitoring URL; write http://HOST:8222")
    try:
        with urlopen(url, timeout=MONITOR_TIMEOUT_S) as answer:  # noqa: S310  # http(s) only, as the operator named it
            config = json.loads(answer.read(1 << 20)).get("config") or {}
    except (URLError, HTTPException, OSError, ValueError) as error:
        raise LogUnavailableError(f"it does not tell: {getattr(error, 'reason', None) or error}") from None
    return bool(config.get("sync_always"))
