from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.load import load
from gateway.imported import Imported, Outcome
from gateway.importers.dialect import Foreign, import_text, recognise

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests/golden"
THEIRS = GOLDEN / "import"
EXAMPLES = ROOT / "examples/import"
TESTS = ROOT / "examples/tests"
OURS = sorted(
    path
    for folder in (ROOT / "examples", GOLDEN)
    for path in folder.rglob("*.yaml")
    if not {THEIRS, EXAMPLES, TESTS} & {*path.parents} and not path.stem.endswith(".xds")
)
FOREIGN = sorted(
    path
    for dialect in Foreign
    for path in (THEIRS / dialect).glob("*.yaml")
    if not path.stem.endswith(".ours")
)
MADE = sorted(THEIRS.rglob("*.ours.yaml"))


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_our_own_files_are_ours_also_with_mistakes_in_them(path: Path) -> None:
    assert recognise(path.read_text("utf-8")) is None


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_what_an_import_made_is_ours(path: Path) -> None:
    assert recognise(path.read_text("utf-8")) is None


@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_foreign_file_is_known_by_its_shape(path: Path) -> None:
    assert recognise(path.read_text("utf-8")) is Foreign(path.parent.name)


@pytest.mark.parametrize("dialect", Foreign)
def test_the_examples_are_taken_over_without_loss(dialect: Foreign) -> None:
    text = (EXAMPLES / f"{dialect}.yaml").read_text("utf-8")
    assert recognise(text) is dialect
    found = import_text(text, "theirs.yaml")
    assert isinstance(found, Imported)
    assert {each.outcome for each in found.mappings} <= {Outcome.EXACT, Outcome.DIFFERENT}


def test_there_are_files_of_all_kinds() -> None:
    assert all(len(files) >= 3 for files in (OURS, MADE))
    assert {path.parent.name for path in FOREIGN} == set(Foreign)


@pytest.mark.parametrize(
    "text",
    [
        "binds: [{port: 3000, listeners: []}]",
        "llm: {models: [{name: '*', provider: openAI}]}",
        "llm: {providers: [{name: a}], models: []}",
        "mcp: {targets: [{name: a}]}",
        "gateways: {default: {port: 80}}\nllm: {models: []}",
        "gateways: {default: {port: 80, listeners: []}}",
        "gateways: {default: {port: 80}}\nroutes: [{gateways: default, matches: []}]",
        "config: {adminAddr: off}\nfrontendPolicies: {}",
        "gateways: {default: {port: 80, protocol: TCP}}\ntcpRoutes: []",
        "gateways: {default: {port: 80}}\nroutes: [{backends: [{host: 'a:1'}]}]",
        "gateways: {default: {port: 80}}\nroutes: [{name: a, backends: [{mcp: {targets: []}}]}]",
        "gateways: {default: {port: ${PORT}}}\nroutes: [{backends: [{host: ${HOST:-a}}]}]",
        "binds: [{port: ${PORT}, listeners: []}]",
    ],
)
def test_agentgateways_dialects_are_known_by_their_shape(text: str) -> None:
    assert recognise(text) is Foreign.AGENTGATEWAY


@pytest.mark.parametrize(
    "text",
    [
        "model_list: []",
        "general_settings: {master_key: a}",
        "litellm_settings:",
        "router_settings: {}",
        "guardrails: [{guardrail_name: a, litellm_params: {}}]",
        "environment_variables: {A: b}",
    ],
)
def test_one_block_of_litellms_is_enough(text: str) -> None:
    assert recognise(text) is Foreign.LITELLM


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text",
        "[1]",
        "a: [",
        "gateways: {default: {port: 80}}",
        "llm: {models: {}}",
        "llm: {models: {a: {provider: b}}}\nbackends: []",
        "identity: {}\nllm: {models: [a]}",
        "routes: [{name: a, match: {}, backend: http://a}]",
        "mcp: {servers: {a: {url: http://a}}}\nconfig: {}",
        "guardrails: [{type: regex, patterns: [a]}]",
        "gatways: {default: {port: 80}}",
        "gateways: {default: {port: ${PORT}}}",
        "routes: [{name: a, backends: [{url: http://a}]}]",
        "services: {web: {image: a}}",
        "receivers: {}\nexporters: {}\nservice: {}",
        "domain: a\ndescriptors: []",
        "apiVersion: v1\nkind: ConfigMap",
    ],
)
def test_in_doubt_our_own_loader_says_what_is_wrong(text: str) -> None:
    assert recognise(text) is None
    assert import_text(text, "f") is None


@pytest.mark.parametrize(
    ("text", "dialect"),
    [("model_list: []", "litellm"), ("binds: [{port: 3000, listeners: []}]", "agentgateway")],
)
def test_a_foreign_file_is_converted_and_loads(text: str, dialect: str) -> None:
    found = import_text(text, "f")
    assert isinstance(found, Imported)
    assert found.dialect == dialect
    assert not isinstance(load(found.yaml, file="f", environment={}), tuple)


def test_a_foreign_file_with_mistakes_is_problems() -> None:
    found = import_text("model_list: 7", "f")
    assert isinstance(found, tuple)
    assert [(problem.file, problem.line) for problem in found] == [("f", 1)]
