"""LiteLLM's `ssl_verify`: whether and by which authorities a provider's certificate is checked."""

from __future__ import annotations

from gateway.config.scalars import Text
from gateway.importers.litellm_values import is_valid
from gateway.importers.walk import Node, has_variable

_SYSTEM = "certificates are verified by the system's authorities"
_ALWAYS = (
    "certificates are always verified: for one that the system's authorities did not sign, write"
    " llm.providers.NAME.ca"
)
_RELATIVE = "relative to this file; LiteLLM's is relative to where it was started"
_NO_HTTPS = f"{_SYSTEM}: no provider that it is for has an https url"


def file_of(node: Node) -> str | None:
    """The file of authorities that is named, if it is one."""
    value = node.value
    if not isinstance(value, str) or value.lower() in ("", "true", "false"):
        return None
    return value if is_valid(Text, value) and not has_variable(value) else None


def answer_verify(node: Node, to: str) -> None:
    """Says what became of it. `to`: where the authorities are in ours; empty: nowhere."""
    said = str(node.value).lower()
    if node.is_empty or said in ("true", ""):
        node.exact()
    elif said == "false":
        node.unsupported(_ALWAYS, is_security=True)
    elif file_of(node) is None:
        node.unsupported(f"{_SYSTEM}: write the file under llm.providers.NAME.ca", is_security=True)
    elif to:
        node.different(to, _RELATIVE)
    else:
        node.unsupported(_NO_HTTPS, is_security=True)
