"""Strangers at the door of a real node: tokens of a file that changes, hashed addresses, rates, connections."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from footfall.addresses import hashed
from footfall.cli import WRONG_USE, run
from footfall.node.secret import kept_secret, visitors_key
from footfall.web.token_file import UNUSABLE
from processes import HTTP, NodeProcess, eventually, free_ports

SECRET = "0123456789012345678901"


def file_of(**tokens: str) -> str:
    """A file of tokens, each with these scopes, and its name ahead of its secret."""
    return "".join(
        f'[{name}]\nsha256 = "{sha256(f"{name}-{SECRET}".encode()).hexdigest()}"\nscopes = [{scopes}]\n'
        for name, scopes in tokens.items()
    )


def shows(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {name}-{SECRET}"}


def replace(path: Path, text: str) -> None:
    """Write a file as it should be: whole, or not at all."""
    made = path.with_suffix(".new")
    made.write_text(text)
    made.rename(path)


class Guarded(NodeProcess):
    """Nodes behind a file of tokens; their value and metrics are read with the token ``reader``."""

    def __init__(self, directory: Path, *arguments: str, port: int = 0) -> None:
        self.tokens = directory / "tokens.toml"
        directory.mkdir(parents=True, exist_ok=True)
        self.tokens.write_text(file_of(writer='"write"', reader='"read"'))
        super().__init__(directory, "--tokens-file", str(self.tokens), *arguments, port=port)

    def visit(self, name: str, counter: str = "shop", url: str = "") -> int:
        """The status that a visit with a token is answered with."""
        return HTTP.post(f"{url or self.url}/v1/counters/{counter}/visits", headers=shows(name)).status_code

    def value_with(self, name: str, counter: str = "shop") -> int:
        """A counter, read with a token."""
        value: int = HTTP.get(f"{self.url}/v1/counters/{counter}", headers=shows(name)).json()["value"]
        return value

    def warnings(self) -> list[str]:
        """What readiness warns of."""
        found: list[str] = HTTP.get(f"{self.url}/readyz").json()["warnings"]
        return found


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Guarded]:
    with Guarded(tmp_path / "node") as node:
        yield node


def test_visits_and_reads_need_their_tokens_and_what_is_refused_is_not_counted(node: Guarded) -> None:
    for _ in range(3):
        assert [node.visit(name) for name in ("writer", "reader", "stranger")] == [202, 403, 401]
    assert HTTP.post(f"{node.url}/v1/counters/shop/visits").status_code == 401
    eventually(lambda: node.value_with("reader") == 3, what="the count")
    assert HTTP.get(f"{node.url}/metrics").status_code == 401
    assert "footfall_http_requests_total" in HTTP.get(f"{node.url}/metrics", headers=shows("reader")).text
    assert SECRET not in node.said()


def test_a_file_that_changes_holds_within_seconds_and_a_wrong_one_changes_nothing(node: Guarded) -> None:
    with httpx.Client(headers=shows("writer")) as known:  # its connection stays, and its head is known
        url = f"{node.url}/v1/counters/shop/visits"
        assert [known.post(url).status_code for _ in range(3)] == [202] * 3
        replace(node.tokens, "[writer]\nscopes = []\n")
        assert eventually(node.warnings, what="the warning") == [UNUSABLE], "strangers see no path, and no token"
        assert "the tokens in force are those from before" in UNUSABLE
        assert f"{node.tokens}: token 'writer': secret" in node.said()
        assert known.post(url).status_code == 202
        node.tokens.unlink()
        eventually(lambda: "cannot be read: No such file" in node.said(), what="the other warning")
        assert node.warnings() == [UNUSABLE]
        assert known.post(url).status_code == 202
        replace(node.tokens, file_of(other='"write"', reader='"read"'))
        eventually(lambda: known.post(url).status_code == 401, what="the refusal")
    assert node.warnings() == []
    assert node.visit("other") == 202


def test_sighup_reads_the_file_at_once_on_all_nodes_of_a_supervisor(tmp_path: Path) -> None:
    port, other = free_ports(2)
    with Guarded(tmp_path / "nodes", "--nodes", "2", port=port) as nodes:
        urls = [nodes.url, f"http://127.0.0.1:{other}"]
        eventually(lambda: all(nodes.visit("writer", url=url) == 202 for url in urls), what="both nodes")
        eventually(lambda: "2 nodes are ready" in nodes.said(), what="the supervisor")
        replace(nodes.tokens, file_of(other='"write"'))
        os.kill(nodes.pid, signal.SIGHUP)
        eventually(lambda: all(nodes.visit("writer", url=url) == 401 for url in urls), what="the refusal")
        assert [nodes.visit("other", url=url) for url in urls] == [202, 202]
        assert nodes.said().count("1 tokens are in force") == 2
        assert nodes.running()


@pytest.mark.parametrize("nodes", ["1", "2"])
def test_a_node_does_not_start_with_a_file_that_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], nodes: str
) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text('[site]\nsecret = "short"\nscopes = ["write"]\n')
    arguments = ["serve", "--data", str(tmp_path / "data"), "--http", "127.0.0.1:0", "--nodes", nodes]
    assert run([*arguments, "--tokens-file", str(tokens)]) == WRONG_USE
    error = capsys.readouterr().err
    assert "tokens.toml: token 'site': secret: it has 5 characters" in error
    assert run([*arguments, "--tokens-file", str(tmp_path / "missing.toml")]) == WRONG_USE
    assert "missing.toml cannot be read: No such file or directory" in capsys.readouterr().err


def test_a_node_may_listen_everywhere_with_tokens_and_says_that_they_travel_in_the_clear(tmp_path: Path) -> None:
    with Guarded(tmp_path / "node") as node:
        assert "without TLS" not in node.said()
    everywhere = Guarded(tmp_path / "everywhere")
    everywhere._command = [part.replace("127.0.0.1:", "0.0.0.0:") for part in everywhere._command]
    with everywhere as node:
        assert node.visit("writer") == 202
        assert "listening at 0.0.0.0 without TLS: tokens and receipts can be read on their way" in node.said()


def test_the_winner_is_known_by_a_hash_of_his_address_that_the_cluster_alone_can_make(tmp_path: Path) -> None:
    arguments = ("--visitor-from-address", "--trusted-proxies", "127.0.0.1")
    with NodeProcess(tmp_path / "node", *arguments) as node:
        counter = f"{node.url}/v1/counters/people"
        HTTP.put(counter, json={"unit": "visitors"}).raise_for_status()
        HTTP.put(f"{counter}/milestones/2").raise_for_status()
        clients = ["203.0.113.7"] * 3 + ["2001:db8::1", "2001:db8::2", "2001:db8::3"]
        for client in clients:
            assert HTTP.post(f"{counter}/visits", headers={"x-forwarded-for": client}).status_code == 202
        eventually(lambda: HTTP.get(f"{counter}/milestones/2").json()["winner"], what="the winner")
        winner = HTTP.get(f"{counter}/milestones/2").json()["winner"]
        key = visitors_key(kept_secret(tmp_path / "node"))
        assert winner["visitor"] == hashed("2001:db8::/64", key)
        assert node.value("people") == 2
        assert clients[0] not in node.said()


def test_who_sends_too_fast_waits_as_long_as_he_is_told_and_others_do_not(tmp_path: Path) -> None:
    arguments = ("--rate-per-address", "1", "--rate-burst-s", "3", "--trusted-proxies", "127.0.0.1")
    with NodeProcess(tmp_path / "node", *arguments) as node:
        url = f"{node.url}/v1/counters/shop/visits"
        eager, other = {"x-forwarded-for": "203.0.113.7"}, {"x-forwarded-for": "203.0.113.8"}
        assert HTTP.post(url, json={"count": 3}, headers=eager).status_code == 202
        refused = HTTP.post(url, json={"count": 3}, headers=eager)
        assert (refused.status_code, refused.json()["type"]) == (429, "/problems/rate-limited")
        assert HTTP.post(url, headers=other).status_code == 202
        assert HTTP.post(url, json={"count": 4}, headers=other).status_code == 413
        time.sleep(int(refused.headers["retry-after"]))
        assert HTTP.post(url, json={"count": 3}, headers=eager).status_code == 202
        eventually(lambda: node.value("shop") == 7, what="the count")


def test_slow_requests_and_too_many_connections_keep_nobody_out_for_long(tmp_path: Path) -> None:
    arguments = ("--connections-max", "20", "--request-timeout-s", "1")
    with NodeProcess(tmp_path / "node", *arguments) as node:
        slow = [socket.create_connection(("127.0.0.1", node.port)) for _ in range(20)]
        for one in slow:
            one.sendall(b"POST /v1/counters/shop/visits HTTP/1.1\r\n")
        answered = eventually(lambda: status(node, lambda code: code == 503), what="the refusal")
        assert answered
        eventually(lambda: status(node, lambda code: code == 202), what="the visit")
        for one in slow:
            assert one.recv(1000).startswith(b"HTTP/1.1 408 ")
            one.close()
        assert node.metric("footfall_http_connections_refused_total") >= 1
        assert node.metric("footfall_http_connections_slow_total") == 20


def status(node: NodeProcess, wanted: Callable[[int], bool]) -> bool:
    """Whether a visit over a new connection is answered as wanted."""
    return wanted(HTTP.post(f"{node.url}/v1/counters/shop/visits").status_code)
