"""Lines on stderr are for people, or for machines."""

import contextlib
import io
import logging
from collections.abc import Iterator
from typing import Any

import msgspec

from footfall.config import LogFormat
from footfall.web.logs import log_to_stderr


@contextlib.contextmanager
def stderr() -> Iterator[io.StringIO]:
    """What is written there; the process logs as before afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    with contextlib.redirect_stderr(io.StringIO()) as written:
        yield written
    root.handlers[:] = handlers
    root.setLevel(level)


def lines_of(written: io.StringIO) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in written.getvalue().splitlines()]


def test_a_line_for_machines_has_time_level_logger_message_and_node() -> None:
    with stderr() as written:
        log_to_stderr(LogFormat.JSON, "info", "node1")
        logging.getLogger("footfall.node").info("partitions %s\nare counted", "1, 2")
    (line,) = lines_of(written)
    time = line.pop("time")
    assert line == {
        "level": "info", "logger": "footfall.node", "message": "partitions 1, 2\nare counted", "node": "node1",
    }  # fmt: skip
    assert len(time) == len("2026-01-01T00:00:00.000Z")
    assert time[10] + time[-1] == "TZ"


def test_an_error_comes_with_where_it_came_from_in_the_same_line() -> None:
    with stderr() as written:
        log_to_stderr(LogFormat.JSON)
        try:
            raise ZeroDivisionError("ünlucky")
        except ZeroDivisionError:
            logging.getLogger("footfall").exception("it died of \udcff, which no UTF-8 has")
    (line,) = lines_of(written)
    assert line["level"] == "error"
    assert "Traceback" in line["exception"]
    assert "ZeroDivisionError: ünlucky" in line["exception"]
    assert "node" not in line


def test_nothing_below_the_level_is_written() -> None:
    with stderr() as written:
        log_to_stderr(LogFormat.TEXT, "warning")
        logging.getLogger("footfall").info("quiet")
        logging.getLogger("footfall").warning("loud")
    assert "quiet" not in written.getvalue()
    assert written.getvalue().endswith("WARNING footfall: loud\n")
