"""How often a request is made until it is answered: at other nodes first, then after pauses, as time allows. Pure."""

from math import inf
from typing import NamedTuple

from footfall.client import policy
from footfall.errors import FootfallError, RateLimitedError, UnavailableError

ATTEMPT_S_MIN = 0.5  # for an answer, though there is no time left for it


class Attempt(NamedTuple):
    """One request to one node.

    Attributes:
        url: The node.
        longest_s: How long it may take to answer, so that there is time for the others.
        age_s: How long ago the visits were sent that it may have counted then; 0 if there are none.
    """

    url: str
    longest_s: float
    age_s: float


class Retries:
    """One request's attempts.

    Args:
        urls: The nodes.
        first: The one to begin with.
        timeout_s: For how long to try, as long as each node was asked once.
        now_s: When it begins.
        counts: Whether it counts visits. Then it ends before nodes may have forgotten its keys, as it would perhaps
            count twice after that.
    """

    def __init__(
        self, urls: tuple[str, ...], first: int, timeout_s: float, now_s: float, *, counts: bool = False
    ) -> None:
        self._urls = urls
        self._counts = counts
        self._ends_s = now_s + timeout_s
        self._started_s = now_s
        self._unsure_since_s = inf
        self._failures = 0
        self.at = first % len(urls)

    def begin(self, now_s: float, longest_s: float) -> Attempt:
        """An attempt begins now, by the clock of the constructor; none may take longer than ``longest_s``."""
        self._started_s = now_s
        untried = len(self._urls) - self._failures % len(self._urls)
        share_s = max(ATTEMPT_S_MIN, (self._ends_s - now_s) / untried)
        return Attempt(self._urls[self.at], min(longest_s, share_s), max(0.0, now_s - self._unsure_since_s))

    def failed(self, error: FootfallError, now_s: float, chance: float) -> float:
        """How long to wait before the next attempt, after ``error``. Raises it if it is the last word.

        Args:
            error: What the last attempt ended in.
            now_s: By the clock of the constructor.
            chance: See ``policy.backoff_s``.
        """
        if not isinstance(error, UnavailableError):
            raise error
        if self._counts and policy.decide(error, 1).unsure:
            self._unsure_since_s = min(self._unsure_since_s, self._started_s)
        forgotten_s = self._unsure_since_s + policy.UNSURE_S_MAX
        if now_s > forgotten_s:
            raise error
        self._failures += 1
        limited = isinstance(error, RateLimitedError)  # which is meant for all nodes
        if not limited:
            self.at = (self.at + 1) % len(self._urls)
            if self._failures < len(self._urls):
                return 0.0
        pause_s = policy.backoff_s(max(1, self._failures // len(self._urls)), error.retry_after_s, chance)
        if now_s + pause_s > min(self._ends_s, forgotten_s):
            raise error
        return pause_s
