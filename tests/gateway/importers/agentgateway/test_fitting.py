"""Whether our schema takes a value."""

from __future__ import annotations

from gateway.config.routes import Hostname, UrlPath
from gateway.config.scalars import Port
from gateway.config.urls import Url
from gateway.importers.agentgateway.fitting import fits, is_model


def test_the_schema_is_asked() -> None:
    assert fits(Hostname, "*.example.com")
    assert not fits(Hostname, "a b")
    assert fits(UrlPath, "/a")
    assert not fits(UrlPath, "a")
    assert not fits(Port, 0)


def test_a_variable_is_thought_to_fit_and_its_default_is_read() -> None:
    assert fits(Port, "${PORT}")
    assert fits(UrlPath, "/${A}/b")
    assert not fits(UrlPath, "${A}/b")


def test_a_variable_may_be_a_whole_address() -> None:
    assert fits(Url, "${BASE}/v1")
    assert fits(Url, "http://${HOST}:${PORT}/v1")
    assert not fits(Url, "${BASE} /v1")


def test_a_variable_is_no_name_of_a_model() -> None:
    assert is_model("gpt-*")
    assert not is_model("${MODEL}")
    assert not is_model("a b")
