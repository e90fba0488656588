"""What counters were: samples them every ten seconds and every hour, and keeps that on disk, off the event loop."""

import asyncio
import enum
import logging
import shutil
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from footfall.core.names import check_name
from footfall.errors import OverloadedError
from footfall.node.history_file import (
    COARSE,
    FINE,
    HistoryDamagedError,
    HistoryFile,
    HistoryVersionError,
    Series,
    remove_oldest,
    set_aside,
)

if TYPE_CHECKING:
    from footfall.node.node import Node

logger = logging.getLogger(__name__)

SAMPLED_AT_ONCE = 1_000  # counters, before others get a turn: 1 ms
READS_MAX = 64  # that wait for the file; 20 ms each
DISK_FREE_MIN = 256 << 20  # the spool needs it more
AHEAD_MAX_S = 60.0  # of the clock, when a sample was taken: what is further ahead was taken by a clock that was wrong

T = TypeVar("T")


class Span(enum.StrEnum):
    """How far a history goes back."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    YEAR = "year"


SPANS: dict[Span, tuple[Series, int]] = {
    Span.HOUR: (FINE, 3_600),
    Span.DAY: (FINE, 86_400),
    Span.WEEK: (COARSE, 7 * 86_400),
    Span.YEAR: (COARSE, 365 * 86_400),
}


class HistoryReading(msgspec.Struct, frozen=True):
    """What a counter was.

    Attributes:
        counter: Its name.
        step_s: How far its samples are apart.
        points: Unix time and value of each; times at which none was taken are left out.
    """

    counter: str
    step_s: int
    points: list[tuple[float, int]]


class History:
    """The history of one node. It never keeps the node from anything: what goes wrong with it is told and counted.

    Attributes:
        warning: What a person should know of it; empty: nothing. Anyone may see it, so it names no file: the log does.
        kept: Samples that were kept.
        failed: Samples that could not be.
    """

    def __init__(
        self,
        path: Path,
        counters_max: int,
        values: Callable[[], Awaitable[Mapping[str, int]]],
    ) -> None:
        """
        Args:
            path: Of the file.
            counters_max: How many counters are sampled; 0: none, and there is no file.
            values: Tells what is sampled now; nothing, if the node does not answer.
        """
        self.warning = ""
        self.kept = self.failed = 0
        self._path = path
        self._names_max = 2 * counters_max  # others may come to the top of the tree; the former stay for a year
        self._values = values
        self._file: HistoryFile | None = None
        self._usable = counters_max > 0
        self._passing = False  # the warning ends once a sample is kept
        self._reads = 0
        self._thread = ThreadPoolExecutor(1, "history")

    async def look(self) -> None:
        """Take a sample. Called at intervals of ten seconds."""
        try:
            if values := await self._values():
                await self._run(lambda: self._append(time.time(), values))
        except Exception:  # nobody foresaw it: it must not end the node, and must be seen
            self.failed += 1
            logger.exception("a sample for the history cannot be taken")

    async def read(self, name: str, span: Span) -> HistoryReading:
        """What a counter was. Raises InvalidNameError, OverloadedError."""
        check_name(name)
        if self._reads >= READS_MAX:
            raise OverloadedError(f"{READS_MAX} histories are being read; try again later")
        self._reads += 1
        try:
            series, span_s = SPANS[span]
            now_s = time.time()
            points = await self._run(lambda: self._points(series, name, now_s - span_s, now_s + AHEAD_MAX_S))
        finally:
            self._reads -= 1
        return HistoryReading(name, series.step_s, points)

    async def stop(self) -> None:
        """Close the file."""
        await self._run(self._close)
        self._thread.shutdown(wait=False)

    @property
    def bytes(self) -> int:
        """Of the file."""
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # In the thread

    def _append(self, now_s: float, values: Mapping[str, int]) -> None:
        def append(file: HistoryFile) -> bool:
            if int(file.last_s(COARSE) // COARSE.step_s) != int(now_s // COARSE.step_s):
                file.append(COARSE, now_s, values)
            file.append(FINE, now_s, values)
            return True

        done = False
        if shutil.disk_usage(self._path.parent).free < DISK_FREE_MIN:
            self._tell(f"the disk has less than {DISK_FREE_MIN >> 20} MiB left: no history is kept", "", passing=True)
        else:
            done = self._with_file(append, False)
        if not done:
            self.failed += 1
            return
        self.kept += 1
        if self._passing:
            self.warning, self._passing = "", False

    def _points(self, series: Series, name: str, since_s: float, until_s: float) -> list[tuple[float, int]]:
        return self._with_file(lambda file: file.read(series, name, since_s, until_s), [])

    def _with_file(self, work: Callable[[HistoryFile], T], otherwise: T) -> T:
        """What ``work`` returns; ``otherwise``, if the file cannot be had. One that is damaged is put aside."""
        if not self._usable:
            return otherwise
        try:
            if self._file is None:
                self._file = HistoryFile(self._path, self._names_max)
                remove_oldest(self._path)
            return work(self._file)
        except HistoryDamagedError as error:
            self._close()
            aside = set_aside(self._path)
            self._tell("the history could not be read: it was put aside, and begins anew", f"{error}; see {aside.name}")
        except HistoryVersionError as error:
            self._usable = False
            self._tell("no history is kept: a newer version of Footfall wrote it", str(error))
        except (sqlite3.Error, OSError) as error:
            self._tell("the history cannot be kept now; this node's log says why", str(error), passing=True)
        return otherwise

    def _tell(self, warning: str, detail: str, passing: bool = False) -> None:
        if warning != self.warning:
            logger.warning("%s: %s%s", self._path, warning, f" ({detail})" if detail else "")
        self.warning, self._passing = warning, passing

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def history_of(node: "Node") -> History:
    """A node's history: of what it knows of the whole."""
    counters_max = node.config.history_counters_max

    async def values() -> Mapping[str, int]:
        return await _sampled(node, counters_max) if counters_max and node.answering else {}

    path = Path(node.config.data) / f"history-{node.id}.sqlite"
    return History(path, counters_max, values)


async def _sampled(node: "Node", counters_max: int) -> Mapping[str, int]:
    """What reads show of the counters that are sampled: those at the top of the tree first, and of these the oldest."""
    await node.catalogue.catch_up()
    names, showing, values = node.counting.definitions.names, node.counting.judging.showing, dict[str, int]()
    for number in islice(chain.from_iterable(list(node.catalogue.tops)), counters_max):
        values[names[number]] = showing.read(number, 0, 0).value
        if len(values) % SAMPLED_AT_ONCE == 0:
            await asyncio.sleep(0)
    return values
