"""Three machines, each a network namespace with a server and a node of its own, cut off from the others by the kernel.

The servers have the settings of docs/cluster.md as they stand there, addresses included. Needs root, iproute2 and nft,
so it is not part of `make test`, which cuts with relays; `make soak` runs it where it can.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from footfall.log.engine import find_binary
from processes import Process, documented_settings, eventually

MACHINES = (1, 2, 3)
CUT_S = 8.0  # beyond the silences of nodes, and an election of servers
SERVERS = ",".join(f"nats://10.0.0.{machine}:4222" for machine in MACHINES)
HOOKS = {"both ways": ("input", "output"), "deaf": ("input",), "mute": ("output",)}

# Pays visits to the node of its machine, each until it is acknowledged, and reads; at the end it tells what it knows.
CLIENT = """
import json, signal, sys, time, urllib.request
keys, stored, shown, fell, going = 0, {}, 0, 0, True
def stop(*_):
    global going
    going = False
signal.signal(signal.SIGTERM, stop)
def ask(path, key=None):
    headers = {"Idempotency-Key": key} if key else {}
    method = "POST" if key else "GET"
    with urllib.request.urlopen(urllib.request.Request(
        "http://127.0.0.1:8080/v1/counters/site" + path, method=method, headers=headers), timeout=5) as answer:
        return json.load(answer)
while going:
    time.sleep(0.01)
    keys += 1
    while True:
        try:
            where = ask("/visits", f"{sys.argv[1]} visit {keys} of a client")["stored"]
            value = ask("")["value"]
            break
        except OSError:
            pass
    stored[where] = stored.get(where, 0) + 1
    fell += value < shown
    shown = max(shown, value)
print(json.dumps({"keys": keys, "stored": stored, "fell": fell}))
"""


def run(*command: str) -> str:
    """What a command says; it must succeed."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Machine:
    """A namespace, with a wire to the switch.

    Attributes:
        name: The namespace's.
    """

    def __init__(self, number: int, switch: str, directory: Path) -> None:
        self.number = number
        self.name = f"ff{os.getpid()}-{number}"
        self._wire = f"w{number}"
        run("ip", "netns", "add", self.name)
        run("ip", "-n", switch, "link", "add", self._wire, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        run("ip", "-n", switch, "link", "set", self._wire, "master", "hub", "up")
        run("ip", "-n", self.name, "addr", "add", f"10.0.0.{number}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            run("ip", "-n", self.name, "link", "set", device, "up")
        settings = documented_settings()
        for documented, ours in (
            ("server_name: nats1", f"server_name: nats{number}"),
            ('listen: "10.0.0.1:4222"', f'listen: "10.0.0.{number}:4222"'),
            ('listen: "10.0.0.1:6222"', f'listen: "10.0.0.{number}:6222"'),
            ("/var/lib/nats", str(directory / f"nats{number}")),
        ):
            assert documented in settings
            settings = settings.replace(documented, ours)
        file = directory / f"nats{number}.conf"
        file.write_text(settings)
        serve = [sys.executable, "-m", "footfall.cli", "serve", "--nats", SERVERS, "--node", f"node{number}"]
        data = [
            "--data",
            str(directory / f"node{number}"),
            "--secret",
            "the secret of the machines",
            "--http",
            "127.0.0.1:8080",
        ]
        self.server = self.process(directory / f"nats{number}.log", find_binary(), "-c", str(file))
        self.node = self.process(directory / f"node{number}.log", *serve, *data)
        self.client = self.process(directory / f"client{number}.log", sys.executable, "-c", CLIENT, self.name)

    def process(self, log: Path, *command: str) -> Process:
        """A process of this machine."""
        return Process(["ip", "netns", "exec", self.name, *command], log)

    def get(self, path: str) -> dict[str, object]:
        """What its node answers."""
        try:
            command = ("curl", "-s", "-m", "5", f"http://127.0.0.1:8080{path}")
            answer: dict[str, object] = json.loads(run("ip", "netns", "exec", self.name, *command))
        except (subprocess.CalledProcessError, ValueError) as error:
            raise AssertionError(str(error)) from None
        return answer

    def ready(self) -> bool:
        """Whether its node is, and holds nothing back."""
        said = self.get("/readyz")
        return said["ready"] is True and said["warnings"] == []

    def dropped(self) -> int:
        """How many packets a cut has dropped."""
        return sum(map(int, re.findall(r"packets (\d+)", self._nft("list", "ruleset"))))

    def _nft(self, *command: str) -> str:
        return run("ip", "netns", "exec", self.name, "nft", *command)

    @contextlib.contextmanager
    def cut(self, how: str, *of: str) -> Iterator[None]:
        """No packet comes in over the wire, or goes out, or neither; or only none that nft would describe so."""
        self._nft("add", "table", "inet", "cut")
        for hook in HOOKS[how]:
            self._nft("add", "chain", "inet", "cut", hook, f"{{ type filter hook {hook} priority 0; }}")
            side = "iifname" if hook == "input" else "oifname"
            for packets in of or ("",):
                self._nft("add", "rule", "inet", "cut", hook, side, "eth0", *packets.split(), "counter", "drop")
        try:
            yield
        finally:
            dropped = self.dropped()
            self._nft("flush", "ruleset")
        assert dropped > 10, "nothing was cut off"


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[list[Machine]]:
    """Three that run, on one switch."""
    switch = f"ff{os.getpid()}-0"
    made: list[Machine] = []
    run("ip", "netns", "add", switch)
    try:
        run("ip", "-n", switch, "link", "add", "hub", "type", "bridge")
        run("ip", "-n", switch, "link", "set", "hub", "up")
        made += [Machine(number, switch, tmp_path) for number in MACHINES]
        for machine in made:
            machine.server.start()
        time.sleep(3)
        for machine in made:
            machine.node.start()
        eventually(lambda: all(machine.ready() for machine in made), 60, "three nodes")
        yield made
    finally:
        for machine in made:
            for process in (machine.client, machine.node, machine.server):
                process.stop()
            run("ip", "netns", "del", machine.name)
        run("ip", "netns", "del", switch)


def exact(machine: Machine) -> object:
    """The exact count, as its node answers it."""
    return machine.get("/v1/counters/site?consistency=linearizable").get("value")


@pytest.mark.parametrize("how", HOOKS)
def test_machines_that_are_cut_off_lose_nothing_and_count_nothing_twice(machines: list[Machine], how: str) -> None:
    run(
        "ip",
        "netns",
        "exec",
        machines[0].name,
        "curl",
        "-sf",
        "-X",
        "POST",
        "http://127.0.0.1:8080/v1/counters/site/visits",
    )
    eventually(lambda: all(machine.get("/v1/counters/site")["value"] == 1 for machine in machines), 20, "the counter")
    for machine in machines:
        machine.client.start()
    for machine in machines:
        with machine.cut(how):
            time.sleep(CUT_S)
        eventually(lambda: all(one.ready() for one in machines), 60, f"healing of {machine.name}, {how}")
    told = []
    for machine in machines:
        machine.client.stop()
        told.append(json.loads(machine.client.said()))
    paid = 1 + sum(one["keys"] for one in told)
    eventually(lambda: [exact(machine) for machine in machines] == [paid] * 3, 60, f"{paid} visits")
    assert [one["fell"] for one in told] == [0, 0, 0], "no node showed less than before"
    assert all(one["stored"].get("spool", 0) > 0 for one in told), "each was alone for a while"
    print(f"{how}: {paid} visits acknowledged and counted; stored: {[one['stored'] for one in told]}")  # noqa: T201


def test_nodes_leave_a_server_that_only_the_other_servers_cannot_reach(machines: list[Machine]) -> None:
    for machine in machines:
        machine.client.start()
    for machine in machines:  # a node is connected to one of the servers, and nobody knows which
        with machine.cut("both ways", "tcp dport 6222", "tcp sport 6222"):
            time.sleep(CUT_S)
            eventually(lambda: all(one.ready() for one in machines), 120, f"all nodes ready without {machine.name}")
        eventually(lambda: all(one.ready() for one in machines), 60, f"healing of {machine.name}")
    told = []
    for machine in machines:
        machine.client.stop()
        told.append(json.loads(machine.client.said()))
    paid = sum(one["keys"] for one in told)
    eventually(lambda: [exact(machine) for machine in machines] == [paid] * 3, 60, f"{paid} visits")
    assert [one["fell"] for one in told] == [0, 0, 0], "no node showed less than before"
