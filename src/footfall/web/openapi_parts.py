"""Pieces that descriptions of operations are made of; knows no operation."""

from collections.abc import Mapping
from typing import Any

import msgspec

from footfall.core.names import NAME_LENGTH_MAX
from footfall.web import wire
from footfall.web.requests import KEY_HEADER_BYTES_MAX, SOURCES_ASKED_MAX

Json = dict[str, Any]

READING = (400, 401, 403, 422, 500, 503)  # what may go wrong
WRITING = (400, 401, 403, 413, 415, 422, 500, 503)


def name_parameter() -> Json:
    """A counter's name in the path."""
    return parameter(
        "name",
        "path",
        {"type": "string", "pattern": wire.NAME_PATTERN, "maxLength": NAME_LENGTH_MAX, "examples": ["google.gmail"]},
        "1 to 8 dot-separated parts of letters, digits, '_' and '-'.",
    )


def source_parameter(name: str, description: str) -> Json:
    """A source's id in the path."""
    return parameter(name, "path", {"type": "string", "pattern": wire.SOURCE_PATTERN}, description)


def sources_parameter() -> Json:
    """Ids of sources in the query."""
    one = wire.SOURCE_PATTERN[1:-1]
    found = parameter(
        "ids",
        "query",
        {"type": "string", "pattern": f"^{one}(,{one}){{0,{SOURCES_ASKED_MAX - 1}}}$", "examples": ["www-1,www-2"]},
        f"Ids of sources, with commas between them; {SOURCES_ASKED_MAX} at most.",
    )
    return found | {"required": True}


def key_parameter(description: str) -> Json:
    """The Idempotency-Key header."""
    schema = {"type": "string", "minLength": 1, "maxLength": KEY_HEADER_BYTES_MAX, "pattern": wire.HEADER_PATTERN}
    return parameter("Idempotency-Key", "header", schema, description)


def parameter(name: str, place: str, schema: Json, description: str) -> Json:
    """A parameter; one in the path is required."""
    return {"name": name, "in": place, "required": place == "path", "schema": schema, "description": description}


def reference(kind: type[msgspec.Struct]) -> Json:
    """The schema of a type."""
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def body(*forms: msgspec.Struct) -> Json:
    """A body of any of these forms, each with its example."""
    schemas = [reference(type(form)) for form in forms]
    examples = {type(form).__name__: {"value": msgspec.to_builtins(form)} for form in forms}
    schema = schemas[0] if len(schemas) == 1 else {"oneOf": schemas}
    return {"required": True, "content": {"application/json": {"schema": schema, "examples": examples}}}


def answers(good: Mapping[int, tuple[type[msgspec.Struct], str]], *bad: int) -> Json:
    """The answers of an operation: the good ones with their types, and the statuses of problems."""
    found: Json = {
        str(status): {"description": text, "content": {"application/json": {"schema": reference(kind)}}}
        for status, (kind, text) in good.items()
    }
    found.update({str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(bad)})
    return found
