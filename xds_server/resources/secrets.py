"""Secrets, sent by SDS: the providers' keys."""

from __future__ import annotations

from gateway import names
from xds_server.resources.extension import resource
from xds_server.snapshot import SECRET, Resource


def provider_secret(provider: str, key: str) -> Resource:
    """The key of an LLM provider."""
    name = names.provider_secret(provider)
    fields = {"name": name, "generic_secret": {"secret": {"inline_string": key}}}
    return resource(SECRET, name, fields)
