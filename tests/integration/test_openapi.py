"""The interface is what /openapi.json says: a fuzzer that knows nothing but that document finds no difference.

A failure prints the request as a curl command, and the seed: FOOTFALL_SEED=<seed> makes the same requests again, and
FOOTFALL_FUZZ=<number> makes more of them. The settings are in openapi.toml, and openapi_hooks.py says which answers are
right though the schemas alone do not say so.
"""

import asyncio
import contextlib
import os
import sys
from pathlib import Path

from footfall.config import Config, Topology
from footfall.core.names import Unit
from footfall.core.visit import Visit
from footfall.node.node import Node
from footfall.web.process import running
from footfall.web.server import HttpServer

HERE = Path(__file__).parent
SEED = int(os.environ.get("FOOTFALL_SEED", "1"))
EXAMPLES = int(os.environ.get("FOOTFALL_FUZZ", "10"))  # of each operation, besides the cases that its schemas suggest
TIMEOUT_S = 300.0 + 2 * EXAMPLES
ALL = "examples,coverage,fuzzing,stateful"
OPERATIONS = 25  # but for those that have no end
ENDLESS = ("--exclude-operation-id", "getCounterEvents", "--exclude-operation-id", "getEvents")
HOT = ("--include-operation-id", "postCounterVisits", "--include-operation-id", "getCounter")


async def fuzz(
    url: str,
    seed: int,
    directory: Path,
    *arguments: str,
    phases: str = ALL,
    checks: str = "all",
    which: tuple[str, ...] = ENDLESS,
    operations: int = OPERATIONS,
) -> str:
    """What the fuzzer says if it finds anything."""
    directory.mkdir()  # noqa: ASYNC240 - it leaves things where it runs
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "openapi.toml"), "run", "--no-color"),
        *("--checks", checks, "--mode", "all", "--phases", phases, *which),
        *("--seed", str(seed), "--max-examples", str(EXAMPLES), *arguments, f"{url}/openapi.json"),
        cwd=directory,
        env={**os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "openapi_hooks.py")},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said = (await asyncio.wait_for(process.communicate(), TIMEOUT_S))[0].decode()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert f"Tested: {operations}" in said, said
    return said if process.returncode else ""


SECRET = "0123456789012345678901"
TOKENS = f"""
[all]
secret = "all-{SECRET}"
scopes = ["read", "write", "admin"]
[some]
secret = "some-{SECRET}"
scopes = ["read", "write", "admin"]
counters = ["nobodys"]
"""


async def prepare(node: Node) -> None:
    """Counters of both units, a milestone that was reached, and one that never will be."""
    await node.define("google.gmail", Unit.VISITS)
    await node.define("people", Unit.VISITORS)
    await node.milestones.add("people", 10**15)
    await node.milestones.add("google.gmail", 1)
    await node.add([Visit("google.gmail", "203.0.113.7")])
    async with asyncio.timeout(20):
        while node.milestones.find("google.gmail", 1).open:  # noqa: ASYNC110 - the log tells it, and has no events
            await asyncio.sleep(0.05)


async def test_nothing_that_the_document_suggests_is_answered_otherwise_than_it_says(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        nodes = []
        for topology in Topology:
            config = Config(data=str(tmp_path / topology), http_port=0, log_bytes_max=256 << 20, topology=topology)
            nodes.append(await stack.enter_async_context(running(config)))
            await nodes[-1].ready()
            await prepare(nodes[-1].node)
        cold = HttpServer(nodes[0].node, "127.0.0.1", 0, hot=False)
        await cold.start()
        stack.push_async_callback(cold.stop)
        hot, sharded = (node.server for node in nodes)
        # The schemas' own cases, a thousand, are about parsing: once is enough. They never take the hot path.
        found = await asyncio.gather(
            fuzz(hot.url, SEED, tmp_path / "asks hot"),
            fuzz(cold.url, SEED + 1, tmp_path / "asks cold", phases="fuzzing", which=HOT, operations=2),
            fuzz(sharded.url, SEED + 2, tmp_path / "asks sharded", phases="examples,fuzzing,stateful"),
        )
    assert not any(found), "\n".join(found)
    assert hot.traffic.hot_visits + sharded.traffic.hot_visits > 0
    assert hot.traffic.hot_reads > 0
    assert cold.traffic.hot_reads == cold.traffic.hot_visits == 0


async def test_with_tokens_the_document_holds_and_nothing_is_answered_or_changed_without_one(tmp_path: Path) -> None:
    """The fuzzer's own check ``ignored_auth`` asks everything that needs a token without one, and with a wrong one."""
    config = Config(data=str(tmp_path / "node"), http_port=0, log_bytes_max=256 << 20, tokens=TOKENS)
    async with running(config) as one:
        await one.ready()
        await prepare(one.node)
        own = ("--header", f"Authorization: Bearer all-{SECRET}")
        found = await fuzz(one.server.url, SEED, tmp_path / "all", *own, phases="examples,coverage,fuzzing")
        assert not found, found
        assert one.server.traffic.hot_visits > 0
        assert one.server.traffic.statuses[401] > 0


async def test_a_token_of_other_counters_changes_nothing_whatever_is_asked(tmp_path: Path) -> None:
    config = Config(data=str(tmp_path / "node"), http_port=0, log_bytes_max=256 << 20, tokens=TOKENS)
    async with running(config) as one:
        await one.ready()
        await prepare(one.node)
        before = (await one.node.answers.list("", "", 1000)).counters
        own = ("--header", f"Authorization: Bearer some-{SECRET}")
        checks = "not_a_server_error,status_code_conformance,response_schema_conformance"  # what is good gets 403, too
        found = await fuzz(one.server.url, SEED, tmp_path / "some", *own, checks=checks)
        assert not found, found
        assert one.server.traffic.statuses[403] > 0
        after = (await one.node.answers.list("", "", 1000)).counters
        others = [(r.counter, r.value) for r in after if not r.counter.startswith("nobodys")]
        assert others == [(r.counter, r.value) for r in before]
