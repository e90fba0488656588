"""What clients did and saw, and when it began and ended by one monotonic clock; written down as JSON lines."""

import math
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec

UNANSWERED_S = math.inf  # when something ended that may be done at any time, or never


class Attempt(NamedTuple):
    """A visit that was sent; it is sent again, with the same key, until it is acknowledged."""

    begin_s: float
    end_s: float
    node: str
    counter: str
    visitor: str
    key: str
    stored: str = ""  # "log" or "spool"; empty: refused or not answered, so it may have been taken or not
    receipt: str = ""
    failure: str = ""  # instead: the status, or what happened to the connection


class Read(NamedTuple):
    """A counter's value as a node told it."""

    begin_s: float
    end_s: float
    node: str
    counter: str
    value: int
    exact: bool
    sequence: int
    pending: int = 0


class Winner(NamedTuple):
    """The winner of a milestone as a node told it."""

    at_s: float
    node: str
    counter: str
    n: int
    sequence: int
    index: int
    visitor: str


class Fault(NamedTuple):
    """Something that was done to the cluster, and undone."""

    begin_s: float
    end_s: float
    what: str


class History:
    """All of it, in the order in which it ended."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.reads: list[Read] = []
        self.winners: list[Winner] = []
        self.faults: list[Fault] = []

    def write(self, file: Path) -> None:
        """Write all down."""
        entries = [*self.attempts, *self.reads, *self.winners, *self.faults]
        with file.open("wb") as out:
            for entry in sorted(entries, key=lambda entry: entry[0]):
                out.write(msgspec.json.encode({"kind": type(entry).__name__, **entry._asdict()}) + b"\n")


def longest_gap_s(times_s: list[float], begin_s: float, end_s: float) -> float:
    """The longest time within a stretch in which nothing happened."""
    marks = [begin_s, *sorted(time_s for time_s in times_s if begin_s < time_s < end_s), end_s]
    return max(after - before for before, after in pairwise(marks))


def stalls_s(history: History, begin_s: float, end_s: float, without: str = "") -> dict[str, float]:
    """How long at most nothing of a kind was answered, by any node but one."""
    answered: dict[str, list[float]] = {"visits": [], "visits in the log": [], "exact reads": []}
    for attempt in history.attempts:
        if attempt.stored and attempt.node != without:
            answered["visits"].append(attempt.end_s)
            if attempt.stored == "log":
                answered["visits in the log"].append(attempt.end_s)
    answered["exact reads"] = [read.end_s for read in history.reads if read.exact and read.node != without]
    return {kind: longest_gap_s(times_s, begin_s, end_s) for kind, times_s in answered.items()}
