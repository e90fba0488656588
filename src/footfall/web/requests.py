"""Reads requests: bytes and header values in, visits or an error out. Pure; what a visit may be is the core's."""

import re
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from footfall.core.names import NAME_LENGTH_MAX, Unit, check_name, check_unit
from footfall.core.visit import BATCH_VISITS_MAX, COUNT_MAX, Visit, check_text
from footfall.errors import InvalidNameError, InvalidRequestError, InvalidVisitError, TooLargeError
from footfall.node.history import Span
from footfall.web.bodies import decode, refuse_repeats

KEY_HEADER_BYTES_MAX = 250  # ":9999" still fits behind it into a key's 256 bytes
SOURCE_LENGTH_MAX = 200
SOURCES_ASKED_MAX = 100  # at once: with ids as long as may be they still fit into the head of a request
OFFSET_MAX = 2**63 - 1
LIST_LIMIT_DEFAULT = 100
LIST_LIMIT_MAX = 1000

_SOURCE = re.compile(rf"[A-Za-z0-9_.:-]{{1,{SOURCE_LENGTH_MAX}}}\Z")
_SEARCH = re.compile(rf"[A-Za-z0-9_.-]{{1,{NAME_LENGTH_MAX}}}\Z")
_NUMBER = re.compile(r"[0-9]{1,9}\Z")


class Chunk(NamedTuple):
    """The part of a source that a batch was read from: bytes ``start`` (included) to ``end`` (excluded)."""

    source: str
    start: int
    end: int


class CounterRequest(NamedTuple):
    """Visits to one counter; ``single`` says that one receipt answers, not a list."""

    visits: list[Visit]
    single: bool


class BatchRequest(NamedTuple):
    """Visits to any counters, and the part of a source that they are."""

    visits: Sequence[Visit]
    chunk: Chunk | None


class _Item(msgspec.Struct, forbid_unknown_fields=True):
    visitor: str | None = None
    key: str | None = None
    count: int = 1


class _Visits(msgspec.Struct, forbid_unknown_fields=True):
    """All forms at once: the error then says what is wrong with a field, not that no form fits."""

    visitor: str | UnsetType | None = UNSET
    count: int | UnsetType = UNSET
    visitors: list[str] | UnsetType = UNSET
    keys: list[str] | UnsetType = UNSET
    visits: list[_Item] | UnsetType = UNSET


class _CounterVisit(Visit, frozen=True, forbid_unknown_fields=True):
    pass


class _Source(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    start: int = msgspec.field(name="from")
    end: int = msgspec.field(name="to")


class _Batch(msgspec.Struct, forbid_unknown_fields=True):
    visits: list[_CounterVisit]
    source: _Source | UnsetType = UNSET


class _Definition(msgspec.Struct, forbid_unknown_fields=True):
    unit: str


_decode_visits = msgspec.json.Decoder(_Visits).decode
_decode_batch = msgspec.json.Decoder(_Batch).decode
_decode_definition = msgspec.json.Decoder(_Definition).decode


def parse_visits(counter: str, body: bytes, key: str | None) -> CounterRequest:
    """The visits of a request to one counter.

    Args:
        counter: The counter's name.
        body: Empty, or JSON of one of the forms.
        key: What ``parse_key`` found.

    Raises:
        MalformedRequestError: The body is not JSON in UTF-8.
        InvalidRequestError: It is of no form, or mixes two.
        InvalidVisitError: It holds a visit that is not one.
        TooLargeError: It holds too many visits.
    """
    form = _form(body) if body else _Visits()
    forms = (
        form.visitor is not UNSET or form.count is not UNSET,
        form.visitors is not UNSET or form.keys is not UNSET,
        form.visits is not UNSET,
    )
    if sum(forms) > 1:
        raise InvalidRequestError(
            "the body mixes forms: send visitor and count, or visitors and keys, or visits, or nothing at all"
        )
    if form.visits is not UNSET:
        return CounterRequest(_from_items(counter, form.visits, key), single=False)
    if forms[1]:
        return CounterRequest(_from_visitors(counter, form.visitors, form.keys, key), single=False)
    visitor = None if form.visitor is UNSET else form.visitor
    count = 1 if form.count is UNSET else form.count
    if not 1 <= count <= COUNT_MAX:
        raise InvalidVisitError(f"the count is {count}; it must be a whole number from 1 to {COUNT_MAX}")
    return CounterRequest([Visit(counter, visitor, key, count)], single=True)


def parse_batch(body: bytes, key: str | None) -> BatchRequest:
    """The visits of a request to any counters. Raises what ``parse_visits`` raises."""
    batch = decode(_decode_batch, body)
    _refuse_repeats(body, batch.visits, 1 if batch.source is UNSET else 5)
    _check_names(batch.visits)
    if batch.source is not UNSET:
        if key is not None:
            raise InvalidRequestError("a chunk of a source takes no Idempotency-Key: its offsets make it repeatable")
        if len(batch.visits) > BATCH_VISITS_MAX:
            raise TooLargeError(_too_many(len(batch.visits)))
        return BatchRequest(batch.visits, _chunk(batch.source))
    _check_length(batch.visits)
    if key is None:
        return BatchRequest(batch.visits, None)
    _refuse_keys(batch.visits)
    keyed = [
        Visit(visit.counter, visit.visitor, f"{key}:{index}", visit.count) for index, visit in enumerate(batch.visits)
    ]
    return BatchRequest(keyed, None)


def parse_definition(body: bytes) -> Unit:
    """The unit of a definition. Raises MalformedRequestError, InvalidRequestError or UnknownUnitError."""
    definition = decode(_decode_definition, body)
    refuse_repeats(body, 1)
    return check_unit(definition.unit)


def parse_key(values: Sequence[bytes]) -> str | None:
    """The key in the values of the Idempotency-Key header. Raises InvalidRequestError or InvalidVisitError."""
    if not values:
        return None
    if len(values) > 1:
        raise InvalidRequestError(f"{len(values)} Idempotency-Key headers; send one")
    try:
        text = values[0].decode()
    except UnicodeDecodeError:
        raise InvalidRequestError("the Idempotency-Key is not UTF-8") from None
    check_text("Idempotency-Key", text, KEY_HEADER_BYTES_MAX)
    return text


def parse_source(text: str) -> str:
    """The id of a source. Raises InvalidRequestError."""
    if _SOURCE.match(text) is None:
        raise InvalidRequestError(
            f"{text[:60]!r} cannot name a source: write 1 to {SOURCE_LENGTH_MAX} letters, digits, '_', '-', '.' and ':'"
        )
    return text


def parse_sources(text: str | None) -> list[str]:
    """Ids of sources, with commas between them. Raises InvalidRequestError."""
    if not text:
        raise InvalidRequestError(f"no source is named: write ?ids=a,b,c with up to {SOURCES_ASKED_MAX} ids")
    ids = text.split(",")
    if len(ids) > SOURCES_ASKED_MAX:
        raise InvalidRequestError(f"{len(ids)} sources are named; ask for at most {SOURCES_ASKED_MAX} at once")
    return [parse_source(one) for one in ids]


def parse_limit(text: str | None) -> int:
    """How many counters a page holds. Raises InvalidRequestError."""
    if text is None:
        return LIST_LIMIT_DEFAULT
    if _NUMBER.match(text) is None or not 1 <= int(text) <= LIST_LIMIT_MAX:
        raise InvalidRequestError(f"limit is {text[:60]!r}; it must be a whole number from 1 to {LIST_LIMIT_MAX}")
    return int(text)


def parse_search(text: str) -> str:
    """A part of a counter's name. Raises InvalidRequestError."""
    if _SEARCH.match(text) is None:
        raise InvalidRequestError(
            f"no counter's name contains {text[:60]!r}: search for 1 to {NAME_LENGTH_MAX} letters, digits, '_', '-' "
            "and '.'"
        )
    return text


def parse_span(text: str | None) -> Span:
    """How far a history goes back. Raises InvalidRequestError."""
    try:
        return Span.DAY if text is None else Span(text)
    except ValueError:
        assert text is not None
        raise InvalidRequestError(f"span is {text[:60]!r}; it must be hour, day (the default), week or year") from None


def parse_ack(text: str | None) -> bool:
    """Whether the answer waits until the visits are durable. Raises InvalidRequestError."""
    if text not in (None, "durable", "received"):
        raise InvalidRequestError(f"ack is {text[:60]!r}; it must be durable (the default) or received")
    return text != "received"


def parse_consistency(text: str | None) -> bool:
    """Whether a read must be exact. Raises InvalidRequestError."""
    if text not in (None, "eventual", "linearizable"):
        raise InvalidRequestError(
            f"consistency is {text[:60]!r}; it must be eventual (the default) or linearizable, which clients and the "
            "command line call exact"
        )
    return text == "linearizable"


def parse_query(pairs: Sequence[tuple[str, str]], allowed: Sequence[str]) -> dict[str, str]:
    """The parameters of a query. Raises InvalidRequestError for one that is unknown or repeated."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in allowed:
            known = f"this takes {', '.join(allowed)}" if allowed else "this takes none"
            raise InvalidRequestError(f"unknown query parameter {name[:60]!r}: {known}")
        if name in found:
            raise InvalidRequestError(f"the query parameter {name} is given twice")
        found[name] = value
    return found


def _form(body: bytes) -> _Visits:
    form = decode(_decode_visits, body)
    fields = sum(value is not UNSET for value in (form.visitor, form.count, form.visitors, form.keys, form.visits))
    if form.visits is not UNSET:
        _refuse_repeats(body, form.visits, fields)
    elif form.visitors is not UNSET or form.keys is not UNSET:
        refuse_repeats(body, fields, chain(form.visitors or (), form.keys or ()))
    else:
        refuse_repeats(body, fields, [form.visitor or None])
    return form


def _refuse_repeats(body: bytes, visits: Sequence[_Item | _CounterVisit], around: int) -> None:
    """``around``: fields outside the list."""
    named = len(visits) if visits and isinstance(visits[0], Visit) else 0
    given = [(visit.visitor is not None) + (visit.key is not None) + (visit.count != 1) for visit in visits]
    texts = chain.from_iterable((visit.visitor, visit.key) for visit in visits)
    refuse_repeats(body, around + named + sum(given), texts)


def _check_names(visits: Sequence[_CounterVisit]) -> None:
    index = 0
    try:
        for index, visit in enumerate(visits):  # noqa: B007
            check_name(visit.counter)
    except InvalidNameError as error:
        raise InvalidRequestError(str(error), index) from None


def _from_items(counter: str, items: list[_Item], key: str | None) -> list[Visit]:
    _check_length(items)
    if key is None:
        return [Visit(counter, item.visitor, item.key, item.count) for item in items]
    _refuse_keys(items)
    return [Visit(counter, item.visitor, f"{key}:{index}", item.count) for index, item in enumerate(items)]


def _from_visitors(
    counter: str, visitors: list[str] | UnsetType, keys: list[str] | UnsetType, key: str | None
) -> list[Visit]:
    if visitors is UNSET:
        raise InvalidRequestError("there are keys without visitors: send visitors too, or one Idempotency-Key")
    _check_length(visitors)
    if keys is not UNSET:
        if key is not None:
            raise InvalidRequestError("there are keys in the body and an Idempotency-Key header; send one of them")
        if len(keys) != len(visitors):
            raise InvalidRequestError(f"{len(visitors)} visitors but {len(keys)} keys; send one key for each visitor")
        return [Visit(counter, visitor, own) for visitor, own in zip(visitors, keys, strict=True)]
    if key is not None:
        return [Visit(counter, visitor, f"{key}:{index}") for index, visitor in enumerate(visitors)]
    return [Visit(counter, visitor) for visitor in visitors]


def _check_length(visits: Sequence[object]) -> None:
    if not visits:
        raise InvalidRequestError("there are no visits in the list; send at least one")
    if len(visits) > BATCH_VISITS_MAX:
        raise TooLargeError(_too_many(len(visits)))


def _too_many(count: int) -> str:
    return f"{count} visits in one request; at most {BATCH_VISITS_MAX} are taken: send several requests"


def _refuse_keys(visits: Sequence[_Item | _CounterVisit]) -> None:
    for index, visit in enumerate(visits):
        if visit.key is not None:
            raise InvalidRequestError("it has a key, and there is an Idempotency-Key header; send one of them", index)


def _chunk(source: _Source) -> Chunk:
    parse_source(source.id)
    if not 0 <= source.start < source.end <= OFFSET_MAX:
        raise InvalidRequestError(
            f"a chunk of a source cannot go from {source.start} to {source.end}: offsets are whole numbers from 0 to "
            f"{OFFSET_MAX}, and it must end after it starts"
        )
    return Chunk(source.id, source.start, source.end)
