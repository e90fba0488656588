"""HTTP over TLS: visits and reads are answered as without, the hot path's too, and what is wrong is said in a line."""

import asyncio
import shutil
import socket
import ssl
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from commands import COMMAND, footfall

from footfall import Client
from footfall.certificates import client_context, server_context
from footfall.errors import ConfigError, UnavailableError
from footfall.web.renewal import Renewal
from pki import Authority, Pair
from processes import NodeProcess, eventually


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue("node")


class SecureNode(NodeProcess):
    """A node that serves HTTPS."""

    def __init__(self, directory: Path, pair: Pair, ca: str) -> None:
        super().__init__(directory, "--tls-cert", pair.cert, "--tls-key", pair.key)
        self.url = self.url.replace("http:", "https:")
        self.context = client_context(ca)

    def wait_ready(self) -> None:
        def ready() -> bool:
            assert self.running(), self.said()[-2000:]
            return httpx.get(f"{self.url}/readyz", timeout=2, verify=self.context).status_code == 200

        eventually(ready, what="the node")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, authority: Authority, pair: Pair) -> Iterator[SecureNode]:
    with SecureNode(tmp_path_factory.mktemp("node"), pair, authority.ca) as node:
        yield node


def test_visits_and_reads_go_the_hot_path_over_tls_too(node: SecureNode) -> None:
    with httpx.Client(base_url=node.url, verify=node.context) as http:
        http.put("/v1/counters/hot", json={"unit": "visits"}).raise_for_status()
        before = hot_requests(http)
        for number in range(20):
            answer = http.post("/v1/counters/hot/visits", json={"visitor": f"v{number}"})
            assert answer.status_code == 202, answer.text
            assert answer.json()["stored"] == "log"
        eventually(lambda: http.get("/v1/counters/hot").json()["value"] == 20)
        assert hot_requests(http) >= before + 21


def hot_requests(http: httpx.Client) -> float:
    """How many requests the protocol has answered by itself."""
    lines = http.get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if 'path="hot"' in line)


def test_pipelined_visits_over_tls_are_answered_in_order(node: SecureNode) -> None:
    host, port = node.url.removeprefix("https://").split(":")
    body = b'{"visitor": "p"}'
    visit = b"POST /v1/counters/hot/visits HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    read = b"GET /v1/counters/hot HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    with (
        socket.create_connection((host, int(port))) as plain,
        node.context.wrap_socket(plain, server_hostname=host) as tls,
    ):
        tls.sendall(visit * 50 + read)
        answer = bytearray()
        while part := tls.recv(65_536):
            answer += part
    assert answer.count(b"HTTP/1.1 202") == 50
    assert answer.rindex(b"HTTP/1.1 202") < answer.index(b"HTTP/1.1 200")


def test_the_node_names_itself_by_https(node: SecureNode) -> None:
    with httpx.Client(base_url=node.url, verify=node.context) as http:
        assert [one["url"] for one in http.get("/v1/nodes").json()["nodes"]] == [node.url]


def test_tls_1_2_is_taken_and_what_is_older_is_refused(node: SecureNode, authority: Authority) -> None:
    host, port = node.url.removeprefix("https://").split(":")
    for newest in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2):
        context = ssl.create_default_context(cafile=authority.ca)
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, newest
        context.set_ciphers("DEFAULT@SECLEVEL=0")  # or the client would refuse to ask
        with socket.create_connection((host, int(port))) as plain:
            if newest is ssl.TLSVersion.TLSv1_2:
                with context.wrap_socket(plain, server_hostname=host) as tls:
                    assert tls.version() == "TLSv1.2"
            else:
                with pytest.raises(ssl.SSLError):
                    context.wrap_socket(plain, server_hostname=host)


def test_the_commands_speak_https_with_a_private_authority(node: SecureNode, authority: Authority) -> None:
    at = ("--url", node.url, "--ca", authority.ca)
    assert "1 visit to cli" in footfall("hit", "cli", *at).stdout
    eventually(lambda: footfall("read", "cli", *at).stdout.strip() == "1")
    assert node.url in footfall("nodes", *at).stdout


def test_a_certificate_that_nobody_vouches_for_ends_a_command_in_one_line(node: SecureNode, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    for extra in ((), ("--ca", stranger.ca)):
        done = footfall("read", "cli", "--url", node.url, *extra, code=1)
        assert "certificate is not trusted" in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_ca_that_is_none_or_is_not_needed_is_told(node: SecureNode, tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    assert "no.pem cannot be read" in footfall("read", "a", "--url", node.url, "--ca", "no.pem", code=2).stderr
    done = footfall("read", "a", "--url", node.url, "--ca", str(tmp_path / "no.pem"), code=2)
    assert "holds no certificates" in done.stderr
    done = footfall("read", "a", "--url", "http://127.0.0.1:1", "--ca", "no.pem", code=2)
    assert "https" in done.stderr


def test_files_that_cannot_serve_are_told_in_one_line(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    other = authority.issue("other")
    (tmp_path / "text").write_text("no key\n")
    wrong = [
        ((pair.cert, str(tmp_path / "gone")), "gone cannot be read: No such file"),
        ((str(tmp_path / "gone"), pair.key), "gone cannot be read: No such file"),
        ((pair.cert, other.key), "does not belong to the certificate"),
        ((pair.cert, str(tmp_path / "text")), "not a certificate and its key in PEM"),
        ((str(tmp_path / "text"), pair.key), "not a certificate and its key in PEM"),
        ((pair.key, pair.cert), "not a certificate and its key in PEM"),
    ]
    for (cert, key), says in wrong:
        with pytest.raises(ConfigError) as raised:
            server_context(cert, key)
        assert says in str(raised.value)
    arguments = ("serve", "--data", str(tmp_path / "data"), "--http", "127.0.0.1:0")
    done = footfall(*arguments, "--tls-cert", pair.cert, "--tls-key", other.key, code=2)
    assert done.stderr.count("\n") == 1
    done = footfall(*arguments, "--tls-cert", pair.cert, code=2)
    assert "--tls-cert and --tls-key" in done.stderr
    assert not (tmp_path / "data").exists()


async def test_a_renewed_certificate_is_served_without_a_restart_and_a_wrong_one_is_not(tmp_path: Path) -> None:
    first, second = Authority(tmp_path / "first"), Authority(tmp_path / "second")
    live, new, unrelated = first.issue("live"), second.issue("new"), second.issue("unrelated")
    context = server_context(*live)
    renewing = asyncio.create_task(Renewal(context, *live, check_s=0.02).keep())
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]

    async def trusted_by(authority: Authority) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client_context(authority.ca))
        except ssl.SSLCertVerificationError:
            return False
        writer.close()
        return True

    assert await trusted_by(first)
    shutil.copy(unrelated.key, live.key)  # the certificate is still the old one
    await asyncio.sleep(0.2)
    assert await trusted_by(first)
    shutil.copy(new.key, live.key)
    shutil.copy(new.cert, live.cert)
    for _ in range(500):
        if await trusted_by(second):
            break
        await asyncio.sleep(0.02)
    assert not await trusted_by(first)
    renewing.cancel()
    server.close()


def test_several_nodes_of_one_machine_serve_tls(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--nodes", "2", "--data", str(tmp_path / "data"), "--http", "127.0.0.1:0",
             "--tls-cert", pair.cert, "--tls-key", pair.key], stderr=log,
        )  # fmt: skip
    try:
        ready = "2 nodes are ready: https://"
        eventually(lambda: process.poll() is not None or ready in (tmp_path / "log").read_text(), what="the nodes")
        urls = (tmp_path / "log").read_text().partition("are ready: ")[2].split()
        assert len(urls) == 2
        told = footfall("nodes", "--url", urls[0], "--ca", authority.ca).stdout
        assert all(url in told for url in urls)
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_a_client_that_names_it_http_is_told_to_write_https(node: SecureNode) -> None:
    with (
        Client(node.url.replace("https:", "http:")) as client,
        pytest.raises(UnavailableError, match="if it has a certificate, write https://"),
    ):
        client.value("shop", timeout_s=0)
