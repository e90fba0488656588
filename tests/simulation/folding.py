"""One partition being folded by a simulated node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from footfall.core import cut, cut_writer
from footfall.core.partition import Partition
from footfall.core.position import Position
from footfall.log.protocol import CONTROL_SUBJECT

from .log import Reader, subject_of

if TYPE_CHECKING:
    from .node import Node


class Folding:
    """Its state, and from where it is read on."""

    def __init__(self, node: Node, partition: Partition, position: Position, previous: cut.Manifest | None) -> None:
        self.partition = partition
        self.reader = Reader(node.world.log, (subject_of(partition.number), CONTROL_SUBJECT), position)
        self.writer = cut_writer.Writer(previous)
        self.begins = position.sequence
        self.attached = node.table.attach(partition)
        self.caught_up_s = node.clock_s
