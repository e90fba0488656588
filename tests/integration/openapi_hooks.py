"""Loaded by the fuzzer that test_openapi.py starts: which answers are right though the schemas alone do not say so.

A schema sees one value at a time, as a value. These rules are about two values, about how one is written, or about what
the log holds; the document says them in words. Everything else that the schemas allow must be accepted.
"""

from collections.abc import Iterator
from typing import Any

import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData

IMPORTED_MAX = 1_000_000
TEXTS = {"visitor": 256, "key": 256, "receipt": 513, "note": 1_000}  # and the most bytes of each


@schemathesis.hook
def map_query(context: Any, query: Any) -> Any:
    """Leave out a parameter that says what holds without it: with any, the hot path leaves the request to others."""
    return {} if query in ({"ack": "durable"}, {"consistency": "eventual"}) else query


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Import little: a counter that is full would refuse all that comes after it."""
    if context.operation.definition.raw.get("operationId") == "putImport" and isinstance(body, dict):
        value = body.get("value")
        if isinstance(value, int) and IMPORTED_MAX < value < 2**63:
            return {**body, "value": value % IMPORTED_MAX + 1}
    return body


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether what a check found is a failure."""
    kind, detail = told(response)
    if response.status_code == 503 and (kind == "/problems/overloaded" or "behind" in detail):
        return False  # the machine of these tests has other work as well: any request may be shed
    if response.status_code < 500 and "x-schemathesis-unknown-property" in (case.headers or {}):
        return False  # to a schema; over HTTP a header that nobody knows is passed over
    if kind == "/problems/unauthorized" and "needs a token" in detail:
        return False  # whatever else is wrong with a request that shows none
    if not isinstance(failure, RejectedPositiveData):
        return True
    # Depends on the log: a counter on the path was defined before, in visitors; or was full.
    if kind == "/problems/visitor-required" or "must name one" in detail or "past 2**63 - 1" in detail:
        return False
    if any(not str(text).isprintable() for text in (case.query or {}).values()):
        return False  # not all validators know which characters can be shown
    if len((case.query or {}).keys() & {"prefix", "parent", "search"}) > 1:
        return False  # three kinds of lists, of which one can be asked for
    keyed = any(name.lower() == "idempotency-key" for name in case.headers or {})
    return not breaks_a_rule(case.body, keyed, (case.query or {}).get("ack"))


def told(response: Any) -> tuple[str, str]:
    """The type and the detail of a problem; the detail alone where a header tells it, beside a picture."""
    if "json" in "".join(response.headers.get("content-type", ())):
        problem = response.json()
        return (problem.get("type", ""), problem.get("detail", "")) if isinstance(problem, dict) else ("", "")
    return "", "".join(response.headers.get("footfall-problem", ()))


def breaks_a_rule(body: Any, keyed: bool, ack: str | None) -> bool:
    """Whether a body that follows its schema must be refused; ``keyed`` says that there is an Idempotency-Key."""
    if not isinstance(body, dict):
        return False
    visits = [body, *body.get("visits", [])]
    source = body.get("source", {})
    if any(isinstance(number, float) for one in (source, *visits) for number in one.values()):
        return True  # 5.0 is an integer to a schema, and no count
    if any(not text.isprintable() or len(text.encode()) > most for text, most in texts(visits)):
        return True  # a schema measures characters, and not all validators know which can be shown
    if source:
        return keyed or ack == "received" or source["from"] >= source["to"]
    if "keys" in body and len(body["keys"]) != len(body["visitors"]):
        return True
    return keyed and any("keys" in visit or visit.get("key") is not None for visit in visits)


def texts(visits: list[dict[str, Any]]) -> Iterator[tuple[str, int]]:
    """The texts of visits, claims and imports, each with how many bytes it may have."""
    for visit in visits:
        yield from ((text, most) for name, most in TEXTS.items() if (text := visit.get(name)) is not None)
        yield from ((text, 256) for name in ("visitors", "keys") for text in visit.get(name, []))
