"""Nodes as a client sees them: they count each key once, forget keys when time passes, and fail when told to."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx

from footfall.errors import (
    FootfallError,
    ForbiddenError,
    KeysForgottenError,
    NotReadyError,
    RateLimitedError,
    TooManyCountersError,
    UnavailableError,
    UnreachableError,
    VisitorRequiredError,
)

REMEMBERED_S = 600.0


class FakeNodes:
    """What all nodes together have counted; ``now`` tells the time."""

    def __init__(self, now: Callable[[], float] = lambda: 0.0) -> None:
        self.now = now
        self.remembered_s = REMEMBERED_S
        self.keys: dict[tuple[str, str], float] = {}
        self.visits: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.visitors_only: set[str] = set()
        self.forbidden: set[str] = set()
        self.nameless: set[str] = set()
        self.faults: list[str] = []

    @property
    def counts(self) -> Counter[str]:
        """What each counter has, itself."""
        found: Counter[str] = Counter()
        for visit in self.visits:
            found[visit["counter"]] += visit.get("count", 1)
        return found

    def take(self, url: str, body: bytes, age_s: float = 0.0) -> FootfallError | None:
        """Count what is in a body, or fail."""
        self.requests.append(url)
        fault = self.faults.pop(0) if self.faults else ""
        if fault in ("", "lost"):
            if age_s >= self.remembered_s:
                return KeysForgottenError("too late")
            visits = json.loads(body)["visits"]
            error = self._refused(visits) or self._count(visits)
            return error if not fault or error else UnavailableError("the answer was lost")
        return {
            "refused": UnreachableError("connection refused"),
            "down": UnavailableError("it broke off"),
            "503": NotReadyError("not yet"),
            "429": _limited(),
            "500": FootfallError("this is a bug"),
        }[fault]

    def _refused(self, visits: list[dict[str, Any]]) -> FootfallError | None:
        for index, visit in enumerate(visits):
            at = index if len(visits) > 1 else None
            if visit["counter"] in self.forbidden:
                return ForbiddenError("not this one", at)
            if visit["counter"] in self.visitors_only and "visitor" not in visit:
                return VisitorRequiredError("who came?", at)
        if any(visit["counter"] in self.nameless for visit in visits):
            return TooManyCountersError("no more")
        return None

    def _count(self, visits: list[dict[str, Any]]) -> None:
        for visit in visits:
            name = (visit["counter"], visit["key"])
            if self.now() - self.keys.get(name, -self.remembered_s) >= self.remembered_s:
                self.keys[name] = self.now()
                self.visits.append(visit)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """The same over HTTP."""
        url = f"{request.url.scheme}://{request.url.host}:{request.url.port}"
        if request.method == "GET":
            return httpx.Response(200, json={"value": self.counts[request.url.path.rpartition("/")[2]]})
        error = self.take(url, request.content, float(request.headers.get("idempotency-key-age", 0)))
        if error is None:
            visits = json.loads(request.content)["visits"]
            receipts = [visit["key"] for visit in visits]
            return httpx.Response(202, json={"accepted": len(visits), "stored": "log", "receipts": receipts})
        if isinstance(error, UnreachableError):
            raise httpx.ConnectError("[Errno 111] Connection refused")
        if type(error) is UnavailableError:
            raise httpx.ReadError("server disconnected")
        return _problem(error)


def _limited() -> RateLimitedError:
    return RateLimitedError("too fast", 3.0)


def _problem(error: FootfallError) -> httpx.Response:
    kinds = {
        NotReadyError: (503, "not-ready"),
        RateLimitedError: (429, "rate-limited"),
        ForbiddenError: (403, "forbidden"),
        KeysForgottenError: (409, "keys-forgotten"),
        VisitorRequiredError: (422, "visitor-required"),
        TooManyCountersError: (507, "too-many-counters"),
        FootfallError: (500, "footfall"),
    }
    status, kind = kinds[type(error)]
    members = {"type": f"/problems/{kind}", "detail": str(error)}
    index = getattr(error, "index", None)
    return httpx.Response(status, json=members if index is None else members | {"index": index})
