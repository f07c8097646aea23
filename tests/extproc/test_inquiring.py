from __future__ import annotations

import asyncio

from extproc.inquiring import Inquirer
from extproc.policies.inquiry import Asked, Remote
from extproc.policies.remote.webhook import WebhookCodec
from extproc.policies.remote.words import FINE, About, Opinion, Question, Said, Stamp, Unknown
from extproc.ports import Posted, Returned
from gateway.guards import Phase, TextScope, Webhook

QUESTION = Question(About("own", Phase.REQUEST), (Said(TextScope.USER, "hello"),))


def asked(*, seconds: float) -> Asked:
    remote = Remote("own", "guard/own", WebhookCodec(Webhook("/")), seconds, False, False, "")
    return Asked(remote, QUESTION)


class Slow:
    """Answers when it may."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()

    async def post(self, service: str, posted: Posted, timeout_seconds: float) -> Returned:
        await self.may_answer.wait()
        return Returned(200, b'{"verdict": "pass"}')


def test_who_is_too_late_has_no_opinion() -> None:
    async def run() -> list[Opinion]:
        return await Inquirer(Slow(), lambda: Stamp("1", 1)).opinions([asked(seconds=0.01)])

    (opinion,) = asyncio.run(run())
    assert opinion == Unknown("no answer within 0.01 s")


def test_who_is_late_delays_nobody_elses_opinion() -> None:
    async def run() -> list[Opinion]:
        slow = Slow()
        inquirer = Inquirer(slow, lambda: Stamp("1", 1))
        late = asyncio.ensure_future(inquirer.opinions([asked(seconds=0.01), asked(seconds=30)]))
        await asyncio.wait([late], timeout=0.05)
        slow.may_answer.set()
        return await late

    first, second = asyncio.run(run())
    assert isinstance(first, Unknown)
    assert second is FINE


def test_where_there_is_no_way_out_nobody_has_an_opinion() -> None:
    (opinion,) = asyncio.run(Inquirer.of_nobody().opinions([asked(seconds=1)]))
    assert opinion == Unknown("there is no way to guard/own")
