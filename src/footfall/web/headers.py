"""The headers that every answer has, whoever gives it: a browser must not guess, render, frame, leak or keep it."""

from collections.abc import Sequence

Header = tuple[bytes, bytes]

COMMON: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),  # receipts are secrets, counts are out of date at once, and errors pass
)


def with_common(headers: list[Header], others: Sequence[Header] = ()) -> list[Header]:
    """The headers of an answer, with ``others``, and with those of ``COMMON`` that it does not set itself."""
    own = dict(headers)
    for name, value in others:
        own[name] = own[name] + b", " + value if name == b"vary" and name in own else value
    return [*own.items(), *(header for header in COMMON if header[0] not in own)]
