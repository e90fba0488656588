"""Turns what a node answers where it does not do what is asked into our errors; sends nothing itself."""

from typing import Any

import httpx
import msgspec

from footfall.errors import (
    FootfallError,
    InvalidVisitError,
    MilestonePassedError,
    PartitionsUnownedError,
    SourcePositionError,
    UnavailableError,
)
from footfall.web.problems import UNTYPED, revive


class _Problem(msgspec.Struct, frozen=True):
    """RFC 9457, as a node answers it."""

    detail: str
    type: str = UNTYPED
    index: int | None = None
    position: int | None = None
    value: int | None = None
    partitions: list[int] | None = None


def refusal(url: str, asked: str, response: httpx.Response) -> FootfallError:
    """The error that a response tells of.

    Args:
        url: Of the node.
        asked: What it was asked, as a person would write it.
        response: Its answer, with the status of an error.
    """
    try:
        problem = msgspec.json.decode(response.content, type=_Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        if response.status_code in (502, 503, 504):
            return UnavailableError(f"{url} answered {response.status_code} to {asked}")
        return foreign(url, asked, response, response.reason_phrase)
    if response.status_code in (404, 405) and problem.type == UNTYPED:  # a node has all that is asked here
        return foreign(url, asked, response, problem.detail)
    return to_error(problem, response.status_code)


def foreign(url: str, asked: str, response: httpx.Response, what: str) -> FootfallError:
    """The error that no node of Footfall answers so."""
    return FootfallError(
        f"{url} answered {response.status_code} to {asked}, and not as a node does ({what}): is --url right?"
    )


def to_error(problem: _Problem, status: int) -> FootfallError:
    """The error that a node answered, as one of ours."""
    error: Any = revive(problem.type, problem.detail)
    if status == 503 and not isinstance(error, UnavailableError):
        error = UnavailableError(problem.detail)
    if problem.index is not None or isinstance(error, InvalidVisitError):
        error.index = problem.index
    if isinstance(error, SourcePositionError):
        error.position = problem.position or 0
    if isinstance(error, MilestonePassedError):
        error.value = problem.value or 0
    if isinstance(error, PartitionsUnownedError):
        error.partitions = problem.partitions or []
    result: FootfallError = error
    return result


def cause(error: httpx.TransportError) -> str:
    """Why nothing was answered, in a few words."""
    text = str(error).lower()
    if "refused" in text:
        return "connection refused"
    if "name or service" in text or "name resolution" in text or "nodename" in text:
        return "unknown host"
    return text or type(error).__name__
