"""The catalogue of names is what a sorted list would be, however names come, and is kept up in small steps."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.core.definitions import Definitions
from footfall.core.names import lineage
from footfall.errors import OverloadedError
from footfall.node import catalogue
from footfall.node.catalogue import SEARCHES_MAX, Catalogue

PARTS = st.sampled_from(["a", "b", "B", "a-b", "a_", "0", "a0", "ab"])
NAMES = st.lists(st.lists(PARTS, min_size=1, max_size=4).map(".".join), max_size=60)


def defined(names: list[str]) -> Definitions:
    """What the log would hold: with each name all above it, in the order in which they first came."""
    definitions = Definitions()
    definitions.restore((one, 0, 1) for name in names for one in lineage(name))
    return definitions


@pytest.fixture(autouse=True, scope="module")
def small_chunks() -> object:
    """So that few names already make many chunks, and many steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "CHUNK_NAMES_MAX", 4)
        patch.setattr(catalogue, "STEP_NAMES", 3)
        yield


def full(definitions: Definitions, tops_max: int = 0) -> Catalogue:
    found = Catalogue(definitions, tops_max)
    while found.step():
        pass
    return found


@given(NAMES, st.text("ab.-~0", max_size=4), st.text("ab.-~0", max_size=4), st.integers(1, 20))
def test_between_two_names_are_those_that_sorting_would_put_there(
    names: list[str], low: str, high: str, limit: int
) -> None:
    definitions = defined(names)
    expected = [name for name in sorted(definitions.names) if low <= name < high][:limit]
    assert full(definitions).between(low, high, limit) == expected


@given(NAMES, st.integers(1, 5))
def test_the_pages_of_a_tree_hold_each_child_once_in_order(names: list[str], limit: int) -> None:
    definitions = defined(names)
    found = full(definitions)
    for parent in ["", *definitions.names]:
        expected = sorted(name for name in definitions.names if name.rpartition(".")[0] == parent)
        pages: list[str] = []
        while page := found.below(parent, pages[-1] if pages else "", limit):
            assert len(page) <= limit
            pages += page
        assert pages == expected


@given(NAMES)
def test_each_counter_knows_how_many_are_directly_below_it(names: list[str]) -> None:
    definitions = defined(names)
    found = full(definitions, tops_max=2)
    parents = [name.rpartition(".")[0] for name in definitions.names]
    assert list(found.children) == [parents.count(name) for name in definitions.names]
    assert list(found.roots) == [number for number, parent in enumerate(parents) if not parent]
    depths = [name.count(".") for name in definitions.names]
    assert found.tops == [
        [number for number, depth in enumerate(depths) if depth == level][:2]
        for level in range(max(depths, default=-1) + 1)
    ]


@given(NAMES, st.text("ABab.0_-", min_size=1, max_size=3), st.integers(1, 5))
def test_a_search_finds_all_that_contain_a_text_in_whatever_case(names: list[str], text: str, limit: int) -> None:
    definitions = defined(names)
    found = full(definitions)
    pages: list[str] = []
    after = ""
    while True:
        page = asyncio.run(found.search(text, after, limit))
        assert len(page.names) <= limit
        pages += page.names
        if not page.after:
            break
        assert page.after > after
        after = page.after
    assert pages == [name for name in sorted(definitions.names) if text.lower() in name.lower()]


async def test_a_search_looks_at_so_many_names_and_says_where_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "SEARCH_NAMES_MAX", 10)
    monkeypatch.setattr(catalogue, "SLICE_S", 0.0)
    found = full(defined([f"site{number:03}" for number in range(100)]))
    requests, after = 0, ""
    while not (page := await found.search("099", after, 5)).names:
        requests, after = requests + 1, page.after
        assert after
    assert page == (["site099"], "")
    assert 4 < requests < 20


async def test_one_search_runs_at_a_time_and_so_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "SLICE_S", -1.0)  # each chunk is a slice
    found = full(defined([f"site{number:03}" for number in range(100)]))
    searches = [asyncio.create_task(found.search("09", "", 5)) for _ in range(SEARCHES_MAX)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert sum(search.done() for search in searches) == 0
    with pytest.raises(OverloadedError, match="16 searches wait"):
        await found.search("09", "", 5)
    rounds = 0
    while not searches[0].done():
        rounds += 1
        await asyncio.sleep(0)
    assert rounds > 3, "it lets others have their turns"
    assert not searches[1].done(), "who waits takes no time of the loop meanwhile"
    searches[1].cancel()
    assert {page.names[0] for page in await asyncio.gather(searches[0], *searches[2:])} == {"site009"}
    assert (await found.search("09", "", 1)).names == ["site009"]


async def test_it_follows_what_is_defined_later_a_step_at_a_time() -> None:
    definitions = defined(["a.b"])
    found = Catalogue(definitions)
    await found.catch_up()
    definitions.restore((f"a.{number}", 0, 2) for number in range(10))
    assert found.step(), "three of ten"
    assert len(found.children) == 5
    await found.catch_up()
    assert found.children[0] == 11
    assert found.below("a", "", 3) == ["a.0", "a.1", "a.2"]
