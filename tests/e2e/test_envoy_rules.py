"""Rules that Envoy decides itself: who is let in, what the others are told, and nobody is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import EXAMPLES, Serve
from tests.kit import web
from tests.kit.identity_provider import KeyServer, SigningKey, claims, key_set
from tests.kit.raw_http import asked
from tests.kit.recorder import Recorder
from tests.kit.stack import Stack, eventually, running

pytestmark = pytest.mark.envoy

ISSUER = "https://idp.example"
YAML = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity:
  required: false
  jwt: [{issuer: https://idp.example, audiences: [agents], jwks: {file: keys.json}, mode: optional}]
authorize:
  - {name: no-evil, for: {route: head}, deny: 'request.headers["x-evil"] == "yes"'}
  - {name: here, for: {route: from}, allow: 'cidr("127.0.0.0/8").containsIP(source.address)'}
  - {name: there, for: {route: elsewhere}, allow: 'cidr("10.0.0.0/8").containsIP(source.address)'}
  - {name: or-post, for: {route: elsewhere}, allow: 'request.method == "POST"'}
  - name: team
    for: {route: claims}
    require: 'jwt.org.team == "red" && jwt.level >= 3 && "b" in jwt.roles'
  - {name: asks, for: {route: python}, deny: 'request.headers["x-evil"].lowerAscii() == "yes"'}
routes:
  - {name: head, match: {path: {prefix: /head}}, backend: "http://127.0.0.1:UPSTREAM"}
  - {name: from, match: {path: {prefix: /from}}, backend: "http://127.0.0.1:UPSTREAM"}
  - {name: elsewhere, match: {path: {prefix: /elsewhere}}, backend: "http://127.0.0.1:UPSTREAM"}
  - {name: claims, match: {path: {prefix: /claims}}, backend: "http://127.0.0.1:UPSTREAM"}
  - {name: jwt, match: {path: {prefix: /jwt}}, backend: "http://127.0.0.1:UPSTREAM", auth: jwt}
  - {name: python, match: {path: {prefix: /python}}, backend: "http://127.0.0.1:UPSTREAM"}
"""


@dataclass(frozen=True, slots=True)
class World:
    """A gateway, whom it trusts, and what is behind it."""

    stack: Stack
    key: SigningKey
    upstream: Recorder

    def token(self, **changes: Any) -> str:
        said = {"org": {"team": "red"}, "level": 3, "roles": ["a", "b"], **changes}
        return self.key.sign(claims(ISSUER, **said))

    def get(self, path: str, token: str = "", **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["authorization"] = f"Bearer {token}"
        return web.get(f"{self.stack.url}{path}", headers=sent, timeout=10)

    def asked(self) -> int:
        """How many calls Python has got."""
        return self.stack.envoy_stat(".*[.]ext_proc[.]streams_started")


@pytest.fixture(scope="module")
def world(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("envoy-rules")
    key = SigningKey("k")
    (folder / "keys.json").write_text(key_set(key))
    with Recorder() as upstream:
        config = folder / "gateway.yaml"
        config.write_text(YAML.replace("UPSTREAM", str(upstream.port)))
        with serve(config, folder / "state") as stack:
            yield World(stack, key, upstream)


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, error["code"], error["message"]


def test_a_header_decides(world: World) -> None:
    assert world.get("/head", x_evil="no").status_code == 200
    assert refusal(world.get("/head", x_evil="yes")) == (
        403,
        "permission_denied",
        "denied by 'no-evil'",
    )


def test_what_cannot_be_evaluated_denies(world: World) -> None:
    assert refusal(world.get("/head")) == (403, "permission_denied", "denied by 'no-evil'")


def test_several_headers_of_one_name_are_one(world: World) -> None:
    def status(*values: str) -> int:
        sent = [("x-evil", value) for value in values]
        return web.get(f"{world.stack.url}/head", headers=sent, timeout=10).status_code

    assert status("yes") == 403
    assert status("yes", "no") == 200
    assert status("no", "yes") == 200


def test_the_address_of_the_connection_decides(world: World) -> None:
    assert world.get("/from").status_code == 200
    refused = world.get("/elsewhere", x_forwarded_for="10.0.0.1")
    assert refusal(refused)[2] == "denied by 'there', 'or-post'"
    assert web.post(f"{world.stack.url}/elsewhere", timeout=10).status_code == 200


def test_claims_decide(world: World) -> None:
    assert world.get("/claims", world.token()).status_code == 200
    for wrong in ({"org": {"team": "blue"}}, {"level": 2}, {"level": "3"}, {"roles": "b"}):
        found = refusal(world.get("/claims", world.token(**wrong)))
        assert found == (403, "permission_denied", "denied by 'team'")
    assert refusal(world.get("/claims"))[2] == "denied by 'team'"


def test_a_token_is_asked_for(world: World) -> None:
    assert world.get("/jwt", world.token()).status_code == 200
    missing, invalid = world.get("/jwt"), world.get("/jwt", "nonsense")
    assert refusal(missing) == (401, "missing_credential", "no token was given")
    assert missing.headers["www-authenticate"] == "Bearer"
    assert refusal(invalid) == (401, "invalid_token", "the token is not valid")
    assert invalid.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert world.get("/jwt", world.token(aud="others")).status_code == 401
    assert world.get("/jwt", world.token(), x_api_key="another").status_code == 401


def test_a_wrong_token_is_refused_where_none_is_asked_for(world: World) -> None:
    assert world.get("/from", "nonsense").status_code == 401
    basic = {"authorization": "Basic YTpi"}  # for somebody else
    assert web.get(f"{world.stack.url}/from", headers=basic, timeout=10).status_code == 200


def test_clients_of_anthropics_are_told_in_its_form(world: World) -> None:
    refused = world.get("/head", x_evil="yes", anthropic_version="2023-06-01").json()
    assert refused["type"] == "error"
    assert refused["error"]["type"] == "permission_error"


def test_the_token_and_its_claims_go_no_further(world: World) -> None:
    forged = {"x-dragoman-claims": "eyJzdWIiOiJyb290In0", "x-request-id": "abc"}
    sent = {**forged, "authorization": f"Bearer {world.token()}"}
    assert web.get(f"{world.stack.url}/claims", headers=sent, timeout=10).status_code == 200
    seen = world.upstream.requests[-1].headers
    assert not {"authorization", "x-dragoman-claims"} & set(seen)
    assert seen["x-request-id"] == "abc"


def test_nobody_is_asked_but_where_a_rule_needs_it(world: World) -> None:
    before = world.asked()
    for path in ("/head", "/from", "/elsewhere", "/claims", "/jwt"):
        world.get(path, world.token(), x_evil="no")
    assert world.asked() == before
    assert world.get("/python", x_evil="no").status_code == 200
    assert world.asked() == before + 1


def test_denials_are_counted_by_envoy_and_with_all_others(world: World) -> None:
    stat = "http.default.rbac.policy.no-evil.denied"
    labels = 'code="permission_denied",kind="rule",mode="enforce",name="no-evil",verdict="deny"'

    def count() -> float:
        metrics = web.get(f"{world.stack.admin_url}/metrics", timeout=5).text
        found = [each for each in metrics.splitlines() if f"{{{labels}}}" in each]
        return sum(float(each.rsplit(" ", 1)[1]) for each in found)

    before = world.stack.envoy_stat(stat)
    world.get("/head", x_evil="yes")
    assert world.stack.envoy_stat(stat) == before + 1
    eventually(lambda: count() == before + 1, "Python is told of all of them", seconds=10)


def test_a_path_that_can_be_written_otherwise_is_read_once(world: World) -> None:
    status, _ = asked(world.stack.port, "GET", "/x/..//head", "", b"")
    assert status == 403  # the route was found, and its rule asked


def test_the_example_asks_nobody(tmp_path: Path) -> None:
    idp = "https://idp.example.com"
    key = SigningKey("k")
    with KeyServer(key) as server, Recorder() as upstream, pytest.MonkeyPatch.context() as patching:
        patching.setenv("JWKS_URL", server.url)
        patching.setenv("BACKEND_PORT", str(upstream.port))
        with running(EXAMPLES / "envoy-rules.yaml", tmp_path / "state", workers=1) as stack:

            def status(path: str, agent: str = "browser", **said: Any) -> int:
                headers = {"user-agent": agent}
                if said:
                    token = key.sign(claims(idp, aud="apps", **said))
                    headers["authorization"] = f"Bearer {token}"
                return web.get(f"{stack.url}{path}", headers=headers, timeout=10).status_code

            assert status("/reports", roles=["staff"]) == 200
            assert status("/reports", roles=["guest"]) == 403
            assert status("/reports") == 403
            assert status("/wiki") == 403  # not from the office
            assert status("/wiki", on_call=True) == 200
            assert status("/wiki", on_call=False) == 403
            assert status("/profile", roles=[]) == 200
            assert status("/profile") == 401
            assert status("/profile", agent="curl/8", roles=[]) == 403
            assert stack.envoy_stat(".*[.]ext_proc[.]streams_started") == 0


CHANGING = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
authorize: [{name: no-evil, for: {route: app}, deny: 'request.headers["x-evil"]CALL == "yes"'}]
routes: [{name: app, match: {path: {prefix: /app}}, backend: "http://127.0.0.1:UPSTREAM"}]
"""


def test_open_connections_stay_and_are_never_let_in_unasked(serve: Serve, tmp_path: Path) -> None:
    """While the rule goes from Python to Envoy, and back."""
    config = tmp_path / "gateway.yaml"
    modified = "listener_manager.listener_modified"
    with Recorder() as upstream:
        text = CHANGING.replace("UPSTREAM", str(upstream.port))
        pythons, envoys = text.replace("CALL", ".lowerAscii()"), text.replace("CALL", "")
        config.write_text(pythons)
        with serve(config, tmp_path / "state") as stack, httpx.Client(timeout=10) as client:

            def is_refused() -> bool:
                refused = client.get(f"{stack.url}/app", headers={"x-evil": "yes"})
                assert refused.status_code == 403
                return True

            def decisions() -> int:
                return stack.envoy_stat("http.default.rbac.denied")

            def asked() -> int:
                return stack.envoy_stat(".*[.]ext_proc[.]streams_started")

            assert is_refused()
            connections = stack.envoy_stat("http.default.downstream_cx_http1_total")
            before = decisions()
            config.write_text(envoys)
            eventually(lambda: is_refused() and decisions() > before, "Envoy decides", seconds=10)
            before = asked()
            config.write_text(pythons)
            eventually(lambda: is_refused() and asked() > before, "Python decides", seconds=10)
            assert client.get(f"{stack.url}/app", headers={"x-evil": "no"}).status_code == 200
            assert stack.envoy_stat("http.default.downstream_cx_http1_total") == connections
            assert stack.envoy_stat(modified) == 0
