"""Brings one chunk of a source to a node, whatever happens on the way; knows nothing of files.

Sending the same chunk again is always safe: the log holds the source's position, stored together with the visits, and
refuses a chunk that does not begin there. So every doubt is settled by sending again. Visits with keys of their own
count once by these, for as long as the log remembers them.
"""

import contextlib
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

from footfall.cli.chunks import Cut
from footfall.cli.client import Client, encode_chunk
from footfall.errors import (
    CallerError,
    ForbiddenError,
    SourcePositionError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
    VisitorRequiredError,
)

RETRY_FIRST_S = 0.1
RETRY_LAST_S = 2.0
COUNTERS_MAX = 100_000  # whose visits a dry run tells apart
OTHERS = "(others)"
REFUSALS_MAX = 100  # in one chunk, of visits that only the node can judge; then something else is wrong

Result = TypeVar("Result")


class Chunk(NamedTuple):
    """Bytes ``start`` to ``piece.end`` of a source.

    Attributes:
        source: The source's id.
        start: Where the chunk begins.
        offset: Where the lines of ``piece`` begin; between ``start`` and it there was no visit.
        piece: The lines.
        body: What is sent.
    """

    source: str
    start: int
    offset: int
    piece: Cut
    body: bytes


class Delivered(NamedTuple):
    """What became of a chunk.

    Attributes:
        position: Where the source stands now; None if a stop came before that was known.
        piece: The lines, less what the node refused.
        counted: Whether this delivery counted them; False if the source stood elsewhere.
    """

    position: int | None
    piece: Cut
    counted: bool


class Patience:
    """How long to try again while a node is unavailable, and how often."""

    def __init__(self, patience_s: float, stop: threading.Event, notice: Callable[[str], None]) -> None:
        """
        Args:
            patience_s: Give up when nothing has worked for so long.
            stop: Ends the wait.
            notice: Told of a trouble, once each time that it begins; with an empty text when it is over.
        """
        self.stop = stop
        self._patience_s = patience_s
        self._notice = notice
        self._reached = False

    def call(self, action: Callable[[], Result]) -> Result | None:
        """Repeat ``action`` until it is answered; None if stopped in between.

        Raises:
            UnavailableError: Nothing worked for ``patience_s``; at once if the node was never reached at all.
        """
        deadline = None
        wait_s = RETRY_FIRST_S
        while True:
            try:
                result = action()
            except UnavailableError as error:
                now = time.monotonic()
                deadline = deadline or now + self._patience_s
                pause_s = max(wait_s * random.uniform(0.5, 1.0), error.retry_after_s)  # noqa: S311 - spreads retries
                never_reached = isinstance(error, UnreachableError) and not self._reached
                if never_reached or now + pause_s > deadline:
                    raise
                self._notice(str(error))
                if self.stop.wait(pause_s):
                    return None
                wait_s = min(2 * wait_s, RETRY_LAST_S)
                continue
            finally:
                self._reached = True
            if deadline is not None:
                self._notice("")
            return result


class Messenger(Protocol):
    """Takes chunks somewhere."""

    @property
    def counters(self) -> dict[str, int] | None:
        """Visits by counter, where nothing is really counted."""

    def positions(self, sources: Sequence[str]) -> list[int] | None:
        """Where each source stands; None if stopped before an answer."""

    def deliver(self, chunk: Chunk) -> Delivered:
        """Take a chunk there, until it is known where the source stands."""


class DryCourier:
    """Delivers nothing, and keeps a tally of what would be counted: of every source from its beginning on."""

    def __init__(self) -> None:
        self._visits: Counter[str] = Counter()

    @property
    def counters(self) -> dict[str, int]:
        """Visits by counter, the most first."""
        return dict(self._visits.most_common())

    def positions(self, sources: Sequence[str]) -> list[int]:
        """Nothing is known of any."""
        return [0] * len(sources)

    def deliver(self, chunk: Chunk) -> Delivered:
        """Count what is in it, here. Of too many counters, those that come last have their visits told as others'."""
        for visit in chunk.piece.visits:
            known = visit.counter in self._visits or len(self._visits) < COUNTERS_MAX
            self._visits[visit.counter if known else OTHERS] += visit.count
        return Delivered(chunk.piece.end, chunk.piece, counted=True)


class Courier:
    """Delivers chunks to one node."""

    counters: dict[str, int] | None = None  # they are the node's to tell

    def __init__(self, client: Client, patience: Patience) -> None:
        self._client = client
        self._patience = patience

    def positions(self, sources: Sequence[str]) -> list[int] | None:
        """Where each source stands; None if stopped before an answer."""
        return self._patience.call(lambda: self._client.source_positions(sources))

    def deliver(self, chunk: Chunk) -> Delivered:
        """Send a chunk until it is known where the source stands.

        Raises:
            UnavailableError: The node stayed away for too long.
            CallerError: The node refuses the chunk, and not because of single visits.
        """
        piece = chunk.piece
        attempts = refusals = 0

        def attempt() -> int:
            nonlocal attempts
            attempts += 1
            self._send(chunk, piece)
            return piece.end

        while True:
            try:
                position = self._patience.call(attempt)
                return Delivered(position, piece, counted=position is not None)
            except SourcePositionError as error:
                # After a lost answer, the chunk's end as the position means that an earlier attempt was stored.
                return Delivered(error.position, piece, counted=attempts > 1 and error.position == piece.end)
            except (UnauthorizedError, ForbiddenError):
                raise  # of one visit or of all, the token is wrong, and not the line
            except CallerError as error:
                refusals += 1
                if refusals > REFUSALS_MAX:
                    raise
                piece = _without_refused(piece, error)
                attempts = 0
                if not piece.decides:
                    return Delivered(chunk.start, piece, counted=False)

    def _send(self, chunk: Chunk, piece: Cut) -> None:
        keyed = [index for index, visit in enumerate(piece.visits) if visit.key is not None]
        if not keyed:
            unchanged = piece is chunk.piece
            body = chunk.body if unchanged else encode_chunk(chunk.source, chunk.start, piece.end, piece.visits)
            self._client.send_chunk(body)
            return
        # Keys belong to other partitions than the source, so these visits cannot be stored together with its position.
        # They go first: if they are sent again because what follows failed, their keys let them count once.
        with _index_in(keyed):
            self._client.send_keyed([piece.visits[index] for index in keyed])
        plain = [index for index, visit in enumerate(piece.visits) if visit.key is None]
        with _index_in(plain):
            visits = [piece.visits[index] for index in plain]
            self._client.send_chunk(encode_chunk(chunk.source, chunk.start, piece.end, visits))


@contextlib.contextmanager
def _index_in(indices: Sequence[int]) -> Iterator[None]:
    """Make an error about one of some visits one about that visit among all."""
    try:
        yield
    except CallerError as error:
        index = getattr(error, "index", None)
        if index is not None and 0 <= index < len(indices):
            error.index = indices[index]  # type: ignore[attr-defined]
        raise


def _without_refused(piece: Cut, error: CallerError) -> Cut:
    index = getattr(error, "index", None)
    if index is None or not 0 <= index < len(piece.visits):
        raise error
    gone = [index]
    if isinstance(error, VisitorRequiredError):  # the counter refuses all that name none: one round for all of them
        counter = piece.visits[index].counter
        gone = [at for at, visit in enumerate(piece.visits) if visit.visitor is None and visit.counter == counter]
    return piece.without(gone, re.sub(r"^visit \d+: ", "", str(error)))
