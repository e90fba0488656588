"""An event loop without time: when nothing is left to do it is at once the moment of what is due next.

With it, real nodes run a minute in a second, and in the same way every time. Threads are run at once, in place.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import selectors
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from random import Random
from typing import Any

import pytest

OWNER: ContextVar[str] = ContextVar("OWNER", default="")  # who began a task, and all that it begins
BEGIN_S = 1_700_000_000


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. ``tasks`` holds those that are not done, by their owner."""

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_Selector(self))
        self.tasks: dict[str, dict[asyncio.Task[Any], None]] = {}
        self.set_task_factory(self._make)

    def time(self) -> float:
        return self._now_s

    def pass_by(self, seconds: float) -> None:
        self._now_s += seconds

    def run_in_executor(self, executor: Any, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = self.create_future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:  # it belongs to whoever awaits
            future.set_exception(error)
        return future

    def _make(self, loop: Any, coroutine: Any, **settings: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coroutine, loop=loop, **settings)
        owned = self.tasks.setdefault(OWNER.get(), {})
        owned[task] = None
        task.add_done_callback(lambda task: owned.pop(task, None))
        return task

    async def end(self, owner: str) -> None:
        """Cancel all that someone began, as often as it takes."""
        while left := [task for task in self.tasks.get(owner, ()) if task is not asyncio.current_task()]:
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=0.1)


class _Selector(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everything waits, and nothing is due: a deadlock"
            self._loop.pass_by(timeout)
        return ready


@contextlib.contextmanager
def virtual_time(random: Random) -> Iterator[VirtualLoop]:
    """A loop, and the standard library's clocks and random names as it has them."""
    loop = VirtualLoop()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", loop.time)
        patch.setattr(time, "time", lambda: BEGIN_S + loop.time())
        patch.setattr(time, "time_ns", lambda: int((BEGIN_S + loop.time()) * 1e9))
        patch.setattr(secrets, "token_bytes", random.randbytes)
        patch.setattr(secrets, "token_hex", lambda count: random.randbytes(count).hex())
        try:
            yield loop
        finally:
            for owner in list(loop.tasks):
                loop.run_until_complete(loop.end(owner))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
