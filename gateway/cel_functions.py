"""The functions that rules have beside CEL's own: one row each, with an example that is true.

Those without `call` are the library's (extensions of cel-expr-python).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway import cel_calls
from gateway.cel_secrets import UNREDACTED


@dataclass(frozen=True, slots=True)
class Function:
    """One overload."""

    name: str
    signature: str
    """For people: `list.slice(int, int) -> list`."""
    doc: str
    example: str
    """A true expression."""
    takes: tuple[str, ...] = ()
    """CEL types; of a member, its target's first."""
    gives: str = "dyn"
    is_member: bool = False
    call: Callable[..., object] | None = None
    """None: the library has it."""


_LISTS, _TEXT, _WHOLE, _BOOL, _DYN = "list<dyn>", "string", "int", "bool", "dyn"
_MAPS, _BYTES = "map<dyn, dyn>", "bytes"


def _library(signature: str, doc: str, example: str) -> Function:
    return Function("", signature, doc, example)


def _member(
    name: str, takes: tuple[str, ...], gives: str, call: Callable[..., object], *said: str
) -> Function:
    """`said`: what it does, and an example."""
    doc, example = said
    shown = f"{_short(takes[0])}.{name}({', '.join(map(_short, takes[1:]))}) -> {_short(gives)}"
    return Function(name, shown, doc, example, takes, gives, True, call)


def _free(
    name: str, takes: tuple[str, ...], gives: str, call: Callable[..., object], *said: str
) -> Function:
    doc, example = said
    shown = f"{name}({', '.join(map(_short, takes))}) -> {_short(gives)}"
    return Function(name, shown, doc, example, takes, gives, False, call)


def _short(kind: str) -> str:
    return kind.partition("<")[0]


_STRINGS = (
    _library(
        "string.lowerAscii(), .upperAscii()",
        "ASCII letters in one case.",
        '"GPT-5".lowerAscii() == "gpt-5"',
    ),
    _library("string.trim()", "Without the white space around it.", '" a ".trim() == "a"'),
    _library(
        "string.split(string[, int])",
        "The parts between separators, at most so many.",
        '"a,b,c".split(",", 2) == ["a", "b,c"]',
    ),
    _library("list.join([string])", "One string of many.", '["a", "b"].join("-") == "a-b"'),
    _library(
        "string.replace(string, string[, int])",
        "Each, or the first so many, replaced.",
        '"aaa".replace("a", "b", 2) == "bba"',
    ),
    _library(
        "string.substring(int[, int])",
        "From a position, up to but without another.",
        '"Bearer x".substring(7) == "x"',
    ),
    _library(
        "string.charAt(int)",
        "The character at a position; at the end, the empty string.",
        '"abc".charAt(1) == "b"',
    ),
    _library(
        "string.indexOf(string[, int]), .lastIndexOf(…)",
        "Where it first or last stands; -1: nowhere.",
        '"a/b/c".lastIndexOf("/") == 3',
    ),
    _library("string.reverse()", "Backwards.", '"abc".reverse() == "cba"'),
    _library(
        "string.format(list)",
        "`%s`, `%d`, `%f`, `%.2f`, `%e`, `%x`, `%b`, `%%`.",
        '"%s-%d".format(["a", 7]) == "a-7"',
    ),
    _library(
        "strings.quote(string)",
        "In double quotes, escaped.",
        r"""strings.quote("a\"b") == '"a\\"b"'""",
    ),
)
_LIST_FUNCTIONS = (
    _member(
        "distinct",
        (_LISTS,),
        _LISTS,
        cel_calls.distinct,
        "The first of each.",
        '["a", "b", "a"].distinct() == ["a", "b"]',
    ),
    _member(
        "sort",
        (_LISTS,),
        _LISTS,
        cel_calls.sort,
        "In order: numbers, strings, bytes or bools among themselves.",
        "[3, 1, 2].sort() == [1, 2, 3]",
    ),
    _member(
        "flatten",
        (_LISTS,),
        _LISTS,
        cel_calls.flatten,
        "Lists within it become part of it.",
        "[1, [2, [3]]].flatten() == [1, 2, [3]]",
    ),
    _member(
        "flatten",
        (_LISTS, _WHOLE),
        _LISTS,
        cel_calls.flatten,
        "The same, so many levels deep.",
        "[1, [2, [3]]].flatten(2) == [1, 2, 3]",
    ),
    _member(
        "slice",
        (_LISTS, _WHOLE, _WHOLE),
        _LISTS,
        cel_calls.part,
        "From a position, up to but without another.",
        "[1, 2, 3].slice(1, 3) == [2, 3]",
    ),
    _member(
        "sum", (_LISTS,), _DYN, cel_calls.total, "Of numbers; of none 0.", "[1, 2.5].sum() == 3.5"
    ),
    _member(
        "min",
        (_LISTS,),
        _DYN,
        cel_calls.least,
        "The least; of none, an error.",
        '["b", "a"].min() == "a"',
    ),
    _member(
        "max",
        (_LISTS,),
        _DYN,
        cel_calls.greatest,
        "The greatest; of none, an error.",
        "[1, 3, 2].max() == 3",
    ),
    _library("list.first(), .last()", "An optional value.", "[1, 2].last().orValue(0) == 2"),
)
_MAP_FUNCTIONS = (
    _member(
        "keys",
        (_MAPS,),
        _LISTS,
        cel_calls.keys,
        "In order.",
        '{"b": 1, "a": 2}.keys() == ["a", "b"]',
    ),
    _member(
        "values",
        (_MAPS,),
        _LISTS,
        cel_calls.values,
        "In the order of their keys.",
        '{"b": 1, "a": 2}.values() == [2, 1]',
    ),
    _member(
        "merge",
        (_MAPS, _MAPS),
        _MAPS,
        cel_calls.merge,
        "Both; where a key is in both, the second's.",
        '{"a": 1}.merge({"a": 2, "b": 3}) == {"a": 2, "b": 3}',
    ),
    _library(
        "map[?key]", "An optional value: there may be none.", '{"a": 1}[?"b"].orValue(0) == 0'
    ),
)
_NUMBERS = (
    _library(
        "math.greatest(…), math.least(…)",
        "Of several, or of a list.",
        "math.greatest(1, 3, 2) == 3",
    ),
    _library(
        "math.ceil, .floor, .round, .trunc(double)", "Without a fraction.", "math.ceil(1.2) == 2.0"
    ),
    _library("math.abs(number), math.sign(number)", "Its size; -1, 0 or 1.", "math.abs(-3) == 3"),
    _library("math.sqrt(number)", "The square root.", "math.sqrt(9.0) == 3.0"),
    _library(
        "math.isNaN, .isInf, .isFinite(double)",
        "What kind of a double it is.",
        "math.isFinite(1.0)",
    ),
    _library(
        "math.bitAnd, .bitOr, .bitXor, .bitShiftLeft, .bitShiftRight(int, int), .bitNot(int)",
        "Bit by bit.",
        "math.bitAnd(6, 3) == 2",
    ),
)
_PATTERNS = (
    _library(
        "string.matches(string)",
        "Whether the pattern is found anywhere.",
        r"""'gpt-5'.matches('^gpt-\\d+$')""",
    ),
    _free(
        "regex.extract",
        (_TEXT, _TEXT),
        _TEXT,
        cel_calls.extract,
        "What is found first, or its one group; where nothing is found, an error.",
        r"""regex.extract('user/ann', '^user/(\\w+)$') == 'ann'""",
    ),
    _free(
        "regex.extractAll",
        (_TEXT, _TEXT),
        _LISTS,
        cel_calls.extract_all,
        "All that is found.",
        r"""regex.extractAll('a1b22', '\\d+') == ['1', '22']""",
    ),
    _free(
        "regex.replace",
        (_TEXT, _TEXT, _TEXT),
        _TEXT,
        cel_calls.replace,
        r"All that is found, replaced; `\1` is the first group.",
        r"""regex.replace('a1b2', '(\\d)', '<\\1>') == 'a<1>b<2>'""",
    ),
)
_ADDRESSES = (
    _free(
        "isIP",
        (_TEXT,),
        _BOOL,
        cel_calls.test_of(cel_calls.address),
        "Whether it is an IPv4 or IPv6 address.",
        'isIP("::1") && !isIP("10.0.0.0/8")',
    ),
    _free(
        "isCIDR",
        (_TEXT,),
        _BOOL,
        cel_calls.test_of(cel_calls.network),
        "Whether it is a block of addresses.",
        'isCIDR("10.0.0.0/8") && !isCIDR("10.0.0.1/8")',
    ),
    _free(
        "ip",
        (_TEXT,),
        _TEXT,
        lambda text: str(cel_calls.address(text)),
        "The address as it is usually written; IPv4 within IPv6 is IPv4.",
        'ip("::ffff:10.0.0.1") == "10.0.0.1"',
    ),
    _free(
        "cidr",
        (_TEXT,),
        _TEXT,
        lambda text: str(cel_calls.network(text)),
        "The block as it is usually written.",
        'cidr("2001:DB8::/32") == "2001:db8::/32"',
    ),
    _member(
        "containsIP",
        (_TEXT, _TEXT),
        _BOOL,
        lambda block, one: cel_calls.address(one) in cel_calls.network(block),
        "Whether an address is in a block.",
        'cidr("10.0.0.0/8").containsIP("10.1.2.3")',
    ),
    _member(
        "containsCIDR",
        (_TEXT, _TEXT),
        _BOOL,
        cel_calls.contains_block,
        "Whether a block is in a block.",
        'cidr("10.0.0.0/8").containsCIDR("10.1.0.0/16")',
    ),
    _member(
        "prefixLength",
        (_TEXT,),
        _WHOLE,
        lambda text: cel_calls.network(text).prefixlen,
        "Of a block.",
        'cidr("10.0.0.0/8").prefixLength() == 8',
    ),
    _member(
        "family",
        (_TEXT,),
        _WHOLE,
        lambda text: cel_calls.address(text).version,
        "4 or 6.",
        'ip("::1").family() == 6',
    ),
    _member(
        "isLoopback",
        (_TEXT,),
        _BOOL,
        lambda text: cel_calls.address(text).is_loopback,
        "127.0.0.0/8, ::1.",
        'ip("127.0.0.1").isLoopback()',
    ),
    _member(
        "isPrivate",
        (_TEXT,),
        _BOOL,
        lambda text: cel_calls.address(text).is_private,
        "Not reachable from everywhere, as IANA's registries say.",
        'ip("192.168.1.1").isPrivate()',
    ),
    _member(
        "isLinkLocal",
        (_TEXT,),
        _BOOL,
        lambda text: cel_calls.address(text).is_link_local,
        "169.254.0.0/16, fe80::/10.",
        'ip("fe80::1").isLinkLocal()',
    ),
)
_TIMES = (
    _library(
        "timestamp.getHours([zone]), .getMinutes(…), .getSeconds(…)",
        "In UTC, or in a zone: `Europe/Berlin`, `+02:00`.",
        'timestamp("2026-07-01T12:00:00Z").getHours("Europe/Berlin") == 14',
    ),
    _library(
        "timestamp.getDayOfWeek([zone]), .getDate(…), .getMonth(…), .getFullYear(…)",
        "Sunday is 0, January is 0, the first of a month is 1.",
        'timestamp("2026-07-05T12:00:00Z").getDayOfWeek() == 0',
    ),
    _library(
        "timestamp(string), duration(string)",
        "RFC 3339; `90s`, `1h30m`. Both can be added, subtracted and compared.",
        'timestamp("2026-01-01T00:00:00Z") + duration("36h") > timestamp("2026-01-02T00:00:00Z")',
    ),
)
_ENCODINGS = (
    _library(
        "base64.encode(bytes), base64.decode(string)",
        "`string(…)` and `bytes(…)` go between bytes and text.",
        'string(base64.decode("aGk=")) == "hi" && base64.encode(b"hi") == "aGk="',
    ),
    _free(
        "json.decode",
        (_TEXT,),
        _DYN,
        cel_calls.decode_json,
        "The value; a key that stands twice is an error.",
        """json.decode('{"a": [1, 2]}').a[1] == 2""",
    ),
    *(
        _free(
            "json.encode",
            (kind,),
            _TEXT,
            cel_calls.encode_json,
            "Without white space, keys in order.",
            example,
        )
        for kind, example in (
            (_MAPS, """json.encode({"b": 1, "a": [true]}) == '{"a":[true],"b":1}'"""),
            (_LISTS, """json.encode(["a", 1.5, null]) == '["a",1.5,null]'"""),
        )
    ),
)
_SECRETS = (
    _member(
        UNREDACTED,
        (_TEXT,),
        _TEXT,
        str,
        "What is secret in what is read: a [secret](#secrets) is read no other way.",
        'apiKey.key.unredacted().startsWith("k-")',
    ),
)
_DIGESTS = (
    *(
        _free(
            f"hash.{name}",
            (kind,),
            _TEXT,
            cel_calls.digest(name),
            "In hexadecimal.",
            f'hash.{name}({mark}"abc").startsWith("{start}")',
        )
        for name, start in (("sha256", "ba7816bf"), ("sha512", "ddaf35a1"))
        for kind, mark in ((_TEXT, ""), (_BYTES, "b"))
    ),
    *(
        _free(
            "hash.hmacSha256",
            (key, kind),
            _TEXT,
            cel_calls.keyed_digest,
            "Of a key and a message, in hexadecimal.",
            f'hash.hmacSha256({first}"key", {second}"message").startsWith("6e9ef29b")',
        )
        for key, first in ((_TEXT, ""), (_BYTES, "b"))
        for kind, second in ((_TEXT, ""), (_BYTES, "b"))
    ),
    _free(
        "hash.equal",
        (_TEXT, _TEXT),
        _BOOL,
        cel_calls.equal,
        "In a time that does not tell how much is equal.",
        'hash.equal("a", "a")',
    ),
)

GROUPS: tuple[tuple[str, tuple[Function, ...]], ...] = (
    ("Strings", _STRINGS),
    ("Lists", _LIST_FUNCTIONS),
    ("Maps", _MAP_FUNCTIONS),
    ("Numbers", _NUMBERS),
    ("Patterns (RE2)", _PATTERNS),
    ("Addresses", _ADDRESSES),
    ("Times", _TIMES),
    ("Encodings", _ENCODINGS),
    ("Digests", _DIGESTS),
    ("Secrets", _SECRETS),
)

FUNCTIONS: tuple[Function, ...] = tuple(each for _, group in GROUPS for each in group)
