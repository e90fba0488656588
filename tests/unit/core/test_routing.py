"""Which partition a text belongs to, and which node owns a partition."""

from collections import Counter

import pytest
from core_laws import law
from hypothesis import strategies as st

from footfall.core import routing
from footfall.core.routing import Peer, alive, partition_of, ranking, released, wanted, weight

LAG_MAX_S = 5.0
NODES = st.sets(st.integers(0, 30).map("n{}".format), min_size=1, max_size=6)
OWNED = st.dictionaries(st.integers(0, 7), st.just(1))
LAGS = st.dictionaries(st.integers(0, 7), st.sampled_from([0.0, LAG_MAX_S, LAG_MAX_S + 0.1, 60.0]))


def owners(peers: list[Peer], partitions: int) -> dict[int, list[str]]:
    """Who wants each partition, if all have the same view."""
    found: dict[int, list[str]] = {partition: [] for partition in range(partitions)}
    for me in peers:
        for partition in wanted(me, [peer for peer in peers if peer is not me], partitions, LAG_MAX_S):
            found[partition].append(me.id)
    return found


def peers_of(nodes: set[str]) -> list[Peer]:
    return [Peer(node, 0.0) for node in sorted(nodes)]


# --- partitions ---


@pytest.mark.parametrize(
    ("text", "partitions", "partition"),
    [("", 16, 0x2D06800538D394C2 % 16), ("", 10**6, 0x2D06800538D394C2 % 10**6), ("ü", 997, 0x5DA81D070CE09F6E % 997)],
)
def test_a_text_belongs_to_xxh3_of_its_utf8_modulo_the_partitions(text: str, partitions: int, partition: int) -> None:
    assert partition_of(text, partitions) == partition


def test_addresses_spread_evenly_over_the_partitions() -> None:
    found = Counter(partition_of(f"203.0.{high}.{low}", 16) for high in range(40) for low in range(200))
    assert set(found) == set(range(16))
    assert all(400 < count < 600 for count in found.values())


# --- owners ---


@law(NODES, st.integers(1, 8))
def test_every_partition_is_wanted_by_exactly_one_of_the_nodes_that_hear_each_other_and_keep_up(
    nodes: set[str], partitions: int
) -> None:
    for partition, wanting in owners(peers_of(nodes), partitions).items():
        assert wanting == [max(nodes, key=lambda node: weight(node, partition))]


@law(NODES, st.integers(1, 8), st.data())
def test_the_first_in_rank_always_wants_its_partition_and_gets_one_substitute_where_it_lags_and_another_does_not(
    nodes: set[str], partitions: int, data: st.DataObject
) -> None:
    peers = [Peer(node, 0.0, data.draw(OWNED), data.draw(LAGS)) for node in sorted(nodes)]
    for partition, wanting in owners(peers, partitions).items():
        first = max(nodes, key=lambda node: weight(node, partition))
        late = {peer.id for peer in peers if peer.lag_s.get(partition, 0.0) > LAG_MAX_S}
        owning = {peer.id for peer in peers if partition in peer.folded}
        substitutes = set(wanting) - {first}
        assert first in wanting
        assert len(substitutes) == len(wanting) - 1 == (first in late and late != nodes)
        for substitute in substitutes:
            better = {node for node in nodes - late if weight(node, partition) > weight(substitute, partition)}
            assert substitute not in late
            assert not better & owning
            assert substitute in owning or not (better or (nodes - late) & owning)


@law(NODES, st.integers(1, 8))
def test_the_order_in_which_others_are_heard_does_not_matter(nodes: set[str], partitions: int) -> None:
    me, *others = peers_of(nodes)
    assert wanted(me, others, partitions, LAG_MAX_S) == wanted(me, others[::-1], partitions, LAG_MAX_S)
    assert wanted(me, [*others, me], partitions, LAG_MAX_S) == wanted(me, others, partitions, LAG_MAX_S)


@law(NODES, st.integers(0, 30).map("n{}".format))
def test_a_node_that_comes_or_goes_moves_only_its_own_partitions(nodes: set[str], other: str) -> None:
    without, with_it = owners(peers_of(nodes - {other} or {"x"}), 16), owners(peers_of(nodes - {other} | {other}), 16)
    if nodes - {other}:
        for partition in range(16):
            assert with_it[partition] in (without[partition], [other])


def test_a_node_alone_wants_everything() -> None:
    assert wanted(Peer("n", 0.0), [], 5, LAG_MAX_S) == {0, 1, 2, 3, 4}


@law(NODES, st.integers(0, 15))
def test_a_ranking_holds_every_node_by_falling_weight(nodes: set[str], partition: int) -> None:
    ranked = ranking(partition, nodes)
    assert sorted(ranked) == sorted(nodes)
    weights = [weight(node, partition) for node in ranked]
    assert weights == sorted(weights, reverse=True)


def test_nodes_of_one_weight_rank_the_same_in_whatever_order_they_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "weight", lambda node, task: 7)
    assert ranking(0, ["a", "c", "b"]) == ranking(0, ["b", "a", "c"]) == ["c", "b", "a"]


def test_partitions_are_spread_over_the_nodes() -> None:
    nodes = [f"node-{at}" for at in range(5)]
    found = Counter(ranking(partition, nodes)[0] for partition in range(2000))
    assert set(found) == set(nodes)
    assert all(320 < count < 480 for count in found.values())


def test_the_owner_depends_on_nothing_but_names_and_so_stays_what_it_is() -> None:
    assert [ranking(partition, ["a", "b", "c"])[0] for partition in range(16)] == list("baabbbcbbaacacab")


def test_a_substitute_is_the_next_in_rank_and_an_owner_before_one_that_would_have_to_begin() -> None:
    first, second, third = ranking(3, ["a", "b", "c"])
    late, just_not = {3: LAG_MAX_S + 0.001}, {3: LAG_MAX_S, 4: 99.0}
    assert wanting(Peer(first, 0.0, lag_s=just_not), Peer(second, 0.0), Peer(third, 0.0, {3: 7})) == {first}
    assert wanting(Peer(first, 0.0, lag_s=late), Peer(second, 0.0, lag_s=just_not), Peer(third, 0.0)) == {first, second}
    assert wanting(Peer(first, 0.0, lag_s=late), Peer(second, 0.0), Peer(third, 0.0, {3: 0})) == {first, third}
    assert wanting(Peer(first, 0.0, lag_s=late), Peer(second, 0.0, {3: 0}), Peer(third, 0.0, {3: 9})) == {first, second}
    assert wanting(Peer(first, 0.0, lag_s=late), Peer(second, 0.0, lag_s=late), Peer(third, 0.0)) == {first, third}
    assert wanting(*(Peer(node, 0.0, lag_s=late) for node in (first, second, third))) == {first}


def wanting(*peers: Peer) -> set[str]:
    """Who wants partition 3."""
    return set(owners(list(peers), 4)[3])


def test_a_peer_is_a_value_and_cannot_be_changed() -> None:
    peer = Peer("n", 1.0)
    with pytest.raises(AttributeError):
        peer.heard_s = 2.0  # type: ignore[misc]


# --- who is there ---


@law(st.lists(st.integers(0, 10), max_size=5))
def test_those_heard_from_within_the_silence_allowed_are_alive(heard: list[int]) -> None:
    peers = [Peer(f"n{at}", float(heard_s)) for at, heard_s in enumerate(heard)]
    assert alive(peers, 10.0, 2.0) == [peer for peer in peers if peer.heard_s >= 8]


# --- letting go ---

FOLDED = st.dictionaries(st.integers(0, 3), st.integers(0, 5))


@law(FOLDED, st.sets(st.integers(0, 3)), st.lists(FOLDED, max_size=3))
def test_a_partition_is_let_go_when_it_is_not_wanted_and_another_node_has_folded_as_far(
    owned: dict[int, int], wanted_now: set[int], others: list[dict[int, int]]
) -> None:
    peers = [Peer(f"n{at}", 0.0, folded) for at, folded in enumerate(others)]
    expected = {
        partition
        for partition in owned
        if partition not in wanted_now
        and any(partition in folded and folded[partition] >= owned[partition] for folded in others)
    }
    assert released(owned, wanted_now, peers) == expected


def test_a_partition_that_nobody_else_folds_is_kept_even_at_sequence_zero() -> None:
    assert released({1: 0}, set(), [Peer("n", 0.0, {2: 9})]) == set()
    assert released({1: 0}, set(), [Peer("n", 0.0, {1: 0})]) == {1}


def test_a_partition_is_kept_while_the_other_that_folds_it_has_only_begun() -> None:
    assert released({1: 1}, set(), [Peer("n", 0.0, {1: 0})]) == set()
    assert released({1: 1}, set(), [Peer("n", 0.0, {1: 0}), Peer("m", 0.0, {1: 1})]) == {1}
