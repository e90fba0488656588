"""An edge that publishes straight to the log: real servers and nodes that stop and come back, edges that are killed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import footfall
from footfall.errors import BufferFullError, ConfigError
from processes import HTTP, NatsServer, NodeProcess, eventually, free_ports

KILLED = """
import sys
import footfall

edge = footfall.Edge(sys.argv[1], sys.argv[2], flush_interval_s=0.01, on_full="block")
attempted = 0
while True:
    for _ in range(500):
        edge.increment("killed", f"v{attempted}")
        attempted += 1
    print("attempted", attempted, flush=True)
    if attempted % 2000 == 0 and edge.flush():
        print("stored", attempted, flush=True)
"""


class Site(NamedTuple):
    """A server and a node, each of which can be stopped."""

    server: NatsServer
    node: NodeProcess

    def edge(self, **options: object) -> footfall.Edge:
        return footfall.Edge(self.server.url, self.node.url, **options)  # type: ignore[arg-type]

    def define(self, counter: str, unit: str = "visits") -> None:
        HTTP.put(f"{self.node.url}/v1/counters/{counter}", json={"unit": unit}).raise_for_status()

    def counts(self, counter: str, value: int) -> None:
        """See that a counter comes to a value, and stays there."""
        eventually(lambda: self.node.value(counter) == value, what=f"{value} visits to {counter}")
        with footfall.Client(self.node.url) as client:
            assert client.value(counter, exact=True) == value


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("site")
    with (
        NatsServer(directory / "nats", "nats1", *free_ports(2)) as server,
        NodeProcess(directory / "node", "--nats", server.url, "--cut-interval-s", "0.5") as node,
    ):
        yield Site(server, node)


def test_the_pages_example_counts(site: Site) -> None:
    page = (Path(__file__).parents[2] / "docs" / "edge.md").read_text()
    block = page.split("```python\n")[1].split("```")[0]
    for documented, ours in (("nats://127.0.0.1:4222", site.server.url), ("http://127.0.0.1:8080", site.node.url)):
        assert documented in block
        block = block.replace(documented, ours)
    made: dict[str, footfall.Edge] = {}
    exec(block.replace('"shop"', '"example"'), made)
    site.counts("example", 1)
    assert made["edge"].close()


def test_visits_of_all_kinds_are_counted_once_and_straight(site: Site) -> None:
    site.define("shop")
    site.define("readers", "visitors")
    with site.edge() as edge:
        for number in range(3_000):
            edge.increment("shop", f"v{number % 7}")
            edge.increment("readers.blog" if number % 2 else "readers", f"v{number % 7}")
        edge.increment("shop", count=1_000_000)
        edge.increment("shop", key="once")
        edge.increment("shop", key="once")
        assert edge.flush()
        assert edge.statistics.stored >= 3_000 + 1_000_000
        assert edge.statistics.buffered == edge.statistics.dropped == 0
        site.counts("shop", 1_003_001)
        site.counts("readers", 7)
        assert edge.value("shop") == 1_003_001
        assert edge.hit("shop").stored == "log"
        assert edge.milestone("shop", 2_000_000).set().state == "open"
    assert site.node.metric("footfall_alarms_total") == 0


def test_a_counter_that_is_new_is_defined_by_a_node_and_then_known(site: Site) -> None:
    with site.edge() as edge:
        edge.increment("new.counter", "ann")
        assert edge.flush()
        assert (edge.statistics.sent, edge.statistics.stored) == (1, 0)

        def straight() -> bool:
            edge.increment("new.counter", "ann")
            return edge.flush() and edge.statistics.stored > 0

        eventually(straight, what="the definition is known")
        site.counts("new.counter", edge.statistics.sent + edge.statistics.stored)


def test_a_visit_that_no_counter_takes_is_refused_and_the_others_count(site: Site) -> None:
    site.define("people", "visitors")
    site.define("page")
    with site.edge() as edge:
        edge.increment("people")
        edge.increment("page")
        assert not edge.flush()
        assert edge.statistics.dropped == 1
    site.counts("page", 1)
    site.counts("people", 0)


def test_a_log_that_stops_stands_still_and_comes_back_has_each_visit_once(site: Site) -> None:
    site.define("outage")
    sent = 0
    with site.edge(flush_interval_s=0.01) as edge:

        def send() -> None:
            nonlocal sent
            for _ in range(200):
                edge.increment("outage", f"v{sent}")
                sent += 1

        send()
        assert edge.flush()
        for stop, start in ((site.server.kill, site.server.start), (site.server.pause, site.server.resume)):
            send()
            stop()
            send()
            assert not edge.flush(0.5)
            send()
            start()
            assert edge.flush()
            send()
    site.counts("outage", sent)


def test_visits_to_counters_that_are_known_need_no_node(site: Site) -> None:
    site.define("alone")
    with site.edge() as edge:
        edge.increment("alone")
        assert edge.flush()
        site.node.kill()
        try:
            edge.increment("alone")
            edge.increment("unheard")
            assert not edge.flush(1.0), "one of them waits for a node"
            assert edge.statistics.stored == 2
        finally:
            site.node.start()
        assert edge.flush()
    site.counts("alone", 2)
    site.counts("unheard", 1)


def test_an_edge_that_is_killed_leaves_what_it_flushed_and_nothing_twice(site: Site) -> None:
    site.define("killed")
    worker = subprocess.Popen(
        [sys.executable, "-c", KILLED, site.server.url, site.node.url], stdout=subprocess.PIPE, text=True
    )
    assert worker.stdout is not None
    try:
        for line in worker.stdout:
            if line.startswith("stored") and int(line.split()[1]) >= 20_000:
                break
    finally:
        worker.kill()
        rest = worker.communicate()[0]
    said = [line.split() for line in rest.splitlines()]
    stored = max([20_000, *(int(count) for what, count in said if what == "stored")])
    attempted = max([stored, *(int(count) for what, count in said if what == "attempted")]) + 500
    with footfall.Client(site.node.url) as client:
        assert stored <= client.value("killed", exact=True) <= attempted
    assert site.node.metric("footfall_alarms_total") == 0


def test_a_block_flushes_an_edge_too(site: Site) -> None:
    site.define("block")
    with site.edge(flush_interval_s=60.0) as edge:
        with footfall.flushing(timeout_s=20) as flushed:
            edge.increment("block")
            edge.increment("block.new")
        assert flushed.done
        assert edge.statistics.buffered == 0
    site.counts("block", 2)


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_publishes_its_own_visits_alone(site: Site) -> None:
    site.define("forked")
    with site.edge(flush_interval_s=60.0) as edge:
        for _ in range(10):
            edge.increment("forked", "parent")
        child = os.fork()
        if child == 0:
            edge.increment("forked", "child")
            os._exit(0 if edge.flush(20) else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert edge.flush()
    site.counts("forked", 11)


def test_at_the_bound_visits_are_dropped_or_refused(site: Site) -> None:
    nowhere = f"nats://127.0.0.1:{free_ports(1)[0]}"
    with footfall.Edge(nowhere, site.node.url, buffer_visits_max=2, exit_timeout_s=0) as edge:
        for number in range(5):
            edge.increment("shop", f"v{number}")
        assert not edge.flush(0.0)
        assert (edge.statistics.buffered, edge.statistics.dropped) == (2, 3)
    with footfall.Edge(nowhere, site.node.url, buffer_visits_max=1, on_full="raise", exit_timeout_s=0) as edge:
        edge.increment("shop", "ann")
        with pytest.raises(BufferFullError, match="1 visit waits"):
            edge.increment("shop", "bob")
    with pytest.raises(RuntimeError, match="closed"):
        edge.increment("shop")


@pytest.mark.parametrize(
    ("servers", "options", "says"),
    [
        ("127.0.0.1:4222", {}, "named as nats://HOST:PORT or tls://HOST:PORT"),
        ("nats://a:4222", {"spool": "spool"}, "an edge has none"),
        ("nats://a:4222", {"nats_ca": "ca.pem"}, "certificates for NATS are given"),
        ("tls://a:4222", {"nats_ca": "/nowhere/ca.pem"}, "/nowhere/ca.pem"),
        ("nats://a:4222", {"url": "nats://a"}, "should be a node's"),
        ("nats://a:4222", {"on_full": "wait"}, "on_full is 'wait'"),
    ],
)
def test_what_cannot_be_is_told_at_once(servers: str, options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        footfall.Edge(servers, **options)  # type: ignore[arg-type]
