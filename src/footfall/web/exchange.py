"""What every handler needs: the parts of a request, within their bounds, and answers in JSON."""

from typing import Any
from urllib.parse import unquote

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from footfall.core.visit import BATCH_BYTES_MAX
from footfall.errors import TooLargeError
from footfall.web.requests import parse_query

encode = msgspec.json.Encoder().encode


async def body_of(request: Request) -> bytes:
    """The whole body. Raises TooLargeError, and HTTPException for an encoding; the content's type does not matter."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.strip().lower() != "identity":
        raise HTTPException(415, f"the content encoding {encoding[:60]!r} is not understood; send the body as it is")
    length = int(request.headers.get("content-length", "0"))
    if length > BATCH_BYTES_MAX:
        raise TooLargeError(f"the body has {length} bytes; at most {BATCH_BYTES_MAX} are taken")
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > BATCH_BYTES_MAX:
            raise TooLargeError(f"the body has more than {BATCH_BYTES_MAX} bytes, which is the most that is taken")
    return bytes(parts)


def query_of(request: Request, *allowed: str) -> dict[str, str]:
    """The parameters of the query. Raises InvalidRequestError for one that is not allowed, or repeated."""
    return parse_query(request.query_params.multi_items(), allowed)


def path_of(request: Request, name: str) -> str:
    """A part of the path, as text."""
    return unquote(request.path_params[name], errors="replace")


def values_of(request: Request, name: bytes) -> list[bytes]:
    """The values of a header, each time that it is there."""
    return [value for header, value in request.scope["headers"] if header == name]


def in_json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer."""
    return Response(encode(content), status, headers, "application/json")
