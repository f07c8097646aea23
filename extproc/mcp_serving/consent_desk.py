"""Where people agree in their browsers that servers are used for them: the page that a link leads
to, the way to the authorization server, and the way back.

Whoever comes is known by a cookie of their browser's alone, so that one browser does all of it.
"""

from __future__ import annotations

import hmac
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Final, TypeAlias
from urllib.parse import parse_qs, urlsplit

from extproc.events import CONTINUE, Action
from extproc.mcp import consent_pages as pages
from extproc.mcp import oauth_client
from extproc.mcp.oauth_client import Refused, Unusable
from extproc.mcp.tickets import (
    TICKET_SECONDS,
    Connected,
    Flow,
    Ticket,
    is_same,
    name_of,
    open_flow,
    open_ticket,
    person_of,
    seal_flow,
    seal_ticket,
)
from extproc.mcp_serving.connections import Connections
from extproc.mcp_serving.hub import Hub
from extproc.ports import ConsentsUnavailable, McpPeers, ServiceUnavailable
from extproc.principal import Principal
from gateway import names
from gateway.mcp import Mcp
from gateway.mcp_auth import CALLBACK, CONNECT, callback_url, endpoints_path

_Later: TypeAlias = Awaitable[Action]
LoggedIn: TypeAlias = Callable[[str], Principal | None]

logger = logging.getLogger(__name__)

_CONNECT: Final = f"{CONNECT}/"
_CALLBACK: Final = f"{CALLBACK}/"
_COOKIE: Final = "dragoman-consent"
_COOKIE_BYTES: Final = 24
_COOKIE_FORM: Final = re.compile(r"[A-Za-z0-9_-]{32}")
_MOST_BYTES: Final = 4096
_ONCE_BEFORE: Final = "used\n"
_EXPIRED: Final = "This link is too old, or was used before. Ask your agent to try again."
_NOT_THIS_BROWSER: Final = (
    "This browser is not the one in which the link was opened, or it keeps no cookies. Open the "
    "link, and go on, in one browser."
)
_NOT_THEIRS: Final = (
    "This link was made for somebody else, and you are logged in. Do not open links that others "
    "send you."
)
_BROKEN: Final = "The authorization server does not answer as it should. Try again later."


class ConsentDesk:
    """Of all servers that want consent."""

    def __init__(
        self, mcp: Mcp, connections: Connections, hub: Hub, logged_in: LoggedIn | None
    ) -> None:
        """`logged_in`: who a browser's person is, by the claims that Envoy has checked."""
        self._mcp, self._connections = mcp, connections
        self._hub = hub
        self._logged_in = logged_in
        self._is_login_needed = bool(mcp.consent_login)
        self._url = mcp.consent_url
        self._below = endpoints_path(mcp)
        self._is_https = self._url.startswith("https://")

    def with_logins(self, logged_in: LoggedIn) -> ConsentDesk:
        """The same, which looks whether who is there has logged in."""
        return ConsentDesk(self._mcp, self._connections, self._hub, logged_in)

    # links

    def link(self, server: str, principal: Principal, session: str) -> tuple[Ticket, str]:
        """A new ticket for a caller, as it is sealed."""
        now = self._connections.clock()
        number = secrets.token_urlsafe(12)
        until = int(now) + TICKET_SECONDS
        ticket = Ticket(person_of(principal), server, until, number, session)
        return ticket, seal_ticket(self._connections.vault, ticket)

    def url_of(self, sealed: str) -> str:
        """Where a ticket leads."""
        return f"{self._url}{self._below}{_CONNECT}{sealed}"

    def opened(self, sealed: str) -> Ticket | None:
        """None: it is none of ours, or too old."""
        ticket = open_ticket(self._connections.vault, sealed, self._connections.clock())
        known = self._connections.by_server
        return ticket if ticket is not None and ticket.server in known else None

    # requests

    def is_at(self, path: str) -> bool:
        """Whether something of it is at a path."""
        return path.startswith((f"{self._below}{_CONNECT}", f"{self._below}{_CALLBACK}"))

    def on_headers(
        self, method: str, path: str, headers: Mapping[str, str], *, is_end: bool
    ) -> Action | _Later:
        """Pages are asked for by GET, and somebody agrees by POST."""
        what, _, query = path.partition("?")
        end = what.removeprefix(self._below)
        if end.startswith(_CONNECT):
            if method == "GET":
                return self._ask(end.removeprefix(_CONNECT), headers)
            if method == "POST" and not is_end:
                return CONTINUE
        elif method == "GET":
            return self._back(end.removeprefix(_CALLBACK), query, headers)
        return pages.refused(405 if method != "GET" else 404, "There is nothing here.")

    def on_body(self, path: str, headers: Mapping[str, str], body: bytes) -> Action | _Later:
        """Somebody agrees."""
        origin = headers.get("origin", self._url)
        if len(body) > _MOST_BYTES or origin.lower() != self._url.lower():
            return pages.refused(403, "This form is of another page.")
        sealed = path.partition("?")[0].removeprefix(f"{self._below}{_CONNECT}")
        said = parse_qs(body.decode("latin-1"))
        ticket, browser = self.opened(sealed), self._browser(headers)
        if ticket is None:
            return pages.refused(410, _EXPIRED)
        once = said.get("once", [""])[0]
        if not self._is_theirs(ticket, headers):
            return pages.refused(403, _NOT_THEIRS)
        if not browser or not hmac.compare_digest(once.encode(), _once(sealed, browser).encode()):
            return pages.refused(403, _NOT_THIS_BROWSER)
        return self._away(ticket, browser)

    async def _ask(self, sealed: str, headers: Mapping[str, str]) -> Action:
        ticket = self.opened(sealed)
        if ticket is None:
            return pages.refused(410, _EXPIRED)
        if not self._is_theirs(ticket, headers):
            return pages.refused(403, _NOT_THEIRS)
        try:
            where = await self._connections.where(ticket.server)
        except (Unusable, ServiceUnavailable) as error:
            return self._broken(ticket.server, error)
        browser = self._browser(headers) or secrets.token_urlsafe(_COOKIE_BYTES)
        return pages.ask(
            ticket.server,
            ticket.person.who,
            urlsplit(where.authorize_url).netloc,
            f"{self._below}{_CONNECT}{sealed}",
            _once(sealed, browser),
            self._cookie(browser),
        )

    async def _away(self, ticket: Ticket, browser: str) -> Action:
        connections, server = self._connections, ticket.server
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        flow = seal_flow(connections.vault, Flow(ticket, verifier, name_of(browser)), state)
        until = int(connections.clock()) + TICKET_SECONDS
        try:
            where = await connections.where(server)
            of = await connections.client(server, where)
            used = name_of(f"{_ONCE_BEFORE}{ticket.number}")
            if not await connections.store.begin(name_of(state), flow, until, used):
                return pages.refused(410, _EXPIRED)
        except (Unusable, ServiceUnavailable, ConsentsUnavailable) as error:
            return self._broken(server, error)
        uri = callback_url(self._mcp, server)
        return pages.onward(oauth_client.authorization(of, where, uri, state, verifier))

    async def _back(self, server: str, query: str, headers: Mapping[str, str]) -> Action:
        said = {name: values[0] for name, values in parse_qs(query).items() if len(values) == 1}
        state, browser = said.get("state", ""), self._browser(headers)
        connections = self._connections
        try:
            sealed = await connections.store.take(name_of(state)) if state else None
            flow = None if sealed is None else open_flow(connections.vault, sealed, state)
            if flow is None or flow.ticket.server != server or server not in connections.by_server:
                return pages.refused(410, _EXPIRED)
            if not hmac.compare_digest(flow.browser, name_of(browser)):
                return pages.refused(403, _NOT_THIS_BROWSER)
            return await self._answered(flow, said)
        except (Unusable, ServiceUnavailable, ConsentsUnavailable) as error:
            return self._broken(server, error)

    async def _answered(self, flow: Flow, said: Mapping[str, str]) -> Action:
        connections, ticket = self._connections, flow.ticket
        server, person = ticket.server, ticket.person
        where = await connections.where(server)
        of = await connections.client(server, where)
        is_told = bool(of.issuer) and (where.says_issuer or "iss" in said)
        if is_told and said.get("iss") != of.issuer:  # to the letter (RFC 9207 §2.4)
            raise Unusable("its answer is another server's (iss)")
        code = said.get("code", "")
        if not code:
            error = oauth_client.error_code(said.get("error", ""))
            logger.info("no consent for the MCP server %s: %s", server, error)
            return pages.refused(403, f"{server} was not connected: {error or 'no code came back'}")
        asked = oauth_client.code_request(
            of, where, code, callback_url(self._mcp, server), flow.verifier
        )
        try:
            tokens = oauth_client.read_tokens(
                await connections.ask(server, asked), connections.clock()
            )
        except Refused as error:
            await connections.refused_client(server, error)
            raise Unusable(f"it gives no token for its code: {error}") from None
        await connections.agreed(server, person.owner, person.who, tokens)
        await self._hub.connected(
            Connected(
                person.owner, server, ticket.session, ticket.number, f"Bearer {tokens.access}"
            )
        )
        logger.info("%s has connected the MCP server %s", person.who, server)
        return pages.done(server)

    def _broken(self, server: str, error: Exception) -> Action:
        logger.warning("the authorization server of the MCP server %s: %s", server, error)
        return pages.refused(502, _BROKEN)

    def _is_theirs(self, ticket: Ticket, headers: Mapping[str, str]) -> bool:
        """Whether who is there is whom the ticket was made for, as far as that is looked at."""
        if not self._is_login_needed:
            return True
        claims = headers.get(names.LOGIN_CLAIMS_HEADER, "")
        found = self._logged_in(claims) if claims and self._logged_in is not None else None
        return found is not None and is_same(ticket.person, found)

    # cookies

    @property
    def _cookie_name(self) -> str:
        return f"__Host-{_COOKIE}" if self._is_https else _COOKIE

    def _cookie(self, value: str) -> str:
        terms = f"Path=/; Max-Age={2 * TICKET_SECONDS}; HttpOnly; SameSite=Lax"
        return f"{self._cookie_name}={value}; {terms}{'; Secure' if self._is_https else ''}"

    def _browser(self, headers: Mapping[str, str]) -> str:
        """The value of our cookie; empty: there is none."""
        for each in headers.get("cookie", "").split(";"):
            name, _, value = each.strip().partition("=")
            if name == self._cookie_name and _COOKIE_FORM.fullmatch(value):
                return value
        return ""


def consent_desk(mcp: Mcp, connections: Connections | None, peers: McpPeers) -> ConsentDesk | None:
    """None: no server wants consent."""
    return None if connections is None else ConsentDesk(mcp, connections, Hub(peers), None)


def _once(sealed: str, browser: str) -> str:
    """What the form of this ticket brings back, from this browser."""
    return hmac.new(browser.encode(), sealed.encode(), sha256).hexdigest()
