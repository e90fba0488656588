"""Whether the engine is well is asked of it over HTTP; whatever comes back, who asks lives on to ask again."""

import socket
import threading

import pytest

from footfall.log.engine import _answers


@pytest.mark.parametrize(
    ("said", "well"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", True),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", False),
        (b"who is there?\r\n\r\n", False),
        (b"HTTP/1.1 two hundred\r\n\r\n", False),
        (b"", False),
    ],
)
def test_only_an_engine_that_says_so_is_well(said: bytes, well: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1_000)
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        assert _answers(f"http://127.0.0.1:{server.getsockname()[1]}/healthz") is well
        thread.join()


def test_nobody_is_not_well() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not _answers(f"http://127.0.0.1:{port}/healthz")
