"""AgentGateway's grammar as data, and random files that keep to it, more or less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

KEYS = Path(__file__).parents[3] / "golden" / "import" / "agentgateway-keys.txt"
_DEEP = 12
_TEXTS = (
    *("a", "b", "default", "*", "a/*", "*.example.com", "api.example.com", "localhost:8080"),
    *("10.0.0.1:80", "https://x.example.com/v1", "unix:/tmp/x", "/", "/api", "/api/", "/v1/x"),
    *("1s", "1m30s", "24h", "0", "strict", "authorization", "Bearer ", "$VAR", "${VAR:-x}", "$${"),
    *("sha256:", "sha256:" + "ab" * 32, "gpt-5", "openai/gpt-5", "default/a", "x y", "1.5"),
    *('request.path == "/a"', 'jwt.sub == "x"', 'apiKey.name == "a"', 'llmRequest.model == "a"'),
    *("(", "", " ", "ü", "[a-z]+", r"\d+", 'llmRequest.model.stripPrefix("a/")', "tokens"),
    *("TLS_V1_3", "USD", "1h"),
)


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a block."""

    name: str
    type: str
    is_required: bool


@cache
def grammar() -> tuple[Mapping[str, tuple[Key, ...]], Mapping[str, str]]:
    """Blocks with their keys, and names for other types."""
    blocks: dict[str, list[Key]] = {}
    names: dict[str, str] = {}
    for line in KEYS.read_text().splitlines():
        if " := " in line:
            name, _, kind = line.partition(" := ")
            names[name] = kind
            continue
        path, _, kind = line.partition(" = ")
        block, _, key = path.rpartition(".")
        blocks.setdefault(block, []).append(Key(key.rstrip("*"), kind, key.endswith("*")))
    return {name: tuple(keys) for name, keys in blocks.items()}, names


def alternatives(kind: str) -> list[str]:
    """The parts of `a|[b|c]|map<d>`."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(kind):
        depth += (character in "[<{") - (character in "]>}")
        if character == "|" and depth == 0:
            parts.append(kind[start:position])
            start = position + 1
    return [*parts, kind[start:]]


def values(kind: str, depth: int) -> SearchStrategy[object]:
    """Values of a type; of the simplest kind when they are deep."""
    return st.one_of([_value(each, depth) for each in alternatives(kind)])


def _value(kind: str, depth: int) -> SearchStrategy[object]:
    blocks, names = grammar()
    if kind.startswith("["):
        inner = st.deferred(lambda: values(kind[1:-1], depth + 1))
        return st.lists(inner, max_size=0 if depth > _DEEP else 3)
    if kind.startswith("map<"):
        inner = st.deferred(lambda: values(kind[4:-1], depth + 1))
        return st.dictionaries(texts(), inner, max_size=0 if depth > _DEEP else 2)
    if kind.startswith("{") or kind in blocks:
        return block(kind.strip("{}"), depth)
    if kind.startswith('"'):
        return st.just(kind.strip('"'))
    if kind in names:
        return st.deferred(lambda: values(names[kind], depth + 1))
    plain = {
        "string": texts(),
        "integer": st.integers(-1, 70000) | st.sampled_from((0, 1, 80, 443, 4000, 15000)),
        "number": st.integers(0, 3) | st.just(0.5),
        "boolean": st.booleans(),
        "null": st.none(),
        "any": st.none() | texts() | st.integers(0, 9) | st.just({"a": "b"}),
        "array": st.just([1]),
    }
    return plain.get(kind, st.just({}))


def texts() -> SearchStrategy[str]:
    """Texts of which something may be made."""
    return st.sampled_from(_TEXTS)


@cache
def block(name: str, depth: int) -> SearchStrategy[object]:
    """A block with most of what it needs, some of the rest, and now and then what is wrong."""
    keys = grammar()[0].get(name, ())
    if depth > _DEEP or not keys:
        return st.just({})
    needed = [key for key in keys if key.is_required]
    chosen = st.lists(st.sampled_from(keys), max_size=4, unique=True)

    def with_values(picked: list[Key]) -> SearchStrategy[object]:
        some = {key.name: key for key in [*needed[:1], *picked]}
        return st.fixed_dictionaries(
            {name: values(key.type, depth + 1) for name, key in some.items()}
        )

    strange = st.sampled_from(({"unheard": 1}, [], "text", 7, None, {"host": "a:1", "nmae": "x"}))
    usual = chosen.flatmap(with_values)
    return st.integers(0, 40).flatmap(lambda number: strange if number == 0 else usual)


def documents() -> SearchStrategy[object]:
    """Whole files."""
    return block("ROOT", 0)
