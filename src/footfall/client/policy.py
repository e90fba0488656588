"""What becomes of a batch after an answer, or none: again, without a visit, or in halves. Pure.

The same bytes are sent again, under the same keys, so that what a node counted though its answer was lost counts once.
Nodes remember keys for 60 epochs, about ten minutes. So a batch that may have been counted is not sent any more when it
is nearly that old, or when a node says so whose epochs are shorter: it would perhaps count twice. A batch that was
certainly not counted may be sent at any age.
"""

import enum
from collections.abc import Sequence
from typing import NamedTuple

from footfall.client.batches import Batch
from footfall.client.buffer import Waiting
from footfall.errors import (
    CallerError,
    CountOverflowError,
    FootfallError,
    ForbiddenError,
    InvalidVisitError,
    KeysForgottenError,
    NotReadyError,
    OverloadedError,
    RateLimitedError,
    SpoolFullError,
    UnauthorizedError,
    UnknownCounterError,
    UnreachableError,
)

UNSURE_S_MAX = 540.0  # a minute less than keys are remembered for
CLOCK_BACK_S_MAX = 5.0  # a clock that was set back further tells no age
PAUSE_MIN_S = 0.1
PAUSE_MAX_S = 10.0
RETRY_AFTER_S_MAX = 60.0

# Answers that say for certain: nothing of this request was counted.
_NOT_COUNTED = (
    UnreachableError,
    RateLimitedError,
    OverloadedError,
    NotReadyError,
    SpoolFullError,
    UnauthorizedError,
    ForbiddenError,
)


class Action(enum.Enum):
    """What to do with a batch."""

    AGAIN = "send the same again, later or elsewhere"
    DROP = "send it again without some visits, which no node will take"
    GIVE_UP = "nothing: it may have been counted, and could count twice"
    HALVE = "send its halves: a visit in it is refused, and it is not known which"


class Decision(NamedTuple):
    """What to do with a batch that was not stored.

    Attributes:
        action: What.
        unsure: Whether it may have been counted.
        at: Which visit is refused, for DROP.
    """

    action: Action
    unsure: bool = False
    at: int = 0


def decide(error: FootfallError, visits: int) -> Decision:
    """What to do with a batch of so many visits that ended in ``error``."""
    if isinstance(error, KeysForgottenError):
        return Decision(Action.GIVE_UP)
    index = getattr(error, "index", None)
    if isinstance(error, CallerError) and not isinstance(error, UnauthorizedError):
        if index is not None and 0 <= index < visits:
            return Decision(Action.DROP, at=index)
        if visits == 1:
            return Decision(Action.DROP)
        if not isinstance(error, ForbiddenError):  # whose token is not good for visits at all: others may come
            return Decision(Action.HALVE)
    return Decision(Action.AGAIN, unsure=not isinstance(error, _NOT_COUNTED))


def parted(error: FootfallError, visits: Sequence[Waiting], index: int) -> tuple[list[Waiting], list[Waiting]]:
    """The visits without those that are refused for the same reason as the one at ``index``, and these."""
    bad = visits[index]
    if isinstance(error, ForbiddenError | UnknownCounterError):
        refused = [visit for visit in visits if visit.counter == bad.counter]
    elif isinstance(error, InvalidVisitError) and not isinstance(error, CountOverflowError) and bad.visitor is None:
        refused = [visit for visit in visits if visit.counter == bad.counter and visit.visitor is None]
    else:
        refused = [bad]
    gone = {id(visit) for visit in refused}
    return [visit for visit in visits if id(visit) not in gone], refused


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """A batch as two, in order."""
    middle = len(batch.visits) // 2
    return (
        Batch(batch.visits[:middle], batch.unsure_since_s),
        Batch(batch.visits[middle:], batch.unsure_since_s),
    )


def is_late(unsure_since_s: float | None, now_s: float) -> bool:
    """Whether a batch that may have been counted is too old to be sent again."""
    return unsure_since_s is not None and not -CLOCK_BACK_S_MAX <= now_s - unsure_since_s <= UNSURE_S_MAX


def backoff_s(failures: int, retry_after_s: float, chance: float) -> float:
    """How long to wait after so many failures in a row, each of all nodes.

    Args:
        failures: 1 or more.
        retry_after_s: What the node asked for; 0 if it did not.
        chance: From 0 to 1, evenly: clients that were cut off together come back one by one.
    """
    longest_s = min(PAUSE_MAX_S, PAUSE_MIN_S * 2.0 ** min(failures - 1, 16))
    return max(longest_s * (0.5 + 0.5 * chance), min(retry_after_s, RETRY_AFTER_S_MAX))
