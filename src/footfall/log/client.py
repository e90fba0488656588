"""The NATS client, with what a log's connection needs beside it; knows nothing of what goes over it."""

from nats.aio.client import Client
from nats.errors import Error

from footfall.log.access import API, Access, identity

DENIED = "permissions violation"  # as the server says it


class LogClient(Client):
    """A client that never speaks in clear to a server that was named tls://, and finds JetStream's API where it is.

    Attributes:
        denied: What the server said when it last refused something to this user; empty if it never did.
    """

    def __init__(self, access: Access) -> None:
        """
        Raises:
            ConfigError: The key that the access names cannot be used.
        """
        super().__init__()
        self.denied = ""
        self._api = access.api
        known = identity(access)
        self.signature = known and known.sign
        self.jwt = (lambda: known.jwt) if known and known.jwt else None
        self._public = known.public if known else None

    async def publish(
        self, subject: str, payload: bytes = b"", reply: str = "", headers: dict[str, str] | None = None
    ) -> None:
        """As the client's; a request to JetStream's API goes to where that is."""
        if self._api != API and subject.startswith(API + "."):
            subject = self._api + subject.removeprefix(API)
        await super().publish(subject, payload, reply, headers)

    def heard(self, failure: str) -> bool:
        """Take note of what the server, or the client, complains of; whether it is a refusal that is new."""
        if not failure.lower().removeprefix("nats: ").startswith(DENIED) or failure == self.denied:
            return False
        self.denied = failure
        return True

    def _connect_command(self) -> bytes:
        """Refuse to send a credential in clear.

        The client encrypts if the server's first line, which is not encrypted, says so: whoever stands between could
        take that word away, and would be sent the password.
        """
        assert self._current_server is not None
        self._public_nkey = self._public
        if self._current_server.uri.scheme == "tls" and not self._server_info.get("tls_required"):
            raise Error("the server does not speak TLS, and it was named tls://")
        command: bytes = super()._connect_command()
        return command
