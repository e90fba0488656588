"""The headers that every answer has, whoever gives it: a browser must not guess, render, frame, leak or keep it."""

COMMON: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),  # receipts are secrets, counts are out of date at once, and errors pass
)


def with_common(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, with those of ``COMMON`` that it does not set itself."""
    own = {name for name, _ in headers}
    return [*headers, *(header for header in COMMON if header[0] not in own)]
