"""How long something took, in buckets of plain integers: noting one costs less than a microsecond."""

from bisect import bisect_left

# From a fast fsync to what nobody waits for any more.
BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Histogram:
    """Durations, counted by bucket.

    Attributes:
        sum_s: All of them together.
    """

    def __init__(self) -> None:
        self.sum_s = 0.0
        self._counts = [0] * (len(BOUNDS_S) + 1)

    def note(self, duration_s: float) -> None:
        """Something took so long."""
        self.sum_s += duration_s
        self._counts[bisect_left(BOUNDS_S, duration_s)] += 1

    def buckets(self) -> list[tuple[str, float]]:
        """For each bound, as Prometheus writes it, how many were as short as that; the last has no bound."""
        found, so_far = [], 0
        for bound, count in zip([*map(str, BOUNDS_S), "+Inf"], self._counts, strict=True):
            so_far += count
            found.append((bound, float(so_far)))
        return found
