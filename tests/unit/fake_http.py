"""What a node does with visits and sources over HTTP, as a few lines of Python, with faults on order."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx


class FakeHttp:
    """Counts exactly what a node would, and loses answers when told to.

    ``faults`` holds what happens to the next chunks: "lost" stores but does not answer, "down" does neither,
    "503" refuses, "" does nothing. ``before_chunk`` is called before each.
    """

    def __init__(self) -> None:
        self.positions: dict[str, int] = {}
        self.counts: Counter[str] = Counter()
        self.visitors: list[str | None] = []
        self.keys: set[tuple[str, str]] = set()
        self.visitors_only: set[str] = set()
        self.chunks: list[tuple[str, int, int]] = []
        self.bodies: list[int] = []
        self.lookups = 0
        self.faults: list[str] = []
        self.before_chunk: Callable[[], None] = lambda: None
        self.refuse_connections = False
        self.forbids_reading = False
        self.transport = httpx.MockTransport(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        if self.refuse_connections:
            raise httpx.ConnectError("[Errno 111] Connection refused")
        if request.url.path == "/v1/sources":
            return self._stand(request.url.params["ids"].split(","))
        if request.url.path == "/v1/counters":
            return self._list(request.url.params)
        assert request.url.path == "/v1/visits"
        self.before_chunk()
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "down":
            raise httpx.ReadError("")
        if fault == "503":
            return self._problem(503, "not-ready", "the node does not count yet")
        answer = self._count(request.content)
        if fault == "lost":
            raise httpx.RemoteProtocolError("server disconnected")
        return answer

    def _stand(self, sources: list[str]) -> httpx.Response:
        self.lookups += 1
        standing = [{"id": source, "position": self.positions.get(source, 0)} for source in sources]
        return httpx.Response(200, json={"sources": standing})

    def _list(self, asked: httpx.QueryParams) -> httpx.Response:
        if self.forbids_reading:
            return self._problem(403, "forbidden", "the token is for writing")
        names = sorted(self.counts.keys() | self.visitors_only)
        if "parent" in asked:
            names = [name for name in names if name.rpartition(".")[0] == asked["parent"]]
        else:
            names = [name for name in names if f"{name}.".startswith(f"{asked['prefix']}.")]
        units = {True: "visitors", False: "visits"}
        listed = [{"counter": n, "value": self.counts[n], "unit": units[n in self.visitors_only]} for n in names]
        return httpx.Response(200, json={"counters": listed[: int(asked["limit"])]})

    def _count(self, body: bytes) -> httpx.Response:
        asked = json.loads(body)
        if "source" not in asked:
            return self._count_keyed(asked["visits"])
        source, start, end = asked["source"]["id"], asked["source"]["from"], asked["source"]["to"]
        self.bodies.append(len(body))
        for index, visit in enumerate(asked["visits"]):
            if "key" in visit:
                return self._problem(
                    422, "invalid-visit", f"visit {index}: a visit of a source has no key", index=index
                )
            if visit["counter"] in self.visitors_only and "visitor" not in visit:
                return self._problem(422, "visitor-required", f"visit {index}: it names no visitor", index=index)
        position = self.positions.get(source, 0)
        assert start < end
        if start != position:
            return self._problem(409, "source-position", f"source stands at byte {position}", position=position)
        self.positions[source] = end
        self.chunks.append((source, start, end))
        for visit in asked["visits"]:
            self.counts[visit["counter"]] += visit.get("count", 1)
            self.visitors.append(visit.get("visitor"))
        return httpx.Response(202, json={"accepted": len(asked["visits"]), "stored": "log", "receipts": []})

    def _count_keyed(self, visits: list[dict[str, Any]]) -> httpx.Response:
        for index, visit in enumerate(visits):
            if visit["counter"] in self.visitors_only and "visitor" not in visit:
                return self._problem(422, "visitor-required", f"visit {index}: it names no visitor", index=index)
        for visit in visits:
            if (visit["counter"], visit["key"]) not in self.keys:
                self.keys.add((visit["counter"], visit["key"]))
                self.counts[visit["counter"]] += visit.get("count", 1)
        return httpx.Response(202, json={"accepted": len(visits), "stored": "log"})

    def _problem(self, status: int, kind: str, detail: str, **members: int) -> httpx.Response:
        return httpx.Response(status, json={"type": f"/problems/{kind}", "status": status, "detail": detail, **members})
