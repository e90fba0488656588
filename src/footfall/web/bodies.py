"""Reads the JSON of a body into a shape, or says what is wrong with it and where; knows no shape itself."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

import msgspec

from footfall.errors import InvalidRequestError, MalformedRequestError

SHOWN_CHARACTERS_MAX = 40

_INDEX = re.compile(r"\[(\d+)\]")
_PATH = re.compile(r" - at `\$(.*)`$")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_EXPECTED = re.compile(r"Expected `(\w+)")
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)
_MEANT = {
    "int": "a whole number in digits alone",
    "str": "a text in double quotes",
    "array": "a list",
    "object": "an object with fields",
}

_Shape = TypeVar("_Shape")


class Repeat(NamedTuple):
    """A field that an object has twice.

    Attributes:
        field: Its name.
        at: The index of the object in its list; None for one that is in none.
    """

    field: str
    at: int | None


def decode(decoder: Callable[[bytes], _Shape], body: bytes) -> _Shape:
    """What ``decoder`` makes of a body.

    Raises:
        MalformedRequestError: The body is not JSON in UTF-8.
        InvalidRequestError: It has the wrong shape; with the index of the visit that has.
    """
    if not body:
        raise MalformedRequestError("there is no body; /openapi.json describes it")
    try:
        return decoder(body)
    except msgspec.ValidationError as error:
        raise _misshapen(body, str(error)) from None
    except msgspec.DecodeError as error:
        half = next((found[1] for found in _ESCAPE.finditer(body) if found[1]), None)  # msgspec calls it truncated
        what = f"\\{half.decode('ascii', 'replace')} is half of a character; write both" if half else str(error)
        raise MalformedRequestError(f"the body is not JSON: {what}") from None
    except UnicodeDecodeError as error:
        raise MalformedRequestError(f"the body is not UTF-8: {error.reason} at byte {error.start} of a text") from None


def refuse_repeats(body: bytes, fields: int, texts: Iterable[str | None] = ()) -> None:
    """Refuse a body in which an object has a field twice: all but the last were left out of what was decoded.

    Args:
        body: What was decoded.
        fields: How many fields its objects have at least.
        texts: The texts in it.

    Raises:
        InvalidRequestError: With the index of the visit that has a field twice.
    """
    repeat = find_repeat(body, fields, texts)
    if repeat is not None:
        raise InvalidRequestError(f"the field {repeat.field!r} is given twice; send it once", repeat.at)


def find_repeat(body: bytes, fields: int, texts: Iterable[str | None] = ()) -> Repeat | None:
    """A field that an object has twice, if there is one. Arguments as for ``refuse_repeats``.

    Every field has a colon, and what else has one is a text. So to count colons suffices, unless one was escaped or a
    default was sent: it costs a tenth of what decoding costs, and reading the body anew costs more than that.
    """
    rest = body.count(b":") - fields
    if rest <= 0 or (b"\\" not in body and rest <= sum([text.count(":") for text in texts if text])):
        return None
    found = json.loads(body, object_pairs_hook=_fields)
    if isinstance(found, Repeat):
        return found
    for value in found.values():
        if isinstance(value, Repeat):
            return value
        if isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, Repeat):
                    return Repeat(item.field, index)
    return None


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Repeat:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    names = [name for name, _ in pairs]
    return Repeat(next(name for name in found if names.count(name) > 1), None)


def _misshapen(body: bytes, what: str) -> InvalidRequestError:
    index, path, expected = _INDEX.search(what), _PATH.search(what), _EXPECTED.match(what)
    shown = _shown(body, path[1]) if path and expected else ""
    meant = f"write {_MEANT[expected[1]]}; " if expected and expected[1] in _MEANT else ""
    return InvalidRequestError(
        f"the body has the wrong shape: {what}{shown}; {meant}/openapi.json describes it",
        int(index[1]) if index else None,
    )


def _shown(body: bytes, path: str) -> str:
    """The value at a path, if the body is JSON up to its end."""
    try:
        value = msgspec.json.decode(body)
        for name, index in _STEP.findall(path):
            value = value[name] if name else value[int(index)]
        text = msgspec.json.encode(value).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, LookupError, TypeError):
        return ""
    return f", which is {text[:SHOWN_CHARACTERS_MAX]}{'...' * (len(text) > SHOWN_CHARACTERS_MAX)}"
