from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.importers.litellm_clouds import NotOurs, bedrock, bedrock_model, vertex

ROLE = "arn:aws:iam::123456789012:role/x"


def written(**values: str) -> Callable[[str], str | None]:
    return values.get


@pytest.mark.parametrize(
    ("model", "name", "region"),
    [
        ("anthropic.claude-v1:0", "anthropic.claude-v1:0", None),
        ("converse/us.amazon.nova-v1:0", "us.amazon.nova-v1:0", None),
        ("us-west-2/meta.llama3", "meta.llama3", "us-west-2"),
        ("invoke/eu-central-1/x", "x", "eu-central-1"),
        ("arn:aws:bedrock:us-east-1:1:profile/x", "arn:aws:bedrock:us-east-1:1:profile/x", None),
    ],
)
def test_a_model_of_bedrock_stands_behind_routes_and_regions(
    model: str, name: str, region: str | None
) -> None:
    assert bedrock_model(model) == (name, region)


def test_a_route_that_is_none_of_ours_is_left_out() -> None:
    with pytest.raises(NotOurs):
        bedrock_model("agent/x")


@pytest.mark.parametrize(
    ("model", "values", "block"),
    [
        ("us-west-2/x", {}, {"type": "bedrock", "region": "us-west-2"}),
        ("x", {"aws_region_name": "eu-west-1"}, {"type": "bedrock", "region": "eu-west-1"}),
        ("x", {}, {"type": "bedrock", "region": "${AWS_REGION_NAME}"}),
        (
            "x",
            {
                "aws_region_name": "r",
                "aws_access_key_id": "a",
                "aws_secret_access_key": "${B}",
                "aws_session_token": "c",
                "aws_role_name": ROLE,
            },
            {
                "type": "bedrock",
                "region": "r",
                "auth": {
                    "type": "aws",
                    "access_key": "a",
                    "secret_key": "${B}",
                    "session_token": "c",
                    "role": ROLE,
                },
            },
        ),
    ],
)
def test_bedrock_has_a_region_and_its_credentials(
    model: str, values: dict[str, str], block: dict[str, object]
) -> None:
    assert bedrock(model, written(**values), {}) == block


@pytest.mark.parametrize(
    "values",
    [
        {"aws_profile_name": "p"},
        {"aws_access_key_id": "a"},
        {"aws_region_name": "a b"},
    ],
)
def test_credentials_of_aws_that_ours_does_not_take_are_left_out(values: dict[str, str]) -> None:
    with pytest.raises(NotOurs):
        bedrock("x", written(**values), {})


@pytest.mark.parametrize(
    ("model", "values", "block"),
    [
        (
            "gemini-3-pro",
            {"vertex_project": "p", "vertex_location": "global"},
            {"type": "vertex", "region": "global", "project": "p"},
        ),
        (
            "claude-opus-5",
            {"vertex_project": "p", "vertex_location": "eu", "vertex_credentials": "sa.json"},
            {
                "type": "vertex-claude",
                "region": "eu",
                "project": "p",
                "auth": {"type": "gcp", "credentials": "sa.json"},
            },
        ),
        (
            "*",
            {"vertex_credentials": '{"type": "service_account"}'},
            {
                "type": "vertex",
                "region": "${VERTEXAI_LOCATION}",
                "project": "${VERTEXAI_PROJECT}",
                "auth": {"type": "gcp", "credentials_json": '{"type": "service_account"}'},
            },
        ),
    ],
)
def test_vertex_has_a_project_and_a_region(
    model: str, values: dict[str, str], block: dict[str, object]
) -> None:
    assert vertex(model, written(**values), {}) == block


@pytest.mark.parametrize(
    ("model", "values"),
    [("meta/llama", {}), ("gemini-3", {"vertex_credentials": '{"type": "x"}'})],
)
def test_what_ours_cannot_ask_at_vertex_is_left_out(model: str, values: dict[str, str]) -> None:
    with pytest.raises(NotOurs):
        vertex(model, written(**values), {})
