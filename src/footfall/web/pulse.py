"""Decides whether this process is behind with its work, and must shed load; knows nothing of HTTP.

The event loop beats whenever it comes round. What has come in since is worked off before the next beat, so the time
since the last one is how long the newest request has waited at least. Once that is too long, all that still comes in
this round is refused, which costs a fraction of the work: so a round cannot become much longer than the bound, however
much comes in, and the next beat takes visits again. There is no other state: nothing has to be unlearned afterwards.
"""

import asyncio
import time
from collections.abc import Callable

INTERVAL_S = 0.05  # between beats of a loop that has time
BEHIND_MAX_S = 0.25  # after when a beat was due; a cut, or folding after a pause, takes less


class Pulse:
    """The beat of one event loop. One that has never beaten is never behind."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beaten_s = float("inf")

    def beat(self) -> None:
        """The loop has come round."""
        self._beaten_s = self._clock()

    def behind(self) -> bool:
        """Whether what comes in now must be refused. Costs 60 ns."""
        return self._clock() - self._beaten_s > INTERVAL_S + BEHIND_MAX_S

    async def keep(self) -> None:
        """Beat for ever."""
        try:
            while True:
                self.beat()
                await asyncio.sleep(INTERVAL_S)
        finally:
            self._beaten_s = float("inf")
