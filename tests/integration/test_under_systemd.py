"""Under systemd: real processes tell it that they are ready, alive, and about to stop; and log in JSON if asked to."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from footfall.config import Config
from footfall.web import supervisor
from footfall.web.supervisor import Supervisor
from processes import HTTP, NodeProcess, eventually, free_ports


class Listening:
    """Stands for systemd: notes all that it is told."""

    def __init__(self, path: Path) -> None:
        self.told: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._thread = threading.Thread(target=self._hear)
        self._thread.start()

    def _hear(self) -> None:
        while said := self._socket.recv(10_000).decode():
            self.told.append(said)

    def heard(self, beginning: str) -> str | None:
        """What it was told that begins so."""
        return next((one for one in self.told if one.startswith(beginning)), None)

    def close(self) -> None:
        """Listen no more: an empty datagram ends it."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
            one.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Listening]:
    listening = Listening(tmp_path / "notify")
    yield listening
    listening.close()


@pytest.mark.parametrize("nodes", [1, 2])
def test_the_process_that_systemd_started_tells_it_how_its_nodes_are(
    tmp_path: Path, systemd: Listening, nodes: int
) -> None:
    first = free_ports(2)[0]
    node = NodeProcess(tmp_path / "data", "--nodes", str(nodes), "--log-format", "json", "--open", port=first)
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    opened.touch()
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o700)
    node._env |= {"BROWSER": str(browser), "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
    with node:
        ready = eventually(lambda: systemd.heard("READY=1\nSTATUS="))
        assert node.url in ready
        for port in range(first, first + nodes):
            assert HTTP.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
        eventually(lambda: opened.read_text() == f"{node.url}\n", what="the dashboard in the browser")
        systemd.told.clear()
        eventually(lambda: systemd.heard("WATCHDOG=1"))
    assert systemd.heard("STOPPING=1")
    assert {one.partition("=")[0] for one in systemd.told} <= {"WATCHDOG", "STOPPING", "STATUS"}
    said = node.said().splitlines()
    said.remove(f"the dashboard is at {node.url}")  # on stdout, and not a line of the log
    lines = [json.loads(line) for line in said]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    assert len({line["node"] for line in lines if line["logger"].startswith("footfall.node")}) == nodes


async def test_a_node_that_stands_still_is_started_again_and_one_that_works_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervisor, "SILENT_LOOKS_MAX", 3)
    config = Config(data=str(tmp_path / "data"), http_port=free_ports(2)[0])
    async with Supervisor(config, 2) as nodes, httpx.AsyncClient(timeout=1) as client:
        still, working = nodes.pids
        assert still is not None
        os.kill(still, signal.SIGSTOP)
        status = 0
        async with asyncio.timeout(30):
            while nodes.pids[0] == still or status != 200:
                await asyncio.sleep(0.1)
                with contextlib.suppress(httpx.HTTPError):
                    status = (await client.get(f"{nodes.urls[0]}/readyz")).status_code
        assert nodes.pids[1] == working
    assert caplog.text.count("hangs: it was silent for 3 s, and is ended") == 1
