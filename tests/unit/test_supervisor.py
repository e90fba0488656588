"""A supervisor starts a node again that hangs, and leaves one alone that comes round. Shell scripts stand for nodes."""

import asyncio
import contextlib
import os
import select
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from footfall.config import Config
from footfall.web import process, supervisor
from footfall.web.supervisor import NodeFailedError, _Child
from footfall.web.systemd import Systemd

HANGS_ONCE = """
read settings
echo http://127.0.0.1:1
echo; sleep 0.05; echo
[ -e hung ] || { touch hung; exec sleep 60; }
while echo; do sleep 0.02; done
"""
STARTS_SLOWLY = """
read settings
for beat in $(seq 40); do echo; sleep 0.03; done
echo http://127.0.0.1:1
exec sleep 60
"""
HANGS_AT_ITS_START = "read settings; exec sleep 60"


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Child:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(supervisor, "LOOK_S", 0.02)
    monkeypatch.setattr(supervisor, "SILENT_LOOKS_MAX", 50)
    monkeypatch.setattr(supervisor, "START_LOOKS_MAX", 50)
    monkeypatch.setattr(supervisor, "BACKOFF_FIRST_S", 0.01)
    return _Child(Config())


async def another_runs(child: _Child, before: int | None) -> bool:
    for _ in range(500):
        if child.pid != before:
            return True
        await asyncio.sleep(0.02)
    return False


async def test_a_node_that_hangs_is_ended_and_started_again_and_one_that_comes_round_is_not(
    child: _Child, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervisor, "COMMAND", ("sh", "-c", HANGS_ONCE))
    await child.start()
    first = child.pid
    keeping = asyncio.create_task(child.keep())
    assert await another_runs(child, first)
    await asyncio.sleep(1.5)
    assert child.restarts == 1
    assert "the node at http://127.0.0.1:1 hangs: it was silent for 1 s, and is ended" in caplog.text
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await child.stop()


async def test_a_system_without_room_for_a_process_is_asked_again(
    child: _Child, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervisor, "COMMAND", ("sh", "-c", "read settings; echo http://127.0.0.1:1"))
    await child.start()
    with monkeypatch.context() as full:
        full.setattr(supervisor, "COMMAND", ("/nowhere/sh",))
        keeping = asyncio.create_task(child.keep())
        for _ in range(500):
            if "does not start: [Errno 2]" in caplog.text:
                break
            await asyncio.sleep(0.02)
    assert "does not start: [Errno 2]" in caplog.text
    first = child.pid
    monkeypatch.setattr(supervisor, "COMMAND", ("sh", "-c", "read settings; echo http://127.0.0.1:1; exec sleep 60"))
    assert await another_runs(child, first)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await child.stop()


async def test_a_node_that_hangs_at_its_start_does_not_start(
    child: _Child, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervisor, "COMMAND", ("sh", "-c", HANGS_AT_ITS_START))
    with pytest.raises(NodeFailedError, match=r"did not start \(exit code -9\)"):
        await child.start()
    assert "the node at http://127.0.0.1:8080 hangs" in caplog.text


async def test_a_node_that_comes_round_may_take_as_long_as_it_needs_to_count_the_log_at_its_start(
    child: _Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "COMMAND", ("sh", "-c", STARTS_SLOWLY))
    await child.start()
    assert child.url == "http://127.0.0.1:1"
    await child.stop()


async def test_a_node_says_that_it_comes_round_from_its_start_on(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.asynccontextmanager
    async def never_ready(*_: object) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield

    monkeypatch.setattr(process, "running", never_ready)
    there, here = os.pipe()
    starting = asyncio.create_task(process._run(Config(), None, Systemd(), here))
    assert await asyncio.to_thread(os.read, there, 1) == b"\n"
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    os.close(there)
    os.close(here)


async def test_a_node_says_that_it_comes_round_and_waits_for_nobody_who_does_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "BEAT_S", 0.0)
    there, here = os.pipe()
    beating = asyncio.create_task(process.beat(here))
    await asyncio.sleep(0.01)
    assert os.read(there, 1) == b"\n"
    while select.select([], [here], [], 0)[1]:  # until it is full
        os.write(here, b"x" * 4096)
    await asyncio.sleep(0.05)
    assert not beating.done()
    os.close(there)
    await asyncio.sleep(0.05)
    assert not beating.done(), "who supervised has died: another part sees to that"
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    os.close(here)
