"""Connections that wait when the server closes are accepted: the system would cut them off with the socket."""

import asyncio
import socket

import pytest

from footfall.web import accepting
from footfall.web.accepting import Acceptor


class Greeting(asyncio.Protocol):
    """Says hello, so that its client knows that he was accepted."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()


async def test_all_who_wait_are_accepted_when_it_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepting, "AT_ONCE_MAX", 2)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    acceptor = Acceptor(listening, Greeting, None)
    clients = [socket.create_connection(listening.getsockname()) for _ in range(7)]  # the loop does not come round
    acceptor.close()
    acceptor.close()
    await asyncio.sleep(0.2)
    for client in clients:
        with client:
            assert client.recv(5) == b"hello"
    await acceptor.wait_closed()


async def test_one_that_was_paused_for_want_of_descriptors_stays_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepting, "PAUSE_S", 0.05)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    acceptor = Acceptor(listening, Greeting, None)

    def none_left() -> tuple[socket.socket, object]:
        raise OSError(24, "no descriptor is left")

    class Without:
        fileno, close, accept = listening.fileno, listening.close, staticmethod(none_left)

    acceptor._listening = Without()  # type: ignore[assignment]
    acceptor._accept()
    acceptor.close()
    await asyncio.sleep(0.2)  # what the pause would have called by now would raise, and the test fail
    assert listening.fileno() == -1
