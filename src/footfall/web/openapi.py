"""The OpenAPI 3.1 document of the HTTP interface, composed from the types of wire.py; the handlers do not use it."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import msgspec

from footfall.core.names import NAME_LENGTH_MAX, Unit
from footfall.core.visit import BATCH_BYTES_MAX, BATCH_VISITS_MAX
from footfall.web import problems, wire
from footfall.web.requests import KEY_HEADER_BYTES_MAX, LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX

Json = dict[str, Any]

TYPES = (
    wire.OneVisit,
    wire.VisitorList,
    wire.VisitList,
    wire.Batch,
    wire.SourceBatch,
    wire.CounterDefinition,
    wire.Accepted,
    wire.CounterValue,
    wire.CounterPage,
    wire.CounterDefined,
    wire.SourcePosition,
    wire.NodeList,
    wire.Health,
    wire.Readiness,
    wire.Problem,
    wire.Index,
)

PROBLEMS = {
    400: "Not an HTTP request, or a body that is not JSON in UTF-8.",
    404: "There is nothing at this path.",
    409: "The counter is defined with the other unit, or the chunk does not start where its source stands.",
    413: f"The body has more than {BATCH_BYTES_MAX} bytes, or more than {BATCH_VISITS_MAX} visits.",
    415: "The body has a content encoding. Its content type does not matter: it is always read as JSON.",
    422: "A name, a value, a parameter or the shape of the body is wrong. Nothing was changed.",
    500: "What is stored is not what it was, or a bug.",
    503: "Not now: the log is away, or the node is not ready or overloaded. Repeat it after Retry-After.",
    507: "The log holds as many counters as it may.",
}
_READING = (400, 422, 500, 503)
_WRITING = (400, 413, 415, 422, 500, 503)


def document() -> Json:
    """The whole document."""
    _, components = msgspec.json.schema_components(TYPES, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Footfall",
            "version": version("footfall"),
            "summary": "Counts every visitor of every site, together and apart.",
            "description": "A visit to google.gmail counts in google too. Errors are problem details (RFC 9457).",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {**_visits(), **_counters(), **_around()},
        "components": {"schemas": components, "responses": {str(status): _problem(status) for status in PROBLEMS}},
    }


def _visits() -> Json:
    key = _parameter(
        "Idempotency-Key",
        "header",
        {"type": "string", "minLength": 1, "maxLength": KEY_HEADER_BYTES_MAX, "pattern": wire.HEADER_PATTERN},
        "Makes the request safe to repeat for about ten minutes: the visits of a list get the keys K:0, K:1 and so on.",
    )
    ack = _parameter(
        "ack",
        "query",
        {"enum": ["durable", "received"], "default": "durable"},
        "durable: the answer waits until the visits are stored in the log. received: it does not.",
    )
    return {
        "/v1/counters/{name}/visits": {
            "parameters": [_name()],
            "post": {
                "operationId": "postCounterVisits",
                "summary": "Visit a counter: once, if there is no body.",
                "parameters": [key, ack],
                "requestBody": {
                    **_body(
                        wire.OneVisit(visitor="203.0.113.7"),
                        wire.VisitorList(visitors=["203.0.113.7", "2001:db8::1"]),
                        wire.VisitList(visits=[wire.VisitItem(key="order-17", count=2)]),
                    ),
                    "required": False,
                },
                "responses": _answers({202: (wire.Accepted, "The visits were taken.")}, 404, 507, *_WRITING),
            },
        },
        "/v1/visits": {
            "post": {
                "operationId": "postVisits",
                "summary": "Visit any counters: all of the visits, or none.",
                "parameters": [key, ack],
                "requestBody": _body(
                    wire.Batch(visits=[wire.CounterVisit(counter="google.gmail", visitor="203.0.113.7")]),
                    wire.SourceBatch(
                        source=wire.Source(id="access.log", start=0, end=120),
                        visits=[wire.SourceVisit(counter="google.gmail", visitor="203.0.113.7")],
                    ),
                ),
                "responses": _answers({202: (wire.Accepted, "The visits were taken.")}, 409, 507, *_WRITING),
            }
        },
        "/v1/sources/{id}": {
            "parameters": [_parameter("id", "path", {"type": "string", "pattern": wire.SOURCE_PATTERN}, "The source.")],
            "get": {
                "operationId": "getSource",
                "summary": "Where a source stands in the log; 0 for one that nobody sent from.",
                "responses": _answers({200: (wire.SourcePosition, "Its position.")}, 404, *_READING),
            },
        },
    }


def _counters() -> Json:
    consistency = _parameter(
        "consistency", "query", {"enum": ["eventual"], "default": "eventual"}, "What the value must be."
    )
    name = {"type": "string", "pattern": f"{wire.NAME_PATTERN}|^$", "maxLength": NAME_LENGTH_MAX, "default": ""}
    limit = {"type": "integer", "minimum": 1, "maximum": LIST_LIMIT_MAX, "default": LIST_LIMIT_DEFAULT}
    return {
        "/v1/counters/{name}": {
            "parameters": [_name()],
            "get": {
                "operationId": "getCounter",
                "summary": "Read a counter; one that nobody visited reads 0.",
                "parameters": [consistency],
                "responses": _answers({200: (wire.CounterValue, "The counter.")}, 404, *_READING),
            },
            "put": {
                "operationId": "putCounter",
                "summary": "Define a counter. The first definition holds for ever.",
                "requestBody": _body(wire.CounterDefinition(unit=Unit.VISITS)),
                "responses": _answers(
                    {
                        200: (wire.CounterDefined, "It was so defined before."),
                        201: (wire.CounterDefined, "It is defined now."),
                    },
                    404,
                    409,
                    507,
                    *_WRITING,
                ),
            },
        },
        "/v1/counters": {
            "get": {
                "operationId": "listCounters",
                "summary": "Counters in the order of their names.",
                "parameters": [
                    _parameter("prefix", "query", name, "Only this counter and those below it."),
                    _parameter("limit", "query", limit, "How many at most."),
                    _parameter("after", "query", name, "Start behind this name."),
                ],
                "responses": _answers({200: (wire.CounterPage, "A page of counters.")}, *_READING),
            }
        },
    }


def _around() -> Json:
    ready = {200: (wire.Readiness, "It is ready."), 503: (wire.Readiness, "It is not ready.")}
    text = {"200": {"description": "Metrics.", "content": {"text/plain": {"schema": {"type": "string"}}}}}
    return {
        "/v1/nodes": {
            "get": {
                "operationId": "getNodes",
                "summary": "The nodes that this one hears.",
                "responses": _answers({200: (wire.NodeList, "The nodes.")}, *_READING),
            }
        },
        "/healthz": {
            "get": {
                "operationId": "getHealth",
                "summary": "Whether the process answers.",
                "responses": _answers({200: (wire.Health, "It does.")}),
            }
        },
        "/readyz": {
            "get": {
                "operationId": "getReadiness",
                "summary": "Whether the node counts and answers.",
                "responses": _answers(ready),
            }
        },
        "/metrics": {
            "get": {"operationId": "getMetrics", "summary": "Metrics for Prometheus.", "responses": text},
        },
        "/": {
            "get": {
                "operationId": "getIndex",
                "summary": "What this server is.",
                "responses": _answers({200: (wire.Index, "An index.")}),
            }
        },
    }


def _name() -> Json:
    return _parameter(
        "name",
        "path",
        {"type": "string", "pattern": wire.NAME_PATTERN, "maxLength": NAME_LENGTH_MAX, "examples": ["google.gmail"]},
        "1 to 8 dot-separated parts of letters, digits, '_' and '-'.",
    )


def _parameter(name: str, place: str, schema: Json, description: str) -> Json:
    return {"name": name, "in": place, "required": place == "path", "schema": schema, "description": description}


def _ref(kind: type[msgspec.Struct]) -> Json:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _body(*forms: msgspec.Struct) -> Json:
    """A body of any of these forms, each with its example."""
    schemas = [_ref(type(form)) for form in forms]
    examples = {type(form).__name__: {"value": msgspec.to_builtins(form)} for form in forms}
    schema = schemas[0] if len(schemas) == 1 else {"oneOf": schemas}
    return {"required": True, "content": {"application/json": {"schema": schema, "examples": examples}}}


def _answers(good: Mapping[int, tuple[type[msgspec.Struct], str]], *bad: int) -> Json:
    answers: Json = {
        str(status): {"description": text, "content": {"application/json": {"schema": _ref(kind)}}}
        for status, (kind, text) in good.items()
    }
    answers.update({str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(bad)})
    return answers


def _problem(status: int) -> Json:
    answer: Json = {
        "description": PROBLEMS[status],
        "content": {problems.CONTENT_TYPE: {"schema": _ref(wire.Problem)}},
    }
    if status == 503:
        answer["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "In seconds."}}
    return answer
