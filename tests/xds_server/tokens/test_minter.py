"""Tokens are there in time, renewed in time, and hold nothing up when they are not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx
import pytest

from gateway.credentials import GcpCredential, ManagedIdentity, MintedCredential
from gateway.model import Gateway
from tests.kit.gateways import gateway_of
from tests.kit.in_a_loop import in_a_loop
from xds_server.resources.secrets import token_version
from xds_server.tokens.minter import Minter, minted, pause, renewal
from xds_server.tokens.words import NoToken, Token

MACHINE = token_version(GcpCredential())
ENTRA = token_version(ManagedIdentity())
VERTEX = "v: {type: vertex, region: global, project: p}"
AZURE = "a: {type: azure-openai, resource: r, auth: {type: entra}}"


def gateway(*providers: str) -> Gateway:
    return gateway_of(f"llm: {{providers: {{{', '.join(providers)}}}}}")


class Server:
    """Gives what it is told to give, when it is told to."""

    def __init__(self) -> None:
        self.asked: list[MintedCredential] = []
        self.answers: list[Token | Exception] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.was_asked = asyncio.Event()

    async def fetch(self, credential: MintedCredential) -> Token:
        self.asked.append(credential)
        self.was_asked.set()
        await self.may_answer.wait()
        answer = self.answers.pop(0) if self.answers else Token("t", 3600.0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Scene:
    """A minter at work, and a clock of its own."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.server = Server()
        self.told: list[Mapping[str, str]] = []
        self.minter = Minter(self.server, self.told.append, lambda: self.now)

    async def __aenter__(self) -> Scene:
        self.task = asyncio.ensure_future(self.minter.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.task

    async def later(self, seconds: float, new: Gateway) -> None:
        """As if so much time had passed: whoever prepares wakes the minter."""
        self.now += seconds
        self.server.was_asked.clear()
        await self.minter.prepare(new, ())
        await asyncio.wait_for(self.server.was_asked.wait(), 5)
        await asyncio.sleep(0)


def test_equal_credentials_are_one() -> None:
    found = minted([gateway(VERTEX, VERTEX.replace("v:", "w:"), AZURE), gateway(VERTEX)])
    assert {version: names for version, (_, names) in found.items()} == {
        MACHINE: ("v", "w"),
        ENTRA: ("a",),
    }


@pytest.mark.parametrize(("lifetime", "due"), [(3600.0, 3300.0), (60.0, 48.0)])
def test_a_token_is_renewed_before_it_expires(lifetime: float, due: float) -> None:
    assert renewal(0.0, Token("t", lifetime)) == due


def test_who_refuses_is_asked_ever_more_seldom() -> None:
    assert [pause(failures) for failures in (1, 2, 3, 7, 1000)] == [1.0, 2.0, 4.0, 60.0, 60.0]


@in_a_loop
async def test_a_configuration_has_its_tokens_before_it_is_told() -> None:
    async with Scene() as scene:
        await scene.minter.prepare(gateway(VERTEX, AZURE), ())
        assert scene.told[-1] == {MACHINE: "t", ENTRA: "t"}
        assert len(scene.server.asked) == 2
        await scene.minter.prepare(gateway(VERTEX), [gateway(AZURE)])
        assert len(scene.server.asked) == 2


@in_a_loop
async def test_a_token_that_nobody_gives_holds_nothing_up() -> None:
    async with Scene() as scene:
        scene.server.may_answer.clear()
        await scene.minter.prepare(gateway(VERTEX), (), 0.01)
        assert scene.told == []
        assert [each.has_token for each in scene.minter.states()] == [False]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (NoToken("answered 400: invalid_grant"), "answered 400: invalid_grant"),
        (httpx.ConnectTimeout(""), "ConnectTimeout"),
        (KeyError("hunter2"), "cannot be asked for, by a fault of ours (KeyError)"),
    ],
)
@in_a_loop
async def test_a_refusal_is_seen_and_the_others_are_served(error: Exception, why: str) -> None:
    async with Scene() as scene:
        scene.server.answers.append(error)
        await scene.minter.prepare(gateway(VERTEX, AZURE), ())
        assert scene.told[-1] == {ENTRA: "t"}
        machine, entra = scene.minter.states()
        assert (machine.providers, machine.has_token, machine.problem) == (("v",), False, why)
        assert (entra.has_token, entra.problem) == (True, "")


@in_a_loop
async def test_a_refused_token_is_asked_for_again() -> None:
    async with Scene() as scene:
        scene.server.answers.append(NoToken("not now"))
        await scene.minter.prepare(gateway(VERTEX), ())
        assert scene.told == []
        await scene.later(1.0, gateway(VERTEX))
        assert scene.told == [{MACHINE: "t"}]
        assert scene.minter.states()[0].problem == ""


@in_a_loop
async def test_a_token_serves_until_the_next_one_is_there() -> None:
    async with Scene() as scene:
        scene.server.answers += [Token("one", 100.0), NoToken("not now"), Token("two", 100.0)]
        await scene.minter.prepare(gateway(VERTEX), ())
        await scene.later(80.0, gateway(VERTEX))
        assert scene.told == [{MACHINE: "one"}]
        [state] = scene.minter.states()
        assert (state.has_token, state.seconds_left, state.problem) == (True, 20.0, "not now")
        await scene.later(1.0, gateway(VERTEX))
        assert scene.told[-1] == {MACHINE: "two"}


@in_a_loop
async def test_what_nobody_needs_is_forgotten() -> None:
    async with Scene() as scene:
        await scene.minter.prepare(gateway(VERTEX), ())
        assert scene.minter.concerns(gateway())
        await scene.minter.prepare(gateway(), ())
        assert scene.minter.states() == ()
        assert not scene.minter.concerns(gateway())
