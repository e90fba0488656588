"""How often each of many may do something: token buckets within bounded memory. Pure: time is an argument."""

from collections.abc import Hashable
from math import inf

ROUNDING_S = 1e-6  # sums of fractions miss what they should be by less


class Limit:
    """A pace.

    Args:
        per_s: How many a second.
        burst_s: A bucket holds what comes to this many seconds, and one at least.

    Attributes:
        per_s: As given.
        at_once: How many at once, from a full bucket.
        fills_s: How long an empty bucket takes to be full.
    """

    def __init__(self, per_s: float, burst_s: float) -> None:
        self.per_s = per_s
        self.at_once = max(1.0, per_s * burst_s)
        self.fills_s = self.at_once / per_s


class Buckets:
    """A bucket for each key, kept as the time at which it will be full again (the GCRA of ATM networks).

    At ``keys_max`` a new key takes over the bucket of the one that was seen least recently, with what is left in it.
    That one has been refilled, as a rule. If not, keys come faster than buckets fill: a flood. Then all keys together
    get what ``keys_max`` buckets give, so it is no way around the limit to come from ever more addresses; and who is
    not part of the flood is slowed down with it.
    """

    def __init__(self, keys_max: int) -> None:
        self._keys_max = keys_max
        self._full_at_s: dict[Hashable, float] = {}  # the least recently seen key first

    def __len__(self) -> int:
        return len(self._full_at_s)

    def wait_s(self, key: Hashable, cost: float, limit: Limit, now_s: float) -> float:
        """How long until ``cost`` can be taken; 0 if it can now, and infinity if no bucket holds so many."""
        if cost > limit.at_once:
            return inf
        ahead_s = self._of(key) - now_s
        wait_s = (ahead_s if ahead_s > 0 else 0.0) + cost / limit.per_s - limit.fills_s
        return wait_s if wait_s > ROUNDING_S else 0.0

    def take(self, key: Hashable, cost: float, limit: Limit, now_s: float) -> None:
        """Take ``cost``, as ``wait_s`` has allowed."""
        full_at_s = self._of(key)
        self._full_at_s[key] = (full_at_s if full_at_s > now_s else now_s) + cost / limit.per_s

    def give_back(self, key: Hashable, cost: float, limit: Limit) -> None:
        """Undo a ``take`` of just now."""
        if key in self._full_at_s:
            self._full_at_s[key] -= cost / limit.per_s

    def _of(self, key: Hashable) -> float:
        """When the key's bucket is full, and note that it was seen."""
        full_at_s = self._full_at_s.pop(key, None)
        if full_at_s is None:
            full_at_s = 0.0
            if len(self._full_at_s) >= self._keys_max:
                full_at_s = self._full_at_s.pop(next(iter(self._full_at_s)))
        self._full_at_s[key] = full_at_s
        return full_at_s
