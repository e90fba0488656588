"""Serves the files of the pages from the package: all are read at start, and nothing else is there."""

from __future__ import annotations

import gzip
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",  # the licences of what others wrote
    ".woff2": "font/woff2",
}

# A page loads from its own server alone, runs no script that is not a file of it, and is framed nowhere.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class File(NamedTuple):
    """A file as it is sent.

    Attributes:
        media_type: What it is.
        body: The bytes.
        packed: The same, by gzip; empty if that is no shorter.
        etag: Changes when the bytes do. A weak one, as it stands for both.
    """

    media_type: str
    body: bytes
    packed: bytes
    etag: str


@cache
def files() -> dict[str, File]:
    """All files, by their paths below ``static``."""
    found = sorted(path for path in FOLDER.rglob("*") if path.suffix in TYPES)
    return {path.relative_to(FOLDER).as_posix(): _read(path) for path in found}


def _read(path: Path) -> File:
    body = path.read_bytes()
    packed = gzip.compress(body, mtime=0)
    shorter = packed if len(packed) < len(body) else b""
    return File(TYPES[path.suffix], body, shorter, f'W/"{sha256(body).hexdigest()[:20]}"')


def answer(request: Request, file: File, headers: dict[str, str] | None = None) -> Response:
    """A file, or the word that it is what the browser has already.

    Args:
        request: What asks for it.
        file: The file.
        headers: Take the place of those that it would have: ``cache-control``, ``content-security-policy``, ``vary``.
    """
    sent = {
        "cache-control": "no-cache",  # kept, but asked about each time: a new version holds at once
        "content-security-policy": POLICY,
        "vary": "Accept-Encoding",
        "etag": file.etag,
        **(headers or {}),
    }
    if file.etag in (tag.strip() for tag in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=sent)
    if file.packed and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.packed, headers={**sent, "content-encoding": "gzip"}, media_type=file.media_type)
    return Response(file.body, headers=sent, media_type=file.media_type)


def wants_page(request: Request) -> bool:
    """Whether a person's browser asks, and not a program."""
    return "text/html" in request.headers.get("accept", "")


def routes() -> list[Route]:
    """The files, each at its path."""
    return [Route("/static/{path:path}", _get_file, methods=["GET"])]


async def _get_file(request: Request) -> Response:
    file = files().get(request.path_params["path"])
    if file is None:
        raise HTTPException(404)
    return answer(request, file)
