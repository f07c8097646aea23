"""Asks remote guards, all at once, and waits for them: the effects that policies ask for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from extproc.policies.inquiry import Asked, Inquiry
from extproc.policies.remote.words import Objection, Opinion, Stamp, Unknown, Unreadable
from extproc.ports import Answered, Posted, Returned, Services, ServiceUnavailable
from extproc.ports import Asked as Request

logger = logging.getLogger(__name__)

T = TypeVar("T")
_AT_ONCE = 8
"""Requests to one service for one question."""


class _Nobody:
    """Where there is no Envoy."""

    async def post(self, service: str, posted: Posted, timeout_seconds: float) -> Returned:
        raise ServiceUnavailable(f"there is no way to {service}")

    async def ask(self, cluster: str, asked: Request, timeout_seconds: float) -> Answered:
        raise ServiceUnavailable(f"there is no way to {cluster}")


NOBODY = _Nobody()


class Inquirer:
    """Asks, and takes silence for an answer."""

    def __init__(self, services: Services, stamp: Callable[[], Stamp]) -> None:
        """`stamp` tells each request from all others."""
        self._services = services
        self._stamp = stamp

    @classmethod
    def of_nobody(cls) -> Inquirer:
        """Nobody can be asked."""
        return cls(NOBODY, lambda: Stamp("", 0))

    async def settled(self, inquiry: Inquiry[T]) -> T:
        """What it comes to, when everybody has been asked."""
        while True:
            found = inquiry.answered(await self.opinions(inquiry.asked))
            if not isinstance(found, Inquiry):
                return found
            inquiry = found

    async def opinions(self, asked: Sequence[Asked]) -> list[Opinion]:
        """One for each, in order."""
        if len(asked) == 1:
            return [await self._opinion(asked[0])]
        return list(await asyncio.gather(*map(self._opinion, asked)))

    async def _opinion(self, asked: Asked) -> Opinion:
        remote, question = asked.remote, asked.question
        try:
            async with asyncio.timeout(remote.timeout_seconds):
                answers = await self._answers(asked)
            opinion = remote.codec.opinion(question, answers)
        except TimeoutError:
            opinion = Unknown(f"no answer within {remote.timeout_seconds:g} s")
        except (ServiceUnavailable, Unreadable) as error:
            opinion = Unknown(str(error))
        if isinstance(opinion, Unknown):
            logger.warning("the guard %s could not be asked: %s", remote.name, opinion.why)
        elif isinstance(opinion, Objection):
            logger.info("the guard %s objects: %s", remote.name, ", ".join(opinion.categories))
        return opinion

    async def _answers(self, asked: Asked) -> list[Returned]:
        remote = asked.remote
        room = asyncio.Semaphore(_AT_ONCE)

        async def answer(posted: Posted) -> Returned:
            async with room:
                return await self._services.post(remote.service, posted, remote.timeout_seconds)

        posts = [answer(each) for each in remote.codec.requests(asked.question, self._stamp)]
        if len(posts) == 1:
            return [await posts[0]]
        found = await asyncio.gather(*posts, return_exceptions=True)
        answers = [each for each in found if isinstance(each, Returned)]
        for each in found:
            if isinstance(each, BaseException):
                raise each
        return answers
