"""Logins of people with browsers (OpenID Connect), by Envoy's `oauth2` filter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Literal, TypeAlias
from urllib.parse import quote, urlencode

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from gateway.config.block import Block, refusal
from gateway.config.discovery import (
    FETCHED_WITHOUT_TLS,
    DiscoveryBlock,
    is_fetched_without_tls,
    of_login,
)
from gateway.config.finding import Finding, Path
from gateway.config.issuers import NO_KEYS, ClaimsBlock, JwksBlock, Leeway, mistaken_keys
from gateway.config.referenced import TextFile
from gateway.config.routes import Hostname, RouteBlock, UrlPath
from gateway.config.scalars import Duration, Flag, Secret, Text
from gateway.config.urls import NOWHERE, Origin, Url, is_exposed, place
from gateway.identity import (
    ClientAuth,
    Issuer,
    Login,
    LoginCookies,
    LoginEndpoints,
    LoginToken,
)
from gateway.model import Service
from gateway.problem import did_you_mean

_OPENID = "openid"
_CLIENT_ID = re.compile(r"[A-Za-z0-9._~:/@-]+")
_HOST_ONLY, _SECURE = "__Host-", "__Secure-"
_SHORTEST_SECRET = 32
_SHORTEST_IDLE = 60.0
_LONGEST_TIMEOUT = 60.0
_CONNECT_SECONDS = 3.0
_OWN_PARAMETERS = frozenset(
    (
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
    )
)
"""What Envoy says itself (RFC 6749 §4.1.1, RFC 7636 §4.3)."""


def _scope(value: str) -> str:
    if not value.isascii() or not value.isprintable() or set(value) & set(' "\\'):
        raise refusal("must be a scope, without spaces, quotes and backslashes")
    return value


def _prefix(value: str) -> str:
    if not value.replace("-", "").replace("_", "").isalnum() or not value.isascii():
        raise refusal("must be letters, digits, '-' and '_'")
    return value


def _long_enough(value: Secret) -> Secret:
    if len(value.get_secret_value()) < _SHORTEST_SECRET:
        raise refusal(f"must have {_SHORTEST_SECRET} characters or more", is_shown=False)
    return value


def _idle(value: float) -> float:
    if value < _SHORTEST_IDLE or not value.is_integer():
        raise refusal("must be whole seconds, a minute or more")
    return value


def _timeout(value: float) -> float:
    if not 0.1 <= value <= _LONGEST_TIMEOUT:
        raise refusal("must be from 100ms to 1m")
    return value


ScopeName: TypeAlias = Annotated[Text, AfterValidator(_scope)]
CookiePrefix: TypeAlias = Annotated[
    Text, AfterValidator(_prefix), WithJsonSchema({"type": "string"})
]
CookieSecret: TypeAlias = Annotated[Secret, AfterValidator(_long_enough)]
Idle: TypeAlias = Annotated[Duration, AfterValidator(_idle)]
Timeout: TypeAlias = Annotated[Duration, AfterValidator(_timeout)]


def _client_id(value: str) -> str:
    if not _CLIENT_ID.fullmatch(value):
        raise refusal(
            "must be letters, digits and signs of '-._~:/@', since Envoy says it as it is"
        )
    return value


ClientId: TypeAlias = Annotated[Text, AfterValidator(_client_id)]


class LoginClientBlock(Block):
    """Who asks for people to be logged in: the gateway, as the issuer knows it (RFC 6749 §2)."""

    id: ClientId
    """The client's id. The ID token must be for it."""
    secret: Secret
    """Its secret, best as `${VARIABLE}`. Envoy alone is told."""
    method: Literal["basic", "post"] = "basic"
    """How it is shown: in the header `Authorization`, or as `client_id` and `client_secret` in the
    body."""

    @model_validator(mode="after")
    def _fits(self) -> LoginClientBlock:
        if self.method == "basic" and set(self.id) & set(":/@"):
            raise refusal("has an id with ':', '/' or '@'", "method: post", is_shown=False)
        return self


class LoginEndpointsBlock(Block):
    """Where the issuer is asked, as its `/.well-known/openid-configuration` says."""

    authorization: Url
    """`authorization_endpoint`: browsers are sent there to log in."""
    token: Url
    """`token_endpoint`: Envoy asks there for tokens, and for new ones."""
    end_session: Url | None = None
    """`end_session_endpoint`: browsers are sent there when they sign out. Without it, they forget
    the login, and the issuer does not."""
    ca: TextFile | None = None
    """Certificate authorities in PEM that the token endpoint's certificate is checked against.
    Default: the system's."""

    @model_validator(mode="after")
    def _fits(self) -> LoginEndpointsBlock:
        if self.ca is not None and not self.token.startswith("https:"):
            raise refusal("has a ca, and no https token endpoint", is_shown=False)
        return self


NOT_WRITTEN = LoginEndpointsBlock(authorization=NOWHERE, token=NOWHERE)
"""Never there in a block that is valid."""


class LoginCookiesBlock(Block):
    """In which cookies browsers keep what proves the login. They are encrypted, signed, out of
    reach of scripts (`HttpOnly`), and for https alone (`Secure`)."""

    prefix: CookiePrefix | None = None
    """What their names begin with, behind `__Host-`, or `__Secure-` where there is a domain.
    Default: the name of the login. Cookies whose names begin so reach no backend."""
    domain: Hostname | None = None
    """The domain whose hosts all get them. Default: the one host that set them."""
    same_site: Literal["lax", "none"] = "lax"
    """`none`: they are also sent with requests that pages of other sites make. `strict` would not
    outlive the way back from the issuer."""
    secret: CookieSecret | None = None
    """What they are encrypted and signed with, 32 characters or more, the same on all machines that
    people may reach. Default: one that the control plane makes, and keeps in its state
    directory."""

    @model_validator(mode="after")
    def _is_one_domain(self) -> LoginCookiesBlock:
        if self.domain is not None and self.domain.startswith("*"):
            raise refusal("the domain has no '*': its hosts are meant, too")
        return self

    def meaning(self, name: str) -> LoginCookies:
        """What is meant, of a login of this name."""
        own = self.prefix or name.replace(".", "_")
        return LoginCookies(
            f"{_HOST_ONLY if self.domain is None else _SECURE}{own}-",
            self.domain or "",
            self.same_site == "none",
            "" if self.secret is None else self.secret.get_secret_value(),
        )


class LoginBlock(Block):
    """An authorization server that people with browsers are sent to (OpenID Connect Core, the
    authorization code flow with PKCE), on the routes that name it in `login`. What calls by itself,
    without `Accept: text/html`, is told 401 instead."""

    issuer: Text
    """What `iss` of its tokens says, to the letter."""
    client: LoginClientBlock
    """Who asks for people to be logged in."""
    endpoints: LoginEndpointsBlock = NOT_WRITTEN
    """Where the issuer is asked. Default: as its discovery document says."""
    jwks: JwksBlock = NO_KEYS
    """The issuer's public keys. Default: where its discovery document says."""
    discovery: DiscoveryBlock | None = None
    """Where the issuer says what is not written here of endpoints, jwks and `client.method`."""
    scopes: tuple[ScopeName, ...] = (_OPENID, "profile", "email")
    """What is asked for. `openid` must be there, unless `token` is `access`."""
    parameters: dict[Text, Text] = Field(default={})
    """More parameters of the authorization endpoint, such as `prompt` or `audience`."""
    token: LoginToken = LoginToken.ID
    """Which token says who the caller is: the ID token, or the access token, where that is one that
    can be read (JWT)."""
    audiences: tuple[Text, ...] | None = None
    """Any of them must be in `aud` of that token. Default: the client's id, which an ID token has
    always."""
    claims: ClaimsBlock = ClaimsBlock()
    """Which claims of that token say who the caller is."""
    leeway: Leeway = 60.0
    """How far the clocks of issuer and gateway may differ, to the second."""
    redirect_path: UrlPath | None = None
    """Where browsers come back to; the issuer must know it. Default: `/login/NAME/callback`."""
    sign_out_path: UrlPath | None = None
    """Where people sign out. Default: `/login/NAME/sign-out`."""
    url: Origin | None = None
    """What browsers call the gateway, where something in front of it ends TLS:
    `https://app.example.com`. Default: scheme and host of their request."""
    cookies: LoginCookiesBlock = LoginCookiesBlock()
    """In which cookies browsers keep the login."""
    sessions: Literal["browser", "server"] = "browser"
    """Where the tokens are: in cookies of the browser, by Envoy's own filter; or `server`: beside
    the ledger, encrypted, and the browser has a cookie that stands for them. Then a `nonce` is sent
    and checked, tokens may be large, they are renewed with each Envoy, and the issuer can end a
    login."""
    back_channel_logout_path: UrlPath | None = None
    """Where the issuer says who has logged out there (OpenID Connect Back-Channel Logout), with
    `sessions: server`. Default: `/login/NAME/back-channel-logout`."""
    refresh: Flag = True
    """Whether tokens that have expired are renewed without a new login, where the issuer gives
    refresh tokens."""
    idle: Idle = 28800.0
    """For how long without a request a login can be renewed so, unless the refresh token itself
    says when it expires."""
    forward: LoginToken | None = None
    """Which token the backends get, as `Authorization: Bearer …`: `access` or `id`. Default:
    none."""
    timeout: Timeout = 5.0
    """How long the token endpoint may take."""

    @model_validator(mode="before")
    @classmethod
    def _discovered(cls, data: object) -> object:
        return of_login(data)

    @model_validator(mode="after")
    def _fits(self) -> LoginBlock:
        reads_id = LoginToken.ID in (self.token, self.forward) or self.endpoints.end_session
        if reads_id and _OPENID not in self.scopes:
            raise refusal("needs the scope openid, without which there is no ID token")
        if taken := _OWN_PARAMETERS & self.parameters.keys():
            raise refusal(f"has the parameter {min(taken)}, which Envoy sets itself")
        if self.sessions == "server" and "nonce" in self.parameters:
            raise refusal("has the parameter nonce, which is another each time")
        if self.sessions == "server" and _OPENID not in self.scopes:
            raise refusal("needs the scope openid, without which there is no ID token")
        if self.sessions == "browser" and self.back_channel_logout_path is not None:
            raise refusal("has a back_channel_logout_path, which is for sessions: server")
        return self

    def paths(self, name: str) -> dict[str, str]:
        """Field → path, of those that Envoy, or extproc, answers at."""
        found = {
            "redirect_path": self.redirect_path or f"/login/{name}/callback",
            "sign_out_path": self.sign_out_path or f"/login/{name}/sign-out",
        }
        if self.sessions == "server":
            own = self.back_channel_logout_path or f"/login/{name}/back-channel-logout"
            found["back_channel_logout_path"] = own
        return found

    def meaning(self, name: str) -> Login:
        """What is meant."""
        jwks, endpoints, paths = self.jwks, self.endpoints, self.paths(name)
        added = urlencode(self.parameters, quote_via=quote)
        return Login(
            name,
            Issuer(
                self.issuer,
                (self.client.id,) if self.audiences is None else self.audiences,
                jwks.url or "",
                jwks.text,
                jwks.refresh,
                jwks.ca.text if jwks.ca is not None else None,
                claims=self.claims.meaning,
                leeway_seconds=round(self.leeway),
            ),
            LoginEndpoints(
                f"{endpoints.authorization}?{added}" if added else endpoints.authorization,
                endpoints.token,
                endpoints.end_session or "",
                endpoints.ca.text if endpoints.ca is not None else None,
            ),
            self.client.id,
            self.client.secret.get_secret_value(),
            ClientAuth(self.client.method),
            self.scopes,
            paths["redirect_path"],
            paths["sign_out_path"],
            self.cookies.meaning(name),
            self.url or "",
            self.token,
            self.forward,
            self.refresh,
            round(self.idle),
            self.timeout,
            self.sessions == "server",
            paths.get("back_channel_logout_path", ""),
        )


def services(blocks: Mapping[str, LoginBlock]) -> Iterator[Service]:
    """Whom Envoy connects to for logins that are kept here."""
    for name, block in blocks.items():
        if block.sessions == "server":
            of = block.meaning(name)
            asked = {of.token_service: (block.endpoints.token, block.endpoints.ca)}
            if block.jwks.url is not None:
                asked[of.keys_service] = (block.jwks.url, block.jwks.ca)
            for service, (url, ca) in asked.items():
                upstream = place(url).upstream(_CONNECT_SECONDS)
                yield Service(service, replace(upstream, ca=None if ca is None else ca.text))


def findings(
    blocks: Mapping[str, LoginBlock], known: frozenset[str], routes: tuple[RouteBlock, ...]
) -> Iterator[Finding]:
    """What the blocks cannot know alone. `known`: the names that were written."""
    prefixes: dict[str, str] = {}
    paths: dict[str, str] = {}
    for name, block in blocks.items():
        at: Path = ("identity", "logins", name)
        if block.jwks.url is None:
            mistake = mistaken_keys(block.jwks.text)
            form = "inline" if block.jwks.file is None else "file"
            if mistake is not None:
                yield Finding((*at, "jwks", form), f"the key set {mistake}")
        prefix = block.cookies.meaning(name).prefix
        for other, its_prefix in prefixes.items():
            if prefix.startswith(its_prefix) or its_prefix.startswith(prefix):
                hint = "write another prefix under cookies"
                yield Finding(at, f"its cookies have names that are those of '{other}'", hint)
        prefixes[name] = prefix
        for field, path in block.paths(name).items():
            if path in paths:
                yield Finding((*at, field), f"the path '{path}' is {paths[path]} already")
            paths[path] = f"the {field} of '{name}'"
    for index, route in enumerate(routes):
        if route.login is not None and route.login not in known:
            hint = did_you_mean(route.login, known)
            yield Finding(("routes", index, "login"), f"no login '{route.login}'", hint)


def warnings(blocks: Mapping[str, LoginBlock], plain_gateways: Iterable[str]) -> Iterator[Finding]:
    """What travels without TLS, or will not work without. `plain_gateways`: those that have
    none."""
    plain = next(iter(plain_gateways), None)
    for name, block in blocks.items():
        at: Path = ("identity", "logins", name)
        if plain is not None and not (block.url or "").startswith("https:"):
            message = (
                f"browsers keep its cookies with https alone, and gateway '{plain}' has no tls"
            )
            yield Finding(at, message, "add tls there; or what is in front of it, as url here")
        for field in ("token", "authorization"):
            if is_exposed(getattr(block.endpoints, field)):
                message = "secrets and codes travel there without tls"
                yield Finding((*at, "endpoints", field), message, "https")
        if is_fetched_without_tls(block.discovery):
            yield Finding((*at, "discovery", "url"), FETCHED_WITHOUT_TLS, "https")
        if is_exposed(block.jwks.url or ""):
            message = "fetches keys without tls: whoever can change them can sign tokens"
            yield Finding((*at, "jwks", "url"), message, "https")
