"""The client for threads, without a network: it never waits for one, and loses nothing when it ends or forks."""

import ast
import contextlib
import logging
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
from fake_nodes import FakeNodes

import footfall
import processes
from footfall.client import lifetimes
from footfall.client.batches import Batch
from footfall.client.buffer import Waiting
from footfall.client.settings import Options, settings
from footfall.client.spool import Spool
from footfall.client.trouble import logger
from footfall.errors import (
    BufferFullError,
    ConfigError,
    ForbiddenError,
    InvalidNameError,
    InvalidVisitError,
    UnavailableError,
    UnreachableError,
)

URL = "http://a:1"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def nodes() -> FakeNodes:
    return FakeNodes()


@pytest.fixture
def client(nodes: FakeNodes) -> Iterator[footfall.Client]:
    with footfall.Client(URL, transport=httpx.MockTransport(nodes.answer), exit_timeout_s=1) as client:
        yield client


class Held(httpx.BaseTransport):
    """Nodes that do not answer until they may."""

    def __init__(self, nodes: FakeNodes) -> None:
        self.may = threading.Event()
        self.asked = threading.Event()
        self._nodes = nodes

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.set()
        assert self.may.wait(20)
        return self._nodes.answer(request)


def test_increments_are_sent_together(client: footfall.Client, nodes: FakeNodes) -> None:
    for number in range(100):
        client.increment("shop", str(number))
        client.increment("blog")
    assert client.flush()
    assert nodes.counts == {"shop": 100, "blog": 100}
    assert len(nodes.requests) <= 3
    assert client.statistics == footfall.Statistics(200, 0, 0, 0, 0, 0)


def test_a_program_that_logs_gets_no_line_for_a_request(
    client: footfall.Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client.increment("shop")
    client.hit("shop")
    assert client.flush()
    assert client.value("shop") == 2
    assert not caplog.records


def test_nothing_is_sent_before_the_first_visit(client: footfall.Client, nodes: FakeNodes) -> None:
    assert client.flush()
    assert not nodes.requests
    assert not client._worker.started


def test_eight_threads_lose_nothing(client: footfall.Client, nodes: FakeNodes) -> None:
    def visit() -> None:
        for number in range(500):
            client.increment("shop", str(number))
            client.increment("shop.a")

    threads = [threading.Thread(target=visit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.flush()
    assert nodes.counts == {"shop": 4000, "shop.a": 4000}


def test_wrong_use_is_an_error_at_once(client: footfall.Client, nodes: FakeNodes) -> None:
    with pytest.raises(InvalidNameError, match=r"a\.\.b"):
        client.increment("a..b")
    with pytest.raises(InvalidNameError):
        client.value("")
    for wrong in (
        lambda: footfall.Counter(5),  # type: ignore[arg-type]
        lambda: client.value(5),  # type: ignore[arg-type]
        lambda: client.hit("a", visitor=5),  # type: ignore[arg-type]
        lambda: client.hit("a", key=5),  # type: ignore[arg-type]
        lambda: client.increment("a", 5),  # type: ignore[arg-type]
    ):
        with pytest.raises(TypeError, match="is 5; it must be a text"):
            wrong()
    for count in (0, True, "2", 1.5):
        with pytest.raises(InvalidVisitError, match="the count is"):
            client.hit("a", count=count)  # type: ignore[arg-type]
    assert client.flush()
    assert not nodes.requests


def test_a_full_buffer_drops_and_tells_once(nodes: FakeNodes, caplog: pytest.LogCaptureFixture) -> None:
    held = Held(nodes)
    with footfall.Client(URL, transport=held, buffer_visits_max=3) as client:
        for number in range(10):
            client.increment("shop", str(number))
        assert client.statistics.dropped == 7
        assert client.statistics.buffered == 3
        assert caplog.text.count("no room") == 1
        held.may.set()
        assert client.flush()
        assert "not counted: 7 visits" in caplog.text
    assert nodes.counts == {"shop": 3}


def test_a_full_buffer_raises_if_that_was_asked_for(nodes: FakeNodes) -> None:
    held = Held(nodes)
    with footfall.Client(URL, transport=held, buffer_visits_max=1, on_full="raise") as client:
        client.increment("shop", "a")
        with pytest.raises(BufferFullError, match="1 visit waits"):
            client.increment("shop", "b")
        held.may.set()


def test_a_full_buffer_makes_wait_if_that_was_asked_for(nodes: FakeNodes) -> None:
    held = Held(nodes)
    with footfall.Client(URL, transport=held, buffer_visits_max=2, on_full="block", flush_interval_s=0) as client:
        waits = threading.Thread(target=lambda: [client.increment("shop", str(number)) for number in range(9)])
        waits.start()
        assert held.asked.wait(20)
        assert waits.is_alive()
        held.may.set()
        waits.join(20)
        assert client.flush()
    assert nodes.counts == {"shop": 9}


def test_a_flush_tells_that_something_waits_yet(nodes: FakeNodes) -> None:
    held = Held(nodes)
    with footfall.Client(URL, transport=held) as client:
        client.increment("shop")
        assert not client.flush(0.01)
        held.may.set()
        assert client.flush()


def test_a_flush_tells_that_a_visit_was_refused(client: footfall.Client, nodes: FakeNodes) -> None:
    nodes.forbidden = {"secret"}
    client.increment("shop")
    client.increment("secret")
    assert not client.flush()
    assert nodes.counts == {"shop": 1}
    assert client.statistics.dropped == 1


def test_a_hit_is_tried_until_it_is_durable_and_counts_once(client: footfall.Client, nodes: FakeNodes) -> None:
    nodes.faults = ["lost", "503", "refused"]
    receipt = client.hit("shop", "ann", count=3)
    assert (receipt.counter, receipt.accepted, receipt.stored) == ("shop", 1, "log")
    assert len(receipt.receipt) == 22
    assert nodes.counts == {"shop": 3}
    assert client.value("shop") == client.value("shop", exact=True) == 3


def test_a_hit_ends_in_the_error_that_it_met(client: footfall.Client, nodes: FakeNodes) -> None:
    nodes.forbidden = {"secret"}
    with pytest.raises(ForbiddenError, match="not this one"):
        client.hit("secret")
    nodes.faults = ["refused"]
    with pytest.raises(UnreachableError, match=f"no node answers at {URL}"):
        client.hit("shop", timeout_s=0)
    nodes.faults = ["down"]
    with pytest.raises(UnavailableError, match="broke off POST /v1/visits"):
        client.hit("shop", timeout_s=0)


def test_a_hit_goes_to_the_next_node_at_once(nodes: FakeNodes) -> None:
    with footfall.Client([URL, "http://b:1"], transport=httpx.MockTransport(nodes.answer)) as client:
        nodes.faults = ["refused"]
        client.hit("shop", timeout_s=0)
        client.hit("shop", timeout_s=0)
    assert nodes.requests == [URL, "http://b:1", "http://b:1"]


def test_what_is_lost_at_the_end_is_told_with_its_counts(nodes: FakeNodes, caplog: pytest.LogCaptureFixture) -> None:
    held = Held(nodes)
    client = footfall.Client(URL, transport=held, flush_interval_s=0)
    client.increment("shop", count=5)
    assert held.asked.wait(20)
    client.increment("shop", count=2)
    client.increment("shop")
    assert not client.close(0)
    assert "not sent before the end, and not counted: 8 visits" in caplog.text
    held.may.set()


def test_who_will_not_wait_for_the_end_is_told_what_is_lost(
    nodes: FakeNodes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: float) -> bool:
        raise KeyboardInterrupt

    for ending in ("a block's", "the process's"):
        client = footfall.Client(URL, transport=httpx.MockTransport(nodes.answer), flush_interval_s=60)
        client.increment("shop", count=8)
        monkeypatch.setattr(client, "flush", interrupted)
        if ending == "a block's":
            with pytest.raises(KeyboardInterrupt), client:
                pass
        else:
            monkeypatch.setattr(lifetimes, "living", lambda client=client: [client])
            lifetimes._end_all()
        assert caplog.messages == ["not sent before the end, and not counted: 8 visits"]
        assert client.close(), "that was all"
        caplog.clear()


def test_a_closed_client_takes_no_more(nodes: FakeNodes) -> None:
    client = footfall.Client(URL, transport=httpx.MockTransport(nodes.answer))
    client.increment("shop")
    assert client.close()
    assert client.close()
    assert nodes.counts == {"shop": 1}
    with pytest.raises(RuntimeError, match="closed"):
        client.increment("shop")
    with pytest.raises(RuntimeError, match="closed"):
        client.value("shop")


def test_a_bug_does_not_end_the_thread(
    client: footfall.Client, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    step, once = client._engine.step, iter([True])

    def broken(now_s: float, urgent: bool) -> object:
        if next(once, False):
            raise LookupError("a bug")
        return step(now_s, urgent)

    monkeypatch.setattr(client._engine, "step", broken)
    monkeypatch.setattr("footfall.client.policy.PAUSE_MAX_S", 0.0)
    client.increment("shop")
    assert client.flush()
    assert "nobody foresaw" in caplog.text


def test_what_is_counted_in_a_block_is_sent_at_its_end(client: footfall.Client, nodes: FakeNodes) -> None:
    with footfall.flushing() as flushed:
        client.increment("shop")
        assert flushed.done is None
    assert flushed.done
    with contextlib.suppress(LookupError), footfall.flushing() as flushed:
        client.increment("shop")
        raise LookupError
    assert flushed.done
    assert nodes.counts == {"shop": 2}


def test_a_block_tells_what_was_not_sent_in_time(nodes: FakeNodes, caplog: pytest.LogCaptureFixture) -> None:
    held = Held(nodes)
    with footfall.Client(URL, transport=held) as client:
        with footfall.flushing(timeout_s=0.01) as flushed:
            client.increment("shop")
        assert flushed.done is False
        assert "not all visits were sent" in caplog.text
        held.may.set()


def test_a_function_may_be_such_a_block(client: footfall.Client, nodes: FakeNodes) -> None:
    @footfall.flushing(timeout_s=3)
    def task() -> str:
        client.increment("shop")
        return "done"

    assert task() == "done"
    assert nodes.counts == {"shop": 1}


def test_an_async_function_is_no_such_block_as_it_would_end_before_it_began() -> None:
    async def task() -> None: ...

    with pytest.raises(TypeError, match=r"task is async: there, use a client of footfall\.connect"):
        footfall.flushing()(task)


def test_counters_with_the_same_settings_share_a_client() -> None:
    first, second = footfall.Counter("a", url=URL), footfall.Counter("b", url=URL)
    other = footfall.Counter("a", url=URL, token="t")
    assert first.client is second.client
    assert first.client is not other.client
    assert repr(first) == "Counter('a')"
    with pytest.raises(InvalidNameError):
        footfall.Counter("a b")


def test_what_is_not_given_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FOOTFALL_URL", "FOOTFALL_TOKEN", "FOOTFALL_CA"):
        monkeypatch.delenv(name, raising=False)
    assert settings().urls == ("http://127.0.0.1:8080",)
    monkeypatch.setenv("FOOTFALL_URL", "http://a:1/, http://b:2")
    monkeypatch.setenv("FOOTFALL_TOKEN", "secret")
    monkeypatch.setenv("FOOTFALL_CA", "ca.pem")
    found = settings()
    assert (found.urls, found.token, found.ca) == (("http://a:1", "http://b:2"), "secret", "ca.pem")
    assert settings("http://c:3", "other").token == "other"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"url": "nonsense"}, "is not the URL"),
        ({"url": []}, "0 URLs"),
        ({"token": "two words"}, "the token"),
        ({"ca": "ca.pem", "url": URL}, "certificates are for https"),
        ({"buffer_visits_max": 0}, "buffer_visits_max is 0"),
        ({"flush_interval_s": -1}, "flush_interval_s is -1"),
        ({"answer_timeout_s": True}, "answer_timeout_s is True"),
        ({"on_full": "explode"}, "on_full is 'explode'"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_at_once(options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        footfall.Client(**options)  # type: ignore[arg-type]


def test_an_option_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="no option 'retries'"):
        footfall.Client(retries=3)  # type: ignore[call-arg]


def test_a_forked_process_sends_its_own_visits_and_not_its_parents(nodes: FakeNodes) -> None:
    held = Held(nodes)
    with footfall.Client(URL, transport=held) as client:
        client.increment("parent", "a")
        assert held.asked.wait(20)  # the thread is in the middle of it
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            held.may.set()
            client.increment("child", "b")
            sent = client.flush(20)
            os.write(writing, f"{sent} {dict(nodes.counts)} {client.statistics.sent}".encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as said:
            assert said.read() == "True {'child': 1} 1"
        os.waitpid(child, 0)
        held.may.set()
        assert client.flush()
    assert nodes.counts == {"parent": 1}


def test_where_no_thread_can_start_a_flush_does_its_work(
    client: footfall.Client, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    nodes.faults = ["503"]
    client.increment("shop")
    assert client.flush(5.0)
    nodes.faults = ["refused"] * 1000
    client.increment("shop")
    assert not client.flush(0.05)
    nodes.faults = []
    assert nodes.counts == {"shop": 1}


def test_where_there_is_room_for_one_thread_it_sends_and_no_others_are_started_again_and_again(
    nodes: FakeNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start
    tried: list[threading.Thread] = []

    def every_second(thread: threading.Thread) -> None:
        tried.append(thread)
        if len(tried) % 2 == 0:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", every_second)
    with footfall.Client(URL, transport=httpx.MockTransport(nodes.answer), spool=tmp_path, exit_timeout_s=1) as client:
        for _ in range(3):
            client.increment("shop")
            assert client.flush()
    assert nodes.counts == {"shop": 3}
    assert len(tried) == 2


def test_a_visit_at_the_very_end_of_the_process_is_told_and_no_error(
    nodes: FakeNodes, caplog: pytest.LogCaptureFixture
) -> None:
    client = footfall.Client(URL, transport=httpx.MockTransport(nodes.answer))
    client.increment("shop")
    client.ended()
    client.increment("shop")
    assert nodes.counts == {"shop": 1}
    assert "after the process had ended" in caplog.text


def test_a_visit_that_waits_on_disk_is_written_though_the_thread_waits_for_an_answer(
    nodes: FakeNodes, tmp_path: Path
) -> None:
    held = Held(nodes)
    with footfall.Client(URL, transport=held, spool=tmp_path, flush_interval_s=0) as client:
        client.increment("shop", "a")
        assert held.asked.wait(20)
        client.increment("shop", "b")
        processes.eventually(lambda: client.statistics.spooled == 2)
        held.may.set()
        assert client.flush()
    assert nodes.counts == {"shop": 2}
    assert not any(tmp_path.iterdir())


def test_a_thread_starts_without_a_visit_only_for_what_dead_processes_left(
    nodes: FakeNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("footfall.client.sync.ADOPT_AFTER_S", 0.01)
    network = httpx.MockTransport(nodes.answer)
    with footfall.Client(URL, transport=network, spool=tmp_path / "spool") as client:
        assert not client._worker.started
    left = Spool(tmp_path, 1 << 20)
    left.append([Batch([Waiting("shop", key="k")])])
    left.close()
    with footfall.Client(URL, transport=network, spool=tmp_path) as client:
        processes.eventually(lambda: client.statistics.sent == 1)
    assert nodes.counts == {"shop": 1}
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_signals_handler_may_count(client: footfall.Client, nodes: FakeNodes) -> None:
    def handler(*_: object) -> None:
        client.increment("signals", "x")

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0005)
    try:
        for number in range(20_000):
            client.increment("shop", str(number))
            client.increment("shop.a")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert client.flush()
    assert nodes.counts["shop"] == nodes.counts["shop.a"] == 20_000
    assert nodes.counts["signals"] > 0


def test_the_package_is_imported_without_what_it_does_not_need() -> None:
    heavy = "{'httpx', 'msgspec', 'numpy', 'nats', 'asyncio', 'starlette'}"
    program = f"import sys, footfall; print({heavy} & set(sys.modules)); footfall.Client; print('nats' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\nFalse\n"


def test_clients_and_middleware_need_none_of_the_nodes_libraries() -> None:
    heavy = "{'cyclopts', 'httptools', 'nats', 'numpy', 'prometheus_client', 'starlette', 'uvicorn', 'uvloop'}"
    used = "Counter('a'), footfall.connect(), footfall.FootfallMiddleware(None, 'a', exclude_bots=True)"
    program = f"import sys, footfall; footfall.{used}, footfall.WSGIMiddleware; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_every_public_name_is_there() -> None:
    for name in footfall.__all__:
        assert getattr(footfall, name) is not None
    assert dir(footfall) == footfall.__all__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        footfall.nothing  # noqa: B018


def test_the_page_tells_every_option_and_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", (ROOT / "docs" / "python.md").read_text(), re.MULTILINE)
    defaults = settings(URL)
    assert {name for name, _ in rows} == set(Options.__annotations__)
    assert {name: ast.literal_eval(said) for name, said in rows if "<<" not in said} == {
        name: getattr(defaults, name) for name, said in rows if "<<" not in said
    }
    assert dict(rows)["spool_bytes_max"] == f"{defaults.spool_bytes_max >> 20} << 20"


def test_every_request_shows_the_token() -> None:
    shown = []

    def answer(request: httpx.Request) -> httpx.Response:
        shown.append(request.headers.get("authorization"))
        return FakeNodes().answer(request)

    with footfall.Client(URL, token="secret", transport=httpx.MockTransport(answer)) as client:
        client.increment("shop")
        client.hit("shop")
        client.value("shop")
        assert client.flush()
    assert shown == ["Bearer secret"] * 3


def test_the_clients_logger_is_named_as_the_documentation_says() -> None:
    assert logger is logging.getLogger("footfall.client")
