"""Cuts that are torn, flipped, gone or foreign are never counted on: an older one serves, and the count is right."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from damaging import blocks, flip, records

from footfall.core import cut
from footfall.core.position import Position
from footfall.log.engine import Engine, running_url
from footfall.log.opening import connect_existing
from footfall.log.streams import CUTS
from processes import HTTP, NodeProcess, eventually, free_ports

LOG_BYTES = 1 << 30
PARTITIONS = 4
PARTS = [cut.DEFINITIONS, *map(str, range(PARTITIONS))]
SETTINGS = ("--node", "n1", "--log-bytes-max", str(LOG_BYTES), "--partitions", str(PARTITIONS))
VISITS, VISITORS = 60, 20


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a node that has counted and taken cuts, over a log that was trimmed, and was stopped."""
    data = tmp_path_factory.mktemp("cuts") / "data"
    with NodeProcess(data, *SETTINGS, "--cut-interval-s", "1") as node, httpx.Client(base_url=node.url) as client:
        client.put("/v1/counters/people", json={"unit": "visitors"}).raise_for_status()
        for number in range(VISITS):
            visitor = {"visitor": f"visitor {number % VISITORS}"}
            key = {"idempotency-key": f"key {number}"}
            client.post("/v1/counters/a/visits", json=visitor, headers=key).raise_for_status()
            client.post("/v1/counters/people/visits", json=visitor).raise_for_status()
            if number in (20, 40):
                epoch = node.metric("footfall_cut_epoch")
                eventually(lambda epoch=epoch: node.metric("footfall_cut_epoch") > epoch + 1)
        eventually(lambda: node.metric("footfall_cut_epoch") >= 9)
    return data


@pytest.fixture
def data(whole: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of that."""
    yield Path(shutil.copytree(whole, tmp_path / "data"))
    shutil.rmtree(tmp_path / "data")


def check_counted(data: Path) -> str:
    """A node starts on it, and shows what was counted; returns what it logged."""
    with NodeProcess(data, *SETTINGS, port=free_ports(1)[0], log="again.log") as node:
        assert (node.value("a"), node.value("people")) == (VISITS, VISITORS)
        key = {"idempotency-key": f"key {VISITS - 1}"}
        again = HTTP.post(f"{node.url}/v1/counters/a/visits", json={"visitor": "someone"}, headers=key)
        assert again.status_code == 202
        assert HTTP.get(f"{node.url}/v1/counters/a?consistency=linearizable").json()["value"] == VISITS, (
            "it came before"
        )
        return node.said()


async def spoil_newest(data: Path, how: str) -> int:
    """Damage one part of the newest cut, in the stream that it is kept in; returns its epoch."""
    async with Engine(data, LOG_BYTES) as engine:
        log = await connect_existing([engine.url], name="rogue")
        epoch = cut.complete(await log.keys("cut"), PARTITIONS)[0]
        for part in PARTS if how in ("foreign", "of another number of partitions") else PARTS[-1:]:
            key = cut.manifest_key(epoch, part)
            manifest = await log.get(key)
            assert manifest is not None
            found = cut.read_manifest(manifest)
            other = found.inline and next(iter(found.inline))
            spoilt = {
                "torn": manifest[:-3],
                "flipped": manifest[:40] + bytes([manifest[40] ^ 16]) + manifest[41:],
                "empty": b"",
                "blob flipped": manifest.replace(found.inline[other], bytes(len(found.inline[other])), 1),
                "foreign": cut.moved(found, Position("2020-02-02T00:00:00Z", 7, bytes(16))),
                "of another number of partitions": manifest.replace(bytes([4, epoch]), bytes([5, epoch]), 1),
            }[how]
            assert spoilt != manifest
            await log.put(key, spoilt)
        await log.close()
    return epoch


@pytest.mark.parametrize(
    "how", ["torn", "flipped", "empty", "blob flipped", "foreign", "of another number of partitions"]
)
async def test_a_damaged_cut_is_passed_over_for_an_older_one_and_the_count_is_right(data: Path, how: str) -> None:
    epoch = await spoil_newest(data, how)
    said = await asyncio.to_thread(check_counted, data)
    assert f"cut {epoch}" in said or "manifest" in said
    assert "ERROR" in said


@pytest.mark.parametrize("share", [0.15, 0.5, 0.8, 0.97])
def test_a_bit_that_flips_in_the_file_of_the_cuts_makes_no_count_wrong(data: Path, share: float) -> None:
    """The server finds it, and drops the message or what comes after it; or the node finds it."""
    block = blocks(data / "jetstream", CUTS)[-1]
    begins = records(block)
    begin = begins[int(len(begins) * share)]
    flip(block, begin + 60)  # in the message
    check_counted(data)


async def test_cuts_that_are_removed_while_a_node_counts_are_stored_again_before_it_dies(data: Path) -> None:
    """The log was trimmed, so that what the node has in memory is all that there is."""

    async def remove() -> None:
        log = await connect_existing([running_url(data) or ""], name="rogue")
        assert (await log.state()).first_sequence > 1
        await log.api.ask(f"STREAM.DELETE.{CUTS}", {})
        await log.close()

    def counts_and_dies() -> str:
        with NodeProcess(data, *SETTINGS, "--cut-interval-s", "0.5", port=free_ports(1)[0], log="dies.log") as node:
            asyncio.run(remove())
            epoch = node.metric("footfall_cut_epoch")
            eventually(lambda: node.metric("footfall_cut_epoch") > epoch + 2)
            node.kill()
            return node.said()

    assert f"stream {CUTS} was gone, and is made again" in await asyncio.to_thread(counts_and_dies)
    await asyncio.to_thread(check_counted, data)
