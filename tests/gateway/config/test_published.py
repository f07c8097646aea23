from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.load import load, load_file
from gateway.config.published import NOWHERE, for_workers, published
from gateway.config.schema import Config
from gateway.guards import Webhook
from gateway.identity import Login
from gateway.mcp import McpAuth, McpServer
from gateway.model import Gateway, Guard, RemoteGuard, Xds
from gateway.resolve import resolve
from tests.gateway.config.loading import loaded
from tests.gateway.config.writing import config_of, write
from tests.kit.certificates import Authority

ROOT = Path(__file__).parents[3]
GOLDEN = (ROOT / "tests/golden").glob("*.yaml")
FILES = sorted(
    [
        *(ROOT / "examples").glob("*.yaml"),
        ROOT / "examples/folder",
        *(path for path in GOLDEN if not path.name.endswith(".xds.yaml")),
    ]
)


def without_secrets(gateway: Gateway) -> Gateway:
    """And without who else is told what."""
    providers = tuple(
        replace(each, credential=None, upstream=replace(each.upstream, ca=None))
        for each in gateway.providers
    )
    listeners = tuple(replace(listener, tls=None) for listener in gateway.listeners)
    services = tuple(
        replace(each, credential=None, upstream=replace(each.upstream, ca=None))
        for each in gateway.services
    )
    identity, asked = gateway.identity, gateway.identity.introspection
    if asked is not None:
        identity = replace(identity, introspection=replace(asked, client_secret=""))
    logins = tuple(map(without_secrets_of_login, identity.logins))
    identity = replace(identity, logins=logins)
    return replace(
        gateway,
        providers=providers,
        services=services,
        guards=tuple(map(unsigned, gateway.guards)),
        alerts_to=gateway.alerts_to and replace(gateway.alerts_to, secret=""),
        listeners=listeners,
        xds=Xds(),
        identity=identity,
        audit=gateway.audit and replace(gateway.audit, key=None),
        mcp=replace(
            gateway.mcp,
            session_keys=(),
            servers=tuple(map(without_environment, gateway.mcp.servers)),
            auth=without_client(gateway.mcp.auth),
        ),
    )


def without_environment(server: McpServer) -> McpServer:
    stdio, exchange = server.stdio, server.exchange
    if exchange is not None:
        assertion = exchange.assertion and replace(exchange.assertion, client_secret="")
        endpoint = replace(exchange.endpoint, client_secret="")
        server = replace(server, exchange=replace(exchange, endpoint=endpoint, assertion=assertion))
    if server.consent is not None:
        server = replace(server, consent=replace(server.consent, client_secret=""))
    return server if stdio is None else replace(server, stdio=replace(stdio, environment=()))


def without_client(auth: McpAuth | None) -> McpAuth | None:
    if auth is None or auth.proxy is None:
        return auth
    return replace(auth, proxy=replace(auth.proxy, client_secret=""))


def without_secrets_of_login(login: Login) -> Login:
    return replace(
        login,
        issuer=replace(login.issuer, ca=None),
        endpoints=replace(login.endpoints, ca=None),
        client_secret="",
        cookies=replace(login.cookies, secret=""),
    )


def unsigned(guard: Guard) -> Guard:
    if isinstance(guard, RemoteGuard) and isinstance(guard.service, Webhook):
        return replace(guard, service=replace(guard.service, secret=""))
    return guard


def read_by_workers(gateway: Gateway) -> tuple[object, ...]:
    """What `extproc.program.build` reads; its own tests show that it reads nothing else."""
    issuers = tuple(
        replace(each, jwks_url="", jwks="", refresh_seconds=0.0, ca=None)
        for each in gateway.identity.issuers
    )
    return (
        replace(gateway.identity, issuers=issuers, logins=()),
        [(each.name, each.issuer.issuer, each.issuer.claims) for each in gateway.identity.logins],
        gateway.mcp,
        gateway.models,
        gateway.rules,
        gateway.guards,
        tuple(replace(each, alerts=()) for each in gateway.budgets),
        gateway.prices,
        [
            (
                *(each.name, each.vendor, each.base_path),
                *(each.offers, each.headers, each.body_form),
            )
            for each in gateway.providers
        ],
        {
            each.name: (each.is_caller_required, each.needs_identity, each.accepts, each.login)
            for each in gateway.routes
        },
    )


def again(text: str) -> Config:
    config = load(text, file="published", environment={})
    assert isinstance(config, Config), "\n".join(map(str, config))
    return config


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_published_means_the_same_but_for_provider_keys(path: Path) -> None:
    config = load_file(path, {})
    assert isinstance(config, Config)
    sent = published(config)
    received = again(sent)
    assert without_secrets(resolve(received)) == without_secrets(resolve(config))
    assert published(received) == sent


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_workers_do_the_same_with_what_they_are_told(path: Path) -> None:
    config = load_file(path, {})
    assert isinstance(config, Config)
    sent = for_workers(config)
    received = again(sent)
    assert read_by_workers(resolve(received)) == read_by_workers(resolve(config))
    assert for_workers(received) == sent


WHOLE = """
    gateways: {d: {port: 1}}
    llm: {providers: {v: {type: vllm, pool: ["10.0.0.1:80"]}, o: {type: openai}}, models: {m: v/m}}
    routes:
      - {name: b, backend: "http://b", auth: none}
      - {name: a, backend: "http://a", timeout: 5s, match: {path: {prefix: /a}}, gateways: [d]}
    """


def test_workers_are_told_what_they_need() -> None:
    assert yaml.safe_load(for_workers(loaded(WHOLE))) == {
        "llm": {
            "providers": {
                "v": {"type": "vllm", "url": f"{NOWHERE}/v1", "auth": {"type": "none"}},
                "o": {"type": "openai"},
            },
            "models": {"m": {"failover": ["v/m"]}},
        },
        "routes": [
            {"name": "a", "backend": NOWHERE},
            {"name": "b", "backend": NOWHERE, "auth": "none"},
        ],
    }


def test_workers_take_what_says_nothing_to_them() -> None:
    assert isinstance(again(for_workers(loaded("gateways: {d: {port: 1}}"))), Config)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("port: 1", "port: 2"),
        ("10.0.0.1:80", "10.0.0.2:80"),
        ("{type: openai}", "{type: openai, timeouts: {silence: 9s}, forward_headers: [x-a]}"),
        ("http://b", "http://c"),
        ("5s", "6s"),
        ("/a}", "/b}"),
        ("name: b, backend", "retries: 2, name: b, backend"),
        ("gateways: [d]", "replace_prefix: /c"),
    ],
)
def test_what_concerns_no_worker_changes_nothing_for_them(old: str, new: str) -> None:
    changed = WHOLE.replace(old, new)
    assert changed != WHOLE
    assert for_workers(loaded(changed)) == for_workers(loaded(WHOLE))


CLOUDS = """
    llm:
      providers:
        v: {type: vertex, region: eu, project: p, headers: {x-a: b}, auth: {type: none}}
        b: {type: bedrock-claude, region: us-east-1, key: hunter2}
        a: {type: azure-openai, resource: r, api_version: 2024-10-21, key: hunter2}
        d: {type: deepseek, url: 'https://d.example/x', auth: {type: api-key, key: hunter2}}
        e: {type: bedrock, url: 'https://e', auth: {type: aws, region: us-east-2}}
        c: {type: custom, url: 'http://c', offers: {messages: /m, chat: '/c'}}
    """


def test_workers_know_the_paths_of_clouds_and_nothing_of_who_asks_there() -> None:
    config = loaded(CLOUDS)
    sent = for_workers(config)
    assert "hunter2" not in sent
    assert read_by_workers(resolve(again(sent))) == read_by_workers(resolve(config))
    assert for_workers(again(sent)) == sent
    assert resolve(again(published(config))) == without_secrets(resolve(config))
    assert yaml.safe_load(sent)["llm"]["providers"]["v"] == {
        "type": "vertex",
        "headers": {"x-a": "b"},
        "url": f"{NOWHERE}/v1/projects/p/locations/eu",
        "auth": {"type": "none"},
    }


SECRETS = """
    identity: {api_keys: {keys: [{name: a, key: "${KEY}", team: t}, {name: b, key: hunter2-b}]}}
    llm: {providers: {p: {type: openai, key: "${KEY}"}}}
    guardrails:
      - {type: openai-moderation, key: "${KEY}"}
      - {type: webhook, url: "https://g.example/", auth: {type: api-key, key: "${KEY}"}}
    """
SIGNED = "whsec_aHVudGVyMi1pcy1uby1zZWNyZXQtYXQtYWxs"


def test_no_secret_is_published() -> None:
    sent = published(loaded(SECRETS, KEY="hunter2-a"))
    assert "hunter2" not in sent
    assert "hunter2" not in for_workers(loaded(SECRETS, KEY="hunter2-a"))
    document = yaml.safe_load(sent)
    assert list(document["identity"]["api_keys"]["keys"][0]) == ["name", "digest", "team"]
    assert document["llm"]["providers"]["p"] == {"type": "openai"}
    assert document["guardrails"] == [
        {"type": "openai-moderation"},
        {"type": "webhook", "url": "https://g.example/", "auth": {"type": "none"}},
    ]


def test_workers_alone_are_told_what_they_sign_with() -> None:
    config = loaded(f'guardrails: [{{type: webhook, url: "http://g/", secret: {SIGNED}}}]')
    assert SIGNED not in published(config)
    (guard,) = resolve(again(for_workers(config))).guards
    assert guard == resolve(config).guards[0]


def test_workers_read_no_file_of_another_machine(tmp_path: Path) -> None:
    authority = Authority()
    cert, key = authority.server()
    (tmp_path / "c.pem").write_text(cert)
    (tmp_path / "k.pem").write_text(key)
    write(
        tmp_path,
        a="""
            include: [b.yaml]
            gateways: {d: {port: 1, tls: {cert: c.pem, key: k.pem}}}
            llm:
              price_files: [p.yaml]
              providers: {o: {type: openai, ca: c.pem}}
            xds:
              tls: {cert: c.pem, key: k.pem}
              clients: [{name: a, token: hunter2}]
              resources: [{"@type": x, name: hunter2}]
            """,
        b="routes: [{name: r, backend: 'http://r'}]",
        p="m: {input: 1, output: 2}",
    )
    config = config_of(tmp_path / "a.yaml")
    sent = published(config)
    assert "hunter2" not in sent
    assert yaml.safe_load(sent) == {
        "gateways": {"d": {"port": 1}},
        "llm": {
            "providers": {"o": {"type": "openai"}},
            "prices": {"m": {"input": "1", "output": "2"}},
        },
        "routes": [{"name": "r", "backend": "http://r"}],
    }
    assert resolve(again(sent)) == without_secrets(resolve(config))


def test_only_what_was_written_is_published() -> None:
    assert published(loaded("llm: {models: {}}")) == "llm:\n  models: {}\n"


def test_the_environment_is_not_asked_again() -> None:
    text = "authorize: [{name: a, allow: \"'$${B}' == '${A}' || request.id == ''\"}]"
    config = loaded(text, A="${B}")
    assert config.authorize[0].allow == "'${B}' == '${B}' || request.id == ''"
    assert again(published(config)) == config


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["C"]), max_size=20))
def test_any_text_survives(text: str) -> None:
    guard = {"type": "regex", "patterns": ["a"], "replacement": text}
    config = Config.model_validate({"guardrails": [guard]})
    assert again(published(config)) == config
