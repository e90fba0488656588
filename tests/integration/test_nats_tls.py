"""NATS over TLS, and who a node is to it: certificates, NKEYs and .creds files, against real servers."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from commands import footfall

from footfall.config import Config
from footfall.errors import ConfigError, ConnectError
from footfall.log import connection
from footfall.log.access import Access
from footfall.log.opening import connect, connect_existing
from pki import Authority, Nkey, Pair
from processes import ALONE, NatsServer, NodeProcess, free_ports


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


def server(directory: Path, more: str) -> NatsServer:
    return NatsServer(directory, "single", *free_ports(2), ALONE + more)


def tls(authority: Authority, pair: Pair, verify: bool = False) -> str:
    files = f'cert_file: "{pair.cert}", key_file: "{pair.key}", ca_file: "{authority.ca}"'
    return f"tls {{ {files}, verify: {str(verify).lower()} }}\n"


def secure(url: str, user: str = "") -> str:
    return url.replace("nats://", f"tls://{user}")


async def stores(urls: list[str], **settings: str) -> bool:
    """Whether a log can be made and written there."""
    config = Config(nats=tuple(urls), log_bytes_max=100 << 20, **settings)  # type: ignore[arg-type]
    log = await connect(config, urls, name="test")
    try:
        return await log.publish("footfall.visits.0", b"x") > 0
    finally:
        await log.close()


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT_S", 1.0)


@pytest.mark.usefixtures("_impatient")
async def test_a_server_is_trusted_by_its_authority_and_its_name_alone(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other", "other")
    with server(tmp_path / "nats", tls(authority, authority.issue("named"))) as nats_server:
        url = secure(nats_server.url)
        assert await stores([url], nats_ca=authority.ca)
        for settings in ({"nats_ca": other.ca}, {}):
            with pytest.raises(ConnectError, match="certificate"):
                await stores([url], **settings)
    elsewhere = authority.issue("elsewhere", "example.org")
    with (
        server(tmp_path / "nats2", tls(authority, elsewhere)) as nats_server,
        pytest.raises(ConnectError, match=r"name|IP"),
    ):
        await stores([secure(nats_server.url)], nats_ca=authority.ca)


@pytest.mark.usefixtures("_impatient")
async def test_a_server_that_asks_for_a_certificate_takes_ours_and_no_other(
    authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger", "stranger").issue("stranger")
    own = authority.issue("own")
    with server(tmp_path / "nats", tls(authority, authority.issue("mutual"), verify=True)) as nats_server:
        url = secure(nats_server.url)
        assert await stores([url], nats_ca=authority.ca, nats_cert=own.cert, nats_key=own.key)
        for settings in ({}, {"nats_cert": stranger.cert, "nats_key": stranger.key}):
            with pytest.raises(ConnectError):
                await stores([url], nats_ca=authority.ca, **settings)


async def test_a_node_counts_on_over_tls_when_its_server_comes_back(authority: Authority, tmp_path: Path) -> None:
    with server(tmp_path / "nats", tls(authority, authority.issue("again"))) as nats_server:
        arguments = ("--nats", secure(nats_server.url), "--nats-ca", authority.ca)
        with NodeProcess(tmp_path / "node", *arguments) as node:
            footfall("hit", "shop", "--url", node.url)
            nats_server.kill()
            nats_server.start()
            footfall("hit", "shop", "--url", node.url)
            assert footfall("read", "shop", "--exact", "--url", node.url).stdout == "2\n"


@pytest.fixture
async def clear() -> AsyncIterator[tuple[str, bytearray]]:
    """Who stands between: says in clear that no TLS is needed, and takes down what it is sent."""
    taken = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.15.1","auth_required":true,"max_payload":1048576}\r\n')
        taken.extend(await reader.read(65_536))
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"tls://node:secret@127.0.0.1:{listening.sockets[0].getsockname()[1]}", taken
    listening.close()


@pytest.mark.usefixtures("_impatient")
async def test_no_password_is_sent_in_clear_where_tls_was_said(clear: tuple[str, bytearray]) -> None:
    url, taken = clear
    with pytest.raises(ConnectError, match="does not speak TLS") as raised:
        await connect_existing([url], name="test")
    assert not taken
    assert "secret" not in str(raised.value)


async def test_a_node_is_known_by_its_nkey(tmp_path: Path) -> None:
    known, unknown = Nkey("U"), Nkey("U")
    for name, key in (("known", known), ("unknown", unknown)):
        (tmp_path / name).write_text(key.seed + "\n")
    with server(tmp_path / "nats", f"authorization {{ users: [ {{ nkey: {known.public} }} ] }}\n") as nats_server:
        assert await stores([nats_server.url], nats_nkey=str(tmp_path / "known"))
        with pytest.raises(ConnectError, match="Authorization"):
            await stores([nats_server.url], nats_nkey=str(tmp_path / "unknown"))


async def test_a_node_is_known_by_a_creds_file(tmp_path: Path) -> None:
    operator, system, account = Nkey("O"), Nkey("A"), Nkey("A")
    user, stranger = Nkey("U"), Nkey("U")
    limits = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
    limits |= {"subs": -1, "conn": -1, "leaf": -1, "imports": -1, "exports": -1, "data": -1, "payload": -1}
    of_account = operator.jwt(account.public, "footfall", {"limits": limits | {"wildcards": True}, "type": "account"})
    of_system = operator.jwt(system.public, "SYS", {"type": "account"})
    of_user = account.jwt(user.public, "node", {"subs": -1, "data": -1, "payload": -1, "type": "user"})
    own = operator.jwt(operator.public, "operator", {"type": "operator"})
    for name, key in (("creds", user), ("stolen", stranger)):
        (tmp_path / name).write_text(
            f"-----BEGIN NATS USER JWT-----\n{of_user}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{key.seed}\n------END USER NKEY SEED------\n"
        )
    accounts = f"{system.public}: {of_system}, {account.public}: {of_account}"
    more = f"operator: {own}\nsystem_account: {system.public}\nresolver: MEMORY\nresolver_preload: {{ {accounts} }}\n"
    with server(tmp_path / "nats", more) as nats_server:
        assert await stores([nats_server.url], nats_creds=str(tmp_path / "creds"))
        with pytest.raises(ConnectError, match="Authorization"):
            await stores([nats_server.url], nats_creds=str(tmp_path / "stolen"))


async def test_what_cannot_be_used_is_told_before_a_connection_is_made(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no key\n")
    (tmp_path / "account").write_text(Nkey("A").seed)
    seed = Nkey("U").seed
    (tmp_path / "typo").write_text(("A" if seed[20] != "A" else "B").join((seed[:20], seed[21:])))
    (tmp_path / "seed-alone").write_text(f"-----BEGIN USER NKEY SEED-----\n{seed}\n")
    gone, text, alone = str(tmp_path / "gone"), str(tmp_path / "text"), str(tmp_path / "seed-alone")
    secure_url, clear_url = "tls://127.0.0.1:1", "nats://127.0.0.1:1"
    for url, access, says in (
        (secure_url, Access(ca=gone), "gone cannot be read"),
        (secure_url, Access(ca=text), "holds no certificates"),
        (secure_url, Access(cert=text, key=text), "not a certificate and its key"),
        (clear_url, Access(ca=authority.ca), "write tls://"),
        (clear_url, Access(nkey=gone), "gone cannot be read"),
        (clear_url, Access(nkey=text), "seed of a user's NKEY"),
        (clear_url, Access(nkey=str(tmp_path / "account")), "seed of a user's NKEY"),
        (clear_url, Access(nkey=str(tmp_path / "typo")), "seed of a user's NKEY"),
        (clear_url, Access(creds=gone), "gone cannot be read"),
        (clear_url, Access(creds=alone), "not the .creds file"),
    ):
        with pytest.raises(ConfigError) as raised:
            await connect_existing([url], name="test", access=access)
        assert says in str(raised.value)
        assert seed not in str(raised.value)
    with pytest.raises(ConfigError, match="all of them tls"):
        await connect_existing([secure_url, clear_url], name="test")
