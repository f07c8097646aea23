"""A login whose tokens are kept, and its issuer: without Envoy, and with a clock of their own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

from extproc.logging_in.desk import LoginDesk
from extproc.logging_in.sessions import KeptSessions
from extproc.mcp.vault import Vault
from extproc.ports import Answered, Asked, ServiceUnavailable
from gateway.identity import ClientAuth, Issuer, Login, LoginCookies, LoginEndpoints
from tests.kit.identity_provider import key_set
from tests.kit.login_provider import ISSUER, SECRET, LoginProvider
from tests.kit.memory_consents import MemoryConsents

STAFF = Login(
    "staff",
    Issuer(ISSUER, ("the-gateway",), "https://nowhere/jwks"),
    LoginEndpoints("https://idp.example.com/authorize", "https://nowhere/token"),
    "the-gateway",
    SECRET,
    ClientAuth.BASIC,
    ("openid", "email"),
    "/in",
    "/out",
    LoginCookies("__Host-staff-"),
    is_kept=True,
    back_channel_path="/gone",
)


class LoginWorld:
    """A store, an issuer, and workers that know both."""

    def __init__(self, idp: LoginProvider) -> None:
        self.idp = idp
        self.store = MemoryConsents()
        self.store.now = time.time()
        self.asked: list[str] = []
        """The clusters."""
        self.is_away = False
        idp.redirect_uris.add("https://app.example.com/in")

    def sessions(self, of: Login = STAFF) -> KeptSessions:
        """As another worker has them."""
        return KeptSessions(
            [of], lambda _: Vault(["secret"], b"test"), self.store, self, self.store.clock
        )

    def desk(self, of: Login = STAFF) -> LoginDesk:
        return LoginDesk(self.sessions(of))

    async def ask(self, cluster: str, asked: Asked, timeout_seconds: float) -> Answered:
        """As `extproc.ports.McpPeers` asks."""
        self.asked.append(cluster)
        if self.is_away:
            raise ServiceUnavailable("it is away")
        if cluster == "service/login/staff/keys":
            assert (asked.method, asked.path) == ("GET", "/jwks")
            return Answered(200, {}, key_set(self.idp.key).encode())
        assert (cluster, asked.path) == ("service/login/staff/token", "/token")
        form = {name: each[0] for name, each in parse_qs(asked.body.decode()).items()}
        status, said = self.idp.token(form, dict(asked.headers).get("authorization", ""))
        return Answered(status, {}, json.dumps(said).encode())

    def authorized(self, location: str) -> str:
        """Where the issuer sends a browser back that was sent there, with its query."""
        asked = {name: each[0] for name, each in parse_qs(urlsplit(location).query).items()}
        status, back = self.idp.authorize(asked)
        assert status == 302, location
        return back.removeprefix("https://app.example.com")


@contextmanager
def login_world() -> Iterator[LoginWorld]:
    """Its issuer is asked without HTTP."""
    with LoginProvider() as idp:
        yield LoginWorld(idp)


def changed(**fields: object) -> Login:
    """The login, but for that."""
    return replace(STAFF, **fields)  # type: ignore[arg-type]


def cookie_of(header: str) -> tuple[str, str]:
    """Name and value of `Set-Cookie`."""
    name, _, value = header.partition(";")[0].partition("=")
    return name, value
