"""The invariants, checked while a history runs and at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from footfall.core import control, cut, cut_writer
from footfall.core.definitions import Definitions
from footfall.core.partition import Partition
from footfall.core.position import at
from footfall.errors import CheckpointError
from footfall.log.protocol import CONTROL_SUBJECT

from . import keeping
from .log import subject_of

if TYPE_CHECKING:
    from .node import Node
    from .world import World


class Checks:
    """Remembers what each node has shown."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._shown: dict[tuple[str, int, str], tuple[int, ...]] = {}

    def node(self, node: Node) -> None:
        """Invariants 1 and 2, of what a node shows now."""
        if not node.ready:
            return
        world = self._world
        run = node.run if world.rewound else 0  # a log that lost its tail ends what held before
        for number, name in enumerate(node.definitions.names):
            entries = node.table.vector(number).entries
            assert node.table.value(number) == sum(entries), f"{node.name} shows another total of {name}"
            before = self._shown.get((node.name, run, name))
            if entries != before:
                assert before is None or all(map(int.__le__, before, entries)), (
                    f"{node.name}: {name} fell from {before} to {entries}"
                )
                truth = world.oracle.truth.vectors[name]
                assert world.rewound or all(map(int.__le__, entries, truth)), (
                    f"{node.name}: {name} is {entries}, and the log holds {truth}"
                )
                self._shown[node.name, run, name] = entries
        assert world.rewound or not node.alarms, node.alarms
        assert world.rewound or not world.oracle.truth.winners.wrong, world.oracle.truth.winners.wrong

    def refusal(self, node: Node) -> None:
        """Invariant 7: a node that has just started refuses a log that lost what it or the newest cut knows."""
        log = self._world.log
        held = {at(log.created, message) for message in log.messages}
        known = [node.kept] if node.kept is not None else []
        for epoch in cut.complete(self._world.store.keys("cut"), self._world.partitions)[:1]:
            keys = [
                cut.manifest_key(epoch, part) for part in (cut.DEFINITIONS, *map(str, range(self._world.partitions)))
            ]
            positions = {cut.read_manifest(self._world.store.blobs[key]).position for key in keys}
            if len(positions) > 1:
                return  # half of it is of the tail that vanished: it is no cut, and another one decides
            known += positions
        lost = [position for position in known if position.sequence >= log.first and position not in held]
        assert bool(lost) == (node.failure is not None), f"{node.name} of {lost} says {node.failure!r}"

    def converged(self) -> bool:
        """Whether all nodes answer, and show what the log holds."""
        truth = self._world.oracle.truth
        return all(
            node.ready
            and dict.fromkeys(truth.units) == dict.fromkeys(node.definitions.names)
            and all(node.table.value(n) == sum(truth.vectors[name]) for n, name in enumerate(node.definitions.names))
            for node in self._world.serving()
        )

    def end(self) -> None:
        """Invariants 1, 3, 4, 5 and 6, when traffic and faults have stopped."""
        world = self._world
        truth = world.oracle.truth
        serving = world.serving()
        for node in serving:
            self.node(node)
            for number, name in enumerate(node.definitions.names):
                entries = list(node.table.vector(number).entries)
                assert entries == truth.vectors[name], f"{node.name}: {name} is {entries}, not {truth.vectors[name]}"
        assert len({tuple(node.table.bucket_digests()) for node in serving}) <= 1, "equal tables have equal digests"
        if serving:
            owned = [number for node in serving for number in node.owned()]
            assert sorted(owned) == list(range(world.partitions)), f"partitions {sorted(owned)} are owned"
        if not world.rewound:
            assert len(serving) == len(world.nodes)
            for source, written in world.clients.written.items():
                assert world.oracle.truth.sources[source] == written
                world.oracle.ingested(source, 0, [world.clients.line(source, at) for at in range(written)], whole=True)
            world.oracle.check_bounds()
            world.oracle.check_winners()
            world.oracle.check_order()
            world.oracle.exact.check()
            self._milestones()
            self._folds()

    def _milestones(self) -> None:
        """Invariant 6: all nodes know all milestones, and the winners that the log has."""
        truth = self._world.oracle.truth.winners
        for node in self._world.serving():
            told = {(one.counter, one.n): one for one in node.definitions.milestones}
            assert told.keys() == truth.standings.keys(), f"{node.name} knows the milestones {sorted(told)}"
            for key, known in truth.standings.items():
                assert told[key].since == known.since
                assert told[key].open == (known.winner is None)
                assert told[key].claim == known.claim

    def _folds(self) -> None:
        """Invariant 3: what nodes and cuts hold is what one fold from the beginning gives, byte for byte."""
        world = self._world
        definitions = Definitions()
        expected: dict[tuple[int, int], bytes] = {}
        partitions = [Partition(number, world.partitions) for number in range(world.partitions)]
        folds = {subject_of(number): partition for number, partition in enumerate(partitions)}
        for message in world.log.archive:
            if message.subject != CONTROL_SUBJECT:
                folds[message.subject].fold(message.sequence, message.data, definitions)
                continue
            decoded = control.decode(message.data)
            definitions.fold(message.sequence, decoded)
            ticked = {partition.fold_control(message.sequence, decoded, definitions) for partition in partitions}
            if True in ticked:
                for partition in partitions:
                    expected[partition.number, message.sequence] = cut_writer.state_bytes(partition)
        for number, partition in enumerate(partitions):
            expected[number, partition.sequence] = cut_writer.state_bytes(partition)
            for source, position in partition.sources.items():
                assert position == world.oracle.truth.sources[source]
        for node in world.serving():
            for number, folding in node.foldings.items():
                at = number, folding.partition.sequence
                assert cut_writer.state_bytes(folding.partition) == expected[at], (
                    f"{node.name} folded {at} to another state"
                )
        self._cuts(expected)

    def _cuts(self, expected: dict[tuple[int, int], bytes]) -> None:
        world = self._world
        for found in keeping.find(world.log, world.store, world.partitions):
            try:
                states = [keeping.partition_of_cut(world.store, found, n) for n in range(world.partitions)]
            except CheckpointError as error:
                raise AssertionError(f"cut {found.epoch} is complete, and cannot be read: {error}") from None
            for state in states:
                at = state.number, found.position.sequence
                assert cut_writer.state_bytes(state) == expected[at], f"cut {found.epoch} holds another state of {at}"
