"""Credentials in real Envoys: what providers are shown, and what they are not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from botocore.credentials import Credentials

from gateway import names
from tests.kit import web
from tests.kit.aws_signature import is_signed
from tests.kit.envoy import VERSIONS, RunningEnvoy
from tests.kit.gateways import gateway_of
from tests.kit.recorder import Recorder
from xds_server.audience import Level
from xds_server.compile import compile_gateway
from xds_server.render import static_bootstrap
from xds_server.resources.extension import Json, extension
from xds_server.resources.topology import Topology

pytestmark = pytest.mark.envoy

HTTP = "envoy.filters.network.http_connection_manager"
RETRIES = {"retry_on": "retriable-status-codes", "retriable_status_codes": [429], "num_retries": 2}
AWS = Credentials("AKIDEXAMPLE", "hunter2/secret+key", "session-token")
CONFIG = """
gateways: {{default: {{port: 8080}}}}
llm:
  providers:
    aws:
      type: custom
      url: {aws}
      offers: {{messages: /m}}
      auth:
        type: aws
        region: us-east-1
        access_key: AKIDEXAMPLE
        secret_key: hunter2/secret+key
        session_token: session-token
    claude: {{type: anthropic, url: {claude}, key: key-of-claude}}
    plain: {{type: custom, url: {plain}, key: key-of-plain, offers: {{messages: /m}}}}
    theirs:
      type: anthropic
      url: {theirs}
      auth: {{type: pass-through, header: x-provider-key}}
    anybodys:
      type: anthropic
      url: {theirs}
      auth: {{type: pass-through, header: x-provider-key, required: false}}
    tokenless: {{type: custom, url: {plain}, offers: {{messages: /m}}, auth: {{type: gcp}}}}
  models:
    a: {{failover: [claude/m, theirs/m, plain/m]}}
    b: {{failover: [plain/m, theirs/m]}}
    d: anybodys/m
    c: {{failover: [theirs/m, aws/m, plain/m]}}
"""
NAMES = ("aws", "claude", "plain", "theirs")


class Front:
    """An Envoy with this configuration, and all its providers."""

    def __init__(self, url: str, providers: dict[str, Recorder]) -> None:
        self.url = url
        self.providers = providers

    def ask(
        self, cluster: str, headers: dict[str, str] | None = None, body: bytes = b"{}"
    ) -> httpx.Response:
        """The answer of the cluster; what each provider was asked is forgotten first."""
        for each in self.providers.values():
            each.requests.clear()
        sent = {names.PLAN_HEADER: cluster, **(headers or {})}
        return web.post(self.url, headers=sent, content=body, timeout=10)


def front_listener(path: str) -> Json:
    """Sends requests to the cluster that they name, with the path of a plan."""
    filters = [
        extension(
            "envoy.filters.http.set_metadata",
            "envoy.extensions.filters.http.set_metadata.v3.Config",
            metadata=[{"metadata_namespace": names.REQUEST_NAMESPACE, "value": {"path": path}}],
        ),
        extension("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router"),
    ]
    action = {"cluster_header": names.PLAN_HEADER, "auto_host_rewrite": True}
    route = {"match": {"prefix": "/"}, "route": {**action, "retry_policy": RETRIES}}
    manager = extension(
        HTTP,
        f"{HTTP.replace('filters', 'extensions.filters')}.v3.HttpConnectionManager",
        stat_prefix="front",
        route_config={"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [route]}]},
        http_filters=filters,
    )
    return {
        "name": "front",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [manager]}],
    }


PATH = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aprofile%2Fanthropic.x-v1:0/converse"


@pytest.fixture(scope="module", params=VERSIONS)
def front(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    folder: Path = tmp_path_factory.mktemp("envoy")
    with contextlib.ExitStack() as stack:
        providers = {name: stack.enter_context(Recorder()) for name in NAMES}
        urls = {name: each.url for name, each in providers.items()}
        gateway = gateway_of(CONFIG.format(**urls))
        snapshot = compile_gateway(gateway, Topology(workers=("127.0.0.1:9",)), Level.V1_37)
        bootstrap = static_bootstrap(snapshot)
        bootstrap["static_resources"]["listeners"] = [front_listener(PATH)]
        envoy = stack.enter_context(RunningEnvoy(bootstrap, folder, request.param))
        yield Front(f"http://127.0.0.1:{envoy.port('front')}/v1/chat/completions", providers)


@pytest.fixture(autouse=True)
def answering(front: Front) -> None:
    for each in front.providers.values():
        each.status = 200


@pytest.mark.parametrize("size", [2, 100_000, 1_000_000])
def test_a_request_is_signed_with_its_body(front: Front, size: int) -> None:
    headers = {
        "authorization": "AWS4-HMAC-SHA256 mine",
        "x-amz-date": "20200101T000000Z",
        "x-amz-security-token": "mine",
        "x-amz-content-sha256": "mine",
        "content-type": "application/json",
    }
    assert front.ask("llm/aws/addressed", headers, b" " * size).status_code == 200
    received = front.providers["aws"].last
    assert len(received.body) == size
    assert received.path == PATH
    assert received.headers["host"] == f"127.0.0.1:{front.providers['aws'].port}"
    assert received.headers["x-amz-security-token"] == "session-token"
    assert is_signed(received, AWS, region="us-east-1")
    assert not is_signed(received, Credentials("AKIDEXAMPLE", "other", "t"), region="us-east-1")


def test_a_key_is_shown_where_the_vendor_looks_for_it(front: Front) -> None:
    headers = {"authorization": "Bearer mine", "x-api-key": "mine", "x-provider-key": "mine"}
    assert front.ask("llm/claude", headers).status_code == 200
    received = front.providers["claude"].last.headers
    assert received["x-api-key"] == "key-of-claude"
    assert received["anthropic-version"] == "2023-06-01"
    assert "mine" not in received.values()
    assert "Bearer mine" not in received.values()
    assert not {"authorization", "x-provider-key"} & received.keys()


def test_a_fixed_header_gives_way_to_the_clients(front: Front) -> None:
    assert front.ask("llm/claude", {"anthropic-version": "2099-01-01"}).status_code == 200
    assert front.providers["claude"].last.headers["anthropic-version"] == "2099-01-01"


@pytest.mark.parametrize("sent", ["mine", "Bearer mine"])
def test_a_clients_own_key_is_passed_on_and_no_other(front: Front, sent: str) -> None:
    headers = {"authorization": "Bearer gateways", "x-provider-key": sent}
    assert front.ask("llm/theirs", headers).status_code == 200
    received = front.providers["theirs"].last.headers
    assert received["x-api-key"] == "mine"
    assert not {"authorization", "x-provider-key"} & received.keys()


def test_without_a_key_of_the_clients_none_is_shown(front: Front) -> None:
    assert front.ask("llm/anybodys/addressed", {"x-api-key": "gateways"}).status_code == 200
    received = front.providers["theirs"].last.headers
    assert not {"authorization", "x-api-key", "x-provider-key"} & received.keys()


@pytest.mark.parametrize("sent", [{}, {"x-provider-key": ""}])
def test_a_client_that_has_to_bring_a_key_is_told_where(front: Front, sent: dict[str, str]) -> None:
    answer = front.ask("llm/theirs", {"x-api-key": "gateways", **sent})
    assert answer.status_code == 401
    assert "the header x-provider-key" in answer.text
    assert front.providers["theirs"].requests == []


def test_nothing_of_one_try_reaches_the_next(front: Front) -> None:
    front.providers["claude"].status = 429
    front.providers["theirs"].status = 429
    headers = {"x-provider-key": "mine", "authorization": "Bearer gateways"}
    assert front.ask("plan/claude>theirs>plain", headers).status_code == 200
    claude, theirs, plain = (
        front.providers[name].last.headers for name in ("claude", "theirs", "plain")
    )
    assert claude["x-api-key"] == "key-of-claude"
    assert theirs["x-api-key"] == "mine"
    assert theirs["anthropic-version"] == "2023-06-01"
    assert plain["authorization"] == "Bearer key-of-plain"
    assert not {"x-api-key", "x-provider-key", "anthropic-version"} & plain.keys()


def test_a_key_that_is_passed_on_outlives_the_wipes_of_other_tries(front: Front) -> None:
    front.providers["plain"].status = 429
    assert front.ask("plan/plain>theirs", {"x-provider-key": "mine"}).status_code == 200
    assert front.providers["theirs"].last.headers["x-api-key"] == "mine"


def test_a_signature_in_a_plan_is_of_that_try_alone(front: Front) -> None:
    front.providers["theirs"].status = front.providers["aws"].status = 429
    headers = {"x-provider-key": "mine"}
    assert front.ask("plan/theirs>aws>plain", headers, b"x" * 70_000).status_code == 200
    assert is_signed(front.providers["aws"].last, AWS, region="us-east-1")
    received = front.providers["plain"].last
    assert received.body == b"x" * 70_000
    assert received.headers["authorization"] == "Bearer key-of-plain"
    assert not [name for name in received.headers if name.startswith("x-amz-")]


def test_a_try_without_a_token_reaches_nobody(front: Front) -> None:
    answer = front.ask("llm/tokenless/addressed", {"authorization": "Bearer gateways"})
    assert (answer.status_code, answer.text) == (503, "no token for the provider")
    assert front.providers["plain"].requests == []
