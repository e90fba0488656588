"""A user's program, which is never run: mypy reads it, and has to find the lines that say WRONG, and no others."""

import asyncio

import footfall
from footfall import Counter, connect, errors

visits = Counter("google.gmail", url="http://127.0.0.1:8080", token="t", on_full="block", spool="/var/spool/visits")
visits.increment()
visits.increment(visitor="ann", count=2, key="k")
number: int = visits.value(exact=True)
receipt: footfall.Receipt = visits.hit("ann")
text: str = receipt.receipt
sent: bool = visits.flush(timeout_s=1.5)

prize: footfall.Milestone = visits.milestone(1_000_000)
status: footfall.MilestoneStatus = prize.set()
to_go: int = status.n - prize.status(timeout_s=1).value
his: str = footfall.new_receipt()
visits.increment("bob", key=his)
winner: footfall.Winner = prize.wait(timeout_s=60)
if winner.matches(his) and (claimed := prize.claim(his, key=his).winner) is not None:
    when: str = claimed.time.isoformat()
    messages: int = claimed.proof.messages

with footfall.Client(["http://a:1", "http://b:1"], buffer_visits_max=10, flush_interval_s=1) as client:
    client.increment("shop", "ann")
    dropped: int = client.statistics.dropped

with footfall.flushing(timeout_s=3) as flushed:
    visits.increment()
done: bool | None = flushed.done


@footfall.flushing()
def task(name: str) -> int:
    return len(name)


length: int = task("a")


def use(*values: object) -> None:
    """As a program would."""


async def main() -> None:
    async with connect("http://a:1") as client:
        client.increment("shop")
        found: footfall.Receipt = await client.hit("shop", visitor="ann")
        value: int = await client.value("shop")
        stored: bool = await client.flush()
        use(found, value, stored)
        async for event in client.events("shop"):
            kind: str = event.kind
            use(kind, event.data)
        prize = client.milestone("shop", 3)
        who: str | None = (await prize.wait()).visitor
        use(await prize.set(), await prize.claim("r"), (await prize.status()).winner, who)


try:
    asyncio.run(main())
except errors.UnavailableError as error:
    wait_s: float = error.retry_after_s

visits.increment(5)  # WRONG
visits.increment(count="2")  # WRONG
visits.increment(user="ann")  # WRONG
Counter(5)  # WRONG
Counter("a", on_full="explode")  # WRONG
Counter("a", retries=3)  # WRONG
footfall.Client("http://a:1", "token")  # WRONG
wrong: str = visits.value()  # WRONG
client.statistics.dropped = 5  # WRONG
receipt.receipt = "mine"  # WRONG
footfall.nothing()  # WRONG
task(5)  # WRONG
visits.milestone("5")  # WRONG
use(prize.status().winner.visitor)  # WRONG
prize.claim(receipt)  # WRONG
prize.claim()  # WRONG
over: bool = status.state == "over"  # WRONG
