"""The settings of a node and their defaults, with reasons; knows nothing of where they are read from."""

import enum
import re
from ipaddress import ip_address, ip_network

import msgspec

from footfall.errors import ConfigError

NAMES_MAX = 100  # in settings that name counters or origins: a request is compared with all of them
COUNTERS_MAX = 4_000_000  # as many as the log may hold: 1.2 GB of names and entries at 16 partitions
PARTITIONS_MAX = 256  # a row of the table of counts is 8 bytes a partition

SPOOL_AGE_MAX_S = 5 * 86_400.0  # with the day for which an id is used it is still below a week
SPOOL_AGE_EPOCHS_MAX = 43_200  # the same in epochs, which are shorter days if cuts are taken more often

_ORIGIN = re.compile(
    r"https?://(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?\Z"
)  # as browsers write it


class Topology(enum.StrEnum):
    """How nodes share counts: pushed to everyone, or pulled at intervals."""

    REPLICATED = "replicated"
    SHARDED = "sharded"


class LogFormat(enum.StrEnum):
    """How the lines on stderr are written."""

    TEXT = "text"
    JSON = "json"


LOG_LEVELS = ("debug", "info", "warning", "error")


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one node. Durations in seconds, sizes in bytes.

    Raises:
        ConfigError: If a value cannot be used.
    """

    data: str = "footfall-data"
    http_host: str = "127.0.0.1"  # loopback: any other needs tokens
    http_port: int = 8080
    tls_cert: str = ""  # PEM: HTTP is served over TLS with it; empty: without
    tls_key: str = ""
    nats: tuple[str, ...] = ()  # empty: the embedded engine
    nats_ca: str = ""  # PEM: who may have signed the certificates of tls:// servers; empty: whom the system trusts
    nats_cert: str = ""  # PEM: our own certificate, where the servers ask for one
    nats_key: str = ""
    nats_creds: str = ""  # file of a user's JWT and key
    nats_nkey: str = ""  # file of a user's seed
    topology: Topology = Topology.REPLICATED
    partitions: int = 16
    node: str = ""  # empty: the host's name and the port
    secret: str = ""  # keys the receipts; empty: kept in the data directory
    replicas: int = 0  # of the log; 0: 1 embedded or on a single server, 3 on a cluster
    log_bytes_max: int = 10 << 30  # the log is trimmed at every cut: minutes at 5 million visits/s
    spool_bytes_max: int = 1 << 30  # of visits that wait on this node while the log is away; 0: none are taken then
    spool_age_max_s: float = 86_400.0  # how long they may wait: well below the week after which producers are forgotten
    cut_interval_s: float = 10.0  # keys are remembered for 60: repeats that are sent later are refused
    beat_interval_s: float = 0.25
    silence_max_s: float = 2.0  # a node unheard for longer has lost its partitions
    lag_max_s: float = 5.0  # an owner further behind is passed over
    broadcast_interval_s: float = 0.05
    anti_entropy_interval_s: float = 10.0
    gather_interval_s: float = 0.25
    closing_share: float = 0.999  # of N, from which on a milestone's judge is active
    closing_soon_s: float = 60.0  # also if the present rate reaches N in so many seconds
    webhook: str = ""  # URL that is told of winners
    webhook_secret: str = ""  # signs what it is told; empty: the cluster's secret
    keep_proofs: bool = True  # after a milestone was reached: the cut and the log that its audit needs
    proof_bytes_max: int = 1 << 30  # of the log that is kept for one
    store_bytes_max: int = 0  # of cuts and proofs, at which no more proofs are kept, as each keeps a cut; 0: see below
    alarms_seen: int = 0  # sequence of the log up to which a person has looked into alarms: nodes warn of later ones
    backup: str = ""  # directory, or s3://, gs:// or az:// with bucket and prefix; empty: the nodes make no backups
    backup_interval_s: float = 3600.0  # so much is lost at most if all servers are
    backup_keep: int = 168  # a week of them; 0: all

    event_streams_max: int = 8_000  # at this node; the other connections are for visits
    history_counters_max: int = 1_000  # whose past is kept; each takes 0.3 MB in a year if it grows all the time

    tokens_file: str = ""  # TOML: who may do what; empty, and no text either: anyone who reaches the node, all
    tokens: str = ""  # the text of such a file
    public_reads: bool = False  # counters and milestones may be read without a token
    public_writes: tuple[
        str, ...
    ] = ()  # counters, with those below, that may be visited without one: browsers keep none
    cors_origins: tuple[str, ...] = ()  # whose pages may read answers in a browser: https://shop.example, or * for all
    define_on_visit: bool = True  # a visit to an unknown counter defines it
    counters_max: int = COUNTERS_MAX  # this node defines none beyond
    visitor_from_address: bool = False  # a visit that names no visitor is by the client's address
    hash_visitors: bool = True  # such a visitor is stored as a keyed hash: addresses are personal data
    trusted_proxies: tuple[str, ...] = ()  # addresses and networks whose X-Forwarded-For is believed
    rate_per_address: float = 0.0  # visits a second; 0: no limit. A raffle should have one
    rate_per_token: float = 0.0  # the same for tokens that have no rate of their own
    rate_burst_s: float = 10.0  # so many seconds' worth may come at once
    connections_max: int = 10_000  # over HTTP; each takes a descriptor, and some 20 KB at most while it is idle
    connections_per_address_max: int = 0  # 0: no limit
    request_timeout_s: float = 30.0  # for a request to come, and for what is written to be read

    advertise_url: str = ""  # where people reach this node; empty: the host's name, or its loopback address
    otlp_endpoint: str = ""  # URL of a collector of traces; empty: as OpenTelemetry's own variables say
    log_format: LogFormat = LogFormat.TEXT  # of the lines on stderr: for people, or for machines
    log_level: str = "info"  # nothing below it is written there

    @property
    def store_room(self) -> int:
        """``store_bytes_max``, or what leaves room for cuts: the embedded engine takes four times ``log_bytes_max``."""
        return self.store_bytes_max or 2 * self.log_bytes_max

    def __post_init__(self) -> None:
        if not 1 <= self.partitions <= PARTITIONS_MAX:
            raise ConfigError(f"partitions is {self.partitions}; it must be from 1 to {PARTITIONS_MAX}")
        if not 0 <= self.http_port <= 65535:
            raise ConfigError(f"the HTTP port is {self.http_port}; it must be from 0 to 65535")
        for cert, key in (("tls_cert", "tls_key"), ("nats_cert", "nats_key")):
            if bool(getattr(self, cert)) != bool(getattr(self, key)):
                raise ConfigError(f"{cert} and {key} are a certificate and its key: give both, or none")
        if self.nats_creds and self.nats_nkey:
            raise ConfigError("nats_creds and nats_nkey both say who we are to the servers: give one of them")
        if not self.nats and (self.nats_ca or self.nats_cert or self.nats_creds or self.nats_nkey):
            raise ConfigError("nats_ca, nats_cert, nats_creds and nats_nkey are for servers that are named by --nats")
        if self.replicas not in (0, 1, 3, 5):
            raise ConfigError(f"replicas is {self.replicas}; it must be 1, 3 or 5")
        for name in (
            "cut_interval_s",
            "beat_interval_s",
            "silence_max_s",
            "lag_max_s",
            "broadcast_interval_s",
            "anti_entropy_interval_s",
            "gather_interval_s",
        ):
            value = getattr(self, name)
            if not 0.01 <= value <= 3600:
                raise ConfigError(f"{name} is {value}; it must be from 0.01 to 3600 seconds")
        if self.log_bytes_max < 1 << 20:
            raise ConfigError(f"log_bytes_max is {self.log_bytes_max}; it must be at least {1 << 20}")
        if self.spool_bytes_max < 0:
            raise ConfigError(f"spool_bytes_max is {self.spool_bytes_max}; it must be 0 or more")
        if not 1.0 <= self.spool_age_max_s <= SPOOL_AGE_MAX_S:
            raise ConfigError(
                f"spool_age_max_s is {self.spool_age_max_s}; it must be from 1 to {SPOOL_AGE_MAX_S:g} seconds"
            )
        if not 0.0 <= self.closing_share <= 1.0:
            raise ConfigError(f"closing_share is {self.closing_share}; it must be from 0 to 1")
        if not 0.0 <= self.closing_soon_s <= 86_400:
            raise ConfigError(f"closing_soon_s is {self.closing_soon_s}; it must be from 0 to 86400 seconds")
        if self.webhook and self.webhook.split("://")[0] not in ("http", "https"):
            raise ConfigError(f"{self.webhook!r} is not the URL of a webhook; write http(s)://host/path")
        if self.proof_bytes_max < 0:
            raise ConfigError(f"proof_bytes_max is {self.proof_bytes_max}; it must be 0 or more")
        if self.store_bytes_max < 0:
            raise ConfigError(f"store_bytes_max is {self.store_bytes_max}; it must be 0 or more")
        if self.alarms_seen < 0:
            raise ConfigError(
                f"alarms_seen is {self.alarms_seen}; it must be the sequence of a message of the log, or 0"
            )
        if not 1.0 <= self.backup_interval_s <= 30 * 86_400:
            raise ConfigError(f"backup_interval_s is {self.backup_interval_s}; it must be from 1 second to 30 days")
        if self.backup_keep < 0:
            raise ConfigError(f"backup_keep is {self.backup_keep}; it must be 0, which keeps all, or more")
        if self.advertise_url and not self.advertise_url.startswith(("http://", "https://")):
            raise ConfigError(f"advertise_url is {self.advertise_url!r}; write something like http://node1:8080")
        if self.otlp_endpoint and not self.otlp_endpoint.startswith(("http://", "https://")):
            raise ConfigError(f"otlp_endpoint is {self.otlp_endpoint!r}; write something like http://127.0.0.1:4318")
        if self.log_level not in LOG_LEVELS:
            raise ConfigError(
                f"log_level is {self.log_level!r}; it must be {', '.join(LOG_LEVELS[:-1])} or {LOG_LEVELS[-1]}"
            )
        if not 0 <= self.event_streams_max <= 1_000_000:
            raise ConfigError(f"event_streams_max is {self.event_streams_max}; it must be from 0 to 1000000")
        if not 0 <= self.history_counters_max <= 10_000:
            raise ConfigError(
                f"history_counters_max is {self.history_counters_max}; it must be from 0, which keeps nothing, to 10000"
            )
        self._check_access()
        for url in self.nats:
            if "://" not in url or url.split("://")[0] not in ("nats", "tls"):
                raise ConfigError(f"{url!r} is not a NATS URL; write nats://host:port")

    def _check_access(self) -> None:
        if self.tokens_file and self.tokens:
            raise ConfigError("there are tokens and a file of tokens; give one of them")
        if not (self.tokens_file or self.tokens or is_loopback(self.http_host)):
            raise ConfigError(
                f"{self.http_host} could be reached by anyone, and there are no tokens: name a file of them with "
                "--tokens-file, or listen at 127.0.0.1"
            )
        self._check_public()
        for network in self.trusted_proxies:
            try:
                ip_network(network)
            except ValueError:
                raise ConfigError(
                    f"{network!r} in trusted_proxies is no address and no network; write 10.0.0.1 or 10.0.0.0/8"
                ) from None
        for name in ("rate_per_address", "rate_per_token"):
            value = getattr(self, name)
            if not (value == 0 or 0.001 <= value <= 1e9):
                raise ConfigError(f"{name} is {value}; it must be 0, which is no limit, or from 0.001 to 1000000000")
        if not 0.1 <= self.rate_burst_s <= 3600:
            raise ConfigError(f"rate_burst_s is {self.rate_burst_s}; it must be from 0.1 to 3600 seconds")
        if not 1 <= self.counters_max <= COUNTERS_MAX:
            raise ConfigError(f"counters_max is {self.counters_max}; it must be from 1 to {COUNTERS_MAX}")
        if not 1 <= self.connections_max <= 1_000_000:
            raise ConfigError(f"connections_max is {self.connections_max}; it must be from 1 to 1000000")
        if self.connections_per_address_max < 0:
            raise ConfigError(
                f"connections_per_address_max is {self.connections_per_address_max}; it must be 0, which is no limit, "
                "or more"
            )
        if not 0.1 <= self.request_timeout_s <= 3600:
            raise ConfigError(f"request_timeout_s is {self.request_timeout_s}; it must be from 0.1 to 3600 seconds")

    def _check_public(self) -> None:
        for name in ("public_writes", "cors_origins"):
            if len(getattr(self, name)) > NAMES_MAX:
                raise ConfigError(f"{name} has {len(getattr(self, name))} entries; {NAMES_MAX} is the most")
        if self.public_writes and (self.tokens_file or self.tokens) and not self.rate_per_address:
            raise ConfigError(
                "public_writes lets anyone visit, as often as he likes: set rate_per_address, to the visits a second "
                "that one address may send"
            )
        for origin in self.cors_origins:
            if origin != "*" and not _ORIGIN.match(origin):
                raise ConfigError(
                    f"{origin[:100]!r} in cors_origins is no origin; write https://shop.example, in lower case and "
                    "without a path, or * for all"
                )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
