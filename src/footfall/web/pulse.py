"""Decides whether this process is behind with its work, and must shed load; knows nothing of HTTP.

The event loop beats whenever it comes round. What has come in since is worked off before the next beat, so the time
since the last one is how long the newest request has waited at least. Once that is too long, all that still comes in
this round is refused, which costs a fraction of the work: so a round cannot become much longer than the bound, however
much comes in, and the next beat takes visits again. A round that is late after a time of calm is a hiccup, and may be
longer: visits are worth more than a second of waiting.
"""

import asyncio
import time
from collections.abc import Callable

INTERVAL_S = 0.05  # between beats of a loop that has time
BEHIND_MAX_S = 0.25  # after when a beat was due, if another was as late shortly before
HICCUP_MAX_S = 1.0  # if none was: a cut, a pause of the process, or a neighbour on its cores
CALM_S = 5.0  # without a late beat


class Pulse:
    """The beat of one event loop. One that has never beaten is never behind."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beaten_s = float("inf")
        self._bound_s = INTERVAL_S + HICCUP_MAX_S
        self._calm_s = 0.0  # from then on

    def beat(self) -> None:
        """The loop has come round."""
        now_s = self._clock()
        if now_s - self._beaten_s > INTERVAL_S + BEHIND_MAX_S:
            self._calm_s = now_s + CALM_S
        self._bound_s = INTERVAL_S + (BEHIND_MAX_S if now_s < self._calm_s else HICCUP_MAX_S)
        self._beaten_s = now_s

    def behind(self) -> bool:
        """Whether what comes in now must be refused. Costs 60 ns."""
        return self._clock() - self._beaten_s > self._bound_s

    async def keep(self) -> None:
        """Beat for ever."""
        try:
            while True:
                self.beat()
                await asyncio.sleep(INTERVAL_S)
        finally:
            self._beaten_s = float("inf")
