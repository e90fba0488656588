"""systemd is told what it wants to know, over the socket that it names, and nobody else's."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from footfall.web.systemd import Systemd


@pytest.fixture(params=["path", "abstract"])
def watcher(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """Systemd's end of the socket, and its name as the environment has it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@footfall-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        one.settimeout(5)
        yield name, one


def test_each_telling_is_one_datagram(watcher: tuple[str, socket.socket]) -> None:
    name, one = watcher
    systemd = Systemd({"NOTIFY_SOCKET": name})
    systemd.tell("READY=1", "STATUS=ready at http://127.0.0.1:8080")
    systemd.status("two\nlines")
    assert one.recv(1000) == b"READY=1\nSTATUS=ready at http://127.0.0.1:8080"
    assert one.recv(1000) == b"STATUS=two lines"


async def test_the_watchdog_is_fed_by_the_loop_twice_as_often_as_it_bites(watcher: tuple[str, socket.socket]) -> None:
    name, one = watcher
    systemd = Systemd({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "40000", "WATCHDOG_PID": str(os.getpid())})
    assert systemd.keep_alive_s == 0.02
    one.setblocking(False)
    loop = asyncio.get_running_loop()
    async with systemd.watching():
        for _ in range(3):
            assert await asyncio.wait_for(loop.sock_recv(one, 1000), 5) == b"WATCHDOG=1"
    await asyncio.sleep(0.05)
    with pytest.raises(BlockingIOError):
        one.recv(1000)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": "somewhere"},
        {"NOTIFY_SOCKET": "somewhere", "WATCHDOG_USEC": "often"},
        {"NOTIFY_SOCKET": "somewhere", "WATCHDOG_USEC": "40000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "40000"},
    ],
)
async def test_nothing_is_fed_where_no_watchdog_waits_for_this_process(environment: dict[str, str]) -> None:
    systemd = Systemd(environment)
    assert systemd.keep_alive_s == 0
    await asyncio.wait_for(systemd.keep_alive(), 5)


def test_processes_that_are_started_later_do_not_speak_for_this_one() -> None:
    environment = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "PATH": "/bin"}
    Systemd(environment)
    assert environment == {"PATH": "/bin"}


def test_a_systemd_that_does_not_listen_is_borne(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).tell("READY=1")
    assert "systemd cannot be told READY=1" in caplog.text
