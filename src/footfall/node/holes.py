"""What a log lacks: a server passes over a record that is damaged on its disk, and says nothing."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from footfall.core.position import Position
from footfall.errors import IntegrityError, LogUnavailableError
from footfall.log.protocol import CONTROL_SUBJECT, VISITS_SUBJECT, Delivery, Log

logger = logging.getLogger(__name__)


async def holes(log: Log, begin: Position) -> AsyncGenerator[tuple[int, int], None]:
    """The sequences that are not there between a position and what the log holds now: first and last of each hole.

    Only who reads all subjects can see it. A producer's own numbers do not tell of the last message that it wrote.
    It ends with the next message that is stored.
    """
    subjects = [*(VISITS_SUBJECT.format(partition=number) for number in range(log.partitions)), CONTROL_SUBJECT]
    try:
        end, read = (await log.state()).last_sequence, begin.sequence
        async with aclosing(cast("AsyncGenerator[Delivery, None]", log.read(subjects, begin))) as deliveries:
            async for delivery in deliveries:
                for message in delivery.messages:
                    if message.sequence > read + 1:
                        yield read + 1, message.sequence - 1
                    read = message.sequence
                if read > end:
                    return
    except (LogUnavailableError, IntegrityError) as error:  # whoever folds the log meets it too, and says so
        logger.debug("the log is not examined to its end: %s", error)
