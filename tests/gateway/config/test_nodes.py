from __future__ import annotations

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.config.nodes import Mapping, Node, NotYaml, Scalar, Sequence, TooDeep, compose


def plain(node: Node | yaml.Node | None) -> object:
    """Tags, texts and lines of either kind of node."""
    match node:
        case Scalar():
            return (node.tag, node.text, node.line)
        case Sequence():
            return (node.line, [plain(each) for each in node.items])
        case Mapping():
            return (node.line, [(plain(key), plain(value)) for key, value in node.entries])
        case yaml.ScalarNode():
            return (node.tag, node.value, node.start_mark.line + 1)
        case yaml.SequenceNode():
            return (node.start_mark.line + 1, [plain(each) for each in node.value])
        case yaml.MappingNode():
            pairs = [(plain(key), plain(value)) for key, value in node.value]
            return (node.start_mark.line + 1, pairs)
    return None


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("ab1:-[]{}&*!<\"'|>#~.? \n0")))
def test_it_says_what_pyyamls_own_composer_says(text: str) -> None:
    try:
        theirs = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        with pytest.raises(NotYaml):
            compose(text)
        return
    assume(not _is_circular(theirs, ()))
    assert plain(compose(text)) == plain(theirs)


def _is_circular(node: yaml.Node | None, around: tuple[int, ...]) -> bool:
    if id(node) in around:
        return True
    inner = node.value if isinstance(node, yaml.CollectionNode) else []
    parts = [part for each in inner for part in (each if isinstance(each, tuple) else (each,))]
    return any(_is_circular(part, (*around, id(node))) for part in parts)


def test_an_alias_is_the_node_itself() -> None:
    root = compose("a: &x [1]\nb: *x\n")
    assert isinstance(root, Mapping)
    (_, first), (_, second) = root.entries
    assert first is second
    circle = compose("&a [*a]")
    assert isinstance(circle, Sequence)
    assert circle.items == [circle]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a:\n  - *x\n", 2, "found undefined alias 'x'"),
        ("a: 1\n---\nb: 2\n", 2, "expected a single document"),
        ("a: &x 1\nb: &x 2\n", 2, "the anchor 'x' is there already, on line 1"),
        ("a: [1\nb: 2\n", 2, "did not find expected"),
        ("a: 1\nb: \x01", 2, "control characters are not allowed"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(NotYaml) as raised:
        compose(text)
    assert raised.value.line == line
    assert message in raised.value.message


def test_depth_has_an_end() -> None:
    with pytest.raises(TooDeep) as raised:
        compose("\n" + "[" * 100)
    assert raised.value.line == 2


def test_no_document_is_nothing() -> None:
    assert compose("") is compose("# a comment\n") is None
