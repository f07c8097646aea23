"""An MCP server on standard input and output, with nothing but Python: it tells the time."""

import json
import os
import sys
from datetime import datetime
from zoneinfo import ZoneInfo

NOW = {
    "name": "now",
    "description": "The time in a zone, such as Asia/Tokyo",
    "inputSchema": {"type": "object", "properties": {"zone": {"type": "string"}}},
    "annotations": {"readOnlyHint": True},
}


def answer(method: str, params: dict) -> dict:
    """A result; raises for what there is not."""
    if method == "initialize":
        info = {"name": "clock", "version": "1"}
        told = params["protocolVersion"]
        return {"protocolVersion": told, "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        return {"tools": [NOW]}
    if method == "tools/call" and params["name"] == "now":
        zone = params.get("arguments", {}).get("zone") or os.environ.get("ZONE", "UTC")
        return {"content": [{"type": "text", "text": f"{datetime.now(ZoneInfo(zone)):%c} {zone}"}]}
    if method == "ping":
        return {}
    raise LookupError(method)


for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked and "method" in asked:
        said = {"jsonrpc": "2.0", "id": asked["id"]}
        try:
            said["result"] = answer(asked["method"], asked.get("params", {}))
        except LookupError as error:
            said["error"] = {"code": -32601, "message": f"unknown: {error}"}
        print(json.dumps(said), flush=True)
