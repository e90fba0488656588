"""The small pages: a counter's public page, the script that counts a page view, and what says why there is no page."""

from functools import cache
from hashlib import sha256
from html import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from footfall.core.names import check_name
from footfall.web import static
from footfall.web.badges import EMBEDDED
from footfall.web.exchange import path_of

SCRIPT_BYTES_MAX = 1_024  # of count.js: every page view of every site that uses it may cost so much
SCRIPT_HEADERS = EMBEDDED | {"cache-control": "max-age=3600, stale-while-revalidate=86400"}

# As for all pages, but that anyone may frame it: it shows what is public, and takes no input but a claim.
PAGE_HEADERS = {"content-security-policy": static.POLICY.replace("frame-ancestors 'none'", "frame-ancestors *")}

# What a person reads before the detail.
TITLES = {
    401: "A token is needed",
    403: "Not allowed",
    404: "Nothing is here",
    422: "That names no counter",
    503: "Not now",
}


def routes() -> list[Route]:
    """One route for each."""
    return [
        Route("/count.js", _get_script, methods=["GET"]),
        Route("/c/{name}", _get_page, methods=["GET"]),
    ]


async def _get_script(request: Request) -> Response:
    return static.answer(request, static.files()["count.js"], SCRIPT_HEADERS)


async def _get_page(request: Request) -> Response:
    return static.answer(request, page(check_name(path_of(request, "name"))), PAGE_HEADERS)


@cache
def _template() -> str:
    return static.files()["counter.html"].body.decode()


def page(counter: str) -> static.File:
    """The page of a counter; the name is one, so that it has no character that means anything to HTML."""
    body = _template().replace("{name}", counter).encode()
    return static.File(static.TYPES[".html"], body, b"", f'W/"{sha256(body).hexdigest()[:20]}"')


def wants_problem_page(request: Request) -> bool:
    """Whether an error is told to a person's browser. Below ``/v1/`` all answers are for programs."""
    return static.wants_page(request) and not request.url.path.startswith("/v1/")


def problem_page(request: Request, status: int, detail: str, headers: dict[str, str]) -> Response:
    """An error as a page, with its status and headers: what was wrong, and where to go on."""
    root = "../" * (request.url.path.count("/") - 1) or "./"  # relative: below a prefix, too
    said = escape(f"{detail[:1].upper()}{detail[1:]}.")
    body = static.files()["problem.html"].body.decode().replace("../", root)
    body = body.replace("{status}", str(status)).replace("{title}", TITLES.get(status, "That did not work"))
    sent = {**headers, **PAGE_HEADERS, "vary": "Accept"}
    return Response(body.replace("{detail}", said), status, sent, static.TYPES[".html"])
