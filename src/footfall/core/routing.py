"""Which partition a visit goes to, and which node owns a partition. The same answer on every node, without asking."""

from collections.abc import Iterable, Mapping

import msgspec
import xxhash


def partition_of(text: str, partitions: int) -> int:
    """XXH3-64 of the UTF-8 text modulo P: where a visitor, an idempotency key or a source belongs."""
    return xxhash.xxh3_64_intdigest(text.encode()) % partitions


def weight(node: str, task: int | str) -> int:
    """How strongly a node is drawn to a partition, or to another task that one node should do.

    References:
        Thaler, Ravishankar (1998), "Using name-based mappings to increase hit rates": the highest weight wins,
        so that a node that comes or goes moves only its own partitions.
    """
    return xxhash.xxh3_64_intdigest(f"{node}\0{task}".encode())


def ranking(task: int | str, nodes: Iterable[str]) -> list[str]:
    """The nodes in the order in which they should own a partition, or do another task."""
    return sorted(nodes, key=lambda node: (weight(node, task), node), reverse=True)


class Peer(msgspec.Struct, frozen=True):
    """What a node last said of itself.

    Attributes:
        id: The node's id.
        heard_s: When it was heard, on the hearer's monotonic clock.
        folded: For the partitions it owns, the sequence of the last message folded.
        lag_s: For the partitions that it is behind in: for how long already.
    """

    id: str
    heard_s: float
    folded: Mapping[int, int] = {}
    lag_s: Mapping[int, float] = {}


def alive(peers: Iterable[Peer], now_s: float, silence_max_s: float) -> list[Peer]:
    """The peers heard from lately."""
    return [peer for peer in peers if now_s - peer.heard_s <= silence_max_s]


def wanted(me: Peer, others: Iterable[Peer], partitions: int, lag_max_s: float) -> set[int]:
    """The partitions that this node should fold.

    Those that it ranks first for; and as a substitute those whose first in rank has been behind for too long. The first
    goes on catching up beside its substitute: giving up and beginning again, it might never get there.

    Args:
        me: This node.
        others: The others that are alive.
        partitions: P.
        lag_max_s: A node that has been behind in a partition for longer gets a substitute, or is none.
    """
    nodes = {peer.id: peer for peer in (*others, me)}
    mine = set()
    for partition in range(partitions):
        first, *rest = ranking(partition, nodes)
        if first != me.id and nodes[first].lag_s.get(partition, 0.0) > lag_max_s:
            fit = [node for node in rest if nodes[node].lag_s.get(partition, 0.0) <= lag_max_s]
            owners = [node for node in fit if partition in nodes[node].folded]
            first = (owners or fit or [first])[0]
        if first == me.id:
            mine.add(partition)
    return mine


def released(folded: Mapping[int, int], wanted_now: set[int], others: Iterable[Peer]) -> set[int]:
    """The partitions to let go: not wanted any more, and another node owns them and has folded as far.

    Until then two nodes fold the same, which costs work and changes no count.
    """
    reached: dict[int, int] = {}
    for peer in others:
        for partition, sequence in peer.folded.items():
            reached[partition] = max(reached.get(partition, -1), sequence)
    return {
        partition
        for partition, sequence in folded.items()
        if partition not in wanted_now and reached.get(partition, -1) >= sequence
    }
