from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.check import warnings
from gateway.config.load import load, load_file
from gateway.config.schema import Config
from gateway.model import Effect
from gateway.problem import Problem
from gateway.resolve import resolve
from tests.gateway.config.loading import complaints, loaded, problems

ROOT = Path(__file__).parents[3]
INVALID = sorted((ROOT / "tests/golden/invalid").glob("*.yaml"))
EXAMPLES = sorted([*(ROOT / "examples").glob("*.yaml"), ROOT / "examples/folder"])


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_every_problem_is_reported_at_once_with_its_line(path: Path) -> None:
    found = load(path.read_text("utf-8"), file=path.name, environment={"SECRET": "hunter2"})
    assert isinstance(found, tuple)
    report = "".join(f"{each}\n" for each in found)
    golden = path.with_suffix(".problems.txt")
    if os.environ.get("REWRITE"):
        golden.write_text(report, "utf-8")
    assert report == golden.read_text("utf-8")
    assert "hunter" not in report


def test_there_are_golden_cases() -> None:
    assert len(INVALID) >= 8


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_loads(path: Path) -> None:
    config = load_file(path, {})
    assert isinstance(config, Config), config
    assert resolve(config).listeners


def test_the_quickstart_is_what_the_readme_promises() -> None:
    config = load_file(ROOT / "examples/quickstart.yaml", {})
    assert isinstance(config, Config)
    assert warnings(config) == ()
    gateway = resolve(config)
    assert [listener.port for listener in gateway.listeners] == [8080]
    assert [model.name for model in gateway.models] == ["demo", "demo-a", "demo-b"]
    assert len(gateway.models[0].tiers) == 2
    assert gateway.identity.is_required
    assert (gateway.admin.host, gateway.admin.port) == ("127.0.0.1", 15000)


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    found = load_file(missing, {})
    assert found == (Problem("", "cannot be read: no such file or directory", file=str(missing)),)
    assert isinstance(load_file(tmp_path, {}), tuple)


def test_a_file_that_is_not_utf_8_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"a: \xff\n")
    assert load_file(path, {}) == (Problem("", "not utf-8: byte 3 is invalid", file=str(path)),)


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfllm:\n")
    assert load_file(path, {}) == Config()


def test_lists_keep_their_positions_when_something_before_is_put_aside() -> None:
    text = """
        routes:
          - {name: a, backend: 3}
          - {name: b, backend: "http://b", gateways: [defualt]}
          - {name: c, backend: 4}
          - {name: d, backend: "http://d", gateways: [defualt], match: {methods: [GET, GTE, PUST]}}
        """
    assert complaints(text) == [
        "routes.0.backend: must be text",
        "routes.1.gateways.0: no gateway 'defualt'",
        "routes.2.backend: must be text",
        "routes.3.gateways.0: no gateway 'defualt'",
        "routes.3.match.methods.1: must be one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS,"
        " TRACE, CONNECT, not 'GTE'",
        "routes.3.match.methods.2: must be one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS,"
        " TRACE, CONNECT, not 'PUST'",
    ]


def test_what_follows_from_a_mistake_is_not_a_second_one() -> None:
    text = """
        identity: {api_keys: {keys: [{name: a, key: "${UNSET}"}]}}
        authorize: [{name: a, alow: "true"}]
        guardrails: [{type: regex, patterns: ["("]}]
        llm:
          providers: {p: {type: openia}}
          models: {m: p/x}
        """
    assert complaints(text) == [
        "identity.api_keys.keys.0.key: the environment variable UNSET is not set",
        "authorize.0.alow: unknown key 'alow'",
        "guardrails.0.patterns.0: not a pattern that re2 knows: missing ): (",
        "llm.providers.p.type: no provider type 'openia'",
    ]


def test_a_second_key_does_not_hide_other_problems() -> None:
    assert complaints("llm: {}\nllm: {}\nroutes: 3\n") == [
        "llm: written twice, first on line 1",
        "routes: must be a list",
    ]


def test_problems_come_in_the_order_of_their_lines() -> None:
    lines = [each.line for each in problems("b: 1\na: 1\ngateways: {a: {port: x}}\nc: 1\n")]
    assert lines == [1, 2, 3, 4]


def test_aliases_may_share_a_block() -> None:
    text = """
        llm:
          providers:
            a: {type: vllm, url: "http://a", timeouts: &patient {silence: 2m}}
            b: {type: vllm, url: "http://b", timeouts: {<<: *patient, connect: 1s}}
        """
    a, b = resolve(loaded(text)).providers
    assert (a.silence_seconds, a.upstream.connect_timeout_seconds) == (120.0, 5.0)
    assert (b.silence_seconds, b.upstream.connect_timeout_seconds) == (120.0, 1.0)


QUICKSTART = (ROOT / "examples/quickstart.yaml").read_text("utf-8")


@settings(deadline=None)
@given(st.data())
def test_no_damage_to_a_file_breaks_the_loader(data: st.DataObject) -> None:
    lines = QUICKSTART.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(lines) - 1))
        line = lines[index]
        cut = data.draw(st.integers(0, len(line)))
        word = data.draw(st.sampled_from(["", "x", ": ", "- ", "{", "]", "'", "*", "null", "1"]))
        lines[index] = line[:cut] + word + line[cut + 1 :]
    found = load("\n".join(lines), file="damaged.yaml", environment={})
    assert isinstance(found, Config) or (found and all(each.line for each in found))
    if isinstance(found, Config):
        resolve(found)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
PLACES = (
    "gateways: {a: %s}",
    "identity: %s",
    "identity: {api_keys: {keys: [%s]}}",
    "llm: {providers: {a: %s}}",
    "llm: {providers: {a: {type: openai}}, models: {a: %s, b: a}}",
    "llm: {prices: {a: %s}}",
    "authorize: [%s]",
    "guardrails: [%s]",
    "budgets: [%s]",
    "routes: [%s]",
    "admin: %s",
    "%s",
)


@settings(deadline=None)
@given(st.sampled_from(PLACES), VALUES)
def test_no_value_breaks_the_loader(place: str, value: object) -> None:
    found = load(place % _flow(value), file="any.yaml", environment={})
    assert isinstance(found, Config) or all(isinstance(each, Problem) for each in found)


def _flow(value: object) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{_flow(k)}: {_flow(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case str():
            return "'" + "".join(c for c in value if c.isprintable()).replace("'", "''") + "'"
        case None:
            return "null"
    return str(value).lower()


def test_the_first_sketch_of_the_language_means_what_it_says() -> None:
    config = load_file(ROOT / "examples/seed.yaml", {})
    assert isinstance(config, Config)
    gateway = resolve(config)
    (rule,) = gateway.rules
    assert (rule.name, rule.scope.mcp, rule.effect) == ("finance-tools", "*", Effect.ALLOW)
    assert '"finance-cleared" in principal.groups' in rule.expression
    assert [guard.name for guard in gateway.guards] == [
        "regex-1",
        "openai-moderation-2",
        "bedrock-guardrails-3",
    ]
