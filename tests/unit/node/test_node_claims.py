"""Claims: only who can show the winner's receipt has won, and only once."""

import asyncio

import pytest
from node_cluster import TOPOLOGIES, VISITORS, Cluster, until, visits
from node_line import controls, soon
from node_visitors import come, crowd, known, reached

from footfall.config import Topology
from footfall.core.control import Claimed
from footfall.core.names import Unit
from footfall.core.visit import Visit
from footfall.errors import (
    AlreadyClaimedError,
    InvalidNameError,
    InvalidVisitError,
    LogUnavailableError,
    NotReachedError,
    TooManyClaimsError,
    UnknownMilestoneError,
    WrongReceiptError,
)
from footfall.node.milestones import CLAIMS_BURST, CLAIMS_PER_S
from footfall.node.node import Node

BOTH = pytest.mark.parametrize("topology", TOPOLOGIES)
N = 5


def claims(cluster: Cluster) -> list[Claimed]:
    """Those that the log holds."""
    return [one for one in controls(cluster.storage) if isinstance(one, Claimed)]


@BOTH
async def test_the_winners_receipt_claims_once_at_whichever_node(cluster: Cluster, topology: Topology) -> None:
    for name in ("n1", "n4"):
        await cluster.start(name, topology=topology)
    n1, n4 = cluster.nodes.values()
    *others, winning = await reached(cluster, "a", N)
    for receipt in (*others, winning[::-1], winning.upper(), winning[:-1], f"{winning}0", "x"):
        for each in (n1, n4):
            with pytest.raises(WrongReceiptError, match="not the receipt of the 5th of a"):
                await each.milestones.claim("a", N, receipt, None)
    assert not claims(cluster)
    assert n1.milestones.find("a", N).claim is None
    standing, made = await n4.milestones.claim("a", N, winning, None)
    assert made
    assert standing.claim is not None
    for each in (n1, n4):
        await until(lambda each=each: each.milestones.find("a", N).claim)
        with pytest.raises(AlreadyClaimedError, match="was claimed before"):
            await each.milestones.claim("a", N, winning, None)
        with pytest.raises(WrongReceiptError):
            await each.milestones.claim("a", N, others[0], None)
    assert len(claims(cluster)) == 1
    assert winning.encode() not in b"".join(message.data for message in cluster.storage.messages)


async def test_before_a_winner_is_known_nobody_can_claim(cluster: Cluster, node: Node) -> None:
    await node.milestones.add("a", N)
    receipts = await come(node, "a", *crowd(N - 1))
    for receipt in receipts:
        with pytest.raises(NotReachedError, match="the 5th of a has not come yet"):
            await node.milestones.claim("a", N, receipt, None)
    for counter, n in (("a", N + 1), ("b", N)):
        with pytest.raises(UnknownMilestoneError):
            await node.milestones.claim(counter, n, receipts[0], None)
    with pytest.raises(InvalidNameError):
        await node.milestones.claim("a..b", N, receipts[0], None)
    assert not claims(cluster)
    assert node.milestones.claims == node.milestones.claims_refused == N - 1 + 3


async def test_claims_before_there_is_a_winner_are_slowed_down_as_each_writes_to_the_log(
    cluster: Cluster, node: Node
) -> None:
    await node.milestones.add("a", N)
    before, told = cluster.storage.last, []
    for number in range(100):
        with pytest.raises((NotReachedError, UnknownMilestoneError, TooManyClaimsError)) as found:
            await node.milestones.claim("a", N + number % 2, "x" * 32, None)
        told.append(type(found.value))
    assert cluster.storage.last - before <= told.index(TooManyClaimsError) + 1
    assert CLAIMS_BURST <= told.index(TooManyClaimsError) < 2 * CLAIMS_BURST
    receipt = (await come(node, "a", *crowd(N)))[-1]
    await until(lambda: node.milestones.find("a", N).winner)
    assert (await node.milestones.claim("a", N, receipt, None)).made


async def test_a_node_that_is_behind_reads_on_before_it_says_that_there_is_no_milestone_or_no_winner(
    cluster: Cluster, node: Node
) -> None:
    await cluster.start("n8")  # counts everything, so that nobody waits for the one that is behind
    await until(lambda: cluster.owned()["n8"] == [0, 1, 2, 3] and cluster.settled())
    await node.define("a", Unit.VISITORS)
    await soon()
    n4 = cluster.nodes["n4"]
    cluster.lines["n4"].hold_definitions()
    await node.milestones.add("a", N)
    with pytest.raises(UnknownMilestoneError):
        n4.milestones.find("a", N)
    early = asyncio.create_task(n4.milestones.claim("a", N, "x", None))
    await soon()
    assert not early.done()
    cluster.lines["n4"].release()
    with pytest.raises(NotReachedError):
        await early
    cluster.lines["n4"].hold_definitions()
    winning = (await come(node, "a", *crowd(N)))[-1]
    await until(lambda: node.milestones.find("a", N).winner)
    assert n4.milestones.find("a", N).winner is None
    late = asyncio.create_task(n4.milestones.claim("a", N, winning, None))
    await soon()
    cluster.lines["n4"].release()
    assert (await late).made


async def test_a_claim_may_be_made_again_under_its_own_key_and_under_no_other(cluster: Cluster, node: Node) -> None:
    receipt = (await reached(cluster, "a", N))[-1]
    n4 = cluster.nodes["n4"]
    standing, made = await node.milestones.claim("a", N, receipt, "my claim")
    assert made
    await soon()
    for each in (node, n4, node):
        assert await each.milestones.claim("a", N, receipt, "my claim") == (standing, False)
        for key in ("another's", None, "my claim "):
            with pytest.raises(AlreadyClaimedError):
                await each.milestones.claim("a", N, receipt, key)
    assert len(claims(cluster)) == 1
    assert b"my claim" not in b"".join(message.data for message in cluster.storage.messages)


async def test_of_claims_that_come_at_once_one_is_granted(cluster: Cluster, node: Node) -> None:
    receipt = (await reached(cluster, "a", N))[-1]
    n4 = cluster.nodes["n4"]
    asked = [each.milestones.claim("a", N, receipt, None) for each in (node, n4, node, n4)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(outcome, AlreadyClaimedError) for outcome in outcomes) == 3
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1


async def test_retries_of_one_claim_that_come_at_once_are_all_granted(cluster: Cluster, node: Node) -> None:
    receipt = (await reached(cluster, "a", N))[-1]
    n4 = cluster.nodes["n4"]
    asked = [each.milestones.claim("a", N, receipt, "my claim") for each in (node, n4, node, n4)]
    assert len({outcome.standing for outcome in await asyncio.gather(*asked)}) == 1


async def test_a_claim_whose_acknowledgement_is_lost_is_told_the_same_when_it_comes_again(
    cluster: Cluster, node: Node
) -> None:
    receipt = (await reached(cluster, "a", N))[-1]
    cluster.lines["n1"].unanswered = 1_000
    with pytest.raises(LogUnavailableError):
        await node.milestones.claim("a", N, receipt, "my claim")
    cluster.lines["n1"].unanswered = 0
    standing, _ = await node.milestones.claim("a", N, receipt, "my claim")
    assert standing.claim == claims(cluster)[0].claim
    with pytest.raises(AlreadyClaimedError):
        await cluster.nodes["n4"].milestones.claim("a", N, receipt, "another's")


async def test_wrong_receipts_are_slowed_down_and_the_winners_never_is(cluster: Cluster, node: Node) -> None:
    receipt = (await reached(cluster, "a", N))[-1]

    async def wrong() -> int:
        """How many wrong receipts are looked at, one after the other."""
        looked = 0
        for _ in range(1_000):
            try:
                await node.milestones.claim("a", N, "0" * 32, None)
            except WrongReceiptError:
                looked += 1
            except TooManyClaimsError:
                return looked
        return looked

    assert await wrong() == CLAIMS_BURST
    assert await wrong() == 0
    await asyncio.sleep(1.05)
    assert await wrong() == CLAIMS_PER_S
    await asyncio.sleep(100)
    assert await wrong() == CLAIMS_BURST
    assert (await node.milestones.claim("a", N, receipt, "my claim")).made
    assert not (await node.milestones.claim("a", N, receipt, "my claim")).made
    with pytest.raises(AlreadyClaimedError):
        await node.milestones.claim("a", N, receipt, None)
    wrongs = int(2 * CLAIMS_BURST + CLAIMS_PER_S) + 4
    assert (node.milestones.claims, node.milestones.claims_refused) == (wrongs + 3, wrongs + 1)


@pytest.mark.parametrize("receipt", ["", "x" * 514, "ab\ncd", "ü" * 300])
async def test_what_can_be_no_receipt_is_refused(cluster: Cluster, node: Node, receipt: str) -> None:
    await reached(cluster, "a", N)
    with pytest.raises(InvalidVisitError, match="receipt"):
        await node.milestones.claim("a", N, receipt, None)
    assert not claims(cluster)


@BOTH
async def test_a_visit_that_counts_in_both_units_has_a_receipt_for_either(cluster: Cluster, topology: Topology) -> None:
    node = await cluster.start("n1", topology=topology)
    await node.define("site.people", VISITORS)
    for counter in ("site", "site.people"):
        await node.milestones.add(counter, 3)
    receipts = await come(node, "site.people", *crowd(4))
    assert all(len(receipt.split(".")) == 2 for receipt in receipts)
    for counter in ("site", "site.people"):
        standing = await known(node, counter, 3)
        assert standing.winner is not None
        assert standing.winner.visitor == "visitor 3"
        for receipt in (receipts[1], receipts[3], f"{receipts[3]}.{receipts[2]}"):
            with pytest.raises(WrongReceiptError):
                await node.milestones.claim(counter, 3, receipt, None)
        assert (await node.milestones.claim(counter, 3, receipts[2], None)).made


@BOTH
async def test_a_long_idempotency_key_is_its_visits_receipt_and_a_short_one_is_not(
    cluster: Cluster, topology: Topology
) -> None:
    node = await cluster.start("n1", topology=topology)
    for n in (2, 4):
        await node.milestones.add("a", n)
    long, short = "a key of 22 characters", "a key of 21 character"
    await node.add(visits("a"))
    added = await node.add([Visit("a", key=long)])
    assert added.receipts == [long]
    await node.add([Visit("a", key=long)])  # counts no more
    await node.add(visits("a"))
    added = await node.add([Visit("a", key=short)])
    for n in (2, 4):
        await known(node, "a", n)
    with pytest.raises(WrongReceiptError):
        await node.milestones.claim("a", 4, short, None)
    assert (await node.milestones.claim("a", 2, long, None)).made
    assert (await node.milestones.claim("a", 4, added.receipts[0], None)).made


async def test_a_claim_outlives_every_node_and_the_log_before_it(cluster: Cluster) -> None:
    cluster.settings["cut_interval_s"] = 2.0
    node = await cluster.start("n1")
    receipt = (await reached(cluster, "a", N))[-1]
    standing, _ = await node.milestones.claim("a", N, receipt, "my claim")
    last = cluster.storage.last
    await until(lambda: cluster.storage.first > last)
    await cluster.kill("n1")
    node = await cluster.start("n1")
    assert await node.milestones.claim("a", N, receipt, "my claim") == (standing, False)
    with pytest.raises(AlreadyClaimedError):
        await node.milestones.claim("a", N, receipt, None)
