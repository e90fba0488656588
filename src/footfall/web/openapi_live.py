"""What /openapi.json says of lists of counters, and of what pages show: vectors, histories, the overview and events."""

from footfall.core.names import NAME_LENGTH_MAX
from footfall.node.history import Span
from footfall.web import wire, wire_live
from footfall.web.events import COUNTERS_MAX
from footfall.web.openapi_parts import READING, Json, answers, name_parameter, parameter
from footfall.web.requests import LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX

TYPES = (
    wire_live.CounterPage,
    wire_live.CounterVector,
    wire_live.Overview,
    wire_live.History,
)


def live() -> Json:
    """The paths of this module."""
    return {**_list(), **_one(), **_all(), **_events()}


def _list() -> Json:
    name = {"type": "string", "pattern": f"{wire.NAME_PATTERN}|^$", "maxLength": NAME_LENGTH_MAX, "default": ""}
    text = {"type": "string", "pattern": r"^[A-Za-z0-9_.-]{1,200}$", "maxLength": NAME_LENGTH_MAX}
    limit = {"type": "integer", "minimum": 1, "maximum": LIST_LIMIT_MAX, "default": LIST_LIMIT_DEFAULT}
    return {
        "/v1/counters": {
            "get": {
                "operationId": "listCounters",
                "summary": "Counters in the order of their names. Give one of prefix, parent and search, or none.",
                "parameters": [
                    parameter("prefix", "query", name, "Only this counter and those below it."),
                    parameter("parent", "query", name, "Only those directly below this one; at the top, if it is ''."),
                    parameter("search", "query", text, "Only those whose names contain this, in whatever case."),
                    parameter("limit", "query", limit, "How many at most."),
                    parameter("after", "query", name, "Start behind this name."),
                ],
                "responses": answers({200: (wire_live.CounterPage, "A page of counters.")}, *READING),
            }
        },
    }


def _one() -> Json:
    span = {"enum": [*Span], "default": Span.DAY}
    return {
        "/v1/counters/{name}/history": {
            "parameters": [name_parameter()],
            "get": {
                "operationId": "getHistory",
                "summary": "What a counter was, every ten seconds of a day or every hour of a year.",
                "parameters": [parameter("span", "query", span, "How far back.")],
                "responses": answers({200: (wire_live.History, "Its history.")}, 404, *READING),
            },
        },
        "/v1/counters/{name}/vector": {
            "parameters": [name_parameter()],
            "get": {
                "operationId": "getVector",
                "summary": "A counter's entries, by partition, and who counts each.",
                "responses": answers({200: (wire_live.CounterVector, "Its vector.")}, 404, *READING),
            },
        },
    }


def _all() -> Json:
    return {
        "/v1/overview": {
            "get": {
                "operationId": "getOverview",
                "summary": "All that this node knows of the whole.",
                "responses": answers({200: (wire_live.Overview, "The overview.")}, *READING),
            }
        },
    }


def _events() -> Json:
    last = {"type": "string", "pattern": r"^[0-9]{1,19}-[0-9a-f]{8}$"}
    resumed = [
        parameter("Last-Event-ID", "header", last, "The id of the last event that came, from this node or another."),
        parameter("last_event_id", "query", last, "The same, for who cannot send the header."),
    ]
    counters = {"type": "array", "items": {"type": "string", "pattern": wire.NAME_PATTERN}, "maxItems": COUNTERS_MAX}
    streams = {
        "200": {
            "description": "Server-sent events, for ever. The data of each is JSON.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    }
    return {
        "/v1/counters/{name}/events": {
            "parameters": [name_parameter()],
            "get": {
                "operationId": "getCounterEvents",
                "summary": "What happens to a counter, as it happens: value, phase and winner.",
                "parameters": resumed,
                "responses": {**streams, **answers({}, 404, *READING)},
            },
        },
        "/v1/events": {
            "get": {
                "operationId": "getEvents",
                "summary": "What happens to some counters and to the whole: values, winner and overview.",
                "parameters": [parameter("counter", "query", counters, "A counter; as often as needed."), *resumed],
                "responses": {**streams, **answers({}, *READING)},
            }
        },
    }
