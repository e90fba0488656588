"""What is kept on disk is for the user alone who runs Footfall: it names visitors, and holds secrets."""

import signal
import stat
from pathlib import Path

from commands import PATIENCE_S, footfall, serve, until


def open_to_others(directory: Path) -> list[str]:
    """What others than the user may do anything with."""
    found = []
    for path in (directory, *directory.rglob("*")):
        mode = path.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            found.append(f"{path}: {stat.filemode(mode)}")
    return found


def test_data_and_backups_are_for_their_user_alone(tmp_path: Path) -> None:
    data, backups = tmp_path / "data", tmp_path / "backups"
    process, url = serve(data, "--cut-interval-s", "0.2", "--backup", str(backups), "--backup-interval-s", "1")
    try:
        footfall("hit", "shop", "--visitor", "ann", "--url", url)
        until(lambda: any(backups.rglob("*manifest*")), "a backup")
        kept = {path.name for path in data.iterdir()}
        assert {"secret", "engine.password", "engine.url", "nats.conf", "nats.log", "lock"} <= kept
        assert not open_to_others(data)
        assert not open_to_others(backups)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert not open_to_others(data)
