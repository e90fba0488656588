"""The milestones of a log: a fold of its control messages. Of each kind the first in log order holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

import msgspec

from footfall.core.control import Announced, Claimed, Milestone, Proof, Reached, Verdict, Winner
from footfall.core.names import lineage
from footfall.core.vector import ENTRY_MAX
from footfall.ordinals import ordinal

MILESTONES_MAX = 10_000  # of a log, the reached ones too: about 400 bytes each

Told: TypeAlias = Milestone | Verdict | Reached | Announced | Claimed


class Standing(msgspec.Struct, frozen=True, array_like=True):
    """One milestone, as far as the log tells.

    Attributes:
        counter: The counter's name.
        n: N.
        since: Sequence of the message that set it.
        value: The count there, once the verdict has told it; -1 before.
        winner: The N-th visit, once it is known.
        proof: From what it was derived.
        reached: Sequence of the message that told so; 0 before.
        announced: Whether the webhook is done with it.
        claim: What the first claim said of itself; None as long as nobody has claimed.
    """

    counter: str
    n: int
    since: int
    value: int = -1
    winner: Winner | None = None
    proof: Proof | None = None
    reached: int = 0
    announced: bool = False
    claim: bytes | None = None

    @property
    def undecided(self) -> bool:
        """Whether it may turn out to be void: set, and neither confirmed nor reached."""
        return self.value < 0 and self.winner is None

    @property
    def open(self) -> bool:
        """Whether its winner is not known: also while it is undecided."""
        return self.winner is None


class Contradiction(NamedTuple):
    """Two messages tell different things of a milestone, which no two nodes of a sound program do."""

    kind: str
    detail: str


class Milestones:
    """All milestones up to one sequence of the log; the caller says which message comes at which.

    Attributes:
        sequence: Of the last message that was about one; whoever has looked at it since has nothing new to see.
    """

    def __init__(self, standings: Iterable[Standing] = (), sequence: int = 0) -> None:
        self.sequence = sequence
        self._standings = {(one.counter, one.n): one for one in standings}
        self._open: dict[str, set[int]] = {}  # counter → N of those whose winner is not known
        for one in self:
            if one.open:
                self._open.setdefault(one.counter, set()).add(one.n)

    def __len__(self) -> int:
        return len(self._standings)

    def __iter__(self) -> Iterator[Standing]:
        """In the order in which they were set."""
        return iter(self._standings.values())

    def find(self, counter: str, n: int) -> Standing | None:
        """The milestone, or None if there is none, or it was found void."""
        return self._standings.get((counter, n))

    def of(self, counter: str) -> list[Standing]:
        """A counter's milestones, the lowest first."""
        return sorted((one for one in self if one.counter == counter), key=lambda one: one.n)

    def open(self) -> list[str]:
        """The counters that have a milestone whose winner is not known yet."""
        return list(self._open)

    def open_of(self, counter: str) -> list[Standing]:
        """A counter's milestones whose winner is not known yet, the lowest first."""
        return [self._standings[counter, n] for n in sorted(self._open.get(counter, ()))]

    def since(self, name: str, sequence: int) -> bool:
        """Whether a milestone that is open was set on a counter, or one above it, after a sequence."""
        return any(one.since > sequence for counter in lineage(name) for one in self.open_of(counter))

    def fold(self, sequence: int, message: Told) -> Contradiction | None:
        """Take the next message. One that comes too late, or for a milestone that there is not, changes nothing."""
        self.sequence = sequence
        key = message.counter, message.n
        standing = self._standings.get(key)
        if isinstance(message, Milestone):
            if standing is None:
                return self._set(sequence, message)
        elif standing is None:
            pass
        elif isinstance(message, Verdict):
            return self._decide(standing, message)
        elif isinstance(message, Reached):
            return self._reach(sequence, standing, message)
        elif isinstance(message, Announced):
            if not standing.open:
                self._standings[key] = msgspec.structs.replace(standing, announced=True)
        elif not standing.open and standing.claim is None:
            self._standings[key] = msgspec.structs.replace(standing, claim=message.claim)
        return None

    def _set(self, sequence: int, message: Milestone) -> Contradiction | None:
        if not 1 <= message.n <= ENTRY_MAX:
            return Contradiction("malformed", f"{message.counter} cannot have a {ordinal(message.n)}")
        if len(self) >= MILESTONES_MAX:
            return Contradiction(
                "milestones",
                f"{message.n} of {message.counter} is not set: there are {MILESTONES_MAX} milestones already",
            )
        self._standings[message.counter, message.n] = Standing(message.counter, message.n, sequence)
        self._open.setdefault(message.counter, set()).add(message.n)
        return None

    def _close(self, standing: Standing) -> None:
        left = self._open[standing.counter]
        left.discard(standing.n)
        if not left:
            del self._open[standing.counter]

    def _decide(self, standing: Standing, message: Verdict) -> Contradiction | None:
        if message.since != standing.since:
            return None  # of an earlier wish for the same N, which was void
        name = f"{standing.n} of {standing.counter}"
        if message.value < 0:
            return Contradiction("malformed", f"{name}: {message.value} cannot have been counted")
        if standing.value >= 0:
            if message.value != standing.value:
                return Contradiction("verdict", f"{name}: {standing.value} was counted, and now {message.value}")
        elif message.value < standing.n:
            self._standings[standing.counter, standing.n] = msgspec.structs.replace(standing, value=message.value)
        elif standing.open:
            del self._standings[standing.counter, standing.n]
            self._close(standing)
        else:
            return Contradiction("verdict", f"{name} was reached, and is said to have been passed before it was set")
        return None

    def _reach(self, sequence: int, standing: Standing, message: Reached) -> Contradiction | None:
        if standing.winner is None:
            self._standings[standing.counter, standing.n] = msgspec.structs.replace(
                standing, winner=message.winner, proof=message.proof, reached=sequence
            )
            self._close(standing)
        elif message.winner != standing.winner:
            return Contradiction(
                "winner",
                f"{standing.n} of {standing.counter}: the winner is {_place(standing.winner)}, "
                f"and another judge found {_place(message.winner)}",
            )
        return None


def _place(winner: Winner) -> str:
    return f"entry {winner.index} of sequence {winner.sequence} (visitor {winner.visitor})"
