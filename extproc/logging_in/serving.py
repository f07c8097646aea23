"""What the configuration says of logins that are kept here, made for requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from extproc.logging_in.desk import LoginDesk
from extproc.logging_in.sessions import KeptSessions
from extproc.mcp.vault import Vault
from extproc.ports import Consents, McpPeers
from gateway.identity import Identity, Login

_PURPOSE: Final = b"dragoman logins 1"


def login_desk(
    identity: Identity,
    secret: str,
    store: Consents,
    way: McpPeers,
    clock: Callable[[], float],
) -> LoginDesk | None:
    """None: nobody logs in so. `secret`: what the machine keeps, where a login has none."""
    logins = identity.kept_logins
    if not logins:
        return None

    def vault_of(of: Login) -> Vault:
        return Vault((of.cookies.secret or secret,), _PURPOSE)

    return LoginDesk(KeptSessions(logins, vault_of, store, way, clock))
