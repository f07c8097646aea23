"""Who is calling: API keys, known by their digests."""

from __future__ import annotations

from hashlib import sha256

from extproc.facts import Facts
from extproc.principal import Principal, of_key
from extproc.verdict import PASS, Deny, Verdict
from gateway import names
from gateway.model import Identity

_LIMIT_CHARACTERS = 4096
_BEARER = "bearer "
_CHALLENGE = (("www-authenticate", "Bearer"),)

_MISSING = Deny(401, "missing_api_key", "no API key was given", headers=_CHALLENGE)
_INVALID = Deny(401, "invalid_api_key", "the API key is not valid", headers=_CHALLENGE)
_AMBIGUOUS = Deny(
    401, "invalid_api_key", "the request carries different credentials", headers=_CHALLENGE
)


class Authenticate:
    """Sets `facts.principal` and `credential_headers`.

    A wrong credential is refused even where none is required.
    """

    def __init__(self, identity: Identity, keyed_routes: frozenset[str] = frozenset()) -> None:
        """`keyed_routes` ask for a key also where the identity does not."""
        self._keys: dict[bytes, Principal] = {
            bytes.fromhex(key.digest): of_key(key) for key in identity.api_keys
        }
        self._is_required = identity.is_required
        self._keyed_routes = keyed_routes
        self._is_open = not (identity.is_required or identity.api_keys or keyed_routes)

    def on_headers(self, facts: Facts) -> Verdict:
        if self._is_open:  # nobody has a key, so none is wrong: SDKs always send something
            return PASS
        credentials = _credentials(facts)
        if not credentials:
            is_required = self._is_required or facts.route in self._keyed_routes
            return _MISSING if is_required else PASS
        if len(credentials) > 1:
            return _AMBIGUOUS
        ((credential, facts.credential_headers),) = credentials.items()
        facts.principal = self._lookup(credential)
        return PASS if facts.principal is not None else _INVALID

    def _lookup(self, credential: str) -> Principal | None:
        if len(credential) > _LIMIT_CHARACTERS:
            return None
        return self._keys.get(sha256(credential.encode("utf-8", "backslashreplace")).digest())


def _credentials(facts: Facts) -> dict[str, tuple[str, ...]]:
    """All that differ, and the headers that carry them.

    Schemes other than Bearer are for somebody else, and prove nothing here.
    """
    found: dict[str, tuple[str, ...]] = {}
    headers = facts.headers
    for name in names.CREDENTIAL_HEADERS:
        value = headers.get(name)
        if value is None:
            continue
        if name == "authorization":
            if value[: len(_BEARER)].lower() != _BEARER:
                continue
            value = value[len(_BEARER) :]
        value = value.strip()
        found[value] = (*found.get(value, ()), name)
    return found
