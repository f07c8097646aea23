"""Client certificates through a real Envoy: whose is known, and what rules read of them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Serve
from tests.kit.certificates import Authority
from tests.kit.recorder import Recorder
from tests.kit.stack import Stack, eventually

pytestmark = pytest.mark.envoy

YAML = """
gateways:
  default:
    port: "${DRAGOMAN_PORT}"
    tls: {cert: server.pem, key: server.key, client_ca: clients.pem, client_required: false}
identity:
  api_keys: {keys: [{name: bob, key: k-bob, user: bob}]}
  certificates:
    - {san: "spiffe://example.com/ns/*/sa/agent", team: red}
authorize:
  - {name: red, for: {route: red}, require: 'principal.team == "red"'}
  - name: bound
    for: {route: bound}
    require: 'source.identity == "spiffe://example.com/ns/" + principal.user + "/sa/agent"'
routes:
  - {name: any, match: {path: {prefix: /any}}, backend: "http://127.0.0.1:UPSTREAM"}
  - {name: key, match: {path: {prefix: /key}}, backend: "http://127.0.0.1:UPSTREAM", auth: key}
  - {name: red, match: {path: {prefix: /red}}, backend: "http://127.0.0.1:UPSTREAM"}
  - {name: bound, match: {path: {prefix: /bound}}, backend: "http://127.0.0.1:UPSTREAM"}
"""
AGENT = "spiffe://example.com/ns/bob/sa/agent"
OTHER = "spiffe://example.com/ns/bob/sa/other"


@dataclass(frozen=True, slots=True)
class World:
    """A gateway over TLS, and those who sign."""

    stack: Stack
    servers: Authority
    clients: Authority
    folder: Path

    def get(
        self, path: str, uri: str = "", key: str = "", signer: Authority | None = None
    ) -> httpx.Response:
        """By a client whose certificate has this name, if any."""
        context = ssl.create_default_context(cadata=self.servers.pem)
        if uri:
            cert, secret = (signer or self.clients).client(uri)
            file = self.folder / "client.pem"
            file.write_text(cert + secret)
            context.load_cert_chain(file)
        headers = {"authorization": f"Bearer {key}"} if key else {}
        url = f"https://127.0.0.1:{self.stack.port}{path}"
        with httpx.Client(verify=context, trust_env=False, timeout=10) as client:
            return client.get(url, headers=headers)


@pytest.fixture(scope="module")
def world(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("certificates")
    servers, clients = Authority("servers"), Authority("clients")
    cert, key = servers.server()
    for name, text in {"server.pem": cert, "server.key": key, "clients.pem": clients.pem}.items():
        (folder / name).write_text(text)
    with Recorder() as upstream:
        config = folder / "gateway.yaml"
        config.write_text(YAML.replace("UPSTREAM", str(upstream.port)))
        with serve(config, folder / "state") as stack:
            yield World(stack, servers, clients, folder)


def test_a_certificate_is_enough_where_its_name_is_known(world: World) -> None:
    assert world.get("/any", AGENT).status_code == 200
    assert world.get("/any", OTHER).status_code == 401
    assert world.get("/any").status_code == 401


def test_who_signs_for_others_is_not_let_in(world: World) -> None:
    with pytest.raises(httpx.TransportError):
        world.get("/any", AGENT, signer=Authority("clients"))


def test_who_is_not_let_in_is_counted(world: World) -> None:
    """Also where there was no request; `required: false`, so that only a wrong one is refused."""
    labels = 'code="invalid_certificate",kind="identity",mode="enforce",name="",verdict="deny"'

    def count() -> float:
        metrics = httpx.get(f"{world.stack.admin_url}/metrics", timeout=5).text
        found = [each for each in metrics.splitlines() if f"{{{labels}}}" in each]
        return sum(float(each.rsplit(" ", 1)[1]) for each in found)

    before = count()
    with pytest.raises(httpx.TransportError):
        world.get("/any", AGENT, signer=Authority("clients"))
    eventually(lambda: count() > before, "it is counted")


def test_a_key_goes_before_a_certificate_and_a_route_may_ask_for_one(world: World) -> None:
    assert world.get("/any", AGENT, "wrong").status_code == 401
    assert world.get("/key", AGENT).status_code == 401
    assert world.get("/key", AGENT, "k-bob").status_code == 200


def test_rules_read_who_the_certificate_names(world: World) -> None:
    assert world.get("/red", AGENT).status_code == 200
    assert world.get("/red", AGENT, "k-bob").status_code == 403
    assert world.get("/bound", AGENT, "k-bob").status_code == 200
    assert world.get("/bound", OTHER, "k-bob").status_code == 403
    assert world.get("/bound", "", "k-bob").status_code == 403


BOTH = """
gateways:
  default:
    port: "${DRAGOMAN_PORT}"
    tls: {cert: server.pem, key: server.key, client_ca: clients.pem, client_required: false}
authorize:
RULES
routes:
ROUTES
"""
ASKED = (
    f'require: source.identity == "{AGENT}"',
    f'deny: source.identity == "{AGENT}"',
    'allow: source.identity.startsWith("spiffe://") || source.identity == "agent.example"',
    'require: source.subject.contains("CN=")',
    'deny: source.subject == ""',
    'require: source.identity == "x" || request.method == "GET"',
)


def test_envoy_decides_by_certificates_as_python_does(
    serve: Serve, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each rule on two routes; on one, it has a part that is Python's."""
    folder = tmp_path_factory.mktemp("both")
    servers, clients = Authority("servers"), Authority("clients")
    cert, key = servers.server()
    for name, text in {"server.pem": cert, "server.key": key, "clients.pem": clients.pem}.items():
        (folder / name).write_text(text)
    rules, routes = [], []
    with Recorder() as upstream:
        for place, rule in enumerate(ASKED):
            effect, _, asked = rule.partition(": ")
            always = "!principal.is_anonymous" if effect != "deny" else "principal.is_anonymous"
            python = f"({asked}) || {always}" if effect != "deny" else f"({asked}) && {always}"
            for whose, expression in (("envoy", asked), ("python", python)):
                named = f"{whose}{place}"
                rules.append(
                    f"  - {{name: {named}, for: {{route: {named}}}, {effect}: '{expression}'}}"
                )
                routes.append(
                    f"  - {{name: {named}, match: {{path: {{prefix: /{named}}}}},"
                    f' backend: "http://127.0.0.1:{upstream.port}"}}'
                )
        config = folder / "gateway.yaml"
        config.write_text(
            BOTH.replace("RULES", "\n".join(rules)).replace("ROUTES", "\n".join(routes))
        )
        with serve(config, folder / "state") as stack:
            world = World(stack, servers, clients, folder)
            started = ".*[.]ext_proc[.]streams_started"
            found = [
                [world.get(f"/{whose}{place}", uri).status_code for place in range(len(ASKED))]
                for whose in ("envoy", "python")
                for uri in (AGENT, OTHER, "")
            ]
            assert found[:3] == found[3:]
            assert found[:3] == [
                [200, 403, 200, 200, 200, 200],
                [403, 200, 200, 200, 200, 200],
                [403, 403, 403, 403, 403, 200],
            ]
            assert stack.envoy_stat(started) == 3 * len(ASKED)
