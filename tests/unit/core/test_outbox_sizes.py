"""Messages and sections stay below the log's limit, whatever is sent."""

from itertools import pairwise

import pytest
from core_laws import law
from core_outbox import SECRET, entries_of, everything, messages, pairs_of, receipts_of, shown
from core_patches import patched
from hypothesis import strategies as st

from footfall.core import sealing as module
from footfall.core.batch import decode
from footfall.core.definitions import Definition
from footfall.core.names import Unit
from footfall.core.outbox import Flush, Outbox
from footfall.core.sealing import MESSAGE_BYTES_GOAL, SECTION_BYTES_MAX
from footfall.core.visit import BATCH_VISITS_MAX, COUNT_MAX, KEY_BYTES_MAX, VISITOR_BYTES_MAX, Visit

MESSAGE_BYTES_MAX = 1_000_000  # of the log
OVERHEAD_BYTES = 60  # of a batch with one section, beside its visitors, keys and name


def sealed(visits: list[Visit], partitions: int = 1) -> Flush:
    outbox = Outbox("0123456789abcdef", 2**40, partitions, hashed=False)
    outbox.add(pairs_of(visits), "all")
    flush = outbox.seal(0)
    assert flush is not None
    return flush


def check_order(flush: Flush, visits: list[Visit]) -> None:
    """Visits of one kind stand in their order, and are answered with their places' receipts, or with their own keys."""
    entries = [entry for message in messages(flush) for entry in entries_of(message)]
    assert [(entry.visitor, entry.key) for entry in entries] == [(visit.visitor, visit.key) for visit in visits]
    places = [receipt for message in messages(flush) for receipt in receipts_of(message)]
    ((_, receipts),) = flush.requests(SECRET)
    assert receipts == [shown(visit.key) or place for visit, place in zip(visits, places, strict=True)]


def check(flush: Flush, visits: list[Visit]) -> None:
    """Every message is small enough, none is smaller than it must be, and the visits are there, in order."""
    assert all(len(message.data) <= SECTION_BYTES_MAX + 200 + OVERHEAD_BYTES for message in messages(flush))
    assert SECTION_BYTES_MAX + 200 + OVERHEAD_BYTES < MESSAGE_BYTES_MAX
    check_order(flush, visits)


@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("letter", ["x", "ü", "🎉"])
def test_ten_thousand_visits_with_the_longest_visitors_and_keys_are_a_few_messages(letter: str, keyed: bool) -> None:
    size = len(letter.encode())
    visits = [
        Visit(
            "plain",
            f"{at:08d}" + letter * ((VISITOR_BYTES_MAX - 8) // size),
            letter * (KEY_BYTES_MAX // size) if keyed else None,
        )
        for at in range(BATCH_VISITS_MAX)
    ]
    flush = sealed(visits)
    check(flush, visits)
    sizes = [len(message.data) for message in messages(flush)]
    assert sum(sizes) >= BATCH_VISITS_MAX * VISITOR_BYTES_MAX
    assert len(sizes) <= 2 * sum(sizes) / MESSAGE_BYTES_GOAL
    if size == 1:  # where characters are bytes, the first reckoning is right
        assert max(sizes) <= MESSAGE_BYTES_GOAL + OVERHEAD_BYTES
        assert min(sizes[:-1]) >= 0.9 * MESSAGE_BYTES_GOAL


def test_keys_of_visits_by_nobody_are_reckoned_too() -> None:
    visits = [Visit("plain", key=f"{at:0256d}") for at in range(BATCH_VISITS_MAX)]
    flush = sealed(visits)
    check(flush, visits)
    sizes = [len(message.data) for message in messages(flush)]
    assert max(sizes) <= MESSAGE_BYTES_GOAL + OVERHEAD_BYTES
    assert min(sizes[:-1]) >= 0.9 * MESSAGE_BYTES_GOAL


def test_single_visits_are_reckoned_by_their_visitors_too() -> None:
    outbox = Outbox("0123456789abcdef", 0, 1, hashed=False)
    (leaf, _), *_ = pairs_of([Visit("plain")])
    for at in range(BATCH_VISITS_MAX):
        outbox.add_single(leaf, f"{at:0256d}", at)
    flush = outbox.seal(0)
    assert flush is not None
    sizes = [len(message.data) for message in messages(flush)]
    assert max(sizes) <= MESSAGE_BYTES_GOAL + OVERHEAD_BYTES
    assert min(sizes[:-1]) >= 0.9 * MESSAGE_BYTES_GOAL
    entries = everything(flush.lanes)
    told = [(waiter, entries[receipt].visitor) for waiter, receipt in flush.singles(SECRET)]
    assert told == [(at, f"{at:0256d}") for at in range(BATCH_VISITS_MAX)]


def test_ten_thousand_short_visits_are_one_message() -> None:
    visits = [Visit("plain", f"203.0.113.{at}") for at in range(BATCH_VISITS_MAX)]
    flush = sealed(visits)
    check(flush, visits)
    assert len(messages(flush)) == 1
    assert len(decode(messages(flush)[0].data).sections) == 1


def test_any_number_of_visits_by_nobody_is_one_section() -> None:
    visits = [Visit("plain")] * 300_000
    flush = sealed(visits)
    assert len(messages(flush)) == 1
    assert len(messages(flush)[0].data) < 100


def test_a_few_visitors_much_longer_than_the_average_are_split_off() -> None:
    """The average promises short ones; where the long ones stand together the section is halved."""
    visits = [Visit("plain", "x") for _ in range(37_000)] + [
        Visit("plain", "🎉" * 64 if at % 2 else "y" * 256) for at in range(8_000)
    ]
    flush = sealed(visits)
    check(flush, visits)
    sizes = [len(section.visitors or b"") for message in messages(flush) for section in decode(message.data).sections]
    assert max(sizes) <= SECTION_BYTES_MAX


@law(
    st.lists(st.tuples(st.sampled_from([0, 1, 1, 1, 30, 200]), st.booleans()), min_size=1, max_size=40),
    st.integers(0, 2),
)
def test_sections_are_split_by_size_and_only_where_they_must(shape: list[tuple[int, bool]], kind: int) -> None:
    visits = [
        Visit(
            "plain",
            ("ü" if wide else "x") * (1 + length) if kind != 1 else None,
            "k" * (1 + length) + str(at) if kind != 0 else None,
        )
        for at, (length, wide) in enumerate(shape)
    ]
    goal, most = 100, 200
    with patched(module, MESSAGE_BYTES_GOAL=goal, SECTION_BYTES_MAX=most):
        flush = sealed(visits)
    check_order(flush, visits)
    for message in messages(flush):
        sections = decode(message.data).sections
        sizes = [len(section.visitors or b"") + len(section.keys or b"") for section in sections]
        for section, size in zip(sections, sizes, strict=True):
            assert size <= most or section.entries == 1
        assert len(sections) == 1 or sum(sizes) + len(sections) * len("plain") <= goal


@law(st.lists(st.sampled_from([1, 30, 60, 82, 90, 150]), min_size=1, max_size=12))
def test_a_message_is_ended_where_the_next_section_would_pass_the_goal_and_not_before(sizes: list[int]) -> None:
    goal = 200
    visits = [Visit("plain", "x" * size, count=1 + at) for at, size in enumerate(sizes)]  # a section each
    with patched(module, MESSAGE_BYTES_GOAL=goal, SECTION_BYTES_MAX=2 * goal):
        flush = sealed(visits)
    found = [[len(entry.visitor or "") for entry in entries_of(message)] for message in messages(flush)]
    assert [size for message in found for size in message] == sizes
    weights = [[len(module.pack(["x" * size])) + len("plain") + 6 for size in message] for message in found]
    assert all(sum(message) <= goal for message in weights if len(message) > 1)
    assert all(sum(one) + two[0] > goal for one, two in pairwise(weights))


def test_a_message_may_reach_the_goal_exactly() -> None:
    visits = [Visit("plain", "x" * size, count=1 + at) for at, size in enumerate([90, 82, 90, 82, 90, 83, 1])]
    with patched(module, MESSAGE_BYTES_GOAL=200, SECTION_BYTES_MAX=400):
        flush = sealed(visits)
    assert [message.entries for message in messages(flush)] == [2, 2, 1, 2]


def test_many_small_sections_stay_below_the_logs_limit() -> None:
    """Each is larger than what is reckoned for it; a message must bear it."""
    leaf = Definition("a", Unit.VISITS, 0, 1, (0,), ())
    outbox = Outbox("0123456789abcdef", 2**40, 1, hashed=False)
    outbox.add([(leaf, Visit("a", count=COUNT_MAX - at)) for at in range(37_000)], "all")
    flush = outbox.seal(0)
    assert flush is not None
    assert len(messages(flush)) > 1
    assert all(len(message.data) < MESSAGE_BYTES_MAX for message in messages(flush))
