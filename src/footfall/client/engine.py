"""What a client does next, and what an answer changes: all of its work but the network and the waiting.

Whoever drives it, a thread or a task, asks ``step`` what to do, does that, and tells ``finish`` how it ended. One batch
is under way at a time, so that visits reach the log in their order.
"""

import random
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from footfall.client import policy
from footfall.client.backlog import Backlog
from footfall.client.batches import Batch, batches, give_keys
from footfall.client.buffer import Buffer
from footfall.client.policy import Action
from footfall.client.requests import Asking, asking_to_store
from footfall.client.settings import Settings
from footfall.client.spool import Spool
from footfall.client.trouble import Trouble
from footfall.core.visit import BATCH_VISITS_MAX
from footfall.errors import FootfallError, RateLimitedError

LOOK_S = 10.0  # between two looks for what dead processes left


class Send(NamedTuple):
    """Send a batch to a node.

    Attributes:
        url: The node.
        asked: The request.
    """

    url: str
    asked: Asking


class Statistics(NamedTuple):
    """What became of the visits of one client, in this process.

    Attributes:
        sent: Visits that a node has stored.
        dropped: Visits that found no room, or that no node will take.
        unsure: Visits that were given up because their answers were lost for too long: they may be counted or not.
        retried: Requests that were sent again.
        buffered: What waits in memory; visits that were merged are one.
        spooled: Visits that wait on disk, of dead processes too.
    """

    sent: int
    dropped: int
    unsure: int
    retried: int
    buffered: int
    spooled: int


class Engine:
    """Everything of one client but the network and the waiting, for one driver; ``buffer`` is for all threads.

    Args:
        settings: How to send.
        now: The time in Unix seconds. It is stored, so that another process can tell how old something is.
    """

    def __init__(self, settings: Settings, now: Callable[[], float]) -> None:
        self.buffer = Buffer(settings.buffer_visits_max)
        self.enough = min(BATCH_VISITS_MAX, settings.buffer_visits_max)  # so many are sent without waiting for others
        self.resolved = 0  # of those that entered the buffer
        self.lost = 0
        self._settings = settings
        self._lock = threading.Lock()
        self._refusing = threading.RLock()  # by any thread, and by signals' handlers
        path = settings.spool
        self._backlog = Backlog(None if path is None else Spool(Path(path), settings.spool_bytes_max))
        self._now = now
        self._trouble = Trouble(settings)
        self._prefix = secrets.token_urlsafe(12)
        self._taken = 0
        self._gathering_since_s: float | None = None
        self._looked_s = -LOOK_S
        self._url = 0
        self._failures = 0
        self._again_at_s = 0.0
        self._asked_to_wait = False
        self._sending: Batch | None = None
        self._started_s = 0.0
        self._sent = self._dropped = self._refused = self._unsure = self._retried = 0

    @property
    def statistics(self) -> Statistics:
        """What became of the visits so far."""
        return Statistics(
            self._sent,
            self._dropped + self._refused,
            self._unsure,
            self._retried,
            len(self.buffer) + self._backlog.held,
            self._backlog.spooled,
        )

    @property
    def left(self) -> bool:
        """Whether dead processes may have left visits, which are sent though none come here."""
        return self._backlog.spool is not None and self._backlog.spool.left

    def refuse(self, count: int) -> None:
        """There was no room for these visits."""
        with self._refusing:
            self._refused += count
            self._trouble.full(count)

    def hurry(self) -> None:
        """Someone waits: a pause that no node has asked for ends now."""
        if not self._asked_to_wait:
            self._again_at_s = 0.0

    def step(self, now_s: float, urgent: bool) -> Send | float | None:
        """What to do now.

        Args:
            now_s: By a clock that nobody sets.
            urgent: Whether to send what has gathered, though others may yet join it.

        Returns:
            A request, whose end is to be told to ``finish``; or for how long there is nothing to do; or None if there
            is nothing until a visit comes.
        """
        with self._lock:
            return self._step(now_s, urgent)

    def _step(self, now_s: float, urgent: bool) -> Send | float | None:
        self._look(now_s)
        self._gather(now_s, urgent)
        while (head := self._backlog.head()) is not None:
            if policy.is_late(head.unsure_since_s, self._now()):
                self._give_up(head)
                continue
            if now_s < self._again_at_s:
                return self._again_at_s - now_s
            if (send := self._begin(head)) is not None:
                return send
        self.resolved = self._taken - self._backlog.own
        if self._gathering_since_s is None:
            return None if self._backlog.spool is None else LOOK_S
        return max(0.0, self._gathering_since_s + self._settings.flush_interval_s - now_s)

    def finish(self, now_s: float, error: FootfallError | None) -> None:
        """What was sent has ended: stored, or in an error."""
        with self._lock:
            self._finish(now_s, error)

    def keep(self, now_s: float, urgent: bool = False) -> None:
        """Write what has gathered to the disk, if it waits there. May be called while a request is under way."""
        with self._lock:
            if self._backlog.spool is not None:
                self._gather(now_s, urgent)

    def close(self) -> None:
        """Let go what is on disk."""
        with self._lock:
            if self._backlog.spool is not None:
                self._gather(0.0, urgent=True)
                self._backlog.spool.close()

    def tell_left(self) -> None:
        """The end has come: what is in memory now is lost."""
        self._trouble.left(self.buffer.count + self._backlog.count)

    def abandon(self) -> None:
        """Never touch what is on disk again: this process was forked from the one that has it."""
        if self._backlog.spool is not None:
            self._backlog.spool.abandon()

    def _finish(self, now_s: float, error: FootfallError | None) -> None:
        batch, self._sending = self._sending, None
        assert batch is not None
        if error is None:
            self._sent += batch.count
            self._failures, self._asked_to_wait = 0, False
            self._trouble.over(now_s)
            self._done()
            return
        decision = policy.decide(error, len(batch.visits))
        if decision.action is Action.AGAIN:
            self._fail(batch, error, decision.unsure, now_s)
        elif decision.action is Action.GIVE_UP:
            self._give_up(batch)
        elif decision.action is Action.HALVE:
            self._backlog.replace(*policy.halves(batch))
        else:
            kept, refused = policy.parted(error, batch.visits, decision.at)
            self._drop(sum(visit.count for visit in refused))
            self._trouble.refused(error)
            self._done(*([Batch(kept, batch.unsure_since_s)] if kept else []))

    def _look(self, now_s: float) -> None:
        spool = self._backlog.spool
        if spool is not None and now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            spool.look()

    def _gather(self, now_s: float, urgent: bool) -> None:
        waiting = len(self.buffer)
        if not waiting:
            self._gathering_since_s = None
            return
        if self._gathering_since_s is None:
            self._gathering_since_s = now_s
        due_s = self._gathering_since_s + self._settings.flush_interval_s
        if not urgent and waiting < self.enough and now_s < due_s:
            return
        for _ in range(1 + waiting // BATCH_VISITS_MAX if self._backlog.spool else 1):
            if self._backlog.held:
                return
            taken = self.buffer.take(BATCH_VISITS_MAX)
            give_keys(taken, self._prefix, self._taken)
            self._taken += len(taken)
            self._backlog.append(list(batches(taken)))
            self.buffer.held = self._backlog.held
        self._gathering_since_s = now_s if len(self.buffer) else None

    def _begin(self, head: Batch) -> Send | None:
        """Send it, unless the disk does not take that it was sent: then whatever is in memory is sent first."""
        self._started_s, since_s = self._now(), head.unsure_since_s
        if since_s is None and not self._backlog.mark(self._started_s):
            return None
        self._sending = head
        age_s = 0.0 if since_s is None else self._started_s - since_s
        return Send(self._settings.urls[self._url], asking_to_store(head.body, age_s))

    def _fail(self, batch: Batch, error: FootfallError, unsure: bool, now_s: float) -> None:
        since_s = batch.unsure_since_s
        self._backlog.replace(Batch(batch.visits, self._started_s if unsure and since_s is None else since_s))
        self._retried += 1
        self._failures += 1
        if self._failures > 1:  # a connection that was idle for too long is no trouble
            self._trouble.begin(error, now_s)
        retry_after_s = getattr(error, "retry_after_s", 0.0)
        urls = len(self._settings.urls)
        # Another node takes what this one does not; but a rate is meant for all of them.
        self._asked_to_wait = isinstance(error, RateLimitedError)
        if not self._asked_to_wait:
            self._url = (self._url + 1) % urls
            if self._failures % urls:
                return
        pause_s = policy.backoff_s(-(-self._failures // urls), retry_after_s, random.random())  # noqa: S311
        self._again_at_s = now_s + pause_s

    def _give_up(self, head: Batch) -> None:
        self._unsure += head.count
        self.lost += head.count
        self._trouble.given_up(head.count)
        self._done()

    def _drop(self, count: int) -> None:
        self._dropped += count
        self.lost += count

    def _done(self, *rest: Batch) -> None:
        self._backlog.replace(*rest)
        self.buffer.held = self._backlog.held
        self.resolved = self._taken - self._backlog.own
