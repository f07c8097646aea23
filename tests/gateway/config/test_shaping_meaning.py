"""Mirrors lead somewhere, and prompts may stand in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.load import load
from gateway.config.published import for_workers
from gateway.config.sources import load_sources
from gateway.model import Model
from gateway.problem import Problem
from gateway.resolve import resolve
from gateway.shaping import Mirror

YAML = """
llm:
  providers:
    a: {type: openai, key: k}
    own: {type: openai, auth: {type: pass-through}}
  models:
    m: {provider: a, mirror: {to: TO, percent: 5}}
    w: {weighted: {a/first: 1, a/second: 9}}
    f: {failover: [w, a/x]}
    "s/*": {provider: a, mirror: {to: "a/big-*", percent: 5}}
    mine: own/x
"""


def loaded(to: str) -> tuple[Model, ...] | tuple[Problem, ...]:
    found = load(YAML.replace("TO", to), file="t.yaml", environment={})
    return found if isinstance(found, tuple) else resolve(found).models


@pytest.mark.parametrize(
    ("to", "target"), [("a/x", "x"), ("w", "first"), ("f", "first"), ("a/y/z", "y/z")]
)
def test_a_mirror_is_the_first_target_of_a_reference(to: str, target: str) -> None:
    models = {each.name: each for each in loaded(to) if isinstance(each, Model)}
    assert models["m"].mirror == Mirror("a", target, 5.0)
    assert models["s/*"].mirror == Mirror("a", "big-*", 5.0)
    assert models["w"].mirror is None


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("nobody", "no model 'nobody'"),
        ("zz/x", "no model 'zz/x'"),
        ("m", "no model 'm'"),
        ("a/x-*", "stands for nothing"),
        ("own/x", "is shown the client's own key"),
        ("mine", "is shown the client's own key"),
    ],
)
def test_a_mirror_that_leads_nowhere_is_a_problem(to: str, message: str) -> None:
    [problem] = loaded(f'"{to}"')
    assert isinstance(problem, Problem)
    assert message in problem.message
    assert problem.path == "llm.models.m.mirror.to"


def test_what_is_wrong_elsewhere_is_said_once() -> None:
    text = YAML.replace("TO", "f").replace("[w, a/x]", "[w, f]")
    found = load(text, file="t.yaml", environment={})
    assert isinstance(found, tuple)
    assert [each.path for each in found if isinstance(each, Problem)] == ["llm.models.f.failover.1"]


def test_a_prompt_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("Be nice.\n\nBe short.\n")
    config = tmp_path / "gateway.yaml"
    config.write_text(
        "llm: {providers: {a: {type: openai, key: k}},"
        " models: {m: {provider: a, system_prompt: {append_file: prompt.txt}}}}\n"
    )
    found = load_sources(config, {}).config
    assert found is not None
    [model] = resolve(found).models
    assert model.shaping.append == "Be nice.\n\nBe short."
    told = load(for_workers(found), file="w.yaml", environment={})
    assert not isinstance(told, tuple), told
    assert resolve(told).models == (model,)
