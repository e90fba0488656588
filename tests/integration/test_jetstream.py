"""Connecting to JetStream: which servers and which logs are taken, and what is said of those that are not."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import nats
import pytest
from log_kinds import CONTROL, ONE, TIMEOUT_S

from footfall.config import Config
from footfall.errors import (
    ConnectError,
    EngineTooOldError,
    FormatError,
    LogUnavailableError,
    PartitionsMismatchError,
    SetupError,
)
from footfall.log import api, connection, opening, streams
from footfall.log.opening import connect
from processes import ALONE, NatsServer, free_ports

SMALL = Config(log_bytes_max=100 << 20)


def make_server(directory: Path, more: str = "") -> NatsServer:
    """A single server, not started yet; ``more`` goes into its configuration."""
    return NatsServer(directory, "single", *free_ports(2), ALONE + more)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with make_server(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
async def client(running: NatsServer) -> AsyncIterator[nats.NATS]:
    """A connection of the client's own to a server that has no streams."""
    client = await nats.connect(running.url)
    for stream in (streams.STREAM, streams.CUTS):
        await client.request(f"$JS.API.STREAM.DELETE.{stream}", timeout=TIMEOUT_S)
    yield client
    await client.close()


async def info(client: nats.NATS, stream: str) -> dict[str, object]:
    return json.loads((await client.request(f"$JS.API.STREAM.INFO.{stream}", timeout=TIMEOUT_S)).data)["config"]


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT_S", 0.3)
    monkeypatch.setattr(opening, "OPEN_TIMEOUT_S", 1.0)


async def test_a_log_is_made_so_that_it_refuses_when_full_and_never_drops(
    running: NatsServer, client: nats.NATS
) -> None:
    log = await connect(Config(log_bytes_max=3 << 20, partitions=7), [running.url], name="test")
    assert log.partitions == 7
    with pytest.raises(LogUnavailableError, match="nobody is there to answer"):
        await log.publish(
            "footfall.visits.7", b"whoever sends this must not believe that it counts", timeout_s=TIMEOUT_S
        )
    await log.close()
    config = await info(client, streams.STREAM)
    expected = {
        "subjects": [*(f"footfall.visits.{partition}" for partition in range(7)), CONTROL],
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "max_bytes": 3 << 20,
        "max_age": 0,
        "max_msgs": -1,
        "max_msgs_per_subject": -1,
        "num_replicas": 1,
        "deny_delete": True,
    }
    assert {name: config[name] for name in expected} == expected
    assert "persist_mode" not in config  # asynchronous would acknowledge what is not on disk
    assert (await info(client, streams.CUTS))["max_msgs_per_subject"] == 1


@pytest.mark.usefixtures("client")
async def test_a_log_that_exists_is_kept_as_it_is(running: NatsServer) -> None:
    first = await connect(SMALL, [running.url], name="test")
    await first.publish(ONE, b"x")
    second = await connect(Config(log_bytes_max=5 << 20), [running.url], name="test")
    assert second.created == first.created
    assert await second.state() == await first.state()
    await first.close()
    await second.close()


@pytest.mark.usefixtures("client")
async def test_another_number_of_partitions_is_refused(running: NatsServer) -> None:
    await (await connect(SMALL, [running.url], name="test")).close()
    with pytest.raises(PartitionsMismatchError, match=r"has 16 partitions.* started for 8: .*--partitions 16"):
        await connect(Config(partitions=8), [running.url], name="test")


@pytest.mark.parametrize("metadata", [{"footfall-format": "2", "footfall-partitions": "16"}, {}])
async def test_a_stream_of_another_format_is_refused(
    running: NatsServer, client: nats.NATS, metadata: dict[str, str]
) -> None:
    body = {"name": streams.STREAM, "subjects": ["footfall.visits.*", CONTROL], "metadata": metadata}
    await client.request(f"$JS.API.STREAM.CREATE.{streams.STREAM}", json.dumps(body).encode(), timeout=TIMEOUT_S)
    with pytest.raises(FormatError, match=r"format 2, and this version reads 1|FOOTFALL is none of Footfall's"):
        await connect(SMALL, [running.url], name="test")


@pytest.mark.usefixtures("client")
async def test_a_log_larger_than_the_server_may_hold_is_refused(running: NatsServer) -> None:
    with pytest.raises(ConnectError, match=rf"stream FOOTFALL cannot be made: .*storage.*{1 << 50} bytes on 1 server"):
        await connect(Config(log_bytes_max=1 << 50), [running.url], name="test")
    with pytest.raises(ConnectError, match=r"cannot be made: .*on 3 servers"):
        await connect(Config(log_bytes_max=1 << 20, replicas=3), [running.url], name="test")


async def test_a_stream_that_takes_what_is_published_here_is_told(running: NatsServer, client: nats.NATS) -> None:
    body = json.dumps({"name": "OTHER", "subjects": ["footfall.>"]}).encode()
    await client.request("$JS.API.STREAM.CREATE.OTHER", body, timeout=TIMEOUT_S)
    with pytest.raises(ConnectError, match=r"overlap .*; take footfall.> out of that one, or use another account"):
        await connect(SMALL, [running.url], name="test")
    await client.request("$JS.API.STREAM.DELETE.OTHER", timeout=TIMEOUT_S)


@pytest.mark.usefixtures("_impatient")
async def test_a_server_without_jetstream_is_refused(tmp_path: Path) -> None:
    server = make_server(tmp_path)
    config = tmp_path / "nats.conf"
    text, removed = re.subn(r"jetstream \{.*?\}", "", config.read_text(), flags=re.DOTALL)
    assert removed == 1
    config.write_text(text)
    with server, pytest.raises(ConnectError, match=rf"{server.url} has no JetStream ready: .*enable it"):
        await connect(SMALL, [server.url], name="test")


@pytest.mark.usefixtures("_impatient")
async def test_a_wrong_password_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with make_server(tmp_path, 'authorization { user: "footfall", password: "right" }\n') as server:
        address = server.url.removeprefix("nats://")
        for credential in ("footfall:s3cr3t@", "s3cr3t@", ""):
            with pytest.raises(ConnectError) as caught:
                await connect(SMALL, [f"nats://{credential}{address}"], name="test")
            assert f"at {server.url}: " in str(caught.value)
            assert "is the credential right?" in str(caught.value)  # a server may hang up before it says so
            assert "s3cr3t" not in str(caught.value)
        await (await connect(SMALL, [f"nats://footfall:right@{address}"], name="test")).close()


@pytest.mark.usefixtures("_impatient")
async def test_a_port_where_nobody_listens_is_named(tmp_path: Path) -> None:
    port, other = free_ports(2)
    urls = [f"nats://me:s3cr3t@127.0.0.1:{port}", f"nats://127.0.0.1:{other}"]
    shown = rf"at nats://127.0.0.1:{port}, nats://127.0.0.1:{other}: .*(refused|Connect call failed)"
    with pytest.raises(ConnectError, match=shown) as caught:
        await connect(SMALL, urls, name="test")
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.usefixtures("_impatient")
async def test_the_time_to_connect_ends_though_the_client_loses_the_cancellation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refused(client: nats.NATS, _: object) -> None:
        """As Python 3.11's ``wait_for``, if the refusal and the cancellation come together."""
        if client.options["max_reconnect_attempts"] < 0:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(TIMEOUT_S)
        raise ConnectionRefusedError

    monkeypatch.setattr(nats.NATS, "_connect_to_server", refused)
    async with asyncio.timeout(TIMEOUT_S / 2):
        with pytest.raises(ConnectError, match="ConnectionRefusedError"):
            await connect(SMALL, ["nats://127.0.0.1:1"], name="test")


@pytest.mark.usefixtures("client")
async def test_streams_that_have_no_leader_yet_are_waited_for(
    running: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking, missing = api.Api.info, [streams.STREAM, streams.CUTS, streams.CUTS]

    async def info(self: api.Api, stream: str) -> dict[str, object]:
        if missing and missing[0] == stream:
            missing.pop(0)
            raise LogUnavailableError("no answer")
        return await asking(self, stream)

    monkeypatch.setattr(api.Api, "info", info)
    log = await connect(SMALL, [running.url], name="test")
    assert missing == []
    await log.close()


async def test_a_stream_that_was_made_and_is_not_seen_yet_is_waited_for(
    running: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is on a cluster where several nodes make it at the same moment."""
    asking, unseen = api.Api.info, [streams.STREAM] * 2

    async def info(self: api.Api, stream: str) -> dict[str, object]:
        found = await asking(self, stream)
        if unseen and unseen[0] == stream:
            unseen.pop(0)
            return {}
        return found

    monkeypatch.setattr(api.Api, "info", info)
    log = await connect(SMALL, [running.url], name="test")
    assert unseen == []
    assert log.partitions == SMALL.partitions
    await log.close()


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("url", ["nats://127.0.0.1:99999", "nats://", "nats://[:1"])
async def test_what_is_no_url_is_an_error_of_setup(url: str) -> None:
    with pytest.raises(SetupError):
        await connect(SMALL, [url], name="test")


async def test_a_server_that_is_too_old_is_refused(running: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SERVER_OLDEST", (99, 0, 0))
    with pytest.raises(EngineTooOldError, match=r"can lose acknowledged messages; use 99.0.0 or newer"):
        await connect(SMALL, [running.url], name="test")


@pytest.mark.usefixtures("client")
async def test_without_an_acknowledgement_in_time_nobody_knows_whether_it_is_stored(running: NatsServer) -> None:
    log = await connect(SMALL, [running.url], name="test")
    with pytest.raises(LogUnavailableError, match="no answer within 1e-06 s"):
        await log.publish(ONE, b"x", timeout_s=1e-6)
    sequence = await log.publish(ONE, b"x")
    assert sequence in (1, 2)
    await log.close()


@pytest.mark.usefixtures("client")
async def test_a_store_that_is_removed_while_nodes_run_is_made_again_by_the_first_who_stores(
    running: NatsServer, client: nats.NATS, caplog: pytest.LogCaptureFixture
) -> None:
    logs = [await connect(SMALL, [running.url], name="test") for _ in range(2)]
    await logs[0].put("cut.1.0", b"before")
    await client.request(f"$JS.API.STREAM.DELETE.{streams.CUTS}", timeout=TIMEOUT_S)
    assert await logs[0].get("cut.1.0") is None
    await asyncio.gather(*(logs[0].put(f"cut.2.{number}", b"after") for number in range(4)))
    assert await logs[1].keys("cut") == [f"cut.2.{number}" for number in range(4)]
    assert (await info(client, streams.CUTS))["max_msgs_per_subject"] == 1
    assert caplog.text.count("was gone, and is made again") == 1
    for log in logs:
        await log.close()


async def test_while_nobody_stores_a_subject_publishing_to_it_fails_at_once(
    running: NatsServer, client: nats.NATS
) -> None:
    log = await connect(SMALL, [running.url], name="test")
    await client.request(f"$JS.API.STREAM.DELETE.{streams.STREAM}", timeout=TIMEOUT_S)
    with pytest.raises(LogUnavailableError, match="nobody is there to answer"):
        await log.publish(ONE, b"x", timeout_s=TIMEOUT_S)
    await log.close()


@pytest.mark.usefixtures("client")
async def test_a_question_that_a_cluster_without_a_leader_drops_is_asked_again_within_its_time(
    running: NatsServer,
) -> None:
    log = await connect(SMALL, [running.url], name="test")
    asked = 0

    async def answer(data: bytes) -> bytes | None:
        nonlocal asked
        asked += 1
        return data if asked % 3 == 0 else None

    await log.subscribe("drops.two.of.three", answer)
    assert await log._replies.ask("drops.two.of.three", b"x", TIMEOUT_S, again_s=0.05) == b"x"
    assert asked == 3
    with pytest.raises(LogUnavailableError, match=r"no answer within 0\.5 s"):
        await log._replies.ask("drops.two.of.three", b"x", 0.5)
    assert asked == 4
    await log.close()
