"""What streams of events tell: values that never fall, milestones that nobody misses; and what slow readers get."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest
from node_cluster import Cluster, until, visits
from node_listener import Listener

from footfall.core.visit import Visit
from footfall.errors import IntegrityError, NotReadyError, OverloadedError
from footfall.node.node import Node
from footfall.node.watching import Change
from footfall.web import events_hub
from footfall.web.events_frames import parse_last_id
from footfall.web.events_hub import Events
from footfall.web.events_streams import Stream, Watch
from footfall.web.traffic import Traffic

SHOP = Watch(("shop",))


class Hub(Events):
    """The streams of a node, and what was counted."""

    def __init__(self, node: Node, streams_max: int = 10) -> None:
        self.traffic = Traffic()
        self.node = node
        super().__init__(node, self.traffic, streams_max)

    def listen(self, watch: Watch = SHOP, last_id: str | None = None) -> tuple[Listener, Stream]:
        """A new stream."""
        line = Listener()
        self.check_room(watch)
        cursor = parse_last_id([] if last_id is None else [last_id], self.node.watching.log)
        return line, self.begin(line, watch, cursor)


@pytest.fixture
async def node(cluster: Cluster) -> Node:
    """A node alone, with one visit."""
    node = await cluster.start("n1")
    await node.add(visits("shop"))
    await cluster.shows("shop", 1)
    return node


@pytest.fixture
async def hub(node: Node) -> AsyncIterator[Hub]:
    hub = Hub(node)
    yield hub
    hub.stop()


async def test_a_new_stream_tells_how_soon_to_come_again_and_the_value_of_now(hub: Hub, node: Node) -> None:
    line, _ = hub.listen()
    assert line.text.startswith(b"retry: ")
    assert 2_000 <= int(line.text[7 : line.text.index(b"\n")]) <= 4_000
    [event] = line.events
    assert event.name == "value"
    assert event.data == {
        "counter": "shop",
        "value": 1,
        "pending": 0,
        "unit": "visits",
        "phase": "ap",
        "consistency": "eventual",
        "sequence": node.read("shop").sequence,
        "staleness_ms": 0,
    }


async def test_each_change_is_told_and_never_more_often_than_ten_times_a_second(hub: Hub, node: Node) -> None:
    line, _ = hub.listen()
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    for _ in range(100):
        await node.add(visits("shop"))
        await asyncio.sleep(0.01)
    await until(lambda: line.values[-1:] == [101])
    lasted_s = loop.time() - start_s
    assert line.values == sorted(set(line.values))
    assert 5 < len(line.values) <= lasted_s / events_hub.VALUES_S + 2


async def test_a_counter_that_nobody_has_visited_is_told_of_once_someone_does(hub: Hub, node: Node) -> None:
    line, _ = hub.listen(Watch(("new.one",)))
    assert line.values == [0]
    await node.add(visits("new.one", 3))
    await until(lambda: line.values[-1:] == [3])


async def test_what_waits_for_the_log_is_told_too(hub: Hub, node: Node, cluster: Cluster) -> None:
    line, _ = hub.listen()
    cluster.lines["n1"].hold()
    await node.add([Visit("shop", count=4)], durable=False)
    await until(lambda: line.events[-1].data["pending"] == 4)
    assert line.values[-1] == 1
    cluster.lines["n1"].release()
    await until(lambda: line.events[-1].data["pending"] == 0 and line.values[-1] == 5)


async def test_a_silent_stream_beats_every_fifteen_seconds_and_a_busy_one_does_not(hub: Hub, node: Node) -> None:
    line, _ = hub.listen()
    await asyncio.sleep(40)
    assert line.text.count(b":\n\n") == 2
    for _ in range(6):
        await node.add(visits("shop"))
        await asyncio.sleep(5)
    assert line.text.count(b":\n\n") == 2


async def test_a_milestone_is_told_when_it_is_set_and_reached_and_claimed(hub: Hub, node: Node) -> None:
    line, _ = hub.listen()
    await node.milestones.add("shop", 3)
    await until(lambda: line.named("phase"))
    assert line.named("phase")[0].data["state"] == "open"
    receipts = (await node.add(visits("shop", 4))).receipts
    await until(lambda: line.named("winner"))
    [won] = line.named("winner")
    assert (won.data["n"], won.data["state"], won.data["winner"]["claimed"]) == (3, "reached", False)
    await node.milestones.claim("shop", 3, receipts[1], None)
    await until(lambda: len(line.named("winner")) == 2)
    assert line.named("winner")[1].data["winner"]["claimed"]


async def test_a_milestone_that_comes_near_is_told(hub: Hub, node: Node) -> None:
    line, _ = hub.listen()
    await node.milestones.add("shop", 1_001)
    await node.add([Visit("shop", count=999)])
    await until(lambda: "closing" in [event.data["state"] for event in line.named("phase")])
    await until(lambda: line.named("value")[-1].data["phase"] == "cp")
    resumed, _ = hub.listen(last_id=line.events[-1].id)
    assert [(event.name, event.data.get("state")) for event in resumed.events] == [
        ("phase", "closing"),
        ("value", None),
    ], "who comes from another node may not know it, and no position tells"


async def test_what_was_missed_comes_first_and_the_value_after_it(hub: Hub, node: Node) -> None:
    line, stream = hub.listen()
    last = line.events[-1].id
    hub.forget(stream)
    for n in (2, 3):
        await node.milestones.add("shop", n)
        await node.add(visits("shop"))
        await until(lambda n=n: not node.milestones.find("shop", n).open)  # type: ignore[misc]
    line, stream = hub.listen(last_id=last)
    assert [(event.name, event.data.get("n")) for event in line.events] == [
        ("winner", 2),
        ("winner", 3),
        ("value", None),
    ]
    between, _ = hub.listen(last_id=line.events[0].id)
    assert [(event.name, event.data.get("n")) for event in between.events] == [("winner", 3), ("value", None)]
    nothing, _ = hub.listen(last_id=line.events[-1].id)
    assert [event.name for event in nothing.events] == ["value"]


async def test_an_id_of_another_node_is_as_good_and_one_of_another_log_is_none(cluster: Cluster) -> None:
    first, second = await cluster.start("n1"), await cluster.start("n4")
    await until(cluster.settled)
    hubs = Hub(first), Hub(second)
    line, stream = hubs[0].listen()
    await first.milestones.add("shop", 2)
    await until(lambda: line.named("phase"))
    last = line.events[-1].id
    hubs[0].forget(stream)
    await second.add(visits("shop", 2))
    await until(lambda: all(not node.milestones.find("shop", 2).open for node in (first, second)))
    await cluster.shows("shop", 2)
    elsewhere, _ = hubs[1].listen(last_id=last)
    assert [event.name for event in elsewhere.events] == ["winner", "value"]
    known, _ = hubs[1].listen(last_id=elsewhere.events[-1].id)
    assert [event.name for event in known.events] == ["value"]
    foreign, _ = hubs[1].listen(last_id=f"{10**6}-00000000")
    assert [event.name for event in foreign.events] == ["winner", "value"]
    for hub in hubs:
        hub.stop()


async def test_a_node_that_was_started_anew_leaves_out_nothing(cluster: Cluster, node: Node) -> None:
    hub = Hub(node)
    line, _ = hub.listen()
    last = line.events[-1].id
    await node.milestones.add("shop", 2)
    receipts = (await node.add(visits("shop", 2))).receipts
    await until(lambda: line.named("winner"))
    reached = line.named("winner")[0].id
    await node.milestones.claim("shop", 2, receipts[0], None)
    await until(lambda: len(line.named("winner")) == 2)
    hub.stop()
    await cluster.kill("n1")
    again = Hub(await cluster.start("n1"))
    for told in (last, reached):
        line, _ = again.listen(last_id=told)
        [winner] = line.named("winner")
        assert winner.data["winner"]["claimed"]
    again.stop()


async def test_a_reader_that_does_not_read_gets_only_the_newest_once_it_does(hub: Hub, node: Node) -> None:
    line, _ = hub.listen()
    quick, _ = hub.listen()
    line.clogged = True
    await node.milestones.add("shop", 20)
    for _ in range(25):
        await node.add(visits("shop"))
        await asyncio.sleep(0.2)
    await until(lambda: quick.named("winner") and quick.values[-1] == 26)
    assert line.values == [1], "nothing is written to it"
    line.clogged = False
    await until(lambda: line.values[-1] == 26)
    assert [event.name for event in line.events] == ["value", "winner", "value"]
    assert len(quick.values) > 20


async def test_what_a_stream_is_told_after_it_was_slow_goes_on_as_for_all(hub: Hub, node: Node) -> None:
    line, _ = hub.listen()
    line.clogged = True
    await node.add(visits("shop"))
    await asyncio.sleep(1)
    line.clogged = False
    await until(lambda: line.values == [1, 2])
    await node.add(visits("shop"))
    await until(lambda: line.values == [1, 2, 3])
    await asyncio.sleep(20)
    assert line.values == [1, 2, 3]


async def test_who_has_missed_much_gets_it_in_portions_and_all_of_it(
    hub: Hub, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_hub, "CATCH_UP_BYTES", 1_000)
    for n in range(2, 12):
        await node.milestones.add("shop", n)
    await node.add(visits("shop", 20))
    await until(lambda: not node.counting.definitions.milestones.open())
    line, _ = hub.listen(last_id=f"0-{node.watching.log}")
    assert 1 <= len(line.events) < 10
    line.clogged = True
    await asyncio.sleep(1)
    assert 1 <= len(line.events) < 10
    line.clogged = False
    await until(lambda: line.values)
    assert [event.data["n"] for event in line.named("winner")] == list(range(2, 12))
    assert [event.position for event in line.events] == sorted(event.position for event in line.events)


async def test_a_stream_of_many_tells_what_changed_together_and_of_the_whole(hub: Hub, node: Node) -> None:
    await node.milestones.add("elsewhere", 2)
    line, _ = hub.listen(Watch(("shop", "blog"), many=True, whole=True, full=True))
    assert [event.name for event in line.events] == ["values", "overview"]
    assert [reading["counter"] for reading in line.events[0].data] == ["shop", "blog"]
    assert line.events[1].data["nodes"][0]["id"] == "n1"
    await node.add([*visits("shop"), *visits("blog", 2)])
    await until(lambda: len(line.named("values")) > 1)
    assert {one["counter"]: one["value"] for event in line.named("values") for one in event.data} == {
        "shop": 2,
        "blog": 2,
    }
    await node.add(visits("elsewhere", 2))
    await until(lambda: line.named("winner"))
    assert line.named("winner")[0].data["counter"] == "elsewhere"
    assert not line.named("phase")
    await asyncio.sleep(5)
    told = line.named("overview")
    assert told[-1].data["milestones"][0]["state"] == "reached"
    assert len(told) <= 10


async def test_the_whole_is_not_for_all(hub: Hub, node: Node) -> None:
    await node.milestones.add("shop", 2)
    await node.milestones.add("elsewhere", 2)
    open_, _ = hub.listen(Watch(("shop",), many=True, whole=True))
    some, _ = hub.listen(Watch(("shop",), many=True))
    assert open_.named("overview")[0].data["nodes"] == []
    await node.add([*visits("shop", 2), *visits("elsewhere", 2)])
    await until(lambda: len(open_.named("winner")) == 2)
    await asyncio.sleep(2)
    assert [event.data["counter"] for event in some.named("winner")] == ["shop"]
    assert not some.named("overview")


async def test_who_is_about_the_same_gets_the_same_bytes(hub: Hub, node: Node) -> None:
    lines = [hub.listen()[0] for _ in range(3)]
    await node.add(visits("shop"))
    await until(lambda: all(line.values[-1] == 2 for line in lines))
    assert lines[0].written[-1] is lines[1].written[-1] is lines[2].written[-1]
    assert hub.traffic.events == 6


@pytest.mark.parametrize("seed", range(8))
async def test_values_never_fall_whenever_someone_joins_is_slow_or_leaves(
    hub: Hub, node: Node, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a turn for others after every write, everything happens in the midst of rounds."""
    monkeypatch.setattr(events_hub, "SLICE_S", -1.0)
    monkeypatch.setattr(events_hub, "VALUES_S", 0.01)
    hub._streams_max = 1_000
    random = Random(seed)
    everyone: list[Listener] = []
    present: list[tuple[Listener, Stream]] = []
    for number in range(1, 9):
        await node.milestones.add("shop", number * 50)
    last = ""
    for _ in range(400):
        what = random.choice(["visit", "visit", "join", "join", "come back", "leave", "slow", "quick", "wait"])
        if what == "visit":
            await node.add(visits("shop", random.randint(1, 3)), durable=False)
        elif what in ("join", "come back") and len(present) < 12:
            present.append(hub.listen(last_id=last if what == "come back" and last else None))
            everyone.append(present[-1][0])
        elif what == "leave" and present:
            line, stream = present.pop(random.randrange(len(present)))
            last = line.events[-1].id
            hub.forget(stream)
        elif what in ("slow", "quick") and present:
            random.choice(present)[0].clogged = what == "slow"
        await asyncio.sleep(random.choice([0, 0, 0, 0.001, 0.02]))
    for line, _ in present:
        line.clogged = False
    await asyncio.sleep(2)
    value = node.read("shop").value
    assert value > 100
    for line in everyone:
        assert line.values == sorted(line.values)
        positions = [event.position for event in line.events]
        assert positions == sorted(positions)
    assert all(line.values[-1] == value for line, _ in present)


async def test_there_are_only_so_many_streams_and_counters(
    hub: Hub, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = [hub.listen()[1] for _ in range(10)]
    with pytest.raises(OverloadedError, match="10 streams"):
        hub.listen()
    hub.forget(streams[0])
    hub.listen()
    hub.forget(streams[1])
    monkeypatch.setattr(events_hub, "TOPICS_MAX", 1)
    with pytest.raises(OverloadedError, match="1 counters are watched"):
        hub.listen(Watch(("other",)))
    assert (hub.traffic.streams, hub.traffic.streams_refused) == (9, 2)


async def test_invented_names_leave_room_for_counters(hub: Hub, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_hub, "UNDEFINED_MAX", 2)
    _, invented = hub.listen(Watch(("made.up", "shop", "made.up2"), many=True))
    with pytest.raises(OverloadedError, match="2 names that no counter has are watched"):
        hub.listen(Watch(("made.up3",)))
    assert hub.traffic.streams_refused == 1
    hub.listen(Watch(("made.up",)))
    hub.listen()
    await node.add(visits("made.up2"))
    hub.listen(Watch(("made.up3",)))
    with pytest.raises(OverloadedError, match="2 names"):
        hub.listen(Watch(("made.up4",)))
    hub.forget(invented)
    with pytest.raises(OverloadedError, match="2 names"):
        hub.listen(Watch(("made.up4",)))
    for stream in list(hub._streams):
        hub.forget(stream)
    hub.listen(Watch(("made.up4", "made.up5"), many=True))


async def test_streams_end_when_the_node_answers_no_more_and_none_begins(hub: Hub, node: Node) -> None:
    _, stream = hub.listen()
    node.counting.aggregator.fail(IntegrityError("the log was replaced"))
    await until(stream.over.done)
    with pytest.raises(NotReadyError, match="replaced"):
        hub.listen()
    assert hub.traffic.streams == 0


async def test_streams_end_at_once_when_the_node_stops(hub: Hub) -> None:
    _, stream = hub.listen()
    hub.stop()
    assert stream.over.done()
    with pytest.raises(NotReadyError, match="stopping"):
        hub.listen()


async def test_a_bug_ends_the_streams_and_not_the_node(
    hub: Hub, node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _, stream = hub.listen()
    with monkeypatch.context() as patch:
        patch.setattr(node.watching, "look", lambda: 1 / 0)
        await until(stream.over.done)
    assert "all streams of events end" in caplog.text
    line, _ = hub.listen()
    await node.add(visits("shop"))
    await until(lambda: line.values[-1] == 2)


async def test_when_nobody_listens_nothing_is_looked_at(hub: Hub, node: Node) -> None:
    _, stream = hub.listen()
    hub.forget(stream)
    await asyncio.sleep(1)
    assert hub._task is None
    assert not hub._topics
    assert not hub._groups
    await node.milestones.add("shop", 2)
    await node.add(visits("shop", 2))
    await until(lambda: not node.milestones.find("shop", 2).open)
    line, _ = hub.listen()
    await asyncio.sleep(1)
    assert [event.name for event in line.events] == ["value"], "a new stream is told of what happens from now on"


async def test_a_cursor_is_above_all_changes_of_its_position() -> None:
    assert Change(5) > Change(5, "zzz", 2**63 - 1)
    assert Change(5) < Change(6, "-", 1)
