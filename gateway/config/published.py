"""What the control plane tells of the configuration: without secrets, and without files to read.

Variables are replaced, keys of providers and guards are gone, API keys are digests; what stands in
other files stands here.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from gateway.config.a2a import A2aBlock
from gateway.config.emission import emit
from gateway.config.environment import each_text, escape
from gateway.config.identity import ApiKeyBlock
from gateway.config.introspection import IntrospectionBlock
from gateway.config.ledger import LedgerBlock, SqliteLedgerBlock
from gateway.config.local_guards import inline
from gateway.config.logins import LoginBlock
from gateway.config.mcp import SHORTEST_KEY, McpBlock
from gateway.config.mcp_consent import McpConsentBlock, meaning
from gateway.config.openapi import inlined, told
from gateway.config.provider_meaning import base_path
from gateway.config.providers import ProviderBlock
from gateway.config.remote_guards import WebhookGuardBlock
from gateway.config.schema import Config
from gateway.config.urls import NOWHERE, place
from gateway.config.vendors import VENDORS, Identity
from gateway.mcp import Transport

_SECRET = "key"
_PASSWORDS = ("password", "sentinel_password")
_OF_GUARDS = (_SECRET, "secret")
_READ_OF_LOGINS = ("issuer", "claims")
_OF_AUDIT = ("secret", "secret_file")
_NOT_PUBLISHED = ("include", "xds")
_NOT_FOR_WORKERS = ("gateways", "routes", "admin", "limit_services", "alerts", "external_authz")

_NOBODY = {"type": "none"}
"""In the place of a credential: some types would have one by default."""
_NOTHING: dict[str, Any] = {"llm": {}}
"""A document that says nothing at all would be refused."""

NOT_TOLD = "not-told"
"""In the place of a secret that the schema asks for."""
NOWHERE_TLS = "https://nowhere"


def published(config: Config) -> str:
    """For those who compare: YAML that loads, with any environment, to the same but for the
    secrets, and for who is told what."""
    return emit(each_text(_document(config, _NOT_PUBLISHED), escape))


def for_workers(config: Config) -> str:
    """YAML that loads to a configuration by which extproc does the same to every request.

    It says no more than that takes, so that a change of anything else changes nothing here. Every
    route is named, open ones too: Envoys ask about some of them until they know that they are.
    """
    document = _document(config, (*_NOT_PUBLISHED, *_NOT_FOR_WORKERS))
    document.get("llm", {}).pop("external_authz", None)  # Envoy asks
    _tell_ledger(document, config.ledger)
    _tell_mcp(document.get("mcp", {}), config.mcp)
    _tell_a2a(document.get("a2a", {}), config.a2a)
    for budget in document.get("budgets", ()):
        budget.pop("alerts", None)  # the control plane sends them
    if config.identity.introspection is not None:
        _tell_introspection(document["identity"]["introspection"], config.identity.introspection)
    if config.audit is not None and config.audit.sealing is not None:  # they seal
        document["audit"]["secret"] = config.audit.sealing.secret.decode()
    for guard, block in zip(document.get("guardrails", ()), config.guardrails, strict=False):
        if isinstance(block, WebhookGuardBlock) and block.secret is not None:
            guard["secret"] = block.secret.get_secret_value()  # they sign
    blocks = config.llm.providers
    is_timed = any(each.timeouts.first_byte is not None for each in blocks.values())
    for name, provider in document.get("llm", {}).get("providers", {}).items():
        kept = _read_by_workers(blocks[name], provider)
        if is_timed and (bounds := _bounds(provider)):
            kept["timeouts"] = bounds
        provider.clear()
        provider.update(kept)
    for issuer in document.get("identity", {}).get("jwt", ()):
        issuer["jwks"] = {"url": NOWHERE}  # Envoy checks
    for name, login in document.get("identity", {}).get("logins", {}).items():
        _tell_login(login, config.identity.logins[name])
    limits = [each for each in document.pop("limits", ()) if "service" not in each]
    if limits:
        document["limits"] = limits  # of services, Envoy asks
    routes = [
        {
            "name": route.name,
            "backend": NOWHERE,
            **({"auth": route.auth} if route.auth else {}),
            **({"login": route.login} if route.login else {}),
        }
        for route in sorted(config.routes, key=lambda route: route.name)
    ]
    if routes:
        document["routes"] = routes
    return emit(each_text(document or _NOTHING, escape))


def _hide_mcp(document: dict[str, Any], block: McpBlock) -> None:
    proxy = (document.get("auth") or {}).get("proxy") or {}
    proxy.pop("ca", None)
    (proxy.get("client") or {}).pop("secret", None)
    document.get("sessions", {}).pop("secrets", None)
    for name, server in document.get("servers", {}).items():
        written = block.servers[name]
        if (api := written.openapi) is not None:
            server["openapi"] = inlined(server["openapi"], api)
            if api.url is not None and written.url is None:  # a text does not say whence it came
                server["url"] = written.address
            if api.secret_query:
                server["openapi"]["secret_query"] = dict.fromkeys(api.secret_query, NOT_TOLD)
        for secret in (_SECRET, "ca", "auth"):
            server.pop(secret, None)
        for endpoint in _token_endpoints(server):
            endpoint.pop("ca", None)
            (endpoint.get("client") or {}).pop("secret", None)
        if "environment" in server:
            server["environment"] = dict.fromkeys(server["environment"], NOT_TOLD)


def _hide_a2a(document: dict[str, Any], block: A2aBlock) -> None:
    document.pop("signing", None)
    if block.push is not None:
        document["push"].pop("sign", None)  # the key is not told
        document["push"].pop("ca", None)
        if block.push.secrets:
            document["push"]["secrets"] = [NOT_TOLD.ljust(SHORTEST_KEY, "-")]
    for name, agent in document.get("agents", {}).items():
        for secret in (_SECRET, "ca", "auth"):
            agent.pop(secret, None)
        jwks = agent.get("signatures", {}).get("jwks", {})
        jwks.pop("ca", None)
        written = block.agents[name].signatures
        if jwks.pop("file", None) is not None and written is not None:
            jwks["inline"] = written.jwks.text


def _tell_a2a(document: dict[str, Any], block: A2aBlock) -> None:
    """Workers sign, and seal."""
    if block.signing is not None:
        document["signing"] = {
            "key": block.signing.text,
            **({"kid": block.signing.kid} if block.signing.kid else {}),
        }
    if block.push is not None and block.push.secrets:
        document["push"]["secrets"] = [each.get_secret_value() for each in block.push.secrets]
    if block.push is not None and block.push.sign:
        document["push"]["sign"] = True


def _token_endpoints(server: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    of = server.get("exchange") or {}
    return tuple(each for each in (of, of.get("assertion"), server.get("consent")) if each)


def _tell_mcp(document: dict[str, Any], block: McpBlock) -> None:
    """The hub starts the programs; workers and hub open sessions."""
    if keys := [each.get_secret_value() for each in block.sessions.secrets]:
        document["sessions"]["secrets"] = keys
    proxy = None if block.auth is None else block.auth.proxy
    if proxy is not None and proxy.client is not None and proxy.client.secret is not None:
        secret = proxy.client.secret.get_secret_value()  # they add it
        document["auth"]["proxy"]["client"]["secret"] = secret
    for name, server in document.get("servers", {}).items():
        written = block.servers[name]
        if written.url is not None:
            found = place(written.url)
            # those of the first revision say where to post, which must be at the same origin
            origin = found.origin if written.transport is Transport.SSE else NOWHERE
            server["url"] = f"{origin}{found.path}"
        elif "url" in server:
            server["url"] = NOWHERE
        if written.openapi is not None and written.openapi.secret_query:
            server["openapi"]["secret_query"] = told(written.openapi)  # they add it
        if written.exchange is not None:
            asked = (written.exchange, written.exchange.assertion)
            for said, one in zip(_token_endpoints(server), asked, strict=False):
                if one is None:
                    continue
                said["url"] = f"{NOWHERE_TLS}{urlsplit(one.url).path}"
                if one.client is not None and one.client.secret is not None:
                    said["client"]["secret"] = one.client.secret.get_secret_value()
        if written.consent is not None:
            _tell_consent(server["consent"], written.consent, written.address)
        if written.environment:
            server["environment"] = {
                key: value.get_secret_value() for key, value in written.environment.items()
            }


def _tell_consent(said: dict[str, Any], block: McpConsentBlock, server_url: str) -> None:
    """They ask for tokens, and say what for: so they know whom, and for which server."""
    of = meaning(block, server_url)
    if of.client_secret:
        said["client"]["secret"] = of.client_secret
    if of.issuer:
        said["issuer"] = of.issuer
    if of.resource:
        said["resource"] = of.resource


def _tell_login(said: dict[str, Any], block: LoginBlock) -> None:
    """Workers see to those that are kept here: they ask for tokens, through Envoy."""
    if block.sessions == "server":
        said["client"]["secret"] = block.client.secret.get_secret_value()
        said["endpoints"]["token"] = f"{NOWHERE_TLS}{urlsplit(block.endpoints.token).path or '/'}"
        if block.cookies.secret is not None:
            said["cookies"]["secret"] = block.cookies.secret.get_secret_value()
        if block.jwks.url is not None:
            said["jwks"] = {"url": f"{NOWHERE_TLS}{urlsplit(block.jwks.url).path or '/'}"}
        return
    kept = {name: said[name] for name in _READ_OF_LOGINS if name in said}
    said.clear()
    said.update(
        kept,
        client={"id": NOT_TOLD, "secret": NOT_TOLD},
        endpoints={"authorization": NOWHERE, "token": NOWHERE},
        jwks={"url": NOWHERE},
    )


def _tell_introspection(said: dict[str, Any], block: IntrospectionBlock) -> None:
    """Workers ask through Envoy, which connects, and checks the certificate."""
    of = block.meaning
    said.pop("ca_inline", None)
    said["url"] = f"{NOWHERE_TLS}{of.path}"
    if of.client_secret:
        said["client"]["secret"] = of.client_secret


def _tell_ledger(document: dict[str, Any], block: LedgerBlock) -> None:
    """Workers log in there themselves."""
    if not isinstance(block, SqliteLedgerBlock):
        place = block.place
        for name, secret in zip(_PASSWORDS, (place.password, place.sentinel_password), strict=True):
            if secret:
                document["ledger"][name] = secret


def _read_by_workers(provider: ProviderBlock, written: dict[str, Any]) -> dict[str, Any]:
    """What it offers, in which form, and below which path. On which machine need not be known, nor
    who is asking there."""
    read = ("type", "api_version", "headers", "offers", "defaults", "overrides")
    told: dict[str, Any] = {name: written[name] for name in read if name in written}
    own, path = VENDORS[provider.type].url, base_path(provider)
    if own is None or "{" in own or place(own).path != path:
        told["url"] = f"{NOWHERE}{path}"
        told["auth"] = _NOBODY
    return told


def _bounds(provider: dict[str, Any]) -> dict[str, Any]:
    """For how long it may say nothing before its answer begins."""
    read = ("first_byte", "silence")
    written = provider.get("timeouts", {})
    return {name: written[name] for name in read if name in written}


def _document(config: Config, without: tuple[str, ...]) -> dict[str, Any]:
    document = config.model_dump(
        mode="json", by_alias=True, exclude_unset=True, exclude=set(without)
    )
    for gateway in document.get("gateways", {}).values():
        gateway.pop("tls", None)
    document.get("llm", {}).pop("price_files", None)
    for service in document.get("external_authz", {}).values():
        service.pop("ca", None)
    for provider in document.get("llm", {}).get("providers", {}).values():
        is_keyed = provider.pop(_SECRET, None) is not None
        provider.pop("ca", None)
        has_default = VENDORS[provider["type"]].identity is not Identity.NOBODY
        if "auth" in provider or (is_keyed and has_default):
            provider["auth"] = _NOBODY
    for name, model in document.get("llm", {}).get("models", {}).items():
        block = config.llm.models[name].system_prompt
        if block is not None:
            texts = {"prepend": block.before, "append": block.after}
            model["system_prompt"] = {place: text for place, text in texts.items() if text}
    _hide_mcp(document.get("mcp", {}), config.mcp)
    _hide_a2a(document.get("a2a", {}), config.a2a)
    for name in _PASSWORDS:
        document.get("ledger", {}).pop(name, None)
    document.get("alerts", {}).get("webhook", {}).pop("secret", None)
    for name in _OF_AUDIT:
        document.get("audit", {}).pop(name, None)
    inline(document.get("guardrails", ()), config.guardrails)
    for guard in document.get("guardrails", ()):
        for name in (*_OF_GUARDS, "ca"):
            guard.pop(name, None)
        if guard.pop("auth", None) is not None:
            guard["auth"] = _NOBODY
    for index, issuer in enumerate(document.get("identity", {}).get("jwt", ())):
        issuer.pop("discovery", None)  # what it says, stands here
        jwks = issuer["jwks"]
        jwks.pop("ca", None)
        if jwks.pop("file", None) is not None:
            jwks["inline"] = config.identity.jwt[index].jwks.text
    if config.identity.basic is not None and "basic" in document.get("identity", {}):
        basic, told = document["identity"]["basic"], config.identity.basic.without_files
        kept = {name: basic[name] for name in ("users", "realm", "forward") if name in basic}
        document["identity"]["basic"] = {**told, **kept}
    for name, login in document.get("identity", {}).get("logins", {}).items():
        login.pop("discovery", None)
        login["client"]["secret"] = NOT_TOLD
        login.get("cookies", {}).pop("secret", None)
        login["endpoints"].pop("ca", None)
        login["jwks"].pop("ca", None)
        if login["jwks"].pop("file", None) is not None:
            login["jwks"]["inline"] = config.identity.logins[name].jwks.text
    introspection = document.get("identity", {}).get("introspection", {})
    introspection.get("client", {}).pop("secret", None)
    if introspection.pop("ca", None) is not None and config.identity.introspection is not None:
        introspection["ca_inline"] = config.identity.introspection.authorities
    keys = document.get("identity", {}).get("api_keys", {}).get("keys", ())
    if keys:
        hashed = map(_hashed, keys, config.identity.api_keys.keys)
        document["identity"]["api_keys"]["keys"] = list(hashed)
    return document


def _hashed(written: dict[str, Any], key: ApiKeyBlock) -> dict[str, Any]:
    rest = {name: value for name, value in written.items() if name not in (_SECRET, "digest")}
    return {"name": rest.pop("name"), "digest": key.sha256, **rest}
