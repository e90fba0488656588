"""The servers of docs/nats-accounts.conf, as it stands there: each account can do what it must, and nothing else."""

import asyncio
import contextlib
import json
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nats
import pytest
from commands import footfall
from nats.aio.client import Client
from secured import Secured

import footfall as footfall_package
from footfall.config import Config
from footfall.core import batch, control
from footfall.core.names import Unit
from footfall.core.position import at
from footfall.log import streams
from footfall.log.jetstream import JetStreamLog
from footfall.log.opening import connect
from footfall.log.protocol import Message
from pki import Authority
from processes import NodeProcess, eventually

API = "footfall.audit.API"
SETTLE_S = 0.5  # for what must not happen


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    secured = Secured(tmp_path_factory.mktemp("secured"))
    try:
        for server in secured.servers:
            server.start()
        eventually(secured.led, 30, "the election")
        yield secured
    finally:
        for server in secured.servers:
            server.stop()


@pytest.fixture(scope="module")
def nodes(secured: Secured, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[NodeProcess]]:
    """Two nodes, with the node's account."""
    arguments = (
        "--nats",
        ",".join(secured.urls("node")),
        *secured.files,
        "--secret",
        "quiet-0123456789",
        "--cut-interval-s",
        "0.5",
    )
    made = [NodeProcess(tmp_path_factory.mktemp("node"), *arguments, "--node", f"n{n}") for n in (1, 2)]
    try:
        for node in made:
            node.start()
        yield made
    finally:
        for node in made:
            node.stop()


@pytest.fixture
async def log(secured: Secured, nodes: list[NodeProcess]) -> AsyncIterator[JetStreamLog]:
    """The log, as a node sees it."""
    files = {"nats_ca": secured.authority.ca, "nats_cert": secured.client.cert, "nats_key": secured.client.key}
    urls = secured.urls("node")
    log = await connect(Config(nats=tuple(urls), **files), urls, name="test")  # type: ignore[arg-type]
    yield log
    await log.close()


@pytest.fixture
def refusals() -> list[str]:
    return []


@pytest.fixture
async def producer(secured: Secured, nodes: list[NodeProcess], refusals: list[str]) -> AsyncIterator[Client]:
    client = await secured.connect("shop", "_INBOX_shop", refusals)
    yield client
    await client.close()


@pytest.fixture
async def auditor(secured: Secured, nodes: list[NodeProcess], refusals: list[str]) -> AsyncIterator[Client]:
    client = await secured.connect("auditor", "_INBOX", refusals)
    yield client
    await client.close()


async def is_refused(client: Client, refusals: list[str], subject: str, *, subscribe: bool = False) -> bool:
    """Whether the server says that this subject is not for this user."""
    refusals.clear()
    if subscribe:
        await client.subscribe(subject)
    else:
        await client.publish(subject, b"{}")
    await client.flush()
    for _ in range(100):
        if any(subject.lower() in refusal and "permissions violation" in refusal for refusal in refusals):
            return True
        await asyncio.sleep(0.01)
    return False


@contextlib.asynccontextmanager
async def written(log: JetStreamLog) -> AsyncIterator[list[Message]]:
    """What is written into the log meanwhile; complete after the block."""
    seen: list[Message] = []
    last = await log.message((await log.state()).last_sequence)
    assert last is not None

    async def read() -> None:
        async for delivery in log.read(["footfall.visits.*", "footfall.control"], at(log.created, last)):
            seen.extend(delivery.messages)

    reading = asyncio.create_task(read())
    yield seen
    await asyncio.sleep(SETTLE_S)
    reading.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reading


def visits(producer: str, sequence: int, born: int, count: int) -> bytes:
    """A batch, of the docs' page on the log's format."""
    visitors = batch.pack([f"v{number}" for number in range(count)])
    section = batch.Section("edge", Unit.VISITS, count, visitors)
    return batch.encode(batch.Batch("batch/1", producer, born, sequence, [section]))


def test_nodes_count_share_judge_and_trim_with_the_nodes_account(nodes: list[NodeProcess]) -> None:
    one, two = nodes
    footfall("milestone", "add", "raffle", "10", "--url", one.url)
    for number in range(12):
        footfall("hit", "raffle", "--visitor", f"v{number}", "--url", nodes[number % 2].url)
    assert footfall("read", "raffle", "--exact", "--url", two.url).stdout == "12\n"
    footfall("milestone", "show", "raffle", "10", "--wait", "--timeout", "20", "--url", two.url)
    eventually(lambda: len(one.owned()) + len(two.owned()) == 16, what="each partition has one owner")
    two.kill()
    eventually(lambda: len(one.owned()) == 16, what="the takeover")
    assert footfall("read", "raffle", "--exact", "--url", one.url).stdout == "12\n"
    two.start()
    cut = one.metric("footfall_epoch")
    eventually(lambda: one.metric("footfall_epoch") >= cut + 4, what="cuts, and the log trimmed below them")
    for node in nodes:
        assert "refuses" not in node.said()
        assert "violation" not in node.said().lower()


async def test_a_producer_can_publish_visits_and_they_count(producer: Client, nodes: list[NodeProcess]) -> None:
    footfall("define", "edge", "--unit", "visits", "--url", nodes[0].url)
    before = nodes[0].value("edge")
    born = int(nodes[0].metric("footfall_epoch"))
    answer = json.loads((await producer.request("footfall.visits.3", visits(secrets.token_hex(8), 1, born, 5))).data)
    assert answer["stream"] == streams.STREAM
    await asyncio.to_thread(eventually, lambda: nodes[1].value("edge") == before + 5, 20.0, "the count")


def test_an_edge_needs_no_more_than_a_producers_account(secured: Secured, nodes: list[NodeProcess]) -> None:
    footfall("define", "edge", "--unit", "visits", "--url", nodes[0].url)
    before = nodes[0].value("edge")
    block = (Path(__file__).parents[2] / "docs" / "edge.md").read_text().split("```python\n")[2].split("```")[0]
    ca, cert, key = secured.files[1::2]
    for documented, ours in {
        "tls://shop:password@nats-a:4222,tls://shop:password@nats-b:4222": ",".join(secured.urls("shop")),
        "https://node-a:8443": nodes[0].url, "ca.pem": ca, "shop.pem": cert, "shop.key": key,
    }.items():  # fmt: skip
        assert documented in block
        block = block.replace(documented, ours)
    with eval(block.strip(), {"footfall": footfall_package}) as edge:
        for number in range(1_000):
            edge.increment("edge", f"v{number}")
        assert edge.flush()
        assert edge.statistics.stored == 1_000
    eventually(lambda: nodes[1].value("edge") == before + 1_000, what="the count")


async def test_a_producer_can_do_nothing_else(producer: Client, refusals: list[str]) -> None:
    """Neither say who has won, nor shorten the log, nor read it, the cuts, or what others publish and are answered."""
    for subject in (
        "footfall.control", "footfall.cuts.0.state", "footfall.nodes", "footfall.node.n1", "footfall.winners",
        "$JS.API.STREAM.PURGE.FOOTFALL", "$JS.API.STREAM.DELETE.FOOTFALL", "$JS.API.STREAM.INFO.FOOTFALL",
        "$JS.API.STREAM.MSG.GET.FOOTFALL_CUTS", "$JS.API.CONSUMER.CREATE.FOOTFALL.x", f"{API}.STREAM.INFO.FOOTFALL",
    ):  # fmt: skip
        assert await is_refused(producer, refusals, subject), subject
    for subject in ("footfall.visits.*", "footfall.control", ">", "_INBOX.>", "footfall.winners"):
        assert await is_refused(producer, refusals, subject, subscribe=True), subject


async def test_a_producer_cannot_have_the_log_write_its_answer_elsewhere(producer: Client, log: JetStreamLog) -> None:
    foreign = b"\x91\xa1x"  # of no known kind
    targets = ("footfall.control", "footfall.visits.5", "footfall.cuts.x", "$JS.API.STREAM.PURGE.FOOTFALL")
    async with written(log) as seen:
        for target in targets:
            await producer.publish("footfall.visits.4", foreign, reply=target)
        await producer.flush()
    assert [one.data for one in seen if one.subject != "footfall.control"] == [foreign] * len(targets)
    assert all(control.decode(one.data) for one in seen if one.subject == "footfall.control"), "nodes' alone"
    assert await log.get("x") is None


def test_an_auditor_can_audit(secured: Secured, nodes: list[NodeProcess]) -> None:
    at = ("--nats", ",".join(secured.urls("auditor")), *secured.files, "--nats-api", API)
    report = json.loads(footfall("audit", "raffle", "10", *at, "--secret", "quiet-0123456789", "--json").stdout)
    assert report["agrees"]
    assert report["winner"]["visitor"] == "v9"


def test_a_backup_is_made_with_the_nodes_account_and_restored_with_the_operators(
    secured: Secured, nodes: list[NodeProcess], tmp_path: Path
) -> None:
    target = str(tmp_path / "backups")
    at = [("--nats", ",".join(secured.urls(user)), *secured.files) for user in ("node", "operator")]
    assert "verified" in footfall("backup", target, *at[0]).stdout
    assert "there is a log already" in footfall("restore", target, *at[1], code=2).stderr


async def test_an_auditor_hears_of_winners(auditor: Client, nodes: list[NodeProcess]) -> None:
    heard = await auditor.subscribe("footfall.winners")
    await auditor.flush()
    await asyncio.to_thread(footfall, "milestone", "add", "prize", "1", "--url", nodes[0].url)
    await asyncio.to_thread(footfall, "hit", "prize", "--visitor", "ann", "--url", nodes[1].url)
    winner = json.loads((await heard.next_msg(timeout=20)).data)
    assert winner["winner"]["visitor"] == "ann"


async def test_an_auditor_cannot_write(auditor: Client, refusals: list[str]) -> None:
    for subject in (
        "footfall.visits.0", "footfall.control", "footfall.cuts.0.state", "footfall.nodes",
        "$JS.API.STREAM.PURGE.FOOTFALL", "$JS.API.STREAM.INFO.FOOTFALL", "$JS.API.STREAM.DELETE.FOOTFALL_CUTS",
    ):  # fmt: skip
        assert await is_refused(auditor, refusals, subject), subject
    for what in (
        "STREAM.PURGE.FOOTFALL",
        "STREAM.UPDATE.FOOTFALL",
        "STREAM.DELETE.FOOTFALL",
        "STREAM.MSG.DELETE.FOOTFALL",
    ):
        with pytest.raises((nats.errors.NoRespondersError, nats.errors.TimeoutError)):
            await auditor.request(f"{API}.{what}", b"{}", timeout=1)


async def test_an_auditor_cannot_have_the_log_written_into_the_log(auditor: Client, log: JetStreamLog) -> None:
    cuts = {key: await log.get(key) for key in (await log.keys(""))[-3:]}
    state = await log.state()
    before = [await log.message(number) for number in range(state.first_sequence, state.last_sequence + 1)]

    async def consumer(name: str, **more: Any) -> dict[str, Any]:
        config = {"name": name, "ack_policy": "none", "mem_storage": True, "inactive_threshold": 5_000_000_000, **more}
        body = json.dumps({"stream_name": streams.STREAM, "config": config}).encode()
        answer: dict[str, Any] = json.loads(
            (await auditor.request(f"{API}.CONSUMER.CREATE.FOOTFALL.{name}", body)).data
        )
        return answer

    assert "error" not in await consumer("pulled")
    targets = ["footfall.visits.6", "footfall.control", "$JS.API.STREAM.PURGE.FOOTFALL"]
    targets += [streams.CUT_SUBJECT + key for key in cuts]
    async with written(log) as seen:
        for target in targets:
            await auditor.publish(f"{API}.CONSUMER.MSG.NEXT.FOOTFALL.pulled", b'{"batch": 3}', reply=target)
        assert "cycle" in str(await consumer("pushed", deliver_subject="footfall.visits.6"))
        for number, key in enumerate(cuts):
            await consumer(f"pushed{number}", deliver_subject=streams.CUT_SUBJECT + key)
    assert {one.subject for one in seen} <= {"footfall.control"}, "nobody visits now, and nodes tick"
    assert not {one.data for one in seen} & {one.data for one in before if one}, "nothing came again"
    for key, data in cuts.items():
        assert await log.get(key) in (data, None), "as it was, or dropped with its cut"


async def test_what_an_auditor_has_the_log_send_to_nodes_is_not_taken_for_a_nodes_word(
    auditor: Client, log: JetStreamLog
) -> None:
    """A producer could have written it, in the form of what nodes say to each other."""
    heard: list[bytes] = []

    async def hear(data: bytes) -> None:
        heard.append(data)

    end = await log.subscribe("footfall.node.test", hear)
    config = {"name": "nodes", "ack_policy": "none", "mem_storage": True, "inactive_threshold": 5_000_000_000}
    body = json.dumps({"stream_name": streams.STREAM, "config": config | {"deliver_subject": "footfall.node.test"}})
    answer = json.loads((await auditor.request(f"{API}.CONSUMER.CREATE.FOOTFALL.nodes", body.encode())).data)
    assert "error" not in answer
    assert answer["num_pending"] > 0
    await asyncio.sleep(SETTLE_S)
    await log.send("footfall.node.test", b"a node's")
    async with asyncio.timeout(10):
        while b"a node's" not in heard:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert heard == [b"a node's"]
    await end()


def test_nobody_comes_in_without_a_certificate_or_with_a_wrong_password(secured: Secured, tmp_path: Path) -> None:
    urls = ",".join(secured.urls("auditor"))
    ca, own = secured.files[:2], secured.files[2:]
    stranger = Authority(tmp_path, "stranger")
    comers = (
        (urls, ca, "cannot connect"),
        (urls, ["--nats-ca", stranger.ca, *own], "certificate"),
        (re.sub(r":\w+@", ":wrong@", urls), [*ca, *own], "Authorization Violation"),
    )
    with ThreadPoolExecutor() as threads:  # each tries for 5 s
        tried = [
            threads.submit(footfall, "audit", "raffle", "10", "--nats", named, *files, "--nats-api", API, code=1)
            for named, files, _ in comers
        ]
    for (_, _, says), done in zip(comers, tried, strict=True):
        said = done.result().stderr
        assert says.lower() in said.lower(), said
        assert said.count("\n") == 1
        assert secured.passwords["auditor"] not in said


def test_a_user_that_may_not_what_it_must_is_told_in_one_line(secured: Secured, nodes: list[NodeProcess]) -> None:
    done = footfall("audit", "raffle", "10", "--nats", secured.urls("auditor")[0], *secured.files, code=1)
    assert "does not let this user do what it must" in done.stderr
    assert "STREAM.INFO.FOOTFALL" in done.stderr.upper()
    assert done.stderr.count("\n") == 1
