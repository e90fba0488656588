"""Logs of text: the Common Log Format and what descends from it (combined, Traefik's); and HAProxy's."""

import re

from footfall.cli.logs.hit import Dialect, Hit, Skip, to_text

# Possessive quantifiers keep the time linear on lines that do not match. A user's name may hold blanks.
_BEGIN = r"([^ ]++) [^ ]++ [^\[]*+\[([^\]]*+)\] "
_QUOTED = r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_ANSWER = r" (\d{3}|-) (?:\d++|-)"
# The last quote may be missing: servers and log shippers cut over-long user agents off.
_AGENTS = r' "[^"\\]*+(?:\\.[^"\\]*+)*+" "([^"\\]*+(?:\\.[^"\\]*+)*+)\\?(?:"|$)'
_ADDRESS = r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{1,45})"
# The port, or an address behind it, tells it from an address; what is behind an address is a user, and hardly ever one.
_HOST = rf"([^ ]{{1,255}}:\d{{1,5}}(?= [^ .:]*+[.:])|[^ ]{{0,255}}(?= {_ADDRESS} [^ ]++ )) "

_COMMON = re.compile(_BEGIN + _QUOTED + _ANSWER + r"(?=\s|$)", re.DOTALL | re.ASCII)
_COMBINED = re.compile(_BEGIN + _QUOTED + _ANSWER + _AGENTS, re.DOTALL | re.ASCII)
_VHOST_COMBINED = re.compile(_HOST + _BEGIN + _QUOTED + _ANSWER + _AGENTS, re.DOTALL | re.ASCII)
_ROUTED = r' \d++ "[^"]*+" "[^"]*+" \d++ms\s*$'
_TRAEFIK = re.compile(_BEGIN + _QUOTED + _ANSWER + _AGENTS + _ROUTED, re.DOTALL | re.ASCII)
_TRAEFIK_END = re.compile(f'"{_ROUTED}', re.ASCII)
_HAPROXY = re.compile(
    r"([^ ]{1,64}):\d{1,5} \[\d\d/[A-Z][a-z]{2}/\d{4}:[\d:]{8}\.\d{3}\] [^ ]++ [^ ]++ [-+\d]++(?:/[-+\d]++){4} "
    r'(-1|\d{3}) \+?\d++ [^"]*+"([^"]*+)',  # what a client sent has its quotes as #22; a long line is cut off
    re.ASCII,
)
_HAPROXY_OTHER = re.compile(r"(?:Proxy|Server|Backend|Health check|Connect from) ")

_LOOSE_HOST = re.compile(r"([^ ]++) [^ ]++ ")
_LOOSE_ANSWER = re.compile(r'" (\d{3}|-) (?:\d++|-)(?=\s|$)', re.ASCII)

_TELLS = frozenset({"address", "time", "method", "target", "status"})
_TELLS_COMBINED = _TELLS | {"agent"}


def common(closely: bool = True) -> Dialect:
    """``%h %l %u %t "%r" %>s %b``; looked at ``closely`` for more than the address."""

    def read(line: bytes) -> Hit | Skip | str:
        text = to_text(line)
        match = _COMMON.match(text)
        if match is None:
            return _read_loosely(text, combined=False) or "is not in the common log format"
        if not closely:
            return Hit(match[1])
        address, time, request, status = match.groups()
        return Hit(address, time, request, None, None, None, status)

    return Dialect(read, _TELLS)


def combined(closely: bool = True) -> Dialect:
    """``%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"``, and whatever follows: nginx's and Apache's.

    Args:
        closely: Whether more than the address is asked for: what nobody asks for takes a sixth of the time.
    """

    def read(line: bytes) -> Hit | Skip | str:
        text = to_text(line)
        match = _COMBINED.match(text)
        if match is None:
            return _read_loosely(text, combined=True) or "is not in the combined log format"
        if not closely:
            return Hit(match[1])
        address, time, request, status, agent = match.groups()
        return Hit(address, time, request, None, None, None, status, agent)

    return Dialect(read, _TELLS_COMBINED)


def vhost_combined() -> Dialect:
    """``%v:%p`` before the combined format, as Debian's Apache has it for other virtual hosts."""

    def read(line: bytes) -> Hit | Skip | str:
        match = _VHOST_COMBINED.match(to_text(line))
        if match is None:
            return "is not in the vhost_combined log format"
        host, address, time, request, status, agent = match.groups()
        return Hit(address, time, request, None, None, host, status, agent)

    return Dialect(read, _TELLS_COMBINED | {"host"})


def read_traefik(line: bytes) -> Hit | Skip | str:
    """Traefik's own: combined, a number, router and server in quotes, and the duration."""
    text = to_text(line)
    match = _TRAEFIK.match(text)
    if match is None:  # it escapes no quotes
        hit = _read_loosely(text, combined=True) if _TRAEFIK_END.search(text) else None
        return hit or "is not in Traefik's log format"
    address, time, request, status, agent = match.groups()
    return Hit(address, time, request, None, None, None, status, agent)


def haproxy() -> Dialect:
    """HAProxy's with ``option httplog``. Its times name no zone, so nobody can tell which they are."""

    def read(line: bytes) -> Hit | Skip | str:
        text = to_text(line)
        match = _HAPROXY.match(text)
        if match is None:
            return Skip.NOTHING if _HAPROXY_OTHER.match(text) else "is not in HAProxy's HTTP log format"
        address, status, request = match.groups()
        return Hit(address, None, request, None, None, None, status)

    return Dialect(read, _TELLS - {"time"})


def _read_loosely(text: str, combined: bool) -> Hit | None:
    """A line whose quotes nobody escaped, or with a bracket in the user's name, if its outline is right.

    Each step is a single search onwards, so that the time stays linear in hostile lines.
    """
    host = _LOOSE_HOST.match(text)
    begin = text.find('] "')
    if host is None or begin < host.end():
        return None
    bracket = text.find("[", host.end(), begin)
    answer = _LOOSE_ANSWER.search(text, begin + 3)
    if bracket < 0 or answer is None:
        return None
    agent = None
    if combined:
        between = text.find('" "', answer.end() + 2)
        if not text.startswith(' "', answer.end()) or between < 0:
            return None
        agent = text[between + 3 :].partition('"')[0]
    request = text[begin + 3 : answer.start()]
    return Hit(host[1], text[bracket + 1 : begin], request, None, None, None, answer[1], agent)
