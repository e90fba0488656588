"""What else one might count with, measured as it would be used with the same promise: stored on disk when acknowledged.

Knows nothing of Footfall. Run by itself it prints its own table.
"""

import asyncio
import contextlib
import json
import re
import shutil
import subprocess
import time

import nats
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg

from benchmarks.harness import Figure, free_ports, nats_server, process, scratch, show, wait_for_port

SECONDS = 4.0
CLIENTS = 50  # redis-benchmark's default
WINDOW = 500  # increments of NATS's counter without an answer yet
ANSWER_S_MAX = 10.0


def redis_increments(pipeline: int, requests: int) -> Figure:
    """Redis INCR of one key with the append-only file synced before every answer."""
    name = f"Redis INCR, {CLIENTS} clients, fsync always, " + (
        f"pipelined by {pipeline}" if pipeline > 1 else "unpipelined"
    )
    server, load = shutil.which("redis-server"), shutil.which("redis-benchmark")
    if server is None or load is None:
        return Figure(name, None, "not installed: redis-server and redis-benchmark")
    port = free_ports()
    with scratch() as directory:
        settings = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory]
        settings += ["--appendonly", "yes", "--appendfsync", "always"]
        with process([server, *settings]) as child:
            wait_for_port(port, child)
            flags = [
                "-p",
                str(port),
                "-t",
                "incr",
                "-c",
                str(CLIENTS),
                "-P",
                str(pipeline),
                "-n",
                str(requests),
                "--csv",
            ]
            done = subprocess.run([load, *flags], capture_output=True, text=True, timeout=60, check=True)
    rate = re.search(r'"INCR","([\d.]+)"', done.stdout)
    return Figure(name, float(rate[1]), "redis-benchmark") if rate else Figure(name, None, done.stdout)


class _Window:
    """Answers to increments that are under way."""

    def __init__(self) -> None:
        self.free = asyncio.Semaphore(WINDOW)
        self.answered = 0
        self.last: dict[str, str] = {}

    async def answer(self, message: Msg) -> None:
        self.last = json.loads(message.data)
        if "error" in self.last:
            raise RuntimeError(f"NATS refused an increment: {self.last}")
        self.answered += 1
        self.free.release()


async def _increment(client: Client, seconds: float) -> float:
    stream = {"name": "COUNTS", "subjects": ["count.>"], "allow_msg_counter": True, "allow_direct": True}
    made = json.loads((await client.request("$JS.API.STREAM.CREATE.COUNTS", json.dumps(stream).encode())).data)
    if "error" in made:
        raise RuntimeError(f"this nats-server has no counters: {made['error']}")
    window = _Window()
    inbox = client.new_inbox()
    await client.subscribe(inbox, cb=window.answer)
    started_s, sent = time.perf_counter(), 0
    while time.perf_counter() - started_s < seconds:
        await asyncio.wait_for(window.free.acquire(), ANSWER_S_MAX)
        await client.publish("count.google", b"", reply=inbox, headers={"Nats-Incr": "1"})
        sent += 1
    async with asyncio.timeout(ANSWER_S_MAX):
        for _ in range(WINDOW):
            await window.free.acquire()
    rate = sent / (time.perf_counter() - started_s)
    if window.answered != sent:
        raise RuntimeError(f"{window.answered} of {sent} increments were answered")
    return rate


async def nats_counter(sync: str, note: str) -> Figure:
    """NATS's own counter (ADR-49): a stream that sums the header ``Nats-Incr`` for each subject."""
    name = f"NATS counter (ADR-49), {WINDOW} under way, {note}"
    with scratch() as directory, nats_server(directory, sync) as url:
        client = await nats.connect(url, allow_reconnect=False)
        try:
            return Figure(name, await _increment(client, SECONDS), "from Python, acknowledged")
        except RuntimeError as error:
            return Figure(name, None, str(error))
        finally:
            with contextlib.suppress(nats.errors.Error):
                await client.close()


def measure() -> dict[str, Figure]:
    """All peers, one after the other."""
    return {
        "redis": redis_increments(1, 150_000),
        "redis pipelined": redis_increments(64, 3_000_000),
        "nats": uvloop.run(nats_counter("always", "fsync always")),
        "nats unsynced": uvloop.run(nats_counter("2m", "not synced")),  # its default
    }


if __name__ == "__main__":
    figures = measure().values()
    show("Peers", ["", "increments/s", ""], [[f.what, f"{f.rate:,.0f}" if f.rate else "-", f.note] for f in figures])
