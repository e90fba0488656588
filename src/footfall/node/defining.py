"""Defines counters, and finds those that visits are to: a visit to a name that nobody knows defines it."""

import asyncio
from collections.abc import Sequence

from footfall.config import Config
from footfall.core.control import Define
from footfall.core.definitions import Definition
from footfall.core.names import Unit, lineage
from footfall.core.visit import Visit
from footfall.errors import (
    InvalidVisitError,
    LogUnavailableError,
    TooManyCountersError,
    UnitConflictError,
    UnknownCounterError,
)
from footfall.node.counting import Counting
from footfall.node.producer import Producer
from footfall.node.waiting import turn

DEFINED_TIMEOUT_S = 10.0  # for a definition that is stored to come back
DEFINE_MAX = 1_000  # of one message


class Defining:
    """What a node does about definitions. One at a time, so that many visits to a new counter define it once."""

    def __init__(self, counting: Counting, producer: Producer, config: Config) -> None:
        self._counting = counting
        self._producer = producer
        self._counters_max = config.counters_max
        self._on_visit = config.define_on_visit
        self._lock = asyncio.Lock()

    async def define(self, name: str, unit: Unit) -> tuple[Definition, bool]:
        """Define a counter; returns it, and whether this made it.

        Raises:
            UnitConflictError: It is defined with the other unit; the first definition holds for ever.
            TooManyCountersError: There are as many counters as there may be.
            UnavailableError: The log cannot take it now.
        """
        made = await self._define([(name, unit)])
        found = self._counting.definitions.find(name)
        if found is None:  # others have defined the last that there may be meanwhile
            raise TooManyCountersError(f"there are as many counters as there may be: {self._counters_max}")
        if found.unit is not unit:
            raise UnitConflictError(f"{name} counts {found.unit} already, not {unit}; a counter's unit never changes")
        return found, made

    async def defined(self, name: str) -> Definition:
        """The counter of that name; one of ``visits`` if nobody has defined it. Raises as ``define``."""
        await self._define([(name, Unit.VISITS)])
        found = self._counting.definitions.find(name)
        if found is None:
            raise TooManyCountersError(f"there are as many counters as there may be: {self._counters_max}")
        return found

    async def _define(self, wanted: Sequence[tuple[str, Unit]]) -> bool:
        """Define what is not defined yet; returns whether anything was not."""
        async with turn(self._lock, DEFINED_TIMEOUT_S, "definitions"):
            definitions = self._counting.definitions
            missing = [(name, unit) for name, unit in dict(wanted).items() if definitions.number(name) is None]
            if not missing:
                return False
            if self._producer.storing.silent:
                raise LogUnavailableError(
                    f"there is no counter {missing[0][0]} yet, and the log, which cannot be reached, would have to "
                    "tell all nodes of it: try again later"
                )
            new = {
                ancestor for name, _ in missing for ancestor in lineage(name) if definitions.number(ancestor) is None
            }
            if len(definitions) + len(new) > self._counters_max:
                raise TooManyCountersError(f"there are {len(definitions)} counters; {self._counters_max} is the limit")
            for start in range(0, len(missing), DEFINE_MAX):
                part = tuple(missing[start : start + DEFINE_MAX])
                sequence = await self._producer.control(lambda name, at, part=part: Define(name, at, part))  # type: ignore[misc]
                try:
                    async with asyncio.timeout(DEFINED_TIMEOUT_S):
                        await self._counting.aggregator.definitions_reached.wait(sequence)
                except TimeoutError:
                    raise LogUnavailableError("the definition is stored but does not come back; try again") from None
            return True

    async def pairs(self, visits: Sequence[Visit]) -> list[tuple[Definition, Visit]]:
        find = self._counting.definitions.find
        names = {visit.counter for visit in visits}
        if unknown := [name for name in names if find(name) is None]:
            if not self._on_visit:
                index = next(index for index, visit in enumerate(visits) if visit.counter in unknown)
                raise UnknownCounterError(
                    f"there is no counter {visits[index].counter}, and visits define none here: define it first",
                    index if len(visits) > 1 else None,
                )
            await self._define([(name, Unit.VISITS) for name in sorted(unknown)])
        found = {name: definition for name in names if (definition := find(name)) is not None}
        if len(found) < len(names):
            raise TooManyCountersError(f"there are as many counters as there may be: {self._counters_max}")
        for index, visit in enumerate(visits):  # someone else may have defined it meanwhile, in visitors
            if visit.visitor is None and found[visit.counter].visitors:
                raise InvalidVisitError(f"{visit.counter} counts visitors, so the visit must name one", index)
        return [(found[visit.counter], visit) for visit in visits]
