"""The short commands: each asks a node one thing and prints the answer."""

import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from footfall.cli import newness, output
from footfall.cli.arguments import Where
from footfall.cli.client import Client, Reading
from footfall.cli.delivery import Patience
from footfall.cli.top_text import ranges
from footfall.core.names import Unit, check_name, check_unit
from footfall.core.visit import Visit, check_visit
from footfall.ordinals import counted

PATIENCE_S = 15.0
WATCH_INTERVAL_S = 0.25
WATCH_PATIENCE_S = 60.0

Answer = TypeVar("Answer")


def hit(where: Where, counter: str, visitor: str | None, count: int, key: str | None, json: bool) -> None:
    """Count a visit.

    It carries a key even if none was given, so that it can be sent again when an answer is lost, and counts once.
    """
    visit = Visit(counter, visitor, key if key is not None else secrets.token_urlsafe(18), count)
    check_visit(visit)
    with Client(where) as client:
        looked = newness.look(client, counter)
        accepted = asked(lambda: client.hit(visit))
    receipt = accepted.receipts[0] if accepted.receipts else accepted.receipt
    if json:
        answer = {"counter": counter, "accepted": accepted.accepted, "stored": accepted.stored, "receipt": receipt}
        output.print_json(answer)
    else:
        stored = {"log": "on disk", "spool": "on the node's disk until the log is back"}.get(
            accepted.stored, f"stored in {accepted.stored}"
        )
        once = "; it counts if this visitor is new there" if looked.unit == Unit.VISITORS else ""
        print(f"{counted(accepted.accepted, 'visit')} to {counter}, {stored}{once}; receipt {receipt}")
    if looked.missing:
        output.note(f"{counter} is a new counter{looked.question}")


def read(where: Where, counter: str, exact: bool, watch: bool, json: bool) -> None:
    """Print a counter's value, once or at every change."""
    check_name(counter)
    consistency = "linearizable" if exact else "eventual"
    with Client(where) as client:
        if watch:
            _note_unknown(client, counter)
        else:
            reading = client.read(counter, consistency)
            _show(reading, json)
            if not reading.value:
                _note_unknown(client, counter)
            return
        readings = _readings(client, counter, consistency)
        if not json and output.moves():
            _watch_live(readings)
        else:
            for reading in _changes(readings):
                _show(reading, json)


def counters(where: Where, prefix: str, json: bool) -> None:
    """Print all counters, or those at and below a prefix."""
    if prefix:
        check_name(prefix)
    with Client(where) as client:
        found = list(client.counters(prefix))
    if json:
        output.print_json(found)
        return
    if not found and sys.stdout.isatty():
        print("no counters yet" if not prefix else f"no counters at {prefix}")
        return
    output.print_table(
        ("counter", "value", "unit"), [(reading.counter, reading.value, reading.unit) for reading in found]
    )


def define(where: Where, counter: str, unit: str, json: bool) -> None:
    """Define a counter."""
    check_name(counter)
    with Client(where) as client:
        made = client.define(counter, check_unit(unit))
    if json:
        output.print_json({"counter": counter, "unit": unit, "made": made})
        return
    print(f"{counter} counts {unit}" if made else f"{counter} counts {unit} already")


def nodes(where: Where, json: bool) -> None:
    """Print the nodes."""
    with Client(where) as client:
        found = client.nodes()
        remarks = client.remarks()
    for remark in remarks:
        output.note(f"the node at {client.url} says: {remark}")
    if json:
        output.print_json(found)
        return
    rows = [
        (
            node.id + (" *" if node.self and sys.stdout.isatty() else ""),
            node.url,
            node.topology,
            ranges(node.partitions),
            node.sequence,
            node.lag_ms,
            node.heard_ms_ago,
        )
        for node in found
    ]
    output.print_table(("node", "url", "topology", "partitions", "sequence", "lag_ms", "heard_ms_ago"), rows)


def asked(action: Callable[[], Answer]) -> Answer:
    """What a node answers, though it may be away for a while: the action must be one that may safely be made again."""
    answer = patience(PATIENCE_S).call(action)
    assert answer is not None, "nothing stops it"
    return answer


def patience(patience_s: float) -> Patience:
    """Patience of one command, which says once if it needs it."""
    troubled = output.ProgressView("", shown=False)
    return Patience(patience_s, threading.Event(), troubled.trouble)


def _note_unknown(client: Client, counter: str) -> None:
    looked = newness.look(client, counter)
    if looked.missing:
        output.note(f"nobody has visited or defined {counter}{looked.question}")


def _show(reading: Reading, json: bool) -> None:
    if json:
        output.print_json(reading)
    elif sys.stdout.isatty():
        print(f"{reading.counter}  {output.painted(counted(reading.value, reading.unit[:-1]), '1')}")
    else:
        print(reading.value, flush=True)


def _readings(client: Client, counter: str, consistency: str) -> Iterator[Reading]:
    """A reading every so often, for ever."""
    patient = patience(WATCH_PATIENCE_S)
    while True:
        reading = patient.call(lambda: client.read(counter, consistency))
        assert reading is not None, "nothing stops it"
        yield reading
        time.sleep(WATCH_INTERVAL_S)


def _changes(readings: Iterator[Reading]) -> Iterator[Reading]:
    last = None
    for reading in readings:
        if reading.value != last:
            last = reading.value
            yield reading


def _watch_live(readings: Iterator[Reading]) -> None:
    from rich.live import Live
    from rich.text import Text

    rate = output.Rate(over_s=5.0)
    with Live(auto_refresh=False) as live:
        for reading in readings:
            rate.add(reading.value)
            text = Text(f"{reading.counter}  ")
            text.append(counted(reading.value, reading.unit[:-1]), style="bold")
            text.append(f"  {rate.per_s():,.1f}/s", style="dim")
            live.update(text, refresh=True)
