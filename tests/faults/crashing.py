"""A process that does one durable thing, and is killed before or after its k-th call that could be its last.

It tells in DIRECTORY.trace what it did, and in DIRECTORY.synced keeps what would be left of the directory after a loss
of power: what was synced when the directory was synced last.
"""

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from footfall.core.position import Position
from footfall.log import engine
from footfall.node.acknowledged import Acknowledged
from footfall.node.secret import kept_secret
from footfall.node.spool_file import Origin, SpoolFile

CALLS = ("open", "write", "fsync", "replace", "link", "unlink", "rename")
ORIGIN = Origin("n1", "2026-01-01T00:00:00Z", 2)
OLD, NEW = Position("2026-01-01T00:00:00Z", 5, bytes(16)), Position("2026-01-01T00:00:00Z", 9, bytes(16))
SPOOLED = [(0, b"first" * 400), (1, b"second" * 400)]


def acknowledged(directory: Path, done: Callable[[str], None]) -> None:
    """A node remembers a position, and acts on it once it is written."""
    Acknowledged(directory, "n1").write(NEW)
    done("9")


def secret(directory: Path, done: Callable[[str], None]) -> None:
    """A node makes its secret, and answers visits with receipts under it."""
    done(kept_secret(directory).hex())


def private(directory: Path, done: Callable[[str], None]) -> None:
    """The engine's password is made."""
    engine._write_private(directory / "engine.password", "new password")
    done("new password")


def spool(directory: Path, done: Callable[[str], None]) -> None:
    """Visits are spooled, in two steps, given to the log, and forgotten."""
    file = SpoolFile.create(directory / "n1.sqlite", ORIGIN)
    for number, message in enumerate(SPOOLED):
        file.append([message])
        done(f"kept {number}")
    rows = file.after(0, 10, 1 << 20)
    for number, row in enumerate(rows):
        done(f"published {number}")  # the log has it: from here on it may be forgotten, and before it must not be
        file.remove([row.id])
    file.unlink()


WORK = {"acknowledged": acknowledged, "secret": secret, "private": private, "spool": spool}


class Crash:
    """Counts calls, and kills the process at the k-th."""

    def __init__(self, directory: Path, at: int, when: str, bug: str) -> None:
        self.directory = directory
        self.at = at
        self.when = when
        self.bug = bug
        self.calls = 0
        self.inside = False  # what a call does by calling others is its own business
        self.unsynced: set[int] = set()  # inodes
        self.trace = os.open(directory.with_suffix(".trace"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.real = {name: getattr(os, name) for name in CALLS}

    def say(self, text: str) -> None:
        self.real["write"](self.trace, text.encode() + b"\n")

    def die(self, name: str, when: str) -> None:
        if self.calls == self.at and when == self.when:
            left = {str(inode) for inode in self.unsynced}
            self.say(f"killed {when} {name}")
            self.say("unsynced " + " ".join(sorted(left)))
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        """The call, as one that may be the last."""

        def call(*arguments: Any, **named: Any) -> Any:
            if self.inside:
                return real(*arguments, **named)
            self.calls += 1
            self.die(name, "before")
            self.inside = True
            try:
                result = None if name == self.bug else real(*arguments, **named)
                if name == "write":
                    self.unsynced.add(os.fstat(arguments[0]).st_ino)
                elif name == "fsync" and name != self.bug:
                    self.synced(os.fstat(arguments[0]).st_ino)
            finally:
                self.inside = False
                self.die(name, "after")
            return result

        return call

    def synced(self, inode: int) -> None:
        self.unsynced.discard(inode)
        if inode == self.directory.stat().st_ino:
            keep(self.directory, self.unsynced)


def keep(directory: Path, unsynced: set[int]) -> None:
    """What a loss of power would leave from here on, until the directory is synced again."""
    shadow = directory.with_suffix(".synced")
    if shadow.exists():
        shutil.rmtree(shadow)
    shutil.copytree(directory, shadow)
    tear(directory, shadow, unsynced)


def tear(directory: Path, shadow: Path, unsynced: set[int]) -> None:
    """Empty those files of a copy whose bytes were not synced."""
    for path in directory.iterdir():
        if path.stat().st_ino in unsynced:
            (shadow / path.name).write_bytes(b"")


def crash(name: str, directory: Path, at: int, when: str, bug: str) -> int:
    """Do some work in a process of its own, which is killed there; returns its signal, or 0 if it came to its end."""
    if not (child := os.fork()):
        try:
            _work(name, Crash(directory, at, when, bug))
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] & 0x7F


def _work(name: str, crash: Crash) -> None:
    for call, real in crash.real.items():
        setattr(os, call, crash.around(call, real))

    class Connection(sqlite3.Connection):
        def execute(self, *arguments: Any) -> Any:
            return crash.around(str(arguments[0]).split()[0], super().execute)(*arguments)

        def executemany(self, *arguments: Any) -> Any:
            return crash.around("rows", super().executemany)(*arguments)

    connect = sqlite3.connect
    sqlite3.connect = lambda *arguments, **named: connect(*arguments, **named, factory=Connection)  # type: ignore[assignment]
    WORK[name](crash.directory, lambda text: crash.say(f"done {text}"))
    crash.say(f"calls {crash.calls}")
    os._exit(0)
