"""A copy of the whole log as its servers tell it, and what it holds: by a dumb model, and by the product's own fold."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from accounts import Account
from footfall.core import control
from footfall.core.definitions import Definitions
from footfall.core.partition import Partition
from footfall.core.position import Position, at
from footfall.errors import FootfallError
from footfall.log.jetstream import JetStreamLog
from footfall.log.opening import connect_existing
from footfall.log.protocol import CONTROL_SUBJECT, Message
from footfall.node.judge_begin import judge_subjects

RETRY_S = 0.2


class LogCopy:
    """All messages from the first on. It is read while the log is written, for the log is trimmed.

    Attributes:
        messages: Without a gap.
        conflicts: Sequences at which servers told different messages.
    """

    def __init__(self, account: Account | None = None) -> None:
        self.messages: list[Message] = []
        self.conflicts: list[int] = []
        self._account = account or Account()
        self._accounted = 0
        self._fold: _Fold | None = None

    @property
    def sequence(self) -> int:
        """Of the last message."""
        return self.messages[-1].sequence if self.messages else 0

    def take(self, message: Message) -> None:
        """Take a message that some server tells."""
        if message.sequence <= self.sequence:
            known = self.messages[message.sequence - 1]
            if (known.subject, known.data) != (message.subject, message.data):
                self.conflicts.append(message.sequence)
            return
        assert message.sequence == self.sequence + 1, f"trimmed before it was read: after {self.sequence}"
        self.messages.append(message)

    async def follow(self, server: Callable[[], str]) -> None:
        """Read the log from one server, wherever that listens, for as long as this is not cancelled."""
        while True:
            with contextlib.suppress(FootfallError, OSError):
                url = server()
                log = await connect_existing([url], name="observer")
                reading = asyncio.create_task(self._read(log))
                try:
                    self._fold = self._fold or _Fold(log.partitions)
                    while not reading.done() and server() == url:
                        await asyncio.wait({reading}, timeout=RETRY_S)
                finally:
                    reading.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await reading
                    await log.close()
            await asyncio.sleep(RETRY_S)

    async def _read(self, log: JetStreamLog) -> None:
        after = at(log.created, self.messages[-1]) if self.messages else Position(log.created)
        async with contextlib.aclosing(log.read(judge_subjects(log.partitions), after)) as deliveries:
            async for delivery in deliveries:
                for message in delivery.messages:
                    self.take(message)

    @property
    def account(self) -> Account:
        """What the messages hold, by a dumb model."""
        for message in self.messages[self._accounted :]:
            self._account.take(message)
        self._accounted = len(self.messages)
        return self._account

    def values(self) -> dict[str, int]:
        """What the product's fold gives."""
        assert self._fold is not None
        return self._fold.values(self.messages)


class _Fold:
    """All partitions, folded in log order."""

    def __init__(self, partitions: int) -> None:
        self._definitions = Definitions()
        self._partitions = [Partition(number, partitions) for number in range(partitions)]
        self._folded = 0
        self.alarms: list[str] = []

    def values(self, messages: Sequence[Message]) -> dict[str, int]:
        for message in messages[self._folded :]:
            self._take(message)
        self._folded = len(messages)
        names = self._definitions.names
        return {name: sum(each.entry(name, self._definitions) for each in self._partitions) for name in names}

    def _take(self, message: Message) -> None:
        if message.subject == CONTROL_SUBJECT:
            said = control.decode(message.data)
            self._definitions.fold(message.sequence, said)
            for partition in self._partitions:
                partition.fold_control(message.sequence, said, self._definitions)
        else:
            number = int(message.subject.rpartition(".")[2])
            alarms = self._partitions[number].fold(message.sequence, message.data, self._definitions)
            assert not alarms, alarms


@contextlib.asynccontextmanager
async def copying(servers: Sequence[Callable[[], str]], account: Account | None = None) -> AsyncIterator[LogCopy]:
    """A copy that follows all servers: one may be paused, cut off or dead."""
    copy = LogCopy(account)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(copy.follow(server)) for server in servers]
        try:
            yield copy
        finally:
            for task in tasks:
                task.cancel()
