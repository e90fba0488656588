"""Every command that prints a result prints it in JSON, too: one value, with keys that stay as they are."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from footfall import cli
from footfall.cli.app import app
from footfall.node.readings import OverviewReading
from processes import NodeProcess, eventually

MILESTONE = {"counter", "n", "state", "value", "winner"}
READING = {"counter", "value", "unit", "pending", "phase", "consistency", "sequence", "staleness_ms"}
FOR_PEOPLE = {"serve", "demo"}  # one runs on until it is stopped, the other is a show

# What is typed, where {} are places, and the keys of what is printed; of a list, those of its first item.
COMMANDS: tuple[tuple[str, set[str]], ...] = (
    ("--version", {"footfall", "python", "nats_server"}),
    ("define people --unit visitors", {"counter", "unit", "made"}),
    ("milestone add shop 2", MILESTONE),
    ("hit shop.books --visitor ann", {"counter", "accepted", "stored", "receipt"}),
    ("hit shop.books --visitor bob --key 8JcZyYQm2VtR4sWk1nHx0a", {"counter", "accepted", "stored", "receipt"}),
    ("milestone show shop 2 --wait --timeout 30", MILESTONE),
    ("milestone list shop", MILESTONE),
    ("milestone claim shop 2 8JcZyYQm2VtR4sWk1nHx0a", MILESTONE),
    ("read shop", READING),
    ("read shop --exact", READING),
    ("counters shop", READING),
    ("import old 7 --note before", {"counter", "source", "value", "note"}),
    ("ingest {visitors} --counter web --format lines", {
        "bad", "bad_lines", "blank", "complete", "counter", "counters", "error", "file",
        "filtered", "format", "from", "lines", "seconds", "source", "to", "unterminated", "visits",
    }),
    ("nodes", {"id", "url", "topology", "partitions", "sequence", "lag_ms", "heard_ms_ago", "self"}),
    ("top", {*OverviewReading.__struct_fields__, "roots"}),
    ("audit shop 2 --data {data}", {
        "agrees", "comparisons", "counter", "n", "problems", "seconds", "starts", "unchecked",
        "winner",
    }),
    ("doctor --data {data}", {"level", "findings"}),
    ("backup {backups} --data {data}", {
        "bytes", "counters", "log", "made", "milestones", "name", "proofs", "removed", "seconds",
        "sequence", "target", "unproven", "visitors", "visits",
    }),
    ("backups {backups}", {
        "bytes", "counters", "log", "made", "milestones", "name", "proofs", "sequence", "state",
        "visitors", "visits", "why",
    }),
    ("restore {backups} --data {restored}", {
        "backup", "counters", "log", "made", "milestones", "partitions", "proofs", "seconds",
        "sequence", "visitors", "visits", "was",
    }),
)  # fmt: skip


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    directory = tmp_path_factory.mktemp("json")
    (directory / "visitors").write_text("ann\nbob\n")
    found = {name: str(directory / name) for name in ("data", "visitors", "backups", "restored")}
    with NodeProcess(Path(found["data"]), "--cut-interval-s", "0.5") as node:
        eventually(lambda: node.metric("footfall_cut_epoch") > 0, what="the first cut")
        yield found | {"url": node.url}


def keys_of(value: Any) -> set[str]:
    """The keys of an object, or of the first one in a list."""
    return set((value[0] if isinstance(value, list) else value).keys())


def test_json_is_one_value_with_the_same_keys_as_ever(
    places: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOOTFALL_URL", places["url"])
    for typed, keys in COMMANDS:
        arguments = [one.format(**places) for one in typed.split()]
        assert cli.run([*arguments, "--json"]) == 0, (typed, capsys.readouterr().err)
        printed = capsys.readouterr().out
        assert printed.count("\n") == 1, typed
        assert keys_of(json.loads(printed)) == keys, typed


def test_no_command_that_prints_is_left_out() -> None:
    tried = {typed.split()[0] for typed, _ in COMMANDS} | {" ".join(typed.split()[:2]) for typed, _ in COMMANDS}
    names = {name for name in app if not name.startswith("-")} - FOR_PEOPLE - {"milestone"}
    names |= {f"milestone {name}" for name in app["milestone"] if not name.startswith("-")}
    assert names <= tried
