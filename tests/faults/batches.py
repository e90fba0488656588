"""Clients that pay many visits at a time, at a given rate, and an account of them that is small enough for millions."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from accounts import Account
from crowd import PATIENCE_S, Connection, UnansweredError
from load import RETRY_PAUSE_S, Load

BULK = "bulk"
LEAVES = 3  # counters
VISITS = 200  # of a batch
SENDERS = 24
BEHIND_MAX_S = 1.0  # a schedule that cannot be kept is given up, not caught up with
ANSWER_S = 4.0


class Batches:
    """The batches that were sent: batch n has the keys n:0 to n:199.

    Attributes:
        acknowledged: Numbers of those that were.
        sent: How many were sent, once or more.
        spooled: How many of the acknowledged ones were taken into a spool.
        retries: Attempts that were not acknowledged.
    """

    def __init__(self, load: Load) -> None:
        self.acknowledged: set[int] = set()
        self.sent = self.spooled = self.retries = 0
        self._load = load
        self._body = {"visitors": [f"visitor {number}" for number in range(VISITS)]}
        self._due_s = 0.0
        self._ending = False

    async def run(self, rate: float) -> None:
        """So many visits a second, as far as it is possible, until ``end``."""
        self._due_s = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(SENDERS):
                group.create_task(self._sender(number, VISITS / rate))

    def end(self) -> None:
        """No more batches; those under way are sent until they are acknowledged."""
        self._ending = True

    async def _sender(self, node: int, interval_s: float) -> None:
        connections: dict[str, Connection] = {}
        while not self._ending:
            now_s = time.monotonic()
            self._due_s = max(self._due_s + interval_s, now_s - BEHIND_MAX_S)
            number, self.sent = self.sent, self.sent + 1
            await asyncio.sleep(self._due_s - now_s)
            node = await self._pay(number, node + 1, connections)
        for connection in connections.values():
            connection.close()

    async def _pay(self, number: int, node: int, connections: dict[str, Connection]) -> int:
        async with asyncio.timeout(2 * PATIENCE_S):
            while True:
                url = list(self._load.nodes.values())[node % len(self._load.nodes)]
                connection = connections.setdefault(url, Connection(url))
                path = f"/v1/counters/{BULK}.{number % LEAVES}/visits"
                try:
                    status, answer = await connection.ask("POST", path, self._body, str(number), ANSWER_S)
                except UnansweredError:
                    status, answer = 0, {}
                assert status in (0, 202, 503), answer
                if status == 202:
                    self.acknowledged.add(number)
                    self.spooled += answer["stored"] == "spool"
                    return node
                self.retries += 1
                node += 1
                await asyncio.sleep(RETRY_PAUSE_S)


class BulkAccount(Account):
    """An account that keeps of batches only which of their visits are in the log."""

    def __init__(self) -> None:
        super().__init__()
        self.bulk: dict[int, bytearray] = {}

    def _section(self, sequence: int, entry: int, section: Any) -> None:
        leaf, _, _, _, keys, _ = section
        if leaf.partition(".")[0] != BULK:
            super()._section(sequence, entry, section)
            return
        for key in msgspec.msgpack.decode(keys):
            number, _, index = key.partition(":")
            self.bulk.setdefault(int(number), bytearray(VISITS))[int(index)] = 1


def check_batches(
    acknowledged: set[int], sent: int, bulk: Mapping[int, bytearray], shown: Mapping[str, int]
) -> list[str]:
    """What must not be; ``shown``: by node, what it shows for all of them."""
    found = [
        f"lost: {VISITS - sum(bulk.get(number, b''))} visits of batch {number}"
        for number in sorted(acknowledged)
        if sum(bulk.get(number, b"")) != VISITS
    ]
    found += [f"invented: batch {number}" for number in bulk if not 0 <= number < sent]
    held = sum(map(sum, bulk.values()))
    found += [
        f"{node} shows {value} visits in batches, and the log holds {held}"
        for node, value in shown.items()
        if value != held
    ]
    return found
