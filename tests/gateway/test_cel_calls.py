"""Functions of ours, seen from expressions: what they give, and what makes them err."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cel import CelError, bind, compile_value


def value(text: str, /, **jwt: object) -> object:
    """Of an expression that sees these claims."""
    compiled = compile_value(text)
    assert not isinstance(compiled, str), compiled
    return compiled.evaluate_bound(bind({"jwt": jwt}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[].distinct()", []),
        ("[1, 1.0, 2u, true, true, '1', null, null].distinct()", [1, 2, True, "1", None]),
        ("[[1], [1.0], {'a': [1]}, {'a': [1]}].distinct()", [[1], {"a": [1]}]),
        ("[b'a', b'b', b'a'].distinct().size()", 2),
        ("[2, 1.5, 3u].sort()", [1.5, 2, 3]),
        ("['b', 'B', 'a'].sort()", ["B", "a", "b"]),
        ("[true, false].sort()", [False, True]),
        ("[].sort()", []),
        ("[1, [2]].flatten(0)", [1, [2]]),
        ("[1, 2, 3].slice(0, 0)", []),
        ("[].sum()", 0),
        ("[1, 2, 3].max() - [4, 5].min()", -1),
        ("{1: 'b', 0: 'a'}.values()", ["a", "b"]),
        ("regex.extract('a=1', 'a=([0-9]+)')", "1"),
        ("regex.extract('ab', 'a(x)?')", ""),
        ("regex.extractAll('abc', 'x')", []),
        ("regex.replace('John Smith', '(\\\\w+) (\\\\w+)', '\\\\2 \\\\1')", "Smith John"),
        ("json.decode('[1, 2.5, \"a\", null, true, 123456789012345678901]')", None),
        ('json.decode(\'{"a": {"b": []}}\')', {"a": {"b": []}}),
        ("cidr('10.0.0.0/8').containsIP('::ffff:10.1.2.3')", True),
        ("cidr('10.0.0.0/8').containsIP('::1')", False),
        ("cidr('::/0').containsIP('10.0.0.1')", False),
        ("cidr('::/0').containsCIDR('10.0.0.0/8')", False),
        ("cidr('10.1.0.0/16').containsCIDR('10.0.0.0/8')", False),
        (
            "isCIDR('10.0.0.1') || isIP('010.0.0.1') || isIP('10.0.0.1 ')",
            False,
        ),
        ("hash.equal('a', 'b')", False),
    ],
)
def test_what_it_gives(text: str, expected: object) -> None:
    found = value(text)
    if expected is None:
        expected = [1, 2.5, "a", None, True, 123456789012345678901.0]
    assert found == expected
    assert json.dumps(found) == json.dumps(expected)  # 1 is not true


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[1, 'a'].sort()", "only numbers, strings, bytes or bools among themselves have an order"),
        (
            "[1, true].sort()",
            "only numbers, strings, bytes or bools among themselves have an order",
        ),
        ("[[1]].max()", "only numbers, strings, bytes or bools among themselves have an order"),
        ("[0.0 / 0.0, 1.0].sort()", "not a number: NaN has no place"),
        ("[].min()", "an empty list has no least item"),
        ("[].max()", "an empty list has no greatest item"),
        ("['a'].sum()", "only numbers have a sum"),
        ("[true].sum()", "only numbers have a sum"),
        ("[9223372036854775807, 1].sum()", "the sum overflows"),
        ("[1].slice(0, 2)", "the slice reaches beyond the list"),
        ("[1].slice(-1, 1)", "the slice reaches beyond the list"),
        ("[1].flatten(-1)", "the depth must be 0 to 64"),
        ("regex.extract('a', 'b')", "nothing matches"),
        ("regex.extract('ab', '(a)(b)')", "more than one group: which is wanted is not clear"),
        ("regex.extract('a', jwt.x)", "invalid regular expression"),
        (
            "regex.replace('a', 'a', '\\\\2')",
            "the rewriting names a group that the pattern does not",
        ),
        ("ip(jwt.x)", "not an IP address"),
        ("cidr(jwt.x)", "not a CIDR block, as 10.0.0.0/8 is"),
        ("json.decode(jwt.x)", "not JSON"),
        ('json.decode(\'{"a": 1, "a": 2}\')', "not JSON that can be read in one way: a key stands"),
        ("json.decode('NaN')", "not JSON"),
        ("json.decode(jwt.deep)", "nested too deep"),
        ("json.decode('\"a\\\\u0000\"')", "a text with a NUL"),
        ("json.encode([0.0 / 0.0])", "not a value that JSON has"),
        ("json.encode([b'a'])", "not a value that JSON has"),
        ("jwt.many.distinct()", "more than 10000 items"),
        ("jwt.many.sum()", "more than 10000 items"),
        ("jwt.many.sort()", "more than 10000 items"),
        ("[jwt.many, jwt.many].flatten()", "more than 10000 items"),
    ],
)
def test_what_makes_it_err(text: str, reason: str) -> None:
    found = value(text, x="(secret", deep="[" * 70 + "]" * 70, many=list(range(10_001)))
    assert isinstance(found, CelError)
    assert found.reason.startswith(reason)
    assert "secret" not in found.reason


ADDRESSES = st.ip_addresses(v=4) | st.ip_addresses(v=6)


@given(ADDRESSES, st.integers(0, 32), st.ip_addresses(v=4))
def test_a_block_contains_what_its_prefix_says(one: object, bits: int, base: object) -> None:
    block = ip_network(f"{base}/{bits}", strict=False)
    address = ip_address(str(one))
    mapped = getattr(address, "ipv4_mapped", None) or address
    found = value("cidr(jwt.block).containsIP(jwt.one)", block=str(block), one=str(one))
    assert found is (mapped in block)


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=10,
)


@given(st.lists(JSON))
def test_what_is_encoded_is_decoded_again(items: list[object]) -> None:
    assert value("json.decode(json.encode(jwt.items)) == jwt.items", items=items) is True
    assert value("json.encode(jwt.items)", items=items) == json.dumps(
        items, ensure_ascii=False, separators=(",", ":"), sort_keys=True
    )


@given(TEXTS, TEXTS)
def test_hashes_are_those_of_the_standards(key: str, text: str) -> None:
    found = value(
        "[hash.sha256(jwt.text), hash.sha512(jwt.text), hash.hmacSha256(jwt.key, jwt.text)]",
        key=key,
        text=text,
    )
    data = text.encode()
    assert found == [
        hashlib.sha256(data).hexdigest(),
        hashlib.sha512(data).hexdigest(),
        hmac.new(key.encode(), data, "sha256").hexdigest(),
    ]


@given(st.lists(st.integers(-9, 9) | st.sampled_from(["a", "b"])))
def test_distinct_keeps_the_first_of_each(items: list[object]) -> None:
    assert value("jwt.items.distinct()", items=items) == list(dict.fromkeys(items))


@given(st.text("ab1 ", max_size=20))
def test_patterns_find_what_others_find(text: str) -> None:
    assert value("regex.extractAll(jwt.text, '[ab]+')", text=text) == re.findall("[ab]+", text)
    assert value("regex.replace(jwt.text, '[ab]+', '<>')", text=text) == re.sub("[ab]+", "<>", text)
