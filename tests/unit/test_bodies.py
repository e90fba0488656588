"""A field that a body has twice is found wherever it is and however it is written; nothing else is taken for one."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.errors import InvalidRequestError, MalformedRequestError
from footfall.web import requests
from footfall.web.bodies import decode, find_repeat, refuse_repeats

Pairs = list[tuple[str, Any]]

texts = st.text(st.sampled_from(':"\\,{}[] aé\u2028😀'), max_size=6)
values = texts | st.integers(1, 5) | st.none()
names = st.sampled_from(["visitor", "key", "count", "counter"])
objects = st.dictionaries(names, values, max_size=4).map(lambda found: list(found.items()))


def written(pairs: Pairs, escaped: bool, spaces: str) -> str:
    def name_of(name: str) -> str:
        return f'"\\u{ord(name[0]):04x}{name[1:]}"' if escaped else f'"{name}"'

    def text_of(value: Any) -> str:
        text = json.dumps(value, ensure_ascii=escaped)
        return text.replace(":", "\\u003a") if escaped else text

    return "{" + ",".join(f"{name_of(name)}{spaces}:{spaces}{text_of(value)}" for name, value in pairs) + "}"


def fields_and_texts(items: list[Pairs]) -> tuple[int, list[str]]:
    """As a decoder knows them: what was sent as null, or as a count of 1, is not told from what was not sent."""
    kept = [dict(pairs) for pairs in items]
    given_values = [value for item in kept for value in item.values() if value not in (None, 1)]
    return len(given_values), [value for value in given_values if isinstance(value, str)]


@given(st.lists(objects, max_size=5), st.booleans(), st.sampled_from(["", " ", "\n"]), st.data())
def test_a_field_is_found_to_be_given_twice_if_and_only_if_it_is(
    items: list[Pairs], escaped: bool, spaces: str, data: st.DataObject
) -> None:
    twice = None
    if data.draw(st.booleans()) and any(items):
        index = data.draw(st.sampled_from([index for index, pairs in enumerate(items) if pairs]))
        name, _ = data.draw(st.sampled_from(items[index]))
        items[index].insert(data.draw(st.integers(0, len(items[index]))), (name, data.draw(values)))
        twice = (name, index)
    body = f'{{"visits":[{",".join(written(pairs, escaped, spaces) for pairs in items)}]}}'.encode()
    fields, found = fields_and_texts(items)
    assert find_repeat(body, 1 + fields, found) == twice
    if items:
        body = written(items[0], escaped, spaces).encode()
        fields, found = fields_and_texts(items[:1])
        assert find_repeat(body, fields, found) == ((twice[0], None) if twice and twice[1] == 0 else None)


@pytest.mark.parametrize(
    "body",
    [
        '{"visitor":"2001:db8::1"}',
        '{"visitor":"\\u003a:\\"visitor\\":"}',
        '{ "visitor" : "visitor", "count" : 1 }',
        '{"visits":[{"visitor":null,"key":null,"count":1},{"visitor":"a:b","key":"c:d"}]}',
        '{"visitors":["::1","::2"],"keys":["a:1","a\\\\:2"]}',
    ],
)
def test_colons_in_texts_and_defaults_that_are_sent_are_no_fields_given_twice(body: str) -> None:
    assert requests.parse_visits("shop", body.encode(), None).visits


def test_a_chunk_with_colons_everywhere_is_read() -> None:
    body = b'{"source":{"id":"a:b","from":0,"to":9},"visits":[{"counter":"a","visitor":"::1"}]}'
    assert requests.parse_batch(body, None).visits[0].visitor == "::1"


def test_the_object_around_and_the_one_of_the_source_are_looked_at_too() -> None:
    for body, field in (
        (b'{"visits":[],"source":{"id":"s","to":5,"to":6}}', "to"),
        (b'{"visits":[],"visits":[]}', "visits"),
    ):
        with pytest.raises(InvalidRequestError, match=f"'{field}' is given twice") as refused:
            refuse_repeats(body, 1)
        assert refused.value.index is None


class Shape(msgspec.Struct):
    count: int


read = msgspec.json.Decoder(Shape).decode


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"count":1e3}', r"which is 1000.0; write a whole number in digits alone"),
        (b'{"count":"%b"}' % (b"a" * 50), r'which is "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\.\.\.;'),
        (b'{"count":[', "got `array` - at `.\\.count`; write"),  # and not JSON to its end
        (b'{"count":' + b"[" * 10_000, "got `array`"),
        (b"[]", "Expected `object`, got `array`; write an object with fields"),
    ],
)
def test_a_value_of_the_wrong_type_is_shown_with_what_to_write(body: bytes, says: str) -> None:
    with pytest.raises(InvalidRequestError, match=says):
        decode(read, body)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "there is no body"),
        (rb'{"a":"\ud800"}', r"\\ud800 is half of a character; write both"),
        (rb'{"a":"\ud83d\ude00\udC00"}', r"\\udC00 is half"),
        (rb'{"a":"\\ud800', "truncated"),  # a backslash, and five letters
        (rb'{"a":"\ud83d\ude00', "truncated"),
        (b'{"a":"\xff"}', "not UTF-8"),
    ],
)
def test_what_is_not_json_is_told_why(body: bytes, says: str) -> None:
    with pytest.raises(MalformedRequestError, match=says):
        decode(msgspec.json.Decoder(dict[str, str]).decode, body)
