"""LiteLLM's deployments in Bedrock and at Vertex AI → types, options and credentials of ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from gateway.config.provider_auth import google_type
from gateway.config.providers import Label, Project
from gateway.config.scalars import Secret
from gateway.importers.litellm_values import is_strange_variable, is_valid, variable

Written: TypeAlias = Callable[[str], str | None]
"""What a deployment or its credential has under a key."""
Block: TypeAlias = dict[str, object]

_ROUTES = ("converse/", "invoke/", "converse_like/")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]/")
_AWS_KEYS = MappingProxyType(
    {
        "aws_access_key_id": "access_key",
        "aws_secret_access_key": "secret_key",
        "aws_session_token": "session_token",
        "aws_role_name": "role",
    }
)
_OTHER_AWS = ("aws_profile_name", "aws_web_identity_token", "aws_bedrock_runtime_endpoint")


class NotOurs(Exception):
    """Why a deployment cannot be asked, for people."""


def bedrock_model(model: str) -> tuple[str, str | None]:
    """The model without LiteLLM's route, and the region that stands before it."""
    for route in _ROUTES:
        model = model.removeprefix(route)
    found = _REGION.match(model)
    if found is not None:
        return model[found.end() :], found.group().rstrip("/")
    if "/" in model and not model.startswith("arn:"):
        raise NotOurs("its way to a model of Bedrock is none of ours")
    return model, None


def bedrock(model: str, written: Written, environment: Mapping[str, str]) -> Block:
    """By Converse, whatever the model is."""
    if any(written(each) for each in _OTHER_AWS):
        raise NotOurs("its credentials of AWS are of a kind that ours does not take")
    region = bedrock_model(model)[1] or written("aws_region_name")
    block: Block = {
        "type": "bedrock",
        "region": _checked(Label, region or variable("AWS_REGION_NAME", environment)),
    }
    keys = {ours: written(theirs) for theirs, ours in _AWS_KEYS.items()}
    auth = {name: _checked(Secret, text) for name, text in keys.items() if text}
    if ("access_key" in auth) != ("secret_key" in auth):
        raise NotOurs("of its access key of AWS one half is missing")
    return {**block, "auth": {"type": "aws", **auth}} if auth else block


def vertex(model: str, written: Written, environment: Mapping[str, str]) -> Block:
    """Gemini and Claude, each in its own dialect."""
    if model.startswith("claude"):
        kind = "vertex-claude"
    elif model.startswith("gemini") or model == "*":
        kind = "vertex"
    else:
        raise NotOurs("of Vertex AI's models Gemini and Claude are spoken to")
    project = written("vertex_project") or variable("VERTEXAI_PROJECT", environment)
    region = written("vertex_location") or variable("VERTEXAI_LOCATION", environment)
    block: Block = {
        "type": kind,
        "region": _checked(Label, region),
        "project": _checked(Project, project),
    }
    credentials = written("vertex_credentials")
    if credentials is None:
        return block
    key = "credentials_json" if google_type(credentials) else "credentials"
    if key == "credentials" and (credentials.startswith("{") or is_strange_variable(credentials)):
        raise NotOurs("its vertex_credentials are neither a file nor credentials of Google's")
    return {**block, "auth": {"type": "gcp", key: credentials}}


def _checked(kind: object, text: str) -> str:
    if is_strange_variable(text) or not is_valid(kind, text):
        raise NotOurs("its region, project or credential is none that ours can have")
    return text


CLOUDS: Mapping[str, Callable[[str, Written, Mapping[str, str]], Block]] = MappingProxyType(
    {"bedrock": bedrock, "vertex": vertex}
)
