"""Milestones, claims and imports, as a node does them for whoever asks."""

import asyncio
import secrets
import time
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple, Protocol

from footfall.core.control import Claimed, Control, Import, Milestone, Verdict
from footfall.core.definitions import IMPORTS_MAX, Definition, Imported
from footfall.core.milestones import MILESTONES_MAX, Standing
from footfall.core.names import Unit, check_name
from footfall.core.receipts import opens
from footfall.core.vector import ENTRY_MAX
from footfall.core.visit import check_text
from footfall.errors import (
    AlreadyClaimedError,
    CallerError,
    ImportConflictError,
    InvalidRequestError,
    LogUnavailableError,
    MilestonePassedError,
    NotReachedError,
    TooManyClaimsError,
    TooManyMilestonesError,
    UnknownMilestoneError,
    WrongReceiptError,
)
from footfall.node.counting import Counting
from footfall.node.exact import Write
from footfall.ordinals import ordinal

DECIDED_S_MAX = 15.0  # for the verdict on a milestone that someone else has set
NOTICED_S_MAX = 10.0  # for what is stored to come back
CLAIMS_PER_S = 10.0  # with wrong receipts: nobody can guess one, and who tries should learn so slowly
CLAIMS_BURST = 20.0
RECEIPT_LENGTH_MAX = 513  # two keys of 256 bytes
SOURCE_BYTES_MAX = 200
NOTE_BYTES_MAX = 1_000
TOO_MANY = f"there are {MILESTONES_MAX} milestones; that is the limit"


class Defining(Protocol):
    """Defines a counter of ``visits`` if nobody has."""

    async def __call__(self, name: str) -> Definition: ...


class Pace:
    """A bucket of tokens: so many at once, and so many a second."""

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = self._left = burst
        self._at_s = time.monotonic()

    def take(self) -> bool:
        """Whether one more may go on now."""
        now_s = time.monotonic()
        self._left = min(self._burst, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Outcome(NamedTuple):
    """A milestone, and whether this request made it so."""

    standing: Standing
    made: bool


class Milestones:
    """What a node does with milestones; it holds nothing itself, for all of it is in the log."""

    def __init__(self, node: str, counting: Counting, write: Write, define: Defining) -> None:
        self._node = node
        self._counting = counting
        self._write = write
        self._define = define
        self.claims = self.claims_refused = 0
        self._wrong = Pace(CLAIMS_PER_S, CLAIMS_BURST)
        self._early = Pace(CLAIMS_PER_S, CLAIMS_BURST)  # each writes to the log, and anyone may claim

    def find(self, counter: str, n: int) -> Standing:
        """A milestone. Raises UnknownMilestoneError, InvalidNameError."""
        check_name(counter)
        standing = self._counting.definitions.milestones.find(counter, n)
        if standing is None or standing.undecided:
            raise UnknownMilestoneError(
                f"{counter} has no milestone {n}; footfall milestone add {counter} {n} sets it, and so does PUT"
            )
        return standing

    def list(self, counter: str | None = None) -> list[Standing]:
        """A counter's milestones, the lowest first; or all, in the order in which they were set."""
        milestones = self._counting.definitions.milestones
        found = list(milestones) if counter is None else milestones.of(check_name(counter))
        return [standing for standing in found if not standing.undecided]

    async def add(self, counter: str, n: int) -> Outcome:
        """Set a milestone; the same again is the same milestone.

        Raises:
            InvalidNameError: It is not a name.
            InvalidRequestError: N is not from 1 to 2**63 - 1.
            MilestonePassedError: The count is N or more already.
            TooManyMilestonesError: There are as many as there may be.
            UnavailableError: Not now; it may be set all the same, and the same request tells.
        """
        check_name(counter)
        check_n(n)
        definition = await self._define(counter)
        milestones = self._counting.definitions.milestones
        standing = milestones.find(counter, n)
        if standing is None:
            if self._counting.table.value(definition.number) >= n:
                raise MilestonePassedError(counter, n, (await self._counting.exact.read(counter)).vector.value)
            if len(milestones) >= MILESTONES_MAX:
                raise TooManyMilestonesError(TOO_MANY)
            return await self._set(counter, n)
        return Outcome(standing if not standing.undecided else await self._decided(counter, n), made=False)

    async def _set(self, counter: str, n: int) -> Outcome:
        exact = await self._counting.exact.ask(counter, lambda name, at: Milestone(name, at, counter, n, self._node))
        await self._noticed(exact.sequence)
        standing = self._counting.definitions.milestones.find(counter, n)
        if standing is not None and standing.undecided and standing.since == exact.sequence:
            value = exact.vector.value
            await self._store(lambda name, at: Verdict(name, at, counter, n, exact.sequence, value))
            standing = self._counting.definitions.milestones.find(counter, n)
        elif standing is not None and standing.undecided:  # another's, or a first copy of the same message
            standing = await self._decided(counter, n)
        if standing is None:
            if exact.vector.value < n:  # others have set the last that there may be meanwhile
                raise TooManyMilestonesError(TOO_MANY)
            raise MilestonePassedError(counter, n, exact.vector.value)
        return Outcome(standing, made=standing.since == exact.sequence)

    async def _decided(self, counter: str, n: int) -> Standing:
        """A milestone that waits for its verdict, once that has come: if nobody tells it, a judge will."""
        deadline_s = time.monotonic() + DECIDED_S_MAX
        while time.monotonic() < deadline_s:
            standing = self._counting.definitions.milestones.find(counter, n)
            if standing is None:
                raise MilestonePassedError(counter, n, (await self._counting.exact.read(counter)).vector.value)
            if not standing.undecided:
                return standing
            await asyncio.sleep(0.05)
        raise LogUnavailableError(f"the {ordinal(n)} of {counter} is stored, and not decided yet; ask again")

    async def claim(self, counter: str, n: int, receipt: str, key: str | None) -> Outcome:
        """Show the winner's receipt, once.

        Args:
            counter: The milestone's counter.
            n: Its N.
            receipt: What the visit was answered with, or its own idempotency key if that has 22 characters or more.
            key: Idempotency key of the claim itself: with the same one it may be made again.

        Raises:
            UnknownMilestoneError: There is no such milestone.
            NotReachedError: It has no winner yet.
            WrongReceiptError: The receipt is another visit's.
            AlreadyClaimedError: Someone showed the receipt before.
            TooManyClaimsError: Wrong receipts come too fast, or claims while no winner is known here; once one is, his
                receipt is always looked at.
        """
        self.claims += 1
        try:
            return await self._claim(counter, n, receipt, key)
        except (CallerError, TooManyClaimsError):
            self.claims_refused += 1
            raise

    async def _claim(self, counter: str, n: int, receipt: str, key: str | None) -> Outcome:
        check_text("receipt", receipt, RECEIPT_LENGTH_MAX)
        standing = await self._latest(counter, n)
        if standing.winner is None:
            raise NotReachedError(f"the {ordinal(n)} of {counter} has not come yet")
        if not opens(receipt, standing.winner.receipt_sha256):
            if not self._wrong.take():
                raise TooManyClaimsError(f"this node looks at {CLAIMS_PER_S:g} wrong receipts a second; try later")
            raise WrongReceiptError(f"this is not the receipt of the {ordinal(n)} of {counter}")
        claim = secrets.token_bytes(32) if key is None else sha256(key.encode()).digest()
        if standing.claim is None:
            await self._store(lambda name, at: Claimed(name, at, counter, n, claim))
            made = True
        else:
            made = False
        standing = self.find(counter, n)
        if standing.claim != claim:
            raise AlreadyClaimedError(f"the {ordinal(n)} of {counter} was claimed before")
        return Outcome(standing, made)

    async def _latest(self, counter: str, n: int) -> Standing:
        """A milestone as of now: before it is said not to be, all is read that any node has answered for.

        Raises as ``find``, and as ``ExactReads.read``; and TooManyClaimsError.
        """
        found = self._counting.definitions.milestones.find(check_name(counter), n)
        if found is None or found.winner is None:
            if not self._early.take():
                raise TooManyClaimsError(
                    f"this node looks at {CLAIMS_PER_S:g} claims without a winner a second; try later"
                )
            exact = await self._counting.exact.read(counter)
            await self._noticed(exact.sequence)
        return self.find(counter, n)

    async def take_over(self, counter: str, value: int, source: str, note: str) -> tuple[Imported, bool]:
        """Import a prior count, once per source; returns it, and whether this request did it.

        Raises:
            InvalidNameError: It is not a name.
            InvalidVisitError: The source's id or the note cannot be one.
            InvalidRequestError: The value is not from 1 to 2**63 - 1, or would take the counter past that.
            ImportConflictError: Another import came from the source; or it would bring a milestone near, or cross it.
            TooManyMilestonesError: There are as many imports as there may be.
        """
        check_name(counter)
        check_text("source's id", source, SOURCE_BYTES_MAX)
        check_text("note", note, NOTE_BYTES_MAX)
        if not 1 <= value <= ENTRY_MAX:
            raise InvalidRequestError(f"the value is {value}; it must be a whole number from 1 to 2**63 - 1")
        definition = await self._define(counter)
        imports = self._counting.definitions.imports
        if source not in imports:
            if len(imports) >= IMPORTS_MAX:
                raise TooManyMilestonesError(f"there are {IMPORTS_MAX} imports; that is the limit")
            after = self._counting.definitions.sequence
            await self._check_room(definition, value)
            sequence = await self._store(lambda name, at: Import(name, at, counter, value, source, note, after))
            found = self._counting.definitions.imports.get(source)
            if found is None:
                raise ImportConflictError(f"a milestone was set meanwhile; look whether {value} may still be imported")
            if found.sequence == sequence:
                return found, True
        found = self._counting.definitions.imports[source]
        if (found.counter, found.value) != (counter, value):
            raise ImportConflictError(
                f"source {source!r} was imported before: {found.value} into {found.counter} ({found.note}); "
                "if this is another count, name another source"
            )
        return found, False

    async def _check_room(self, definition: Definition, value: int) -> None:
        """See that an import takes no counter past a milestone, nor near one, nor past what can be counted."""
        definitions = self._counting.definitions
        path = definition.visits if definition.unit is Unit.VISITS else definition.visitors
        for number in path:
            name = definitions.names[number]
            open_ = definitions.milestones.open_of(name)
            now = self._counting.table.value(number)
            if open_:
                now = (await self._counting.exact.read(name)).vector.value
            if now + value > ENTRY_MAX:
                raise InvalidRequestError(f"{name} has {now}; {value} more would take it past 2**63 - 1")
            for standing in open_:
                if self._counting.judging.nearness.is_near(standing, now + value):
                    raise ImportConflictError(
                        f"{name} has {now}, and {value} more would bring its {ordinal(standing.n)} near or past: "
                        "import before the milestone is set, or after it was reached"
                    )

    async def _store(self, build: Callable[[str, int], Control]) -> int:
        sequence = await self._write(build)
        await self._noticed(sequence)
        return sequence

    async def _noticed(self, sequence: int) -> None:
        """Wait until this node has read its own control message."""
        try:
            async with asyncio.timeout(NOTICED_S_MAX):
                await self._counting.aggregator.definitions_reached.wait(sequence)
        except TimeoutError:
            raise LogUnavailableError("it is stored but does not come back; ask again") from None


def check_n(n: int) -> int:
    """N itself. Raises InvalidRequestError."""
    if not 1 <= n <= ENTRY_MAX:
        raise InvalidRequestError(f"N is {n}; it must be a whole number from 1 to 2**63 - 1")
    return n
