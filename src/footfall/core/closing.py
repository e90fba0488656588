"""When a milestone is near: its counter is then counted by a judge. Being wrong costs work, and changes no winner."""

from collections import deque

RATE_OVER_S = 10.0
RATE_OVER_MIN_S = 1.0  # nine visits in the first twentieth of a second are no 180 a second


class Rate:
    """How fast a counter grows, over the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def see(self, now_s: float, value: int) -> None:
        """Note the counter's value at a time of a monotonic clock."""
        self._seen.append((now_s, value))
        while self._seen[-1][0] - self._seen[0][0] > RATE_OVER_S:
            self._seen.popleft()

    @property
    def per_s(self) -> float:
        """Visits a second; 0 as long as it was not seen for a second."""
        if not self._seen:
            return 0.0
        (first_s, first), (last_s, last) = self._seen[0], self._seen[-1]
        return (last - first) / (last_s - first_s) if last_s - first_s >= RATE_OVER_MIN_S else 0.0


def is_near(n: int, value: int, per_s: float, share: float, soon_s: float) -> bool:
    """Whether the N-th visit may come soon, or has come.

    Args:
        n: N.
        value: The count now, or less.
        per_s: How fast it grows.
        share: Of N, from which on it is near.
        soon_s: It is near, too, if this rate reaches it in so many seconds.
    """
    return value >= n * share or value + per_s * soon_s >= n
