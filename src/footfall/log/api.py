"""JetStream's API: JSON requests and answers, of streams and of the messages they hold."""

import base64
import json
from datetime import datetime
from typing import Any

from footfall.errors import LogRewoundError, LogUnavailableError
from footfall.log.protocol import Message
from footfall.log.replies import Replies

TIMEOUT_S = 5.0
AGAIN_S = 1.0  # a question without a reply is asked again
MESSAGE_NOT_FOUND = 10037
STREAM_NOT_FOUND = 10059
NO_QUORUM = 10008


class Api:
    """Asks JetStream over one connection.

    Attributes:
        required: A stream that was there: it must not be gone.
    """

    def __init__(self, replies: Replies) -> None:
        self.required = ""
        self._replies = replies

    async def call(self, what: str, body: dict[str, Any], again_s: float | None = None) -> dict[str, Any]:
        """The answer, which may be an error. Raises LogUnavailableError if there is none. See ``Replies.ask``."""
        try:
            answer = await self._replies.ask(f"$JS.API.{what}", json.dumps(body).encode(), TIMEOUT_S, again_s)
        except LogUnavailableError as error:
            raise LogUnavailableError(f"{what}: {error}") from None
        decoded: dict[str, Any] = json.loads(answer)
        return decoded

    async def ask(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer. Raises LogUnavailableError if it is an error."""
        answer = await self.call(what, body)
        if "error" in answer:
            raise LogUnavailableError(f"{what}: {said(answer)}")
        return answer

    async def info(self, stream: str) -> dict[str, Any]:
        """What a stream is, and what it holds; empty if it is not there."""
        return await self._of_stream("INFO", stream, {})

    async def message(self, stream: str, which: dict[str, Any]) -> Message | None:
        """A message of a stream, by its ``seq`` or as the last of a subject."""
        answer = await self._of_stream("MSG.GET", stream, which)
        if not answer:
            return None
        found = answer["message"]
        data = base64.b64decode(found.get("data", ""))
        return Message(found["seq"], found["subject"], data, unix_ns(found["time"]))

    async def _of_stream(self, what: str, stream: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer; empty if the stream is not there, or does not hold that."""
        answer = await self.call(f"STREAM.{what}.{stream}", body, AGAIN_S)
        if "error" not in answer:
            return answer
        code = answer["error"].get("err_code")
        if code == STREAM_NOT_FOUND and stream == self.required:
            raise LogRewoundError(f"stream {stream} is gone: it was removed while it was being counted; restore it")
        if code not in (MESSAGE_NOT_FOUND, STREAM_NOT_FOUND):
            raise LogUnavailableError(f"stream {stream}: {said(answer)}")
        return {}


def said(answer: dict[str, Any]) -> str:
    """What an answer that is an error says."""
    code = answer["error"].get("err_code")
    hint = "; a majority of the servers must be up, and have a leader" if code == NO_QUORUM else ""
    return f"{answer['error'].get('description')} ({code}){hint}"


def unix_ns(text: str) -> int:
    """The Unix time of an RFC 3339 time with up to nine digits of a second."""
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    whole = int(datetime.fromisoformat(seconds + "+00:00").timestamp())
    return whole * 1_000_000_000 + int(fraction.ljust(9, "0")[:9] or "0")
