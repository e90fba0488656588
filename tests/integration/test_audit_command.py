"""``footfall audit`` as a user runs it: on a running node, after the trim, without any node; and on what was forged."""

import asyncio
import json
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from commands import footfall

from footfall.config import Config
from footfall.core import control
from footfall.core.batch import Batch, Section, encode, pack
from footfall.core.control import Define, Milestone, Reached, Verdict, Winner
from footfall.core.names import Unit
from footfall.log.engine import Engine, running_url
from footfall.log.jetstream import JetStreamLog
from footfall.log.opening import connect, connect_existing
from footfall.log.protocol import CONTROL_SUBJECT
from footfall.log.streams import STREAM
from footfall.node.judge_begin import beginning
from processes import HTTP, NatsServer, NodeProcess, eventually

N = 12
WINNER = "visitor 12"


def visit(url: str, count: int, first: int) -> None:
    """Visitors come one after the other."""
    with httpx.Client(base_url=url) as client:
        for number in range(first, first + count):
            client.post("/v1/counters/raffle/visits", json={"visitor": f"visitor {number}"}).raise_for_status()


def hold_raffle(node: NodeProcess) -> None:
    """5 visits, a cut, and then the rest; the winner is found."""
    milestone = f"{node.url}/v1/counters/raffle/milestones/{N}"
    visit(node.url, 5, 1)
    HTTP.put(milestone).raise_for_status()
    eventually(lambda: node.metric("footfall_cut_epoch") >= 2, what="a cut")
    visit(node.url, 10, 6)
    eventually(lambda: HTTP.get(milestone).json()["state"] == "reached", what="the winner")


async def with_log(data: Path, work: Callable[[JetStreamLog], Awaitable[Any]]) -> Any:
    """What ``work`` makes of the log in a data directory that no node uses."""
    async with Engine(data, 1 << 30) as engine:
        log = await connect_existing([engine.url], name="test")
        try:
            return await work(log)
        finally:
            await log.close()


def on_log(data: Path, work: Callable[[JetStreamLog], Awaitable[Any]]) -> Any:
    return asyncio.run(with_log(data, work))


async def first_sequence(log: JetStreamLog) -> int:
    return (await log.state()).first_sequence


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory: the raffle was held, the log was trimmed since, and the node was killed."""
    data = tmp_path_factory.mktemp("held") / "data"
    with NodeProcess(data, "--cut-interval-s", "0.3", "--node", "one") as node:
        hold_raffle(node)
        report = json.loads(footfall("audit", "raffle", str(N), "--data", str(data), "--json").stdout)
        assert report["agrees"]
        assert report["winner"]["visitor"] == WINNER
        won_at = report["winner"]["sequence"]

        async def trimmed() -> bool:
            url = running_url(data)
            assert url is not None
            log = await connect_existing([url], name="test")
            try:
                return await first_sequence(log) > won_at
            finally:
                await log.close()

        eventually(lambda: asyncio.run(trimmed()), what="the trim")
        node.kill()
    return data


@pytest.fixture
def data(held: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(held, tmp_path / "data"))


def test_an_audit_agrees_while_a_node_runs_before_and_after_the_trim_and_writes_nothing(tmp_path: Path) -> None:
    with NodeProcess(tmp_path / "data", "--cut-interval-s", "1000") as node:
        visit(node.url, 5, 1)
        HTTP.put(f"{node.url}/v1/counters/raffle/milestones/{N}").raise_for_status()
        early = footfall("audit", "raffle", str(N), "--data", str(tmp_path / "data"), code=1)
        assert "the 12th of raffle has not come yet" in early.stderr
        visit(node.url, 10, 6)
        eventually(lambda: "reached" in HTTP.get(f"{node.url}/v1/counters/raffle/milestones/{N}").text, what="winner")
        sequence = settled(node.url)
        done = footfall("audit", "raffle", str(N), "--data", str(tmp_path / "data"))
        assert f"The 12th of raffle, as the log tells: {WINNER}" in done.stdout
        assert "the log's beginning" in done.stdout
        assert "the same: " in done.stdout
        for what in ("visitor", "sequence", "index", "time", "receipt", "sum at the cut", "messages", "digest"):
            assert what in done.stdout
        assert "Everything that was checked agrees" in done.stdout
        assert settled(node.url) == sequence


def settled(url: str) -> int:
    """How far a node has read the log, when nothing more comes."""
    seen: list[int] = []

    def still() -> bool:
        seen.append(HTTP.get(f"{url}/v1/counters/raffle").json()["sequence"])
        return len(seen) > 20 and len(set(seen[-20:])) == 1  # a second

    eventually(still, what="an end of the log")
    return seen[-1]


def test_after_the_trim_and_without_a_node_the_audit_starts_the_engine_itself_and_ends_it(data: Path) -> None:
    """The node was killed, so the file that tells where its engine is still is there: nobody listens there."""
    assert (data / "engine.url").exists()
    before = {path.name for path in data.iterdir()} - {"engine.url"}
    sequence = on_log(data, first_sequence)
    report = json.loads(footfall("audit", "raffle", str(N), "--data", str(data), "--json").stdout)
    assert report["agrees"]
    assert [start["source"] for start in report["starts"]] == ["bundle"]
    assert report["winner"]["sequence"] < sequence
    assert {path.name for path in data.iterdir()} == before
    assert running_url(data) is None
    assert set(report) == {
        "counter", "n", "agrees", "winner", "starts", "comparisons", "unchecked", "problems", "seconds"
    }  # fmt: skip


def test_without_the_secret_it_says_that_the_receipt_was_not_checked_and_makes_none(data: Path) -> None:
    (data / "secret").unlink()
    done = footfall("audit", "raffle", str(N), "--data", str(data))
    assert "Not checked: receipt" in done.stdout
    assert not (data / "secret").exists()
    other = footfall("audit", "raffle", str(N), "--data", str(data), "--secret", "another", code=1)
    assert "DIFFERS: receipt: the log tells " in other.stdout


def test_a_changed_chunk_of_the_bundle_is_named(data: Path) -> None:
    async def change(log: JetStreamLog) -> str:
        (key,) = await log.keys("proof.log")
        found = await log.get(key)
        assert found is not None
        await log.put(key, found[:-3] + bytes([found[-3] ^ 1]) + found[-2:])
        return key

    key = on_log(data, change)
    done = footfall("audit", "raffle", str(N), "--data", str(data), code=1)
    assert f"{key} cannot be read: it was changed" in done.stdout
    assert "This does not agree" in done.stdout


def test_a_changed_cut_is_named(data: Path) -> None:
    async def change(log: JetStreamLog) -> int:
        (head,) = await log.keys("proof.head")
        epoch = int(head.rpartition(".")[2])
        key = f"cut.{epoch}.3"
        found = await log.get(key)
        assert found is not None
        await log.put(key, found[:-1])
        return epoch

    epoch = on_log(data, change)
    done = footfall("audit", "raffle", str(N), "--data", str(data), code=1)
    assert f"WRONG: cut {epoch}: a manifest of" in done.stdout


def test_what_is_not_there_is_told_and_wrong_use_too(data: Path, tmp_path: Path) -> None:
    done = footfall("audit", "raffle", "13", "--data", str(data), code=1)
    assert "raffle has no milestone 13" in done.stderr
    assert done.stdout == ""
    for arguments in (["raffle", "0"], ["raffle", "1.5"], ["raf fle", "12"], ["raffle"]):
        footfall("audit", *arguments, "--data", str(data), code=2)
    missing = footfall("audit", "raffle", "12", "--data", str(tmp_path / "nowhere"), code=2)
    assert "is no data directory" in missing.stderr
    assert not (tmp_path / "nowhere").exists()
    footfall("audit", "raffle", "12", "--nats", "http://example.org", code=2)


# --- logs written by hand --------------------------------------------------------------------------------------------


@pytest.fixture
async def log(server: NatsServer) -> AsyncIterator[JetStreamLog]:
    """A log of two partitions, with a milestone that was reached and not told of yet."""
    log = await connect(Config(log_bytes_max=100 << 20, partitions=2), [server.url], name="test")
    told = [Define("hand", 1, (("raffle", Unit.VISITS),)), Milestone("hand", 2, "raffle", 3)]
    for message in told:
        since = await log.publish(CONTROL_SUBJECT, control.encode(message))
    await log.publish(CONTROL_SUBJECT, control.encode(Verdict("hand", 3, "raffle", 3, since, 0)))
    for number in range(5):
        section = Section("raffle", Unit.VISITS, 1, pack([f"visitor {number + 1}"]), None, 1)
        batch = encode(Batch("batch/1", "door", 0, number // 2 + 1, [section]))
        await log.publish(f"footfall.visits.{number % 2}", batch)
    yield log
    await log.close()


async def tell(log: JetStreamLog, **lies: Any) -> None:
    """Write who has won; where there are lies, those."""
    judge = beginning("raffle", log.created, log.partitions)
    for sequence in range(1, (await log.state()).last_sequence + 1):
        message = await log.message(sequence)
        assert message is not None
        for crossing in judge.fold(message):
            winner: Winner = msgspec.structs.replace(crossing.winner(b"the secret", message.time_ns), **lies)
            reached = Reached("hand", 4, "raffle", 3, winner, crossing.proof)
    await log.publish(CONTROL_SUBJECT, control.encode(reached))


async def run_audit(server: NatsServer, code: int) -> str:
    """A process of its own; the loop here must run on for the connection of the test."""
    arguments = ["audit", "raffle", "3", "--nats", server.url, "--secret", "the secret"]
    done = await asyncio.to_thread(footfall, *arguments, code=code)
    return done.stdout


async def test_a_true_winner_in_a_log_written_by_hand_agrees(server: NatsServer, log: JetStreamLog) -> None:
    await tell(log)
    last = (await log.state()).last_sequence
    assert "visitor 3" in await run_audit(server, 0)
    assert (await log.state()).last_sequence == last


async def test_another_winner_than_the_logs_is_named_with_both(server: NatsServer, log: JetStreamLog) -> None:
    await tell(log, visitor="mallory", sequence=7, receipt_sha256=sha256(b"mallory's").digest())
    said = await run_audit(server, 1)
    assert "DIFFERS: visitor: the log tells mallory, and the log's beginning gives visitor 3" in said
    assert "DIFFERS: sequence: the log tells 7, and the log's beginning gives 6" in said
    assert "DIFFERS: receipt" in said
    assert said.count("DIFFERS") == 3


async def test_where_there_is_no_log_none_is_made(server: NatsServer) -> None:
    done = await asyncio.to_thread(footfall, "audit", "raffle", "3", "--nats", server.url, code=1)
    assert "there is no log" in done.stderr
    assert server.jsz()["streams"] == 0
    assert STREAM not in str(server.jsz())


# --- the file that tells where the engine is -------------------------------------------------------------------------


async def test_a_running_engine_tells_its_url_to_its_owner_alone_and_takes_it_back(tmp_path: Path) -> None:
    file = tmp_path / "engine.url"
    async with Engine(tmp_path, 1 << 30) as engine:
        assert file.read_text().strip() == engine.url == running_url(tmp_path)
        assert file.stat().st_mode & 0o777 == 0o600
        assert engine._process is not None
        engine._process.send_signal(signal.SIGKILL)
        file.unlink()
        async with asyncio.timeout(30):
            while not file.exists():  # noqa: ASYNC110 - it is another process that makes it
                await asyncio.sleep(0.05)
        assert running_url(tmp_path) == engine.url
    assert not file.exists()
    assert running_url(tmp_path) is None


async def test_an_engine_that_finds_the_directory_in_use_leaves_the_others_url(tmp_path: Path) -> None:
    async with Engine(tmp_path, 1 << 30) as engine:
        with pytest.raises(Exception, match="in use"):
            await Engine(tmp_path, 1 << 30).start()
        assert running_url(tmp_path) == engine.url
