"""Uploads of Gemini's: whoever begins one is told by Google where to send the file, and by us to
send it through the gateway.

https://ai.google.dev/gemini-api/docs/files. The address holds the number of the upload in its
query; its key is the gateway's, and does not.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.events import CONTINUE, Action, ChangeHeaders, ResponseBody, ResponseHeaders
from gateway.apis import UPLOAD_COMMAND_HEADER, UPLOAD_URL_HEADER, Found
from gateway.operations import Operation

_SECRET = "key="


def begins(found: Found, headers: Mapping[str, str]) -> bool:
    """Whether a request begins an upload, so that its answer says where it goes on."""
    is_upload = found.operation is Operation.GEMINI_UPLOADS
    return is_upload and "start" in headers.get(UPLOAD_COMMAND_HEADER, "")


class Upload:
    """The answer to who begins one."""

    __slots__ = ("_place", "is_begun", "is_over")

    is_translating = False

    def __init__(self, headers: Mapping[str, str]) -> None:
        """Of the request, which says by which address clients know the gateway."""
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
        return ChangeHeaders(((UPLOAD_URL_HEADER, f"{self._place}?{query}"),))

    def on_body(self, event: ResponseBody) -> Action:
        return CONTINUE

    def cut(self) -> None:
        """The answer goes to nobody."""
        self.is_over = True

    def on_close(self) -> None:
        """Nothing was reserved."""
