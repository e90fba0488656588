"""Sets of hashes, against Python's own."""

from collections.abc import Iterator

import numpy as np
import pytest
from core_laws import law
from core_logs import hashes
from core_patches import patched
from hypothesis import strategies as st

from footfall.core import visitors as module
from footfall.core.visitors import HashSet, hashes_of, merged

HASH = st.integers(0, 12) | st.integers(2**64 - 4, 2**64 - 1) | st.integers(0, 2**64 - 1)
BATCHES = st.lists(st.lists(HASH, max_size=12), max_size=25)
MILLION = 1_000_003


@pytest.fixture(scope="module")
def small_runs() -> Iterator[None]:
    with patched(module, _SMALL_MAX=3, _MID_MIN=8):
        yield


def held(found: HashSet) -> list[int]:
    return merged(found.runs()).tolist()


@pytest.mark.usefixtures("small_runs")
@law(BATCHES)
def test_a_set_holds_what_pythons_own_holds_and_counts_what_is_new(batches: list[list[int]]) -> None:
    found, expected = HashSet(), set()
    for batch in batches:
        new = set(batch) - expected
        assert found.add(hashes(*batch)) == len(new)
        expected |= new
        assert len(found) == len(expected)
        assert held(found) == sorted(expected)
        for run in found.runs():
            assert run.tolist() == sorted(run.tolist())


@pytest.mark.usefixtures("small_runs")
@law(BATCHES, st.sets(st.integers(0, 24)))
def test_what_is_taken_is_what_was_added_since_the_last_taking(batches: list[list[int]], taking: set[int]) -> None:
    found, before, taken = HashSet(), set(), []
    for at, batch in enumerate(batches):
        found.add(hashes(*batch))
        if at in taking:
            added = found.take_added().tolist()
            assert added == sorted(set(held(found)) - before)
            before = set(held(found))
            taken += added
    taken += found.take_added().tolist()
    assert found.take_added().tolist() == []
    assert found.added == []
    assert sorted(taken) == held(found)


@pytest.mark.usefixtures("small_runs")
@law(BATCHES, BATCHES)
def test_a_set_goes_on_from_its_hashes(before: list[list[int]], after: list[list[int]]) -> None:
    found = HashSet()
    for batch in before:
        found.add(hashes(*batch))
    other = HashSet(merged(found.runs()))
    assert len(other) == len(found)
    assert other.take_added().tolist() == []
    for batch in after:
        assert other.add(hashes(*batch)) == found.add(hashes(*batch))
        assert held(other) == held(found)


@pytest.mark.usefixtures("small_runs")
@law(BATCHES)
def test_who_holds_the_runs_keeps_what_he_saw(batches: list[list[int]]) -> None:
    found, kept = HashSet(), []
    for batch in batches:
        found.add(hashes(*batch))
        runs = found.runs()
        kept.append((runs, [run.tolist() for run in runs]))
    for runs, seen in kept:
        assert [run.tolist() for run in runs] == seen


@pytest.mark.parametrize("step", [1_000, 7_919, 60_000])
def test_a_large_set_keeps_few_runs_and_each_hash_once(step: int) -> None:
    numbers = np.arange(120_000, dtype=np.uint64) * np.uint64(MILLION) % np.uint64(99_991)
    found = HashSet()
    new = sum(found.add(numbers[at : at + step]) for at in range(0, len(numbers), step))
    assert new == len(found) == 99_991
    assert held(found) == list(range(99_991))
    main, mid, small = map(len, found.runs())
    assert small <= module._SMALL_MAX
    assert mid <= max(module._MID_MIN, main // 8)
    assert main > 0
    assert found.take_added().tolist() == held(found)


def test_new_hashes_are_merged_into_the_next_larger_run_when_it_is_worth_it() -> None:
    with patched(module, _SMALL_MAX=2, _MID_MIN=4):
        found = HashSet()
        sizes = []
        for at in range(60):
            found.add(hashes(at))
            sizes.append(tuple(map(len, found.runs())))
    assert sizes[:7] == [(0, 0, 1), (0, 0, 2), (0, 3, 0), (0, 3, 1), (0, 3, 2), (6, 0, 0), (6, 0, 1)]
    assert max(small for _, _, small in sizes) == 2
    assert all(mid <= max(4, main // 8) for main, mid, _ in sizes)
    assert sorted({main for main, _, _ in sizes}) == [*range(0, 49, 6), 57]  # past an eighth of 48, not of 42


def test_hashes_are_xxh3_of_utf8() -> None:
    assert hashes_of(["", "ü"]).tolist() == [0x2D06800538D394C2, 0x5DA81D070CE09F6E]
    assert hashes_of([]).tolist() == []
    assert hashes_of(["x"]).dtype == np.uint64


@law(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=4)), examples=30)
def test_equal_texts_have_equal_hashes_and_others_do_not(texts: list[str]) -> None:
    found = hashes_of(texts).tolist()
    assert len(set(zip(texts, found, strict=True))) == len(set(texts)) == len(set(found))


def test_nothing_merged_is_nothing() -> None:
    assert merged([]).tolist() == []
    assert merged([hashes(), hashes(3), hashes(1, 2)]).tolist() == [1, 2, 3]
