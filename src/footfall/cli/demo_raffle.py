"""The raffle of the demo: its milestones, who won, and whether the log and the winner's receipt say the same."""

import asyncio
import sys
import time
from collections.abc import Sequence

import httpx
import msgspec

from footfall.cli.demo_traffic import COUNTERS, SITES, SUM, Traffic
from footfall.errors import ConfigError, FootfallError
from footfall.ordinals import ordinal

SITE = "google.gmail"
SITE_SHARE = 0.5  # of what the site will have when the sum is reached: its milestone comes half-way
TIMEOUT_S = 10.0
AUDIT_S_MAX = 60.0
IMPORT_NOTE = "imported by the demo, to show a count near this one; these visits were never here"


class Winner(msgspec.Struct):
    """Who was the N-th, as a node tells it."""

    visitor: str | None
    receipt_sha256: str
    sequence: int
    index: int
    time: str
    claimed: bool = False


class Milestone(msgspec.Struct):
    """A milestone, as a node tells it."""

    counter: str
    n: int
    state: str
    value: int
    winner: Winner | None = None


class _List(msgspec.Struct):
    milestones: list[Milestone]


class Raffle:
    """Two milestones: one on the sum, one on a site."""

    def __init__(self, urls: Sequence[str], to: int, start: int, data: str) -> None:
        self.to = to
        self.start = start
        self.site_n = max(1, int((to - start) * SITES[SITE] * SITE_SHARE))
        self.milestones: dict[str, Milestone] = {}
        self.reached_s: dict[str, float] = {}  # by counter: when this process saw it
        self._urls = urls
        self._data = data

    @property
    def over(self) -> bool:
        """Whether both have a winner."""
        return len(self.reached_s) == 2

    async def prepare(self, http: httpx.AsyncClient) -> None:
        """Define the counters, import what was counted before, and set the milestones."""
        url = self._urls[0]
        found = await http.get(f"{url}/v1/counters")
        if msgspec.json.decode(found.content)["counters"]:
            raise ConfigError("the data directory holds counts already: the demo needs a new one, or none")
        for counter in COUNTERS:
            await self._put(http, f"/v1/counters/{counter}", {"unit": "visits"})
        if self.start:
            await self._put(http, f"/v1/counters/{SUM}/imports/demo", {"value": self.start, "note": IMPORT_NOTE})
        await self._put(http, f"/v1/counters/{SUM}/milestones/{self.to}", None)
        await self._put(http, f"/v1/counters/{SITE}/milestones/{self.site_n}", None)

    async def _put(self, http: httpx.AsyncClient, path: str, body: object) -> None:
        answer = await http.put(self._urls[0] + path, content=b"" if body is None else msgspec.json.encode(body))
        if not answer.is_success:
            raise FootfallError(f"{path} was answered {answer.status_code}: {answer.text[:300]}")

    async def look(self, http: httpx.AsyncClient) -> None:
        """See how far they are, at the first node that answers."""
        for url in self._urls:
            try:
                answer = await http.get(f"{url}/v1/milestones")
                found = msgspec.json.decode(answer.content, type=_List).milestones if answer.is_success else []
            except (httpx.TransportError, msgspec.MsgspecError):
                continue
            if len(found) == 2:
                self.milestones = {one.counter: one for one in found}
                for one in found:
                    if one.winner is not None:
                        self.reached_s.setdefault(one.counter, time.monotonic())
                return

    async def agreed(self, http: httpx.AsyncClient) -> bool:
        """Whether all nodes name the same winners."""
        told = set()
        for url in self._urls:
            answer = await http.get(f"{url}/v1/milestones")
            found = msgspec.json.decode(answer.content, type=_List).milestones
            told.add(tuple((one.counter, one.winner.sequence, one.winner.index) for one in found if one.winner))
        return len(told) == 1 and len(next(iter(told))) == 2

    async def check(self, http: httpx.AsyncClient, traffic: Traffic) -> bool:
        """Claim the prize with a wrong and with the right receipt, audit both winners; prints what comes out."""
        fine = True
        for counter, milestone in self.milestones.items():
            winner = milestone.winner
            assert winner is not None
            by = f"visitor {winner.visitor}"
            print(f"\nthe {ordinal(milestone.n)} visitor of {counter} is {by}")
            print(f"  entry {winner.index} of sequence {winner.sequence} of the log, stored at {winner.time}")
            if counter == SUM:
                fine &= await self._claims(http, milestone, winner, traffic)
            fine &= await self._audit(milestone)
        if not await self.agreed(http):
            print("the nodes do not name the same winners")
            fine = False
        return fine

    async def _claims(self, http: httpx.AsyncClient, milestone: Milestone, winner: Winner, traffic: Traffic) -> bool:
        receipts = dict(traffic.receipts)
        if winner.visitor not in receipts:
            print("  it came in a batch, so nobody has its receipt")
            return True
        other = next((visitor for visitor in receipts if visitor != winner.visitor), None)
        path = f"/v1/counters/{milestone.counter}/milestones/{milestone.n}/claim"
        statuses = []
        for visitor in (other, winner.visitor, winner.visitor):
            if visitor is not None:
                answer = await http.post(self._urls[-1] + path, json={"receipt": receipts[visitor]})
                statuses.append(answer.status_code)
                said = {200: "accepted", 403: "refused, it is not the winner's", 409: "refused, it was claimed"}
                print(f"  claim with the receipt of {visitor}: {said.get(answer.status_code, answer.text[:200])}")
        return statuses[-2:] == [200, 409] and statuses[:-2] in ([403], [])

    async def _audit(self, milestone: Milestone) -> bool:
        """Work the winner out once more, in another process, from the log and the cut alone."""
        command = ["-m", "footfall.cli", "audit", milestone.counter, str(milestone.n), "--data", self._data]
        child = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        try:
            out, _ = await asyncio.wait_for(child.communicate(), AUDIT_S_MAX)
        except TimeoutError:
            child.kill()
            out = b"it took too long"
        if child.returncode == 0:
            print("  audited in another process, from the log alone: the same")
            return True
        print(f"  the audit disagrees: {out.decode(errors='replace')[-500:]}")
        return False
