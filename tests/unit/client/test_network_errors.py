"""What is said where nobody answers as a node does: in our words, and with what to do."""

import socket
import threading
from collections.abc import Iterator

import httpx
import pytest

import footfall
from footfall.cli.client import Client as CommandClient
from footfall.errors import ConfigError, FootfallError, UnavailableError, UnreachableError

NEVER_MIND = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"


@pytest.fixture(params=[NEVER_MIND, b""], ids=["speaks HTTP", "closes"])
def answers_with(request: pytest.FixtureRequest) -> Iterator[tuple[bytes, int]]:
    """Somebody who listens, and answers so whatever comes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(request.param)

        thread = threading.Thread(target=answer)
        thread.start()
        yield request.param, listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_https_to_what_speaks_no_tls_and_http_to_what_may_are_said(answers_with: tuple[bytes, int]) -> None:
    said, port = answers_with
    if said:
        with (
            footfall.Client(f"https://127.0.0.1:{port}") as client,
            pytest.raises(UnreachableError, match=r"does not speak TLS: if it is a node, write http://\)$"),
        ):
            client.value("shop", timeout_s=0)
    else:
        with (
            footfall.Client(f"http://127.0.0.1:{port}") as client,
            pytest.raises(UnavailableError, match=r"without an answer: if it has a certificate, write https://$"),
        ):
            client.value("shop", timeout_s=0)


@pytest.mark.parametrize("url", ["nats://user:password@a:4222", "tls://a:4222"])
def test_who_gives_a_client_the_logs_servers_is_told_of_the_edge(url: str) -> None:
    with pytest.raises(ConfigError, match=r"footfall\.Edge") as raised:
        footfall.Client(url)
    assert "password" not in str(raised.value)


def test_who_gives_an_edge_a_node_is_told_of_the_client() -> None:
    with pytest.raises(ConfigError, match=r"footfall\.Client"):
        footfall.Edge("http://127.0.0.1:8080")


def test_a_read_waits_for_three_seconds_and_a_page_for_it() -> None:
    for place in (footfall.Client, footfall.AsyncClient, footfall.Counter, footfall.Edge):
        assert place.value.__kwdefaults__ == {"timeout_s": 3.0}


async def test_who_refuses_and_who_is_silent_are_told_alike_with_threads_and_in_an_event_loop() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with footfall.Client(url) as client, pytest.raises(UnavailableError) as raised:
            client.value("shop", timeout_s=0)
        async with footfall.connect(url) as loop:
            with pytest.raises(UnavailableError) as also_raised:
                await loop.value("shop", timeout_s=0)
        assert (
            str(raised.value) == str(also_raised.value) == f"{url} broke off GET /v1/counters/shop: no answer in time"
        )
    with footfall.Client(url) as client, pytest.raises(UnreachableError) as raised:
        client.value("shop", timeout_s=0)
    async with footfall.connect(url) as loop:
        with pytest.raises(UnreachableError) as also_raised:
            await loop.value("shop", timeout_s=0)
    assert str(raised.value) == str(also_raised.value) == f"no node answers at {url} (connection refused)"


def test_a_name_and_password_in_the_url_are_shown_to_the_proxy_that_asks_for_them() -> None:
    shown: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        shown.append(request.headers.get("authorization", ""))
        return httpx.Response(200, json={"counter": "shop", "value": 3})

    for url in ("http://shop:p%40ss@a:1", "http://a:1"):
        with footfall.Client(url, transport=httpx.MockTransport(answer)) as client:
            assert client.value("shop") == 3
    assert shown == ["Basic c2hvcDpwQHNz", ""]


@pytest.mark.parametrize("answer", [None, 401, 502])
def test_a_password_in_the_url_is_in_no_message(answer: int | None, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        if answer is None:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(answer)

    url = "http://shop:secret-word@a:1"
    with footfall.Client(url, transport=httpx.MockTransport(refuse), exit_timeout_s=0) as client:
        with pytest.raises(FootfallError, match="http://a:1") as raised:
            client.value("shop", timeout_s=0)
        client.increment("shop")
        assert not client.flush(timeout_s=0.2)
    with CommandClient(url, transport=httpx.MockTransport(refuse)) as node, pytest.raises(FootfallError) as also_raised:
        node.read("shop")
    assert "secret-word" not in f"{raised.value} {also_raised.value} {caplog.text}"
