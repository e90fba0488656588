"""Judges that fold whole logs, and the logs that come about where judges tell what they find."""

from collections.abc import Iterable

import msgspec
from core_cuts import Store, restored, write_all
from core_logs import Folds, Message, StoredMessage, stored, told
from core_raffle import Counted
from hypothesis import strategies as st

from footfall.core.definitions import Definitions
from footfall.core.judge import Crossing, Judge
from footfall.core.partition import Partition
from footfall.core.position import Position, at

CREATED = "monday"
SECRET = b"the cluster's secret"


class Book(Folds):
    """Folds that keep the log they were given."""

    def __init__(self, partitions: int = 1) -> None:
        super().__init__(partitions)
        self.log: list[Message] = []

    def take(self, message: Message) -> list[str]:
        self.log.append(message)
        return super().take(message)

    def wish(self, counter: str, *ns: int) -> None:
        """Set milestones."""
        for n in ns:
            self.tell("milestone/1", counter, n, "")

    def won(self, counter: str) -> list[Crossing]:
        """What a judge of the whole log finds."""
        return judged_whole(counter, self.log, len(self.partitions))


def beginning(counter: str, partitions: int = 1) -> Judge:
    """A judge who folds the log from its first message on."""
    empty = [Partition(number, partitions) for number in range(partitions)]
    return Judge(counter, Position(CREATED), 0, Definitions(), empty)


def at_cut(counter: str, folds: Folds, last: StoredMessage) -> Judge:
    """A judge who begins at the cut of these folds, written and read back; ``last`` is the barrier there."""
    found = restored(store := Store(), write_all(store, folds), len(folds.partitions))
    return Judge(counter, at(CREATED, last), found.definitions.epoch, found.definitions, found.partitions)


def judged(judge: Judge, messages: Iterable[StoredMessage]) -> list[Crossing]:
    return [crossing for message in messages for crossing in judge.fold(message)]


def judged_whole(counter: str, log: list[Message], partitions: int = 1) -> list[Crossing]:
    return judged(beginning(counter, partitions), stored(log))


def place(crossing: Crossing) -> Counted:
    return Counted(crossing.sequence, crossing.index, crossing.visitor, crossing.key)


def winners(crossings: Iterable[Crossing]) -> dict[int, Counted]:
    """By N, the visit; one never wins twice."""
    found: dict[int, Counted] = {}
    for crossing in crossings:
        assert crossing.n not in found
        found[crossing.n] = place(crossing)
    return found


def played(log: list[Message], names: Iterable[str], partitions: int, data: st.DataObject) -> list[Message]:
    """The log with the verdicts and winners in it that its judges tell, each some time after it was found."""
    judges = {name: beginning(name, partitions) for name in names}
    whole: list[Message] = []
    news: list[tuple[str, list[object]]] = []

    def store(message: Message) -> None:
        whole.append(message)
        (last,) = stored([message], len(whole))
        for name, judge in judges.items():
            for one in judge.fold(last):
                winner = [one.visitor, b"", one.sequence, one.index, 0]
                news.append(("reached/1", [name, one.n, winner, [[CREATED, 0, b""], 0, 0, 1, b""]]))
            if last.sequence in judge.sums:
                n = msgspec.msgpack.decode(message.data)[4]
                news.append(("verdict/1", [name, n, last.sequence, judge.sums[last.sequence]]))

    told_so_far = 0
    for message in log:
        store(message)
        while news and data.draw(st.integers(0, 2)) == 0:
            told_so_far += 1
            tag, rest = news.pop(data.draw(st.integers(0, len(news) - 1)))
            store(told(tag, "judge", told_so_far, *rest))
    return whole
