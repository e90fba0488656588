"""Footfall as it is deployed, for measuring: an engine and a process for each node, with data that ends with them."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.harness import quiet_children, scratch, until
from footfall.config import Config
from footfall.log.engine import Engine
from footfall.web.supervisor import Supervisor

LOG_BYTES_MAX = 8 << 30
READY_S = 60.0


class Running(NamedTuple):
    """A cluster that answers."""

    nats: str
    supervisor: Supervisor
    http: httpx.AsyncClient
    config: Config

    @property
    def urls(self) -> list[str]:
        """The nodes' URLs."""
        return self.supervisor.urls

    async def define(self, counter: str, unit: str = "visits") -> None:
        """Define a counter, and wait until all nodes know it."""
        answer = await self.http.put(f"{self.urls[0]}/v1/counters/{counter}", json={"unit": unit})
        answer.raise_for_status()

    async def value(self, counter: str, node: int = 0) -> int:
        """What a node says."""
        answer = await self.http.get(f"{self.urls[node]}/v1/counters/{counter}")
        return int(answer.raise_for_status().json()["value"])

    async def metric(self, name: str, node: int) -> float:
        """One number of a node's metrics, summed over its labels."""
        answer = await self.http.get(f"{self.urls[node]}/metrics")
        families = text_string_to_metric_families(answer.raise_for_status().text)
        return sum(sample.value for family in families for sample in family.samples if sample.name == name)

    async def ready(self, node: int) -> bool:
        """Whether a node counts and answers."""
        with contextlib.suppress(httpx.TransportError):
            return (await self.http.get(f"{self.urls[node]}/readyz")).status_code == 200
        return False


@contextlib.asynccontextmanager
async def cluster(nodes: int = 1, **settings: Any) -> AsyncIterator[Running]:
    """Start nodes on an engine of their own; stop them all."""
    with quiet_children(), scratch() as directory:
        async with contextlib.AsyncExitStack() as stack:
            engine = Engine(Path(directory), LOG_BYTES_MAX)
            url = await engine.start()
            stack.push_async_callback(engine.stop)
            config = Config(data=directory, http_port=0, nats=(url,), log_bytes_max=LOG_BYTES_MAX, **settings)
            supervisor = await stack.enter_async_context(Supervisor(config, nodes))
            client = await stack.enter_async_context(httpx.AsyncClient(timeout=10.0))
            running = Running(url, supervisor, client, config)
            for node in range(nodes):
                await until(lambda node=node: running.ready(node), READY_S, f"node {node} is ready")  # type: ignore[misc]
            yield running
