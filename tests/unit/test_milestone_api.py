"""What the application answers about exact reads, milestones, claims and imports, over a node that a test controls."""

from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest
from fake_node import FakeNode

from footfall.core.control import Proof, Winner
from footfall.core.milestones import Standing
from footfall.core.position import Position
from footfall.errors import FootfallError, MilestonePassedError, PartitionsUnownedError
from footfall.web import wire
from footfall.web.server import HttpServer

SHOP = "/v1/counters/shop"
WINNER = Winner("203.0.113.7", b"\x01" * 32, 17, 3, 1_700_000_000_123_456_789)
PROOF = Proof(Position("2026-01-31T12:00:00Z", 5, b"\x02" * 32), 4, 90, 12, b"\x03" * 32)


@pytest.fixture
async def node() -> FakeNode:
    node = FakeNode()
    node._count("shop", None, None, 7)
    return node


@pytest.fixture
async def http(node: FakeNode) -> AsyncIterator[httpx.AsyncClient]:
    server = HttpServer(node, "127.0.0.1", 0, stop_s=1)  # type: ignore[arg-type]
    await server.start()
    async with httpx.AsyncClient(base_url=server.url) as client:
        yield client
    await server.stop()


async def test_only_a_read_that_is_to_be_exact_costs_a_barrier(node: FakeNode, http: httpx.AsyncClient) -> None:
    for query, reads in (("", 0), ("?consistency=eventual", 0), ("?consistency=linearizable", 1)):
        answer = await http.get(f"{SHOP}{query}")
        found = msgspec.json.decode(answer.content, type=wire.CounterValue)
        assert (found.value, node.exact_reads) == (7, reads)
        assert answer.headers["cache-control"] == "no-store"
    assert (found.consistency, found.staleness_ms) == ("linearizable", 0)
    assert (await http.head(f"{SHOP}?consistency=linearizable")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "failure", "status", "members"),
    [
        ("GET", f"{SHOP}?consistency=linearizable", PartitionsUnownedError([3, 5], 5.0), 503, {"partitions": [3, 5]}),
        ("PUT", f"{SHOP}/milestones/5", MilestonePassedError("shop", 5, 7), 409, {"value": 7}),
    ],
)
async def test_a_problem_tells_what_else_is_known(
    node: FakeNode,
    http: httpx.AsyncClient,
    method: str,
    path: str,
    failure: FootfallError,
    status: int,
    members: dict[str, object],
) -> None:
    node.failure = failure
    answer = await http.request(method, path)
    problem = answer.json()
    assert answer.status_code == status
    assert problem == {**problem, **members, "detail": str(failure)}
    msgspec.json.decode(answer.content, type=wire.Problem)
    assert (await http.get(problem["type"])).status_code == 200


async def test_a_milestone_is_set_once_and_answered_as_it_stands(http: httpx.AsyncClient) -> None:
    expected = {"counter": "shop", "n": 100, "state": "open", "value": 7, "winner": None}
    for status, body in ((201, b""), (200, b""), (200, b"{}"), (200, b" { } ")):
        answer = await http.put(f"{SHOP}/milestones/100", content=body)
        assert (answer.status_code, answer.json()) == (status, expected)
    assert (await http.get(f"{SHOP}/milestones/100")).json() == expected
    assert (await http.head(f"{SHOP}/milestones/100")).status_code == 200
    await http.put("/v1/counters/site/milestones/9223372036854775807")
    assert (await http.get(f"{SHOP}/milestones")).json() == {"milestones": [expected]}
    assert [one["n"] for one in (await http.get("/v1/milestones")).json()["milestones"]] == [100, 2**63 - 1]


async def test_the_winner_is_told_with_its_proof_and_without_its_receipt(
    node: FakeNode, http: httpx.AsyncClient
) -> None:
    node.milestones.standings["shop", 7] = Standing("shop", 7, 1, 0, WINNER, PROOF, 20)
    answer = await http.get(f"{SHOP}/milestones/7")
    winner = msgspec.json.decode(answer.content, type=wire.Milestone).winner
    assert winner == wire.Winner(
        visitor="203.0.113.7",
        receipt_sha256="01" * 32,
        sequence=17,
        index=3,
        time="2023-11-14T22:13:20.123456Z",
        claimed=False,
        proof=wire.Proof("2026-01-31T12:00:00Z", 5, 4, 90, 12, "03" * 32),
    )


async def test_a_claim_brings_its_receipt_and_its_key_to_the_node(node: FakeNode, http: httpx.AsyncClient) -> None:
    await http.put(f"{SHOP}/milestones/100")
    claim = f"{SHOP}/milestones/100/claim"
    assert (await http.post(claim, json={"receipt": "r"})).status_code == 200
    assert (await http.post(claim, json={"receipt": "r"}, headers={"Idempotency-Key": "k"})).json()["n"] == 100
    assert node.milestones.claimed == [("shop", 100, "r", None), ("shop", 100, "r", "k")]


async def test_a_count_is_imported_once_per_source_and_listed(http: httpx.AsyncClient) -> None:
    expected = {"counter": "shop", "source": "old", "value": 5, "note": "of: 2025"}
    for status in (201, 200):
        answer = await http.put(f"{SHOP}/imports/old", json={"value": 5, "note": "of: 2025"})
        assert (answer.status_code, answer.json()) == (status, expected)
    await http.put("/v1/counters/site/imports/other", json={"value": 2**63 - 1, "note": "n"})
    assert (await http.get(f"{SHOP}/imports")).json() == {"imports": [expected]}


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        (f"{SHOP}/milestones/5", "GET, HEAD, PUT"),
        (f"{SHOP}/milestones/5/claim", "POST"),
        (f"{SHOP}/milestones", "GET, HEAD"),
        ("/v1/milestones", "GET, HEAD"),
        (f"{SHOP}/imports/old", "PUT"),
        (f"{SHOP}/imports", "GET, HEAD"),
    ],
)
async def test_a_method_that_a_path_has_not_is_answered_with_those_that_it_has(
    http: httpx.AsyncClient, path: str, methods: str
) -> None:
    answer = await http.delete(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, methods)
    for other in (f"{path}/", f"{path}/more/still"):
        assert (await http.get(other)).status_code == 404


async def test_a_node_that_does_not_know_its_log_yet_does_not_say_that_there_is_no_milestone(
    node: FakeNode, http: httpx.AsyncClient
) -> None:
    node.unready = ["it is starting"]
    for path in (f"{SHOP}/milestones/5", f"{SHOP}/milestones", "/v1/milestones", f"{SHOP}/imports"):
        answer = await http.get(path)
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/not-ready")
    assert (await http.post(f"{SHOP}/milestones/5/claim", json={"receipt": "r"})).status_code == 503
