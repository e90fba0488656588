"""What a process writes to stderr, one line an event: for people, or in JSON for machines. Knows no event."""

import logging
import sys
from datetime import UTC, datetime

import msgspec

from footfall.config import LogFormat

PEOPLE = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class Line(msgspec.Struct, omit_defaults=True):
    """One event. The keys are stable.

    Attributes:
        time: RFC 3339, in UTC, to the millisecond.
        level: ``debug``, ``info``, ``warning``, ``error`` or ``critical``.
        logger: Which part of Footfall, or of what it uses, says it.
        message: What it says.
        node: The node's name; left out where it has no name yet, and by who starts several.
        exception: Where an error came from, in many lines; left out if there is none.
    """

    time: str
    level: str
    logger: str
    message: str
    node: str = ""
    exception: str = ""


class JsonFormatter(logging.Formatter):
    """Writes events as lines of JSON."""

    def __init__(self, node: str = "") -> None:
        """
        Args:
            node: Whose they are.
        """
        super().__init__()
        self._node = node
        self._encode = msgspec.json.Encoder().encode

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        exception = self.formatException(record.exc_info) if record.exc_info else ""
        message, exception = (  # the name of a file may hold what no UTF-8 has
            text.encode(errors="backslashreplace").decode() for text in (record.getMessage(), exception)
        )
        line = Line(time, record.levelname.lower(), record.name, message, self._node, exception)
        return self._encode(line).decode()


def log_to_stderr(form: LogFormat = LogFormat.TEXT, level: str = "info", node: str = "") -> None:
    """Write the events of this process to stderr.

    Args:
        form: For whom.
        level: Nothing below it.
        node: Whose they are, in JSON.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(node) if form is LogFormat.JSON else logging.Formatter(PEOPLE))
    logging.basicConfig(handlers=[handler], level=level.upper())
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
