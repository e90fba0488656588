"""Middleware for WSGI applications: Flask, Django and others."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from footfall.client.middleware import Visits
from footfall.client.rules import Options, Request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class WSGIMiddleware:
    """Counts the requests that a WSGI application answers.

    Args:
        app: The application.
        counter: A counter's name, or a function of a request that returns one; None for a request that is no visit.
        options: See ``Options``.

    Raises:
        InvalidNameError: If the counter is no name.
        ConfigError: If an option has a value that it cannot have.
    """

    def __init__(
        self, app: "WSGIApplication", counter: str | Callable[[Request], str | None], **options: Unpack[Options]
    ) -> None:
        self._app = app
        self._visits = Visits(counter, options)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer as the application does."""
        path = path_of(environ)
        if not self._visits.rules.may_count(environ["REQUEST_METHOD"], path):
            return self._app(environ, start_response)
        status = 0

        def start(line: str, *more: Any) -> Callable[[bytes], object]:
            nonlocal status
            write = start_response(line, *more)
            status = int(line[:3]) if line[:3].isdecimal() else 0
            return write

        def count() -> None:
            self._visits.take(status, partial(read, self._visits, environ, path))

        answer = self._app(environ, start)
        if status:
            count()
            return answer  # itself: it may be a file that the server sends without reading it
        return _Unstarted(answer, count)


class _Unstarted:
    """The answer of an application that starts it only when it is read, as a generator does."""

    def __init__(self, answer: Iterable[bytes], started: Callable[[], None]) -> None:
        self._answer = answer
        self._started = started

    def __iter__(self) -> Iterator[bytes]:
        parts = iter(self._answer)
        for part in parts:
            self._started()
            yield part
            break
        else:
            self._started()
        yield from parts

    def close(self) -> None:
        """As WSGI asks of whoever wraps an answer."""
        if close := getattr(self._answer, "close", None):
            close()


def path_of(environ: Mapping[str, Any]) -> str:
    """A request's whole path. WSGI shows bytes as characters."""
    path: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace")


def read(visits: Visits, environ: Mapping[str, Any], path: str, status: int) -> Request:
    """What was asked."""
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or (name in ("CONTENT_TYPE", "CONTENT_LENGTH") and value)
    }
    return visits.rules.request(environ["REQUEST_METHOD"], path, headers, environ.get("REMOTE_ADDR") or None, status)
