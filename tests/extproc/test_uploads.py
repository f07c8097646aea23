"""Where uploads go on is told by the gateway's own address."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from extproc.events import CONTINUE, ChangeHeaders, ResponseHeaders
from extproc.facts import Facts
from extproc.principal import Kind, Principal
from extproc.uploads import CALLER, Upload, Uploads, begins, is_upload
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


NOW = datetime(2030, 1, 1, tzinfo=UTC)
KEY = {"x-goog-api-key": "sk-ann"}
UPLOADS = Uploads(["a secret of the machine"])
PIECE = {"x-goog-upload-command": "upload, finalize"}


def address(uploads: Uploads = UPLOADS, kind: Kind = Kind.API_KEY) -> str:
    """That who has begun an upload is told, from its path on."""
    facts = Facts(NOW, headers={**ASKED, **KEY}, credential_headers=("x-goog-api-key",))
    facts.principal = Principal(kind, "ann", "ann")
    upload = Upload(facts.headers, uploads.sealing(facts))
    told = {URL: "https://g.example/upload/v1beta/files?upload_id=a&key=AIza"}
    action = upload.on_headers(ResponseHeaders(200, "gemini", headers=told))
    assert isinstance(action, ChangeHeaders)
    return action.set_headers[0][1].removeprefix("https://gateway.example:8443")


def known(path: str, headers: dict[str, str] = PIECE, later: timedelta = timedelta(0)) -> str:
    """The key of who comes to it; empty: nobody is known."""
    found = UPLOADS.known(Facts(NOW + later, path=path, headers=headers))
    return found.get("x-goog-api-key", "")


def test_who_has_begun_an_upload_is_known_at_its_address() -> None:
    assert known(address()) == "sk-ann"
    assert "sk-ann" not in address()
    assert known(address(), later=timedelta(hours=23)) == "sk-ann"


@pytest.mark.parametrize("kind", [Kind.JWT, Kind.BASIC])
def test_only_keys_are_known_again(kind: Kind) -> None:
    assert CALLER not in address(kind=kind)


def test_it_is_for_that_upload_alone_and_for_a_day() -> None:
    told = address()
    assert known(told.replace("upload_id=a", "upload_id=b")) == ""
    assert known(told.replace("upload_id=a&", "")) == ""
    assert known(f"{told}&upload_id=b") == ""
    assert known(f"{told}&{told.rpartition('&')[2]}") == ""
    assert known(told[:-3] + "AAA") == ""
    assert known(told, later=timedelta(days=1)) == ""
    assert known(told, {"x-goog-upload-command": "start"}) == ""
    assert known(address(Uploads(["another"]))) == ""


def test_who_shows_a_key_is_who_shows_it() -> None:
    assert known(address(), {**PIECE, "x-goog-api-key": "sk-bob"}) == "sk-bob"
    assert known(address(), {**PIECE, "authorization": "Bearer sk-bob"}) == ""


def test_nobody_who_shows_no_key_is_sealed() -> None:
    assert UPLOADS.sealing(Facts(NOW)) is None


def test_what_is_about_an_upload() -> None:
    assert is_upload(Found(Operation.GEMINI_UPLOADS, Family.GEMINI))
    assert not is_upload(Found(Operation.GEMINI_FILES, Family.GEMINI))
    assert not is_upload(None)
