"""What is added to bodies: fields, and marks of the vendors that have them."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.additions import added, folded, for_provider, values_of, with_fields
from extproc.llm.prompts import joined
from extproc.protocols import json_spans
from gateway.model import Dialect, Provider
from gateway.shaping import CacheMarks, Fields
from tests.kit.gateways import golden_gateway

PROVIDER = golden_gateway("llm-single").providers[0]
MARKS = CacheMarks(system=True, min_tokens=1)


def provider(vendor: str = "openai", **fields: Any) -> Provider:
    return dataclasses.replace(PROVIDER, vendor=vendor, fields=Fields(**fields))


def shaped(body: bytes, fields: Fields) -> bytes:
    names = json_spans.members(body)
    return with_fields(body, names, values_of(fields, names))


def test_defaults_stand_where_there_is_nothing() -> None:
    fields = Fields(defaults=(("a", "1"), ("b", "[true]")))
    assert json.loads(shaped(b'{"a": 2}', fields)) == {"a": 2, "b": [True]}


def test_null_of_the_client_is_something() -> None:
    assert shaped(b'{"a":null}', Fields(defaults=(("a", "1"),))) == b'{"a":null}'


def test_overrides_stand_whatever_there_is_and_null_removes() -> None:
    fields = Fields(overrides=(("a", "1"), ("b", "null"), ("c", '{"d":2}')))
    assert shaped(b'{"x" : 1.50, "a": 7,"b":[3] }', fields) == b'{"x" : 1.50, "a": 1,"c":{"d":2}}'


def test_other_spellings_of_a_field_are_that_field() -> None:
    fields = Fields(overrides=(("safetySettings", "[]"), ("max_tokens", "5")))
    found = shaped(b'{"safety_settings":[1],"max_completion_tokens":9}', fields)
    assert json.loads(found) == {"safetySettings": [], "max_tokens": 5}
    default = Fields(defaults=(("max_tokens", "5"),))
    assert shaped(b'{"max_completion_tokens":9}', default) == b'{"max_completion_tokens":9}'


def test_an_override_wins_over_a_default_of_another_spelling() -> None:
    fields = Fields(defaults=(("maxTokens", "1"),), overrides=(("max_tokens", "2"),))
    assert json.loads(shaped(b"{}", fields)) == {"max_tokens": 2}


def test_of_two_names_for_one_field_the_last_counts() -> None:
    fields = Fields(defaults=(("aB", "1"),), overrides=(("AB", "null"), ("aB", "2")))
    assert json.loads(shaped(b"{}", fields)) == {"aB": 2}


def test_a_provider_without_additions_has_none() -> None:
    assert for_provider(provider(), Dialect.OPENAI_CHAT, None) == ""
    assert for_provider(provider(overrides=(("a", "1"),)), None, MARKS) == ""
    assert added(b'{"a":1}', "", Dialect.OPENAI_CHAT) == b'{"a":1}'


def test_only_openai_is_told_a_key() -> None:
    body = b'{"messages":[{"role":"system","content":"be nice"}]}'
    for vendor, has_key in (("openai", True), ("azure-openai", True), ("groq", False)):
        additions = for_provider(provider(vendor), Dialect.OPENAI_CHAT, MARKS)
        assert (b"prompt_cache_key" in added(body, additions, Dialect.OPENAI_CHAT)) is has_key


def test_fields_and_marks_are_both_added() -> None:
    told = provider("anthropic", defaults=(("service_tier", '"auto"'),))
    additions = for_provider(told, Dialect.ANTHROPIC, MARKS)
    found = json.loads(added(b'{"system":"be nice"}', additions, Dialect.ANTHROPIC))
    assert found["service_tier"] == "auto"
    assert found["system"][0]["cache_control"] == {"type": "ephemeral"}


def test_gemini_has_no_marks() -> None:
    assert for_provider(provider("gemini"), Dialect.GEMINI, MARKS) == ""


def test_texts_are_joined_with_nothing_where_there_is_nothing() -> None:
    assert joined("", "a", "", "b") == "a\n\nb"


keys = st.text(max_size=4) | st.sampled_from(["a", "A", "a_b", "aB", "max_tokens"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
written = st.dictionaries(keys, values, max_size=5)


@given(written, written, written, st.sampled_from([None, 1]), st.booleans())
def test_whatever_is_added_the_body_is_json_and_the_rest_stays_as_it_is_written(
    document: dict[str, Any],
    defaults: dict[str, Any],
    overrides: dict[str, Any],
    indent: int | None,
    is_ascii: bool,
) -> None:
    body = json.dumps(document, indent=indent, ensure_ascii=is_ascii).encode()
    fields = Fields(
        tuple((name, json.dumps(value)) for name, value in defaults.items() if value is not None),
        tuple((name, json.dumps(value)) for name, value in overrides.items()),
    )
    found = shaped(body, fields)
    document_found = json_spans.decode(found)  # strict: nothing twice
    last = {folded(name): name for name in overrides}
    for name in last.values():
        value = overrides[name]
        alike = [each for each in document_found if folded(each) == folded(name)]
        assert alike == ([] if value is None else [name])
        assert document_found.get(name) == value
    before, after = json_spans.members(body), json_spans.members(found)
    for name, value in before.items():
        if folded(name) not in last:
            assert after[name] == value
