"""Real processes for tests: nats-servers alone or in a cluster, and Footfall's nodes; each can be killed and come back.

Every process is ended by its own id. Ports are asked of the system, data lives in the test's directory.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import httpx

from footfall.log.engine import find_binary

START_TIMEOUT_S = 30.0
HTTP = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0))  # httpx.get loads all authorities: 20 ms each
PORTS_FROM, PORTS_EACH, PORTS_APART = 10_000, 4_400, 12
CLUSTER_PAGE = Path(__file__).parents[1] / "docs" / "cluster.md"


def documented_settings() -> str:
    """A server's settings, as the page on clusters tells them."""
    found = re.search(r"```nats\.conf\n(.*?)```", CLUSTER_PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


ALONE = documented_settings().partition("cluster {")[0]


def free_ports(count: int) -> list[int]:
    """Ports of the loopback, one after the other, that nobody listens on, and the next few neither.

    They are below those that the system gives to outgoing connections, and each process of tests has its own part: what
    is free must still be free when a server that was started a second later wants it.
    """
    for _ in range(PORTS_EACH):
        first = next(_ports)
        if all(map(_can_be_had, range(first, first + count))):
            return list(range(first, first + count))
    raise AssertionError("no port is free")


def _ports_of(worker: int) -> Iterator[int]:
    start = os.getpid() * 37
    while True:
        yield PORTS_FROM + worker * PORTS_EACH + start % (PORTS_EACH - PORTS_APART)
        start += PORTS_APART


def _can_be_had(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


_ports = _ports_of(int(os.environ.get("PYTEST_XDIST_WORKER", "gw4").removeprefix("gw")) % 5)


def eventually(check: Callable[[], Any], timeout_s: float = 20.0, what: str = "it") -> Any:
    """What ``check`` returns, once that is true; it may raise httpx errors and assertion errors until then."""
    deadline_s = time.monotonic() + timeout_s
    last: object = None
    while time.monotonic() < deadline_s:
        try:
            last = check()
            if last:
                return last
        except (httpx.HTTPError, AssertionError) as error:
            last = repr(error)
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come about in {timeout_s} s; last: {last}")


class Process:
    """A child process that can be killed and started again."""

    def __init__(self, command: list[str], log: Path, env: dict[str, str] | None = None) -> None:
        self._command = command
        self._log = log
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The running process's id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and return once it is ready."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._env)

    def wait_ready(self) -> None:
        """Return once it is ready."""

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to it, and wait for its end."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(timeout=30)

    def pause(self) -> None:
        """Stop it without ending it; returns when each of its threads stands still."""
        os.kill(self.pid, signal.SIGSTOP)
        eventually(self._stands_still, what="the stop")

    def _stands_still(self) -> bool:
        if not Path("/proc/self/task").exists():  # macOS
            return True
        try:
            stats = [path.read_text() for path in Path(f"/proc/{self.pid}/task").glob("*/stat")]
        except OSError:  # a thread ended just now
            return False
        return all(stat.rpartition(")")[2].split()[0] in "TtZX" for stat in stats)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def said(self) -> str:
        """All that it has written."""
        return self._log.read_text(errors="replace")

    def stop(self) -> None:
        """End it if it runs."""
        if self.running():
            self.resume()
            self.kill(signal.SIGTERM)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


class NatsServer(Process):
    """A nats-server with JetStream that syncs before it acknowledges."""

    def __init__(self, directory: Path, name: str, port: int, monitor: int, settings: str = ALONE) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.port = port
        self.url = f"nats://127.0.0.1:{port}"
        self.store = directory / "jetstream"
        self._monitor = monitor
        config = directory / "nats.conf"
        for documented, ours in {
            "server_name: nats1": f"server_name: {name}",
            "10.0.0.1:4222": f"127.0.0.1:{port}",
            "127.0.0.1:8222": f"127.0.0.1:{monitor}",
            "/var/lib/nats": str(self.store),
        }.items():
            assert documented in settings
            settings = settings.replace(documented, ours)
        config.write_text(settings)
        super().__init__([find_binary(), "-c", str(config)], directory / "nats.log")

    def wait_ready(self) -> None:
        """Healthy, JetStream included; a member of a cluster only once that has a leader: see ``NatsCluster``."""
        url = f"http://127.0.0.1:{self._monitor}/healthz?js-server-only=true"
        eventually(lambda: HTTP.get(url).status_code == 200, START_TIMEOUT_S, "the nats-server")

    def healthy(self) -> bool:
        """Whether it has all that the others have."""
        return HTTP.get(f"http://127.0.0.1:{self._monitor}/healthz", timeout=1).status_code == 200

    def jsz(self, query: str = "") -> dict[str, Any]:
        """What it says of JetStream."""
        said: dict[str, Any] = HTTP.get(f"http://127.0.0.1:{self._monitor}/jsz?{query}", timeout=1).json()
        return said


class NatsCluster:
    """Three nats-servers that replicate.

    Args:
        directory: For their data.
        relay: Where one reaches what another has at a port: (from whom, to whom, port) → port. By default directly.
    """

    def __init__(self, directory: Path, relay: Callable[[str, str, int], int] = lambda *way: way[2]) -> None:
        ports = free_ports(9)
        names = ["nats1", "nats2", "nats3"]
        self.servers = []
        for n, name in enumerate(names):
            routes = [
                f"nats://127.0.0.1:{port if other == name else relay(name, other, port)}"
                for other, port in zip(names, ports[6:], strict=True)
            ]
            settings = documented_settings().replace("10.0.0.1:6222", f"127.0.0.1:{ports[6 + n]}", 1)
            settings, replaced = re.subn(r"routes: \[.*?\]", f"routes: {json.dumps(routes)}", settings)
            assert replaced == 1
            self.servers.append(NatsServer(directory / name, name, ports[n], ports[3 + n], settings))

    @property
    def urls(self) -> str:
        """All servers, as --nats takes them."""
        return ",".join(server.url for server in self.servers)

    def __enter__(self) -> Self:
        for server in self.servers:
            server.start()
        eventually(self._led, START_TIMEOUT_S, "the election")
        return self

    def _led(self) -> bool:
        """Whether they can make a stream."""
        return all(server.jsz().get("meta_cluster", {}).get("leader") for server in self.servers)

    def __exit__(self, *error: object) -> None:
        for server in self.servers:
            server.stop()


class NodeProcess(Process):
    """``footfall serve``: one node as a process."""

    def __init__(self, directory: Path, *arguments: str, port: int = 0, log: str = "node.log") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = port or free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "footfall.cli", "serve", "--http", f"127.0.0.1:{self.port}"]
        super().__init__([*command, "--data", str(directory), *arguments], directory / log)

    def wait_ready(self) -> None:
        """Ready to count and to answer."""

        def ready() -> bool:
            assert self.running(), self.said()[-2000:]
            return HTTP.get(f"{self.url}/readyz", timeout=2).status_code == 200

        eventually(ready, START_TIMEOUT_S, "the node")

    @property
    def engine_pid(self) -> int:
        """The nats-server that it started."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return next(int(child) for child in children if "nats" in Path(f"/proc/{child}/comm").read_text())

    def value(self, counter: str) -> int:
        """The counter's value as this node answers it."""
        answer = HTTP.get(f"{self.url}/v1/counters/{counter}", timeout=5)
        assert answer.status_code == 200, answer.text
        value: int = answer.json()["value"]
        return value

    def owned(self) -> list[int]:
        """The partitions that it counts."""
        answer = HTTP.get(f"{self.url}/v1/nodes", timeout=5)
        assert answer.status_code == 200, answer.text  # a node that has too much to do says 503
        return next(node["partitions"] for node in answer.json()["nodes"] if node["self"])

    def metric(self, name: str) -> float:
        """A metric's value, all labels summed."""
        lines = HTTP.get(f"{self.url}/metrics", timeout=5).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)


class Ingest(Process):
    """``footfall ingest`` of a file, in the background."""

    def __init__(self, file: Path, counter: str, url: str, log: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "footfall.cli", "ingest", str(file), "--counter", counter, "--url", url]
        super().__init__([*command, "--format", "lines", *arguments], log)

    def finish(self, timeout_s: float = 90.0) -> int:
        """Wait for its end; returns its exit code."""
        assert self._process is not None
        return self._process.wait(timeout=timeout_s)
