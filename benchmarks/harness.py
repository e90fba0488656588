"""What the measurements share: processes and directories that end with them, free ports, and the table."""

import asyncio
import contextlib
import datetime as dt
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

READY_S = 20.0
STOP_S = 10.0


class Figure(NamedTuple):
    """One row of the table: a rate, or why there is none."""

    what: str
    rate: float | None
    note: str = ""


def machine() -> str:
    """What the figures were measured on."""
    model = "unknown processor"
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    today = dt.datetime.now(dt.UTC).date()
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{today}, {cores} cores of {model}, {system}"


def scratch() -> contextlib.AbstractContextManager[str]:
    """A directory that ends with the measurement. On the real disk: an fsync on a memory file system costs nothing."""
    return tempfile.TemporaryDirectory(
        prefix="footfall-bench-", dir=os.environ.get("FOOTFALL_BENCH_DIR"), ignore_cleanup_errors=True
    )


@contextlib.contextmanager
def quiet_children() -> Iterator[None]:
    """Keep what processes started meanwhile write to stderr, and show its end only if the measurement fails."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(kept, said.read()[-4000:])
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def free_ports(count: int = 1) -> int:
    """The first of ``count`` consecutive free ports on loopback."""
    for _ in range(100):
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                for offset in range(1, count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port + offset))
            except (OSError, OverflowError):
                continue
            return port
    raise RuntimeError(f"no {count} consecutive free ports on loopback")


@contextlib.contextmanager
def process(command: Sequence[str], **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours, asked to end, then ended, by its own id."""
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, env={**os.environ, **settings})
        try:
            yield child
        finally:
            stop(child)
            errors.seek(0)
            if child.returncode not in (0, -signal.SIGTERM, -signal.SIGKILL):
                sys.stderr.write(errors.read()[-4000:].decode(errors="replace"))


def stop(child: subprocess.Popen[bytes]) -> None:
    """End a process of ours."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def wait_for_port(port: int, child: subprocess.Popen[bytes]) -> None:
    """Until a server of ours accepts connections."""
    for _ in range(int(READY_S / 0.02)):
        if child.poll() is not None:
            raise RuntimeError(f"{child.args!r} ended with {child.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.02)
    raise RuntimeError(f"{child.args!r} does not listen on port {port}")


async def until(
    true: Callable[[], bool | Awaitable[bool]], seconds_max: float, what: str, pause_s: float = 0.005
) -> None:
    """Wait for a condition, but not for ever."""
    async with asyncio.timeout(seconds_max) as deadline:
        with contextlib.suppress(TimeoutError):
            while True:
                value = true()
                if value if isinstance(value, bool) else await value:
                    return
                await asyncio.sleep(pause_s)
    if deadline.expired():
        raise RuntimeError(f"not within {seconds_max:.0f} s: {what}")


@contextlib.contextmanager
def nats_server(directory: str, sync: str = "always") -> Iterator[str]:
    """A nats-server as the embedded engine runs it, unless told otherwise how often to sync; yields its URL."""
    beside_python = Path(sys.executable).with_name("nats-server")
    binary = os.environ.get("FOOTFALL_NATS_SERVER") or shutil.which("nats-server") or str(beside_python)
    port = free_ports()
    settings = Path(directory) / "nats.conf"
    settings.write_text(
        f"listen: 127.0.0.1:{port}\nmax_payload: 1MB\n"
        f'jetstream {{ store_dir: "{directory}/jetstream", sync_interval: {sync} }}\n'
    )
    with process([binary, "-c", str(settings)]) as child:
        wait_for_port(port, child)
        yield f"nats://127.0.0.1:{port}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, as wide as it needs, wherever it goes."""
    table = Table(title=title, title_justify="left", show_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console()
    needed = Measurement.get(Console(width=500), Console(width=500).options, table).maximum
    console.width = max(console.width, needed)
    console.print(table)
    console.print(machine(), style="dim", soft_wrap=True)
