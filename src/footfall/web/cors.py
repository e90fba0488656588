"""Which pages of other origins may read answers in a browser (CORS). Pure: headers in, headers out.

A browser sends ``Origin`` with what a page of another origin asks, and lets the page read an answer that names it.
Credentials are never allowed: a token is shown by a page's own script, and the browser adds nothing that is good here.

References:
    WHATWG Fetch, section 3.3 (HTTP CORS protocol).
"""

from collections.abc import Iterable, Sequence

ANY = "*"
NO_READER = b""  # stands for an origin that is not allowed, and for none
EXPOSED = b"etag, retry-after"
ASKED = "authorization, content-type, idempotency-key, idempotency-key-age, if-none-match, last-event-id"
PREFLIGHT_AGE_S = 7200  # browsers keep the answer no longer

Header = tuple[bytes, bytes]


class Cors:
    """Who may read.

    Args:
        origins: As browsers write them: ``https://shop.example``; or ``*``, which is everyone.
    """

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = frozenset(origin.encode() for origin in origins if origin != ANY)
        self._anyone = ANY in origins

    def reader(self, headers: Iterable[Header]) -> bytes:
        """The origin of a request, if it may read the answer; NO_READER otherwise. Names are in lower case."""
        if self._anyone or not self._origins:
            return NO_READER
        found = [value for name, value in headers if name == b"origin"]
        return found[0] if len(found) == 1 and found[0] in self._origins else NO_READER

    def headers(self, reader: bytes) -> tuple[Header, ...]:
        """What every answer to such a reader carries.

        An answer may be kept by a browser that did not ask for a page, or for a page of another origin. So what lets
        everyone read is always there, and what depends on the origin says so.
        """
        if self._anyone:
            return ((b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", EXPOSED))
        if not self._origins:
            return ()
        vary = (b"vary", b"origin")
        if reader == NO_READER:
            return (vary,)
        return (vary, (b"access-control-allow-origin", reader), (b"access-control-expose-headers", EXPOSED))

    def preflight(self, method: str, headers: Sequence[Header]) -> dict[str, str] | None:
        """What answers a browser that asks whether a page may send a request; None if it is none, or may not."""
        names = {name for name, _ in headers}
        if method != "OPTIONS" or not names >= {b"origin", b"access-control-request-method"}:
            return None
        if not self._anyone and self.reader(headers) == NO_READER:
            return None
        return {
            "access-control-allow-methods": "GET, POST, PUT",
            "access-control-allow-headers": ASKED,
            "access-control-max-age": str(PREFLIGHT_AGE_S),
        }
