"""A guard of one's own, for examples/remote-guards.yaml: refuses what is confidential, and masks
names of projects. `python examples/guard_service.py` needs Python alone.

    $ GUARD_SECRET=whsec_… python examples/guard_service.py 18100
"""

import base64
import hashlib
import hmac
import json
import os
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = base64.b64decode(os.environ["GUARD_SECRET"].removeprefix("whsec_"))
OLDEST_SECONDS = 300
CONFIDENTIAL = re.compile(r"\bstrictly confidential\b", re.IGNORECASE)
PROJECT = re.compile(r"\bproject [A-Z]\w+")


def is_genuine(headers, body: bytes) -> bool:
    """Signed by the gateway, and not long ago (Standard Webhooks)."""
    sent = headers.get("webhook-timestamp", "")
    if not sent.isdecimal() or abs(time.time() - int(sent)) > OLDEST_SECONDS:
        return False
    content = f"{headers.get('webhook-id', '')}.{sent}.".encode() + body
    expected = base64.b64encode(hmac.digest(KEY, content, hashlib.sha256)).decode()
    signatures = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(each, f"v1,{expected}") for each in signatures)


def verdict(question: dict) -> dict:
    """What becomes of the texts."""
    texts = [each["text"] for each in question["texts"]]
    if any(CONFIDENTIAL.search(text) for text in texts):
        return {"verdict": "block", "reason": "this is confidential", "categories": ["secrecy"]}
    masked = [PROJECT.sub("project X", text) for text in texts]
    return {"verdict": "replace", "texts": masked} if masked != texts else {"verdict": "pass"}


class Guard(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if is_genuine(self.headers, body):
            self.reply(200, verdict(json.loads(body)))
        else:
            self.reply(401, {"error": "not signed by the gateway"})

    def reply(self, status: int, document: dict) -> None:
        said = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 18100
    ThreadingHTTPServer(("127.0.0.1", port), Guard).serve_forever()
