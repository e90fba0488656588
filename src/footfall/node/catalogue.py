"""All counters' names in order, as a list and as a tree; follows the definitions in small steps, for a million of them.

Sorting a million names, or sorting them again for each new one, would stop the event loop for long. So they are kept in
chunks, and whoever lists them lets the catalogue catch up first, a step at a time.
"""

import asyncio
import time
from array import array
from bisect import bisect_left, bisect_right, insort
from typing import NamedTuple

from footfall.core.definitions import Definitions
from footfall.errors import OverloadedError

CHUNK_NAMES_MAX = 2_000
STEP_NAMES = 1_000  # taken in before others get a turn: 2 to 3 ms
SLICE_S = 0.005  # of searching, before others get a turn
SEARCH_NAMES_MAX = 1_000_000  # looked at for one request: 60 ms
SEARCHES_MAX = 16  # that wait: one runs at a time, or their slices would add up to a long stop of the event loop


class Search(NamedTuple):
    """What a search has found.

    Attributes:
        names: Those that contain the text, in order.
        after: Where to go on; empty at the end of all names.
    """

    names: list[str]
    after: str


class Catalogue:
    """The names of all counters.

    Attributes:
        children: By a counter's number, how many are directly below it.
        roots: Numbers of the counters at the top of the tree.
        tops: Numbers of the first counters of each depth, in the order of their definitions.
    """

    def __init__(self, definitions: Definitions, tops_max: int = 0) -> None:
        """
        Args:
            definitions: What it follows.
            tops_max: How many counters of each depth are remembered in ``tops``.
        """
        self.children = array("I")
        self.roots = array("i")
        self.tops: list[list[int]] = []
        self._definitions = definitions
        self._tops_max = tops_max
        self._chunks: list[list[str]] = [[]]
        self._lows = [""]  # the lowest name that belongs into each chunk
        self._searching = asyncio.Lock()
        self._searches = 0

    def step(self) -> bool:
        """Take in some of the names that are new; returns whether there are more."""
        names = self._definitions.names
        for number in range(len(self.children), min(len(self.children) + STEP_NAMES, len(names))):
            self._take(number, names[number])
        return len(self.children) < len(names)

    async def catch_up(self) -> None:
        """Take in all names that are new."""
        while self.step():  # noqa: ASYNC110 - it works on
            await asyncio.sleep(0)

    def between(self, low: str, high: str, limit: int) -> list[str]:
        """The first names from ``low`` on, below ``high``."""
        found: list[str] = []
        at, index = self._place(low)
        while len(found) < limit and at < len(self._chunks):
            chunk = self._chunks[at]
            end = bisect_left(chunk, high, index)
            found += chunk[index : min(end, index + limit - len(found))]
            if end < len(chunk):
                break
            at, index = at + 1, 0
        return found

    def below(self, parent: str, after: str, limit: int) -> list[str]:
        """The first counters directly below one that come after ``after``; at the top, for an empty ``parent``.

        What is below a counter is jumped over: each child costs two look-ups, however much is below it.
        """
        low, high = (f"{parent}.", f"{parent}/") if parent else ("", "~")
        at = max(low, f"{after}\0" if after else "")
        found: list[str] = []
        while len(found) < limit and (names := self.between(at, high, 1)):
            dot = names[0].find(".", len(low))
            if dot < 0:
                found.append(names[0])
                at = f"{names[0]}\0"
            else:
                at = f"{names[0][:dot]}/"  # behind all that begins with the child, which was found before
        return found

    async def search(self, text: str, after: str, limit: int) -> Search:
        """The first names after ``after`` that contain ``text``, in whatever case; it looks at so many and no more.

        Raises:
            OverloadedError: Too many searches wait.
        """
        if self._searches >= SEARCHES_MAX:
            raise OverloadedError(f"{SEARCHES_MAX} searches wait for their turn; try again later")
        self._searches += 1
        try:
            async with self._searching:
                return await self._search(text.lower(), after, limit)
        finally:
            self._searches -= 1

    async def _search(self, text: str, after: str, limit: int) -> Search:
        found, looked = list[str](), 0
        slice_end_s = time.monotonic() + SLICE_S
        at, index = self._place(f"{after}\0" if after else "")
        while at < len(self._chunks) and looked < SEARCH_NAMES_MAX:
            part = self._chunks[at][index:]
            if text in "\n".join(part).lower():  # a tenth of what looking at each name costs
                found += [name for name in part if text in name.lower()]
            if len(found) >= limit:
                return Search(found[:limit], found[limit - 1])
            looked += len(part)
            after = part[-1] if part else after
            at, index = at + 1, 0
            if part and time.monotonic() > slice_end_s:  # behind an empty one it would be where it was
                await asyncio.sleep(0)
                slice_end_s = time.monotonic() + SLICE_S
                at, index = self._place(f"{after}\0" if after else "")  # there may be other names by now
        return Search(found, after if at < len(self._chunks) else "")

    def _place(self, low: str) -> tuple[int, int]:
        """Chunk, and place in it, of the first name that is not below ``low``."""
        at = bisect_right(self._lows, low) - 1
        return at, bisect_left(self._chunks[at], low)

    def _take(self, number: int, name: str) -> None:
        parent, _, _ = name.rpartition(".")
        depth = name.count(".")
        self.children.append(0)
        if parent:
            above = self._definitions.number(parent)
            assert above is not None, "whatever is above a counter is defined with it"
            self.children[above] += 1
        else:
            self.roots.append(number)
        while len(self.tops) <= depth:
            self.tops.append([])
        if len(self.tops[depth]) < self._tops_max:
            self.tops[depth].append(number)
        self._insert(name)

    def _insert(self, name: str) -> None:
        at = bisect_right(self._lows, name) - 1
        chunk = self._chunks[at]
        insort(chunk, name)
        if len(chunk) > CHUNK_NAMES_MAX:
            half = len(chunk) // 2
            self._chunks[at : at + 1] = [chunk[:half], chunk[half:]]
            self._lows.insert(at + 1, chunk[half])
