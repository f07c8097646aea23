from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.protocols import json_spans
from extproc.protocols.json_spans import (
    MAX_SEPARATORS,
    DuplicateKey,
    InvalidJson,
    TooComplex,
    TooDeep,
)

# --- reading -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"a":1,"a":2}', "a"),
        (b'{"model":"cheap","mod\\u0065l":"dear"}', "model"),
        (b'{"messages":[{"content":"a","content":"b"}]}', "content"),
        (b'{"a":{"b":{"c":[[{"d":1,"d":1}]]}}}', "d"),
        (b'{"":1,"":2}', ""),
        (b'{"say \\"hi\\" at line 1":1,"say \\"hi\\" at line 1":2}', 'say \\"hi\\" at line 1'),
        (b'{"' + b"k" * 999 + b'":1,"' + b"k" * 999 + b'":1}', "k" * 64),
        ('{"é":1,"\\u00e9":2}'.encode(), "é"),
    ],
)
def test_a_key_said_twice_is_refused_at_every_depth_and_spelling(body: bytes, name: str) -> None:
    with pytest.raises(DuplicateKey) as refusal:
        json_spans.decode(body)
    assert refusal.value.name == name


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"null",
        b"[1]",
        b'"text"',
        b'{"a":1',
        b'{"a":1,}',
        b'{"a":[1,]}',
        b'{"a":1} {"a":2}',
        b'{"a":1}x',
        b'{"a":1}\x00',
        b'\xef\xbb\xbf{"a":1}',
        b'\x0c{"a":1}',
        b'{"a"\xc2\xa0:1}',
        b"{'a':1}",
        b'{"a":/*1*/1}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":01}',
        b'{"a":+1}',
        b'{"a":1.}',
        b'{"a":.5}',
        b'{"a":"\n"}',
        b'{"a":"\x00"}',
        b'{"a":"\\x41"}',
        b'{"a":"\\U0041"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\\ude00\\ud83d"}',
        b'{"\\ud800":1}',
        b'{"a":"\xff"}',
        b'{"a":"\xc0\x80"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"\xff":1}',
        b'{"a":1' + b"0" * 5000 + b"}",
        b'{"a":' + b"[" * 201 + b"]" * 201 + b"}",
        b'{"a":' + b"[" * 1_000_000,
    ],
)
def test_what_is_not_one_strict_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidJson):
        json_spans.decode(body)


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b'\r\n\t {"a" : 1 }\n', {"a": 1}),
        (b'{"a":"\\u0000"}', {"a": "\0"}),
        (b'{"a\\u0000":1,"a":2}', {"a\0": 1, "a": 2}),
        (b'{"a":"\\ud83d\\ude00\\u0040\\/"}', {"a": "\U0001f600@/"}),
        (b'{"a":1' + b"0" * 100 + b"}", {"a": 10**100}),
        (b'{"a":1e400}', {"a": float("inf")}),
        (b'{"\xc3\xa9":1,"e\xcc\x81":2}', {"é": 1, "e\u0301": 2}),
        (b'{"a":' + b"[" * 2 + b"]" * 2 + b"}", {"a": [[]]}),
    ],
)
def test_what_the_standard_allows_is_read(body: bytes, document: dict[str, object]) -> None:
    assert json_spans.decode(body) == document


def test_integers_have_up_to_4300_digits() -> None:
    longest = b"-" + b"9" * 4300
    assert json_spans.decode(b'{"a":%b}' % longest) == {"a": int(longest)}
    with pytest.raises(InvalidJson):
        json_spans.decode(b'{"a":%b9}' % longest)


def test_nesting_beyond_200_is_told_apart() -> None:
    with pytest.raises(TooDeep):
        json_spans.decode(b'{"a":' + b"[" * 201 + b"]" * 201 + b"}")


@pytest.mark.parametrize("value", [b"[]", b"{}", b"0", b'""', b'{"":""}', b'"\\\\"'])
def test_more_values_than_anybody_needs_are_refused(value: bytes) -> None:
    body = b'{"a":[' + b",".join([value] * (MAX_SEPARATORS + 1)) + b"]}"
    with pytest.raises(TooComplex):
        json_spans.decode(body)
    with pytest.raises(TooComplex):
        json_spans.decode_exactly(body)


def test_many_values_that_are_still_few_enough_are_read() -> None:
    body = b'{"a":[' + b",".join([b'""'] * (MAX_SEPARATORS - 1)) + b"]}"
    assert json_spans.decode(body) == {"a": [""] * (MAX_SEPARATORS - 1)}


@pytest.mark.parametrize("text", ["[{,", '\\"[,', "\\", '\\",[\\\\{"'])
def test_what_stands_in_strings_is_not_counted(text: str) -> None:
    prose = text * MAX_SEPARATORS
    assert json_spans.decode(json.dumps({"a": prose}).encode()) == {"a": prose}


def test_a_flood_of_quotes_is_not_split() -> None:
    body = b'{"a":[' + b'"' * 5 * MAX_SEPARATORS + b"," * MAX_SEPARATORS
    with pytest.raises(TooComplex):
        json_spans.decode(body)


def test_numbers_come_back_as_they_were_written() -> None:
    body = b'{"a":[1.10,1e400,-0.0,1E5,123456789012345678901234567890],"b":"\xc3\xa9"}'
    assert json_spans.encode(json_spans.decode_exactly(body)) == body


def test_any_value_is_read_exactly_and_as_strictly() -> None:
    assert json_spans.decode_exactly(b' ["a",null]') == ["a", None]
    with pytest.raises(InvalidJson):
        json_spans.decode_exactly(b'["a"]]')
    with pytest.raises(DuplicateKey):
        json_spans.decode_exactly(b'[{"a":1,"a":2}]')


def test_only_json_is_encoded() -> None:
    with pytest.raises(TypeError):
        json_spans.encode({"a": object()})


# --- splicing ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "spliced"),
    [
        (b"{}", b'{"model":"new"}'),
        (b" { \n} ", b' { \n"model":"new"} '),
        (b'{"a":{} }', b'{"a":{} ,"model":"new"}'),
        (b'{"a":"}" }\n', b'{"a":"}" ,"model":"new"}\n'),
        (b'{"model":"old"}', b'{"model":"new"}'),
        (b'{ "model" :\t"old" , "a":1}', b'{ "model" :\t"new" , "a":1}'),
        (b'{"mod\\u0065l":"old"}', b'{"mod\\u0065l":"new"}'),
        (b'{"a":{"model":"x"},"model":"old"}', b'{"a":{"model":"x"},"model":"new"}'),
        (b'{"a":"\\"model\\":\\"x\\"","model":1}', b'{"a":"\\"model\\":\\"x\\"","model":"new"}'),
        (b'{"a\\"model\\":":1,"model":"old"}', b'{"a\\"model\\":":1,"model":"new"}'),
        (b'{"a\\\\":1,"model":"old"}', b'{"a\\\\":1,"model":"new"}'),
        (b'{"mod\\u0065l":"a","b":[{"model":"a"}]}', b'{"mod\\u0065l":"new","b":[{"model":"a"}]}'),
        (b'{"messages":[ ],"model": null }', b'{"messages":[ ],"model": "new" }'),
        (b'{"user":"model","a":[],"model":"old"}', b'{"user":"model","a":[],"model":"new"}'),
        (b'{"a":[],"user":"model","model":"old"}', b'{"a":[],"user":"model","model":"new"}'),
        (b'{"user":"\\"model","model":"old"}', b'{"user":"\\"model","model":"new"}'),
        (b'{"a":["]"],"b":"]","model":"o\\"\\\\"}', b'{"a":["]"],"b":"]","model":"new"}'),
        (
            b'{"mod\\u0065l":"a","b":"{","c":{"model":"a"}}',
            b'{"mod\\u0065l":"new","b":"{","c":{"model":"a"}}',
        ),
    ],
)
def test_only_the_named_value_changes(body: bytes, spliced: bytes) -> None:
    assert json_spans.replace(body, {"model": b'"new"'}) == spliced


def test_values_are_replaced_and_inserted_in_one_go() -> None:
    body = b'{"b":1, "keep":1.10, "a":2}'
    assert json_spans.replace(body, {"a": b"3", "new": b"[]", "b": b"{}", "x": b"0"}) == (
        b'{"b":{}, "keep":1.10, "a":3,"new":[],"x":0}'
    )


def test_nothing_to_replace_changes_nothing() -> None:
    assert json_spans.replace(b' {"a":1} ', {}) == b' {"a":1} '


spaces = st.text(" \t\r\n", max_size=3)
keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.sampled_from(
    ["model", "messages", '"', "\\", '\\"', ":", "}", "{", ",", "é", "\0"]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | keys,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def written_objects(draw: st.DrawFn) -> tuple[bytes, dict[str, tuple[int, int]]]:
    """A body in some spelling, and where the values of its keys stand."""
    document: dict[str, Any] = draw(st.dictionaries(keys, values, max_size=5))
    text = draw(spaces) + "{" + draw(spaces)
    spans: dict[str, tuple[int, int]] = {}
    for index, (key, value) in enumerate(document.items()):
        text += ("," + draw(spaces)) if index else ""
        text += draw(spellings(key)) + draw(spaces) + ":" + draw(spaces)
        start = len(text.encode())
        text += json.dumps(
            value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))
        )
        spans[key] = (start, len(text.encode()))
        text += draw(spaces)
    return (text + "}" + draw(spaces)).encode(), spans


@st.composite
def spellings(draw: st.DrawFn, key: str) -> str:
    """A key as JSON, each of its characters escaped or not."""
    plain = [json.dumps(one, ensure_ascii=False)[1:-1] for one in key]
    escaped = [f"\\u{ord(one):04x}" if ord(one) < 0x10000 else one for one in key]
    chosen = [draw(st.sampled_from(pair)) for pair in zip(plain, escaped, strict=True)]
    return f'"{"".join(chosen)}"'


@given(written_objects())
def test_every_span_is_found(written: tuple[bytes, dict[str, tuple[int, int]]]) -> None:
    body, spans = written
    assert json_spans.decode(body) == json.loads(body)
    for key, (start, end) in spans.items():
        assert json_spans.replace(body, {key: b"0"}) == body[:start] + b"0" + body[end:]


@given(written_objects(), st.dictionaries(keys, values, max_size=3), st.data())
def test_splicing_changes_what_is_named_and_nothing_else(
    written: tuple[bytes, dict[str, tuple[int, int]]], new: dict[str, Any], data: st.DataObject
) -> None:
    body, spans = written
    for key in data.draw(st.sets(st.sampled_from(sorted(spans)) if spans else st.nothing())):
        new[key] = data.draw(values)
    pieces = {key: json.dumps(value).encode() for key, value in new.items()}
    spliced = json_spans.replace(body, pieces)
    assert json.loads(spliced) == {**json.loads(body), **new}
    # Taking the pieces out again, from the back, gives the old body.
    undone = spliced
    absent = [key for key in new if key not in spans]
    if absent:
        added = b",".join(json_spans.encode(key) + b":" + pieces[key] for key in absent)
        undone = undone[::-1].replace(((b"," if spans else b"") + added)[::-1], b"", 1)[::-1]
    shift = 0
    restored = b""
    done = 0
    for key, (start, end) in spans.items():
        if key in pieces:
            restored += undone[done : start + shift] + body[start:end]
            done = start + shift + len(pieces[key])
            shift += len(pieces[key]) - (end - start)
    assert restored + undone[done:] == body


@pytest.mark.parametrize(
    ("body", "rest"),
    [
        (b'{"a":1}', b"{}"),
        (b'{"a":1,"b":2}', b'{"b":2}'),
        (b'{"b":2,"a":1}', b'{"b":2}'),
        (b'{ "b": [1, 2] , "a":1, "c" : "}" }', b'{ "b": [1, 2], "c" : "}"}'),
        (b'{"b":{"a":1}}', b'{"b":{"a":1}}'),
        (b' {"\\u0061":1,"b":1e999} \n', b' {"b":1e999} \n'),
        (b"{ }", b"{ }"),
    ],
)
def test_only_the_named_keys_are_removed(body: bytes, rest: bytes) -> None:
    assert json_spans.remove(body, {"a", "x"}) == rest


@given(written_objects(), st.sets(keys, max_size=3), st.data())
def test_removing_leaves_all_others_as_they_are_written(
    written: tuple[bytes, dict[str, tuple[int, int]]], others: set[str], data: st.DataObject
) -> None:
    body, spans = written
    gone = others | set(data.draw(st.lists(st.sampled_from(sorted(spans))))) if spans else others
    rest = json_spans.remove(body, gone)
    document = json_spans.decode(body)
    assert json_spans.decode(rest) == {key: document[key] for key in document if key not in gone}
    for key, (start, end) in spans.items():
        assert key in gone or body[start:end] in rest


@given(written_objects())
def test_members_are_given_as_they_are_written(
    written: tuple[bytes, dict[str, tuple[int, int]]],
) -> None:
    body, spans = written
    assert json_spans.members(body) == {key: body[start:end] for key, (start, end) in spans.items()}


def test_items_are_given_and_joined_as_they_are_written() -> None:
    items = json_spans.items(b' [ {"a" :1.50}, "\\u00e9" ,[ ] ] ')
    assert items == [b'{"a" :1.50}', b'"\\u00e9"', b"[ ]"]
    assert json_spans.array(items) == b'[{"a" :1.50},"\\u00e9",[ ]]'
    assert json_spans.array([]) == b"[]"


# --- paths ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "path", "spliced"),
    [
        (b'{"a":{"b":1, "c":2}}', ("a", "b"), b'{"a":{"b":9, "c":2}}'),
        (b' {"b":1,"a":{"x":{"b":1},"b":2}}', ("a", "b"), b' {"b":1,"a":{"x":{"b":1},"b":9}}'),
        (b'{"\\u0061":{"\\u0062":1.0}}', ("a", "b"), b'{"\\u0061":{"\\u0062":9}}'),
        (b'{"a":{}}', ("a", "b"), b'{"a":{"b":9}}'),
        (b'{"c":1}', ("a", "b", "d"), b'{"c":1,"a":{"b":{"d":9}}}'),
        (b"{}", ("a",), b'{"a":9}'),
        (b'{"x":1,"a" :\t{ "b" : "1","c":2}}', ("a", "b"), b'{"x":1,"a" :\t{ "b" : 9,"c":2}}'),
        (b'{"a":{"b":"1\\"","c":2}}', ("a", "b"), b'{"a":{"b":9,"c":2}}'),
        (b'{"a":{"b":""}}', ("a", "b"), b'{"a":{"b":9}}'),
        (b'{"a":{"c":"1","b":"2"}}', ("a", "b"), b'{"a":{"c":"1","b":9}}'),
        (b'{"x":{"b":"1"},"a":{"b":"2"}}', ("a", "b"), b'{"x":{"b":"1"},"a":{"b":9}}'),
        (b'{"x":["a"],"a":{"b":"2"}}', ("a", "b"), b'{"x":["a"],"a":{"b":9}}'),
        (b'{"x":"\\"a\\":{","a":{"b":"2"}}', ("a", "b"), b'{"x":"\\"a\\":{","a":{"b":9}}'),
        (b'{"x":"{","a":{"b":"2"}}', ("a", "b"), b'{"x":"{","a":{"b":9}}'),
        (b'{"x":"a","y":{"b":"2"},"a":{}}', ("a", "b"), b'{"x":"a","y":{"b":"2"},"a":{"b":9}}'),
        (b'{"\\"a":{"b":"2"},"a":{"b":"3"}}', ("a", "b"), b'{"\\"a":{"b":"2"},"a":{"b":9}}'),
        (b'{"xa":{"b":"2"},"a":{"b":"3"}}', ("a", "b"), b'{"xa":{"b":"2"},"a":{"b":9}}'),
        (b'{"a":{"b":1}}', ("a",), b'{"a":9}'),
    ],
)
def test_a_value_at_a_path_changes_alone(
    body: bytes, path: tuple[str, ...], spliced: bytes
) -> None:
    assert json_spans.replace_at(body, {path: b"9"}) == spliced


def test_values_at_several_paths_change_in_one_go() -> None:
    body = b'{"id": 1, "params":{"name":"a","_meta":{"token": 7}}}'
    changes = {
        ("params", "_meta", "token"): b'"t"',
        ("id",): b"2",
        ("params", "name"): b'"b"',
        ("params", "new"): b"[]",
    }
    assert json_spans.replace_at(body, changes) == (
        b'{"id": 2, "params":{"name":"b","_meta":{"token": "t"},"new":[]}}'
    )


@pytest.mark.parametrize("body", [b'{"a":1}', b'{"a":[]}', b'{"a":"{}"}', b"[]"])
def test_no_path_leads_through_what_is_no_object(body: bytes) -> None:
    with pytest.raises(ValueError, match="not an object"):
        json_spans.replace_at(body, {("a", "b"): b"1"})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((), b'{ "a": {"b" :1.10}, "c":"{}" }'),
        (("a",), b'{"b" :1.10}'),
        (("a", "b"), b"1.10"),
        (("a", "x"), None),
        (("c", "b"), None),
        (("x", "y"), None),
    ],
)
def test_a_value_is_found_by_its_path(path: tuple[str, ...], value: bytes | None) -> None:
    assert json_spans.value_at(b' { "a": {"b" :1.10}, "c":"{}" }', path) == value


_trees = st.recursive(
    st.integers() | st.text() | st.lists(st.booleans()),
    lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=4),
)


@given(st.dictionaries(st.text(max_size=3), _trees, max_size=4), st.data())
def test_any_value_can_be_changed_where_it_stands(
    document: dict[str, Any], data: st.DataObject
) -> None:
    path: list[str] = []
    at: Any = document
    while isinstance(at, dict) and at and (not path or data.draw(st.booleans())):
        path.append(data.draw(st.sampled_from(sorted(at))))
        at = at[path[-1]]
    if not path:
        return
    body = json.dumps(document, indent=data.draw(st.sampled_from([None, 1]))).encode()
    changed = json.loads(json_spans.replace_at(body, {tuple(path): b'"new"'}))
    inner: Any = document
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = "new"
    assert changed == document


_words = st.text('ab{["\\:, ', max_size=4) | st.sampled_from(["a", "b"])
_objects = st.dictionaries(_words, _words | st.lists(_words, max_size=1), max_size=3)


@given(st.dictionaries(_words, _words | _objects, max_size=4), st.sampled_from([None, 1]))
def test_what_looks_like_a_path_is_none(document: dict[str, Any], indent: int | None) -> None:
    body = json.dumps(document, indent=indent).encode()
    inner = document.get("a", {})
    if not isinstance(inner, dict):
        return
    changed = {**document, "a": {**inner, "b": "new"}}
    assert json.loads(json_spans.replace_at(body, {("a", "b"): b'"new"'})) == changed


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        (b'{"x":{ "ab" : "\\"1\\\\" },"c":"a"}', b'{"x":{ "ab" : 9 },"c":"a"}'),
        (b'{"c":"x\\\\","ab":""}', b'{"c":"x\\\\","ab":9}'),
        (b'{"ab":"\\u00e9"}', b'{"ab":9}'),
        (b'{"x":"\\"ab\\"","ab":"1"}', b'{"x":"\\"ab\\"","ab":9}'),
        (b'{"x":"\\"ab","ab":"1"}', None),
        (b'{"x":"ab","ab":"1"}', None),
        (b'{"x":{"ab":"2"},"ab":"1"}', None),
        (b'{"\\u0061b":"1","x":{"ab":"2"}}', None),
        (b'{"a\\u0062":"1"}', None),
        (b'{"\\u0061\\u0062":"1"}', None),
    ],
)
def test_the_only_member_of_a_name_is_found_by_it(body: bytes, changed: bytes | None) -> None:
    assert json_spans.replace_only(body, {"ab": b"9"}) == changed


def test_several_are_found_wherever_they_stand() -> None:
    body = b'{"x":[{"b":"2","y":1}],"a":"1"}'
    changes = {"a": b'"longer"', "b": b"0"}
    assert json_spans.replace_only(body, changes) == b'{"x":[{"b":0,"y":1}],"a":"longer"}'


@given(st.dictionaries(_words, _words | _objects, max_size=4), _words, st.booleans(), st.data())
def test_what_looks_like_the_only_member_is_none(
    document: dict[str, Any], value: str, is_inner: bool, data: st.DataObject
) -> None:
    outer = document.get("a", {}) if is_inner else document
    if not isinstance(outer, dict):
        return
    said = {**document, "a": {**outer, "b": value}} if is_inner else {**document, "b": value}
    body = json.dumps(said, indent=data.draw(st.sampled_from([None, 1]))).encode()
    if data.draw(st.booleans()):  # some other name or text is an escaped b
        body = body.replace(b"b", b"\\u0062", data.draw(st.integers(1, 2)))
    changed = json_spans.replace_only(body, {"b": b'"new"'})
    if changed is None:
        return
    if is_inner:
        said["a"]["b"] = "new"
    else:
        said["b"] = "new"
    assert json.loads(changed) == said
