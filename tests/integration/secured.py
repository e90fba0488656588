"""Three nats-servers of the configuration in the docs, with TLS and accounts, each elsewhere than it says."""

import secrets
from collections.abc import Sequence
from pathlib import Path

import nats
from nats.aio.client import Client

from footfall.certificates import client_context
from pki import Authority, Pair
from processes import NatsServer, free_ports

CONFIGURATION = (Path(__file__).parents[2] / "docs" / "nats-accounts.conf").read_text()
USERS = ("node", "operator", "shop", "auditor")


class SecuredServer(NatsServer):
    """One of three servers, of the configuration in the docs."""

    def __init__(
        self, directory: Path, index: int, ports: Sequence[int], authority: Authority, passwords: dict[str, str]
    ) -> None:
        super().__init__(directory, f"nats-{'abc'[index]}", ports[index], ports[3 + index])
        files = authority.issue(self.name)
        elsewhere = {
            "server_name: nats-a": f"server_name: {self.name}",
            '"0.0.0.0:4222"': f'"127.0.0.1:{ports[index]}"',
            '"127.0.0.1:8222"': f'"127.0.0.1:{ports[3 + index]}"',
            '"0.0.0.0:6222"': f'"127.0.0.1:{ports[6 + index]}"',
            "/var/lib/nats": str(self.store),
            "/etc/nats/server.pem": files.cert,
            "/etc/nats/server.key": files.key,
            "/etc/nats/ca.pem": authority.ca,
        } | {f"tls://nats-{'abc'[n]}:6222": f"tls://127.0.0.1:{ports[6 + n]}" for n in range(3)}
        text = CONFIGURATION
        for there, here in elsewhere.items():
            assert there in text
            text = text.replace(there, here)
        (directory / "nats.conf").write_text(text)
        self._env |= {f"FOOTFALL_{name.upper()}_PASSWORD": password for name, password in passwords.items()}
        self.address = f"127.0.0.1:{ports[index]}"


class Secured:
    """The three servers, and what a client of them needs."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority(directory / "pki")
        self.client: Pair = self.authority.issue("client")
        self.passwords = {name: f"12e4{secrets.token_hex(24)}" for name in USERS}  # a number, if one is careless
        ports = free_ports(9)
        self.servers = [SecuredServer(directory / f"s{n}", n, ports, self.authority, self.passwords) for n in range(3)]

    def urls(self, user: str) -> list[str]:
        """The servers, for a user."""
        return [f"tls://{user}:{self.passwords[user]}@{server.address}" for server in self.servers]

    @property
    def files(self) -> list[str]:
        """What commands are told of certificates."""
        return ["--nats-ca", self.authority.ca, "--nats-cert", self.client.cert, "--nats-key", self.client.key]

    async def connect(self, user: str, inbox: str, refusals: list[str]) -> Client:
        """A client as any program has one; what it is refused is added to ``refusals``."""

        async def refused(error: Exception) -> None:
            refusals.append(str(error).lower())

        context = client_context(self.authority.ca, self.client.cert, self.client.key)
        return await nats.connect(self.urls(user), tls=context, inbox_prefix=inbox, error_cb=refused)

    def led(self) -> bool:
        """Whether they can make a stream."""
        return all(server.jsz().get("meta_cluster", {}).get("leader") for server in self.servers)
