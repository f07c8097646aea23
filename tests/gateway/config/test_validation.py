from __future__ import annotations

import pytest

from gateway.config.document import read
from gateway.config.finding import Finding
from gateway.config.merging import Merged, Part, merged
from gateway.config.schema import Config
from gateway.config.validation import problems_of, understood


def whole(*texts: str) -> Merged:
    return merged([Part(f"{i}.yaml", read(text, {})) for i, text in enumerate(texts)], Config)


def test_a_document_without_mistakes_is_a_config_that_knows_its_places() -> None:
    document = whole("admin: {}", "\nroutes: [{name: a, backend: 'http://a'}]")
    config = understood(document, document.value)
    assert isinstance(config, Config)
    place = config.source.place(("routes", 0))
    assert (place.file, place.line, config.source.file) == ("1.yaml", 2, "0.yaml")


def test_what_others_found_is_put_aside_and_reported() -> None:
    document = whole("gateways:\n  a: {port: x}\n")
    path = ("gateways", "a", "port")
    found = understood(document, document.value, [Finding(path, "cannot be read")])
    assert isinstance(found, tuple)
    assert [str(each) for each in found] == ["0.yaml:2: gateways.a.port: cannot be read"]


@pytest.mark.parametrize(
    ("provider", "path"),
    [
        ("{type: custom, url: 'http://b/v1', offers: {chatt: /c}}", "offers.chatt"),
        ("{type: openai-compatible, pool: [no host]}", "pool.0"),
        ("{type: openai-compatible, pool: x}", "pool"),
    ],
)
def test_what_a_block_lacks_because_it_is_wrong_is_said_once(provider: str, path: str) -> None:
    document = whole(f"llm: {{providers: {{b: {provider}}}}}")
    found = understood(document, document.value)
    assert isinstance(found, tuple)
    assert [each.path for each in found] == [f"llm.providers.b.{path}"]


def test_what_a_block_lacks_beside_what_is_wrong_is_said_too() -> None:
    provider = "{type: openai-compatible, offers: {chat: /c, chatt: /d}}"
    document = whole(f"llm: {{providers: {{b: {provider}}}}}")
    found = understood(document, document.value)
    assert isinstance(found, tuple)
    assert [each.path for each in found] == ["llm.providers.b", "llm.providers.b.offers.chatt"]


def test_rules_are_not_asked_while_a_file_is_missing_from_the_whole() -> None:
    document = whole("llm: {models: {m: p/x}}", "llm: {")
    found = understood(document, document.value)
    assert isinstance(found, tuple)
    assert [each.file for each in found] == ["1.yaml"]


def test_problems_come_in_the_order_of_files_and_lines() -> None:
    document = whole("a: 1\nb: 1\n", "a: 1\nc: 1\n")
    findings = [Finding(("c",), "x"), Finding(("b",), "x"), Finding((), "y", line=1, file="1.yaml")]
    problems = problems_of(findings, document)
    assert [(each.file, each.line) for each in problems] == [
        ("0.yaml", 2),
        ("1.yaml", 1),
        ("1.yaml", 2),
    ]
