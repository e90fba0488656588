"""Requests about milestones, claims and imports are read strictly, or are the caller's error."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from footfall.errors import CallerError, InvalidRequestError, InvalidVisitError, MalformedRequestError
from footfall.web.milestone_requests import check_nothing, parse_claim, parse_import, parse_n
from footfall.web.wire import Import


@pytest.mark.parametrize("n", [1, 9, 10, 100_000_000_000, 2**63 - 1])
def test_n_is_read_from_its_digits(n: int) -> None:
    assert parse_n(str(n)) == n


@pytest.mark.parametrize(
    "text",
    ["", "0", "-1", "+1", "01", "1.0", "1e3", "1_000", "1,000", " 1", "1 ", "1\n", "٣", "²", "0x10", "ten", "nan",
     str(2**63), "9" * 19, "9" * 5000],
)  # fmt: skip
def test_whatever_else_is_written_as_n_is_refused_and_shown(text: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        parse_n(text)
    assert repr(text[:60]) in str(refused.value)
    assert len(str(refused.value)) < 200


@given(st.text(max_size=30) | st.integers().map(str))
def test_n_is_written_in_one_way(text: str) -> None:
    with contextlib.suppress(InvalidRequestError):
        assert str(parse_n(text)) == text


def test_a_body_that_should_say_nothing_is_empty_or_an_empty_object() -> None:
    for body in (b"", b"{}", b" {\n} "):
        check_nothing(body)
    for body in (b"[]", b"null", b'""', b'{"n":5}', b"0"):
        with pytest.raises(InvalidRequestError):
            check_nothing(body)
    with pytest.raises(MalformedRequestError):
        check_nothing(b"{")


def test_a_claim_is_a_receipt_and_nothing_else() -> None:
    assert parse_claim(b'{"receipt":"a:b"}') == "a:b"
    assert parse_claim(b'{"receipt":"%b"}' % (b"r" * 513)) == "r" * 513
    for body in (b"{}", b'{"receipt":1}', b'{"receipt":null}', b'{"receipt":"a","n":1}', b'["a"]'):
        with pytest.raises(InvalidRequestError):
            parse_claim(body)
    with pytest.raises(InvalidRequestError, match="twice"):
        parse_claim(b'{"receipt":"a","receipt":"b"}')
    for body in (b'{"receipt":""}', b'{"receipt":"a\\n"}', b'{"receipt":"%b"}' % (b"r" * 514)):
        with pytest.raises(InvalidVisitError, match="receipt"):
            parse_claim(body)
    with pytest.raises(MalformedRequestError):
        parse_claim(b"")


def test_an_import_is_a_value_and_a_note() -> None:
    assert parse_import(b'{"value":5,"note":"a: b"}') == Import(5, "a: b")
    for body in (b"{}", b'{"value":5}', b'{"note":"a"}', b'{"value":5.0,"note":"a"}', b'{"value":"5","note":"a"}'):
        with pytest.raises(InvalidRequestError):
            parse_import(body)
    with pytest.raises(InvalidRequestError, match="'value' is given twice"):
        parse_import(b'{"value":5,"value":6,"note":"a"}')


@given(st.binary(max_size=60))
@example(b"[" * 100_000)
@example(b'{"note":' * 100_000)
def test_any_bytes_are_a_request_or_the_callers_error(body: bytes) -> None:
    for parse in (check_nothing, parse_claim, parse_import):
        with contextlib.suppress(CallerError):
            parse(body)
