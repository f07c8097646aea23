from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.config.urls import Origin, Place, Url, is_exposed, place
from gateway.model import Endpoint, Upstream

URL: TypeAdapter[str] = TypeAdapter(Url)
ORIGIN: TypeAdapter[str] = TypeAdapter(Origin)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "https://api.example.com/v1/",
            Place(True, Endpoint("api.example.com", 443), "api.example.com", "/v1"),
        ),
        ("http://a:8000", Place(False, Endpoint("a", 8000), "a:8000", "")),
        ("https://a:443/x", Place(True, Endpoint("a", 443), "a", "/x")),
        ("http://[::1]/", Place(False, Endpoint("::1", 80), "[::1]", "")),
        ("http://[::1]:81", Place(False, Endpoint("::1", 81), "[::1]:81", "")),
    ],
)
def test_a_url_is_taken_apart(url: str, expected: Place) -> None:
    assert URL.validate_python(url) == url
    assert place(url) == expected


def test_a_place_is_an_upstream_of_one_endpoint() -> None:
    expected = Upstream((Endpoint("a", 81),), "a:81", is_tls=True, connect_timeout_seconds=2.0)
    assert place("https://a:81/v1").upstream(2.0) == expected


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com",
        "ftp://a",
        "http://",
        "http://:80",
        "http://a:0",
        "http://a:99999",
        "http://a:x",
        "http://a b",
        "http://[::1",
        "http://user:pass@a",
        "http://a?key=b",
        "http://a#b",
        "http://ä",
    ],
)
def test_what_is_no_upstream_is_refused(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        URL.validate_python(url)
    assert [each["type"] for each in caught.value.errors()] == ["refused"]


@pytest.mark.parametrize("url", ["http://user:hunter2@a", "http://a/?key=hunter2"])
def test_urls_that_may_hold_secrets_are_not_shown(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        URL.validate_python(url)
    assert caught.value.errors()[0]["ctx"]["is_shown"] is False
    assert "hunter2" not in str(caught.value.errors(include_input=False))


def test_an_origin_has_no_path() -> None:
    assert ORIGIN.validate_python("http://a:80/") == "http://a:80/"
    with pytest.raises(ValidationError):
        ORIGIN.validate_python("http://a:80/b")


@pytest.mark.parametrize(
    ("url", "exposed"),
    [
        ("http://idp.example/t", True),
        ("http://10.0.0.1:8080", True),
        ("https://idp.example/t", False),
        ("http://127.0.0.1:8080/t", False),
        ("http://[::1]:8080", False),
        ("http://localhost/t", False),
        ("", False),
    ],
)
def test_what_leaves_the_machine_without_tls_is_exposed(url: str, exposed: bool) -> None:
    assert is_exposed(url) is exposed
