"""Who was the N-th is known where visits come one after the other: three nodes, each asked in turn, must name him."""

import itertools
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import httpx
import pytest
from commands import PATIENCE_S, serve_three, until


class Cluster:
    """Three nodes; each request goes to the next of them."""

    def __init__(self, clients: list[httpx.Client]) -> None:
        self.clients = clients
        self._turn = itertools.cycle(clients)

    def ask(self, method: str, path: str, status: int | None = None, **more: Any) -> httpx.Response:
        answer = next(self._turn).request(method, path, **more)
        assert status in (None, answer.status_code), f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def visit(self, counter: str, visitor: str | None = None, key: str | None = None, count: int = 1) -> str:
        """One visit; its receipt."""
        headers = {} if key is None else {"Idempotency-Key": key}
        body = {"count": count} | ({} if visitor is None else {"visitor": visitor})
        answer = self.ask("POST", f"/v1/counters/{counter}/visits", 202, json=body, headers=headers)
        receipt: str = answer.json()["receipt"]
        return receipt

    def exact(self, counter: str) -> int:
        answer = self.ask("GET", f"/v1/counters/{counter}?consistency=linearizable", 200).json()
        assert (answer["consistency"], answer["staleness_ms"]) == ("linearizable", 0)
        value: int = answer["value"]
        return value

    def set(self, counter: str, n: int) -> None:
        self.ask("PUT", f"/v1/counters/{counter}/milestones/{n}", 201)

    def winner(self, counter: str, n: int) -> dict[str, Any]:
        """The winner, once all nodes know him: they must say the same."""
        path = f"/v1/counters/{counter}/milestones/{n}"

        def told() -> list[dict[str, Any]]:
            return [client.get(path).json() for client in self.clients]

        until(lambda: all(one["winner"] for one in told()), f"{counter} has no {n}-th")
        winners = [one["winner"] for one in told()]
        assert winners[0] == winners[1] == winners[2]
        assert {one["state"] for one in told()} == {"reached"}
        found: dict[str, Any] = winners[0]
        return found

    def claim(self, counter: str, n: int, receipt: str, status: int, key: str | None = None) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        path = f"/v1/counters/{counter}/milestones/{n}/claim"
        return self.ask("POST", path, status, json={"receipt": receipt}, headers=headers)


@pytest.fixture(scope="module", params=["replicated", "sharded"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three nodes over one log."""
    process, urls = serve_three(tmp_path_factory.mktemp("raffle") / "data", "--topology", request.param)
    clients = [httpx.Client(base_url=url, timeout=30) for url in urls]
    yield Cluster(clients)
    for client in clients:
        client.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0


def committed(receipt: str) -> str:
    return sha256(receipt.encode()).hexdigest()


def test_the_nth_of_visits_that_come_one_after_the_other_wins_on_the_sum_and_on_a_site(cluster: Cluster) -> None:
    cluster.set("sum", 10)
    cluster.set("sum.a", 4)
    receipts = {}
    for number in range(1, 16):  # the 4th of sum.a is the 7th of all
        receipts[number] = cluster.visit("sum.a" if number % 2 else "sum.b", f"visitor {number}")
    total, site = cluster.winner("sum", 10), cluster.winner("sum.a", 4)
    assert (total["visitor"], total["receipt_sha256"]) == ("visitor 10", committed(receipts[10]))
    assert (site["visitor"], site["receipt_sha256"]) == ("visitor 7", committed(receipts[7]))
    assert total["sequence"] > site["sequence"]
    assert total["proof"]["value"] < 10
    assert [cluster.exact(counter) for counter in ("sum", "sum.a", "sum.b")] == [15, 8, 7]
    assert all(len(receipt) == 32 and receipt not in str(total) for receipt in receipts.values())


def test_the_nth_distinct_visitor_wins_however_often_others_come_again(cluster: Cluster) -> None:
    cluster.ask("PUT", "/v1/counters/people", 201, json={"unit": "visitors"})
    cluster.set("people", 5)
    come = ["a", "b", "a", "c", "b", "d", "a", "d", "e", "a", "f", "e"]
    receipts = [cluster.visit("people", visitor) for visitor in come]
    winner = cluster.winner("people", 5)
    assert winner["visitor"] == "e"
    assert winner["receipt_sha256"] == committed(receipts[come.index("e")])
    assert cluster.exact("people") == 6
    cluster.claim("people", 5, receipts[-1], 403)  # he came again, but was the 5th the first time
    cluster.claim("people", 5, receipts[come.index("e")], 200)


def test_a_visit_that_counts_in_both_units_claims_either_milestone_with_its_one_receipt(cluster: Cluster) -> None:
    cluster.ask("PUT", "/v1/counters/both.people", 201, json={"unit": "visitors"})
    cluster.set("both", 4)
    cluster.set("both.people", 3)
    receipts = [cluster.visit("both.people", visitor) for visitor in ("a", "b", "a", "c", "d")]
    assert cluster.winner("both", 4)["visitor"] == "c"
    assert cluster.winner("both.people", 3)["visitor"] == "c"
    for counter, n in (("both", 4), ("both.people", 3)):
        cluster.claim(counter, n, receipts[2], 403)
        assert cluster.claim(counter, n, receipts[3], 200).json()["winner"]["claimed"] is True


def test_a_visit_of_many_wins_where_the_nth_is_among_them(cluster: Cluster) -> None:
    cluster.set("bulk", 10)
    receipts = [cluster.visit("bulk", visitor, count=4) for visitor in ("a", "b", "c", "d")]
    winner = cluster.winner("bulk", 10)
    assert (winner["visitor"], winner["receipt_sha256"]) == ("c", committed(receipts[2]))


def test_a_client_that_lost_the_answer_claims_with_its_own_long_key(cluster: Cluster) -> None:
    key = "a key of at least 22 characters"
    cluster.set("keyed", 3)
    cluster.visit("keyed", "a")
    cluster.visit("keyed", "b")
    for _ in range(3):  # through each node, as if no answer had come
        assert cluster.visit("keyed", "c", key=key) == key
    cluster.visit("keyed", "d")
    winner = cluster.winner("keyed", 3)
    assert (winner["visitor"], winner["receipt_sha256"]) == ("c", committed(key))
    assert cluster.exact("keyed") == 4
    cluster.claim("keyed", 3, key + "!", 403)
    cluster.claim("keyed", 3, key, 200)


def test_only_one_claim_is_accepted_and_its_retry_is_told_so(cluster: Cluster) -> None:
    cluster.set("claimed", 1)
    assert cluster.claim("claimed", 1, "anything", 409).json()["type"] == "/problems/not-reached"
    receipt, other = cluster.visit("claimed", "a"), cluster.visit("claimed", "b")
    assert cluster.winner("claimed", 1)["claimed"] is False
    assert cluster.claim("claimed", 1, other, 403).json()["type"] == "/problems/wrong-receipt"
    for _ in range(3):  # each node
        assert cluster.claim("claimed", 1, receipt, 200, key="mine").json()["winner"]["claimed"] is True
    for key in (None, "another's"):
        assert cluster.claim("claimed", 1, receipt, 409, key=key).json()["type"] == "/problems/already-claimed"
    assert cluster.winner("claimed", 1)["claimed"] is True


def test_claims_at_the_same_moment_at_all_nodes_are_one_claim(cluster: Cluster) -> None:
    cluster.set("rush", 1)
    receipt = cluster.visit("rush")
    assert cluster.winner("rush", 1)["visitor"] is None
    path = "/v1/counters/rush/milestones/1/claim"
    with ThreadPoolExecutor() as pool:
        claims = [pool.submit(client.post, path, json={"receipt": receipt}) for client in cluster.clients]
    assert sorted(claim.result().status_code for claim in claims) == [200, 409, 409]


def test_a_milestone_set_at_the_same_moment_at_all_nodes_is_set_once(cluster: Cluster) -> None:
    with ThreadPoolExecutor() as pool:
        sets = [pool.submit(client.put, "/v1/counters/once/milestones/2") for client in cluster.clients]
    assert sorted(one.result().status_code for one in sets) == [200, 200, 201]
    for visitor in "abc":
        cluster.visit("once", visitor)
    assert cluster.winner("once", 2)["visitor"] == "b"
    assert cluster.ask("PUT", "/v1/counters/once/milestones/2", 200).json()["state"] == "reached"
    for n in (1, 3):
        refused = cluster.ask("PUT", f"/v1/counters/once/milestones/{n}", 409).json()
        assert (refused["type"], refused["value"]) == ("/problems/milestone-passed", 3)


def test_an_exact_read_has_every_visit_that_was_acknowledged_before(cluster: Cluster) -> None:
    for number in range(1, 21):
        cluster.visit("exact.a" if number % 2 else "exact.b")
        assert cluster.exact("exact") == number

    def visits(client: httpx.Client) -> None:
        for _ in range(50):
            assert client.post("/v1/counters/exact.c/visits", json={"visitor": "a"}).status_code == 202

    with ThreadPoolExecutor() as pool:
        running = [pool.submit(visits, client) for client in cluster.clients]
        seen = [cluster.exact("exact.c") for _ in range(20)]
        for one in running:
            one.result()
    assert seen == sorted(seen)
    assert [cluster.exact("exact.c") for _ in cluster.clients] == [150] * 3


def test_what_a_node_shows_never_falls_while_a_milestone_is_reached(cluster: Cluster) -> None:
    visits = 200  # through each node
    cluster.set("rising", 2 * visits)

    def visit(client: httpx.Client) -> None:
        for _ in range(visits):
            assert client.post("/v1/counters/rising/visits", json={"visitor": "a"}).status_code == 202

    def read(client: httpx.Client, done: threading.Event) -> list[dict[str, Any]]:
        seen = []
        for exactly in itertools.cycle((False, False, True)):
            if done.is_set():
                return seen
            params = {"consistency": "linearizable"} if exactly else {}
            seen.append(client.get("/v1/counters/rising", params=params).json())
        raise AssertionError("a cycle does not end")

    done = threading.Event()
    with ThreadPoolExecutor() as pool:
        reading = [pool.submit(read, client, done) for client in cluster.clients]
        for one in [pool.submit(visit, client) for client in cluster.clients]:
            one.result()
        cluster.winner("rising", 2 * visits)
        done.set()
        seen = [one.result() for one in reading]
    for of_node in seen:
        values = [one["value"] for one in of_node]
        assert values == sorted(values)
    assert "cp" in {one["phase"] for of_node in seen for one in of_node}
    assert [cluster.exact("rising") for _ in cluster.clients] == [3 * visits] * 3


def test_an_import_counts_once_and_before_the_nth(cluster: Cluster) -> None:
    count = {"value": 97, "note": "counted by the old server"}
    for status in (201, 200, 200):
        cluster.ask("PUT", "/v1/counters/old.site/imports/before", status, json=count)
    assert [cluster.exact(counter) for counter in ("old", "old.site")] == [97, 97]
    cluster.set("old", 100)
    for source in ("more", "before"):
        path = f"/v1/counters/old.other/imports/{source}"
        cluster.ask("PUT", path, 409, json={"value": 3, "note": "would cross it"})
    for visitor in "abcd":
        cluster.visit("old.site", visitor)
    assert cluster.winner("old", 100)["visitor"] == "c"
    assert cluster.exact("old") == 101
    assert cluster.ask("GET", "/v1/counters/old.site/imports").json() == {
        "imports": [{"counter": "old.site", "source": "before", **count}]
    }


def test_every_node_lists_all_milestones_and_measures_them(cluster: Cluster) -> None:
    cluster.set("listed", 10**15)
    cluster.set("listed", 10**11)
    path = "/v1/counters/listed/milestones"
    for client in cluster.clients:
        until(lambda client=client: len(client.get(path).json()["milestones"]) == 2, "the list")  # type: ignore[misc]
        assert [one["n"] for one in client.get(path).json()["milestones"]] == [10**11, 10**15]
        assert {"listed"} <= {one["counter"] for one in client.get("/v1/milestones").json()["milestones"]}
        assert "footfall_milestones_open 2.0" in client.get("/metrics").text


def test_the_nodes_measure_winners_claims_and_exact_reads(cluster: Cluster) -> None:
    names = ("winners_found_total", "claims_total", "claims_refused_total", "exact_reads_total", "barriers_total")

    def measured() -> dict[str, float]:
        lines = [line for client in cluster.clients for line in client.get("/metrics").text.splitlines()]
        return {
            name: sum(float(line.split()[1]) for line in lines if line.startswith(f"footfall_{name} "))
            for name in names
        }

    before = measured()
    cluster.set("measured", 1)
    receipt = cluster.visit("measured")
    cluster.winner("measured", 1)
    cluster.claim("measured", 1, "another's", 403)
    cluster.claim("measured", 1, receipt, 200)
    assert cluster.exact("measured") == 1
    more = {name: value - before[name] for name, value in measured().items()}
    assert more.pop("winners_found_total") >= 1  # two judges may find the same
    assert more == {"claims_total": 2, "claims_refused_total": 1, "exact_reads_total": 1, "barriers_total": 1}
