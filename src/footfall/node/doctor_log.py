"""Examines a log as its server describes it, and what nodes on this machine remember of it."""

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from footfall.errors import DataVersionError, IntegrityError
from footfall.log.facts import StreamFacts
from footfall.log.protocol import Log
from footfall.node.acknowledged import Acknowledged
from footfall.node.doctor import Finding, bad, ok, warn
from footfall.ordinals import counted

FILL_WARN, FILL_BAD = 0.7, 0.9  # of max_bytes; at the second visits are not taken any more
SKEW_WARN_S = 5.0

# setting → (what it must be, what happens otherwise); what a server of an older version does not tell is as it must be
NEEDED: dict[str, tuple[Any, str]] = {
    "retention": ("limits", "messages are dropped once they were read"),
    "discard": ("new", "a full log drops its oldest messages, counted or not"),
    "max_age": (0, "messages are dropped when they are older, counted or not"),
    "max_msgs": (-1, "messages are dropped when there are more, counted or not"),
    "max_msgs_per_subject": (-1, "messages are dropped when there are more, counted or not"),
    "storage": ("file", "all is lost when the server ends"),
    "persist_mode": ("", "what was acknowledged can be lost with the power"),
    "deny_delete": (True, "anyone who may use JetStream's API can take single messages out"),
    "allow_msg_ttl": (False, "messages may ask to be dropped"),
    "allow_rollup_hdrs": (False, "a message may ask that all before it are dropped"),
    "sealed": (False, "nothing can be stored any more"),
}
NEEDED_OF_CUTS: dict[str, tuple[Any, str]] = {
    **NEEDED,
    "discard": ("old", "a new cut cannot take the place of an old one"),
    "max_msgs_per_subject": (1, "old states are kept beside new ones, and fill the disk"),
    "max_bytes": (-1, "a large cut pushes another one out"),
    "deny_delete": (False, "cuts that are needed no more cannot be dropped"),
}


def examine_streams(log: StreamFacts, cuts: StreamFacts, now_ns: int) -> Iterator[Finding]:
    """Findings on what the server says of both streams, at a moment of this machine's clock."""
    for facts, needed in ((log, NEEDED), (cuts, NEEDED_OF_CUTS)):
        if not facts.config:
            yield _gone(facts.name, log)
            continue
        yield from _settings(facts, needed)
        yield from _copies(facts)
    if log.config:
        yield _gaps(log)
        yield _fill(log)
        yield _clock(log.time_ns, now_ns)


def _gone(name: str, log: StreamFacts) -> Finding:
    if name == log.name:
        return bad("log", "stream", f"stream {name} is gone", "restore a backup: see docs/recovery.md")
    found = f"stream {name} is gone, and proofs of milestones with it"
    if log.first > 1:
        do = "if nodes run, let them: they store all again at the next cut; else restore a backup: see docs/recovery.md"
        return bad("log", "stream", found, do)
    return warn("log", "stream", found, "start a node: it makes the stream again, as the log holds all")


def _settings(facts: StreamFacts, needed: dict[str, tuple[Any, str]]) -> Iterator[Finding]:
    wrong = False
    for name, (expected, otherwise) in needed.items():
        value = facts.config.get(name, expected)
        if value not in (expected, None) and not (name == "persist_mode" and value == "default"):
            wrong = True
            found = f"{name} of stream {facts.name} is {value!r} instead of {expected!r}: {otherwise}"
            yield bad("log", name, found, f"nats stream edit {facts.name}, and set it back; then look for gaps")
    if not wrong:
        yield ok("log", "settings", f"stream {facts.name} loses nothing by its settings")


def _copies(facts: StreamFacts) -> Iterator[Finding]:
    replicas = facts.config["num_replicas"]
    if facts.lagging:
        found = f"stream {facts.name}: of {replicas} copies, away or behind: {', '.join(facts.lagging)}"
        yield warn("log", "copies", found, "start those servers, and wait until they have caught up")
    elif replicas > 1:
        yield ok("log", "copies", f"stream {facts.name} has {replicas} copies, all of them up to date")
    else:
        found = f"stream {facts.name} has one copy: a disk that is lost loses all since the last backup"
        yield ok("log", "copies", found)


def _gaps(log: StreamFacts) -> Finding:
    held = f"{counted(log.messages, 'message')}, sequences {log.first} to {log.last}"
    lacking = max(log.deleted, log.last - log.first + 1 - log.messages if log.messages else 0)
    if lacking:
        return bad(
            "log",
            "gaps",
            f"{held}: {lacking} between them are missing; they were deleted, or their file is damaged",
            "the visits in them are lost; stop all nodes, and restore a backup or a copy: see docs/recovery.md",
        )
    return ok("log", "gaps", f"{held}, none missing by the server's own numbers")


def _fill(log: StreamFacts) -> Finding:
    bytes_max = log.config["max_bytes"]
    if bytes_max < 0:
        do = f"nats stream edit {log.name} --max-bytes=…, to less than the disk has"
        return warn("log", "fill", f"{log.bytes:,} bytes, and no limit: it may fill the disk", do)
    found = f"{log.bytes:,} of {bytes_max:,} bytes, {log.bytes / bytes_max:.0%}"
    if log.bytes >= FILL_BAD * bytes_max:
        do = "visits wait in the spools: see why cuts fail (below, and in the nodes' logs), or make it larger"
        return bad("log", "fill", found, do)
    if log.bytes >= FILL_WARN * bytes_max:
        return warn("log", "fill", found, "it is trimmed at every cut: see whether cuts are taken, or make it larger")
    return ok("log", "fill", found)


def _clock(log_ns: int, now_ns: int) -> Finding:
    skew_s = (now_ns - log_ns) / 1e9
    if abs(skew_s) > SKEW_WARN_S:
        found = f"this machine's clock is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} the log's"
        return warn("clock", "skew", found, "synchronise the clocks (NTP): winners are told with the log's time")
    return ok("clock", "skew", f"{skew_s:+.1f} s from the log's")


def examine_sync(said: Iterable[tuple[str, bool | str]]) -> Iterator[Finding]:
    """Findings on whether servers fsync before they acknowledge; ``said``: of each, that, or why it is not known."""
    known = False
    for server, always in said:
        known = True
        if isinstance(always, str):
            yield warn("log", "sync", f"{server}: {always}", "name its monitoring port: --monitor http://HOST:8222")
        elif always:
            yield ok("log", "sync", f"{server} writes to the disk before it acknowledges")
        else:
            found = f"{server} acknowledges up to 2 minutes before it writes to the disk: a loss of power loses visits"
            yield bad(
                "log", "sync", found, "set jetstream { sync_interval: always } in its configuration, and restart it"
            )
    if not known:
        found = "whether the servers write to the disk before they acknowledge is not told over NATS"
        yield warn(
            "log", "sync", found, "name their monitoring ports: --monitor http://HOST:8222, once for each server"
        )


async def examine_acknowledged(data: Path, log: Log) -> list[Finding]:
    """Whether the log holds what nodes of this data directory know of it. Raises LogUnavailableError."""
    findings = []
    for path in await asyncio.to_thread(lambda: sorted(data.glob("acknowledged-*.json"))):
        node = path.stem.removeprefix("acknowledged-")
        try:
            await Acknowledged(data, node).check(log)
        except (IntegrityError, DataVersionError, OSError) as error:
            do = "see docs/troubleshooting.md; do not move the file away before you know why: it is all that tells"
            findings.append(bad("acknowledged", node, f"node {node} does not start on this log: {error}", do))
        else:
            findings.append(ok("acknowledged", node, f"the log holds what node {node} knows of it"))
    return findings
