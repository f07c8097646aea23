"""Where uploads go on is told by the gateway's own address."""

from __future__ import annotations

import pytest

from extproc.events import CONTINUE, ChangeHeaders, ResponseHeaders
from extproc.uploads import Upload, begins
from gateway.apis import Family, Found
from gateway.operations import Operation

ASKED = {
    ":path": "/google/upload/v1beta/files?alt=json",
    ":authority": "gateway.example:8443",
    ":scheme": "http",
    "x-forwarded-proto": "https",
}
URL = "x-goog-upload-url"


@pytest.mark.parametrize(
    ("operation", "command", "is_begun"),
    [
        (Operation.GEMINI_UPLOADS, "start", True),
        (Operation.GEMINI_UPLOADS, "upload, finalize", False),
        (Operation.GEMINI_UPLOADS, "", False),
        (Operation.FILES, "start", False),
    ],
)
def test_what_begins_an_upload(operation: Operation, command: str, is_begun: bool) -> None:
    found = Found(operation, Family.GEMINI)
    assert begins(found, {"x-goog-upload-command": command}) is is_begun
    assert not begins(found, {})


@pytest.mark.parametrize(
    ("asked", "told", "expected"),
    [
        (ASKED, "?upload_id=a&upload_protocol=resumable", "?upload_id=a&upload_protocol=resumable"),
        (ASKED, "?key=AIza&upload_id=a", "?upload_id=a"),
        (ASKED, "?upload_id=a&key=AIza", "?upload_id=a"),
    ],
)
def test_it_goes_on_at_the_gateway_without_its_key(
    asked: dict[str, str], told: str, expected: str
) -> None:
    upload = Upload(asked)
    address = f"https://generativelanguage.googleapis.com/upload/v1beta/files{told}"
    action = upload.on_headers(ResponseHeaders(200, "gemini", headers={URL: address}))
    place = "https://gateway.example:8443/google/upload/v1beta/files"
    assert action == ChangeHeaders(((URL, place + expected),))
    assert upload.is_over


def test_without_a_proxy_before_it_the_scheme_is_the_connections() -> None:
    asked = {name: each for name, each in ASKED.items() if name != "x-forwarded-proto"}
    action = Upload(asked).on_headers(
        ResponseHeaders(200, "gemini", headers={URL: "https://g.example/?upload_id=a"})
    )
    assert isinstance(action, ChangeHeaders)
    assert action.set_headers[0][1].startswith("http://gateway.example:8443/google/")


def test_what_says_no_address_passes() -> None:
    upload = Upload(ASKED)
    assert upload.on_headers(ResponseHeaders(400, "gemini")) is CONTINUE
    assert upload.is_over
