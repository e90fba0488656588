"""Says an error as RFC 9457 problem details; knows the error tree, and nothing of how the answer is sent."""

import http
from math import ceil
from typing import Any, NamedTuple

import msgspec

from footfall import errors
from footfall.errors import FootfallError
from footfall.kinds import KINDS as KINDS
from footfall.kinds import UNTYPED, slug

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_S = 1  # a flush, an election or a reconnection takes about that long
RETRIED = (429, 503)
CHALLENGE = 'Bearer realm="footfall"'

# The first class that fits decides: the special ones come before their bases.
STATUSES: tuple[tuple[type[FootfallError], int], ...] = (
    (errors.UnauthorizedError, 401),
    (errors.ForbiddenError, 403),
    (errors.MalformedRequestError, 400),
    (errors.UnknownMilestoneError, 404),
    (errors.UnknownCounterError, 404),
    (errors.WrongReceiptError, 403),
    (errors.UnitConflictError, 409),
    (errors.SourcePositionError, 409),
    (errors.KeysForgottenError, 409),
    (errors.MilestonePassedError, 409),
    (errors.ImportConflictError, 409),
    (errors.ClaimError, 409),
    (errors.TooLargeError, 413),
    (errors.TooManyCountersError, 507),
    (errors.TooManyMilestonesError, 507),
    (errors.CallerError, 422),
    (errors.TooManyClaimsError, 429),
    (errors.RateLimitedError, 429),
    (errors.UnavailableError, 503),
    (errors.FootfallError, 500),
)


class Problem(NamedTuple):
    """An answer that is an error.

    Attributes:
        status: The HTTP status.
        headers: Headers besides the content's type and length.
        body: Problem details in JSON.
    """

    status: int
    headers: dict[str, str]
    body: bytes


def status_of(error: FootfallError) -> int:
    """The HTTP status that an error is answered with."""
    return next(status for kind, status in STATUSES if isinstance(error, kind))


def problem(error: FootfallError) -> Problem:
    """The answer to a request that failed with ``error``."""
    status = status_of(error)
    members: dict[str, Any] = {
        "type": f"/problems/{slug(type(error))}",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": str(error),
    }
    index = getattr(error, "index", None)
    if index is not None:
        members["index"] = index
    if isinstance(error, errors.SourcePositionError):
        members["position"] = error.position
    elif isinstance(error, errors.MilestonePassedError):
        members["value"] = error.value
    elif isinstance(error, errors.PartitionsUnownedError):
        members["partitions"] = error.partitions
    headers = (
        {"retry-after": str(ceil(getattr(error, "retry_after_s", 0)) or RETRY_AFTER_S)} if status in RETRIED else {}
    )
    if status == 401:
        headers["www-authenticate"] = CHALLENGE
    return Problem(status, headers, msgspec.json.encode(members))


def plain_problem(status: int, detail: str) -> Problem:
    """The answer where the status says it all: no such path, a method that is not there, a bug of ours."""
    members = {"type": UNTYPED, "title": http.HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Problem(status, {}, msgspec.json.encode(members))


SHED = problem(errors.OverloadedError("this node is behind with its work; nothing was counted: send it again later"))
