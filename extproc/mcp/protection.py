"""The MCP gateway as an OAuth 2.0 protected resource: what who is refused is told, so that clients
can get a token, or a better one (RFC 6750 §3, RFC 9728 §5.1, MCP "Authorization")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from extproc.facts import McpCall
from extproc.principal import Principal
from extproc.verdict import By, Deny, PolicyKind
from gateway.globs import is_like
from gateway.identity import Identity
from gateway.mcp import Mcp, McpAuth
from gateway.mcp_auth import (
    audiences,
    known_scopes,
    metadata_path,
    needed,
    unique,
)

_CHALLENGE = "www-authenticate"
_MOST_REMEMBERED = 4096
"""Names of tools: clients say which."""
_OTHER_AUDIENCE = "the token is for another resource"


class Protection:
    """Of all views."""

    __slots__ = ("_auth", "_known", "_metadata", "_mine", "_needed", "_of", "_servers")

    def __init__(self, mcp: Mcp, auth: McpAuth, identity: Identity) -> None:
        self._auth = auth
        views = [each.name for each in mcp.views]
        self._metadata = {each: f"{auth.url}{metadata_path(mcp, each)}" for each in views}
        self._needed = {each: needed(auth, each) for each in views}
        self._servers = dict(auth.scopes.servers)
        self._of = lru_cache(_MOST_REMEMBERED)(self._particular)
        self._known = known_scopes(auth)
        issued = unique(each.audiences for each in identity.issuers)
        asked = identity.introspection.audiences if identity.introspection else ()
        self._mine = {
            each: frozenset((*issued, *asked, *audiences(auth, mcp, each))) for each in views
        }

    def challenged(self, deny: Deny, view: str) -> Deny:
        """The same refusal, with where to get a token. Others than 401 stay as they are."""
        if deny.status != 401:
            return deny
        said = dict(deny.headers).get(_CHALLENGE, "")
        _, basic, ways = said.partition("Basic ")
        is_wrong = not deny.code.startswith("missing_")
        ours = self._challenge(view, "invalid_token" if is_wrong else "", self._needed[view])
        whole = f"{ours}, {basic}{ways}" if basic else ours
        return replace(deny, headers=((_CHALLENGE, whole),))

    def admitted(self, principal: Principal | None, view: str, *, is_modern: bool) -> Deny | None:
        """Why who is known may not come in to a view; None: they may."""
        if principal is not None and principal.claims is not None:
            said = principal.claims.get("aud")
            if self._mine[view].isdisjoint(_texts(said)):
                return self.challenged(Deny(401, "invalid_token", _OTHER_AUDIENCE), view)
        return self._lacking(principal, view, self._needed[view], is_modern=is_modern)

    def permitted(
        self, principal: Principal | None, call: McpCall, *, is_modern: bool
    ) -> Deny | None:
        """Why something may not be asked of a server; None: it may, as far as scopes go."""
        if not call.server:
            return None
        particular = self._of(call.server, call.tool)
        if not particular:
            return None
        wanted = unique((self._needed[call.view], particular))
        return self._lacking(principal, call.view, wanted, is_modern=is_modern)

    def _particular(self, of: str, tool: str) -> tuple[str, ...]:
        scopes = (
            scopes
            for server, glob, scopes in self._auth.scopes.tools
            if tool and server == of and is_like((glob,), tool)
        )
        return unique((self._servers.get(of, ()), *scopes))

    def _lacking(
        self, principal: Principal | None, view: str, wanted: Sequence[str], *, is_modern: bool
    ) -> Deny | None:
        if principal is None:
            return self._unknown(view, wanted) if wanted else None
        held = granted(principal.claims)
        if held.issuperset(wanted):
            return None
        missing = [each for each in wanted if each not in held]
        # clients of 2026-07-28 add to what they have; those before ask for what they are told
        kept = () if is_modern else sorted(held & self._known)
        scope = unique((kept, wanted))
        return Deny(
            403,
            "insufficient_scope",
            f"the token lacks the scope {' '.join(missing)!r}",
            headers=((_CHALLENGE, self._challenge(view, "insufficient_scope", scope)),),
            by=By(PolicyKind.IDENTITY, "mcp.auth.scopes"),
        )

    def _unknown(self, view: str, wanted: Sequence[str]) -> Deny:
        """Somebody whom nobody knows, and who may be known."""
        challenge = self._challenge(view, "", wanted)
        reason = f"a token with the scope {' '.join(wanted)!r} is needed"
        return Deny(401, "missing_credential", reason, headers=((_CHALLENGE, challenge),))

    def _challenge(self, view: str, error: str, scope: Sequence[str]) -> str:
        parts = {
            "error": error,
            "scope": " ".join(scope),
            "resource_metadata": self._metadata[view],
        }
        return "Bearer " + ", ".join(f'{name}="{said}"' for name, said in parts.items() if said)


def protection(mcp: Mcp, identity: Identity) -> Protection | None:
    """None: nobody is told where to get a token."""
    if mcp.auth is None:
        return None
    return Protection(mcp, mcp.auth, identity)


def granted(claims: Mapping[str, object] | None) -> frozenset[str]:
    """The scopes of a token: `scope` (RFC 9068 §2.2.3), or `scp`, each a text with spaces between,
    or a list."""
    if claims is None:
        return frozenset()
    return frozenset(
        each
        for name in ("scope", "scp")
        for said in _texts(claims.get(name))
        for each in said.split()
    )


def _texts(value: object) -> Sequence[str]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Sequence):
        return [each for each in value if isinstance(each, str)]
    return ()
