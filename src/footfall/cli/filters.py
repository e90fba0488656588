"""Which requests of a log were asked for: each rule says why one does not count. Pure: no files, no HTTP."""

import re
from collections.abc import Callable, Sequence

from footfall.bots import is_bot
from footfall.cli.logs.hit import Hit, Skip, parse_time, split_request, unescape

ORIGIN = re.compile(r"[A-Za-z]+://([^/?#]*)")

Rule = Callable[[Hit], "Skip | str | None"]


def target_of(hit: Hit) -> str | None:
    """What was asked for; None if the log does not tell."""
    return hit.target if hit.request is None else split_request(hit.request)[1]


def by_status(statuses: Sequence[str]) -> Rule:
    """Only answers with these statuses, or of these classes, such as ``2xx``."""

    wanted = {text for text in statuses if text.isdigit()}
    classes = {text[0] for text in statuses if not text.isdigit()}

    def rule(hit: Hit) -> Skip | str | None:
        if hit.status is None:
            return "does not tell the status, which --status needs"
        return None if hit.status in wanted or hit.status[:1] in classes else Skip.FILTERED

    return rule


def by_method(methods: frozenset[str]) -> Rule:
    """Only these methods, in capitals."""

    def rule(hit: Hit) -> Skip | str | None:
        method = hit.method if hit.request is None else split_request(hit.request)[0]
        if method is None:
            return "does not tell the method, which --method needs"
        return None if method in methods else Skip.FILTERED

    return rule


def by_path(paths: tuple[str, ...], excluded: tuple[str, ...]) -> Rule:
    """Only paths with one of these beginnings, if there are any, and none with an excluded one."""

    def rule(hit: Hit) -> Skip | str | None:
        target = target_of(hit)
        if target is None:
            return "does not tell the path, which --path and --exclude-path need"
        path = target if target.startswith("/") else ORIGIN.sub("", target, count=1) or "/"
        wanted = not paths or path.startswith(paths)
        return None if wanted and not (excluded and path.startswith(excluded)) else Skip.FILTERED

    return rule


def by_time(since: float | None, until: float | None) -> Rule:
    """Only times from ``since`` on, and before ``until``."""

    def rule(hit: Hit) -> Skip | str | None:
        time = None if hit.time is None else parse_time(hit.time)
        if time is None:
            return "does not tell a time that can be read, which --since and --until need"
        wanted = (since is None or time >= since) and (until is None or time < until)
        return None if wanted else Skip.FILTERED

    return rule


def by_agent(hit: Hit) -> Skip | str | None:
    """Only user agents that are no bots."""
    if hit.agent is None:
        return "does not tell the user agent, which --exclude-bots needs"
    return Skip.FILTERED if is_bot(unescape(hit.agent)) else None
