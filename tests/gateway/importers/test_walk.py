"""A foreign document, walked so that nothing is dropped."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.imported import Mapped, Outcome
from gateway.importers.walk import NOT_TAKEN, NOTHING_BELOW, PARTLY, Node, Walk, has_variable, walk

THEIRS = """\
server:
  port: 80
  name: edge
routes:
  - path: /a
    extra: 1
"""


def outcomes(found: Walk) -> dict[str, tuple[Outcome, str]]:
    return {mapped.path: (mapped.outcome, mapped.note) for mapped in found.finish()}


def test_a_key_that_nobody_spoke_of_is_unknown() -> None:
    found = walk(THEIRS, "theirs.yaml")
    server = found.root.take("server")
    server.take("port").exact("gateways.default.port")
    server.take("name").unsupported("gateways have names of ours")
    assert found.finish() == (
        Mapped("server", 1, Outcome.DIFFERENT, note=PARTLY, is_sum=True),
        Mapped("server.port", 2, Outcome.EXACT, "gateways.default.port"),
        Mapped("server.name", 3, Outcome.UNSUPPORTED, note="gateways have names of ours"),
        Mapped("routes", 4, Outcome.UNSUPPORTED, note="unknown key"),
    )


def test_an_answer_counts_for_all_below() -> None:
    found = walk(THEIRS, "theirs.yaml")
    found.root.take("server").exact("x")
    found.root.take("routes").unsupported("no routes yet")
    assert list(outcomes(found)) == ["server", "routes"]


def test_what_is_said_of_a_part_is_kept_beside_what_is_said_of_the_whole() -> None:
    found = walk(THEIRS, "theirs.yaml")
    found.root.take("server").exact("x")
    next(found.root.take("routes").items()).take("extra").different("y", "rounded")
    found.root.take("routes").exact("routes")
    assert list(outcomes(found)) == ["server", "routes", "routes.0.extra"]


def test_a_key_beside_those_that_were_looked_for_is_unknown_and_named() -> None:
    found = walk("server:\n  prot: 80\n", "theirs.yaml")
    found.root.take("server").take("port").exact("gateways.default.port")
    assert outcomes(found)["server.prot"] == (
        Outcome.UNSUPPORTED,
        "unknown key (did you mean 'port'?)",
    )


def test_a_known_key_that_says_nothing_is_no_loss() -> None:
    found = walk("server:\n  port:\n  tags: []\n  other:\n", "theirs.yaml")
    found.root.take("server").expect(("port", "tags"))
    assert outcomes(found) == {
        "server": (Outcome.DIFFERENT, PARTLY),
        "server.port": (Outcome.EXACT, ""),
        "server.tags": (Outcome.EXACT, ""),
        "server.other": (Outcome.UNSUPPORTED, "unknown key"),
    }


def test_a_known_key_that_was_forgotten_is_reported() -> None:
    found = walk("server: {port: 1}\n", "theirs.yaml")
    found.root.take("server").expect(("port",))
    assert outcomes(found) == {
        "server": (Outcome.UNSUPPORTED, NOTHING_BELOW),
        "server.port": (Outcome.UNSUPPORTED, NOT_TAKEN),
    }


def test_a_block_whose_parts_are_exact_is_exact() -> None:
    found = walk("server: {port: 1, host: a}\n", "theirs.yaml")
    found.root.take("server").take("port").exact("gateways.default.port")
    found.root.take("server").take("host").exact("gateways.default.address")
    (around, *_) = found.finish()
    assert around == Mapped("server", 1, Outcome.EXACT, "gateways.default", is_sum=True)


def test_aliases_and_merge_keys_are_what_they_stand_for() -> None:
    found = walk("a: &a {x: 1}\nb: *a\nc:\n  <<: *a\n  y: 2\n", "theirs.yaml")
    for name in "abc":
        found.root.take(name).take("x").exact("one")
    found.root.take("c").take("y").exact("two")
    assert {path for path in outcomes(found) if "." in path} == {"a.x", "b.x", "c.x", "c.y"}


def test_answers_about_what_is_not_written_count_for_nothing() -> None:
    found = walk("{}\n", "theirs.yaml")
    found.root.take("server").take("port").exact("x")
    assert found.finish() == ()


def read_all_kinds(node: Node) -> list[object]:
    return [node.integer(), node.number(), node.flag(), node.text(), *node.texts(), node.block()]


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("x: hello", 5),
        ("x: 1", 4),
        ("x: 1.5", 5),
        ("x: true", 5),
        ("x: [a]", 5),
        ("x: {a: 1}", 5),
        ("x:", 0),
    ],
)
def test_a_value_of_another_kind_is_a_problem_and_no_exception(value: str, wrong: int) -> None:
    found = walk(value, "theirs.yaml")
    read_all_kinds(found.root.take("x"))
    list(found.root.take("x").fields())
    assert len(found.problems) == wrong
    assert all(problem.line == 1 and problem.path == "x" for problem in found.problems)


def test_a_variable_may_stand_for_a_number() -> None:
    node = walk("x: VAR", "theirs.yaml", lambda text: "${PORT}").root.take("x")
    assert (node.integer(), node.number(), node.flag()) == ("${PORT}", "${PORT}", "${PORT}")
    assert walk("x: 0.5", "theirs.yaml").root.take("x").number() == Decimal("0.5")


def test_variables_of_theirs_are_left_alone() -> None:
    found = walk("x: a ${HOME} $${b}", "theirs.yaml")
    assert found.root.take("x").text() == "a $${HOME} $$${b}"
    assert found.problems == ()


def test_what_is_no_yaml_is_a_problem() -> None:
    assert [str(each) for each in walk("a: [", "theirs.yaml").problems] == [
        "theirs.yaml:2: not YAML: while parsing a flow node, did not find expected node content"
    ]


def test_an_escaped_variable_is_none() -> None:
    assert has_variable("a ${B}")
    assert not has_variable("a $${B}")


def test_what_was_said_can_be_taken_back() -> None:
    found = walk("a: {b: 1}\nc: 2\n", "f")
    found.root.take("a").take("b").exact("x")
    found.root.take("c").exact("y")
    found.root.take("a").forget()
    assert not found.is_spoken_of(("a",))
    assert found.is_spoken_of(("c",))
