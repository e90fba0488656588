"""``footfall doctor`` names each kind of damage that it claims to find: here each is done to real files and servers."""

import asyncio
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from damaging import flip_header

from footfall.core import cut
from footfall.core.batch import Batch, Section, encode
from footfall.core.names import Unit
from footfall.core.position import Position
from footfall.log.engine import Engine
from footfall.log.jetstream import JetStreamLog
from footfall.log.opening import connect_existing
from footfall.log.streams import CUTS, STREAM
from footfall.node.spool_file import Origin, SpoolFile
from processes import HTTP, NatsServer, NodeProcess, eventually, free_ports

LOG_BYTES = 1 << 30


def doctor(data: Path, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Its exit code and what it found, but for what is as it should be."""
    command = [sys.executable, "-m", "footfall.cli", "doctor", "--data", str(data), "--json", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.stdout, ended.stderr
    found = json.loads(ended.stdout)
    return ended.returncode, [one for one in found["findings"] if one["level"] != "ok"]


def check_named(data: Path, level: str, part: str, name: str, *words: str, arguments: tuple[str, ...] = ()) -> None:
    """The doctor names this, with these words, and says what to do; its exit code tells if it is bad."""
    code, found = doctor(data, *arguments)
    named = [one for one in found if (one["part"], one["name"]) == (part, name)]
    assert len(named) == 1, found
    (one,) = named
    assert one["level"] == level
    assert one["do"]
    for word in words:
        assert word in one["found"], one
    assert code == (1 if any(one["level"] == "bad" for one in found) else 0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a node that has counted, taken cuts and reached a milestone, and was stopped."""
    data = tmp_path_factory.mktemp("doctor") / "data"
    settings = ("--node", "n1", "--cut-interval-s", "1", "--log-bytes-max", str(LOG_BYTES), "--partitions", "4")
    with NodeProcess(data, *settings) as node:
        client = httpx.Client(base_url=node.url)
        client.post("/v1/counters/a/visits", json={}).raise_for_status()
        client.put("/v1/counters/a/milestones/10").raise_for_status()
        for _ in range(20):
            client.post("/v1/counters/a/visits", json={"visitor": "someone"}).raise_for_status()
        eventually(lambda: node.metric("footfall_proofs_kept_total") == 1)
        eventually(lambda: node.metric("footfall_cut_epoch") >= 8)  # the log was trimmed by then
        client.close()
    return data


@pytest.fixture
def data(whole: Path, tmp_path: Path) -> Path:
    """A copy of that."""
    return Path(shutil.copytree(whole, tmp_path / "data"))


@asynccontextmanager
async def opened(data: Path) -> AsyncIterator[JetStreamLog]:
    """A connection to the log, on an engine of our own."""
    async with Engine(data, LOG_BYTES) as engine:
        log = await connect_existing([engine.url], name="rogue")
        try:
            yield log
        finally:
            await log.close()


def test_nothing_is_wrong_with_what_is_whole(data: Path) -> None:
    assert doctor(data, "--deep") == (0, [])


def test_what_people_read_is_a_line_for_each_finding(data: Path) -> None:
    command = [sys.executable, "-m", "footfall.cli", "doctor", "--data", str(data)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    *lines, last = ended.stdout.splitlines()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert all(line.startswith("OK   ") for line in lines)
    assert last == f"{len(lines)} all right, 0 to look at, 0 wrong."
    for words in (
        "an engine that was started for this",
        "none missing",
        "writes to the disk before",
        "would go on from",
        "the proof of the 10th of a is whole",
        "holds what node n1 knows",
        "no visits wait",
    ):
        assert any(words in line for line in lines), words


def test_a_running_node_is_examined_as_it_runs(data: Path) -> None:
    settings = ("--node", "n1", "--log-bytes-max", str(LOG_BYTES), "--partitions", "4", "--cut-interval-s", "1")
    with NodeProcess(data, *settings):
        for _ in range(3):
            assert doctor(data, "--deep") == (0, [])


# The data directory


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    check_named(tmp_path / "none", "bad", "data", "directory", "is no directory")


@pytest.mark.parametrize("text", ["2\n", "", "\xff"])
def test_a_version_that_was_changed(data: Path, text: str) -> None:
    (data / "version").write_text(text)
    check_named(data, "bad", "data", "version", "and this Footfall reads 1")


@pytest.mark.parametrize("name", ["secret", "engine.password"])
def test_a_secret_that_others_can_read(data: Path, name: str) -> None:
    (data / name).chmod(0o644)
    check_named(data, "warn", "data", "permissions", name, "0644")


def test_a_secret_that_was_cut_off(data: Path) -> None:
    (data / "secret").write_bytes((data / "secret").read_bytes()[:30])
    check_named(data, "bad", "data", "secret", "has 30 bytes instead of 64")


def test_an_engine_whose_files_are_gone(data: Path) -> None:
    shutil.rmtree(data / "jetstream")
    check_named(data, "bad", "data", "engine", "is not there")


def test_a_stream_whose_files_are_gone(data: Path) -> None:
    for stream in data.rglob(f"streams/{STREAM}"):
        shutil.rmtree(stream)
    check_named(data, "bad", "log", "reached", "there is no log, and sequence", "restore a backup")


def test_a_store_whose_files_are_gone(data: Path) -> None:
    for stream in data.rglob(f"streams/{CUTS}"):
        shutil.rmtree(stream)
    _, found = doctor(data)
    assert [(one["part"], one["name"]) for one in found] == [("log", "stream")], "what is below it is not examined"


# The log


def test_a_log_that_lost_its_tail(data: Path) -> None:
    flip_header(data / "jetstream", STREAM, share=0.3)
    check_named(data, "bad", "acknowledged", "n1", "does not start on this log")


def test_what_another_log_had_acknowledged(data: Path) -> None:
    position = Position("2020-02-02T00:00:00Z", 5, bytes(16))
    (data / "acknowledged-n1.json").write_bytes(msgspec.json.encode(position))
    check_named(data, "bad", "acknowledged", "n1", "the log was replaced")


def test_a_memory_that_cannot_be_read(data: Path) -> None:
    (data / "acknowledged-n1.json").write_bytes(b"{torn")
    check_named(data, "bad", "acknowledged", "n1", "is not of this version")


@pytest.mark.parametrize(
    ("stream", "name", "value"),
    [
        (STREAM, "max_age", 3600 * 10**9),
        (STREAM, "discard", "old"),
        (STREAM, "max_msgs", 10**6),
        (CUTS, "max_bytes", 1 << 20),
        (CUTS, "max_age", 3600 * 10**9),
    ],
)
async def test_a_setting_that_loses_data(data: Path, stream: str, name: str, value: object) -> None:
    async with opened(data) as log:
        config = (await log.api.info(stream))["config"]
        await log.api.ask(f"STREAM.UPDATE.{stream}", {**config, name: value})
    await asyncio.to_thread(check_named, data, "bad", "log", name, f"of stream {stream} is {value!r} instead of")


async def test_messages_that_were_taken_out_of_the_middle(server: NatsServer, tmp_path: Path) -> None:
    """By whoever may use the API of a stream that allows it; the log's own does not, and that is named, too."""
    with NodeProcess(tmp_path / "data", "--nats", server.url, "--log-bytes-max", str(LOG_BYTES)) as node:
        await asyncio.to_thread(lambda: HTTP.post(f"{node.url}/v1/counters/a/visits", json={}).raise_for_status())
        log = await connect_existing([server.url], name="rogue")
        config = (await log.api.info(STREAM))["config"]
        await log.api.ask(f"STREAM.DELETE.{STREAM}", {})
        await log.api.ask(f"STREAM.CREATE.{STREAM}", {**config, "deny_delete": False})
        for number in range(6):
            await log.publish("footfall.control", b"%d" % number)
        await log.api.ask(f"STREAM.MSG.DELETE.{STREAM}", {"seq": 3})
        await log.close()
    nats = ("--nats", server.url)
    await asyncio.to_thread(check_named, tmp_path / "data", "bad", "log", "gaps", "1 between them", arguments=nats)
    await asyncio.to_thread(check_named, tmp_path / "data", "bad", "log", "deny_delete", "False", arguments=nats)


async def test_a_log_that_is_nearly_full(data: Path) -> None:
    async with opened(data) as log:
        config = (await log.api.info(STREAM))["config"]
        used = (await log.state()).bytes
        await log.api.ask(f"STREAM.UPDATE.{STREAM}", {**config, "max_bytes": int(used * 1.05)})
    await asyncio.to_thread(check_named, data, "bad", "log", "fill", "95%")


def test_a_server_that_acknowledges_before_it_writes(tmp_path: Path) -> None:
    port, monitor = free_ports(2)
    server = NatsServer(tmp_path / "nats", "single", port, monitor)
    config = tmp_path / "nats" / "nats.conf"
    config.write_text(re.sub("sync_interval: always", "", config.read_text()))
    with server, NodeProcess(tmp_path / "data", "--nats", server.url, "--log-bytes-max", str(LOG_BYTES)):
        where, nats = f"http://127.0.0.1:{monitor}", ("--nats", server.url)
        told = (*nats, "--monitor", where)
        check_named(tmp_path / "data", "bad", "log", "sync", "acknowledges up to 2 minutes before", arguments=told)
        check_named(tmp_path / "data", "warn", "log", "sync", "is not told over NATS", arguments=nats)
        silent = (*nats, "--monitor", f"http://127.0.0.1:{port}")
        check_named(tmp_path / "data", "warn", "log", "sync", "does not tell", arguments=silent)


def test_a_log_that_cannot_be_reached(tmp_path: Path) -> None:
    tmp_path.joinpath("data").mkdir()
    nats = ("--nats", f"nats://127.0.0.1:{free_ports(1)[0]}")
    check_named(tmp_path / "data", "bad", "log", "reached", "cannot connect", arguments=nats)


# Cuts, proofs, alarms


async def spoil(log: JetStreamLog, key: str, how: str) -> None:
    data = await log.get(key)
    assert data
    if how == "missing":
        await log.delete(key)
    else:
        await log.put(
            key, {"torn": data[:-1], "flipped": data[:9] + bytes([data[9] ^ 4]) + data[10:], "empty": b""}[how]
        )


@pytest.mark.parametrize("how", ["torn", "flipped", "empty"])
async def test_a_cut_that_is_damaged(data: Path, how: str) -> None:
    async with opened(data) as log:
        epoch = cut.complete(await log.keys("cut"), 4)[0]
        await spoil(log, cut.manifest_key(epoch, "2"), how)
    await asyncio.to_thread(check_named, data, "bad", "cuts", f"cut {epoch}", "cannot be used")


async def test_cuts_that_are_damaged_but_for_one(data: Path) -> None:
    async with opened(data) as log:
        for epoch in cut.complete(await log.keys("cut"), 4)[1:]:
            await spoil(log, cut.manifest_key(epoch, "1"), "torn")
    await asyncio.to_thread(check_named, data, "warn", "cuts", "usable", "only one cut can be used")


async def test_cuts_that_are_all_damaged_over_a_log_that_was_trimmed(data: Path) -> None:
    async with opened(data) as log:
        for epoch in cut.complete(await log.keys("cut"), 4):
            await spoil(log, cut.manifest_key(epoch, "0"), "flipped")
    await asyncio.to_thread(check_named, data, "bad", "cuts", "usable", "no cut can be used, and the log begins at")


async def test_a_cut_of_another_log(data: Path) -> None:
    async with opened(data) as log:
        epoch = cut.complete(await log.keys("cut"), 4)[0]
        for part in (cut.DEFINITIONS, *"0123"):
            manifest = cut.read_manifest(await log.get(cut.manifest_key(epoch, part)) or b"")
            moved = cut.moved(manifest, Position("2020-02-02T00:00:00Z", 5, bytes(16)))
            await log.put(cut.manifest_key(epoch, part), moved)
    await asyncio.to_thread(check_named, data, "bad", "cuts", f"cut {epoch}", "made at 2020-02-02T00:00:00Z")


@pytest.mark.parametrize("how", ["missing", "flipped", "torn"])
async def test_a_proof_that_is_damaged(data: Path, how: str) -> None:
    async with opened(data) as log:
        (chunk, *_) = await log.keys("proof.log")
        await spoil(log, chunk, how)
    await asyncio.to_thread(check_named, data, "bad", "proofs", "the 10th of a", chunk)


async def test_a_gap_that_a_rogue_producer_wrote(data: Path) -> None:
    async with opened(data) as log:
        sections = [Section("a", Unit.VISITS, 1, None, None, 1)]
        batch = Batch("batch/1", "rogue", 1, 3, sections, None)
        sequence = await log.publish("footfall.visits.1", encode(batch))
        await log.publish("footfall.visits.1", b"\xff")
    where = f"first at sequence {sequence}"
    await asyncio.to_thread(check_named, data, "bad", "alarms", "gap", where, arguments=("--deep",))
    await asyncio.to_thread(check_named, data, "warn", "alarms", "malformed", arguments=("--deep",))
    settings = ("--node", "n1", "--log-bytes-max", str(LOG_BYTES), "--partitions", "4", "--cut-interval-s", "1")
    with NodeProcess(data, *settings) as node:
        before = node.metric("footfall_cut_epoch")
        eventually(lambda: node.metric("footfall_cut_epoch") > before + 1)
        ready = await asyncio.to_thread(lambda: HTTP.get(f"{node.url}/readyz").json())
        assert any(f"gap (once, sequence {sequence})" in one for one in ready["warnings"])
    await asyncio.to_thread(check_named, data, "warn", "alarms", "gap", f"sequence {sequence}", "may be lost")


# The spool


def spooled(data: Path, messages: int) -> Path:
    path = data / "spool" / "n1-0.sqlite"
    file = SpoolFile.create(path, Origin("n1", "2026-01-01T00:00:00Z", 4))
    file.append([(1, b"message %d" % number) for number in range(messages)])
    file.close()
    return path


def test_a_spool_that_waits(data: Path) -> None:
    spooled(data, 7)
    check_named(data, "warn", "spool", "waiting", "7 messages wait")


def test_a_spool_with_a_message_that_was_changed(data: Path) -> None:
    path = spooled(data, 7)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE messages SET data = x'00' WHERE id = 3")
    connection.close()
    check_named(data, "bad", "spool", "damaged", "1 of 7 messages were changed")


def test_a_spool_that_is_none(data: Path) -> None:
    path = spooled(data, 7)
    path.write_bytes(b"x" * 5000)
    check_named(data, "bad", "spool", "damaged", "cannot be read")


def test_a_spool_that_was_set_aside(data: Path) -> None:
    path = spooled(data, 7)
    path.rename(path.with_name(path.name + ".aside"))
    check_named(data, "bad", "spool", "aside", "are not counted")
