"""What clients of real nodes want of milestones, and what they must be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from footfall.errors import AlreadyClaimedError, MilestonePassedError, WrongReceiptError
from footfall.node.node import Node

from .raffles import goal, receipt_for

if TYPE_CHECKING:
    from .real_world import RealWorld
    from .site import Site

CLAIMS_MAX = 15  # at once; a node looks at 20


async def act(world: RealWorld, site: Site, node: Node) -> None:
    """One client, one request."""
    kind = world.random.random()
    name = world.random.choice(list(world.oracle.truth.units) or ["a"])
    if kind < 0.5:
        await read(world, site, node, name)
    elif kind < 0.8:
        await add(world, node, name)
    elif kind < 0.95:
        if shown := receipt_for(world.random, world.oracle):
            world.claims += 1
            await claim(world, node, *shown, world.random.choice((None, f"claim {world.claims // 2}")))
    else:
        world.imports += 1
        source = f"import {world.random.randint(1, world.imports)}"  # some of them again
        await take_over(world, node, name, source)


async def read(world: RealWorld, site: Site, node: Node, name: str) -> None:
    """An exact read: nothing that this node shows later is less."""
    run = site.run
    begun = world.oracle.exact.begin(name)
    reading = await node.read_exact(name)
    world.oracle.exact.end(begun, reading.value, reading.sequence)
    if site.run == run:
        site.shown[name] = max(site.shown.get(name, 0), reading.value)


async def add(world: RealWorld, node: Node, name: str) -> None:
    """Set a milestone: it stands where the log has it, or was passed."""
    n = goal(world.random, world.oracle, name, sum(world.oracle.truth.vectors[name]))
    try:
        standing = (await node.milestones.add(name, n)).standing
    except MilestonePassedError:
        assert len(world.oracle.truth.order[name]) >= n, f"{n} of {name} is said to be passed"
    else:
        known = world.oracle.truth.winners.standings.get((name, n))
        assert known is not None, f"{n} of {name} is said to stand"
        assert (known.since, known.value) == (standing.since, max(standing.value, known.value))


async def claim(world: RealWorld, node: Node, counter: str, n: int, receipt: str, key: str | None) -> None:
    """Show a receipt."""
    try:
        await node.milestones.claim(counter, n, receipt, key)
    except WrongReceiptError:
        assert receipt != world.oracle.winning_receipt(counter, n), f"the winner of {n} of {counter} cannot claim"
    else:
        world.oracle.claimed(counter, n, receipt, key or f"{world.claims} without a key")


async def take_over(world: RealWorld, node: Node, name: str, source: str) -> None:
    """Import a prior count, of which there is one for each source."""
    value = world.random.choice((1, 2, 10, 700))
    world.oracle.imported(name, value, source, done=False)
    imported, _ = await node.milestones.take_over(name, value, source, "")
    assert world.oracle.truth.imports[source] == imported.sequence
    world.oracle.imported(name, value, source, done=True)


async def claim_all(world: RealWorld) -> None:
    """At the end every winner who has a receipt can claim, unless he has."""
    winners = world.oracle.truth.winners.standings
    node = world.sites[-1].node
    assert node is not None
    held = [(key, receipt) for key in winners if (receipt := world.oracle.winning_receipt(*key))]
    for key, receipt in held[:CLAIMS_MAX]:
        try:
            await claim(world, node, *key, receipt, "the winner's")
        except AlreadyClaimedError:  # also by one whose answer was lost, and that has reached the log only now
            assert world.oracle.truth.winners.standings[key].claim is not None, f"nobody has claimed {key}"
