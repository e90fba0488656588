"""Where settings come from: turns flags, variables and a TOML file into a Config."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from cyclopts import App, ArgumentCollection, CycloptsError, Group, Parameter, UnknownOptionError

from footfall.cli.arguments import Place, file, whole
from footfall.cli.naming import NAMES
from footfall.cli.variables import meant
from footfall.errors import ConfigError, InputError

if TYPE_CHECKING:
    from footfall.config import Config

SECRET_CHARACTERS_MIN = 16  # with a receipt in hand one tries secrets, on a machine of one's own, as fast as it hashes
SECRET_DIFFERENT_MIN = 8  # of them: "changemechangeme" has 7

WEBHOOK_PREFIX = "whsec_"  # of a webhook's secret that is base64

_NODE = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")  # it becomes a part of subjects and of a file's name


@Parameter(name="*", group=Group("Tuning", help="Defaults are right for most; see the documentation.", sort_key=9))
@dataclass(frozen=True)
class Tuning:
    """Settings of a node that seldom need changing; None leaves the default."""

    node: Annotated[str | None, Parameter(help="Name of the node; keep it over restarts.")] = None
    tls_cert: Annotated[Place | None, file(help="PEM file: serve HTTPS with this certificate and its chain.")] = None
    tls_key: Annotated[Place | None, file(help="PEM file: its private key.")] = None
    nats_ca: Annotated[Place | None, file(help="PEM file: who signs the certificates of tls:// servers.")] = None
    nats_cert: Annotated[Place | None, file(help="PEM file: the node's certificate, where NATS asks for one.")] = None
    nats_key: Annotated[Place | None, file(help="PEM file: its private key.")] = None
    nats_creds: Annotated[Place | None, file(help=".creds file: the node's login at NATS.")] = None
    nats_nkey: Annotated[Place | None, file(help="File of an NKEY seed: the node's login at NATS.")] = None
    secret: Annotated[str | None, Parameter(help="Keys the receipts; the same on every node of a cluster.")] = None
    secret_file: Annotated[
        Place | None, file(help="File that holds the secret and nothing else, as containers are given theirs.")
    ] = None
    replicas: Annotated[
        int | None, Parameter(converter=whole, help="Copies of the log; 0: 3 on a cluster, 1 elsewhere.")
    ] = None
    log_bytes_max: Annotated[
        int | None, Parameter(converter=whole, help="Size of the log; from 90 % of it on, visits go to the spool.")
    ] = None
    spool_bytes_max: Annotated[
        int | None, Parameter(converter=whole, help="Size of the spool, where visits wait while the log is away.")
    ] = None
    spool_age_max_s: Annotated[float | None, Parameter(help="Seconds that visits may wait in the spool.")] = None
    cut_interval_s: Annotated[
        float | None,
        Parameter(help="Seconds between checkpoints; the same on all nodes. Keys are remembered for 60 of them."),
    ] = None
    beat_interval_s: Annotated[float | None, Parameter(help="Seconds between heartbeats.")] = None
    silence_max_s: Annotated[
        float | None, Parameter(help="Seconds of silence after which others take a node's partitions.")
    ] = None
    lag_max_s: Annotated[
        float | None, Parameter(help="Seconds that an owner may be behind before it is passed over.")
    ] = None
    broadcast_interval_s: Annotated[float | None, Parameter(help="Seconds between broadcasts (replicated).")] = None
    anti_entropy_interval_s: Annotated[
        float | None, Parameter(help="Seconds between full comparisons (replicated).")
    ] = None
    gather_interval_s: Annotated[float | None, Parameter(help="Seconds between gatherings (sharded).")] = None
    closing_share: Annotated[
        float | None, Parameter(help="Share of N, from 0 to 1, from which a milestone is judged.")
    ] = None
    closing_soon_s: Annotated[
        float | None, Parameter(help="It is judged, too, once the current rate would reach N in so many seconds.")
    ] = None
    webhook: Annotated[str | None, Parameter(help="URL that is told of winners.")] = None
    webhook_secret: Annotated[
        str | None, Parameter(help="Signs what the webhook is told; by default the cluster's secret.")
    ] = None
    keep_proofs: Annotated[
        bool | None, Parameter(help="Keep what the audit of a winner needs, after the log was trimmed.")
    ] = None
    proof_bytes_max: Annotated[
        int | None, Parameter(converter=whole, help="Size of the log kept for one winner's audit.")
    ] = None
    store_bytes_max: Annotated[
        int | None,
        Parameter(
            converter=whole,
            help="Size of checkpoints and proofs at which no more proofs are kept; 0: 2 * log_bytes_max.",
        ),
    ] = None
    alarms_seen: Annotated[
        int | None,
        Parameter(
            converter=whole, help="Do not warn of alarms up to this sequence of the log: you have looked into them."
        ),
    ] = None
    backup: Annotated[
        Place | None,
        Parameter(
            metavar="PLACE", help="Where backups are kept: a directory, or s3://, gs:// or az:// with BUCKET/PREFIX."
        ),
    ] = None
    backup_interval_s: Annotated[float | None, Parameter(help="Seconds between backups.")] = None
    backup_keep: Annotated[int | None, Parameter(converter=whole, help="How many backups are kept; 0: all.")] = None
    event_streams_max: Annotated[int | None, Parameter(converter=whole, help="Streams of events at once.")] = None
    history_counters_max: Annotated[
        int | None, Parameter(converter=whole, help="Counters whose history is kept on this node; 0: none.")
    ] = None
    tokens_file: Annotated[
        Place | None, file(help="TOML file of who may do what; needed to listen elsewhere than on loopback.")
    ] = None
    tokens: Annotated[str | None, Parameter(help="The text of a tokens file; meant for FOOTFALL_TOKENS.")] = None
    public_reads: Annotated[bool | None, Parameter(help="Let counters and milestones be read without a token.")] = None
    public_writes: Annotated[
        tuple[str, ...] | None,
        Parameter(negative="", help="Counters, with commas, that anyone may visit without a token; also those below."),
    ] = None
    cors_origins: Annotated[
        tuple[str, ...] | None,
        Parameter(negative="", help="Origins, with commas, whose pages may read answers in a browser; * for all."),
    ] = None
    define_on_visit: Annotated[bool | None, Parameter(help="A visit to an unknown counter defines it.")] = None
    counters_max: Annotated[int | None, Parameter(converter=whole, help="How many counters may be defined.")] = None
    visitor_from_address: Annotated[
        bool | None, Parameter(help="A visit that names no visitor is by its client's address.")
    ] = None
    hash_visitors: Annotated[bool | None, Parameter(help="Store visitors taken from addresses as keyed hashes.")] = None
    trusted_proxies: Annotated[
        tuple[str, ...] | None,
        Parameter(negative="", help="Addresses and networks, with commas, whose X-Forwarded-For is believed."),
    ] = None
    rate_per_address: Annotated[float | None, Parameter(help="Visits a second from one address; 0: no limit.")] = None
    rate_per_token: Annotated[
        float | None, Parameter(help="Visits a second with a token that has no rate of its own; 0: no limit.")
    ] = None
    rate_burst_s: Annotated[float | None, Parameter(help="Seconds' worth of a rate that may come at once.")] = None
    connections_max: Annotated[int | None, Parameter(converter=whole, help="Connections over HTTP.")] = None
    connections_per_address_max: Annotated[
        int | None, Parameter(converter=whole, help="Connections from one address; 0: no limit.")
    ] = None
    request_timeout_s: Annotated[
        float | None, Parameter(help="Seconds in which a request must arrive, and an answer be read.")
    ] = None
    advertise_url: Annotated[
        str | None, Parameter(help="URL of this node for the list of nodes, if its host's name is not what people use.")
    ] = None
    otlp_endpoint: Annotated[
        str | None, Parameter(help="URL of an OpenTelemetry collector (OTLP over HTTP) that traces are sent to.")
    ] = None
    log_format: Annotated[
        Literal["text", "json"] | None, Parameter(help="Lines on stderr for people, or for machines.")
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None, Parameter(help="The least severe lines that are written.")
    ] = None


def config_file(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Fill in what neither a flag nor a variable gave from the TOML file that ``--config`` names, if it does."""
    from cyclopts.config import Toml

    NAMES.take(arguments)
    named = [argument for argument in arguments if argument.name == "--config" and argument.tokens]
    if not named:
        return
    path = Path(named[0].tokens[0].value)
    if not path.is_file():
        raise InputError(f"there is no settings file {path}")
    try:
        # No commands: the file is one flat table, in which "nodes" is the setting and not the command.
        Toml(path, must_exist=True)(app, (), arguments)
    except (CycloptsError, OSError) as error:
        if isinstance(error, UnknownOptionError):
            raise InputError(_no_setting(error.token.keyword or "", path)) from None
        if isinstance(error, CycloptsError) and error.__cause__ is None:  # what the file says, and not how it says it
            raise
        raise InputError(f"{path} cannot be read as TOML: {error.__cause__ or error}") from None
    NAMES.take(arguments)


def _no_setting(keyword: str, path: Path) -> str:
    """What is wrong with a key of the file, which is told as ``[table][key]``."""
    table, _, below = keyword.strip("[]").partition("][")
    if below:
        return f"[{table[:60]}] in {path} is a table, and settings stand in none: write {below[:60]} = ... without it"
    return f"{path}: there is no setting {table[:60]}{meant(table, NAMES.settings)}; footfall serve --help lists all"


def to_config(
    data: str, http: str, nats: tuple[str, ...], topology: str, partitions: int, tuning: Tuning | None = None
) -> "Config":
    """The settings of a node. Raises ConfigError."""
    from footfall.config import Config, LogFormat, Topology
    from footfall.core.names import is_name

    if not data:
        raise ConfigError("--data is empty; name a directory, or leave it out")
    others: dict[str, Any] = {} if tuning is None else asdict(tuning)
    node = others.get("node")
    if node is not None and not _NODE.match(node):
        raise ConfigError(f"{node[:60]!r} cannot name a node: write 1 to 64 letters, digits, '_' and '-'")
    others["secret"] = read_secret(others.get("secret"), others.pop("secret_file", None))
    for name in ("secret", "webhook_secret"):
        if (secret := others.get(name)) is not None:
            check_secret(name.replace("_", "'s "), secret)
    for name in ("tokens", "tokens_file"):  # a variable that is not set must not open the node to everyone
        if others.get(name) is not None and not others[name].strip():
            raise ConfigError(f"--{name.replace('_', '-')} is empty; name tokens, or leave it out")
    for name in ("trusted_proxies", "public_writes", "cors_origins"):
        if (groups := others.get(name)) is not None:
            others[name] = tuple(one.strip() for group in groups for one in group.split(",") if one.strip())
    for counter in others.get("public_writes") or ():
        if not is_name(counter):
            raise ConfigError(f"{counter[:60]!r} in public_writes cannot name a counter; write something like shop")
    if (log_format := others.get("log_format")) is not None:
        others["log_format"] = LogFormat(log_format)
    if (webhook := others.get("webhook")) is not None:
        check_webhook(webhook)
    host, port = parse_address(http)
    return Config(
        data=data,
        http_host=host,
        http_port=port,
        nats=parse_servers(nats),
        topology=Topology(topology),
        partitions=partitions,
        **{name: value for name, value in others.items() if value is not None},
    )


def read_secret(secret: str | None, file: str | None) -> str | None:
    """The secret, or what the file of it holds. Raises ConfigError."""
    if file is None:
        return secret
    if secret is not None:
        raise ConfigError("secret_file is given, and a secret, too: give one of them")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"secret_file {file} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def check_secret(what: str, secret: str) -> None:
    """Raises ConfigError for a secret that cannot be one, or could be guessed. It is not shown."""
    if not (secret and secret.isprintable()):
        raise ConfigError(f"the {what} is empty, or not of characters that can be shown; write others, or leave it out")
    secret = secret.removeprefix(WEBHOOK_PREFIX)
    if len(secret) < SECRET_CHARACTERS_MIN or len(set(secret)) < SECRET_DIFFERENT_MIN:
        raise ConfigError(
            f"the {what} could be guessed: it has {len(secret)} characters, {len(set(secret))} of them different; it "
            f"must have {SECRET_CHARACTERS_MIN}, {SECRET_DIFFERENT_MIN} of them different: "
            "openssl rand -hex 32 makes one"
        )


def check_webhook(url: str) -> None:
    """Raises ConfigError unless it is a URL that can be told something. It may hold a password, so it is not shown."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or " " in url:
        raise ConfigError("the webhook is not a URL: write something like https://example.org/winners")


def parse_servers(groups: tuple[str, ...]) -> tuple[str, ...]:
    """The URLs in what --nats was given, which may be several at once. Raises ConfigError for one that is none."""
    urls = tuple(url.strip() for group in groups for url in group.split(",") if url.strip())
    if groups and not urls:  # a variable that is not set must not start an engine, and count into another log
        raise ConfigError("--nats names no server; write nats://HOST:PORT, or leave it out to run the embedded engine")
    for url in urls:
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("nats", "tls") and bool(parts.hostname) and parts.port != 0 and " " not in url
        except ValueError:
            usable = False
        if not usable:
            raise ConfigError(f"{url!r} is not the URL of a nats-server: write something like nats://127.0.0.1:4222")
    return urls


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of HOST:PORT or [IPv6]:PORT. Raises ConfigError."""
    host, _, digits = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if (
        not host
        or not (digits.isascii() and digits.isdigit())
        or int(digits) > 65535
        or (":" in host and not bracketed)
    ):
        raise ConfigError(f"{text!r} is not HOST:PORT: write something like 127.0.0.1:8080")
    return host[1:-1] if bracketed else host, int(digits)
