"""Filters that run a script.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/lua_filter
"""

from __future__ import annotations

import json

from xds_server.resources.extension import Json, extension


def lua(name: str, script: str) -> Json:
    """A filter that runs a script."""
    return extension(
        name,
        "envoy.extensions.filters.http.lua.v3.Lua",
        default_source_code={"inline_string": script},
    )


def lua_text(text: str) -> str:
    """A string of Lua: one of JSON that is not escaped beyond ASCII is one."""
    return json.dumps(text, ensure_ascii=False)
