"""What middleware adds to the time in which an application answers: with a node, with one that stands still, without.

Applications of one line are called directly, as a server calls them, with a browser's headers: what a server and a
framework take would hide it. Requests come at a rate, as a server's do, so that the client's thread works beside them.
"""

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import footfall
from benchmarks import harness
from footfall.client.asgi import Message, Receive, Scope, Send

RATE = 2_000  # requests a second: what one process of a busy application answers
HEADERS = {
    "host": "shop.example.com",
    "user-agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
    "Safari/537.36",
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "accept-encoding": "gzip, deflate, br, zstd",
    "accept-language": "en-US,en;q=0.9",
    "referer": "https://shop.example.com/books",
    "sec-fetch-dest": "document",
    "sec-fetch-mode": "navigate",
    "cookie": "session=0123456789abcdef0123456789abcdef",
    "x-forwarded-for": "203.0.113.7",
}
ALL: dict[str, Any] = {
    "exclude": ["/static"],
    "exclude_bots": True,
    "do_not_track": True,
    "visitor": "address",
    "visitor_key": "secret",
    "trusted_proxies": ["127.0.0.0/8"],
}
WAYS: list[tuple[str, Any, dict[str, Any]]] = [
    ("one counter", "shop", {}),
    ("by path", footfall.by_path("shop"), {}),
    ("by path, bots and Do Not Track left out, visitors by address", footfall.by_path("shop"), ALL),
]


async def _asgi(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def _wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


async def _nothing(*_: Message) -> Message:
    return {}


def _ask_asgi(app: Any) -> Callable[[int], None]:
    headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    def ask(number: int) -> None:
        scope = {
            "type": "http", "method": "GET", "path": f"/books/{number % 100}", "headers": headers,
            "client": ("127.0.0.1", 5),
        }  # fmt: skip
        with contextlib.suppress(StopIteration):  # nothing in it waits, so no loop is needed, nor measured
            app(scope, _nothing, _nothing).send(None)

    return ask


def _ask_wsgi(app: Any) -> Callable[[int], None]:
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in HEADERS.items()}

    def ask(number: int) -> None:
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": f"/books/{number % 100}",
            "REMOTE_ADDR": "127.0.0.1",
            **headers,
        }
        app(environ, lambda *_: None)

    return ask


def measured(ask: Callable[[int], None], seconds: float) -> tuple[float, float]:
    """The median and the 99th percentile of the time that a request takes, in microseconds."""
    for number in range(1_000):
        ask(number)
    took_us: list[float] = []
    for number in range(int(seconds * RATE)):
        started_ns = time.perf_counter_ns()
        ask(number)
        ended_ns = time.perf_counter_ns()
        took_us.append((ended_ns - started_ns) / 1e3)
        time.sleep(max(0.0, 1 / RATE - (ended_ns - started_ns) / 1e9))
    return harness.percentile(took_us, 0.5), harness.percentile(took_us, 0.99)


def rows(state: str, url: str, seconds: float) -> Iterator[list[str]]:
    """A row for each way, with a node in some state."""
    ways: tuple[tuple[str, Any, Any, Callable[[Any], Callable[[int], None]]], ...] = (
        ("ASGI", _asgi, footfall.FootfallMiddleware, _ask_asgi),
        ("WSGI", _wsgi, footfall.WSGIMiddleware, _ask_wsgi),
    )
    for kind, app, wrap, asking in ways:
        bare = measured(asking(app), seconds)
        for way, counter, options in WAYS:
            client = footfall.Client(url, exit_timeout_s=0)
            middleware = wrap(app, counter=counter, client=client, **options)
            with_it = measured(asking(middleware), seconds)
            client.close()
            yield [f"{kind}, {way}", state, *(f"{one - other:.1f}" for one, other in zip(with_it, bare, strict=True))]


def main(seconds: float) -> None:
    """Measure and print."""
    found: list[list[str]] = []
    with harness.scratch() as directory, harness.quiet_children():
        port = harness.free_ports()
        url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "footfall.cli", "serve", "--http", f"127.0.0.1:{port}", "--data", directory]
        with harness.process(command) as node:
            harness.wait_for_port(port, node)
            footfall.Counter("shop", url=url).hit()  # it counts
            found += rows("counts", url, seconds)
            node.send_signal(signal.SIGSTOP)
            found += rows("stands still", url, seconds)
            node.send_signal(signal.SIGCONT)
        found += rows("is down", url, seconds)
    columns = ["added to an answer", "the node", "median, µs", "p99, µs"]
    harness.show(f"Middleware at {RATE:,} requests a second", columns, found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    main(min(parser.parse_args().seconds, 30.0))
