"""Whether a node counts and answers, and if it does not, why."""

from footfall.errors import LogUnavailableError, NotReadyError
from footfall.log.protocol import Log
from footfall.node.counting import Counting


class Health:
    """Of one node.

    Attributes:
        target: The sequence that must be readable before the node is ready; -1 as long as that is not known.
        ready: Whether it was reached.
        stopping: Whether the node is being stopped.
    """

    def __init__(self, log: Log, counting: Counting) -> None:
        self.target = -1
        self.ready = self.stopping = False
        self._log = log
        self._counting = counting

    @property
    def answering(self) -> bool:
        """Whether reads are answered."""
        return self.ready and self._counting.aggregator.failure is None

    def faults(self) -> list[str]:
        """Why the node does not count, or does not answer; empty if it does."""
        if self.target < 0:
            return ["it is starting"]
        faults = []
        if failure := self._counting.aggregator.failure:
            faults.append(str(failure))
        if not self.ready:
            reached = self._counting.table.sequence()
            if reached >= self.target:
                self.ready = True
            else:
                faults.append(f"it has read the log up to {reached}, and starts at {self.target}")
        if self.stopping:
            faults.append("it is stopping")
        return faults

    def check_answering(self) -> None:
        """Raises NotReadyError until the node has read what the log held when it started, and if it counts no more."""
        faults = self.faults()
        if not self.answering:
            raise NotReadyError("this node does not answer now: " + "; ".join(faults))

    def check_counting(self) -> None:
        """Raises NotReadyError."""
        if faults := self.faults():
            raise NotReadyError(f"this node does not count now: {'; '.join(faults)}")

    def check_log(self) -> None:
        """Raises NotReadyError, LogUnavailableError: what is asked for needs the log."""
        self.check_counting()
        if not self._log.connected:
            raise LogUnavailableError("the log cannot be reached; try again later")
