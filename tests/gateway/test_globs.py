"""Globs over names of nodes and of certificates."""

from __future__ import annotations

import time

import pytest

from gateway.globs import is_like, is_name_like


@pytest.mark.parametrize(
    ("glob", "name", "does_fit"),
    [
        ("spiffe://prod/ns/*/sa/edge", "spiffe://prod/ns/a/sa/edge", True),
        ("spiffe://prod/ns/*/sa/edge", "spiffe://prod/ns/a/sa/b/sa/edge", False),
        ("spiffe://prod/ns/*/sa/edge", "spiffe://prod/ns/A/sa/EDGE", False),
        ("spiffe://prod/**/edge", "spiffe://prod/ns/a/sa/b/sa/edge", True),
        ("spiffe://prod/?", "spiffe://prod//", False),
        ("spiffe://*/edge", "spiffe://a.example/edge", True),
        ("*.nodes.example", "a.nodes.example", True),
        ("*.nodes.example", "A.Nodes.Example", True),
        ("*.nodes.example", "a.b.nodes.example", False),
        ("**.nodes.example", "a.b.nodes.example", True),
        ("a?b", "a.b", False),
        ("a.nodes.example", "a-nodes.example", False),
        ("*", "spiffe://prod/ns/a", True),
        ("*", "a.b", True),
    ],
)
def test_signs_stay_within_a_part_of_a_certificates_name(
    glob: str, name: str, does_fit: bool
) -> None:
    assert is_name_like((glob,), name) is does_fit


@pytest.mark.parametrize(
    ("glob", "text", "does_fit"),
    [
        ("edge-*", "edge-7", True),
        ("edge-*", "an edge-7", False),
        ("*-7", "edge-7\n", False),
        ("edge-*", "edge-7\nmore", True),
        ("edge-?", "edge-é", True),
        ("edge-?", "edge-", False),
        ("a.b", "axb", False),
        ("[ab](c)+\\d", "[ab](c)+\\d", True),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_globs_are_anchored_and_know_two_signs(glob: str, text: str, does_fit: bool) -> None:
    assert is_like((glob,), text) is does_fit


def test_globs_take_linear_time() -> None:
    began = time.process_time()
    assert not is_like(("*a" * 100 + "b",), "a" * 10_000)
    assert time.process_time() - began < 1
