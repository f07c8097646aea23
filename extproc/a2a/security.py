"""How clients show who they are, as cards say it: security schemes and requirements of both
revisions (A2A 1.0 §4.5, 0.3.0 §5.5.3; OpenAPI 3.0)."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class Scheme(Struct, frozen=True):
    """A way to show who one is."""

    name: str
    """What requirements call it."""
    kind: str
    """What 1.0 wraps it in."""
    said: Mapping[str, object]
    """As 1.0 says it."""
    legacy: Mapping[str, object]
    """As 0.3 says it."""

    @property
    def document(self) -> dict[str, object]:
        """For readers of both."""
        return {**self.legacy, self.kind: self.said}


class Requirement(Struct, frozen=True):
    """What a client must show, all of it."""

    schemes: tuple[tuple[str, tuple[str, ...]], ...]
    """Their names, and the scopes that are needed."""


class Security(Struct, frozen=True):
    """What clients must show; one of the requirements is enough."""

    schemes: tuple[Scheme, ...] = ()
    requirements: tuple[Requirement, ...] = ()

    def said_schemes(self) -> dict[str, object]:
        """`securitySchemes`, for readers of both revisions."""
        return {each.name: each.document for each in self.schemes}

    def said_requirements(self) -> list[dict[str, object]]:
        """`securityRequirements` of 1.0."""
        return [
            {"schemes": {name: {"list": list(scopes)} for name, scopes in each.schemes}}
            for each in self.requirements
        ]

    def said_legacy(self) -> list[dict[str, list[str]]]:
        """`security` of 0.3."""
        return [{name: list(scopes) for name, scopes in each.schemes} for each in self.requirements]


NO_SECURITY = Security()


def any_of(*schemes: Scheme) -> Security:
    """One of these is enough."""
    needed = tuple(Requirement(((each.name, ()),)) for each in schemes)
    return Security(schemes, needed)


def api_key(header: str, name: str = "apiKey") -> Scheme:
    """A key in a header."""
    said = {"location": "header", "name": header}
    legacy = {"type": "apiKey", "in": "header", "name": header}
    return Scheme(name, "apiKeySecurityScheme", said, legacy)


def bearer(form: str = "", name: str = "bearer") -> Scheme:
    """`Authorization: Bearer …`; the form says of what kind the token is: `JWT`."""
    said = {"scheme": "bearer", **({"bearerFormat": form} if form else {})}
    return Scheme(name, "httpAuthSecurityScheme", said, {"type": "http", **said})


def basic(name: str = "basic") -> Scheme:
    """User and password (RFC 7617)."""
    said = {"scheme": "basic"}
    return Scheme(name, "httpAuthSecurityScheme", said, {"type": "http", **said})


def mutual_tls(name: str = "mutualTLS") -> Scheme:
    """A certificate of the client."""
    return Scheme(name, "mtlsSecurityScheme", {}, {"type": "mutualTLS"})


def open_id_connect(url: str, name: str = "openIdConnect") -> Scheme:
    """A token of an identity provider, whose configuration is at the URL."""
    said = {"openIdConnectUrl": url}
    return Scheme(name, "openIdConnectSecurityScheme", said, {"type": "openIdConnect", **said})


class CodeFlow(Struct, frozen=True):
    """Where a client gets a token with a code (RFC 6749 §4.1)."""

    authorization_url: str
    token_url: str
    scopes: tuple[tuple[str, str], ...] = ()
    """Each with what it is for."""


def oauth(flow: CodeFlow, metadata_url: str = "", name: str = "oauth2") -> Scheme:
    """A token that an authorization server issues; its metadata (RFC 8414) are at the URL."""
    said: dict[str, object] = {
        "flows": {
            "authorizationCode": {
                "authorizationUrl": flow.authorization_url,
                "tokenUrl": flow.token_url,
                "scopes": dict(flow.scopes),
            }
        }
    }
    if metadata_url:
        said["oauth2MetadataUrl"] = metadata_url
    return Scheme(name, "oauth2SecurityScheme", said, {"type": "oauth2", **said})
