"""Backups in an object store, through the library obstore: Amazon S3 and what speaks like it, Google's, and Azure's.

Credentials, region and endpoint come from the environment, as the stores' own tools have it (AWS_*, GOOGLE_*, AZURE_*).
"""

import contextlib
from collections.abc import Iterator
from datetime import timedelta

from footfall.errors import BackupFailedError, ConfigError
from footfall.node.backup_format import parse_name
from footfall.node.backup_places import removal_order

RETRIES_MAX = 5
RETRY_MAX = timedelta(seconds=120)


class ObjectStore:
    """Backups below a prefix of a bucket; implements ``Place``."""

    def __init__(self, url: str) -> None:
        """
        Args:
            url: ``s3://bucket/prefix``, ``gs://`` or ``az://``.

        Raises:
            ConfigError: obstore is not installed, or the store's settings do not suffice.
        """
        try:
            import obstore
            from obstore.exceptions import BaseError
            from obstore.store import from_url
        except ImportError:
            raise ConfigError(
                f"backups to {url} need the library obstore: pip install 'footfall[objectstore]'"
            ) from None
        self._obstore = obstore
        self._errors = (BaseError, OSError, ValueError)
        self._url = url
        try:
            self._store = from_url(
                url,
                retry_config={"max_retries": RETRIES_MAX, "retry_timeout": RETRY_MAX},
            )
        except self._errors as error:
            raise ConfigError(f"{url} cannot keep backups: {_first_line(error)}") from None

    def __str__(self) -> str:
        return self._url

    def contents(self) -> dict[str, set[str]]:
        """See ``Place.contents``."""
        found: dict[str, set[str]] = {}
        with self._said("listed"):
            for page in self._obstore.list(self._store):
                for one in page:
                    backup, _, name = one["path"].partition("/")
                    if parse_name(backup) and name and "/" not in name:
                        found.setdefault(backup, set()).add(name)
        return found

    def read(self, backup: str, name: str) -> bytes | None:
        """See ``Place.read``."""
        with self._said("read"):
            try:
                return bytes(self._obstore.get(self._store, f"{backup}/{name}").bytes())
            except FileNotFoundError:
                return None

    def write(self, backup: str, name: str, data: bytes) -> None:
        """See ``Place.write``."""
        with self._said("written"):
            self._obstore.put(self._store, f"{backup}/{name}", data)

    def remove(self, backup: str) -> None:
        """See ``Place.remove``."""
        with self._said("removed"):
            for name in removal_order(self.contents().get(backup, set())):
                self._obstore.delete(self._store, f"{backup}/{name}")

    @contextlib.contextmanager
    def _said(self, what: str) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise BackupFailedError(f"backups in {self._url} cannot be {what}: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    """What a store says, without the pages that it says it on."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:500]
