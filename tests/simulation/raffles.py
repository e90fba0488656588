"""What clients of a simulated cluster want of milestones: set them anywhere near, claim, import, read exactly."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from footfall.core.visit import Visit

from .clients import NAMES

if TYPE_CHECKING:
    from .node import Node
    from .oracle import Oracle
    from .world import World

NEAR = (1, 1, 2, 3, 5, 8, 20, 1000)


def act(world: World, node: Node) -> None:
    """One client, one request."""
    if not node.ready or node.producing.busy_controls > 3:
        return
    name = world.random.choice(NAMES)
    if node.definitions.find(name) is None:
        return
    kind = world.random.random()
    if kind < 0.2:
        burst(world, node, name)
    elif kind < 0.4:
        node.asking.read(name)
    elif kind < 0.7:
        node.judging.add(name, goal(world.random, world.oracle, name, value_of(node, name)))
    elif kind < 0.9:
        if shown := receipt_for(world.random, world.oracle):
            node.judging.claim(*shown)
    else:
        world.imports += 1
        source = f"import {world.random.randint(1, world.imports)}"  # some of them again
        node.judging.take_over(name, world.random.choice((1, 2, 10, 700)), source)


def burst(world: World, node: Node, name: str) -> None:
    """Many alike at once, so that one section holds them; and an N among them."""
    times = world.random.choice((1, 1, 3))
    visitors = [f"visitor {world.random.randrange(40)}" for _ in range(world.random.randint(3, 20))]
    node.visit([Visit(name, visitor, None, times) for visitor in visitors])
    if world.random.random() < 0.5:
        node.judging.add(name, goal(world.random, world.oracle, name, value_of(node, name)))


def value_of(node: Node, name: str) -> int:
    return node.table.value(node.definitions.number(name) or 0)


def goal(random: Random, oracle: Oracle, name: str, value: int) -> int:
    """An N: the first, the next ones, the last of what was sent, one that was set before, one that is past."""
    known = [n for counter, n in oracle.truth.winners.standings if counter == name]
    sent = oracle.bounds(name)[1]
    kind = random.random()
    if kind < 0.1:
        return 1
    if kind < 0.25:
        return max(sent, 1)
    if kind < 0.5 and value < sent:
        return random.randint(value + 1, min(value + 30, sent))
    if kind < 0.6 and known:
        return random.choice(known)
    if kind < 0.7:
        return max(value - random.randrange(4), 1)
    return value + random.choice(NEAR)


def receipt_for(random: Random, oracle: Oracle) -> tuple[str, int, str] | None:
    """A milestone that was reached, and the winner's receipt or somebody else's."""
    reached = [key for key, known in oracle.truth.winners.standings.items() if known.winner is not None]
    if not reached or not oracle.receipts:
        return None
    counter, n = random.choice(reached)
    receipt = oracle.winning_receipt(counter, n) if random.random() < 0.7 else None
    return counter, n, receipt or random.choice(list(oracle.receipts))
