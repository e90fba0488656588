"""Compares what clients saw with what the log holds, and tells all that must not be; pure, and without product code.

The invariants: every visit counted exactly once, nothing counted that was not sent, no value that falls, exact reads
that are exact, nodes that agree in the end, one winner who is the N-th, and an order that respects what was known.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from history import History

from accounts import Place
from crowd import path_of

SHOWN_MAX = 5  # of the same kind of violation


class Outcome(NamedTuple):
    """What there is when traffic and faults have ended.

    Attributes:
        order: For each counter the visits that count, in the log's order, as a dumb model of the log has it.
        folded: For each counter its value as the product's own fold of the log has it.
        shown: For each node the values that it shows.
        people: The counters that count visitors.
    """

    order: Mapping[str, Sequence[Place]]
    folded: Mapping[str, int]
    shown: Mapping[str, Mapping[str, int]]
    people: frozenset[str] = frozenset()


def check(history: History, outcome: Outcome) -> list[str]:
    """Everything that must not be, a line each; empty if all is well."""
    found: list[str] = []
    for rule in (once, agreement, reads_that_fall, exact_reads, invented_values, winners, order, receipts):
        broken = list(rule(history, outcome))
        found += broken[:SHOWN_MAX]
        if len(broken) > SHOWN_MAX:
            found.append(f"… and {len(broken) - SHOWN_MAX} more like it")
    return found


def once(history: History, outcome: Outcome) -> Iterator[str]:
    """Every acknowledged visit is counted exactly once, in each counter of its path, and nothing that was not sent."""
    sent, acknowledged = _identities(history, outcome, False), _identities(history, outcome, True)
    for counter in sent:
        counted = Counter(_identity(counter, place.visitor, place.key, outcome) for place in outcome.order[counter])
        for what in acknowledged[counter] - counted.keys():
            yield f"lost: {what!r} was acknowledged, and is not counted in {counter}"
        for what, times in counted.items():
            if times > 1:
                yield f"doubled: {what!r} is counted {times} times in {counter}"
            if what not in sent[counter]:
                yield f"invented: {what!r} is counted in {counter}, and nobody sent it"


def agreement(history: History, outcome: Outcome) -> Iterator[str]:
    """When all is healed, every node shows what the log holds, by the dumb model and by the product's own fold."""
    for counter in _identities(history, outcome, False):
        value = len(outcome.order[counter])
        if outcome.folded.get(counter, 0) != value:
            yield f"the fold of the log gives {outcome.folded.get(counter, 0)} for {counter}, which holds {value}"
        for node, shown in outcome.shown.items():
            if shown.get(counter, 0) != value:
                yield f"{node} shows {shown.get(counter, 0)} for {counter}, and the log holds {value}"


def reads_that_fall(history: History, outcome: Outcome) -> Iterator[str]:
    """No node shows less than it showed before."""
    shown: dict[tuple[str, str], list[tuple[float, float, int]]] = defaultdict(list)
    for read in history.reads:
        shown[read.node, read.counter].append((read.begin_s, read.end_s, read.value))
    for (node, counter), reads in shown.items():
        by_end = sorted(reads, key=lambda read: read[1])
        ends_s = [end_s for _, end_s, _ in by_end]
        highest, most = [], 0
        for _, _, value in by_end:
            highest.append(most := max(most, value))
        for begin_s, _, value in reads:
            before = bisect_right(ends_s, begin_s)
            if before and highest[before - 1] > value:
                yield f"fell: {node} showed {highest[before - 1]} for {counter}, and then {value}"


def exact_reads(history: History, outcome: Outcome) -> Iterator[str]:
    """An exact read is the count at its sequence, and between what the log had taken before and what was sent since."""
    sequences = {counter: [place.sequence for place in places] for counter, places in outcome.order.items()}
    limits = _Limits(history, outcome)
    for read in history.reads:
        if not read.exact:
            continue
        at = bisect_right(sequences.get(read.counter, []), read.sequence)
        if read.value != at:
            yield f"inexact: {read.node} read {read.value} for {read.counter} at {read.sequence}, where it is {at}"
        if read.counter in outcome.people:
            continue
        least, most = limits.of(read.counter, read.begin_s, read.end_s)
        if not least <= read.value <= most:
            yield f"inexact: {read.node} read {read.value} for {read.counter}, which was from {least} to {most} then"


def invented_values(history: History, outcome: Outcome) -> Iterator[str]:
    """No value is above what was sent until it was shown."""
    limits = _Limits(history, outcome)
    for read in history.reads:
        _, most = limits.of(read.counter, read.begin_s, read.end_s)
        if read.value > most:
            yield f"invented: {read.node} showed {read.value} for {read.counter}, of which {most} were sent by then"


def winners(history: History, outcome: Outcome) -> Iterator[str]:
    """Nobody ever shows another winner than the N-th of the log."""
    for told in history.winners:
        places = outcome.order.get(told.counter, ())
        if told.n > len(places):
            yield f"{told.node} told a winner of the {told.n}-th of {told.counter}, which has {len(places)}"
            continue
        place = places[told.n - 1]
        if (told.sequence, told.index, told.visitor) != (place.sequence, place.entry, place.visitor):
            yield f"wrong winner: {told.node} told {told} and the {told.n}-th in the log is {place}"


def order(history: History, outcome: Outcome) -> Iterator[str]:
    """A visit that the log acknowledged before another one was sent does not come after it in the log."""
    begun_s: dict[tuple[str, str], float] = {}
    known_s: dict[tuple[str, str], float] = {}
    for attempt in history.attempts:
        name = attempt.counter, attempt.key
        begun_s[name] = min(attempt.begin_s, begun_s.get(name, attempt.begin_s))
        if attempt.stored == "log":
            known_s[name] = min(attempt.end_s, known_s.get(name, attempt.end_s))
    leaves = {attempt.counter for attempt in history.attempts} - outcome.people
    places = sorted((place, leaf) for leaf in leaves for place in outcome.order.get(leaf, ()))
    earliest_s, who = float("inf"), ""
    for place, leaf in reversed(places):
        name = leaf, place.key
        if earliest_s < begun_s.get(name, float("inf")) and name in begun_s:
            yield f"reordered: {place.key!r} of {leaf} was sent after {who} was acknowledged, and comes before it"
        if known_s.get(name, float("inf")) < earliest_s:
            earliest_s, who = known_s[name], f"{place.key!r} of {leaf}"


def receipts(history: History, outcome: Outcome) -> Iterator[str]:
    """A key that nobody can guess is its own receipt, whoever answers."""
    for attempt in history.attempts:
        if attempt.stored and attempt.key not in attempt.receipt.split("."):
            yield f"{attempt.node} answered {attempt.receipt!r} as the receipt of {attempt.key!r}"


class _Limits:
    """For any stretch of time, between what a counter of visits is."""

    def __init__(self, history: History, outcome: Outcome) -> None:
        first_s: dict[tuple[str, str], float] = {}
        known_s: dict[tuple[str, str], float] = {}
        for attempt in history.attempts:
            for counter in path_of(attempt.counter):
                name = counter, _identity(counter, attempt.visitor, attempt.key, outcome)
                first_s[name] = min(attempt.begin_s, first_s.get(name, attempt.begin_s))
                if attempt.stored == "log":
                    known_s[name] = min(attempt.end_s, known_s.get(name, attempt.end_s))
        self._begun_s, self._known_s = _by_counter(first_s), _by_counter(known_s)

    def of(self, counter: str, begin_s: float, end_s: float) -> tuple[int, int]:
        """What the log had acknowledged before it began, and what had been sent before it ended."""
        known, begun = self._known_s.get(counter, []), self._begun_s.get(counter, [])
        return bisect_right(known, begin_s), bisect_right(begun, end_s)


def _by_counter(times_s: Mapping[tuple[str, str], float]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for (counter, _), time_s in times_s.items():
        found[counter].append(time_s)
    return {counter: sorted(each) for counter, each in found.items()}


def _identity(counter: str, visitor: str, key: str, outcome: Outcome) -> str:
    return visitor if counter in outcome.people else key


def _identities(history: History, outcome: Outcome, acknowledged: bool) -> dict[str, set[str]]:
    """What must be counted once: of each counter, visits by their keys, or visitors."""
    found: dict[str, set[str]] = defaultdict(set)
    for attempt in history.attempts:
        for counter in path_of(attempt.counter):
            what = _identity(counter, attempt.visitor, attempt.key, outcome)
            found[counter] |= {what} if attempt.stored or not acknowledged else set()
    return found
