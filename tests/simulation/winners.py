"""Milestones as the raw messages of a log tell them, each compared with the counted visits in their order."""

from __future__ import annotations

from bisect import bisect_right
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .truth import Place


class Known:
    """A milestone; ``value``: the count at the message that set it."""

    def __init__(self, since: int, value: int) -> None:
        self.since = since
        self.value = value
        self.decided = False
        self.winner: Any = None
        self.proof: Any = None
        self.claim: bytes | None = None


class Winners:
    """All milestones; ``wrong`` tells whatever a message claims that the log's visits do not bear out."""

    def __init__(self, order: dict[str, list[Place]]) -> None:
        self.standings: dict[tuple[str, int], Known] = {}
        self.wrong: list[str] = []
        self._order = order

    def take(self, sequence: int, kind: str, counter: str, n: int, rest: Any) -> None:
        known = self.standings.get((counter, n))
        if kind == "milestone/1":
            if known is None:
                self.standings[counter, n] = Known(sequence, len(self._order[counter]))
        elif known is None:
            pass
        elif kind == "verdict/1":
            self._decide(known, counter, n, *rest)
        elif kind == "reached/1":
            self._reach(known, counter, n, *rest)
        elif kind == "claimed/1" and known.winner is not None and known.claim is None:
            known.claim = rest[0]

    def _decide(self, known: Known, counter: str, n: int, since: int, value: int) -> None:
        if since != known.since:
            return
        if value != known.value:
            self.wrong.append(f"{n} of {counter}: the verdict says {value}, and there were {known.value} at {since}")
        if known.decided:
            return
        if value < n:
            known.decided = True
        elif known.winner is None:
            del self.standings[counter, n]

    def _reach(self, known: Known, counter: str, n: int, winner: Any, proof: Any) -> None:
        expected = self.expected(counter, n)
        told = (winner[2], winner[3], winner[0], winner[1], winner[4])
        if expected is None or told != (
            expected.sequence,
            expected.index,
            expected.visitor,
            sha256(expected.receipt.encode()).digest(),
            expected.time_ns,
        ):
            self.wrong.append(f"{n} of {counter}: the log has {expected}, and a judge found {winner}")
        if known.value >= n:
            self.wrong.append(f"{n} of {counter} is reached, and was passed when it was set")
        (_, begin, _), _, value, messages, _ = proof
        before = bisect_right(self._order[counter], begin, key=lambda place: place.sequence)
        if value != before or value >= n or messages != winner[2] - begin:
            self.wrong.append(f"{n} of {counter}: its proof begins at {begin} with {value} visits of {before}")
        if known.winner is None:
            known.winner, known.proof = winner, proof

    def expected(self, counter: str, n: int) -> Place | None:
        """The N-th visit; after an import that went past N, the next one; None as long as it has not come."""
        return next((place for place in self._order[counter][n - 1 :] if place.index >= 0), None)

    def open_since(self, counter: str, sequence: int) -> bool:
        """Whether a milestone that is open was set on a counter after a sequence."""
        return any(
            name == counter and known.winner is None and known.since > sequence
            for (name, _), known in self.standings.items()
        )

    def pending(self) -> list[tuple[str, int]]:
        """The milestones that wait for a verdict, or for the news of a winner who has come."""
        return [
            (counter, n)
            for (counter, n), known in self.standings.items()
            if known.winner is None and (not known.decided or self.expected(counter, n) is not None)
        ]
