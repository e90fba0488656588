"""A nats-server and nodes as processes, for the tests of pages; and what tests do to them."""

import contextlib
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import httpx

from processes import NatsServer, NodeProcess, free_ports

SETTINGS = ("--closing-soon-s", "1")


SECRET = secrets.token_hex(32)


class Site:
    """Three nodes on a server of their own; none is started again unless a test does it."""

    def __init__(self, directory: Path) -> None:
        self.server = NatsServer(directory / "nats", "single", *free_ports(2))
        ports = free_ports(3)
        self.nodes = [
            NodeProcess(directory / f"node-{n}", "--nats", self.server.url, "--node", f"node-{n}", *SETTINGS, port=port)
            for n, port in enumerate(ports)
        ]
        for node in self.nodes:
            node._env["FOOTFALL_SECRET"] = SECRET
        self.url = self.nodes[0].url

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack, ThreadPoolExecutor() as pool:
            stack.callback(self.__exit__)
            self.server.start()
            list(pool.map(NodeProcess.start, self.nodes))
            stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(NodeProcess.stop, self.nodes))
        self.server.stop()

    def visit(self, counter: str, count: int = 1, node: int = 1) -> None:
        """Count visits, at a node that no page shows."""
        answer = httpx.post(f"{self.nodes[node].url}/v1/counters/{counter}/visits", json={"count": count})
        assert answer.status_code == 202, answer.text

    def visits(self, visits: Sequence[tuple[str, str]], node: int = 1) -> list[str]:
        """Count one visit for each counter and visitor; returns their receipts."""
        asked = [{"counter": counter, "visitor": visitor} for counter, visitor in visits]
        answer = httpx.post(f"{self.nodes[node].url}/v1/visits", json={"visits": asked})
        assert answer.status_code == 202, answer.text
        receipts: list[str] = answer.json()["receipts"]
        return receipts
