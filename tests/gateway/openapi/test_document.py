"""References are followed within the document alone, and each mistake is noted once."""

from __future__ import annotations

import pytest

from gateway.openapi.document import Document, Edition, Unreadable


def test_references_lead_through_objects_lists_and_escapes() -> None:
    root = {"a/b": {"c~d": [{"$ref": "#/x"}]}, "x": {"e": 1}}
    document = Document(root, Edition.OPENAPI_3_1)
    assert document.followed({"$ref": "#/a~1b/c~0d/0"}, ()) == ({"e": 1}, ("x",))
    assert document.followed({"$ref": "#/a~1b/c%7E0d/0"}, ())[0] == {"e": 1}
    assert document.followed(3, ("y",)) == (3, ("y",))


@pytest.mark.parametrize("reference", ["a.yaml", "#/no", "#/x/0", "#/l/1", "#/l/-1", "#a", "#/l/0"])
def test_what_leads_nowhere_is_a_mistake_once(reference: str) -> None:
    document = Document({"x": 1, "l": [{"$ref": "#/l/0"}]}, Edition.OPENAPI_3_1)
    for _ in range(2):
        with pytest.raises(Unreadable):
            document.followed({"$ref": reference}, ("here",))
    assert len(document.mistakes) == 1


def test_objects_and_lists_are_what_they_should_be() -> None:
    document = Document({}, Edition.OPENAPI_3_1)
    assert document.mapping(None, ()) == {}
    assert document.items(None, ()) == []
    with pytest.raises(Unreadable):
        document.mapping([], ("a",))
    with pytest.raises(Unreadable):
        document.items({}, ("a",))
    assert [each.message for each in document.mistakes] == ["must be an object", "must be a list"]
