"""A node without a log, for tests of the web layer alone: it takes what it is asked to, and stores when told."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import msgspec

from footfall.config import Config
from footfall.core.definitions import Imported
from footfall.core.milestones import Standing
from footfall.core.names import Unit, check_name
from footfall.core.visit import Visit, check_visit
from footfall.errors import FootfallError, NotReadyError, SourcePositionError, UnitConflictError, UnknownMilestoneError
from footfall.node.milestones import Outcome
from footfall.node.readings import MilestoneReading, MilestoneState, winner_reading


class Reading(msgspec.Struct, frozen=True):
    counter: str
    value: int
    pending: int = 0
    unit: Unit = Unit.VISITS
    phase: str = "ap"
    consistency: str = "eventual"
    sequence: int = 5
    staleness_ms: int = 12


class FakeMilestones:
    """What was set and imported; claims are noted, and nobody wins."""

    def __init__(self, node: "FakeNode") -> None:
        self._node = node
        self.standings: dict[tuple[str, int], Standing] = {}
        self.imports: dict[str, Imported] = {}
        self.claimed: list[tuple[str, int, str, str | None]] = []

    def find(self, counter: str, n: int) -> Standing:
        if (counter, n) not in self.standings:
            raise UnknownMilestoneError(f"{counter} has no milestone {n}")
        return self.standings[counter, n]

    def list(self, counter: str | None) -> list[Standing]:
        return [one for one in self.standings.values() if counter in (None, one.counter)]

    def _check(self) -> None:
        if self._node.failure is not None:
            raise self._node.failure

    async def add(self, counter: str, n: int) -> Outcome:
        self._check()
        made = (counter, n) not in self.standings
        return Outcome(self.standings.setdefault((counter, n), Standing(counter, n, 1, 0)), made)

    async def claim(self, counter: str, n: int, receipt: str, key: str | None) -> Outcome:
        self._check()
        self.claimed.append((counter, n, receipt, key))
        return Outcome(self.find(counter, n), made=True)

    async def take_over(self, counter: str, value: int, source: str, note: str) -> tuple[Imported, bool]:
        self._check()
        made = source not in self.imports
        return self.imports.setdefault(source, Imported(counter, value, note, 1)), made


class FakeNode:
    """Answers as the node facade does.

    ``delay_s`` is how long storing takes; None: until ``flush``. ``full`` refuses the hot path, ``failure`` everything.
    """

    def __init__(self, delay_s: float | None = 0.001) -> None:
        self.config = Config()
        self.delay_s = delay_s
        self.full = False
        self.failure: FootfallError | None = None
        self.counts: dict[str, int] = {}
        self.visitors: list[str | None] = []
        self.keys: list[str | None] = []
        self.definitions: dict[str, Any] = {}
        self.positions: dict[str, int] = {}
        self.waiting: list[Any] = []
        self.submitted = 0
        self.unready: list[str] = []
        self.exact_reads = 0
        self.milestones = FakeMilestones(self)
        self.counting = SimpleNamespace(definitions=SimpleNamespace(imports=self.milestones.imports))

    def definition(self, name: str) -> Any:
        return self.definitions.get(name)

    def _count(self, name: str, visitor: str | None, key: str | None, count: int) -> None:
        self.definitions.setdefault(name, SimpleNamespace(name=name, unit=Unit.VISITS, number=len(self.definitions)))
        self.counts[name] = self.counts.get(name, 0) + count
        self.visitors.append(visitor)
        self.keys.append(key)

    def submit(self, definition: Any, visitor: str | None, waiter: Any, key: str | None = None) -> bool:
        if self.full:
            return False
        self.submitted += 1
        self._count(definition.name, visitor, key, 1)
        self._wait(waiter)
        return True

    def _wait(self, waiter: Any) -> None:
        if not self.waiting and self.delay_s is not None:
            asyncio.get_running_loop().call_later(self.delay_s, self.flush)
        self.waiting.append(waiter)

    def flush(self) -> None:
        waiting, self.waiting = self.waiting, []
        for waiter in waiting:
            if self.failure is None:
                waiter.stored("0123456789abcdef0123", "log")
            else:
                waiter.failed(self.failure)

    async def add(self, visits: Sequence[Visit], durable: bool = True) -> Any:
        for index, visit in enumerate(visits):
            check_visit(visit, index if len(visits) > 1 else None)
        if self.failure is not None:
            raise self.failure
        for visit in visits:
            self._count(visit.counter, visit.visitor, visit.key, visit.count)
        accepted = sum(visit.count for visit in visits)
        if not durable:
            return SimpleNamespace(accepted=accepted, stored="memory", receipts=[])
        stored = asyncio.get_running_loop().create_future()
        waiter = SimpleNamespace(stored=lambda receipt, where: stored.set_result(receipt), failed=stored.set_exception)
        self._wait(waiter)
        receipt = await stored
        return SimpleNamespace(accepted=accepted, stored="log", receipts=[receipt] * len(visits))

    async def add_chunk(self, source: str, start: int, end: int, visits: Sequence[Visit]) -> Any:
        if start != self.positions.get(source, 0):
            raise SourcePositionError(source, start, self.positions.get(source, 0))
        self.positions[source] = end
        return await self.add(visits)

    async def source_position(self, source: str) -> int:
        return self.positions.get(source, 0)

    async def define(self, name: str, unit: Unit) -> tuple[Any, bool]:
        known = self.definitions.get(name)
        if known is not None and known.unit is not unit:
            raise UnitConflictError(f"{name} counts {known.unit}")
        self.definitions[name] = known or SimpleNamespace(name=name, unit=unit, number=len(self.definitions))
        return self.definitions[name], known is None

    def read(self, name: str) -> Reading:
        return Reading(check_name(name), self.counts.get(name, 0))

    async def read_exact(self, name: str) -> Reading:
        self.exact_reads += 1
        if self.failure is not None:
            raise self.failure
        return msgspec.structs.replace(self.read(name), consistency="linearizable", staleness_ms=0)

    def check_answering(self) -> None:
        if self.unready:
            raise NotReadyError("; ".join(self.unready))

    def milestone(self, standing: Standing) -> MilestoneReading:
        value = self.read(standing.counter).value
        return MilestoneReading(standing.counter, standing.n, MilestoneState.OPEN, value, winner_reading(standing))

    @property
    def answers(self) -> "FakeNode":
        return self

    async def list(self, prefix: str, after: str, limit: int) -> Any:
        found = sorted(n for n in self.definitions if n > after and (not prefix or f"{n}.".startswith(f"{prefix}.")))
        following = found[limit - 1] if len(found) > limit else None
        return {"counters": [self.read(name) for name in found[:limit]], "next": following}

    def nodes(self) -> Sequence[Any]:
        return []

    def metrics(self) -> Sequence[Any]:
        return [
            SimpleNamespace(
                name="footfall_flushes", kind="counter", help="Flushes.", samples=[({}, 3.0)], histogram=None
            ),
            SimpleNamespace(
                name="footfall_lag", kind="gauge", help="Lag.", samples=[({"partition": "1"}, 2.0)], histogram=None
            ),
        ]

    def warnings(self) -> Sequence[str]:
        return []

    def problems(self) -> Sequence[str]:
        return self.unready
