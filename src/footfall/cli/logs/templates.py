"""Formats that an administrator wrote: nginx's ``log_format`` and Apache's ``LogFormat``, as regular expressions."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from footfall.cli.logs.hit import Dialect, Hit, Skip, to_text
from footfall.errors import ConfigError

TEMPLATE_LENGTH_MAX = 4_096

_NGINX = re.compile(r"\$(?:\{([a-z0-9_]+)\}|([a-z0-9_]+))", re.ASCII)
_APACHE = re.compile(r"%(?:(%)|[!\d,]*[<>]?((?:\{[^}]*\})?(?:\^[A-Za-z]{2}|[A-Za-z])))", re.ASCII)
_APACHE_ESCAPES = {r"\"": '"', r"\\": "\\", r"\t": "\t"}

# Which attribute of a hit a variable tells; of several that a format has, the first here.
_OF_NGINX = {
    "address": ("remote_addr",),
    "time": ("time_iso8601", "time_local", "msec"),
    "request": ("request",),
    "method": ("request_method",),
    "target": ("request_uri", "uri", "document_uri"),
    "host": ("host", "http_host", "server_name"),
    "status": ("status",),
    "agent": ("http_user_agent",),
}
_OF_APACHE = {
    "address": ("a", "h", "{c}a"),
    "time": ("t", "{sec}t", "{msec}t", "{usec}t", "{begin:sec}t", "{begin:msec}t", "{begin:usec}t"),
    "request": ("r",),
    "method": ("m",),
    "target": ("U",),
    "host": ("{host}i", "V", "v"),
    "status": ("s",),
    "agent": ("{user-agent}i",),
}

_LIST = r"[^\s,\"]++(?:(?:,| :) [^\s,\"]++)*+"  # of the servers that were tried: 10.0.0.1:80, 10.0.0.2:80 : 10.0.0.3:80
_PATHS = ("request_uri", "uri", "document_uri", "U")
_SHAPES = {
    "t": r"\[[^\]]*+\]",
    "time_local": r"[^\s\]\"]++ [+-]\d{4}",
    "status": r"\d{3}|-",
    "s": r"\d{3}|-",
    "is_args": r"\??+",
}
_REQUEST = r"[^ ]*+(?: [^ ]*+ HTTP/[\d.]++)?+"  # where it stands without quotes


class _Variable(NamedTuple):
    name: str


_Part = str | _Variable


def is_nginx(template: str) -> bool:
    """Whether a format is nginx's; Apache's otherwise."""
    return _NGINX.search(template) is not None


def nginx(template: str, fields: Sequence[str]) -> Dialect:
    """The lines that nginx writes with this ``log_format``, with its default escaping or ``escape=json``.

    Args:
        template: The format, its strings put together.
        fields: Variables that are asked for by name, without ``$``.

    Raises:
        ConfigError: Lines in this format cannot be told apart into their values, or lack a field.
    """
    parts = _split(template, _NGINX, lambda found: _Variable(found[1] or found[2]))
    return _dialect(template, parts, _OF_NGINX, [name.removeprefix("$") for name in fields])


def apache(template: str, fields: Sequence[str]) -> Dialect:
    """The lines that Apache writes with this ``LogFormat``.

    Args:
        template: The format, with or without the backslashes that it has in a configuration file.
        fields: Directives that are asked for by name, such as ``%{X-Tenant}i``, or without the ``%``.

    Raises:
        ConfigError: As for ``nginx``.
    """
    plain = re.sub(r'\\["\\t]', lambda found: _APACHE_ESCAPES[found[0]], template)
    parts = _split(plain, _APACHE, lambda found: "%" if found[1] else _Variable(_fold(found[2])))
    dates = [part.name for part in parts if isinstance(part, _Variable) and re.fullmatch(r"\{.*%.*\}t", part.name)]
    known = _OF_APACHE | {"time": (*_OF_APACHE["time"], *dates)}
    return _dialect(template, parts, known, [_fold(re.sub(r"^%[!\d,]*[<>]?", "", name)) for name in fields])


def _fold(directive: str) -> str:
    """Names of headers are the same in any case."""
    return directive.lower() if directive.startswith("{") and directive.endswith(("}i", "}o")) else directive


def _split(template: str, variables: re.Pattern[str], part_of: Callable[[re.Match[str]], _Part]) -> list[_Part]:
    if not template or len(template) > TEMPLATE_LENGTH_MAX or "\n" in template:
        raise ConfigError(
            f"a log format is one line of 1 to {TEMPLATE_LENGTH_MAX:,} characters: put the strings of a configuration "
            "file together into one"
        )
    parts: list[_Part] = []
    end = 0
    for found in variables.finditer(template):
        for part in (template[end : found.start()], part_of(found)):
            if isinstance(part, str) and parts and isinstance(parts[-1], str):
                parts[-1] += part
            elif part:
                parts.append(part)
        end = found.end()
    if rest := template[end:]:
        parts.append(rest)
    return parts


def _dialect(template: str, parts: list[_Part], known: dict[str, tuple[str, ...]], fields: Sequence[str]) -> Dialect:
    present = {part.name for part in parts if isinstance(part, _Variable)}
    if not present:
        raise ConfigError(f"the log format {template!r} has no variables: nginx's begin with $, Apache's with %")
    chosen = {attribute: next((name for name in names if name in present), None) for attribute, names in known.items()}
    if lacking := [name for name in fields if name not in present]:
        raise ConfigError(f"the log format has no field {lacking[0]!r}; it has {', '.join(sorted(present))}")
    pattern, groups = _compile(parts, {name for name in chosen.values() if name} | set(fields))
    none = pattern.groups  # the last group never matches
    picked = [none if name is None else groups[name] for name in chosen.values()]
    picked += [groups[name] for name in fields] or [none]
    match_line = pattern.fullmatch
    named = bool(fields)

    def read(line: bytes) -> Hit | Skip | str:
        match = match_line(to_text(line))
        if match is None:
            return "is not in the log format that was given"
        address, time, request, method, target, host, status, agent, *values = match.group(*picked)
        return Hit(address, time, request, method, target, host, status, agent, tuple(values) if named else ())

    tells = {attribute for attribute, name in chosen.items() if name} | {"fields"}
    if "request" in tells:
        tells |= {"method", "target"}
    return Dialect(read, frozenset(tells - {"request"}))


def _compile(parts: list[_Part], wanted: Iterable[str]) -> tuple[re.Pattern[str], dict[str, int]]:
    """An expression for a line, and which of its groups hold the wanted variables."""
    groups: dict[str, int] = {}
    pattern = []
    quoted = False
    for index, part in enumerate(parts):
        if isinstance(part, str):
            pattern.append(re.escape(part))
            quoted ^= part.count('"') % 2 == 1
            continue
        value = _value(part.name, parts[index + 1 :], quoted)
        if part.name in wanted and part.name not in groups:
            groups[part.name] = len(groups) + 1
            pattern.append(f"({value})")
        else:
            pattern.append(f"(?:{value})")
    return re.compile("".join(pattern) + r"\s*+(\b\B)?", re.DOTALL | re.ASCII), groups


def _value(name: str, after: Sequence[_Part], quoted: bool) -> str:
    """What a variable's value looks like, given what follows it. It never goes back far, so the time is linear."""
    literal = next((part for part in after if isinstance(part, str)), "")
    stops = re.escape(literal[:1])
    if after and isinstance(after[0], _Variable):
        stops += _between(name, after[0].name)
    if name in _SHAPES:
        return _SHAPES[name]
    if quoted:
        plain = rf'[^"\\{stops}]*+'
        return rf"{plain}(?:\\.{plain})*+"
    if literal.startswith(":") and name in (*_OF_NGINX["address"], *_OF_APACHE["address"]):  # a port follows
        return r"[\w.:%-]{0,64}(?=:)"
    if literal.startswith(":") and name in (*_OF_NGINX["host"], *_OF_APACHE["host"]):
        return r"(?:\[[^\]]*+\]|[^:]*+)"
    if name in ("request", "r"):
        return _REQUEST
    if name in ("remote_user", "u") and len(literal) > 1:  # a name may hold blanks
        return rf"(?:(?!{re.escape(literal)}).)*+"
    if name.startswith("upstream_") or name in ("http_x_forwarded_for", "{x-forwarded-for}i"):
        return _LIST
    return rf"[^{stops}]*+" if stops else ".*+"


def _between(name: str, following: str) -> str:
    """Where one variable ends and the next begins, if nothing stands between them."""
    if following in _PATHS and name in (*_OF_NGINX["host"], *_OF_APACHE["host"]):
        return "/"
    if following in ("q", "is_args") and name in _PATHS:
        return "?"
    if name == "is_args":
        return ""
    raise ConfigError(
        f"nothing stands between {name} and {following} in the log format, so nobody can tell where one ends: put a "
        "blank between them"
    )
