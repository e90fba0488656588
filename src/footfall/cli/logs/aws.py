"""Logs of Amazon's Application Load Balancer and of CloudFront (standard logs, W3C extended)."""

import re
from collections.abc import Sequence
from urllib.parse import unquote

from footfall.cli.logs.hit import Dialect, Hit, Skip, to_text
from footfall.errors import ConfigError, InputError

ALB_FIELDS = (
    "type", "time", "elb", "client:port", "target:port", "request_processing_time", "target_processing_time",
    "response_processing_time", "elb_status_code", "target_status_code", "received_bytes", "sent_bytes", "request",
    "user_agent", "ssl_cipher", "ssl_protocol", "target_group_arn", "trace_id", "domain_name", "chosen_cert_arn",
    "matched_rule_priority", "request_creation_time", "actions_executed", "redirect_url", "error_reason",
    "target:port_list", "target_status_code_list", "classification", "classification_reason", "conn_trace_id",
)  # fmt: skip
FIELDS_LINES_MAX = 10  # the header's #Fields is looked for in so many lines

_QUOTED = r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_ALB = re.compile(
    r"(?:https?|h2|grpcs|wss?) ([^ ]++) [^ ]++ ([^ ]{1,64}):(?:\d++|-) [^ ]++ [-.\d]++ [-.\d]++ [-.\d]++ (\d{3}|-) "
    rf"(?:\d{{3}}|-) [-\d]++ [-\d]++ {_QUOTED} {_QUOTED} ",
    re.DOTALL | re.ASCII,
)
_VALUE = re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"|([^ "]++)', re.DOTALL)
_STATUS = re.compile(r"\d{3}|000|-|0", re.ASCII)


def alb(fields: Sequence[str]) -> Dialect:
    """The Application Load Balancer's access log. Raises ConfigError for a field that it does not have."""
    columns = _columns(ALB_FIELDS, fields, "an ALB's log")

    def read(line: bytes) -> Hit | Skip | str:
        text = to_text(line)
        match = _ALB.match(text)
        if match is None:
            return "is not an entry of an ALB's log"
        time, address, status, request, agent = match.groups()
        values: tuple[str, ...] = ()
        if columns:
            found = [quoted or plain for quoted, plain in _VALUE.findall(text)]
            values = tuple(found[column] if column < len(found) else "" for column in columns)
        return Hit(address.strip("[]"), time, request, None, None, None, status, agent, values)

    return Dialect(read, frozenset({"address", "time", "method", "target", "host", "status", "agent", "fields"}))


def has_fields(head: Sequence[bytes]) -> bool:
    """Whether a log's first lines have the header that names its columns."""
    return _header(head) is not None


def cloudfront(head: Sequence[bytes], fields: Sequence[str]) -> Dialect:
    """CloudFront's standard log. The log's own header tells which columns it has, and in which order.

    Args:
        head: The log's first lines.
        fields: Columns that are asked for by name.

    Raises:
        InputError: There is no header.
        ConfigError: A field is no column.
    """
    header = _header(head)
    if header is None:
        raise InputError(f"there is no #Fields in the first {FIELDS_LINES_MAX} lines, which would name the columns")
    names = header.decode(errors="replace").split()
    width = len(names)
    columns = _columns(names, fields, "the log")
    at = {name: names.index(name) for name in names}
    time, date = at.get("time"), at.get("date")
    method, stem, status = at.get("cs-method"), at.get("cs-uri-stem"), at.get("sc-status")
    agent, address = at.get("cs(User-Agent)"), at.get("c-ip")
    host = at.get("x-host-header", at.get("cs(Host)"))  # cs(Host) is the distribution's own name

    def read(line: bytes) -> Hit | Skip | str:
        if line.startswith(b"#"):
            if line.startswith(b"#Fields:") and line.removeprefix(b"#Fields:").split() != header.split():
                return "names other columns than the log's first #Fields: put what follows into a file of its own"
            return Skip.NOTHING
        values = to_text(line).split("\t")
        if len(values) != width:
            return f"has {len(values)} columns, and #Fields names {width}"
        if status is not None and not _STATUS.fullmatch(values[status]):
            return f"has {values[status][:20]!r} for a status"
        return Hit(
            None if address is None else values[address],
            None if time is None or date is None else f"{values[date]}T{values[time]}",
            None,
            None if method is None else values[method],
            None if stem is None else values[stem],
            None if host is None else values[host],
            None if status is None else values[status],
            None if agent is None else _decoded(values[agent]),
            tuple(_decoded(values[column]) for column in columns),
        )

    told = {
        "address": address, "time": None if date is None else time, "method": method, "target": stem, "host": host,
        "status": status, "agent": agent, "fields": 0,
    }  # fmt: skip
    return Dialect(read, frozenset(name for name, column in told.items() if column is not None))


def _header(head: Sequence[bytes]) -> bytes | None:
    for line in head[:FIELDS_LINES_MAX]:
        if line.startswith(b"#Fields:"):
            return line.removeprefix(b"#Fields:").strip()
    return None


def _columns(names: Sequence[str], fields: Sequence[str], what: str) -> list[int]:
    for name in fields:
        if name not in names:
            raise ConfigError(f"{what} has no field {name!r}; it has {', '.join(names)}")
    return [list(names).index(name) for name in fields]


def _decoded(text: str) -> str:
    """What CloudFront wrote percent-encoded, in older logs twice."""
    return unquote(unquote(text)) if "%" in text else text
