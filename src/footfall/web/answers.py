"""The bytes of the answers that the hot path gives; knows nothing of connections."""

import http
from collections.abc import Sequence

from footfall.web.headers import COMMON
from footfall.web.problems import CONTENT_TYPE, Problem


class Answers:
    """Heads of answers, made anew when uvicorn makes its default headers anew (the date, once a second).

    Args:
        defaults: Uvicorn's.
        others: What else every answer carries, for a reader of one origin.
    """

    def __init__(self, defaults: list[tuple[bytes, bytes]], others: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self.defaults = defaults
        self.common = b"".join(b"%b: %b\r\n" % header for header in (*defaults, *others, *COMMON))
        json = b"content-type: application/json\r\ncontent-length: "
        self.accepted = b"HTTP/1.1 202 Accepted\r\n%b%b" % (self.common, json)
        self.reading = b"HTTP/1.1 200 OK\r\n%b%b" % (self.common, json)
        self.receipt_kind = (-1, "")
        self.receipt_head = b""

    def stored(self, receipt: str, where: str) -> bytes:
        """The answer to a visit that is stored. A node's receipts have one length, so the head is made once."""
        if (len(receipt), where) != self.receipt_kind:
            self.receipt_kind = len(receipt), where
            start = b'{"accepted":1,"stored":"%b","receipt":"' % where.encode()
            self.receipt_head = b"%b%d\r\n\r\n%b" % (self.accepted, len(start) + len(receipt) + 2, start)
        return self.receipt_head + receipt.encode() + b'"}'

    def read(self, body: bytes) -> bytes:
        """The answer to a read."""
        return b"%b%d\r\n\r\n%b" % (self.reading, len(body), body)

    def failed(self, failure: Problem) -> bytes:
        """The answer to a request that failed."""
        lines = [f"HTTP/1.1 {failure.status} {http.HTTPStatus(failure.status).phrase}\r\n".encode(), self.common]
        lines += [f"{name}: {value}\r\n".encode() for name, value in failure.headers.items()]
        lines.append(f"content-type: {CONTENT_TYPE}\r\ncontent-length: {len(failure.body)}\r\n\r\n".encode())
        return b"".join(lines) + failure.body
