"""A raffle as a user runs it on the command line, through different nodes, in both topologies."""

import json
import re
import signal
from collections.abc import Iterator

import pytest
from commands import PATIENCE_S, footfall, serve_three


@pytest.fixture(scope="module", params=["replicated", "sharded"])
def nodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The URLs of three nodes over one log."""
    process, urls = serve_three(tmp_path_factory.mktemp("raffle") / "data", "--topology", request.param)
    yield urls
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0


def test_a_raffle_is_set_won_shown_and_claimed_through_different_nodes(nodes: list[str]) -> None:
    one, two, three = nodes
    raffle = ("shop", "3")
    assert "the 3rd of shop is set: 0 so far" in footfall("milestone", "add", *raffle, "--url", one).stdout
    assert "set already" in footfall("milestone", "add", *raffle, "--url", two).stdout
    early = footfall("milestone", "show", *raffle, "--wait", "--timeout", "0.1", "--url", three, code=1)
    assert "did not come in 0.1 s" in early.stderr
    receipts = {}
    for visitor, url in (("ann", one), ("ben", two), ("cid", three), ("dee", one)):
        said = footfall("hit", "shop.books", "--visitor", visitor, "--url", url).stdout
        receipts[visitor] = re.findall(r"receipt (\S+)", said)[0]
    assert footfall("read", "shop", "--exact", "--url", two).stdout == "4\n"
    shown = footfall("milestone", "show", *raffle, "--wait", "--timeout", "20", "--url", two).stdout
    assert "the 3rd of shop: reached" in shown
    assert "winner   cid" in shown
    assert "claimed  no" in shown
    assert receipts["cid"] not in shown
    wrong = footfall("milestone", "claim", *raffle, receipts["ben"], "--url", one, code=1)
    assert "not the receipt" in wrong.stderr
    assert "claimed: cid" in footfall("milestone", "claim", *raffle, receipts["cid"], "--url", three).stdout
    again = footfall("milestone", "claim", *raffle, receipts["cid"], "--url", one, code=1)
    assert "claimed before" in again.stderr
    (listed,) = json.loads(footfall("milestone", "list", "--json", "--url", three).stdout)
    assert (listed["n"], listed["winner"]["visitor"], listed["winner"]["claimed"]) == (3, "cid", True)
    passed = footfall("milestone", "add", "shop", "2", "--url", two, code=1)
    assert "shop has 4 already" in passed.stderr


def test_a_prior_count_is_imported_once_whichever_node_is_told_and_another_is_refused(nodes: list[str]) -> None:
    one, two, three = nodes
    value = "100000000000"
    assert "100,000,000,000 imported" in footfall("import", "world", value, "--note", "until May", "--url", one).stdout
    assert "count once" in footfall("import", "world", value, "--note", "again", "--url", two).stdout
    other = footfall("import", "world", "5", "--note", "until June", "--url", three, code=1)
    assert "100000000000 into world (until May)" in other.stderr
    assert "another source" in other.stderr
    footfall("import", "world", "5", "--note", "June", "--source", "june", "--url", three)
    assert footfall("read", "world", "--exact", "--url", two).stdout == "100000000005\n"
