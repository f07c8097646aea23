"""Claude's forms elsewhere."""

from __future__ import annotations

import json

import pytest

from extproc.llm.forms import said_as
from gateway.model import BodyForm

BODY = b'{"model":"opus","x_new":[1.50],"max_tokens":1,"messages":[]}'


def test_at_anthropic_nothing_changes() -> None:
    assert said_as(BODY, BodyForm.PLAIN) is BODY
    assert said_as(BODY, BodyForm.PLAIN, ("a-1",)) is BODY


def test_bedrock_reads_of_betas_in_the_body_and_vertex_in_the_header() -> None:
    betas = ("a-1", "b-2")
    assert json.loads(said_as(BODY, BodyForm.BEDROCK_CLAUDE, betas))["anthropic_beta"] == [*betas]
    assert "anthropic_beta" not in json.loads(said_as(BODY, BodyForm.VERTEX_CLAUDE, betas))


@pytest.mark.parametrize(
    ("form", "version"),
    [
        (BodyForm.VERTEX_CLAUDE, "vertex-2023-10-16"),
        (BodyForm.BEDROCK_CLAUDE, "bedrock-2023-05-31"),
    ],
)
def test_elsewhere_the_path_names_the_model_and_the_body_the_version(
    form: BodyForm, version: str
) -> None:
    said = json.loads(said_as(BODY, form))
    assert said["anthropic_version"] == version
    assert "model" not in said
    assert said["x_new"] == [1.5]
