"""Visits that wait in memory to be sent: taken in at once, from any thread, and handed out in their order.

A visit without visitor and key joins an earlier one of its counter, with a count, if nobody who was named came in
between to a counter of the same root: then nobody can tell the difference, and the N-th visitor is the same one.
"""

import threading

import msgspec

from footfall.core.names import check_name
from footfall.core.visit import COUNT_MAX, KEY_BYTES_MAX, VISITOR_BYTES_MAX, check_text
from footfall.errors import BufferFullError, InvalidVisitError
from footfall.ordinals import counted

NAMES_MAX = 10_000  # of counters that are known to be names; then they are checked anew


class Waiting(msgspec.Struct, omit_defaults=True, gc=False):
    """A visit, or several that were merged; as a node reads it."""

    counter: str
    visitor: str | None = None
    key: str | None = None
    count: int = 1


class Buffer:
    """Waiting visits, at most ``visits_max`` of them.

    Attributes:
        held: How many more wait elsewhere in memory; they count for the bound.
        entered: How many were ever put in and not merged.
    """

    def __init__(self, visits_max: int) -> None:
        self.held = 0
        self.entered = 0
        self._visits_max = visits_max
        # Reentrant, or a signal's handler, or a finalizer, that counts would wait for itself for ever.
        self._lock = threading.RLock()
        self._inside = False
        self._aside: list[Waiting] = []
        self._visits: list[Waiting] = []
        self._merging: dict[str, dict[str, Waiting]] = {}  # by root, by counter
        self._roots: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._visits) + len(self._aside)

    @property
    def count(self) -> int:
        """How many visits wait, with their counts."""
        with self._lock:
            return sum(visit.count for visit in (*self._visits, *self._aside))

    def put(self, counter: str, visitor: str | None, count: int, key: str | None) -> int:
        """Take a visit in.

        Returns:
            How many wait now; 0 if it joined another, and -1 if there is no room for it.

        Raises:
            InvalidNameError, InvalidVisitError, TypeError: It is no visit.
        """
        root = self._roots.get(counter) or self._root(counter)
        if type(count) is not int or not 1 <= count <= COUNT_MAX:
            raise InvalidVisitError(f"the count is {count!r}; it must be a whole number from 1 to {COUNT_MAX}")
        if visitor is not None:
            check_given("visitor", visitor, VISITOR_BYTES_MAX)
        if key is not None:
            check_given("key", key, KEY_BYTES_MAX)
        with self._lock:
            if self._inside:  # this very thread is just below here: what it does there must not be done in the middle
                return self._put_aside(Waiting(counter, visitor, key, count))
            self._inside = True
            waiting = self._put(root, counter, visitor, count, key)
            self._inside = False
            return waiting

    def full_error(self) -> BufferFullError:
        """What a caller gets who wants to know that there was no room."""
        return BufferFullError(
            f"{counted(self._visits_max, 'visit waits', 'visits wait')}: there is no room for another"
        )

    def _put(self, root: str, counter: str, visitor: str | None, count: int, key: str | None) -> int:
        group = self._merging.get(root)
        if visitor is None and key is None:
            if group is None:
                group = self._merging[root] = {}
            same = group.get(counter)
            if same is not None and same.count + count <= COUNT_MAX:
                same.count += count
                return 0
        waiting = len(self._visits) + self.held
        if waiting >= self._visits_max:
            return -1
        visit = Waiting(counter, visitor, key, count)
        if visitor is None and key is None and group is not None:
            group[counter] = visit
        elif group is not None:
            del self._merging[root]
        self._visits.append(visit)
        self.entered += 1
        return len(self._visits)

    def _put_aside(self, visit: Waiting) -> int:
        if len(self._aside) + len(self._visits) + self.held >= self._visits_max:
            return -1
        self._aside.append(visit)
        self.entered += 1
        return len(self._visits) + len(self._aside)

    def take(self, visits_max: int) -> list[Waiting]:
        """The visits that wait the longest; they are ``held`` from now on, until who has them says otherwise."""
        with self._lock:
            self._inside = True
            if self._aside:
                aside, self._aside = self._aside, []
                self._visits += aside
            taken = self._visits[:visits_max]
            del self._visits[:visits_max]
            self._merging.clear()
            self.held += len(taken)
            self._inside = False
            return taken

    def _root(self, counter: str) -> str:
        root = check_counter(counter).partition(".")[0]
        if len(self._roots) >= NAMES_MAX:
            self._roots.clear()
        self._roots[counter] = root
        return root


def check_counter(name: str) -> str:
    """The name itself. Raises InvalidNameError, TypeError."""
    if not isinstance(name, str):
        raise TypeError(f"the counter's name is {name!r:.60}; it must be a text")
    return check_name(name)


def check_given(what: str, text: str, bytes_max: int) -> None:
    """Raises InvalidVisitError as ``check_text`` does, and TypeError for what is no text."""
    if not isinstance(text, str):
        raise TypeError(f"the {what} is {text!r:.60}; it must be a text")
    check_text(what, text, bytes_max)
