"""Examines a data directory, without any engine: files, permissions, the disk, and the spool."""

import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from footfall.errors import ConfigError, DataVersionError, SpoolDamagedError, SpoolInUseError
from footfall.log.engine import DATA_VERSION
from footfall.node.doctor import Finding, bad, ok, warn
from footfall.node.secret import SECRET_FILE, existing_secret
from footfall.node.spool import ASIDE, DIRECTORY, WINDOW_BYTES, WINDOW_MESSAGES
from footfall.node.spool_file import SUFFIX, SpoolFile
from footfall.ordinals import counted

PRIVATE = (SECRET_FILE, "engine.password", "engine.url", "nats.conf")
FREE_BAD_BYTES, FREE_WARN_BYTES = 64 << 20, 1 << 30


def examine_data(data: Path) -> Iterator[Finding]:
    """Findings on a data directory, the spool's included."""
    if not data.is_dir():
        yield bad("data", "directory", f"{data} is no directory", "name the --data that footfall serve was given")
        return
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        yield bad("data", "directory", f"{data} cannot be written by this user", "run as the user of footfall serve")
        return
    yield ok("data", "directory", str(data.resolve()))
    yield _version(data)
    yield from _private(data)
    yield _secret(data)
    yield _disk(data, shutil.disk_usage(data).free)
    yield from _engine(data)
    yield from examine_spool(data)


def _version(data: Path) -> Finding:
    path = data / "version"
    try:
        found = path.read_text(errors="replace").strip()
    except FileNotFoundError:
        return ok("data", "version", "no engine was ever run here")
    except OSError as error:
        return bad("data", "version", f"{path} cannot be read: {error}", "run as the user of footfall serve")
    if found != DATA_VERSION:
        return bad(
            "data",
            "version",
            f"{path} says {found[:20]!r}, and this Footfall reads {DATA_VERSION}",
            "use the version that wrote it; put the file back if it was changed",
        )
    return ok("data", "version", f"its format is version {found}")


def _private(data: Path) -> Iterator[Finding]:
    for name in PRIVATE:
        path = data / name
        if path.exists() and (mode := stat.S_IMODE(path.stat().st_mode)) & 0o077:
            found = f"{path} has mode {mode:04o}: others on this machine can read it"
            yield warn(
                "data", "permissions", found, f"chmod 600 {path}; if others have accounts here, change the secret"
            )


def _secret(data: Path) -> Finding:
    try:
        secret = existing_secret(data)
    except (ConfigError, OSError) as error:
        return bad(
            "data", "secret", str(error), "put the original back from a copy: without it no receipt can be checked"
        )
    if secret is None and not os.environ.get("FOOTFALL_SECRET") and any(data.glob("acknowledged-*.json")):
        found = "no secret is kept here, though nodes have run here"
        do = "all is well if they are given FOOTFALL_SECRET; else put it back before the next start makes another"
        return warn("data", "secret", found, do)
    if secret is None:
        return ok(
            "data", "secret", "no secret is kept here: it comes from FOOTFALL_SECRET, or is made at the first start"
        )
    return ok("data", "secret", "the secret is there, and whole; keep a copy of it elsewhere")


def _disk(data: Path, free: int) -> Finding:
    found = f"{free >> 20:,} MiB are free on the disk of {data}"
    if free < FREE_BAD_BYTES:
        return bad(
            "data", "disk", found, "make room: neither the log nor the spool takes visits; then restart the engine"
        )
    if free < FREE_WARN_BYTES:
        return warn("data", "disk", found, "make room, before visits are refused")
    return ok("data", "disk", found)


def _engine(data: Path) -> Iterator[Finding]:
    if not (data / "version").exists():
        return
    if not (data / "jetstream").is_dir():
        found = f"{data / 'jetstream'}, where the engine keeps the log, is not there"
        yield bad("data", "engine", found, "put it back, or restore a backup: see docs/recovery.md")
        return
    torn = [str(path) for path in data.glob("*.new")]
    if torn:
        yield ok("data", "engine", f"left by a crash, and harmless: {', '.join(torn)}")


def examine_spool(data: Path) -> Iterator[Finding]:
    """Findings on what waits for the log in a data directory, or cannot go there."""
    directory = data / DIRECTORY
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        yield _spool(path)
    for path in sorted(directory.glob(f"*{SUFFIX}.{ASIDE}")):
        found = f"{path} was set aside: the visits in it were acknowledged, and are not counted"
        yield bad("spool", "aside", found, "see docs/troubleshooting.md; keep the file")
    if not directory.is_dir() or not any(directory.iterdir()):
        yield ok("spool", "empty", "no visits wait for the log")


def _spool(path: Path) -> Finding:
    try:
        file = SpoolFile.open(path)
    except FileNotFoundError:
        return ok("spool", "file", f"{path} was emptied meanwhile")
    except SpoolInUseError:
        return ok("spool", "file", f"{path} is in use by a node, which tells of it in /readyz and /metrics")
    except (SpoolDamagedError, DataVersionError) as error:
        return bad("spool", "damaged", str(error), "keep the file; start the node: it sets it aside and counts on")
    try:
        messages, torn, oldest_s = _counted(file)
    except (SpoolDamagedError, sqlite3.Error) as error:
        return bad("spool", "damaged", str(error), "keep the file; start the node: it drains what can be read")
    finally:
        file.close()
    if torn:
        found = f"{path}: {torn} of {counted(messages, 'message')} were changed on the disk, and cannot be counted"
        return bad("spool", "damaged", found, "keep the file; start the node: it drains the others")
    waited_s = max(0.0, time.time() - oldest_s) if messages else 0.0
    waits = counted(messages, "message waits", "messages wait")
    found = f"{path}: {waits} for the log made at {file.origin.log}, the oldest for {waited_s:.0f} s"
    if messages:
        return warn("spool", "waiting", found, "start a node on this directory: it gives them to the log, each once")
    return ok("spool", "file", f"{path} is empty")


def _counted(file: SpoolFile) -> tuple[int, int, float]:
    """How many messages, how many of them changed, and when the first was kept."""
    messages, torn, oldest_s, at = 0, 0, time.time(), 0
    while rows := file.after(at, WINDOW_MESSAGES, WINDOW_BYTES):
        at = rows[-1].id
        messages += len(rows)
        torn += sum(not row.whole for row in rows)
        oldest_s = min(oldest_s, *(row.kept_s for row in rows))
    return messages, torn, oldest_s
