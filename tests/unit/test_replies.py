"""What becomes of questions whose asker is gone."""

import asyncio
import gc
from types import SimpleNamespace
from typing import Any, cast

from nats.aio.client import Client

from footfall.log.replies import Replies


async def test_the_loss_of_the_connection_says_nothing_to_an_asker_who_is_cancelled_just_then() -> None:
    async def publish(*_: Any, **__: Any) -> None:
        """Take the question."""

    said: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
    replies = Replies(cast("Client", SimpleNamespace(is_connected=True, publish=publish)))
    asker = asyncio.create_task(replies.ask("question", b"", timeout_s=60))
    await asyncio.sleep(0)
    replies.lost()
    asker.cancel()
    await asyncio.wait([asker])
    assert asker.cancelled()
    del asker
    gc.collect()
    assert not said
