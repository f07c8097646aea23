"""Whether a request is signed as AWS asks for it: botocore signs it again, and compares."""

from __future__ import annotations

import hashlib
import re
from http.client import HTTPMessage

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.kit.recorder import Recorded

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d+)/(?P<region>[^/]+)/(?P<service>[^/]+)"
    r"/aws4_request, ?SignedHeaders=(?P<headers>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


def is_signed(
    request: Recorded, credentials: Credentials, *, region: str, service: str = "bedrock"
) -> bool:
    """By these keys, for this region and service, with all of its body."""
    found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if found is None or (found["key"], found["region"], found["service"]) != (
        credentials.access_key,
        region,
        service,
    ):
        return False
    names = found["headers"].split(";")
    hashed = hashlib.sha256(request.body).hexdigest()
    if not {"host", "x-amz-date", "x-amz-content-sha256"} <= {*names}:
        return False
    if request.headers["x-amz-content-sha256"] != hashed:
        return False
    signed = AWSRequest(
        method=request.method,
        url=f"http://{request.headers['host']}{request.path}",
        headers={name: request.headers[name] for name in names},
        data=request.body,
    )
    signed.context["timestamp"] = request.headers["x-amz-date"]
    signer = _Signer(credentials, service, region)
    text = signer.string_to_sign(signed, signer.canonical_request(signed))
    return bool(signer.signature(text, signed) == found["signature"])


class _Signer(SigV4Auth):
    """Signs the headers that were signed, where botocore would leave some out."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPMessage:
        found = HTTPMessage()
        for name, value in request.headers.items():
            found[name.lower()] = value
        return found
