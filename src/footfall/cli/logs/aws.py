"""Logs of Amazon's Application Load Balancer and of CloudFront (standard logs, in W3C extended format or in JSON)."""

import re
from collections.abc import Sequence

from footfall.cli.logs import objects
from footfall.cli.logs.hit import Dialect, Hit, Skip, percent_decoded, to_text
from footfall.errors import ConfigError, InputError

ALB_FIELDS = (
    "type", "time", "elb", "client:port", "target:port", "request_processing_time", "target_processing_time",
    "response_processing_time", "elb_status_code", "target_status_code", "received_bytes", "sent_bytes", "request",
    "user_agent", "ssl_cipher", "ssl_protocol", "target_group_arn", "trace_id", "domain_name", "chosen_cert_arn",
    "matched_rule_priority", "request_creation_time", "actions_executed", "redirect_url", "error_reason",
    "target:port_list", "target_status_code_list", "classification", "classification_reason", "conn_trace_id",
    "transformed_host", "transformed_uri", "request_transform_status", "ip_address",
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


def names_columns(head: Sequence[bytes]) -> bool:
    """Whether a log's first lines tell which columns it has: by a header, or each its own."""
    return _is_json(head) or _header(head) is not None


def cloudfront(head: Sequence[bytes], fields: Sequence[str]) -> Dialect:
    """CloudFront's standard log. Its own header tells which columns it has, and in which order; JSON needs none.

    Other logs in W3C format, such as IIS's, have blanks between columns, and ``+`` for blanks in user agents.

    Args:
        head: The log's first lines.
        fields: Columns that are asked for by name.

    Raises:
        InputError: There is no header.
        ConfigError: A field is no column.
    """
    if _is_json(head):
        return objects.cloudfront(fields)
    header = _header(head)
    if header is None:
        raise InputError(f"there is no #Fields in the first {FIELDS_LINES_MAX} lines, which would name the columns")
    names = header.decode(errors="replace").split()
    width = len(names)
    columns = _columns(names, fields, "the log")
    at = {name: names.index(name) for name in names}
    dated = ("date", "time") if {"date", "time"} <= at.keys() else ("timestamp(ms)",)  # where one has asked for it
    when = [at[name] for name in dated if name in at]
    method, stem, status = at.get("cs-method"), at.get("cs-uri-stem"), at.get("sc-status")
    agent, address = at.get("cs(User-Agent)"), at.get("c-ip")
    host = at.get("x-host-header", at.get("cs(Host)"))  # cs(Host) is the distribution's own name

    def read(line: bytes) -> Hit | Skip | str:
        if line.startswith(b"#"):
            if line.startswith(b"#Fields:") and line.removeprefix(b"#Fields:").split() != header.split():
                return "names other columns than the log's first #Fields: put what follows into a file of its own"
            return Skip.NOTHING
        text = to_text(line)
        tabs = "\t" in text
        values = text.split("\t" if tabs else " ")
        if len(values) != width:
            return f"has {len(values)} of the {width} columns that #Fields names"
        if status is not None and not _STATUS.fullmatch(values[status]):
            return f"has {values[status][:20]!r} for a status"
        return Hit(
            None if address is None else values[address],
            "T".join(values[column] for column in when) or None,
            None,
            None if method is None else values[method],
            None if stem is None else values[stem],
            None if host is None else values[host],
            None if status is None else values[status],
            None if agent is None else percent_decoded(values[agent] if tabs else values[agent].replace("+", " ")),
            tuple(percent_decoded(values[column]) for column in columns),
        )

    told = {
        "address": address, "time": when or None, "method": method, "target": stem, "host": host,
        "status": status, "agent": agent, "fields": 0,
    }  # fmt: skip
    return Dialect(read, frozenset(name for name, column in told.items() if column is not None))


def _header(head: Sequence[bytes]) -> bytes | None:
    for line in head[:FIELDS_LINES_MAX]:
        if line.startswith(b"#Fields:"):
            return line.removeprefix(b"#Fields:").strip()
    return None


def _is_json(head: Sequence[bytes]) -> bool:
    return next((line for line in head if line.strip()), b"").lstrip().startswith(b"{")


def _columns(names: Sequence[str], fields: Sequence[str], what: str) -> list[int]:
    for name in fields:
        if name not in names:
            raise ConfigError(f"{what} has no field {name!r}; it has {', '.join(names)}")
    return [list(names).index(name) for name in fields]
