"""The same node behind two servers, with and without the hot path: what is asked of both must be answered alike."""

from typing import Any, NamedTuple

import msgspec
from fake_node import FakeNode
from raw_http import Answer, talk

from footfall.config import Config
from footfall.web.door import Door
from footfall.web.server import HttpServer
from footfall.web.tokens import parse_tokens

KEY = b"k" * 32
SECRET = "0123456789012345678901"


def token(name: str, *rest: str) -> str:
    return f'[{name}]\nsecret = "{name}-{SECRET}"\n' + "".join(f"{line}\n" for line in rest)


TOKENS = (
    token("all", 'scopes = ["read", "write", "admin"]')
    + token("reader", 'scopes = ["read"]')
    + token("writer", 'scopes = ["write"]')
    + token("admin", 'scopes = ["admin"]')
    + token("shop", 'scopes = ["read", "write", "admin"]', 'counters = ["shop"]')
    + token("slow", 'scopes = ["write"]', "rate = 0.1")
)


def shows(name: str) -> str:
    return f"Authorization: Bearer {name}-{SECRET}\r\n"


class Pair(NamedTuple):
    """The same node twice, with and without the hot path."""

    hot: HttpServer
    cold: HttpServer
    nodes: tuple[FakeNode, FakeNode]
    doors: tuple[Door, Door]

    async def ask(self, sent: bytes) -> Answer:
        """What both answer."""
        answers = [(await talk(server.port, sent))[0] for server in (self.hot, self.cold)]
        hot, cold = (comparable(answer) for answer in answers)
        assert hot == cold, sent
        return answers[0]


def comparable(answer: Answer) -> tuple[int, dict[str, str], Any]:
    """What is the same each time: not the time, nor the figures of metrics and how many digits they have."""
    json = "json" in answer.headers.get("content-type", "")
    changing = {"date"} if json else {"date", "content-length"}
    headers = {name: value for name, value in answer.headers.items() if name not in changing}
    return answer.status, headers, msgspec.json.decode(answer.body) if json else ""


async def pair(config: Config, tokens: str = TOKENS) -> Pair:
    servers, nodes, doors = [], [], []
    for hot in (True, False):
        node = FakeNode(0)
        for name in ("shop", "shop.books", "shopping"):
            node._count(name, None, None, 0)
        node.visitors.clear()
        door = Door(config, parse_tokens(tokens, "test") if tokens else None, KEY)
        server = HttpServer(node, "127.0.0.1", 0, hot=hot, stop_s=1, door=door)  # type: ignore[arg-type]
        await server.start()
        servers.append(server)
        nodes.append(node)
        doors.append(door)
    return Pair(servers[0], servers[1], (nodes[0], nodes[1]), (doors[0], doors[1]))


async def stop(both: Pair) -> None:
    await both.hot.stop()
    await both.cold.stop()
