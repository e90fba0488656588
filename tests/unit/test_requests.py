"""What bodies, headers and parameters mean, and that nothing else comes out than visits or the caller's errors."""

import contextlib

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from footfall.core.names import Unit
from footfall.core.visit import BATCH_VISITS_MAX, COUNT_MAX, Visit
from footfall.errors import (
    CallerError,
    InvalidRequestError,
    InvalidVisitError,
    MalformedRequestError,
    TooLargeError,
    UnknownUnitError,
)
from footfall.web import requests
from footfall.web.connection import HEAD_BYTES_MAX
from footfall.web.requests import Chunk

encode = msgspec.json.encode


def visits(body: object, key: str | None = None) -> list[Visit]:
    return requests.parse_visits("shop", encode(body), key).visits


def batch(body: object, key: str | None = None) -> requests.BatchRequest:
    return requests.parse_batch(encode(body), key)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"visitor":null}', b'{"count":1}'])
def test_nothing_at_all_is_one_visit_by_nobody(body: bytes) -> None:
    assert requests.parse_visits("shop", body, None) == ([Visit("shop")], True)


def test_a_visit_may_name_its_visitor_and_a_count() -> None:
    assert visits({"visitor": "a"}) == [Visit("shop", "a")]
    assert visits({"count": 5}) == [Visit("shop", count=5)]
    assert visits({"visitor": "a", "count": 5}) == [Visit("shop", "a", count=5)]


def test_a_list_of_visitors_is_one_visit_each_with_its_own_key() -> None:
    assert visits({"visitors": ["a", "b"]}) == [Visit("shop", "a"), Visit("shop", "b")]
    assert visits({"visitors": ["a", "b"], "keys": ["k", "l"]}) == [Visit("shop", "a", "k"), Visit("shop", "b", "l")]
    assert not requests.parse_visits("shop", b'{"visitors":["a"]}', None).single


def test_a_list_of_visits_holds_all_that_a_visit_has() -> None:
    items = [{}, {"visitor": "a"}, {"visitor": "b", "key": "k", "count": 2}]
    assert visits({"visits": items}) == [Visit("shop"), Visit("shop", "a"), Visit("shop", "b", "k", 2)]


def test_an_idempotency_key_is_the_key_of_one_visit_or_numbers_those_of_a_list() -> None:
    assert visits({"count": 3}, "K") == [Visit("shop", None, "K", 3)]
    assert [visit.key for visit in visits({"visitors": ["a", "b"]}, "K")] == ["K:0", "K:1"]
    assert [visit.key for visit in visits({"visits": [{}, {}]}, "K")] == ["K:0", "K:1"]
    assert [visit.key for visit in batch({"visits": [{"counter": "a"}, {"counter": "b"}]}, "K").visits] == [
        "K:0",
        "K:1",
    ]


def test_a_batch_names_a_counter_for_each_visit() -> None:
    asked = batch({"visits": [{"counter": "a", "visitor": "v"}, {"counter": "b.c", "key": "k", "count": 2}]})
    assert [msgspec.structs.astuple(one) for one in asked.visits] == [("a", "v", None, 1), ("b.c", None, "k", 2)]
    assert asked.chunk is None


def test_a_batch_of_a_source_says_which_bytes_it_is_and_may_hold_no_visit() -> None:
    asked = batch({"source": {"id": "log:1", "from": 0, "to": 10}, "visits": []})
    assert asked.chunk == Chunk("log:1", 0, 10)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "Expected `object`, got `array`"),
        (None, "got `null`"),
        ({"visitor": 1}, "$.visitor"),
        ({"visitor": {"visitor": "a"}}, "got `object`"),
        ({"vistor": "a"}, "unknown field `vistor`"),
        ({"count": 1.5}, "got `float`"),
        ({"count": "1"}, "got `str`"),
        ({"count": True}, "got `bool`"),
        ({"count": None}, "$.count"),
        ({"visitors": "a"}, "$.visitors"),
        ({"visitors": None}, "$.visitors"),
        ({"visitors": []}, "no visits"),
        ({"visits": []}, "no visits"),
        ({"keys": ["k"]}, "keys without visitors"),
        ({"visitors": ["a"], "keys": ["k", "l"]}, "1 visitors but 2 keys"),
        ({"visitors": ["a"], "keys": None}, "$.keys"),
        ({"visitors": ["a"], "visitor": "b"}, "mixes forms"),
        ({"visits": [{}], "count": 2}, "mixes forms"),
        ({"visits": [{}], "visitors": ["a"]}, "mixes forms"),
        ({"visits": {"visits": []}}, "$.visits"),
    ],
)
def test_a_body_of_the_wrong_shape_is_refused_and_told_what_is_wrong(body: object, says: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        visits(body)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("body", "index"),
    [
        ({"visitors": ["a", 3]}, 1),
        ({"visits": [{}, {}, {"visitor": 3}]}, 2),
        ({"visits": [{}, {"counter": "a"}]}, 1),
        ({"visits": [{}, {"visits": []}]}, 1),
        ({"visits": [{"count": 0.5}]}, 0),
        ({"visits": [[]]}, 0),
    ],
)
def test_a_list_with_one_wrong_visit_is_refused_whole_naming_its_index(body: object, index: int) -> None:
    with pytest.raises(InvalidRequestError, match=f"visit {index}: ") as refused:
        visits(body)
    assert refused.value.index == index


@pytest.mark.parametrize(
    "body", [{"visits": [{"counter": "a"}, {}]}, {"visits": [{"counter": "a"}, {"counter": "a b"}]}]
)
def test_a_visit_of_a_batch_without_a_proper_counter_is_named_by_its_index(body: object) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        batch(body)
    assert refused.value.index == 1


@pytest.mark.parametrize("count", [0, -1, COUNT_MAX + 1, 2**63, 10**30])
def test_a_count_is_from_one_to_its_limit(count: int) -> None:
    with pytest.raises(InvalidVisitError, match=str(count)):
        requests.parse_visits("shop", b'{"count":%d}' % count, None)


def test_a_count_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="out of range"):
        requests.parse_visits("shop", b'{"count":' + b"9" * 5000 + b"}", None)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "truncated"),
        (b"visitor=a", "malformed"),
        (b'{"visitor":"a"} {}', "trailing"),
        (b"\xef\xbb\xbf{}", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b'{"visitor":"\xff"}', "not UTF-8"),
        (b'{"visitor":"\\ud800"}', "not JSON"),
        (b"NaN", "malformed"),
    ],
)
def test_a_body_that_is_not_json_in_utf8_is_malformed(body: bytes, says: str) -> None:
    with pytest.raises(MalformedRequestError, match=says):
        requests.parse_visits("shop", body, None)


def test_a_batch_over_its_limit_is_too_large() -> None:
    full = ["a"] * BATCH_VISITS_MAX
    assert len(visits({"visitors": full})) == BATCH_VISITS_MAX
    with pytest.raises(TooLargeError, match="10001"):
        visits({"visitors": [*full, "a"]})
    with pytest.raises(TooLargeError):
        visits({"visits": [{}] * (BATCH_VISITS_MAX + 1)})
    with pytest.raises(TooLargeError):
        batch({"visits": [{"counter": "a"}] * (BATCH_VISITS_MAX + 1)})
    with pytest.raises(TooLargeError):
        batch({"source": {"id": "s", "from": 0, "to": 1}, "visits": [{"counter": "a"}] * (BATCH_VISITS_MAX + 1)})


@pytest.mark.parametrize(
    "source",
    [
        {"id": "s", "from": 5, "to": 5},
        {"id": "s", "from": 5, "to": 4},
        {"id": "s", "from": -1, "to": 4},
        {"id": "s", "from": 0, "to": 2**63},
        {"id": "", "from": 0, "to": 4},
        {"id": "a/b", "from": 0, "to": 4},
        {"id": "s" * 201, "from": 0, "to": 4},
        {"id": "s", "from": 0},
        {"id": "s", "from": 0, "to": 4, "file": "x"},
        None,
    ],
)
def test_a_chunk_that_is_none_is_refused(source: object) -> None:
    with pytest.raises(InvalidRequestError):
        batch({"source": source, "visits": []})


def test_keys_come_from_the_body_or_from_the_header() -> None:
    for body in ({"visitors": ["a"], "keys": ["k"]}, {"visits": [{"key": "k"}]}):
        with pytest.raises(InvalidRequestError, match="Idempotency-Key"):
            visits(body, "K")
    with pytest.raises(InvalidRequestError, match="Idempotency-Key"):
        batch({"visits": [{"counter": "a", "key": "k"}]}, "K")
    with pytest.raises(InvalidRequestError, match="Idempotency-Key"):
        batch({"source": {"id": "s", "from": 0, "to": 1}, "visits": []}, "K")


def test_one_idempotency_key_of_1_to_250_bytes_is_read() -> None:
    assert requests.parse_key([]) is None
    assert requests.parse_key(["ключ".encode()]) == "ключ"
    assert requests.parse_key([b"k" * 250]) == "k" * 250
    for values in ([b""], [b"k" * 251], [b"\xff"], [b"a", b"a"], [b"a\x01"]):
        with pytest.raises(CallerError):
            requests.parse_key(values)


def test_several_sources_are_named_with_commas_up_to_a_bound() -> None:
    most = ["a" * requests.SOURCE_LENGTH_MAX] * requests.SOURCES_ASKED_MAX
    assert requests.parse_sources("log-1,www:2") == ["log-1", "www:2"]
    assert requests.parse_sources(",".join(most)) == most
    assert len(",".join(most)) < HEAD_BYTES_MAX
    for text, says in (
        (None, "no source is named"),
        ("", "no source is named"),
        ("a,,b", "'' cannot name"),
        ("a b", "'a b' cannot name"),
        (",".join([*most, "a"]), f"{len(most) + 1} sources are named"),
    ):
        with pytest.raises(InvalidRequestError, match=says):
            requests.parse_sources(text)


def test_a_definition_names_a_unit() -> None:
    assert requests.parse_definition(b'{"unit":"visitors"}') is Unit.VISITORS
    with pytest.raises(UnknownUnitError, match="people"):
        requests.parse_definition(b'{"unit":"people"}')
    for body in (b"{}", b'{"unit":1}', b'{"unit":"visits","name":"a"}', b"[]"):
        with pytest.raises(InvalidRequestError):
            requests.parse_definition(body)
    with pytest.raises(MalformedRequestError):
        requests.parse_definition(b"")


def test_parameters_are_known_given_once_and_of_their_values() -> None:
    assert requests.parse_query([("a", "1")], ["a", "b"]) == {"a": "1"}
    for pairs in ([("c", "1")], [("a", "1"), ("a", "2")]):
        with pytest.raises(InvalidRequestError):
            requests.parse_query(pairs, ["a", "b"])
    assert [requests.parse_limit(text) for text in (None, "1", "1000")] == [100, 1, 1000]
    for text in ("0", "1001", "-1", "1.5", "", "ten", "٣", "9" * 50):
        with pytest.raises(InvalidRequestError):
            requests.parse_limit(text)
    assert [requests.parse_ack(text) for text in (None, "durable", "received")] == [True, True, False]
    with pytest.raises(InvalidRequestError):
        requests.parse_ack("never")
    assert [requests.parse_consistency(text) for text in (None, "eventual", "linearizable")] == [False, False, True]
    with pytest.raises(InvalidRequestError, match="'strong'"):
        requests.parse_consistency("strong")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["visitor", "count", "visitors", "keys", "visits", "key", "counter", "source", "id", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
bodies = (
    st.binary(max_size=60)
    | json_values.map(encode)
    | st.tuples(json_values, st.binary(max_size=3)).map(lambda pair: encode(pair[0]) + pair[1])
)


@given(body=bodies, key=st.none() | st.text(min_size=1, max_size=5))
@example(body=b"[" * 100_000, key=None)
@example(body=b'{"visits":' * 100_000, key=None)
@example(body=b'{"x":' + b"[" * 100_000, key=None)
@example(body=b'{"visits":[' + b"[" * 100_000, key=None)
def test_whatever_is_sent_comes_out_as_visits_or_as_the_callers_error(body: bytes, key: str | None) -> None:
    with contextlib.suppress(CallerError):
        assert all(isinstance(visit, Visit) for visit in requests.parse_visits("a", body, key).visits)
    with contextlib.suppress(CallerError):
        assert all(isinstance(visit, Visit) for visit in requests.parse_batch(body, key).visits)


@given(st.binary(max_size=40))
def test_a_definition_is_a_unit_or_the_callers_error(body: bytes) -> None:
    with contextlib.suppress(CallerError):
        assert requests.parse_definition(body) in Unit
