"""Three servers, and nodes on them, each a process, with wires between all of them that can be cut."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from wires import Wires

from footfall.log.engine import running_url
from footfall.log.streams import STREAM
from processes import HTTP, NatsCluster, NatsServer, NodeProcess, eventually

NODES = ("node1", "node2", "node3")
PARTITIONS = list(range(16))
SECRET = "the secret of the site"
SETTLE_S = 60.0
SETTINGS = ("--secret", SECRET, "--cut-interval-s", "5", "--closing-share", "0.2")


class Place:
    """Where nodes run.

    Attributes:
        nodes: By name; those that have left included.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, NodeProcess] = {}

    @property
    def urls(self) -> dict[str, str]:
        """Where the nodes that run listen."""
        return {name: node.url for name, node in self.nodes.items() if node.running()}

    def observed(self) -> list[Callable[[], str]]:
        """Where the log is read, past all wires."""
        raise NotImplementedError

    def whole(self) -> bool:
        """Whether all nodes are ready, hold nothing back, and share out all partitions."""
        running = [node for node in self.nodes.values() if node.running()]
        for node in running:
            ready = HTTP.get(f"{node.url}/readyz", timeout=2)
            assert ready.status_code == 200, (node.url, ready.text)
            assert node.metric("footfall_spool_visits") == 0, f"{node.url} has a spool"
            assert node.metric("footfall_nodes") == len(running), node.url
        return sorted(partition for node in running for partition in node.owned()) == PARTITIONS

    async def heal(self) -> None:
        """Return once the site is whole again."""
        await asyncio.to_thread(eventually, self.whole, SETTLE_S, "a whole site")

    def alarms(self) -> float:
        """How many alarms nodes have raised."""
        return sum(node.metric("footfall_alarms_total") for node in self.nodes.values() if node.running())


class Embedded(Place):
    """One node with the log that it brings."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.data = directory
        self.node = self.nodes["node1"] = NodeProcess(directory, "--node", "node1", *SETTINGS)

    def observed(self) -> list[Callable[[], str]]:
        """Its engine listens at another port after each start."""
        return [lambda: running_url(self.data) or "nats://127.0.0.1:1"]


class Site(Place):
    """A cluster that runs.

    Attributes:
        servers: By name.
    """

    def __init__(self, directory: Path, topology: str, wires: Wires, settings: Sequence[str] = SETTINGS) -> None:
        super().__init__()
        self.wires = wires
        self.cluster = NatsCluster(directory, wires.relay)
        self.servers = {server.name: server for server in self.cluster.servers}
        self._directory = directory
        self._arguments = ("--topology", topology, *settings)
        for name in NODES:
            self.add(name)

    def add(self, name: str) -> NodeProcess:
        """A node that is not started yet."""
        ways = [(server.name, self.wires.relay(name, server.name, server.port)) for server in self.cluster.servers]
        urls = ",".join(f"nats://127.0.0.1:{port}" for _, port in ways)
        arguments = ("--nats", urls, "--node", name, *self._arguments)
        self.nodes[name] = NodeProcess(self._directory / name, *arguments)
        return self.nodes[name]

    def observed(self) -> list[Callable[[], str]]:
        """Where the log is read, past all wires."""
        return [lambda server=server: server.url for server in self.servers.values()]  # type: ignore[misc]

    def whole(self) -> bool:
        """Whether that is true of the nodes, and all servers have the whole log."""
        return all(server.healthy() for server in self.cluster.servers) and super().whole()

    def leader(self) -> NatsServer:
        """The server that leads the log's group, as most of those that answer say."""

        def found() -> NatsServer | None:
            told = [leader for server in self.servers.values() if (leader := _leader_told(server)) in self.servers]
            most = max(told, key=told.count, default="")
            return self.servers[most] if told.count(most) > 1 else None

        leader: NatsServer = eventually(found, SETTLE_S, "a leader of the log")
        return leader

    def follower(self) -> NatsServer:
        """A server that does not lead it."""
        leader = self.leader()
        return next(server for server in self.servers.values() if server is not leader)


def _leader_told(server: NatsServer) -> str | None:
    with contextlib.suppress(httpx.HTTPError):
        details = server.jsz("streams=true").get("account_details", [])
        streams = [
            stream for account in details for stream in account.get("stream_detail", []) if stream["name"] == STREAM
        ]
        return streams[0]["cluster"].get("leader") if streams else None
    return None


@contextlib.contextmanager
def running_site(directory: Path, topology: str, settings: Sequence[str] = SETTINGS) -> Iterator[Site]:
    """A site that is whole; it is ended afterwards, whatever state it is in."""
    with Wires() as wires, ThreadPoolExecutor() as pool:
        site = Site(directory, topology, wires, settings)
        try:
            with contextlib.ExitStack() as stack:
                stack.enter_context(site.cluster)
                list(pool.map(NodeProcess.start, site.nodes.values()))
                stack.callback(lambda: list(pool.map(NodeProcess.stop, site.nodes.values())))
                eventually(site.whole, SETTLE_S, "a whole site")
                yield site
        finally:
            for process in (*site.nodes.values(), *site.cluster.servers):
                process.stop()
