"""What a server says of its streams is read for what it is."""

import pytest

from footfall.log.facts import StreamFacts, has_quorum, stream_facts

SECOND = 10**9


@pytest.mark.parametrize(
    ("heard", "quorum"),
    [
        ([], True),
        ([SECOND, SECOND], True),
        ([SECOND, 60 * SECOND], True),
        ([10 * SECOND, 60 * SECOND], False),
        ([SECOND, SECOND, 9 * SECOND, 9 * SECOND], True),
        ([SECOND, 9 * SECOND, 9 * SECOND, 9 * SECOND], False),
    ],
)
def test_a_server_that_has_not_heard_most_of_the_others_lately_has_no_quorum(heard: list[int], quorum: bool) -> None:
    copies = [{"name": f"s{number}", "current": True, "active": ago_ns} for number, ago_ns in enumerate(heard)]
    assert has_quorum({"cluster": {"leader": "me", "replicas": copies}}) is quorum
    assert has_quorum({"cluster": {"replicas": copies}}) is (not heard), "nobody leads"
    offline = [{**copy, "offline": True} for copy in copies]
    assert has_quorum({"cluster": {"leader": "me", "replicas": offline}}) is (not heard)


def test_facts_are_what_the_server_says_and_a_stream_that_is_not_there_has_none() -> None:
    assert stream_facts("S", {}) == StreamFacts("S", {})
    copies = [{"name": "a", "current": True}, {"name": "b"}, {"name": "c", "current": True, "offline": True}]
    state = {"messages": 3, "first_seq": 2, "last_seq": 5, "num_deleted": 1, "bytes": 9, "consumer_count": 4}
    info = {"config": {"name": "S"}, "state": state, "cluster": {"replicas": copies}, "ts": "1970-01-01T00:00:01.5Z"}
    assert stream_facts("S", info) == StreamFacts("S", {"name": "S"}, 3, 2, 5, 1, 9, 4, ("b", "c"), 1_500_000_000)
