"""A counter's vector: the laws of a G-Counter."""

import pytest
from core_laws import law
from hypothesis import strategies as st

from footfall.core.vector import ENTRY_MAX, Vector
from footfall.errors import PartitionMismatchError

ENTRY = st.integers(0, 3) | st.sampled_from([2**62, 2**63 - 2, 2**63 - 1])


def vectors(count: int) -> st.SearchStrategy[list[Vector]]:
    """So many vectors over the same partitions."""
    return st.integers(0, 7).flatmap(
        lambda size: st.lists(
            st.lists(ENTRY, min_size=size, max_size=size).map(lambda entries: Vector(tuple(entries))),
            min_size=count,
            max_size=count,
        )
    )


def test_seven_replicas_merge_as_in_the_request() -> None:
    b = Vector((3, 4, 1, 0, 0, 23, 1))
    a = Vector((5, 1, 7, 0, 0, 24, 2))
    assert b.merge(a) == a.merge(b) == Vector((5, 4, 7, 0, 0, 24, 2))
    assert b.merge(a).value == 42


@law(vectors(2))
def test_merge_is_commutative(drawn: list[Vector]) -> None:
    one, two = drawn
    assert one.merge(two) == two.merge(one)


@law(vectors(3))
def test_merge_is_associative(drawn: list[Vector]) -> None:
    one, two, three = drawn
    assert one.merge(two).merge(three) == one.merge(two.merge(three))


@law(vectors(2))
def test_merge_is_idempotent(drawn: list[Vector]) -> None:
    one, two = drawn
    assert one.merge(one) == one
    assert one.merge(two).merge(two) == one.merge(two)


@law(vectors(2))
def test_a_merged_vector_is_the_least_that_is_smaller_than_neither(drawn: list[Vector]) -> None:
    one, two = drawn
    joined = one.merge(two)
    assert len(joined.entries) == len(one.entries)
    for mine, theirs, both in zip(one.entries, two.entries, joined.entries, strict=True):
        assert both >= mine
        assert both >= theirs
        assert both in (mine, theirs)
    assert joined.value >= max(one.value, two.value)


@law(vectors(1))
def test_the_value_is_the_sum_up_to_the_largest_that_can_be_told(drawn: list[Vector]) -> None:
    (one,) = drawn
    assert one.value == min(sum(one.entries), 2**63 - 1)


def test_the_largest_value_is_what_fits_into_63_bits() -> None:
    assert ENTRY_MAX == 2**63 - 1
    assert Vector((2**63 - 2, 1)).value == Vector((2**63 - 1, 2**63 - 1)).value == 2**63 - 1


def test_a_vector_is_a_value_and_cannot_be_changed() -> None:
    vector = Vector((1, 2))
    with pytest.raises(AttributeError):
        vector.entries = (3, 4)  # type: ignore[misc]
    assert {vector, Vector((1, 2))} == {vector}


@pytest.mark.parametrize("other", [(), (1,), (1, 2, 3)])
def test_vectors_over_other_partitions_are_refused(other: tuple[int, ...]) -> None:
    with pytest.raises(PartitionMismatchError, match=f"cannot merge {len(other)} entries into 2"):
        Vector((1, 2)).merge(Vector(other))
