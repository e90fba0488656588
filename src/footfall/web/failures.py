"""Answers a request that failed: a program by problem details, a person's browser by a page that says the same."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from footfall.errors import FootfallError
from footfall.web import pages, problems


def in_json(problem: problems.Problem) -> Response:
    """The answer for a program."""
    return Response(problem.body, problem.status, problem.headers, problems.CONTENT_TYPE)


def _answer(request: Request, problem: problems.Problem) -> Response:
    if pages.wants_problem_page(request):
        detail = msgspec.json.decode(problem.body)["detail"]
        return pages.problem_page(request, problem.status, detail, problem.headers)
    return in_json(problem)


async def _on_footfall_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, FootfallError)
    return _answer(request, problems.problem(error))


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail, headers = error.detail, dict(error.headers or {})
    if error.status_code == 404:
        detail = f"there is nothing at {request.url.path[:200]}; /openapi.json lists what is"
    elif error.status_code == 405:
        allowed = ", ".join(sorted(headers.pop("Allow", "").split(", ")))
        headers["allow"] = allowed
        detail = f"{request.method} cannot be used here; {allowed} can"
    return _answer(request, problems.plain_problem(error.status_code, detail)._replace(headers=headers))


async def _on_disconnect(request: Request, error: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it


async def _on_bug(request: Request, error: Exception) -> Response:
    return _answer(request, problems.plain_problem(500, "this is a bug; the log of the server says more"))


HANDLERS: dict[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
    FootfallError: _on_footfall_error,
    HTTPException: _on_http_error,
    ClientDisconnect: _on_disconnect,
    Exception: _on_bug,
}
