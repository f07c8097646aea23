"""Providers of theirs that are in clouds → types of ours, their options and credentials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from gateway.config.providers import ApiVersion, Label, Project
from gateway.config.scalars import Secret, Text
from gateway.importers.agentgateway import policy_keys
from gateway.importers.agentgateway.fitting import fits
from gateway.importers.agentgateway.keys import Rows, settle
from gateway.importers.walk import Node

Block: TypeAlias = dict[str, object]
Names: TypeAlias = Mapping[str, str]
"""What they call an option → as it is written at this place."""

IN_ROUTES: Names = MappingProxyType(
    {
        "resource": "resourceName",
        "kind": "resourceType",
        "version": "apiVersion",
        "azure_project": "projectName",
        "project": "projectId",
        "region": "region",
        "aws_region": "region",
    }
)
IN_MODELS: Names = MappingProxyType(
    {
        "resource": "azureResourceName",
        "kind": "azureResourceType",
        "version": "azureApiVersion",
        "azure_project": "azureProjectName",
        "project": "vertexProject",
        "region": "vertexRegion",
        "aws_region": "awsRegion",
    }
)
_AZURE_TYPES = MappingProxyType(
    {"openAI": "azure-openai", "foundry": "azure-foundry", "aiServices": "azure-foundry"}
)
_CLAUDE = "claude"


def azure(take: Callable[[str], Node], names: Names, model: str | None) -> Block | None:
    """None: what is written is no resource of Azure that ours could ask."""
    resource, kind, version, project = (
        take(names[each]) for each in ("resource", "kind", "version", "azure_project")
    )
    type_ = _AZURE_TYPES.get(kind.text() or "")
    name = resource.text()
    if type_ is None or name is None or not fits(Label, name):
        return None
    if type_ == "azure-foundry" and (model or "").startswith(_CLAUDE):
        block: Block = {"type": "azure-foundry-claude", "resource": name}
    else:
        block = {"type": type_, "resource": name}
        if not _option(block, "api_version", version, ApiVersion, unless="v1"):
            return None
        if type_ == "azure-foundry" and not _option(block, "project", project, Project):
            return None
    for place in (resource, kind, version, project):
        place.exact("llm.providers")
    return block


def vertex(take: Callable[[str], Node], names: Names, model: str | None) -> Block | None:
    """Claude at Vertex is asked in its own dialect."""
    block: Block = {"type": "vertex-claude" if (model or "").startswith(_CLAUDE) else "vertex"}
    region = take(names["region"])
    if region.is_empty:
        block["region"] = "global"
    elif not _option(block, "region", region, Label):
        return None
    return (
        block if _option(block, "project", take(names["project"]), Project, needed=True) else None
    )


def bedrock(take: Callable[[str], Node], names: Names, _model: str | None) -> Block | None:
    """All models of Bedrock, by Converse."""
    block: Block = {"type": "bedrock"}
    return (
        block if _option(block, "region", take(names["aws_region"]), Label, needed=True) else None
    )


CLOUDS: Mapping[str, Callable[[Callable[[str], Node], Names, str | None], Block | None]] = (
    MappingProxyType({"azure": azure, "vertex": vertex, "bedrock": bedrock})
)


def _option(
    block: Block, key: str, node: Node, kind: object, *, unless: str = "", needed: bool = False
) -> bool:
    """Writes an option; whether it can be as it is."""
    text = node.text()
    if text is None:
        return not needed
    if not fits(kind, text):
        node.unsupported(f"no {key} that ours can have", is_security=False)
        return False
    if text != unless:
        block[key] = text
    node.exact(f"llm.providers.{key}")
    return True


def read_cloud_auth(node: Node, block: Block) -> bool | None:
    """The credential of a cloud; None: it is none, False: it cannot be sent."""
    for name, read in _CREDENTIALS.items():
        if node.has(name) or (isinstance(node.value, dict) and name in node.value):
            there = node.take(name)
            settle(there, _KEYS[name], unknown_is_lock=False)
            auth = read(there)
            if auth is None or not _can_be_sent(auth, block):
                there.unsupported("this credential cannot be sent", is_security=False)
                return False
            block["auth"] = auth
            there.exact("llm.providers.auth")
            return True
    return None


def _can_be_sent(auth: Block, block: Block) -> bool:
    """Signatures are for a region."""
    return auth["type"] != "aws" or "region" in auth or "region" in block


def _aws(node: Node) -> Block | None:
    auth: Block = {"type": "aws"}
    keys = {"accessKeyId": "access_key", "secretAccessKey": "secret_key"}
    for theirs, ours in {**keys, "sessionToken": "session_token"}.items():
        text = node.take(theirs).text() if node.has(theirs) else None
        if text is not None:
            if not fits(Secret, text):
                return None
            auth[ours] = text
    is_whole = ("access_key" in auth) == ("secret_key" in auth)
    if not is_whole or ("session_token" in auth and "access_key" not in auth):
        return None
    for theirs, ours in (("serviceName", "service"), ("region", "region")):
        text = node.take(theirs).text() if node.has(theirs) else None
        if text is not None:
            auth[ours] = text
    if node.has("assumeRole"):
        role = node.take("assumeRole")
        for key in ("sessionName", "tags"):
            role.take(key).unsupported("sessions have the name dragoman and no tags")
        auth["role"] = role.take("roleArn").text()
    return auth


def _gcp(node: Node) -> Block | None:
    if node.has("type") and node.take("type").text() == "idToken":
        return None
    auth: Block = {"type": "gcp"}
    credential = node.take("credential")
    if isinstance(credential.value, dict):
        auth["credentials"] = credential.take("file").text()
    elif not credential.is_empty:
        auth["credentials_json"] = credential.text()
    return auth


def _azure(node: Node) -> Block | None:
    explicit = node.take("explicitConfig") if node.has("explicitConfig") else None
    if explicit is None or not explicit.has("clientSecret"):
        return {"type": "entra"}
    secret = explicit.take("clientSecret")
    found = {each: secret.take(each).text() for each in ("tenant_id", "client_id", "client_secret")}
    if not all(text is not None and fits(Text, text) for text in found.values()):
        return None
    names = {"tenant_id": "tenant"}
    return {"type": "entra", **{names.get(name, name): text for name, text in found.items()}}


_KEYS: Mapping[str, Rows] = MappingProxyType(
    {
        "aws": policy_keys.AWS_AUTH,
        "gcp": policy_keys.GCP_AUTH,
        "azure": policy_keys.AZURE_AUTH,
    }
)
_CREDENTIALS: Mapping[str, Callable[[Node], Block | None]] = MappingProxyType(
    {"aws": _aws, "gcp": _gcp, "azure": _azure}
)
