"""The commands about milestones and imports: each asks a node one thing and prints the answer."""

import secrets
import sys
import time
from collections.abc import Iterator

from footfall.cli import newness, output
from footfall.cli.arguments import Where
from footfall.cli.client import Client
from footfall.cli.queries import asked, patience
from footfall.core.names import check_name
from footfall.core.vector import ENTRY_MAX
from footfall.core.visit import check_text
from footfall.errors import ConfigError, InvalidRequestError, NotReachedError
from footfall.ordinals import ordinal
from footfall.web.requests import KEY_HEADER_BYTES_MAX, parse_source
from footfall.web.wire import NOTE_BYTES_MAX, RECEIPT_BYTES_MAX, Milestone

WAIT_PATIENCE_S = 60.0
WAIT_INTERVAL_S = 0.25


def add(where: Where, counter: str, n: int, json: bool) -> None:
    """Set a milestone."""
    check(counter, n)
    with Client(where) as client:
        looked = newness.look(client, counter)
        found, made = asked(lambda: client.add_milestone(counter, n))
    if json:
        output.print_json(found)
    elif found.winner is not None and not made:
        print("\n".join(lines(found)))
    else:
        print(f"the {ordinal(n)} of {counter} is set{'' if made else ' already'}: {progress(found)}")
    if looked.missing and made:
        output.note(f"{counter} is a new counter{looked.question}")


def show(where: Where, counter: str, n: int, wait: bool, timeout_s: float | None, json: bool) -> None:
    """Print how far a milestone is, at once or once it is reached.

    Raises:
        NotReachedError: It is not reached in time.
    """
    check(counter, n)
    if timeout_s is not None and not (wait and timeout_s > 0):
        raise ConfigError(f"--timeout is {timeout_s}; it goes with --wait, and must be more than 0 seconds")
    with Client(where) as client:
        if not wait:
            found = asked(lambda: client.milestone(counter, n))
        else:
            found = _reached(_readings(client, counter, n, timeout_s), live=not json and output.moves())
    if json:
        output.print_json(found)
    else:
        print("\n".join(lines(found)))
    if wait and found.winner is None:
        raise NotReachedError(f"the {ordinal(n)} of {counter} did not come in {timeout_s:g} s")


def list_milestones(where: Where, counter: str | None, json: bool) -> None:
    """Print all milestones, or a counter's."""
    if counter is not None:
        check_name(counter)
    with Client(where) as client:
        found = asked(lambda: client.milestones(counter))
    if json:
        output.print_json(found)
        return
    if not found and sys.stdout.isatty():
        print("no milestones yet; set one with footfall milestone add")
        return
    rows = [(one.counter, one.n, one.state, one.value, _who(one)) for one in found]
    output.print_table(("counter", "n", "state", "value", "winner"), rows)


def claim(where: Where, counter: str, n: int, receipt: str, key: str | None, json: bool) -> None:
    """Show the winner's receipt.

    The claim carries a key even if none was given, so that it can be sent again when an answer is lost.
    """
    check(counter, n)
    check_text("receipt", receipt, RECEIPT_BYTES_MAX)
    own = secrets.token_urlsafe(18) if key is None else key
    check_text("key", own, KEY_HEADER_BYTES_MAX)
    with Client(where) as client:
        found = asked(lambda: client.claim(counter, n, receipt, own))
    if json:
        output.print_json(found)
    else:
        print(f"the {ordinal(n)} of {counter} is claimed: {_who(found)}")


def import_count(where: Where, counter: str, value: int, note: str, source: str, json: bool) -> None:
    """Take over a prior count."""
    check_name(counter)
    if not 1 <= value <= ENTRY_MAX:
        raise InvalidRequestError(f"the value is {value}; it must be a whole number from 1 to 2**63 - 1")
    check_text("note", note, NOTE_BYTES_MAX)
    parse_source(source)
    with Client(where) as client:
        found, made = asked(lambda: client.import_count(counter, source, value, note))
    if json:
        output.print_json(found)
    elif made:
        print(f"{found.value:,} imported into {counter} from {source}: {found.note}")
    else:
        print(f"{found.value:,} were imported into {counter} from {source} before, and count once: {found.note}")


def check(counter: str, n: int) -> None:
    """Raises InvalidNameError or InvalidRequestError unless a milestone can be so."""
    check_name(counter)
    if not 1 <= n <= ENTRY_MAX:
        raise InvalidRequestError(f"N is {n}; it must be a whole number from 1 to 2**63 - 1")


def progress(milestone: Milestone) -> str:
    """How many there are, and how many are missing."""
    return f"{milestone.value:,} so far, {max(milestone.n - milestone.value, 0):,} to go"


def lines(milestone: Milestone) -> Iterator[str]:
    """What a person wants to know of a milestone."""
    winner = milestone.winner
    state = output.painted(milestone.state, "1")
    if winner is None:
        yield f"the {ordinal(milestone.n)} of {milestone.counter}: {state}, {progress(milestone)}"
        return
    yield f"the {ordinal(milestone.n)} of {milestone.counter}: {state}, {milestone.value:,} now"
    yield f"  winner   {_who(milestone)}"
    yield f"  time     {winner.time}"
    yield f"  place    sequence {winner.sequence}, entry {winner.index}"
    yield f"  receipt  SHA-256 {winner.receipt_sha256}"
    yield f"  claimed  {'yes' if winner.claimed else 'no'}"


def _who(milestone: Milestone) -> str:
    if milestone.winner is None:
        return "-"
    return milestone.winner.visitor if milestone.winner.visitor is not None else "(a visit without a visitor)"


def _readings(client: Client, counter: str, n: int, timeout_s: float | None) -> Iterator[Milestone]:
    """The milestone every so often, until it is reached or time is up."""
    patient = patience(WAIT_PATIENCE_S if timeout_s is None else min(timeout_s, WAIT_PATIENCE_S))
    deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        found = patient.call(lambda: client.milestone(counter, n))
        assert found is not None, "nothing stops it"
        yield found
        left_s = WAIT_INTERVAL_S if deadline_s is None else deadline_s - time.monotonic()
        if found.winner is not None or left_s <= 0:
            return
        time.sleep(min(WAIT_INTERVAL_S, left_s))


def _reached(readings: Iterator[Milestone], live: bool) -> Milestone:
    """The last of the readings; on a terminal each is shown while it lasts."""
    found = None
    if live:
        from rich.live import Live
        from rich.text import Text

        with Live(auto_refresh=False, transient=True) as view:
            for found in readings:
                view.update(Text(f"{ordinal(found.n)} of {found.counter}  {progress(found)}"), refresh=True)
    else:
        *_, found = readings
    assert found is not None, "there is one at least"
    return found
