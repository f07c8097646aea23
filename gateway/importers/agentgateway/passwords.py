"""Users and passwords of theirs → `identity.basic`, for plain routes that ask for them.

Ours has one list of users for all: a second list of theirs is not taken over.
"""

from __future__ import annotations

from gateway.config.basic import Realm
from gateway.config.scalars import Text
from gateway.importers.agentgateway import policy_keys
from gateway.importers.agentgateway.draft import Draft, Terms
from gateway.importers.agentgateway.fitting import fits
from gateway.importers.agentgateway.keys import settle
from gateway.importers.walk import Node, has_variable
from gateway.passwords import entries, mistake_in

_LOCKED = Terms(locks=("basicAuth",))
_TO = "identity.basic"
_OPTIONAL = "ours asks for a password, or takes none; with mode: strict, it would be taken over"
_NOT_HERE = (
    "users are lines of bcrypt, apr1 or sha, sent as `Authorization: Basic …`; write them under"
    " identity.basic"
)
_ANOTHER = "there is one list of users for all, and another is there already"


def read_passwords(node: Node, draft: Draft) -> Terms:
    """The users of a policy, or a lock."""
    locks = settle(node, policy_keys.BASIC_AUTH)
    mode = node.take("mode")
    block = None if locks else _block(node)
    if block is None:
        node.unsupported(_NOT_HERE, is_security=True)
    elif mode.text() != "strict":
        node.unsupported(_OPTIONAL, is_security=True)
    elif draft.passwords not in ({}, block):
        node.unsupported(_ANOTHER, is_security=True)
    else:
        draft.passwords = block
        mode.exact("routes.auth")
        node.take("authorizationLocation").exact(_TO)
        node.take("realm").exact(f"{_TO}.realm")
        _say(node.take("htpasswd"), block)
        return Terms(asks_password=True)
    return _LOCKED


def _block(node: Node) -> dict[str, object] | None:
    """None: it is not one that ours can write."""
    realm = node.take("realm").text()
    if not _is_usual(node.take("authorizationLocation")) or not (
        realm is None or fits(Realm, realm)
    ):
        return None
    found: dict[str, object] = {} if realm is None else {"realm": realm}
    users = node.take("htpasswd")
    if isinstance(users.value, str):
        return {"htpasswd": users.value, **found} if _are_usable(users.value) else None
    if settle(users, policy_keys.BASIC_USERS):
        return None
    path = users.take("file").text()
    return {"files": [path], **found} if path is not None and fits(Text, path) else None


def _is_usual(node: Node) -> bool:
    """Where passwords are sent."""
    if node.is_empty:
        return True
    header = node.value.get("header") if isinstance(node.value, dict) else None
    if not isinstance(header, dict) or len(header) > 2 or node.value != {"header": header}:
        return False
    name, prefix = str(header.get("name")).lower(), str(header.get("prefix", "Basic "))
    return name == "authorization" and prefix.strip().lower() == "basic"


def _are_usable(text: str) -> bool:
    found = list(entries(text))
    users = {each.user for each in found}
    is_right = not has_variable(text) and all(mistake_in(each) is None for each in found)
    return bool(found) and is_right and len(users) == len(found)


def _say(node: Node, block: dict[str, object]) -> None:
    if "files" in block:
        node.different(f"{_TO}.files", policy_keys.RELATIVE)
    else:
        node.exact(f"{_TO}.htpasswd")
