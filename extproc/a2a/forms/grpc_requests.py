"""A request of A2A over gRPC, of both revisions: one message, whose document is read as JSON is.

https://a2a-protocol.org/v1.0.0/specification/, "gRPC Protocol Binding". The path says operation and
revision; metadata must not contradict it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from extproc.a2a import grpc_frames, requests
from extproc.a2a.errors import ErrorKind, Fault
from extproc.a2a.forms import protobuf
from extproc.a2a.forms.protobuf import BrokenMessage
from extproc.a2a.grpc_frames import BrokenFrame
from extproc.a2a.operations import GRPC_PATHS
from extproc.a2a.places import MESSAGES
from extproc.a2a.requests import A2aRequest, Asked
from gateway.a2a import Binding, Revision

PACKAGES: Final = {Revision.V0_3: protobuf.V0_3, Revision.V1_0: protobuf.V1_0}


def read_grpc(path: str, body: bytes, headers: Mapping[str, str]) -> A2aRequest | Fault:
    """A call whose one message has come. Names of headers are in lower case."""
    try:
        message = grpc_frames.read_one(body, headers)
    except BrokenFrame as error:
        return Fault(ErrorKind.INVALID_REQUEST, str(error))
    return read_message(path, message, headers)


def read_message(path: str, message: bytes, headers: Mapping[str, str]) -> A2aRequest | Fault:
    """The same of a message without its prefix, as edits take it."""
    known = GRPC_PATHS.get(path)
    if known is None:
        return Fault(ErrorKind.METHOD_NOT_FOUND, "there is no such operation")
    operation, revision = known
    wrong = requests.other_revision(revision, headers)
    if wrong is not None:
        return wrong
    try:
        document = protobuf.decode(PACKAGES[revision] + MESSAGES[revision][operation], message)
    except BrokenMessage as error:
        return Fault(ErrorKind.INVALID_REQUEST, str(error))
    return requests.of_document(Asked(operation, Binding.GRPC, revision), document, headers)
