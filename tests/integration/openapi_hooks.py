"""Loaded by the fuzzer that test_openapi.py starts: which answers are right though the schemas alone do not say so.

A schema sees one value at a time, as a value. These rules are about two values, about how one is written, or about what
the log holds; the document says them in words. Everything else that the schemas allow must be accepted.
"""

from collections.abc import Iterator
from typing import Any

import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData


@schemathesis.hook
def map_query(context: Any, query: Any) -> Any:
    """Leave out a parameter that says what holds without it: with any, the hot path leaves the request to others."""
    return {} if query in ({"ack": "durable"}, {"consistency": "eventual"}) else query


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether what a check found is a failure."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    # Depends on the log: a counter on the path was defined before, in visitors.
    if response.json()["type"] == "/problems/visitor-required":
        return False
    keyed = any(name.lower() == "idempotency-key" for name in case.headers or {})
    return not breaks_a_rule(case.body, keyed, (case.query or {}).get("ack"))


def breaks_a_rule(body: Any, keyed: bool, ack: str | None) -> bool:
    """Whether a body that follows its schema must be refused; ``keyed`` says that there is an Idempotency-Key."""
    if not isinstance(body, dict):
        return False
    visits = [body, *body.get("visits", [])]
    source = body.get("source", {})
    if any(isinstance(number, float) for one in (source, *visits) for number in one.values()):
        return True  # 5.0 is an integer to a schema, and no count
    if any(not text.isprintable() or len(text.encode()) > 256 for text in texts(visits)):
        return True  # a schema measures characters, and not all validators know which can be shown
    if source:
        return keyed or ack == "received" or source["from"] >= source["to"]
    if "keys" in body and len(body["keys"]) != len(body["visitors"]):
        return True
    return keyed and any("keys" in visit or visit.get("key") is not None for visit in visits)


def texts(visits: list[dict[str, Any]]) -> Iterator[str]:
    """The visitors and keys of visits."""
    for visit in visits:
        yield from (text for name in ("visitor", "key") if (text := visit.get(name)) is not None)
        yield from (text for name in ("visitors", "keys") for text in visit.get(name, []))
