"""The OpenAPI 3.1 document of the HTTP interface, composed from the types of wire.py; the handlers do not use it."""

from importlib.metadata import version

import msgspec

from footfall.core.names import Unit
from footfall.core.visit import BATCH_BYTES_MAX, BATCH_VISITS_MAX
from footfall.web import openapi_embedding, openapi_live, openapi_milestones, problems, wire
from footfall.web.openapi_parts import (
    READING,
    WRITING,
    Json,
    answers,
    body,
    key_parameter,
    name_parameter,
    parameter,
    reference,
    source_parameter,
    sources_parameter,
)

TYPES = (
    wire.OneVisit,
    wire.VisitorList,
    wire.VisitList,
    wire.Batch,
    wire.SourceBatch,
    wire.CounterDefinition,
    wire.Accepted,
    wire.CounterValue,
    wire.CounterDefined,
    wire.SourcePosition,
    wire.SourceList,
    wire.NodeList,
    wire.Health,
    wire.Readiness,
    wire.Problem,
    wire.Index,
    *openapi_milestones.TYPES,
    *openapi_live.TYPES,
    *openapi_embedding.TYPES,
)

OPEN = ("/healthz", "/readyz", "/")  # for these no token is needed
PUBLIC = ("/v1/counters", "/v1/milestones", "/v1/overview", "/v1/events")  # GET of these may need none
VISITING = ("/visits", "/claim", "/pixel.gif")  # these may need none, for some counters

PROBLEMS = {
    400: "Not an HTTP request, or a body that is not JSON in UTF-8.",
    401: "There is no token, or none that this node knows.",
    403: "The token is not good for this; or, of a claim, the receipt is another visit's.",
    404: "There is nothing at this path, or no such milestone; or no such counter, where visits define none.",
    409: "What the log holds stands against it: the counter's unit or count, where the source stands, what was "
    "imported from it, a milestone that is near or not reached, a claim before this one; or it may count already.",
    413: f"The body has more than {BATCH_BYTES_MAX} bytes, or more than {BATCH_VISITS_MAX} visits.",
    415: "The body has a content encoding. Its content type does not matter: it is always read as JSON.",
    422: "A name, a value, a parameter or the shape of the body is wrong. Nothing was changed.",
    429: "Visits, or claims, come faster than they may. Repeat it after Retry-After.",
    500: "What is stored is not what it was, or a bug.",
    503: "Not now: the log is away, the node is not ready or overloaded, or nobody counts some of the partitions. "
    "Repeat it after Retry-After.",
    507: "The log holds as many counters, milestones or imports as it may.",
}


def document(tokens: bool = False, public_reads: bool = False, public_writes: bool = False) -> Json:
    """The whole document, of a node that needs tokens or none."""
    found = _document()
    if tokens:
        found["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        for path, operations in found["paths"].items():
            for method, operation in operations.items():
                if method != "parameters" and path not in OPEN:
                    reads = method == "get" and path.startswith(PUBLIC) and not path.endswith(VISITING)
                    may_be_free = public_reads if reads else public_writes and path.endswith(VISITING)
                    free: list[Json] = [{}] if may_be_free else []
                    operation["security"] = [*free, {"bearer": []}]
    return found


def _document() -> Json:
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
        "paths": {
            **_visits(),
            **_counters(),
            **openapi_milestones.milestones(),
            **openapi_milestones.imports(),
            **openapi_live.live(),
            **openapi_embedding.embedding(),
            **_around(),
        },
        "components": {"schemas": components, "responses": {str(status): _problem(status) for status in PROBLEMS}},
    }


def _visits() -> Json:
    key = key_parameter(
        "Makes the request safe to repeat for about ten minutes: the visits of a list get the keys K:0, K:1 and so on."
    )
    age = parameter(
        "Idempotency-Key-Age",
        "header",
        {"type": "integer", "minimum": 0, "maximum": 999_999_999},
        "How many seconds ago a repeated request was sent for the first time: 409 if its keys may be forgotten by now.",
    )
    ack = parameter(
        "ack",
        "query",
        {"enum": ["durable", "received"], "default": "durable"},
        "durable: the answer waits until the visits are stored in the log. received: it does not.",
    )
    return {
        "/v1/counters/{name}/visits": {
            "parameters": [name_parameter()],
            "post": {
                "operationId": "postCounterVisits",
                "summary": "Visit a counter: once, if there is no body.",
                "parameters": [key, age, ack],
                "requestBody": {
                    **body(
                        wire.OneVisit(visitor="203.0.113.7"),
                        wire.VisitorList(visitors=["203.0.113.7", "2001:db8::1"]),
                        wire.VisitList(visits=[wire.VisitItem(key="order-17", count=2)]),
                    ),
                    "required": False,
                },
                "responses": answers({202: (wire.Accepted, "The visits were taken.")}, 404, 409, 429, 507, *WRITING),
            },
        },
        "/v1/visits": {
            "post": {
                "operationId": "postVisits",
                "summary": "Visit any counters: all of the visits, or none.",
                "parameters": [key, age, ack],
                "requestBody": body(
                    wire.Batch(visits=[wire.CounterVisit(counter="google.gmail", visitor="203.0.113.7")]),
                    wire.SourceBatch(
                        source=wire.Source(id="access.log", start=0, end=120),
                        visits=[wire.SourceVisit(counter="google.gmail", visitor="203.0.113.7")],
                    ),
                ),
                "responses": answers({202: (wire.Accepted, "The visits were taken.")}, 404, 409, 429, 507, *WRITING),
            }
        },
        "/v1/sources": {
            "get": {
                "operationId": "listSources",
                "summary": "Where several sources stand in the log.",
                "parameters": [sources_parameter()],
                "responses": answers({200: (wire.SourceList, "Their positions.")}, *READING),
            },
        },
        "/v1/sources/{id}": {
            "parameters": [source_parameter("id", "The source.")],
            "get": {
                "operationId": "getSource",
                "summary": "Where a source stands in the log; 0 for one that nobody sent from.",
                "responses": answers({200: (wire.SourcePosition, "Its position.")}, 404, *READING),
            },
        },
    }


def _counters() -> Json:
    consistency = parameter(
        "consistency",
        "query",
        {"enum": ["eventual", "linearizable"], "default": "eventual"},
        "eventual: what this node knows. linearizable: exact, with every visit that was acknowledged before.",
    )
    return {
        "/v1/counters/{name}": {
            "parameters": [name_parameter()],
            "get": {
                "operationId": "getCounter",
                "summary": "Read a counter; one that nobody visited reads 0.",
                "parameters": [consistency],
                "responses": answers({200: (wire.CounterValue, "The counter.")}, 404, *READING),
            },
            "put": {
                "operationId": "putCounter",
                "summary": "Define a counter. The first definition holds for ever.",
                "requestBody": body(wire.CounterDefinition(unit=Unit.VISITS)),
                "responses": answers(
                    {
                        200: (wire.CounterDefined, "It was so defined before."),
                        201: (wire.CounterDefined, "It is defined now."),
                    },
                    404,
                    409,
                    507,
                    *WRITING,
                ),
            },
        },
    }


def _around() -> Json:
    ready = {200: (wire.Readiness, "It is ready."), 503: (wire.Readiness, "It is not ready.")}
    text = {
        "200": {"description": "Metrics.", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **answers({}, 401, 403),
    }
    return {
        "/v1/nodes": {
            "get": {
                "operationId": "getNodes",
                "summary": "The nodes that this one hears.",
                "responses": answers({200: (wire.NodeList, "The nodes.")}, *READING),
            }
        },
        "/healthz": {
            "get": {
                "operationId": "getHealth",
                "summary": "Whether the process answers.",
                "responses": answers({200: (wire.Health, "It does.")}),
            }
        },
        "/readyz": {
            "get": {
                "operationId": "getReadiness",
                "summary": "Whether the node counts and answers.",
                "responses": answers(ready),
            }
        },
        "/metrics": {
            "get": {"operationId": "getMetrics", "summary": "Metrics for Prometheus.", "responses": text},
        },
        "/": {
            "get": {
                "operationId": "getIndex",
                "summary": "What this server is.",
                "responses": answers({200: (wire.Index, "An index.")}),
            }
        },
    }


def _problem(status: int) -> Json:
    answer: Json = {
        "description": PROBLEMS[status],
        "content": {problems.CONTENT_TYPE: {"schema": reference(wire.Problem)}},
    }
    if status in problems.RETRIED:
        answer["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "In seconds."}}
    return answer
