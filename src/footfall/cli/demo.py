"""``footfall demo``: three nodes, generated visits, live counts, and a check that every node counted exactly."""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import httpx
import msgspec
import uvloop

from footfall.cli import output
from footfall.cli.client import Client, Reading
from footfall.cli.demo_traffic import SITES, UNITS, Traffic
from footfall.cli.demo_view import Sample, View, view
from footfall.config import Config, Topology
from footfall.errors import ConfigError, FootfallError
from footfall.web.supervisor import Supervisor

NODES = 3
SECONDS_MAX = 3600.0
SAMPLE_S = 0.2
RATE_OVER_S = 1.0
CONVERGED_WITHIN_S = 30.0  # visits on their way take a fraction of a second; a node that was killed, some seconds
SEED = 7

Values = Mapping[str, int] | None


class _Page(msgspec.Struct):
    counters: list[Reading]


def run(seconds: float, topology: str, data: str | None, kill: bool) -> int:
    """Run the demo; returns 0 if every node shows exactly what was acknowledged."""
    if not 0 < seconds <= SECONDS_MAX:
        raise ConfigError(f"--seconds is {seconds:g}; it must be more than 0, and {SECONDS_MAX:g} at most")
    with contextlib.ExitStack() as stack:
        directory = Path(data or stack.enter_context(tempfile.TemporaryDirectory(prefix="footfall-demo-")))
        config = Config(data=str(directory), http_port=0, topology=Topology(topology))
        log = stack.enter_context(_stderr_to(directory))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                return runner.run(_Demo(config, seconds, kill).run())
            except FootfallError:
                sys.stdout.write("".join(f"  {line}\n" for line in log.read_text().splitlines()[-10:]))
                raise


class _Demo:
    def __init__(self, config: Config, seconds: float, kill: bool) -> None:
        self._config = config
        self._seconds = seconds
        self._kill = kill
        self._supervisor = Supervisor(config, NODES)
        self._stop = asyncio.Event()
        self._state = "counting"
        self._highest: list[dict[str, int]] = [{} for _ in range(NODES)]
        self._fell: list[str] = []

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        print(f"starting the engine and {NODES} nodes ({self._config.topology}) ...", flush=True)
        began = time.monotonic()
        async with self._supervisor as supervisor:
            urls = supervisor.urls
            print(f"ready after {time.monotonic() - began:.1f} s: {' '.join(urls)}\n", flush=True)
            await asyncio.to_thread(_define, urls[0])
            traffic = Traffic(urls, SEED)
            async with httpx.AsyncClient(trust_env=False, timeout=2.0) as http:
                with view(urls, UNITS, self._seconds) as shown:
                    elapsed_s = await self._count(http, urls, traffic, shown)
                    nodes, converged_s = await self._converge(http, urls, traffic, shown, elapsed_s)
            return self._verdict(traffic, nodes, elapsed_s, converged_s)

    async def _count(self, http: httpx.AsyncClient, urls: Sequence[str], traffic: Traffic, shown: View) -> float:
        """Send visits for the time asked, or until a signal."""
        began = time.monotonic()
        lately: deque[tuple[float, int]] = deque([(began, 0)])
        sending = asyncio.create_task(traffic.run(self._stop))
        while not self._stop.is_set() and not sending.done():
            await asyncio.sleep(SAMPLE_S)
            now = time.monotonic()
            lately.append((now, traffic.visits))
            while now - lately[0][0] > RATE_OVER_S:
                lately.popleft()
            rate = (lately[-1][1] - lately[0][1]) / max(now - lately[0][0], SAMPLE_S)
            nodes = await self._values(http, urls)
            shown.show(Sample(now - began, self._state, dict(traffic.acknowledged), nodes, rate))
            if self._kill and now - began > self._seconds / 2:
                self._kill_one()
            if now - began >= self._seconds:
                self._stop.set()
        await sending
        return time.monotonic() - began

    async def _converge(
        self, http: httpx.AsyncClient, urls: Sequence[str], traffic: Traffic, shown: View, elapsed_s: float
    ) -> tuple[Sequence[Values], float]:
        """Wait until every node shows what was acknowledged, or for so long that something must be wrong."""
        began = time.monotonic()
        while True:
            nodes = await self._values(http, urls)
            took_s = time.monotonic() - began
            exact = all(node == traffic.acknowledged for node in nodes)
            state = "all nodes agree" if exact else "no more visits: waiting for every node"
            shown.show(Sample(elapsed_s + took_s, state, dict(traffic.acknowledged), nodes, 0.0))
            if exact or took_s > CONVERGED_WITHIN_S:
                return nodes, took_s
            await asyncio.sleep(SAMPLE_S / 4)

    async def _values(self, http: httpx.AsyncClient, urls: Sequence[str]) -> list[Values]:
        nodes = await asyncio.gather(*(_read(http, url) for url in urls))
        for number, node in enumerate(nodes):
            highest = self._highest[number]
            for counter, value in (node or {}).items():
                if value < highest.get(counter, 0):
                    self._fell.append(f"node {number + 1} showed {value:,} for {counter} after {highest[counter]:,}")
                highest[counter] = max(value, highest.get(counter, 0))
        return nodes

    def _kill_one(self) -> None:
        pid = self._supervisor.pids[-1]
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            self._state = f"counting; node {NODES} was killed (kill -9)"
        self._kill = False

    def _verdict(self, traffic: Traffic, nodes: Sequence[Values], elapsed_s: float, converged_s: float) -> int:
        exact = sum(node == traffic.acknowledged for node in nodes)
        counted = min((sum(_leaves(node)) for node in nodes if node is not None), default=0)
        sent = sum(_leaves(traffic.acknowledged))
        rate = traffic.visits / max(elapsed_s, 0.001)
        again = f"; {output.count(traffic.resent, 'chunk')} sent again" if traffic.resent else ""
        agreed = f"all nodes agreed {converged_s:.1f} s after the last" if exact == NODES else "the nodes do not agree"
        print(f"\n{rate:,.0f} visits/s for {elapsed_s:.1f} s, each durable before it was acknowledged{again}\n{agreed}")
        verdict = f"sent {sent:,} · counted {counted:,} · exact on "
        if exact == NODES and not self._fell:
            print(f"{verdict}all {NODES} nodes")
            return 0
        print(f"{verdict}{exact} of {NODES} nodes")
        for number, node in enumerate(nodes, 1):
            for counter, expected in traffic.acknowledged.items():
                value = None if node is None else node.get(counter, 0)
                if value != expected:
                    shown = "no answer" if value is None else f"{value:,}"
                    print(f"  node {number}: {counter} is {shown}, and should be {expected:,}")
        for text in self._fell[:10]:
            print(f"  {text}")
        return 1


def _define(url: str) -> None:
    with Client(url) as client:
        if any(True for _ in client.counters()):
            raise ConfigError("the data directory holds counts already: the demo needs a new one, or none")
        for counter, unit in UNITS.items():
            client.define(counter, unit)


async def _read(http: httpx.AsyncClient, url: str) -> Values:
    try:
        answer = await http.get(f"{url}/v1/counters", params={"limit": "1000"})
        page = msgspec.json.decode(answer.content, type=_Page) if answer.is_success else None
    except (httpx.TransportError, msgspec.MsgspecError):
        return None
    return None if page is None else {one.counter: one.value for one in page.counters if one.counter in UNITS}


def _leaves(values: Mapping[str, int]) -> Iterator[int]:
    """What is counted apart: google is the sum of its sites, and shop counts visitors."""
    return (value for counter, value in values.items() if counter in SITES)


@contextlib.contextmanager
def _stderr_to(directory: Path) -> Iterator[Path]:
    """Nodes tell what they do on stderr, which would tear the table: it goes to a file."""
    path = directory / "demo.log"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        log = path.open("w")
    except OSError as error:
        raise ConfigError(f"the data directory {directory} cannot be used: {error.strerror}") from None
    kept = os.dup(2)
    with log:
        os.dup2(log.fileno(), 2)
    try:
        yield path
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
