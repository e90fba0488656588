"""Whoever waits for a connection to NATS is told what is waited for."""

import asyncio
import logging

import pytest

from footfall.errors import ConnectError
from footfall.log import connection
from footfall.log.access import Access
from footfall.log.client import LogClient


@pytest.mark.parametrize(("tell_s", "told"), [(0.05, 1), (10.0, 0)])
async def test_a_server_that_is_not_reached_at_once_is_named_once_without_its_password(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tell_s: float, told: int
) -> None:
    monkeypatch.setattr(connection, "TELL_S", tell_s)
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT_S", 0.3)
    caplog.set_level(logging.INFO, "footfall")
    silent = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with silent:
        port = silent.sockets[0].getsockname()[1]
        with pytest.raises(ConnectError):
            await connection.establish(
                LogClient(Access()),
                [f"nats://user:secret@127.0.0.1:{port}", "nats://127.0.0.1:1"],
                Access(),
                "test",
                lambda: None,
                lambda: None,
            )
    where = f"nats://127.0.0.1:{port}, nats://127.0.0.1:1"
    assert caplog.messages.count(f"trying to reach a nats-server at {where}") == told
    assert "secret" not in caplog.text
