"""Where backups are kept: a directory, or an object store (see ``backup_objects``). Knows names and bytes, no more."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from footfall import durable
from footfall.errors import BackupFailedError, ConfigError
from footfall.node.backup_format import MANIFEST, parse_name

SCHEMES = ("s3", "gs", "az")


class Place(Protocol):
    """Objects by the names of a backup and of its part. Every call may take long, and raises BackupFailedError."""

    def contents(self) -> dict[str, set[str]]:
        """By backup, complete or not, the names of its objects. What is not a backup's is left out."""

    def read(self, backup: str, name: str) -> bytes | None:
        """An object's bytes, or None if it is not there."""

    def write(self, backup: str, name: str, data: bytes) -> None:
        """Store an object, durably and whole or not at all."""

    def remove(self, backup: str) -> None:
        """Remove a backup, the manifest first: what is left after a crash is no backup any more."""


def place_of(target: str) -> Place:
    """The place that a target names: a directory, or ``s3://``, ``gs://`` or ``az://`` with a bucket and a prefix.

    Raises:
        ConfigError: It is neither, or the library for it is not installed.
    """
    scheme, separator, rest = target.partition("://")
    if not separator:
        if not target.strip() or "\0" in target:
            raise ConfigError("the place of backups is empty; name a directory, or s3://, gs:// or az://BUCKET/PREFIX")
        return Directory(Path(target))
    if scheme not in SCHEMES or not rest.strip("/") or not target.isprintable() or " " in target:
        raise ConfigError(
            f"{target!r} cannot keep backups: name a directory, or s3://, gs:// or az:// with BUCKET/PREFIX"
        )
    from footfall.node.backup_objects import ObjectStore

    return ObjectStore(target)


def removal_order(names: set[str]) -> list[str]:
    """A backup's objects, the manifest first."""
    return sorted(names, key=lambda name: (name != MANIFEST, name))


class Directory:
    """Backups in a directory, each in one of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def contents(self) -> dict[str, set[str]]:
        """See ``Place.contents``."""
        with self._said():
            if not self._path.exists():
                return {}
            return {
                one.name: {object_.name for object_ in one.iterdir() if object_.is_file()}
                for one in self._path.iterdir()
                if parse_name(one.name) and one.is_dir() and not one.is_symlink()
            }

    def read(self, backup: str, name: str) -> bytes | None:
        """See ``Place.read``."""
        with self._said():
            try:
                return (self._path / backup / name).read_bytes()
            except FileNotFoundError:
                return None

    def write(self, backup: str, name: str, data: bytes) -> None:
        """See ``Place.write``."""
        with self._said():
            directory = self._path / backup
            if not directory.exists():
                directory.mkdir(parents=True)
                durable.sync_directory(self._path)
            handle, unfinished = tempfile.mkstemp(dir=directory, prefix=".")
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(unfinished).replace(directory / name)
            durable.sync_directory(directory)

    def remove(self, backup: str) -> None:
        """See ``Place.remove``."""
        with self._said():
            directory = self._path / backup
            with contextlib.suppress(FileNotFoundError):  # another node may be removing it too
                for name in removal_order({one.name for one in directory.iterdir()}):
                    (directory / name).unlink(missing_ok=True)
                directory.rmdir()

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BackupFailedError(f"the backups in {self} cannot be used: {error}") from None
