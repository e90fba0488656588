"""How often a request is made until it is answered: at other nodes first, then after pauses, as time allows. Pure."""

from math import inf

from footfall.client import policy
from footfall.errors import FootfallError, RateLimitedError, UnavailableError


class Patience:
    """One request's attempts.

    Args:
        urls: The nodes.
        first: The one to begin with.
        timeout_s: For how long to try; the first attempt at each node is always made.
        now_s: When it begins.
        counts: Whether it counts visits. Then it ends before nodes may have forgotten its keys, as it would perhaps
            count twice after that.
    """

    def __init__(
        self, urls: tuple[str, ...], first: int, timeout_s: float, now_s: float, *, counts: bool = False
    ) -> None:
        self._urls = urls
        self._forgotten_s = now_s + policy.UNSURE_S_MAX if counts else inf
        self._ends_s = now_s + timeout_s
        self._failures = 0
        self.at = first % len(urls)

    @property
    def url(self) -> str:
        """The node to ask now."""
        return self._urls[self.at]

    def failed(self, error: FootfallError, now_s: float, chance: float) -> float:
        """How long to wait before ``url`` is asked, after ``error``. Raises it if it is the last word.

        Args:
            error: What the last attempt ended in.
            now_s: By the clock of the constructor.
            chance: See ``policy.pause_s``.
        """
        if not isinstance(error, UnavailableError):
            raise error
        if now_s > self._forgotten_s:
            raise error
        self._failures += 1
        limited = isinstance(error, RateLimitedError)  # which is meant for all nodes
        if not limited:
            self.at = (self.at + 1) % len(self._urls)
            if self._failures < len(self._urls):
                return 0.0
        pause_s = policy.pause_s(max(1, self._failures // len(self._urls)), error.retry_after_s, chance)
        if now_s + pause_s > min(self._ends_s, self._forgotten_s):
            raise error
        return pause_s
