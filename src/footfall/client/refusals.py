"""Turns what a node answers where it does not do what is asked into our errors; sends nothing itself."""

from typing import Any

import httpx
import msgspec

from footfall.client.access import shown
from footfall.errors import (
    FootfallError,
    ForbiddenError,
    InvalidVisitError,
    MilestonePassedError,
    PartitionsUnownedError,
    SourcePositionError,
    UnauthorizedError,
    UnavailableError,
)
from footfall.kinds import UNTYPED, revive

_NO_TLS = ("wrong_version_number", "record layer failure", "packet length")  # as OpenSSL's versions say it
RETRY_AFTER_DIGITS_MAX = 6  # eleven days


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
        return _untold(url, asked, response)
    if response.status_code in (404, 405) and problem.type == UNTYPED:  # a node has all that is asked here
        return foreign(url, asked, response, problem.detail)
    error = to_error(problem, response.status_code)
    if isinstance(error, UnavailableError):
        error.retry_after_s = _retry_after_s(response)
    return error


def _untold(url: str, asked: str, response: httpx.Response) -> FootfallError:
    """The error where a proxy has answered, and no node."""
    said = f"{shown(url)} answered {response.status_code} to {asked}"
    if response.status_code in (429, 502, 503, 504):
        error = UnavailableError(said)
        error.retry_after_s = _retry_after_s(response)
        return error
    if response.status_code == 401:
        return UnauthorizedError(f"{said}: it lets nobody in without a token; give one, as FOOTFALL_TOKEN for example")
    if response.status_code == 403:
        return ForbiddenError(f"{said}: who you are may not do that")
    return foreign(url, asked, response, response.reason_phrase)


def _retry_after_s(response: httpx.Response) -> float:
    """How long the node, or a proxy, asks to be left alone; 0 if it does not say, or says a date."""
    said = response.headers.get("retry-after", "")
    return float(said) if said.isascii() and said.isdigit() and len(said) <= RETRY_AFTER_DIGITS_MAX else 0.0


def foreign(url: str, asked: str, response: httpx.Response, what: str) -> FootfallError:
    """The error that no node of Footfall answers so."""
    return FootfallError(
        f"{shown(url)} answered {response.status_code} to {asked}, and not as a node does ({what}): is the URL right?"
    )


def to_error(problem: _Problem, status: int) -> FootfallError:
    """The error that a node answered, as one of ours."""
    error: Any = revive(problem.type, problem.detail)
    if status in (429, 503) and not isinstance(error, UnavailableError):
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
    if "refused" in text or "all connection attempts failed" in text:  # as event loops say it
        return "connection refused"
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if "certificate verify failed" in text:
        return f"its certificate is not trusted: {text.rpartition('failed: ')[2].partition(' (_ssl')[0]}"
    if any(sign in text for sign in _NO_TLS):
        return "it does not speak TLS: if it is a node, write http://"
    if "without sending a response" in text and error.request.url.scheme == "http":
        return "it closed the connection without an answer: if it has a certificate, write https://"
    if "name or service" in text or "name resolution" in text or "nodename" in text:
        return "unknown host"
    return text or type(error).__name__
