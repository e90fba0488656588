"""A node dies before or after each change that it makes to the store, while a cut is taken and old ones are dropped.

In virtual time: whichever is the last, the next node finds a cut that reads back as it was, and the log that follows.
"""

from collections.abc import Awaitable

import pytest
from node_cutting import Cutter, nothing
from node_line import Line, soon

from footfall.core import cut, cut_writer
from footfall.errors import LogUnavailableError
from footfall.log.memory import Storage
from footfall.node.cuts import Cuts

STEPS_MAX = 200


class Mortal(Line):
    """A line whose node dies at the k-th change that it makes, and makes none after it."""

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage)
        self.steps = 0
        self.dies_at, self.when = -1, ""

    @property
    def dead(self) -> bool:
        return 0 < self.dies_at < self.steps

    async def _step(self, change: Awaitable[None]) -> None:
        self.steps += 1
        if self.dead or (self.steps == self.dies_at and self.when == "before"):
            change.close()  # type: ignore[attr-defined]
            self.steps = max(self.steps, self.dies_at + 1)
            raise LogUnavailableError("dead")
        await change
        if self.steps == self.dies_at:
            self.steps += 1
            raise LogUnavailableError("dead")

    async def put(self, key: str, data: bytes) -> None:
        await self._step(super().put(key, data))

    async def delete(self, key: str) -> None:
        await self._step(super().delete(key))

    async def trim(self, before_sequence: int) -> None:
        await self._step(super().trim(before_sequence))


async def die_at(step: int, when: str) -> tuple[Cutter, bool]:
    """Three cuts, then a fourth and its collection, in which the node dies; whether it came so far."""
    line = Mortal(Storage(partitions=2))
    cutter = Cutter(line)
    await cutter.take(3)
    line.steps, line.dies_at, line.when = 0, step, when
    await cutter.take(1)
    try:
        await cutter.cuts.collect(nothing)
    except LogUnavailableError:
        assert line.dead
    await soon()
    return cutter, line.dead


async def check_goes_on(cutter: Cutter) -> int:
    """A node that starts now finds a whole cut, the log above it, and can take the next; returns the cut's epoch."""
    cuts = Cuts(Line(cutter.storage), young_s=0.0)
    found = (await cuts.find())[0]
    states = [cut_writer.state_bytes(await cuts.partition(found, number)) for number in range(2)]
    assert states == cutter.states[found.epoch]
    assert cutter.storage.first <= found.position.sequence + 1
    cutter.storage.check(found.position)
    await cuts.collect(nothing)
    assert (await cuts.find())[0].epoch == found.epoch
    return found.epoch


@pytest.mark.parametrize("where", ["inline", "blobs"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_wherever_a_node_dies_the_next_one_goes_on_from_a_whole_cut(
    monkeypatch: pytest.MonkeyPatch, when: str, where: str
) -> None:
    if where == "blobs":
        monkeypatch.setattr(cut_writer, "INLINE_BYTES_MAX", 0)
    epochs = set()
    for step in range(1, STEPS_MAX):
        cutter, died = await die_at(step, when)
        epochs.add(await check_goes_on(cutter))
        if not died:
            assert step > 6, "every step was visited"
            break
    assert epochs == {3, 4}, "it died before the cut was whole, and after"


async def test_a_version_that_stores_the_manifest_first_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut_writer, "INLINE_BYTES_MAX", 0)
    write = cut_writer.Writer.write

    def upside_down(self: cut_writer.Writer, *arguments: object) -> tuple[bytes, dict[str, bytes]]:
        manifest, blobs = write(self, *arguments)  # type: ignore[arg-type]
        key = cut.manifest_key(self._written.epoch, self._written.part)
        return manifest, {key: manifest, **blobs}

    monkeypatch.setattr(cut_writer.Writer, "write", upside_down)
    caught = 0
    for step in range(1, 12):
        cutter, _ = await die_at(step, "after")
        found = await Cuts(Line(cutter.storage)).find()
        for one in cutter.keys("cut.4."):
            manifest = cut.read_manifest(cutter.storage.blobs[one])
            missing = [ref for ref in manifest.refs() if cut.blob_key(ref) not in cutter.storage.blobs]
            caught += bool(missing)
        assert found
    assert caught
