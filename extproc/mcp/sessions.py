"""Session ids that hold the sessions of the servers behind them, sealed: any worker opens them.

AES-256-GCM, with keys that HKDF-SHA256 makes of the operator's secrets. Whom a session belongs to
is authenticated with it (the associated data), so it opens for nobody else. Compressed, since ids
travel with every request. Whether a session has expired is the caller's to say.
"""

from __future__ import annotations

import base64
import binascii
import os
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

PREFIX: Final = "dm1."
"""What our ids begin with: the form that they have."""
MAX_INITIALIZE_BYTES: Final = 4096
"""Of what a client said when it initialized; beyond, see `bounded`."""

_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32
_LONGEST_BYTES: Final = 16 << 10
"""Of an id, as of all headers that Envoy takes at most."""
_LARGEST_OPENED: Final = 64 << 10
_MOST_REMEMBERED: Final = 4096
_PURPOSE: Final = b"dragoman mcp session"


class ServerSession(Struct, frozen=True, array_like=True):
    """A session with one server."""

    id: str
    """As the server said it; empty: it has none."""
    revision: str
    """Of the protocol, that it and we agreed upon; empty: it was not asked."""


class Session(Struct, frozen=True, array_like=True):
    """What a session id says."""

    view: str
    """Where it was opened: the name of the view; empty: all servers."""
    servers: Mapping[str, ServerSession]
    """By name. One that is not among them did not answer."""
    revision: str
    """Of the protocol, that the client and we agreed upon."""
    initialize: msgspec.Raw
    """The parameters of the client's `initialize`, in JSON."""
    made_seconds: int
    """When, since 1970."""
    nonce: str
    """What no other session has: its number."""


class Sealer:
    """Seals sessions with the first of its keys, and opens them with any."""

    __slots__ = ("_ciphers", "_most", "_opened", "_random")

    def __init__(
        self,
        secrets: Sequence[str],
        random: Callable[[int], bytes] = os.urandom,
        most_remembered: int = _MOST_REMEMBERED,
    ) -> None:
        """`ValueError` without secrets. Opened sessions are remembered, so many at most."""
        if not secrets:
            raise ValueError("there must be a secret")
        self._ciphers = tuple(AESGCM(_key(each)) for each in secrets)
        self._random = random
        self._opened: OrderedDict[tuple[str, str], Session] = OrderedDict()
        self._most = most_remembered

    def seal(self, session: Session, binding: str) -> str:
        """The id: visible ASCII, safe in headers and URLs. `binding` is whom it belongs to."""
        packed = zlib.compress(msgspec.json.encode(session), 9, wbits=-15)
        nonce = self._random(_NONCE_BYTES)
        sealed = self._ciphers[0].encrypt(nonce, packed, binding.encode())
        text = PREFIX + base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()
        self._remember((text, binding), session)
        return text

    def open(self, text: str, binding: str) -> Session | None:
        """The session; None: it is none of ours, or belongs to somebody else."""
        known = self._opened.get((text, binding))
        if known is not None:
            self._opened.move_to_end((text, binding))
            return known
        session = self._unsealed(text, binding.encode())
        if session is not None:
            self._remember((text, binding), session)
        return session

    def _unsealed(self, text: str, binding: bytes) -> Session | None:
        if not is_ours(text) or len(text) > _LONGEST_BYTES:
            return None
        coded = text[len(PREFIX) :]
        try:
            whole = base64.b64decode(coded + "=" * (-len(coded) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        if base64.urlsafe_b64encode(whole).rstrip(b"=") != coded.encode():
            return None  # bits that say nothing were set: not as we wrote it
        nonce, sealed = whole[:_NONCE_BYTES], whole[_NONCE_BYTES:]
        for cipher in self._ciphers:
            try:
                packed = cipher.decrypt(nonce, sealed, binding)
            except (InvalidTag, ValueError):
                continue
            return _unpacked(packed)
        return None

    def _remember(self, key: tuple[str, str], session: Session) -> None:
        self._opened[key] = session
        if len(self._opened) > self._most:
            self._opened.popitem(last=False)


def is_ours(text: str) -> bool:
    """Whether an id has the form of those that are sealed; servers' own have others."""
    return text.startswith(PREFIX)


def bounded(params: bytes) -> msgspec.Raw:
    """The parameters of `initialize`, without what is not needed to say them again when too long.

    What stays: the revision, the capabilities, and the client's name and version; where that is
    still too long, no capabilities.
    """
    if len(params) <= MAX_INITIALIZE_BYTES:
        return msgspec.Raw(params)
    document = _members(params)
    info = _members(document.get("clientInfo", b"{}"))
    kept: dict[str, object] = {
        name: document[name] for name in ("protocolVersion", "capabilities") if name in document
    }
    kept["clientInfo"] = {name: info[name] for name in ("name", "version") if name in info}
    shorter = msgspec.json.encode(kept)
    if len(shorter) > MAX_INITIALIZE_BYTES:
        kept["capabilities"] = {}
        kept["clientInfo"] = {"name": "client", "version": "0"}
        shorter = msgspec.json.encode(kept)
    return msgspec.Raw(shorter)


_decoder = msgspec.json.Decoder(Session)


def _members(value: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Of an object, as they are written; none of anything else."""
    try:
        return msgspec.json.decode(value, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        return {}


def _key(secret: str) -> bytes:
    kdf = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_PURPOSE)
    return kdf.derive(secret.encode())


def _unpacked(packed: bytes) -> Session | None:
    """What we sealed; None: by an older form, or too large."""
    inflater = zlib.decompressobj(wbits=-15)
    try:
        text = inflater.decompress(packed, _LARGEST_OPENED)
        if not inflater.eof:
            return None
        return _decoder.decode(text)
    except (zlib.error, msgspec.DecodeError):
        return None
