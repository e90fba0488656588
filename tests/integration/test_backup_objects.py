"""Backups in an object store: a real server that speaks S3, over HTTP."""

import contextlib
import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import footfall
from moto.server import ThreadedMotoServer

from footfall.errors import BackupFailedError, ConfigError
from footfall.node.backup_catalogue import complete_names
from footfall.node.backup_format import MANIFEST, PART_BYTES_MAX
from footfall.node.backup_places import Place, place_of
from processes import HTTP, NodeProcess, eventually, free_ports

NAME = "20260304T050607Z-42-20260101T000000123456789Z-0badcafe"
OTHER = "20260304T050607Z-43-20260101T000000123456789Z-0badcafe"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of the server."""
    with contextlib.redirect_stdout(io.StringIO()):
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=free_ports(1)[0], verbose=False)
        server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket, and the settings for it in the environment."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server,
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    HTTP.post(f"{server}/moto-api/reset").raise_for_status()
    HTTP.put(f"{server}/backups").raise_for_status()
    return "s3://backups/of/footfall"


@pytest.fixture(params=["directory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each kind of place."""
    return place_of(str(tmp_path / "a" / "b") if request.param == "directory" else request.getfixturevalue("bucket"))


def test_a_place_gives_back_what_was_written(place: Place) -> None:
    assert place.contents() == {}
    large = bytes(range(256)) * (PART_BYTES_MAX // 256)
    for name, data in {"part-00000": large, "part-00001": b"", MANIFEST: b"x"}.items():
        place.write(NAME, name, data)
        assert place.read(NAME, name) == data
    place.write(OTHER, "part-00000", b"y")
    assert place.contents() == {NAME: {"part-00000", "part-00001", MANIFEST}, OTHER: {"part-00000"}}
    assert complete_names(place.contents()) == [NAME]
    assert place.read(NAME, "part-00002") is None
    assert place.read(OTHER, MANIFEST) is None


def test_a_removed_backup_is_gone_and_others_stay(place: Place) -> None:
    for name in (NAME, OTHER):
        place.write(name, "part-00000", b"x")
        place.write(name, MANIFEST, b"x")
    place.remove(NAME)
    place.remove(NAME)  # another node may have done it
    assert place.contents() == {OTHER: {"part-00000", MANIFEST}}


def test_what_is_not_a_backup_is_left_alone(bucket: str, server: str, tmp_path: Path) -> None:
    for key in ("of/footfall/notes.txt", "of/footfall/logs/today", f"of/footfall/{NAME}/deep/x", f"elsewhere/{NAME}/x"):
        HTTP.put(f"{server}/backups/{key}", content=b"x").raise_for_status()
    assert place_of(bucket).contents() == {}
    (tmp_path / "file").write_text("x")
    (tmp_path / "directory").mkdir()
    (tmp_path / NAME).symlink_to(tmp_path / "directory")
    assert place_of(str(tmp_path)).contents() == {}


def test_a_bucket_that_is_not_there_is_told_in_one_line(bucket: str) -> None:
    with pytest.raises(BackupFailedError, match=r"backups in s3://none/x cannot be listed: .*404") as failed:
        place_of("s3://none/x").contents()
    assert "\n" not in str(failed.value)
    with pytest.raises(BackupFailedError, match="cannot be written"):
        place_of("s3://none/x").write(NAME, MANIFEST, b"x")


def test_a_store_that_is_away_fails_within_its_retries(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(BackupFailedError, match="cannot be listed"):
            place_of(bucket).contents()


def test_a_store_without_its_settings_is_refused() -> None:
    with pytest.raises(ConfigError, match="az://container/x cannot keep backups"):
        place_of("az://container/x")


def test_a_log_is_backed_up_to_s3_and_restored_from_there(tmp_path: Path, bucket: str) -> None:
    data, again = tmp_path / "data", tmp_path / "again"
    with NodeProcess(data, "--cut-interval-s", "0.3", "--backup", bucket, "--backup-interval-s", "3600") as node:
        HTTP.post(f"{node.url}/v1/counters/shop/visits", json={"count": 41}).raise_for_status()
        epoch = node.metric("footfall_epoch")
        eventually(lambda: node.metric("footfall_cut_epoch") > epoch + 1, what="a cut")
        eventually(lambda: node.metric("footfall_backups_total") == 1, what="the node's own backup")
        for _ in range(3):
            made = json.loads(footfall("backup", bucket, "--data", str(data), "--keep", "2", "--json").stdout)
        node.kill()
    listed = json.loads(footfall("backups", bucket, "--verify", "--json").stdout)
    assert [one["state"] for one in listed] == ["verified", "verified"]
    assert made["name"] in {one["name"] for one in listed}
    footfall("restore", bucket, "--backup", made["name"], "--data", str(again))
    with NodeProcess(again) as node:
        assert node.value("shop") == 41


def test_a_byte_that_was_changed_in_the_bucket_is_noticed(tmp_path: Path, bucket: str) -> None:
    data = tmp_path / "data"
    with NodeProcess(data, "--cut-interval-s", "0.3") as node:
        made = json.loads(footfall("backup", bucket, "--data", str(data), "--json").stdout)
        node.kill()
    place = place_of(bucket)
    part = bytearray(place.read(made["name"], "part-00000") or b"")
    part[100] ^= 1
    place.write(made["name"], "part-00000", bytes(part))
    done = footfall("restore", bucket, "--data", str(tmp_path / "again"), code=1)
    assert f"backup {made['name']} is damaged: part-00000 was changed; there is none before it" in done.stderr
    listed = json.loads(footfall("backups", bucket, "--verify", "--json", code=1).stdout)
    assert [one["state"] for one in listed] == ["damaged"]
