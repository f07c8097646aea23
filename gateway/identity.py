"""Who may come in: holders of API keys, of tokens (JWT) of a known issuer, of tokens that are
asked about, of certificates, of passwords; people who have logged in."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A credential and who holds it. The key itself is not kept, only its digest."""

    name: str
    digest: str
    """SHA-256 of the key, hex."""
    user: str = ""
    team: str = ""
    groups: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    models: tuple[str, ...] = ()
    """Which it opens, `*` stands for anything; empty: all."""
    tools: tuple[str, ...] = ()
    """Which tools of MCP servers it opens: globs over `SERVER__TOOL`; empty: all."""


class TokenMode(StrEnum):
    """What becomes of requests without a token of an issuer, or with one that is not valid."""

    STRICT = "strict"
    """A credential is required, and a token that is not valid is refused."""
    OPTIONAL = "optional"
    """None is required; a token that is not valid is refused."""
    PERMISSIVE = "permissive"
    """None is required; a token that is not valid counts as none."""


class Accepts(StrEnum):
    """Which credentials a route takes."""

    ANY = "any"
    KEY = "key"
    JWT = "jwt"
    BASIC = "basic"
    INTROSPECTION = "introspection"
    LOGIN = "login"
    """That alone; where something else is taken beside it, the route has the name of the login."""


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """Where a token says who its subject is. A claim of that name, or a path with dots into one."""

    user: str = "sub"
    team: str = ""
    groups: str = ""
    """A list of texts, or one text; in `scope` and `scp`, spaces separate."""
    tags: tuple[tuple[str, str], ...] = ()
    """Name of the tag → claim."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """An identity provider whose tokens are taken. Either `jwks_url` or `jwks`."""

    issuer: str
    """What `iss` says, exactly."""
    audiences: tuple[str, ...]
    """Any of them must be in `aud`; empty: it is not looked at."""
    jwks_url: str = ""
    """Where Envoy fetches the keys."""
    jwks: str = field(default="", repr=False)
    """The keys themselves, as JSON (RFC 7517 §5)."""
    refresh_seconds: float = 300.0
    ca: str | None = field(default=None, repr=False)
    """PEM of the authorities that the URL's certificate is checked against; None: the system's."""
    mode: TokenMode = TokenMode.STRICT
    claims: ClaimNames = ClaimNames()
    is_forwarded: bool = False
    """Whether backends of plain routes get the token."""
    leeway_seconds: int = 60
    """How far the clocks of issuer and gateway may differ."""


@dataclass(frozen=True, slots=True)
class CertificateHolders:
    """Clients that are known by the certificate of their connection, which Envoy has checked."""

    sans: tuple[str, ...]
    """Globs over the first URI name of the certificate, else over its first DNS name."""
    user: str = ""
    """Empty: that name."""
    team: str = ""
    groups: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PasswordHolder:
    """A user who is known by a password (HTTP Basic)."""

    user: str
    hash: str = field(repr=False)
    """Of a form that `gateway.passwords` knows."""
    team: str = ""
    groups: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Passwords:
    """Users and their passwords."""

    holders: tuple[PasswordHolder, ...]
    realm: str
    """What clients are told that the password is for."""
    is_forwarded: bool = False
    """Whether backends of plain routes get user and password."""


class ClientAuth(StrEnum):
    """How a client shows its secret to an authorization server (RFC 6749 §2.3.1)."""

    BASIC = "basic"
    POST = "post"
    NONE = "none"


class LoginToken(StrEnum):
    """Which of the tokens that an authorization server gives."""

    ID = "id"
    """Who has logged in (OpenID Connect Core §2)."""
    ACCESS = "access"
    """What they may ask for."""


@dataclass(frozen=True, slots=True)
class LoginEndpoints:
    """Where an authorization server is asked. All but the token endpoint is for browsers."""

    authorization: str
    """Whose query may have parameters."""
    token: str
    """Asked by Envoy."""
    end_session: str = ""
    """Empty: who signs out stays logged in there."""
    ca: str | None = field(default=None, repr=False)
    """PEM of the authorities that the token endpoint's certificate is checked against; None: the
    system's."""


_MOST_WAYS = 4
"""Pages of one browser that may be on the way to log in."""


@dataclass(frozen=True, slots=True)
class LoginCookies:
    """In which cookies a browser keeps what proves its login."""

    prefix: str
    """What their names begin with; those of others do not."""
    domain: str = ""
    """Empty: they are for one host alone."""
    is_cross_site: bool = False
    """They are sent with requests that pages of other sites make."""
    secret: str = field(default="", repr=False)
    """What they are signed and encrypted with; empty: what the machine keeps."""

    @property
    def session(self) -> str:
        """The cookie that names a login which is kept here."""
        return f"{self.prefix}session"

    def way(self, state: str) -> str:
        """The cookie of a browser that is away to log in: one of a few."""
        return f"{self.prefix}way-{ord(state[0]) % _MOST_WAYS}"


@dataclass(frozen=True, slots=True)
class Login:
    """A way for people with browsers to say who they are: an authorization server knows them
    (OpenID Connect)."""

    name: str
    issuer: Issuer
    """How the token that counts is checked."""
    endpoints: LoginEndpoints
    client_id: str
    client_secret: str = field(repr=False)
    client_auth: ClientAuth
    scopes: tuple[str, ...]
    redirect_path: str
    """Where browsers come back to."""
    sign_out_path: str
    cookies: LoginCookies
    url: str = ""
    """What browsers call the gateway; empty: as they say."""
    token: LoginToken = LoginToken.ID
    """The one that counts."""
    forwarded: LoginToken | None = None
    """The one that backends get; None: none."""
    is_refreshed: bool = True
    idle_seconds: int = 28800
    """After that long without a request, somebody has to log in again, where the refresh token says
    nothing else."""
    timeout_seconds: float = 5.0
    """For the token endpoint."""
    is_kept: bool = False
    """The tokens are kept here, and browsers have a number that stands for them."""
    back_channel_path: str = ""
    """Where the issuer says who has gone; empty: it is not heard."""

    @property
    def token_service(self) -> str:
        """The service that gives tokens for a login that is kept here."""
        return f"login/{self.name}/token"

    @property
    def keys_service(self) -> str:
        """The service that has the keys of its issuer."""
        return f"login/{self.name}/keys"


INTROSPECTION_SERVICE = "introspection"
"""Its name among those that extproc asks."""


@dataclass(frozen=True, slots=True)
class Introspection:
    """A server that knows tokens which say nothing by themselves (RFC 7662)."""

    path: str
    """Where it is asked, at the service of this kind."""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    client_auth: ClientAuth = ClientAuth.NONE
    issuer: str = ""
    """What `iss` must say; empty: it is not looked at."""
    audiences: tuple[str, ...] = ()
    """Any of them must be in `aud`; empty: it is not looked at."""
    claims: ClaimNames = ClaimNames()
    cache_seconds: float = 60.0
    cache_inactive_seconds: float = 5.0
    timeout_seconds: float = 2.0
    """For all tries."""
    is_forwarded: bool = False
    """Whether backends of plain routes get the token."""


STALE_KEYS_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Identity:
    """Who may come in."""

    api_keys: tuple[ApiKey, ...] = ()
    issuers: tuple[Issuer, ...] = ()
    is_required: bool = False
    """False: a request without credentials is anonymous; a wrong credential is always refused."""
    has_stored_keys: bool = False
    """Keys that are made at run time open the door as well."""
    certificates: tuple[CertificateHolders, ...] = ()
    """The first that a certificate fits."""
    passwords: Passwords | None = None
    """None: nobody is known by one."""
    introspection: Introspection | None = None
    """Who is asked about tokens that nobody here knows; None: nobody."""
    stale_keys_seconds: float = STALE_KEYS_SECONDS
    """For how long keys that are made at run time are believed while their server is away."""
    logins: tuple[Login, ...] = ()
    """On the routes that name one, browsers are sent to log in."""

    @property
    def kept_logins(self) -> tuple[Login, ...]:
        """Those whose tokens are kept here."""
        return tuple(each for each in self.logins if each.is_kept)

    @property
    def envoys_logins(self) -> tuple[Login, ...]:
        """Those whose tokens browsers keep, which Envoy sees to."""
        return tuple(each for each in self.logins if not each.is_kept)

    @property
    def are_keys_for_models(self) -> bool:
        """Whether some key may be for some models alone."""
        return self.has_stored_keys or any(each.models for each in self.api_keys)

    @property
    def are_keys_for_tools(self) -> bool:
        """Whether some key may be for some tools alone."""
        return self.has_stored_keys or any(each.tools for each in self.api_keys)

    @property
    def knows_callers(self) -> bool:
        """Whether anybody can say who calls, beside people at browsers."""
        by_key = bool(self.api_keys) or self.has_stored_keys
        by_token = bool(self.issuers) or self.introspection is not None
        return by_key or by_token or bool(self.certificates) or self.passwords is not None
