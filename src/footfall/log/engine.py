"""The embedded engine: a real nats-server as a child of this process, on loopback, with its data under ours."""

import asyncio
import contextlib
import ctypes
import errno
import fcntl
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPException
from pathlib import Path
from typing import IO, Self
from urllib.request import urlopen

from footfall import durable
from footfall.errors import (
    ConfigError,
    DataInUseError,
    DataVersionError,
    EngineFailedError,
)
from footfall.log.binary import find_binary

logger = logging.getLogger(__name__)

DATA_VERSION = "1"
STORE = "jetstream"  # in the data directory: the log and its store
LOCK = "lock"  # whoever has it locked uses the directory
START_TIMEOUT_S = 30.0  # of a server that recovers a large log
STOP_TIMEOUT_S = 10.0
LOCK_TIMEOUT_S = 10.0  # for a server whose parent was killed to end
CHECK_INTERVAL_S = 0.5
CHECK_TIMEOUT_S = 1.0
CHECKS_FAILED_MAX = 4  # in a row: then it hangs, and is started anew
RESTART_FIRST_S, RESTART_MAX_S = 0.1, 5.0
PR_SET_PDEATHSIG = 1


def connection_file(data: Path) -> Path:
    """Where a running engine tells its URL, credential included. After a ``kill -9`` it is still there."""
    return data / "engine.url"


def running_url(data: Path) -> str | None:
    """The URL of the engine that runs on a data directory; None if none does.

    Raises:
        ConfigError: It is no data directory.
        EngineFailedError: An engine has the directory, and cannot be reached: it is starting, or ending.
    """
    try:
        with (data / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        pass
    except OSError as error:
        raise ConfigError(
            f"{data} is no data directory of footfall serve ({error.strerror}): name the one that --data gave it"
        ) from None
    try:
        return connection_file(data).read_text().strip()
    except OSError as error:
        raise EngineFailedError(f"the engine on {data} is starting or ending, try again: {error}") from None


class Engine:
    """A nats-server that lives as long as this object, restarted when it dies or hangs; its data stays."""

    def __init__(self, data: Path, log_bytes_max: int) -> None:
        self.restarts = 0
        self.pid = 0
        self._data = data
        self._log_bytes_max = log_bytes_max
        self._binary = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._port = self._monitor_port = 0
        self._password = ""
        self._told = False  # whether the connection file is there, and ours
        self._supervisor: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """Where it listens, credential included."""
        return f"nats://footfall:{self._password}@127.0.0.1:{self._port}"

    async def start(self) -> str:
        """Start it; returns its URL.

        Raises:
            EngineMissingError, EngineTooOldError: There is no nats-server that can be used.
            DataInUseError: Another server uses the data directory.
            DataVersionError: Another version's data.
            ConfigError: The data directory cannot be written.
            EngineFailedError: It does not come up.
        """
        self._binary = await asyncio.to_thread(find_binary)
        try:
            await self._take_directory()
            await self._launch()
        except OSError as error:  # a disk that is full
            await self.stop()
            raise EngineFailedError(
                f"the data directory {self._data} cannot be written: {error.strerror}; make room, or name another"
            ) from None
        except BaseException:
            await self.stop()
            raise
        self._supervisor = asyncio.create_task(self._supervise(), name="engine")
        return self.url

    async def stop(self) -> None:
        """End it cleanly, or by force if that takes too long."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor
            self._supervisor = None
        await self._end(signal.SIGTERM)
        if self._told:
            with contextlib.suppress(OSError):
                connection_file(self._data).unlink(missing_ok=True)
            self._told = False
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def _take_directory(self) -> None:
        try:
            self._data.mkdir(parents=True, exist_ok=True)
            self._lock = (self._data / LOCK).open("a+")
            await self._wait_for_lock(self._lock)
            self._check_version()
            self._password = self._kept_password()
        except OSError as error:
            raise ConfigError(f"the data directory {self._data} cannot be used: {error}") from None

    async def _wait_for_lock(self, lock: IO[str]) -> None:
        deadline_s = time.monotonic() + LOCK_TIMEOUT_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                lock.seek(0)
                owner = lock.read().strip()
                if _alive(owner) or time.monotonic() > deadline_s:
                    raise DataInUseError(
                        f"the data directory {self._data} is in use by process {owner or 'unknown'}: "
                        "stop that one, or give this one another --data"
                    ) from None
                await asyncio.sleep(0.1)  # its parent was killed: the server of that is ending
        lock.truncate(0)
        os.write(lock.fileno(), b"%d\n" % os.getpid())  # not by way of a buffer, which would be full when it is closed

    def _check_version(self) -> None:
        path = self._data / "version"
        if not path.exists():
            _write_private(path, DATA_VERSION + "\n")
        found = path.read_text(errors="replace").strip()
        if found != DATA_VERSION:
            raise DataVersionError(
                f"the data in {self._data} is of version {found[:20]!r}, and this Footfall reads {DATA_VERSION}: "
                "use the version that wrote it, or another --data"
            )

    def _kept_password(self) -> str:
        path = self._data / "engine.password"
        if not path.exists():
            _write_private(path, secrets.token_hex(24))
        return path.read_text().strip()

    async def _launch(self) -> None:
        """Start the server, on the ports that it had before, and wait until it can store."""
        for attempt in range(3):
            if not self._port or attempt:
                self._port, self._monitor_port = _free_ports()
            _write_private(self._data / "nats.conf", self._configuration())
            self._process = self._spawn()  # by this thread: the child is told when the thread that made it ends
            self.pid = self._process.pid
            deadline_s = time.monotonic() + START_TIMEOUT_S
            while self._process.poll() is None and time.monotonic() < deadline_s:
                if await self._healthy() and self._process.poll() is None:
                    _write_private(connection_file(self._data), self.url + "\n")
                    self._told = True
                    return
                await asyncio.sleep(0.05)
            await self._end(signal.SIGKILL)
            if self.restarts:
                break  # whoever is connected knows the port: it must stay
        where = self._data / "nats.log"
        raise EngineFailedError(f"the nats-server does not come up; its last words in {where}: {self._last_words()}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        assert self._lock is not None
        prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None
        parent = os.getpid()

        def die_with_parent() -> None:
            if prctl is not None:
                prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != parent:
                    os._exit(1)

        # The lock is inherited: the directory is in use for as long as the server runs, whatever happens to us. A
        # killed server loses nothing that it acknowledged, as it syncs before it acknowledges.
        return subprocess.Popen(
            [self._binary, "-c", str(self._data / "nats.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[self._lock.fileno()],
            preexec_fn=die_with_parent,  # two system calls, and nothing else
            start_new_session=True,  # Ctrl-C in the terminal is for us: the server is stopped after the nodes
        )

    def _configuration(self) -> str:
        quoted = str((self._data / STORE).resolve()).replace("\\", "\\\\").replace('"', '\\"')
        log = str((self._data / "nats.log").resolve()).replace("\\", "\\\\").replace('"', '\\"')
        return f"""# Written by Footfall at every start; changes are lost.
server_name: footfall
listen: "127.0.0.1:{self._port}"
http: "127.0.0.1:{self._monitor_port}"
max_payload: 1048576
max_pending: 268435456
log_file: "{log}"
log_size_limit: 1048576
log_max_num: 3
jetstream {{
  store_dir: "{quoted}"
  max_file_store: {4 * self._log_bytes_max}
  sync_interval: always
}}
authorization {{ user: footfall, password: "{self._password}" }}
"""

    async def _healthy(self) -> bool:
        return await asyncio.to_thread(_answers, f"http://127.0.0.1:{self._monitor_port}/healthz")

    async def _supervise(self) -> None:
        failed = 0
        cannot = ""  # be started, and why: said once
        pause_s = RESTART_FIRST_S
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            dead = self._process is None or self._process.poll() is not None  # None: it did not come up
            failed = 0 if not dead and await self._healthy() else failed + 1
            if not dead and failed < CHECKS_FAILED_MAX:
                if not failed:
                    pause_s = RESTART_FIRST_S
                continue
            if not cannot:
                logger.error("the nats-server %s; it is started anew", "has died" if dead else "does not answer")
            self.restarts += 1
            await self._end(signal.SIGKILL)
            try:
                await self._launch()
                logger.warning("the nats-server runs again")
                failed, cannot = 0, ""
            except (EngineFailedError, OSError) as error:
                full = isinstance(error, OSError) and error.errno == errno.ENOSPC
                why = f"{error}: make room on the disk of {self._data}" if full else str(error)
                if why != cannot:
                    logger.error("the nats-server cannot be started, and is tried on: %s", why)
                cannot = why
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, RESTART_MAX_S)

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
            try:
                await asyncio.to_thread(process.wait, STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
        await asyncio.to_thread(process.wait)

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self._data / "nats.log").read_text(errors="replace").splitlines()
            return " | ".join(line for line in lines[-3:])[:600]
        return "none"


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=CHECK_TIMEOUT_S) as answer:  # noqa: S310  # our own, on loopback
            return bool(answer.status == 200)
    except (HTTPException, OSError):  # not URLError alone: one that is ending may say anything, and its watch must live
        return False


def _free_ports() -> tuple[int, int]:
    """Two ports that nobody listens on; someone may take one before the server does: then it is tried again."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _alive(pid: str) -> bool:
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _write_private(path: Path, text: str) -> None:
    """All of it or nothing, also after a loss of power, and readable by the owner alone."""
    durable.replace(path, text.encode())
