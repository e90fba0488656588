"""What goes wrong in a history; every fault is drawn from the history's own random numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .node import Node
    from .world import World


def crash(world: World, node: Node) -> None:
    """It loses its memory; what it was publishing may still arrive. It comes back later."""
    node.crash()


def pause(world: World, node: Node) -> None:
    """It stands still, and wakes up with all it believed."""
    world.paused[node.name] = world.now_s + world.random.uniform(0.5, 15)


def isolate(world: World, node: Node) -> None:
    """It hears nobody: soon it owns all partitions, beside their owners."""
    world.isolated[node.name] = world.now_s + world.random.uniform(1, 15)


def step_clock(world: World, node: Node) -> None:
    """Its clock jumps, forwards or backwards: others seem silent, or heard in the future."""
    node.clock_offset_s += world.random.uniform(-20, 20)


def double(world: World, node: Node) -> None:
    """It counts a partition that is not its own."""
    number = world.random.randrange(world.partitions)
    if node.counting and number not in node.foldings:
        node.guarded(node.take_over, number)


def change_links(world: World, node: Node) -> None:
    """The bus loses, repeats or is sound for a while."""
    world.bus.loss = world.random.choice((0, 0, 0.1, 0.5, 1))
    world.bus.repeat = world.random.choice((0, 0.2))


def damage_cut(world: World, node: Node) -> None:
    """A stored blob or manifest is torn, flipped, gone, or another's."""
    keys = sorted(world.store.blobs)
    if not keys:
        return
    key = world.random.choice(keys)
    data = world.store.blobs[key]
    at = world.random.randrange(len(data) or 1)
    kind = world.random.randrange(4) if data else 2
    if kind == 0:
        world.store.blobs[key] = data[:at]
    elif kind == 1:
        world.store.blobs[key] = data[:at] + bytes([data[at] ^ 1 << world.random.randrange(8)]) + data[at + 1 :]
    elif kind == 2:
        del world.store.blobs[key]
    else:
        world.store.blobs[key] = world.store.blobs[world.random.choice(keys)]


def lose_tail(world: World, node: Node) -> None:
    """Acknowledged messages vanish from the log; new ones will take their sequences."""
    if world.rewound or world.log.last <= world.log.first or world.random.random() > 0.1:
        return
    if world.random.random() < 0.1:
        replace_log(world)
        return
    world.rewound = True
    world.log.truncate(world.random.randrange(max(world.log.first, world.log.last - 15), world.log.last))
    world.oracle.rewind(world.log.archive)


def replace_log(world: World) -> None:
    """Someone starts an empty log in the log's place."""
    world.rewound = True
    world.log.replace("2026-01-02")
    world.oracle.rewind([])


FAULTS = (
    (crash, 3),
    (pause, 2),
    (isolate, 2),
    (step_clock, 1),
    (double, 2),
    (change_links, 3),
    (damage_cut, 2),
    (lose_tail, 1),
)
