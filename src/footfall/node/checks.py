"""Whether visits can be counted, before anything of them is stored: all of a request, or nothing."""

from collections.abc import Sequence

from footfall.core.definitions import Definitions
from footfall.core.names import Unit, check_name, lineage
from footfall.core.table import Table
from footfall.core.vector import ENTRY_MAX
from footfall.core.visit import BATCH_VISITS_MAX, Visit, check_entry
from footfall.errors import CountOverflowError, InvalidVisitError, TooLargeError, VisitorRequiredError


def check_visits(visits: Sequence[Visit], definitions: Definitions, table: Table) -> None:
    """Refuse visits of which one cannot be counted.

    Raises:
        TooLargeError: There are too many.
        InvalidNameError: A counter's name is none.
        InvalidVisitError: There are none, or one is not a visit, or lacks a visitor, or is too much; with its index.
    """
    if not visits:
        raise InvalidVisitError("there is no visit; send at least one")
    if len(visits) > BATCH_VISITS_MAX:
        raise TooLargeError(
            f"{len(visits)} visits at once; at most {BATCH_VISITS_MAX} are allowed: send several batches"
        )
    single = len(visits) == 1
    rooms: dict[str, int] = {}  # of each counter, without the visits so far
    needs: dict[str, str | None] = {}
    for index, visit in enumerate(visits):
        at = None if single else index
        counter = visit.counter
        if counter not in rooms:
            check_name(counter)
            rooms[counter] = _room(counter, definitions, table)
            needs[counter] = _needs_visitor(counter, definitions)
        check_entry(visit, at)
        if visit.visitor is None and (needed := needs[counter]):
            raise VisitorRequiredError(f"{needed} counts visitors, so each visit to {counter} must name one", at)
        rooms[counter] -= visit.count
        if rooms[counter] < 0:
            raise CountOverflowError(f"{visit.count} more visits would take {counter} past 2**63 - 1", at)


def _needs_visitor(name: str, definitions: Definitions) -> str | None:
    """The counter on the name's path that counts visitors, if there is one; the leaf need not be defined yet."""
    for counter in reversed(lineage(name)):
        number = definitions.number(counter)
        if number is not None and definitions.unit(number) is Unit.VISITORS:
            return counter
    return None


def _room(name: str, definitions: Definitions, table: Table) -> int:
    """How many visits the counter and its ancestors can still take."""
    numbers = [definitions.number(counter) for counter in lineage(name)]
    return ENTRY_MAX - max((table.value(number) for number in numbers if number is not None), default=0)
