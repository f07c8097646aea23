"""Logins of browsers of theirs → `identity.logins`, for plain routes.

Only where their file says where the issuer is asked: ours does not look that up.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from gateway.config.logins import ClientId, ScopeName
from gateway.config.routes import UrlPath
from gateway.config.scalars import Secret, Text
from gateway.config.urls import Origin, Url
from gateway.importers.agentgateway import policy_keys
from gateway.importers.agentgateway.draft import Draft, Terms
from gateway.importers.agentgateway.fitting import fits
from gateway.importers.agentgateway.keys import settle
from gateway.importers.walk import Node, has_variable

LOCK = "oidc"
_LOCKED = Terms(locks=(LOCK,))
_NOT_HERE = (
    "a login is taken over with authorizationEndpoint, tokenEndpoint and jwks, as the issuer's"
    " /.well-known/openid-configuration says, a clientId, a clientSecret and a redirectURI that"
    " ours can write; write it under identity.logins"
)
_ANOTHER = "another login comes back to the same path"
_METHODS = {None: "basic", "clientSecretBasic": "basic", "clientSecretPost": "post"}
_BEHAVES = (
    "people log in anew, sign out at {path}, and tokens are renewed; programs are told 401, and are"
    " not redirected"
)
_OPENID = "openid"


def read_login(node: Node, draft: Draft) -> Terms:
    """The login of a policy, or a lock."""
    locks = settle(node, policy_keys.OIDC)
    block = None if locks else _block(node)
    if block is None:
        node.unsupported(_NOT_HERE, is_security=True)
        return _LOCKED
    known = next((name for name, each in draft.logins.items() if each == block), None)
    if known is None:
        path = block["redirect_path"]
        if any(each["redirect_path"] == path for each in draft.logins.values()):
            node.unsupported(_ANOTHER, is_security=True)
            return _LOCKED
        known = draft.name("login", f"login-{len(draft.logins) + 1}", "login")
        draft.logins[known] = block
    to = f"identity.logins.{known}"
    _say(node, to)
    node.different(to, _BEHAVES.format(path=f"/login/{known}/sign-out"))
    return Terms(logins=(known,))


def _block(node: Node) -> dict[str, object] | None:
    """None: it is not one that ours can write."""
    issuer, client, secret, authorization, token = (
        node.take(name).text()
        for name in (
            "issuer",
            "clientId",
            "clientSecret",
            "authorizationEndpoint",
            "tokenEndpoint",
        )
    )
    method = _METHODS.get(node.take("tokenEndpointAuth").text())
    place = _place(node.take("redirectURI").text())
    jwks = _keys(node.take("jwks"))
    scopes = tuple(dict.fromkeys((_OPENID, *node.take("scopes").texts())))
    is_whole = (
        fits(Text, issuer)
        and fits(ClientId, client)
        and fits(Secret, secret)
        and fits(Url, authorization)
        and fits(Url, token)
        and all(fits(ScopeName, each) for each in scopes)
    )
    if not is_whole or method is None or place is None or jwks is None:
        return None
    if method == "basic" and (has_variable(client or "") or set(client or "") & set(":/@")):
        return None
    url, path = place
    return {
        "issuer": issuer,
        "client": {"id": client, "secret": secret, "method": method},
        "endpoints": {"authorization": authorization, "token": token},
        "jwks": jwks,
        "scopes": list(scopes),
        "redirect_path": path,
        "url": url,
    }


def _place(uri: str | None) -> tuple[str, str] | None:
    """What browsers call the gateway, and where they come back to."""
    if uri is None or has_variable(uri):
        return None
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    url, path = f"{parts.scheme}://{parts.netloc}", parts.path
    is_whole = not parts.query and not parts.fragment
    return (url, path) if is_whole and fits(Origin, url) and fits(UrlPath, path) else None


def _keys(node: Node) -> dict[str, object] | None:
    if isinstance(node.value, str):
        return {"inline": node.value}
    if not isinstance(node.value, dict):
        return None
    settle(node, policy_keys.JWKS, unknown_is_lock=False)
    url, file = node.take("url"), node.take("file")
    where = url.text()
    if where is not None and fits(Url, where):
        return {"url": where}
    path = file.text()
    return {"file": path} if path is not None and fits(Text, path) else None


def _say(node: Node, to: str) -> None:
    node.take("issuer").exact(f"{to}.issuer")
    node.take("clientId").exact(f"{to}.client.id")
    node.take("clientSecret").exact(f"{to}.client.secret")
    node.take("tokenEndpointAuth").exact(f"{to}.client.method")
    node.take("authorizationEndpoint").exact(f"{to}.endpoints.authorization")
    node.take("tokenEndpoint").exact(f"{to}.endpoints.token")
    node.take("redirectURI").exact(f"{to}.redirect_path")
    node.take("scopes").exact(f"{to}.scopes")
    keys = node.take("jwks")
    keys.exact(f"{to}.jwks")
    if isinstance(keys.value, dict) and "file" in keys.value:
        keys.different(f"{to}.jwks", policy_keys.RELATIVE)
