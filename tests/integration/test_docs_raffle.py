"""The raffle of docs/raffle.md: its application as it stands there, for the third visit instead of the millionth."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from applications import asgi_server
from commands import footfall

from processes import HTTP, NodeProcess, eventually

PAGE = (Path(__file__).parents[2] / "docs" / "raffle.md").read_text()


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NodeProcess]:
    monkeypatch.chdir(tmp_path)
    with NodeProcess(tmp_path / "node") as node:
        monkeypatch.setenv("FOOTFALL_URL", node.url)
        yield node


def application() -> Any:
    """What the page's example makes."""
    [block] = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    made: dict[str, Any] = {"__name__": __name__}
    exec(block.replace("1_000_000", "3"), made)
    return made["app"]


def commands() -> list[list[str]]:
    """The page's commands but for ``--data``, which the test's directory needs."""
    lines = "".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)).splitlines()
    return [line.replace("1000000", "3").split()[1:] for line in lines]


def test_the_third_visitor_wins_and_he_alone_and_may_load_the_page_again(node: NodeProcess, tmp_path: Path) -> None:
    add, listing, show, audit = commands()
    footfall(*add)
    assert "shop" in footfall(*listing).stdout
    with asgi_server(application()) as site, ExitStack() as stack:
        people = [stack.enter_context(httpx.Client(base_url=site, verify=False)) for _ in range(4)]
        assert people[0].get("/prize").text == "3 visits to go"
        for count, person in enumerate(people, 1):
            assert person.get("/").status_code == 200
            eventually(lambda count=count: node.value("shop") == count, what="the visit")
        assert "reached" in footfall(*show).stdout
        said = [person.get("/prize").text for person in people]
        lost, won = "Somebody else has won.", "You have won! Please call us."
        assert said == [lost, lost, won, lost]
        assert people[2].get("/prize").text == won
    assert HTTP.get(f"{node.url}/v1/counters/shop/milestones/3").json()["winner"]["claimed"] is True
    audited = footfall(*audit, "--data", str(tmp_path / "node"))
    assert "the same" in audited.stdout
