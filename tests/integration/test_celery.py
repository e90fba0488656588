"""Tasks of real Celery workers, which are killed when they are over: what they counted is counted."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from celery import Celery

from processes import NodeProcess, eventually

TASKS = 6


@contextmanager
def worker(directory: Path, pool: str, url: str) -> Iterator[Celery]:
    """A worker, killed with all of its processes at the end; yields what sends it tasks."""
    for part in ("queue", "control", "results"):
        (directory / part).mkdir(parents=True)
    sender = Celery(broker="filesystem://", backend=f"file://{directory / 'results'}")
    queue = str(directory / "queue")
    sender.conf.broker_transport_options = {
        "data_folder_in": queue, "data_folder_out": queue, "control_folder": str(directory / "control"),
    }  # fmt: skip
    with (directory / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", f"--pool={pool}", "--concurrency=2",
             "--without-gossip", "--without-mingle", "--without-heartbeat"],
            cwd=Path(__file__).parent, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "TASKS_DIR": str(directory), "FOOTFALL_URL": url},
        )  # fmt: skip
    try:
        yield sender
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_what_a_task_counts_is_counted_when_the_task_is_over(tmp_path: Path) -> None:
    with NodeProcess(tmp_path / "node") as node:
        with worker(tmp_path / "one", "prefork", node.url) as forks, worker(tmp_path / "two", "solo", node.url) as solo:
            results = [
                sender.send_task("celery_tasks.close_the_shop") for sender in (forks, solo) for _ in range(TASKS)
            ]
            for result in results:
                result.get(timeout=60)
        eventually(lambda: node.value("shop.closed") == 2 * TASKS, what="one visit for each task")
