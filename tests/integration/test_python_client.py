"""The Python client and real nodes that stop, stall and come back; and its process, which ends, forks or is killed."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import footfall
from footfall.core.keys import WINDOW_EPOCHS
from footfall.errors import (
    AlreadyClaimedError,
    MilestonePassedError,
    NotReachedError,
    UnavailableError,
    UnknownMilestoneError,
    WrongReceiptError,
)
from processes import HTTP, NodeProcess, eventually

WAIT_S = 30.0
PAGE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node that tests pause and stop, and that runs again after each."""
    with NodeProcess(tmp_path_factory.mktemp("node")) as node:
        yield node


def program(text: str, *arguments: str, url: str) -> "subprocess.Popen[str]":
    """A process of its own that runs this text; it speaks line by line."""
    return subprocess.Popen(
        [sys.executable, "-c", text, *arguments],
        env={**os.environ, "FOOTFALL_URL": url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def exact(node: NodeProcess, counter: str) -> int:
    with footfall.Client(node.url) as client:
        return client.value(counter, exact=True)


def test_threads_count_exactly(node: NodeProcess) -> None:
    visits = footfall.Counter("threads", url=node.url)

    def visit(name: int) -> None:
        for number in range(2_000):
            visits.increment(visitor=f"{name}.{number}")
            visits.increment()

    threads = [threading.Thread(target=visit, args=[name]) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert visits.flush(WAIT_S)
    assert visits.value(exact=True) == 32_000


def test_a_node_that_stands_still_and_goes_on_counts_each_visit_once(node: NodeProcess) -> None:
    with footfall.Client(node.url, answer_timeout_s=0.3) as client:
        node.pause()
        for number in range(100):
            client.increment("stalled", str(number))
        assert not client.flush(1.0)
        with pytest.raises(UnavailableError):
            client.hit("stalled", timeout_s=0)
        node.resume()
        assert client.flush(WAIT_S)
        assert client.hit("stalled", key="a-hit-that-was-asked-for-again").stored == "log"
        assert client.hit("stalled", key="a-hit-that-was-asked-for-again").stored == "log"
        assert client.statistics.retried > 0
        # the hit without a key that had no answer may count: nobody asked for it again
        assert client.value("stalled", exact=True) in (101, 102)


def test_a_node_that_is_killed_under_way_and_comes_back_counts_each_visit_once(node: NodeProcess) -> None:
    with footfall.Client(node.url, flush_interval_s=0.001) as client:
        for number in range(3_000):
            client.increment("killed", str(number))
            if number == 1_500:
                node.kill()
        node.start()
        assert client.flush(WAIT_S)
        assert client.value("killed", exact=True) == 3_000
        assert client.statistics.dropped == client.statistics.unsure == 0


def test_what_waits_is_sent_when_the_process_ends(node: NodeProcess) -> None:
    text = "import footfall; footfall.Counter('ended').increment('ann'); footfall.Counter('ended').increment(count=4)"
    with program(text, url=node.url) as child:
        assert child.wait(WAIT_S) == 0
    assert exact(node, "ended") == 5


def test_a_process_ends_in_time_though_no_node_answers(tmp_path: Path) -> None:
    text = "import footfall; footfall.Counter('lost', exit_timeout_s=0.2).increment()"
    with program(text, url="http://127.0.0.1:9") as child:
        assert child.wait(WAIT_S) == 0


@pytest.mark.parametrize("way", ["fork", "multiprocessing"])
def test_parent_and_children_count_their_own_visits(node: NodeProcess, way: str) -> None:
    text = f"""
import os, multiprocessing, footfall
visits = footfall.Counter("{way}", flush_interval_s=5)
def work():
    for number in range(100):
        visits.increment(visitor=f"{{os.getpid()}} {{number}}")
if "{way}" == "fork":
    work()
    children = []
    for _ in range(3):
        if (child := os.fork()) == 0:
            work()
            raise SystemExit
        children.append(child)
    work()
    for child in children:
        os.waitpid(child, 0)
else:
    context = multiprocessing.get_context("fork")
    work()
    children = [context.Process(target=work) for _ in range(3)]
    for child in children:
        child.start()
    work()
    for child in children:
        child.join()
"""
    with program(text, url=node.url) as child:
        assert child.wait(WAIT_S) == 0
    assert exact(node, way) == 500


def test_a_spool_outlives_its_process_and_an_outage(node: NodeProcess, tmp_path: Path) -> None:
    text = """
import sys, footfall
visits = footfall.Counter("spooled", spool=sys.argv[1], flush_interval_s=0.01)
for number in range(500):
    visits.increment(visitor=str(number))
while visits.client.statistics.spooled < 500:
    pass
print("spooled", flush=True)
sys.stdin.read()
"""
    node.pause()
    with program(text, str(tmp_path), url=node.url) as child:
        assert child.stdout
        assert child.stdout.readline() == "spooled\n"
        child.send_signal(signal.SIGKILL)
    assert any(tmp_path.iterdir())
    node.resume()
    with footfall.Client(node.url, spool=tmp_path) as client:
        eventually(lambda: client.statistics.sent == 500, WAIT_S, "the spool's end, though no visit comes")
    assert exact(node, "spooled") == 500
    assert not any(tmp_path.iterdir())


def test_a_fork_harms_no_spool(node: NodeProcess, tmp_path: Path) -> None:
    text = """
import os, sys, footfall
visits = footfall.Counter("forked", spool=sys.argv[1], flush_interval_s=0.01, answer_timeout_s=0.2, exit_timeout_s=20)
def work(count):
    before = visits.client.statistics.spooled
    for number in range(count):
        visits.increment(visitor=f"{os.getpid()} {number}")
    while visits.client.statistics.spooled < before + count:
        pass
work(100)
for _ in range(3):
    if (child := os.fork()) == 0:
        work(10)
        visits.client.close(0)
        raise SystemExit
    os.waitpid(child, 0)
    work(100)
print("spooled", flush=True)
sys.stdin.read()
"""
    node.pause()
    with program(text, str(tmp_path), url=node.url) as child:
        assert child.stdin
        assert child.stdout
        assert child.stdout.readline() == "spooled\n"
        assert len(list(tmp_path.glob("*.visits"))) == 4
        node.resume()
        child.stdin.close()
        assert child.wait(WAIT_S) == 0
    with footfall.Client(node.url, spool=tmp_path) as client:
        client.increment("another")
        eventually(lambda: client.flush() and not client.statistics.spooled, WAIT_S, "the spool's end")
    assert exact(node, "forked") == 430
    assert not any(tmp_path.iterdir())


def test_two_processes_share_a_spool(node: NodeProcess, tmp_path: Path) -> None:
    text = """
import sys, footfall
with footfall.Client(spool=sys.argv[1], exit_timeout_s=20) as client:
    for number in range(1000):
        client.increment("both", f"{sys.argv[2]} {number}")
"""
    with program(text, str(tmp_path), "a", url=node.url) as a, program(text, str(tmp_path), "b", url=node.url) as b:
        assert (a.wait(WAIT_S), b.wait(WAIT_S)) == (0, 0)
    assert exact(node, "both") == 2_000
    assert not any(tmp_path.iterdir())


class LosesAnAnswer(httpx.HTTPTransport):
    """The first answer is lost, and the request that follows waits until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.lost, self.may = threading.Event(), threading.Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert not self.lost.is_set() or self.may.wait(WAIT_S)
        answer = super().handle_request(request)
        if not self.lost.is_set():
            self.lost.set()
            raise httpx.ReadError("the answer was lost")
        return answer


def test_a_repeat_after_nodes_have_forgotten_its_key_is_not_counted_again(tmp_path: Path) -> None:
    def epoch() -> int:
        return int(HTTP.get(f"{node.url}/v1/overview").json()["epoch"])

    network = LosesAnAnswer()
    keyed = {"visits": [{"counter": "other", "key": "the same"}]}
    with (
        NodeProcess(tmp_path, "--cut-interval-s", "0.02", "--partitions", "1") as node,
        footfall.Client(node.url, transport=network) as client,
    ):
        HTTP.post(f"{node.url}/v1/visits", json=keyed).raise_for_status()
        client.increment("late", "ann")
        assert network.lost.wait(WAIT_S)
        since = epoch()
        eventually(lambda: epoch() > since + WINDOW_EPOCHS, WAIT_S, "keys are forgotten")
        network.may.set()
        assert not client.flush(WAIT_S)
        assert (client.statistics.sent, client.statistics.unsure) == (0, 1)
        client.increment("late", "bob")
        assert client.flush(WAIT_S)
        assert client.value("late", exact=True) == 2
        HTTP.post(f"{node.url}/v1/visits", json=keyed).raise_for_status()
        assert client.value("other", exact=True) == 2, "who does not tell how late it is counts twice"


def test_a_raffle_is_held_by_the_client_alone(node: NodeProcess) -> None:
    visits = footfall.Counter("prize", url=node.url, flush_interval_s=0.01)
    prize = visits.milestone(3)
    with pytest.raises(UnknownMilestoneError):
        prize.status()
    assert prize.set() == prize.set() == prize.status()
    with pytest.raises(NotReachedError):
        prize.claim(footfall.new_receipt())
    receipts = [footfall.new_receipt() for _ in range(4)]
    for receipt in receipts:
        visits.increment(key=receipt)
    assert visits.flush(WAIT_S)
    winner = prize.wait(WAIT_S)
    [his] = filter(winner.matches, receipts)
    for receipt in receipts:
        if receipt != his:
            with pytest.raises(WrongReceiptError):
                prize.claim(receipt)
    claimed = prize.claim(his, key=his)
    assert claimed.winner is not None
    assert claimed.winner.claimed
    assert prize.claim(his, key=his).winner == claimed.winner
    with pytest.raises(AlreadyClaimedError):
        prize.claim(his)
    assert visits.value(exact=True) == 4
    with pytest.raises(MilestonePassedError, match="4 already"):
        visits.milestone(2).set()


async def test_an_event_loop_counts_and_sees_what_happens(node: NodeProcess) -> None:
    async with footfall.connect(node.url) as client:
        await client.hit("loop", visitor="ann")

        async def third() -> footfall.Event:
            async for event in client.events("loop"):
                if event.kind == "value" and event.data["value"] >= 3:
                    return event
            raise AssertionError

        seen = asyncio.create_task(third())
        client.increment("loop")
        client.increment("loop")
        assert await client.flush(WAIT_S)
        assert (await asyncio.wait_for(seen, WAIT_S)).data["counter"] == "loop"
        assert await client.value("loop", exact=True) == 3


def test_the_other_node_is_asked_while_one_is_down(node: NodeProcess) -> None:
    with footfall.Client(["http://127.0.0.1:9", node.url]) as client:
        client.increment("failover", "ann")
        assert client.flush(WAIT_S)
        assert client.hit("failover", "bob").accepted == 1
        assert client.value("failover", exact=True) == 2


def test_the_examples_of_the_page_run_as_they_stand_there(node: NodeProcess, tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 10
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(blocks)],
        env={**os.environ, "FOOTFALL_URL": node.url},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert exact(node, "google.gmail") == 11  # 1 + 5, two hits, two in blocks, and one by way of the spool
    assert not any((tmp_path / "visits-spool").iterdir())
