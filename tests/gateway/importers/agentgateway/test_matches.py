"""Which requests a route of theirs takes."""

from __future__ import annotations

import pytest

from gateway.importers.agentgateway.matches import Match, both, closest, overlap, read_matches
from tests.gateway.importers.agentgateway.imports import answers, node


def read(text: str) -> Match:
    top, _ = node(f"matches: [{text}]")
    (found,) = read_matches(top.take("matches"))
    return found


def test_without_matches_everything_matches() -> None:
    top, _ = node("{}")
    assert read_matches(top.take("matches")) == (Match(),)
    top, _ = node("matches: []")
    assert read_matches(top.take("matches")) == ()


def test_a_slash_at_the_end_of_a_prefix_means_nothing() -> None:
    assert read("{path: {pathPrefix: /a/}}").path == "/a"
    assert read("{path: {pathPrefix: /}}").path == "/"
    assert read("{path: {exact: /a/}}").path == "/a/"


@pytest.mark.parametrize(
    ("text", "lost", "path"),
    [
        ("{path: {regex: '/a/[0-9]+'}}", ("path",), "/a"),
        ("{path: {regex: '^/a/b/c?'}}", ("path",), "/a/b"),
        ("{path: {regex: '/adm/?.*'}}", ("path",), "/"),
        ("{path: {regex: '/a/b/{0,1}c'}}", ("path",), "/a"),
        ("{path: {regex: '/a/b/+c'}}", ("path",), "/a/b"),
        ("{path: {regex: '/adm(/.*)?'}}", ("path",), "/adm"),
        ("{path: {regex: '^/adm/x$'}}", ("path",), "/adm/x"),
        ("{path: {regex: '/adm/'}}", ("path",), "/adm"),
        ("{path: {regex: '(?i)/adm/.*'}}", ("path",), "/"),
        ("{path: {regex: '/adm/(a|b)'}}", ("path",), "/"),
        ("{path: {regex: '/adm(/.*)?|/b'}}", ("path",), "/"),
        ("{path: {regex: '/a\\\\$'}}", ("path",), "/"),
        ("{path: {regex: '/a|/b'}}", ("path",), "/"),
        ("{path: {regex: '.*'}}", ("path",), "/"),
        ("{path: {pathPrefix: 'no slash'}}", ("path",), "/"),
        ("{path: {exact: '/a b'}}", ("path",), "/"),
        ("{path: invalid}", ("path",), "/"),
        ("{method: BREW}", ("method",), "/"),
        ("{query: [{name: a, value: {exact: b}}]}", ("query",), "/"),
        ("{headers: [{name: a, value: {regex: b}}]}", ("headers",), "/"),
        ("{headers: [{name: ':authority', value: {exact: b}}]}", ("headers",), "/"),
        (
            "{headers: [{name: a, value: {exact: b}}, {name: A, value: {exact: c}}]}",
            ("headers",),
            "/",
        ),
    ],
)
def test_what_ours_cannot_ask_is_lost_and_more_matches(
    text: str, lost: tuple[str, ...], path: str
) -> None:
    found = read(text)
    assert found.lost == lost
    assert found.path == path


def test_method_and_headers_are_asked_for() -> None:
    found = read("{method: GET, headers: [{name: X-A, value: {exact: b}}]}")
    assert found.block(("a.example.com",)) == {
        "hostnames": ["a.example.com"],
        "methods": ["GET"],
        "headers": {"x-a": "b"},
    }
    assert read("{headers: [{name: ':method', value: {exact: PUT}}]}").methods == ("PUT",)


def test_precision_is_that_of_theirs() -> None:
    texts = [
        "{path: {exact: /a}}",
        "{path: {regex: '/a/very/long/one'}}",
        "{path: {pathPrefix: /long}}",
        "{path: {regex: '/.*'}}",
        "{path: {pathPrefix: /a}, method: GET}",
        "{path: {pathPrefix: /a}, headers: [{name: a, value: {exact: b}}]}",
        "{path: {pathPrefix: /a}, query: [{name: a, value: {exact: b}}]}",
        "{path: {pathPrefix: /a}}",
    ]
    precisions = [read(text).precision for text in texts]
    assert precisions == sorted(precisions, reverse=True)


def test_both_is_what_both_take() -> None:
    prefix, exact = Match("/a", methods=("GET", "PUT")), Match("/a/b", True, methods=("PUT",))
    found = both(prefix, exact)
    assert found is not None
    assert (found.path, found.is_exact, found.methods) == ("/a/b", True, ("PUT",))
    assert not overlap(prefix, Match("/ab"))
    assert not overlap(Match(methods=("GET",)), Match(methods=("PUT",)))
    assert not overlap(Match(headers=(("a", "1"),)), Match(headers=(("a", "2"),)))
    assert overlap(Match(headers=(("a", "1"),)), Match(headers=(("b", "2"),)))


def test_hostnames_are_close_by_kind_and_length() -> None:
    assert closest(["a.com"]) > closest(["*.a.com"]) > closest(["*.com"]) > closest([])


def test_every_part_is_answered() -> None:
    top, _ = node("matches: [{path: {exact: /a}, method: GET, unheard: 1}]")
    read_matches(top.take("matches"))
    assert answers(top)["matches.0.unheard"].is_security


def test_a_method_may_be_a_block() -> None:
    top, _ = node("[{method: {method: GET}}, {method: GET}]")
    first, second = read_matches(top)
    assert first.methods == second.methods == ("GET",)
