"""Changes of milestones have positions that two nodes can compare, and that promise no more than was told."""

from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.core.control import Barrier, Claimed, Control, Define, Milestone, Proof, Reached, Verdict, Winner
from footfall.core.definitions import Definitions
from footfall.core.names import Unit
from footfall.core.position import Position
from footfall.node.watching import Change, Watching, told

WINNER = Winner("ann", b"\1" * 32, 5, 0, 0)
PROOF = Proof(Position("then", 0, b""), 0, 0, 1, b"\2" * 32)


class Log:
    """Control messages in order, folded by any number of nodes, each as far as it has come."""

    def __init__(self) -> None:
        self.messages: list[Control] = []
        self.write(lambda at: Define("p", at, (("shop", Unit.VISITS), ("blog", Unit.VISITS))))

    def write(self, build: object) -> int:
        self.messages.append(build(len(self.messages) + 1))  # type: ignore[operator]
        return len(self.messages)

    def fold(self, definitions: Definitions, sequence: int) -> None:
        for message in self.messages[definitions.sequence : sequence]:
            assert not definitions.fold(definitions.sequence + 1, message)

    def set(self, counter: str, n: int) -> None:
        since = self.write(lambda at: Milestone("p", at, counter, n, "n1"))
        self.write(lambda at: Verdict("p", at, counter, n, since, 0))

    def reach(self, counter: str, n: int) -> int:
        return self.write(lambda at: Reached("p", at, counter, n, WINNER, PROOF))

    def claim(self, counter: str, n: int) -> None:
        self.write(lambda at: Claimed("p", at, counter, n, b"me"))

    def pass_by(self) -> None:
        self.write(lambda at: Barrier("p", at, 0))


def node(log: Log, sequence: int) -> tuple[Definitions, Watching]:
    """A node that begins at a sequence."""
    definitions = Definitions()
    log.fold(definitions, sequence)
    return definitions, Watching(definitions, "then")


def test_a_milestone_is_no_change_before_its_verdict() -> None:
    log = Log()
    log.set("shop", 3)
    definitions, watching = node(log, 1)
    log.fold(definitions, 2)
    assert watching.look() == []
    log.fold(definitions, 3)
    assert watching.look() == [Change(3, "shop", 3, 2)]
    assert watching.look() == []
    assert watching.open == {"shop"}


def test_where_it_was_reached_the_log_tells_even_after_a_start() -> None:
    log = Log()
    log.set("shop", 3)
    reached = log.reach("shop", 3)
    log.pass_by()
    _, watching = node(log, len(log.messages))
    assert watching.after(Change(0), "shop") == [Change(reached, "shop", 3, reached - 1)]
    assert watching.after(Change(reached), "shop") == []
    assert watching.after(Change(reached - 1), None) == [Change(reached, "shop", 3, reached - 1)]
    assert watching.after(Change(0), "blog") == []


def test_the_announcement_of_a_winner_is_no_change() -> None:
    log = Log()
    definitions, watching = node(log, 1)
    log.set("shop", 3)
    log.reach("shop", 3)
    log.claim("shop", 3)
    log.fold(definitions, 4)
    assert watching.look() == [Change(4, "shop", 3, 3)]
    log.fold(definitions, 5)
    assert watching.look() == [Change(5, "shop", 3, 4)]


def test_an_id_promises_no_more_than_was_told() -> None:
    exact = [Change(n, "a", n, n - 1) for n in (4, 6, 9)]
    assert [position for _, position in told(exact)] == [4, 6, 9]
    seen_together = [Change(4, "a", 4, 3), Change(7, "a", 1, 2), Change(7, "b", 1, 2), Change(9, "b", 1, 8)]
    assert [position for _, position in told(seen_together)] == [2, 2, 7, 9]
    assert told([]) == []


STEPS = st.lists(st.sampled_from(["set", "reach", "claim", "pass"]), max_size=12)


@settings(max_examples=300)
@given(STEPS, st.data())
def test_whoever_goes_from_node_to_node_misses_nothing(steps: list[str], data: st.DataObject) -> None:
    """A client reads of nodes that are at any places of the log, and takes the last id from one to the next."""
    log, n = Log(), 3
    for one in range(1, n + 1):
        log.set("shop", one)
    for step in steps:
        if step == "set":
            n += 1
            log.set("shop", n)
        elif step == "reach":
            log.reach("shop", data.draw(st.integers(1, n)))
        elif step == "claim":
            log.claim("shop", data.draw(st.integers(1, n)))
        else:
            log.pass_by()
    seen: dict[int, int] = {}  # N → how far the client knows it to be
    last = 0
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(1, len(log.messages)))
        definitions, watching = node(log, begin)
        for stop in sorted(data.draw(st.lists(st.integers(begin, len(log.messages)), max_size=3))):
            log.fold(definitions, stop)
            watching.look()
        for change, position in told(watching.after(Change(last), "shop")):
            standing = definitions.milestones.find("shop", change.n)
            assert standing is not None
            seen[change.n] = max(
                seen.get(change.n, 0), 1 + (standing.winner is not None) + (standing.claim is not None)
            )
            last = max(last, position)
            if data.draw(st.booleans()):
                break
        else:
            last = max(last, watching.position)
    definitions, watching = node(log, len(log.messages))
    for change in watching.after(Change(last), "shop"):
        seen.pop(change.n, None)  # it is told of now
    expected = {
        one.n: 1 + (one.winner is not None) + (one.claim is not None)
        for one in definitions.milestones
        if not one.undecided and Change(last) >= max(c for c in watching.after(Change(0), "shop") if c.n == one.n)
    }
    assert seen == expected
