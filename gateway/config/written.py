"""What the rules look at: what could be understood, and every name that was written."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.config.schema import Config
from gateway.config.tiers import meaning


@dataclass(frozen=True, slots=True)
class Written:
    """A Config, with the names of blocks that are themselves mistaken, so that none is called
    unknown only because it is wrong in another way."""

    config: Config
    gateways: frozenset[str]
    providers: frozenset[str]
    models: frozenset[str]
    routes: frozenset[str]
    keys: frozenset[str]
    has_xds_tls: bool = False
    """It was written, and may be mistaken."""
    has_issuers: bool = False
    """The same."""
    has_passwords: bool = False
    """The same."""
    has_introspection: bool = False
    """The same."""
    logins: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    """That may be asked whether requests may pass."""
    mcp_servers: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    agent_groups: frozenset[str] = frozenset()

    @staticmethod
    def of(config: Config, document: object = None) -> Written:
        """`document`: the values as read, with those that were put aside."""
        gateways = _keys(document, "gateways") or frozenset(config.gateways)
        return Written(
            config,
            gateways=gateways | frozenset(config.gateways),
            providers=_keys(document, "llm", "providers") | frozenset(config.llm.providers),
            models=_keys(document, "llm", "models") | frozenset(config.llm.models),
            routes=_names(document, "routes") | {route.name for route in config.routes},
            keys=_names(document, "identity", "api_keys", "keys")
            | {key.name for key in config.identity.api_keys.keys},
            has_xds_tls=_at(document, ("xds", "tls")) is not None,
            has_issuers=bool(_at(document, ("identity", "jwt"))),
            has_passwords=_at(document, ("identity", "basic")) is not None,
            logins=_keys(document, "identity", "logins"),
            services=_keys(document, "external_authz"),
            mcp_servers=_keys(document, "mcp", "servers") | frozenset(config.mcp.servers),
            agents=_keys(document, "a2a", "agents") | frozenset(config.a2a.agents),
            agent_groups=_keys(document, "a2a", "groups") | frozenset(config.a2a.groups),
            has_introspection=_at(document, ("identity", "introspection")) is not None,
        )

    def knows_reference(self, name: str, reference: str) -> bool:
        """Whether a reference in the model `name` leads to something that was written."""
        if meaning(name, reference, self.config.llm) is not None:
            return True
        provider, _, model = reference.partition("/")
        return (reference != name and reference in self.models) or (
            bool(model) and provider in self.providers
        )


def _at(document: object, path: tuple[str, ...]) -> object:
    for part in path:
        document = document.get(part) if isinstance(document, dict) else None
    return document


def _keys(document: object, *path: str) -> frozenset[str]:
    found = _at(document, path)
    return frozenset(found) if isinstance(found, dict) else frozenset()


def _names(document: object, *path: str) -> frozenset[str]:
    found = _at(document, path)
    items = found if isinstance(found, list) else []
    names = (item.get("name") for item in items if isinstance(item, dict))
    return frozenset(name for name in names if isinstance(name, str))
