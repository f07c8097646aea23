"""Tokens that callers have agreed to: found, renewed by one, and asked for anew when gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import pytest

from extproc.mcp.oauth_client import Refused, Tokens, Unusable
from extproc.mcp.tickets import owner_of
from extproc.mcp.vault import Vault
from extproc.mcp.views import View, Views
from extproc.mcp_serving.connections import Connections, NoToken, WithConsent, connections
from extproc.mcp_serving.tokens import Entered
from extproc.ports import Answered, Asked, Ended, ServiceUnavailable
from extproc.principal import Kind, Principal
from extproc.verdict import Deny
from tests.kit.gateways import gateway_of
from tests.kit.memory_consents import MemoryConsents

SECRET = "a secret of at least thirty-two characters"
YAML = """
identity: {api_keys: {keys: [{name: ann, key: sk-ann}]}}
mcp:
  consents: {url: "https://gateway.example"}
  servers:
    a: {url: "https://a.example/mcp", consent: {client: {id: us, secret: s}}}
    b: {url: "https://b.example/mcp", consent: {client: {id: us, secret: s}}}
    c: {url: "https://c.example/mcp"}
"""
ANN = Principal(Kind.API_KEY, "ann")
OWNER = owner_of(ANN)
METADATA = {
    "issuer": "https://a.example",
    "authorization_endpoint": "https://a.example/go",
    "token_endpoint": "https://a.example/token",
    "code_challenge_methods_supported": ["S256"],
}


@dataclass(slots=True)
class Peers:
    """An authorization server, and a server that takes the tokens that it gave last."""

    error: str = ""
    is_away: bool = False
    metadata: dict[str, Any] = field(default_factory=lambda: dict(METADATA))
    resource: dict[str, Any] = field(default_factory=dict)
    registered: list[dict[str, Any]] = field(default_factory=list)
    secret_until: int = 0
    given: int = 0
    forms: list[dict[str, str]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    async def ask(self, cluster: str, asked: Asked, timeout_seconds: float) -> Answered:
        await asyncio.sleep(0)
        if asked.path == "/mcp":
            token = dict(asked.headers).get("authorization", "")
            self.shown.append(token)
            return Answered(200 if token == f"Bearer new-{self.given}" else 401, {}, b"")
        if "protected-resource" in asked.path:
            return Answered(200, {}, json.dumps(self.resource).encode())
        assert cluster == "service/mcp-consent/a"
        if asked.path.startswith("/.well-known"):
            return Answered(200, {}, json.dumps(self.metadata).encode())
        if self.is_away:
            raise ServiceUnavailable("it is away")
        if asked.path == "/register":
            self.registered.append(json.loads(asked.body))
            said = {"client_id": f"c-{len(self.registered)}", "client_secret": "s"}
            said |= {"client_secret_expires_at": self.secret_until}
            return Answered(201, {}, json.dumps(said).encode())
        self.forms.append({k: v[0] for k, v in parse_qs(asked.body.decode()).items()})
        if self.error:
            return Answered(400, {}, json.dumps({"error": self.error}).encode())
        self.given += 1
        said = {
            "access_token": f"new-{self.given}",
            "token_type": "bearer",
            "refresh_token": f"r-{self.given}",
            "expires_in": 100,
        }
        return Answered(200, {}, json.dumps(said).encode())


@dataclass(slots=True)
class World:
    peers: Peers = field(default_factory=Peers)
    store: MemoryConsents = field(default_factory=MemoryConsents)

    def worker(self, yaml: str = YAML) -> Connections:
        mcp, vault = gateway_of(yaml).mcp, Vault((SECRET,), b"x")
        made = connections(mcp, vault, self.store, self.peers, self.store.clock)
        assert made is not None
        return made

    def agreed(self, worker: Connections, seconds: float = 100.0, refresh: str = "r-0") -> None:
        end = self.store.now + seconds if seconds else 0.0
        tokens = Tokens("old", refresh, end, end and end - 10)
        run(worker.agreed("a", OWNER, "key ann", tokens))


def run(what: Awaitable[Any] | Any) -> Any:
    async def awaited() -> Any:
        return await what

    return asyncio.run(awaited()) if isinstance(what, Awaitable) else what


def view(name: str = "") -> View:
    return Views(gateway_of(YAML).mcp, (SECRET,)).all[name]


def entered(worker: Connections, principal: Principal | None = ANN, of: str = "") -> Any:
    return run(worker.enter(Entered(view(of), {}), principal))


def test_servers_are_left_out_until_their_caller_agrees() -> None:
    world = World()
    worker = world.worker()
    found = entered(worker)
    assert list(found.view.servers) == ["c"]
    assert list(found.unconnected) == ["a", "b"]
    world.agreed(worker)
    found = entered(worker)
    assert list(found.view.servers) == ["a", "c"]
    assert found.tokens == {"a": "Bearer old"}
    assert ("authorization", "Bearer old") in found.view.servers["a"].headers
    assert not found.view.servers["a"].is_required
    assert list(found.unconnected) == ["b"]
    other = entered(worker, Principal(Kind.API_KEY, "bob"))
    assert list(other.unconnected) == ["a", "b"]
    assert entered(worker, of="a").view.servers["a"].is_required


def test_what_is_known_is_there_at_once_and_looked_for_again_soon() -> None:
    world = World()
    worker = world.worker()
    world.agreed(worker)
    entered(worker, of="a")
    assert isinstance(worker.enter(Entered(view("a"), {}), ANN), Entered)
    world.store.now += 3
    world.store.kept.clear()
    assert list(entered(worker, of="a").unconnected) == ["a"]


def test_nobody_in_particular_is_asked_nothing() -> None:
    worker = World().worker()
    assert list(entered(worker, None).view.servers) == ["c"]
    assert entered(worker, None).unconnected == {}
    refused = entered(worker, None, "a")
    assert isinstance(refused, Deny)
    assert refused.status == 401


def test_a_token_is_renewed_before_it_expires_by_one_worker() -> None:
    world = World()
    one, other = world.worker(), world.worker()
    world.agreed(one)
    world.store.now += 95

    async def together() -> list[str | None]:
        asking = (each.token("a", OWNER) for each in (one, one, other, other))
        return list(await asyncio.gather(*asking))

    found = asyncio.run(together())
    assert len(world.peers.forms) == 1
    assert world.peers.forms[0]["refresh_token"] == "r-0"
    assert set(found) <= {"old", "new-1"}
    assert run(other.token("a", OWNER)) == "new-1"
    assert world.store.kept[OWNER, "a"].version == 2


def test_what_has_expired_waits_for_whoever_renews_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extproc.mcp_serving.connections._PAUSE_SECONDS", 0.001)
    world = World()
    one, other = world.worker(), world.worker()
    world.agreed(one)
    world.store.now += 200
    assert run(world.store.lease(OWNER, "a", 1, 15.0))

    async def both() -> str | None:
        waiting = asyncio.ensure_future(other.token("a", OWNER))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await world.store.free(OWNER, "a", 1)
        return await waiting

    assert asyncio.run(both()) == "new-1"


def test_consent_that_has_ended_is_asked_for_anew() -> None:
    world = World()
    worker = world.worker()
    world.agreed(worker)
    world.store.now += 200
    world.peers.error = "invalid_grant"
    assert run(worker.token("a", OWNER)) is None
    assert not world.store.kept


def test_without_a_refresh_token_it_is_good_until_it_expires() -> None:
    world = World()
    worker = world.worker()
    world.agreed(worker, refresh="")
    world.store.now += 95
    assert run(worker.token("a", OWNER)) == "old"
    world.store.now += 10
    assert run(worker.token("a", OWNER)) is None
    assert not world.store.kept


@pytest.mark.parametrize("error", ["invalid_client", ""])
def test_what_is_the_operators_fault_ends_no_consent(error: str) -> None:
    world = World()
    worker = world.worker()
    world.agreed(worker)
    world.store.now += 200
    world.peers.error, world.peers.is_away = error, not error
    with pytest.raises(NoToken):
        run(worker.token("a", OWNER))
    refused = entered(worker, of="a")
    assert isinstance(refused, Deny)
    assert (refused.status, refused.code) == (503, "consent_unavailable")
    assert list(entered(worker).view.servers) == ["c"]
    world.peers.error, world.peers.is_away = "", False
    assert run(worker.token("a", OWNER)) == "new-1"


def test_while_the_server_is_away_what_is_good_still_is() -> None:
    world = World()
    worker = world.worker()
    world.agreed(worker)
    world.store.now += 95
    world.peers.is_away = True
    assert run(worker.token("a", OWNER)) == "old"


def test_a_store_that_is_away_is_no_missing_consent() -> None:
    world = World()
    worker = world.worker()
    world.store.is_away = True
    with pytest.raises(NoToken):
        run(worker.token("a", OWNER))
    with pytest.raises(NoToken):
        run(worker.replaced("a", OWNER, "old"))


def test_what_was_sealed_with_a_lost_secret_is_asked_for_anew() -> None:
    world = World()
    worker = world.worker()
    world.agreed(worker)
    other = connections(
        gateway_of(YAML).mcp,
        Vault(("another secret of thirty-two characters",), b"x"),
        world.store,
        world.peers,
        world.store.clock,
    )
    assert other is not None
    assert run(other.token("a", OWNER)) is None


def test_a_refused_token_is_renewed_once() -> None:
    world = World()
    worker = world.worker()
    world.agreed(worker, seconds=0)
    entered(worker)
    way = WithConsent(world.peers, worker, {"service/mcp/a": "a"})
    asked = Asked("POST", "/mcp", (("x", "1"), ("authorization", "Bearer old")), b"")
    assert run(way.ask("service/mcp/a", asked, 1.0)).status == 200
    assert world.peers.shown == ["Bearer old", "Bearer new-1"]
    with pytest.raises(NoToken, match="a moment ago"):
        run(worker.replaced("a", OWNER, "new-1"))
    assert run(worker.replaced("a", OWNER, "old")) == "new-1"
    stranger = Asked("POST", "/mcp", (("authorization", "Bearer nobody's"),), b"")
    assert run(way.ask("service/mcp/a", stranger, 1.0)).status == 401


def test_a_refused_token_that_cannot_be_renewed_ends_the_consent() -> None:
    world = World()
    worker = world.worker()
    world.agreed(worker, seconds=0, refresh="")
    assert run(worker.replaced("a", OWNER, "old")) is None
    assert not world.store.kept
    assert run(worker.replaced("a", OWNER, "old")) is None


def test_whoever_waits_goes_on_when_somebody_has_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extproc.mcp_serving.connections._LOOK_SECONDS", 0.01)
    world = World()
    worker = world.worker()
    assert run(worker.waited("a", OWNER, 0.03)) is None

    async def both() -> str | None:
        waiting = asyncio.ensure_future(worker.waited("a", OWNER, 5.0))
        await asyncio.sleep(0.02)
        await worker.agreed("a", OWNER, "key ann", Tokens("old"))
        return await waiting

    assert asyncio.run(both()) == "old"


def test_metadata_is_asked_for_once_in_a_while() -> None:
    world = World()
    worker = world.worker()
    assert run(worker.where("a")).token_path == "/token"
    world.peers.metadata["token_endpoint"] = "https://a.example/other"
    assert run(worker.where("a")).token_path == "/token"
    world.store.now += 301
    assert run(worker.where("a")).token_path == "/other"


def test_a_server_that_names_another_issuer_is_believed() -> None:
    world = World()
    world.peers.resource = {"authorization_servers": ["https://elsewhere.example"]}
    with pytest.raises(Unusable, match="takes no tokens of"):
        run(world.worker().where("a"))


def test_what_operators_have_ended_is_revoked_and_forgotten() -> None:
    world = World()
    worker = world.worker()
    world.peers.metadata["revocation_endpoint"] = "https://a.example/revoke"
    world.agreed(worker)
    kept = world.store.kept[OWNER, "a"]
    world.store.ends = [Ended(OWNER, "a", kept.sealed, kept.version)]
    run(worker.revoke_ended())
    assert [each["token"] for each in world.peers.forms] == ["r-0", "old"]
    assert not world.store.kept
    world.peers.is_away = True
    world.agreed(worker)
    kept = world.store.kept[OWNER, "a"]
    world.store.ends = [Ended(OWNER, "a", kept.sealed, kept.version)]
    run(worker.revoke_ended())  # it is told in the log, and forgotten all the same
    assert not world.store.kept


NOBODY = YAML.replace(
    'a.example/mcp", consent: {client: {id: us, secret: s}}', 'a.example/mcp", consent: {}'
)


def who(worker: Connections) -> str:
    async def asked() -> str:
        return (await worker.client("a", await worker.where("a"))).client_id

    found: str = run(asked())
    return found


def test_where_no_client_is_written_down_all_workers_are_one_that_registers() -> None:
    world = World()
    world.peers.metadata["registration_endpoint"] = "https://a.example/register"
    one, other = world.worker(NOBODY), world.worker(NOBODY)
    assert who(one) == who(other) == who(one) == "c-1"
    (said,) = world.peers.registered
    assert said["redirect_uris"] == ["https://gateway.example/mcp/.oauth/callback/a"]
    assert said["token_endpoint_auth_method"] == "client_secret_basic"
    assert all(b"c-1" not in each for each in world.store.clients.values())
    run(one.refused_client("a", Refused("invalid_grant")))
    assert who(one) == "c-1"
    run(one.refused_client("a", Refused("invalid_client")))
    assert who(one) == "c-2"


def test_a_secret_that_expires_is_asked_for_anew() -> None:
    world = World()
    world.peers.metadata["registration_endpoint"] = "https://a.example/register"
    world.peers.secret_until = int(world.store.now) + 10
    worker = world.worker(NOBODY)
    assert who(worker) == "c-1"
    world.store.now += 11
    assert who(worker) == "c-2"


def test_a_document_is_shown_where_it_is_taken() -> None:
    world = World()
    world.peers.metadata["client_id_metadata_document_supported"] = True
    assert who(world.worker(NOBODY)) == "https://gateway.example/mcp/.oauth/client/a"
    assert who(world.worker()) == "us"
    assert not world.peers.registered


def test_where_nobody_can_register_a_client_is_asked_for() -> None:
    with pytest.raises(Unusable, match="write a client"):
        who(World().worker(NOBODY))
