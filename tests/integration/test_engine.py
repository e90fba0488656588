"""The embedded engine runs a real nats-server: its data stays, it comes back, and its directory is its own."""

import errno
import os
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from log_kinds import ONE, TIMEOUT_S, publish, read, start, stored, until

from footfall.config import Config
from footfall.errors import (
    ConfigError,
    ConnectError,
    DataInUseError,
    DataVersionError,
    EngineFailedError,
)
from footfall.log import connection, engine
from footfall.log.binary import find_binary
from footfall.log.engine import Engine
from footfall.log.opening import connect
from processes import Process

BYTES_MAX = 100 << 20
OF_THE_OWNER = ("engine.password", "engine.url", "nats.conf")  # files with the password in them
CONFIG = Config(log_bytes_max=BYTES_MAX)


@pytest.fixture(autouse=True)
def _lively(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "CHECK_INTERVAL_S", 0.05)
    monkeypatch.setattr(engine, "CHECK_TIMEOUT_S", 0.5)


async def test_the_log_stays_over_restarts_under_the_same_password(tmp_path: Path) -> None:
    passwords, created = set(), set()
    for start_number in range(3):
        async with Engine(tmp_path, BYTES_MAX) as running:
            passwords.add(running.url.split("@")[0])
            log = await connect(CONFIG, [running.url], name="test")
            created.add(log.created)
            assert (await log.state()).last_sequence == 5 * start_number
            await publish(log, ONE, 5, f"{start_number}")
            await log.put("a.b", b"%d" % start_number)
            await log.close()
    assert len(passwords) == len(created) == 1
    async with Engine(tmp_path, BYTES_MAX) as running:
        log = await connect(CONFIG, [running.url], name="test")
        messages = await read(log, [ONE], start(log), 15)
        assert [message.data for message in messages] == [b"%d %d" % (n // 5, n % 5) for n in range(15)]
        assert await log.get("a.b") == b"2"
        await log.close()


async def test_a_disk_that_is_full_is_told_with_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    async with Engine(tmp_path, BYTES_MAX):
        pass
    monkeypatch.setattr("footfall.durable.replace", full)
    with pytest.raises(EngineFailedError, match=f"the data directory {tmp_path} cannot be written: No space left on"):
        async with Engine(tmp_path, BYTES_MAX):
            pass
    monkeypatch.undo()
    async with Engine(tmp_path, BYTES_MAX):
        pass


async def test_a_killed_server_comes_back_on_its_port_and_connections_with_it(tmp_path: Path) -> None:
    async with Engine(tmp_path, BYTES_MAX) as running:
        log = await connect(CONFIG, [running.url], name="test")
        url = running.url
        for number in range(1, 4):
            assert await stored(log, ONE, b"%d" % number) == number
            pid = running.pid
            os.kill(pid, signal.SIGKILL)
            await until(lambda pid=pid: running.pid != pid)  # type: ignore[misc]
            assert running.restarts == number
        assert await stored(log, ONE, b"4") == 4
        assert running.url == url
        assert [message.data for message in await read(log, [ONE], start(log), 4)] == [b"1", b"2", b"3", b"4"]
        await log.close()


async def test_a_server_that_hangs_is_noticed_and_started_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine, "CHECK_TIMEOUT_S", 0.1)
    async with Engine(tmp_path, BYTES_MAX) as running:
        log = await connect(CONFIG, [running.url], name="test")
        await stored(log, ONE, b"1")
        pid = running.pid
        os.kill(pid, signal.SIGSTOP)
        await until(lambda: running.pid != pid)
        assert await stored(log, ONE, b"2") == 2
        await log.close()
    assert "the nats-server does not answer; it is started anew" in caplog.messages


async def test_a_server_that_cannot_be_restarted_at_once_is_tried_again_and_why_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    binary = tmp_path / "nats-server"
    binary.symlink_to(find_binary())
    monkeypatch.setenv("FOOTFALL_NATS_SERVER", str(binary))
    async with Engine(tmp_path / "data", BYTES_MAX) as running:
        log = await connect(CONFIG, [running.url], name="test")
        await stored(log, ONE, b"1")
        binary.unlink()
        binary.symlink_to("/bin/false")
        os.kill(running.pid, signal.SIGKILL)
        await until(lambda: running.restarts >= 2)
        binary.unlink()  # now there is none at all
        seen = running.restarts
        await until(lambda: running.restarts >= seen + 2)
        binary.symlink_to(find_named())
        assert await stored(log, ONE, b"2") == 2
        await log.close()
    assert caplog.messages.count("the nats-server has died; it is started anew") == 1
    assert any("cannot be started, and is tried on: " in message for message in caplog.messages)


def find_named() -> str:
    """The nats-server that is run without FOOTFALL_NATS_SERVER."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FOOTFALL_NATS_SERVER")
        return find_binary()


async def test_a_directory_in_use_is_refused_until_it_is_free(tmp_path: Path) -> None:
    async with Engine(tmp_path, BYTES_MAX):
        with pytest.raises(DataInUseError, match=rf"{tmp_path} is in use by process {os.getpid()}: .*--data"):
            await Engine(tmp_path, BYTES_MAX).start()
        with pytest.raises(DataInUseError):
            await Engine(tmp_path, BYTES_MAX).start()
    async with Engine(tmp_path, BYTES_MAX):
        pass


OTHER = """
import asyncio, sys
from pathlib import Path
from footfall.log.engine import Engine

async def main():
    async with Engine(Path(sys.argv[1]), 100 << 20) as engine:
        print(engine.pid, flush=True)
        await asyncio.sleep(3600)

asyncio.run(main())
"""


class Other(Process):
    """Another process that runs an engine."""

    def __init__(self, data: Path, log: Path) -> None:
        super().__init__([sys.executable, "-c", OTHER, str(data)], log)

    async def server(self) -> int:
        """The process id of its nats-server, once it runs."""
        await until(lambda: self.said().endswith("\n"))
        return int(self.said())


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Other]:
    with Other(tmp_path / "data", tmp_path / "other.log") as other:
        yield other


async def test_a_directory_in_use_by_another_process_is_refused(tmp_path: Path, other: Other) -> None:
    await other.server()
    with pytest.raises(DataInUseError, match=f"in use by process {other.pid}"):
        await Engine(tmp_path / "data", BYTES_MAX).start()


async def test_after_a_parent_was_killed_the_next_waits_until_its_server_has_ended(
    tmp_path: Path, other: Other
) -> None:
    server = await other.server()
    other.kill()
    async with Engine(tmp_path / "data", BYTES_MAX) as running:  # at once, while the other may be ending still
        assert running.pid != server
        log = await connect(CONFIG, [running.url], name="test")
        await log.publish(ONE, b"x")
        await log.close()


async def test_a_server_that_does_not_end_after_its_parent_keeps_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 0.3)
    code = "import fcntl, sys, time; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); "
    data = tmp_path / "data"
    data.mkdir()
    (data / "lock").write_text("999999999\n")  # no process has such a number
    holder = Process([sys.executable, "-c", code + "time.sleep(3600)", str(data / "lock")], tmp_path / "holder.log")
    with holder:
        await until(lambda: holder.said() == "\n")
        with pytest.raises(DataInUseError, match="in use by process 999999999"):
            await Engine(data, BYTES_MAX).start()


@pytest.mark.parametrize("version", ["2\n", "", "\x80"])
async def test_data_of_another_version_is_refused_and_left_alone(tmp_path: Path, version: str) -> None:
    (tmp_path / "version").write_text(version)
    for _ in range(2):  # the directory is let go each time
        with pytest.raises(DataVersionError, match=r"is of version .*, and this Footfall reads 1: .*--data"):
            await Engine(tmp_path, BYTES_MAX).start()
    assert not (tmp_path / "engine.password").exists()
    (tmp_path / "version").write_text("1\n")
    async with Engine(tmp_path, BYTES_MAX):
        pass


@pytest.mark.parametrize("blocked", ["data", "data/lock", "data/version", "data/engine.password", "data/deeper"])
async def test_a_directory_that_cannot_be_used_is_an_error_of_setup(tmp_path: Path, blocked: str) -> None:
    """A directory is where a file should be, or a file where a directory should be."""
    data = tmp_path / "data"
    if blocked == "data":
        data.write_text("")
    elif blocked == "data/deeper":
        data.write_text("")
        data = data / "deeper"
    else:
        (tmp_path / blocked).mkdir(parents=True)
    with pytest.raises(ConfigError, match=f"the data directory {data} cannot be used: "):
        await Engine(data, BYTES_MAX).start()


async def test_a_server_that_cannot_come_up_is_reported_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "jetstream").write_text("")
    with pytest.raises(EngineFailedError, match=rf"last words in {tmp_path}/nats.log: .*directory"):
        await Engine(tmp_path, BYTES_MAX).start()
    (tmp_path / "jetstream").unlink()
    (tmp_path / "nats.conf").write_text("no configuration {")  # written anew at every start
    async with Engine(tmp_path, BYTES_MAX):
        pass


async def test_a_client_without_the_credential_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT_S", 0.3)
    async with Engine(tmp_path, BYTES_MAX) as running:
        address = running.url.split("@")[1]
        for url in (f"nats://{address}", f"nats://footfall:wrong@{address}", f"nats://footfall:@{address}"):
            with pytest.raises(ConnectError, match="is the credential right"):
                await connect(CONFIG, [url], name="test")
        await (await connect(CONFIG, [running.url], name="test")).close()


async def test_the_server_listens_on_the_loopback_address_only(tmp_path: Path) -> None:
    async with Engine(tmp_path, BYTES_MAX) as running:
        for port in (running._port, running._monitor_port):
            socket.create_connection(("127.0.0.1", port)).close()
            with pytest.raises(OSError, match=r"refused|unreachable|assign"):
                socket.create_connection(("127.0.0.2", port), timeout=TIMEOUT_S)  # all addresses would be this one too


async def test_the_server_syncs_before_it_acknowledges_and_secrets_are_the_owners_alone(tmp_path: Path) -> None:
    data = tmp_path / 'a "quoted" \\ name'
    async with Engine(data, BYTES_MAX) as running:
        log = await connect(CONFIG, [running.url], name="test")
        await log.publish(ONE, b"x")
        await log.close()
        password = running.url.split(":")[2].split("@")[0]
        assert len(password) == 48
        assert "sync_interval: always" in (data / "nats.conf").read_text()
        assert (data / "jetstream").is_dir()
        assert modes_of_files_with(data, password) == dict.fromkeys(OF_THE_OWNER, 0o600)


def modes_of_files_with(directory: Path, text: str) -> dict[str, int]:
    """The files that hold a text, and who may do what with them."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in files if text.encode() in path.read_bytes()}
