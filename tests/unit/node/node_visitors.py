"""Visitors of a cluster who come one by one and keep their receipts, and milestones that they reach."""

from node_cluster import Cluster, until
from node_line import controls

from footfall.core import control
from footfall.core.control import Milestone, Reached, Winner
from footfall.core.milestones import Standing
from footfall.core.routing import ranking
from footfall.core.visit import Visit
from footfall.log.protocol import CONTROL_SUBJECT, Message
from footfall.node.judge_begin import beginning
from footfall.node.node import Node


async def come(node: Node, counter: str, *visitors: str) -> list[str]:
    """Each visits the counter once the one before is in the log; returns their receipts."""
    return [(await node.add([Visit(counter, visitor)])).receipts[0] for visitor in visitors]


def crowd(count: int, first: int = 1) -> list[str]:
    """Names of visitors."""
    return [f"visitor {number}" for number in range(first, first + count)]


def standing(node: Node, counter: str, n: int) -> Standing:
    """The milestone as a node knows it."""
    found = node.counting.definitions.milestones.find(counter, n)
    assert found is not None
    return found


async def known(node: Node, counter: str, n: int, seconds: float = 60.0) -> Standing:
    """Wait until a node knows the winner."""
    await until(lambda: standing(node, counter, n).winner is not None, seconds)
    return standing(node, counter, n)


async def reached(cluster: Cluster, counter: str = "a", n: int = 5) -> list[str]:
    """A milestone is set and reached, and all nodes know it; returns the receipts, the N-th's last."""
    node = next(iter(cluster.nodes.values()))
    await node.milestones.add(counter, n)
    receipts = await come(node, counter, *crowd(n))
    for each in cluster.nodes.values():
        await known(each, counter, n)
    return receipts


def set_by_nobody(cluster: Cluster, counter: str, n: int) -> int:
    """The log holds a milestone whose node died before it told the verdict; returns its sequence."""
    producer = f"dead {cluster.storage.last}"
    return cluster.storage.append(CONTROL_SUBJECT, control.encode(Milestone(producer, 1, counter, n))).sequence


def told(cluster: Cluster) -> list[Reached]:
    """The winners that the log tells, in order."""
    return [one for one in controls(cluster.storage) if isinstance(one, Reached)]


class Archive:
    """All that a log ever held, also what was trimmed; and who its winners are, by counting off one by one."""

    def __init__(self, cluster: Cluster) -> None:
        self._storage = storage = cluster.storage
        self._secret = str(cluster.settings["secret"]).encode()
        self._dropped: list[Message] = []
        trim = storage.trim

        def kept(before_sequence: int) -> None:
            self._dropped += [message for message in storage.messages if message.sequence < before_sequence]
            trim(before_sequence)

        storage.trim = kept  # type: ignore[method-assign]

    def winners(self, counter: str) -> dict[int, Winner]:
        """By N, as one judge finds them who begins with the log."""
        judge = beginning(counter, self._storage.created, self._storage.partitions)
        return {
            crossing.n: crossing.winner(self._secret, message.time_ns)
            for message in (*self._dropped, *self._storage.messages)
            for crossing in judge.fold(message)
        }

    def value(self, counter: str, sequence: int) -> int:
        """What the log counts up to a sequence."""
        judge = beginning(counter, self._storage.created, self._storage.partitions)
        for message in (*self._dropped, *self._storage.messages):
            if message.sequence <= sequence:
                judge.fold(message)
        return judge.value


def judges(cluster: Cluster, counter: str) -> list[str]:
    """The nodes on which a judge of the counter runs."""
    return [name for name, node in cluster.nodes.items() if counter in node.counting.judging.judges]


def ranked(cluster: Cluster, counter: str) -> list[str]:
    """The nodes in the order in which they should judge a counter."""
    return ranking(f"judge {counter}", cluster.nodes)
