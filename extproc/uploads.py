"""Uploads of Gemini's: whoever begins one is told by Google where to send the file, and by us to
send it through the gateway.

https://ai.google.dev/gemini-api/docs/files. The address holds the number of the upload in its
query; its key is the gateway's, and does not. Google's library puts no key on the pieces that it
sends there, so the address that we tell has the caller's, sealed, for that upload alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from extproc.events import CONTINUE, Action, ChangeHeaders, ResponseBody, ResponseHeaders
from extproc.facts import Facts
from extproc.mcp.vault import Vault
from extproc.principal import Kind
from gateway.apis import UPLOAD_COMMAND_HEADER, UPLOAD_URL_HEADER, Found
from gateway.names import CREDENTIAL_HEADERS
from gateway.operations import Operation

CALLER = "dragoman_caller"
"""The member of the query that says whose an upload is."""

_SECRET = "key="
_NUMBER = "upload_id="
_PURPOSE = b"dragoman gemini upload"
_DAY_SECONDS = 86400


class Uploads:
    """Says in addresses of uploads whose they are, and knows it again."""

    __slots__ = ("_vault",)

    def __init__(self, secrets: Sequence[str]) -> None:
        self._vault = Vault(secrets, _PURPOSE)

    def sealing(self, facts: Facts) -> Callable[[str], str] | None:
        """Makes the member of an address whose query is given; None: nobody has shown a key."""
        principal, headers = facts.principal, facts.credential_headers
        if principal is None or principal.kind is not Kind.API_KEY or not headers:
            return None
        name = headers[0]
        shown = (name, facts.headers[name], int(facts.now.timestamp()))

        def sealed(query: str) -> str:
            text = self._vault.seal_text(msgspec.json.encode(shown), _number(query))
            return f"{CALLER}={text}"

        return sealed

    def known(self, facts: Facts) -> Mapping[str, str]:
        """The headers of a request, with the key that its address has sealed, if it shows none."""
        headers = facts.headers
        query = facts.path.partition("?")[2]
        if f"{CALLER}=" not in query or any(each in headers for each in CREDENTIAL_HEADERS):
            return headers
        if _is_start(headers):  # of another one
            return headers
        said = [each for each in query.split("&") if each.startswith(f"{CALLER}=")]
        number = _number(query)
        if len(said) != 1 or not number:
            return headers
        opened = self._vault.open_text(said[0].partition("=")[2], number)
        if opened is None:
            return headers
        name, value, made_seconds = _decoder.decode(opened)
        if not 0 <= facts.now.timestamp() - made_seconds < _DAY_SECONDS:
            return headers
        return {**headers, name: value}


def _number(query: str) -> str:
    """Of the upload; empty: none, or not one."""
    found = [each for each in query.split("&") if each.startswith(_NUMBER)]
    return found[0].partition("=")[2] if len(found) == 1 else ""


_decoder = msgspec.json.Decoder(tuple[str, str, int])


def is_upload(found: object) -> bool:
    """Whether a request is about an upload."""
    return type(found) is Found and found.operation is Operation.GEMINI_UPLOADS


def begins(found: Found, headers: Mapping[str, str]) -> bool:
    """Whether a request begins an upload, so that its answer says where it goes on."""
    return is_upload(found) and _is_start(headers)


def _is_start(headers: Mapping[str, str]) -> bool:
    return "start" in headers.get(UPLOAD_COMMAND_HEADER, "")


class Upload:
    """The answer to who begins one."""

    __slots__ = ("_place", "_sealing", "is_begun", "is_over")

    is_translating = False

    def __init__(
        self, headers: Mapping[str, str], sealing: Callable[[str], str] | None = None
    ) -> None:
        """Of the request, which says by which address clients know the gateway. `sealing` says
        whose the upload is."""
        self._sealing = sealing
        scheme = headers.get("x-forwarded-proto") or headers.get(":scheme", "http")
        path = headers.get(":path", "").partition("?")[0]
        self._place = f"{scheme}://{headers.get(':authority', '')}{path}"
        self.is_begun = False
        self.is_over = False

    def on_headers(self, event: ResponseHeaders) -> Action:
        self.is_begun = self.is_over = True
        address = event.headers.get(UPLOAD_URL_HEADER)
        if address is None:
            return CONTINUE
        asked = address.partition("?")[2].split("&")
        query = "&".join(each for each in asked if not each.startswith(_SECRET))
        if self._sealing is not None and _number(query):
            query = f"{query}&{self._sealing(query)}"
        return ChangeHeaders(((UPLOAD_URL_HEADER, f"{self._place}?{query}"),))

    def on_body(self, event: ResponseBody) -> Action:
        return CONTINUE

    def cut(self) -> None:
        """The answer goes to nobody."""
        self.is_over = True

    def on_close(self) -> None:
        """Nothing was reserved."""
