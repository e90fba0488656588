"""Sends requests that must be refused with a problem, for the tests of bad input over HTTP."""

from typing import Any

import httpx

Headers = list[tuple[str, bytes]]


def refused(
    http: httpx.Client,
    method: str,
    path: str,
    body: bytes | None,
    status: int,
    *says: str,
    headers: Headers | None = None,
) -> dict[str, Any]:
    answer = http.request(method, path, content=body, headers=headers)  # type: ignore[arg-type]
    case = f"{method} {path[:60]} {(body or b'')[:80]!r} {headers}: {answer.status_code} {answer.text[:400]}"
    assert answer.status_code == status, case
    assert answer.headers["content-type"] == "application/problem+json", case
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status, case
    for text in says:
        assert text in problem["detail"], case
    return problem
