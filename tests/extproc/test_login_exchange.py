"""One request of somebody who logs in, or of an issuer: it is answered, and told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode

from extproc.events import CONTINUE, Action, Event, RequestBody, RequestHeaders, Respond
from extproc.logging_in.serving import login_desk
from extproc.login_exchange import LoginExchange
from extproc.program import NOTHING_SERVED, Program, build
from gateway.identity import Identity
from tests.gateway.config.loading import meant
from tests.kit.login_peers import STAFF, LoginWorld, cookie_of, login_world
from tests.kit.memory_ledger import MemoryLedger

NOW = datetime(2026, 3, 4, tzinfo=UTC)


def program(world: LoginWorld | None) -> Program:
    identity = Identity(logins=() if world is None else (STAFF,))
    gateway = replace(meant("llm: {}"), identity=identity)
    return build(
        gateway,
        "1",
        ledger=MemoryLedger(),
        choose=lambda: 0.0,
        created=1,
        serve=NOTHING_SERVED
        if world is None
        else NOTHING_SERVED._replace(
            logins=lambda of: login_desk(of, "secret", world.store, world, world.store.clock)
        ),
    )


def asked(of: Program, *events: Event) -> tuple[Action, bool]:
    """The last answer, and whether the request is over."""

    async def run() -> tuple[Action, bool]:
        exchange = LoginExchange(of, NOW)
        last: Action = CONTINUE
        for event in events:
            found = exchange.on_event(event)
            last = await found if isinstance(found, Awaitable) else found
        assert not exchange.let_go()
        exchange.on_close()
        return last, exchange.is_over

    return asyncio.run(run())


def headers(method: str, path: str, *, is_end: bool = True, **more: str) -> RequestHeaders:
    told = {name.replace("_", "-"): value for name, value in more.items()}
    return RequestHeaders({":method": method, ":path": path, **told}, is_end=is_end)


def test_a_browser_that_comes_back_is_sent_to_its_page() -> None:
    with login_world() as world:
        of = program(world)
        assert of.login_desk is not None
        location, kept = of.login_desk.sessions.begin("staff", "https://app.example.com", "/page")
        back = headers("GET", world.authorized(location), cookie="=".join(cookie_of(kept)))
        answer, is_over = asked(of, back)
        assert isinstance(answer, Respond)
        assert (answer.status, is_over) == (302, True)
        assert dict(answer.headers)["location"] == "https://app.example.com/page"


def test_an_issuer_posts_who_has_gone() -> None:
    with login_world() as world:
        body = urlencode({"logout_token": world.idp.logout_token(sid="s")}).encode()
        kind = "application/x-www-form-urlencoded"
        head = headers("POST", "/gone", is_end=False, content_type=kind)
        assert asked(program(world), head) == (CONTINUE, False)
        answer, is_over = asked(program(world), head, RequestBody(body))
        assert isinstance(answer, Respond)
        assert (answer.status, is_over) == (200, True)


def test_a_refusal_is_answered_in_json() -> None:
    with login_world() as world:
        answer, is_over = asked(program(world), headers("GET", "/in?state=x"))
        assert isinstance(answer, Respond)
        assert (answer.status, is_over) == (401, True)
        assert b'"code":"login_failed"' in answer.body.replace(b" ", b"")


def test_a_program_that_knows_of_no_login_is_not_ready() -> None:
    answer, is_over = asked(program(None), headers("GET", "/in"))
    assert isinstance(answer, Respond)
    assert (answer.status, is_over) == (503, True)
