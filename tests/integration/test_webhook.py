"""A webhook is told of a winner over real HTTP, though it fails at first, and though the node that speaks is killed."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from processes import HTTP, NatsServer, NodeProcess, eventually, free_ports

KEY = b"a key of 24 bytes ......"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
N = 5
LONG_S = 60.0


class Request(NamedTuple):
    """What came."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """A webhook: ``answer`` says which status a request gets, given how many came before it."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer: Callable[[int], int] = lambda before: 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = receiver.answer(len(receiver.requests))
                receiver.requests.append(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(status)
                if status == 302:
                    self.send_header("location", f"{receiver.url}/elsewhere")
                self.send_header("content-length", "3")
                self.end_headers()
                self.wfile.write(b"ok\n")

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - it is the base's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def verify(request: Request, key: bytes) -> dict[str, Any]:
    """What a receiver does with a request, after the text of the Standard Webhooks specification; its content."""
    content = b".".join(
        (request.headers["webhook-id"].encode(), request.headers["webhook-timestamp"].encode(), request.body)
    )
    signatures = [one.partition(",") for one in request.headers["webhook-signature"].split(" ")]
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    assert [signature for version, _, signature in signatures if version == "v1"] == [expected]
    said: dict[str, Any] = json.loads(request.body)
    return said


def config(path: Path, url: str) -> str:
    """A settings file: a secret on the command line would be seen by others."""
    path.write_text(f'webhook = "{url}"\nwebhook_secret = "{SECRET}"\n')
    return str(path)


def hold_raffle(node: NodeProcess) -> dict[str, Any]:
    """Set a milestone and reach it; returns it."""
    milestone = f"{node.url}/v1/counters/raffle/milestones/{N}"
    HTTP.put(milestone).raise_for_status()
    for number in range(1, N + 3):
        visit = {"visitor": f"visitor {number}"}
        HTTP.post(f"{node.url}/v1/counters/raffle/visits", json=visit).raise_for_status()
    eventually(lambda: HTTP.get(milestone).json()["state"] == "reached", what="the winner")
    found: dict[str, Any] = HTTP.get(milestone).json()
    return found


def test_a_webhook_that_fails_twice_gets_it_a_third_time_and_never_again(tmp_path: Path, receiver: Receiver) -> None:
    """Once it was redirected, which is not followed."""
    receiver.answer = lambda before: [500, 302, 200][min(before, 2)]
    settings = config(tmp_path / "settings.toml", f"{receiver.url}/hook?token=1234")
    with NodeProcess(tmp_path / "data", "--config", settings) as node:
        milestone = hold_raffle(node)
        eventually(lambda: len(receiver.requests) == 3, LONG_S, "the third attempt")
        eventually(lambda: "the webhook was told of the 5th of raffle" in node.said(), what="the answer")
        time.sleep(1)  # until the log was told, too: a node that dies before tells the webhook once more
        node.kill()
        node.start()
        node.stop()
        assert len(receiver.requests) == 3
        assert "the webhook was told of the 5th of raffle" in node.said()
        assert "1234" not in node.said()
        assert SECRET not in node.said()
    assert {request.path for request in receiver.requests} == {"/hook?token=1234"}
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    for request in receiver.requests:
        said = verify(request, KEY)
        assert said["type"] == "milestone.reached"
        assert said["timestamp"] == milestone["winner"]["time"]
        assert {**said["data"], "value": 0} == {**milestone, "value": 0}


def test_another_node_goes_on_when_the_one_that_speaks_is_killed(
    tmp_path: Path, receiver: Receiver, server: NatsServer
) -> None:
    receiver.answer = lambda before: 503
    settings = config(tmp_path / "settings.toml", receiver.url)
    ports = free_ports(2)
    arguments = ("--config", settings, "--nats", server.url, "--secret", "the cluster's secret")
    nodes = [
        NodeProcess(tmp_path / f"n{index}", *arguments, "--node", f"n{index}", port=port)
        for index, port in enumerate(ports)
    ]
    with nodes[0], nodes[1]:
        eventually(lambda: all(node.metric("footfall_nodes") == 2 for node in nodes), what="the nodes to meet")
        hold_raffle(nodes[0])
        eventually(lambda: len(receiver.requests) >= 2, LONG_S, "the first attempts")
        speakers = [node for node in nodes if "the webhook did not take" in node.said()]
        assert len(speakers) == 1
        speakers[0].kill()
        (other,) = (node for node in nodes if node is not speakers[0])
        receiver.answer = lambda before: 200
        eventually(lambda: "the webhook was told of the 5th of raffle" in other.said(), LONG_S, "the other's attempt")
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    for request in receiver.requests:
        assert verify(request, KEY)["data"]["winner"]["visitor"] == "visitor 5"
