"""``footfall demo``: a raffle on three nodes, with live counts, the winners, and a check that all of it is exact."""

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
from typing import NamedTuple

import httpx
import msgspec
import uvloop

from footfall.cli.client import Reading
from footfall.cli.demo_raffle import TIMEOUT_S, Raffle
from footfall.cli.demo_traffic import COUNTERS, SITES, SUM, Traffic
from footfall.cli.demo_view import Sample, View, view
from footfall.config import Config, Topology
from footfall.core.routing import ranking
from footfall.core.vector import ENTRY_MAX
from footfall.errors import ConfigError, FootfallError
from footfall.ordinals import counted, ordinal
from footfall.web.supervisor import Supervisor
from footfall.web.wire import NodeList

NODES = 3
TO_MIN = 100  # below it half of a site's share is no milestone
RATE_MAX = 1_000_000.0
SINGLES_MAX = 300  # the last visitors before the milestone come one by one
CLOSING_SOON_S = 3.0  # not a minute, which is longer than the whole raffle: the phase should be seen to turn
AFTER_S = 1.0  # visits go on for so long after the milestone: nothing stops counting
SECONDS_MAX = 600.0  # a raffle that takes longer is given up
SAMPLE_S = 0.1
RATE_OVER_S = 1.0
CONVERGED_WITHIN_S = 30.0  # visits on their way take a fraction of a second; a node that was killed, some seconds
SEED = 7

Values = Mapping[str, int] | None


class Wishes(NamedTuple):
    """What the raffle is to be like: N, what was counted before, visits a second, whether a node is killed."""

    to: int
    start: int
    rate: float
    kill: bool


class _Page(msgspec.Struct):
    counters: list[Reading]


def run(wishes: Wishes, topology: str, data: str | None) -> int:
    """Run the demo; returns 0 if every node shows exactly what was acknowledged, and the same winners."""
    _check(wishes)
    with contextlib.ExitStack() as stack:
        directory = Path(data or stack.enter_context(tempfile.TemporaryDirectory(prefix="footfall-demo-")))
        config = Config(data=str(directory), http_port=0, topology=Topology(topology), closing_soon_s=CLOSING_SOON_S)
        log = stack.enter_context(_stderr_to(directory))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                return runner.run(_Demo(config, wishes).run())
            except FootfallError:
                sys.stdout.write("".join(f"  {line}\n" for line in log.read_text().splitlines()[-10:]))
                raise


def _check(wishes: Wishes) -> None:
    if not 0 <= wishes.start <= ENTRY_MAX:
        raise ConfigError(f"--start is {wishes.start}; it must be a whole number from 0 to 2**63 - 1")
    if not wishes.start + TO_MIN <= wishes.to <= ENTRY_MAX:
        raise ConfigError(f"--to is {wishes.to}; it must be at least {TO_MIN} above --start, which is {wishes.start}")
    if not 1 <= wishes.rate <= RATE_MAX:
        raise ConfigError(f"--rate is {wishes.rate:g}; it must be from 1 to {RATE_MAX:,.0f} visits a second")


class _Demo:
    def __init__(self, config: Config, wishes: Wishes) -> None:
        self._config = config
        self._wishes = wishes
        self._kill = wishes.kill
        self._supervisor = Supervisor(config, NODES)
        self._stop = asyncio.Event()
        self._state = "counting, available all the way"
        self._phase = "ap"
        self._highest: list[dict[str, int]] = [{} for _ in range(NODES)]
        self._fell: list[str] = []

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        print(f"starting the engine and {NODES} nodes ({self._config.topology}) ...", flush=True)
        began = time.monotonic()
        async with self._supervisor as supervisor, httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S) as http:
            urls, wishes = supervisor.urls, self._wishes
            print(f"ready after {time.monotonic() - began:.1f} s: {' '.join(urls)}", flush=True)
            raffle = Raffle(urls, wishes.to, wishes.start, self._config.data)
            await raffle.prepare(http)
            self._introduce(raffle)
            singles = min(SINGLES_MAX, (wishes.to - wishes.start) // 2)
            traffic = Traffic(urls, SEED, wishes.rate, wishes.to - wishes.start - singles, wishes.start)
            with view(urls, wishes.start) as shown:
                elapsed_s = await self._count(http, urls, traffic, raffle, shown)
                nodes, converged_s = await self._converge(http, urls, traffic, raffle, shown, elapsed_s)
            if not raffle.over:
                print("\nended before the milestones were reached" if self._stop.is_set() else "")
            fine = await raffle.check(http, traffic) if raffle.over else False
            return self._verdict(traffic, nodes, elapsed_s, converged_s) or (0 if fine else 1)

    def _introduce(self, raffle: Raffle) -> None:
        wishes = self._wishes
        if wishes.start:
            print(f"imported into {SUM}: {wishes.start:,}, a count from before; none of these visits came here")
        print(f"a prize for the {ordinal(wishes.to)} visitor of {SUM}, all sites together,")
        print(f"and one for the {ordinal(raffle.site_n)} of google.gmail alone\n", flush=True)

    async def _count(
        self, http: httpx.AsyncClient, urls: Sequence[str], traffic: Traffic, raffle: Raffle, shown: View
    ) -> float:
        """Send visits until the milestones are reached, and a little longer; or until a signal."""
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
            await raffle.look(http)
            await self._turn(http, urls, raffle)
            shown.show(self._sample(now - began, traffic, nodes, rate, raffle))
            done_s = max(raffle.reached_s.values()) if raffle.over else now
            if now - done_s > AFTER_S or now - began > SECONDS_MAX:
                self._stop.set()
        await sending
        return time.monotonic() - began

    async def _turn(self, http: httpx.AsyncClient, urls: Sequence[str], raffle: Raffle) -> None:
        """Tell what has changed; and kill the node that judges at the most delicate moment, if that is wished."""
        milestone = raffle.milestones.get(SUM)
        if milestone is None:
            return
        if milestone.state == "closing" and not self._state.startswith("node"):
            self._state = "the milestone is near: one judge counts every visit in the order of the log"
            if self._kill:
                self._kill = False
                await self._kill_judge(http, urls)
        elif milestone.state == "reached":
            self._state = "reached; counting goes on"

    async def _kill_judge(self, http: httpx.AsyncClient, urls: Sequence[str]) -> None:
        answer = await http.get(f"{urls[0]}/v1/nodes")
        nodes = {node.id: node.url for node in msgspec.json.decode(answer.content, type=NodeList).nodes}
        judging = nodes[ranking(f"judge {SUM}", nodes)[0]]
        number = list(urls).index(judging)
        pid = self._supervisor.pids[number]
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            self._state = f"node {number + 1}, which judged, was killed (kill -9); another one judges"

    async def _converge(
        self,
        http: httpx.AsyncClient,
        urls: Sequence[str],
        traffic: Traffic,
        raffle: Raffle,
        shown: View,
        elapsed_s: float,
    ) -> tuple[Sequence[Values], float]:
        """Wait until every node shows what was acknowledged, or for so long that something must be wrong."""
        began = time.monotonic()
        while True:
            nodes = await self._values(http, urls)
            await raffle.look(http)
            took_s = time.monotonic() - began
            exact = all(node == traffic.acknowledged for node in nodes)
            self._state = "all nodes agree" if exact else "no more visits: waiting for every node"
            shown.show(self._sample(elapsed_s + took_s, traffic, nodes, 0.0, raffle))
            if exact or took_s > CONVERGED_WITHIN_S:
                return nodes, took_s
            await asyncio.sleep(SAMPLE_S)

    def _sample(
        self, elapsed_s: float, traffic: Traffic, nodes: Sequence[Values], rate: float, raffle: Raffle
    ) -> Sample:
        milestones = [raffle.milestones[counter] for counter in COUNTERS if counter in raffle.milestones]
        return Sample(elapsed_s, self._state, dict(traffic.acknowledged), nodes, self._phase, rate, milestones)

    async def _values(self, http: httpx.AsyncClient, urls: Sequence[str]) -> list[Values]:
        pages = await asyncio.gather(*(_read(http, url) for url in urls))
        phases = {one.phase for page in pages if page for one in page if one.counter == SUM}
        self._phase = "cp" if "cp" in phases else "ap"
        nodes: list[Values] = [None if page is None else {one.counter: one.value for one in page} for page in pages]
        for number, node in enumerate(nodes):
            highest = self._highest[number]
            for counter, value in (node or {}).items():
                if value < highest.get(counter, 0):
                    self._fell.append(f"node {number + 1} showed {value:,} for {counter} after {highest[counter]:,}")
                highest[counter] = max(value, highest.get(counter, 0))
        return nodes

    def _verdict(self, traffic: Traffic, nodes: Sequence[Values], elapsed_s: float, converged_s: float) -> int:
        exact = sum(node == traffic.acknowledged for node in nodes)
        fewest = min((sum(_leaves(node)) for node in nodes if node is not None), default=0)
        sent = sum(_leaves(traffic.acknowledged))
        rate = traffic.visits / max(elapsed_s, 0.001)
        again = f"; {counted(traffic.resent, 'request')} sent again" if traffic.resent else ""
        agreed = f"all nodes agreed {converged_s:.1f} s after the last" if exact == NODES else "the nodes do not agree"
        print(f"\n{rate:,.0f} visits/s for {elapsed_s:.1f} s, each on disk before it was acknowledged{again}\n{agreed}")
        verdict = f"sent {sent:,} · counted {fewest:,} · exact on "
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


async def _read(http: httpx.AsyncClient, url: str) -> list[Reading] | None:
    try:
        answer = await http.get(f"{url}/v1/counters", params={"limit": "1000"})
        page = msgspec.json.decode(answer.content, type=_Page) if answer.is_success else None
    except (httpx.TransportError, msgspec.MsgspecError):
        return None
    return None if page is None else page.counters


def _leaves(values: Mapping[str, int]) -> Iterator[int]:
    """What is counted apart: the sum is that of the sites."""
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
