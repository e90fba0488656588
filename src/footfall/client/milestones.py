"""Milestones, as a program sets them, reads them, waits for their winners and claims."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from math import inf
from typing import Literal

import msgspec

from footfall.client.buffer import check_given
from footfall.client.requests import Asking, new_receipt, path_of
from footfall.client.settings import HIT_TIMEOUT_S, VALUE_TIMEOUT_S
from footfall.core.receipts import opens
from footfall.core.vector import ENTRY_MAX
from footfall.core.visit import KEY_BYTES_MAX, check_text
from footfall.errors import InvalidRequestError, NotReachedError
from footfall.ordinals import ordinal

WAIT_INTERVAL_S = 0.5  # between two looks of who waits for a winner
WAIT_PATIENCE_S = 60.0  # with nodes that do not answer, meanwhile
RECEIPT_BYTES_MAX = 2 * KEY_BYTES_MAX + 1  # two of a visit that counts in both units, joined


class Proof(msgspec.Struct, frozen=True):
    """From what a winner was derived: all messages of the log above a cut, where the counter was below N.

    Attributes:
        log: When the log was made.
        sequence: Of the cut.
        epoch: Of the cut.
        value: What the counter was there.
        messages: How many messages of the log were read from there on.
        digest: Of these messages, in hex.
    """

    log: str
    sequence: int
    epoch: int
    value: int
    messages: int
    digest: str


class Winner(msgspec.Struct, frozen=True):
    """Who made the N-th visit.

    Attributes:
        visitor: As the visit named him; None if it did not.
        receipt_sha256: Of his receipt, in hex. The receipt itself is never told.
        sequence: Where in the log the visit is.
        index: Which entry it is there.
        time: When the log stored it.
        claimed: Whether the receipt was shown.
        proof: From what this was derived.
    """

    visitor: str | None
    receipt_sha256: str
    sequence: int
    index: int
    time: datetime
    claimed: bool
    proof: Proof

    def matches(self, receipt: str) -> bool:
        """Whether a receipt is the winner's. Asks nobody, and claims nothing."""
        _check_type(receipt)
        return receipt.isprintable() and opens(receipt, bytes.fromhex(self.receipt_sha256))


class MilestoneStatus(msgspec.Struct, frozen=True):
    """How far a milestone is.

    Attributes:
        counter: Its counter.
        n: Whose visit is sought: the N-th.
        state: ``open``; ``closing``, when it is near; or ``reached``.
        value: What the counter shows now.
        winner: Who made the N-th visit; None before it is reached.
    """

    counter: str
    n: int
    state: Literal["open", "closing", "reached"]
    value: int
    winner: Winner | None


class _Named:
    """A milestone's name, and what is asked about it. Pure."""

    def __init__(self, counter: str, n: int) -> None:
        if type(n) is not int or not 1 <= n <= ENTRY_MAX:
            raise InvalidRequestError(f"N is {n!r}; it must be a whole number from 1 to 2**63 - 1")
        self.counter = counter
        self.n = n
        self._path = f"{path_of(counter)}/milestones/{n}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.counter!r}, {self.n})"

    def _claiming(self, receipt: str, key: str | None) -> Asking:
        _check_type(receipt)
        check_text("receipt", receipt, RECEIPT_BYTES_MAX)
        if key is not None:
            check_given("claim's key", key, KEY_BYTES_MAX)
            if key != key.strip():
                raise InvalidRequestError(f"the claim's key is {key!r}; it is sent in a header: leave out the blanks")
        return Asking("POST", f"{self._path}/claim", msgspec.json.encode({"receipt": receipt}), key or new_receipt())

    def _pause_s(self, left_s: float, timeout_s: float | None) -> float:
        """How long to wait before the next look. Raises NotReachedError if there is no time for one."""
        if left_s <= 0:
            raise NotReachedError(f"the {ordinal(self.n)} of {self.counter} did not come in {timeout_s:g} s")
        return min(WAIT_INTERVAL_S, left_s)


class Milestone(_Named):
    """Whose visit to a counter is the N-th: made by ``Counter.milestone``, and asks nodes only when it is told to.

    Each method asks the nodes one after the other, and again, for ``timeout_s``; then it raises UnavailableError.

    Attributes:
        counter: The counter's name.
        n: N.
    """

    def __init__(
        self, ask: Callable[[Asking, float, type[MilestoneStatus]], MilestoneStatus], counter: str, n: int
    ) -> None:
        super().__init__(counter, n)
        self._ask = ask

    def set(self, *, timeout_s: float = HIT_TIMEOUT_S) -> MilestoneStatus:
        """Set it, before it is reached. To set it again changes nothing, and tells how far it is.

        Raises:
            MilestonePassedError: The counter has N or more already.
            TooManyMilestonesError: The log holds as many as it may.
            ForbiddenError: The token has not the scope ``admin`` for the counter.
        """
        return self._ask(Asking("PUT", self._path), timeout_s, MilestoneStatus)

    def status(self, *, timeout_s: float = VALUE_TIMEOUT_S) -> MilestoneStatus:
        """How far it is, and who won.

        Raises:
            UnknownMilestoneError: Nobody has set it, as far as the node has read, which may be milliseconds behind.
        """
        return self._ask(Asking("GET", self._path), timeout_s, MilestoneStatus)

    def wait(self, timeout_s: float | None = None) -> Winner:
        """The winner, once there is one.

        Args:
            timeout_s: For how long to wait; None for as long as it takes, while nodes answer at least once a minute.

        Raises:
            NotReachedError: It was not reached in time.
            UnknownMilestoneError: Nobody has set it.
        """
        ends_s = inf if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left_s = ends_s - time.monotonic()
            if (winner := self.status(timeout_s=min(left_s, WAIT_PATIENCE_S)).winner) is not None:
                return winner
            time.sleep(self._pause_s(ends_s - time.monotonic(), timeout_s))

    def claim(self, receipt: str, *, key: str | None = None, timeout_s: float = HIT_TIMEOUT_S) -> MilestoneStatus:
        """Show the winner's receipt: it is taken once.

        Args:
            receipt: What ``hit`` returned, or the key of 22 characters or more that the visit had.
            key: What makes it this claim: another one with the same key is the same claim, and succeeds again.
            timeout_s: For how long to try.

        Raises:
            NotReachedError: There is no winner yet.
            WrongReceiptError: It is not the winner's receipt.
            AlreadyClaimedError: It was shown before, under another key.
            UnknownMilestoneError: Nobody has set it.
        """
        return self._ask(self._claiming(receipt, key), timeout_s, MilestoneStatus)


class AsyncMilestone(_Named):
    """The same in an event loop: made by ``AsyncClient.milestone``. See ``Milestone``."""

    def __init__(
        self, ask: Callable[[Asking, float, type[MilestoneStatus]], Awaitable[MilestoneStatus]], counter: str, n: int
    ) -> None:
        super().__init__(counter, n)
        self._ask = ask

    async def set(self, *, timeout_s: float = HIT_TIMEOUT_S) -> MilestoneStatus:
        """Set it, before it is reached. See ``Milestone.set``."""
        return await self._ask(Asking("PUT", self._path), timeout_s, MilestoneStatus)

    async def status(self, *, timeout_s: float = VALUE_TIMEOUT_S) -> MilestoneStatus:
        """How far it is, and who won. See ``Milestone.status``."""
        return await self._ask(Asking("GET", self._path), timeout_s, MilestoneStatus)

    async def wait(self, timeout_s: float | None = None) -> Winner:
        """The winner, once there is one. See ``Milestone.wait``."""
        ends_s = inf if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left_s = ends_s - time.monotonic()
            if (winner := (await self.status(timeout_s=min(left_s, WAIT_PATIENCE_S))).winner) is not None:
                return winner
            await asyncio.sleep(self._pause_s(ends_s - time.monotonic(), timeout_s))

    async def claim(self, receipt: str, *, key: str | None = None, timeout_s: float = HIT_TIMEOUT_S) -> MilestoneStatus:
        """Show the winner's receipt: it is taken once. See ``Milestone.claim``."""
        return await self._ask(self._claiming(receipt, key), timeout_s, MilestoneStatus)


def _check_type(receipt: str) -> None:
    """Raises TypeError for what is no text, and does not show it: that may be another form of a receipt."""
    if not isinstance(receipt, str):
        raise TypeError(f"the receipt is a {type(receipt).__name__}; it must be a text, as hit(…).receipt is one")
