"""A request of A2A in JSON, read strictly: over JSON-RPC and over HTTP+JSON, of both revisions.

https://a2a-protocol.org/v1.0.0/specification/, "JSON-RPC Protocol Binding" and "HTTP+JSON/REST
Protocol Binding"; §3.6 says the revision. What two readers could read differently is refused: keys
said twice, members spelled otherwise, ids that path, query and body say differently. Requests of
gRPC: `forms/grpc_requests.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import unquote_plus

import msgspec
from msgspec import Struct

from extproc.a2a import http_paths, spelling
from extproc.a2a.errors import NO_ID, ErrorKind, Fault
from extproc.a2a.operations import JSONRPC_METHODS, OPERATIONS, Operation
from extproc.a2a.places import PLACES, Form, Names, Places, form, read_resource, resource
from extproc.a2a.spelling import SaidTwice
from extproc.protocols import json_spans
from extproc.protocols.json_spans import DuplicateKey, InvalidJson, TooComplex, TooDeep
from gateway.a2a import Binding, Revision

MAX_DEPTH: Final = 64
"""Of objects and arrays within each other."""
VERSION: Final = "a2a-version"
EXTENSIONS: Final = ("a2a-extensions", "x-a2a-extensions")
"""The second is that of 0.3."""
MAX_EXTENSIONS: Final = 100

_REVISIONS: Final = {"": Revision.V0_3, **{str(each): each for each in Revision}}
_EMPTY: Final[Mapping[str, object]] = MappingProxyType({})
PUSHES: Final = {
    Form.V1_0: ("taskPushNotificationConfig",),
    Form.V0_3: ("pushNotificationConfig",),
    Form.V0_3_PROTO: ("pushNotification", "pushNotificationConfig"),
}
"""With a message; some write that of JSON-RPC over HTTP+JSON."""
_NUMBERS: Final = frozenset({"historyLength", "pageSize"})
_TRUTHS: Final = {"true": True, "false": False}
_MAX_DIGITS: Final = 9


class A2aRequest(Struct, frozen=True):
    """What is asked of an agent."""

    operation: Operation
    binding: Binding
    revision: Revision
    raw_id: bytes
    """Of JSON-RPC, as the client spelled it; `null` elsewhere."""
    document: Mapping[str, object]
    """Parameters, decoded; over HTTP+JSON also those of path and query. See `places.Form`."""
    message: Mapping[str, object] | None
    """Of SEND and STREAM, in the form of the document."""
    tenant: str = ""
    task_id: str = ""
    context_id: str = ""
    push_id: str = ""
    push_url: str = ""
    """Where the client wants to be called."""
    accepted_output_modes: tuple[str, ...] = ()
    reference_task_ids: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    """Which the client wants, by their URIs."""

    @property
    def form(self) -> Form:
        """Of its document."""
        return form(self.binding, self.revision)

    @property
    def is_stream(self) -> bool:
        return OPERATIONS[self.operation].is_stream

    def fault(self, kind: ErrorKind, message: str, **metadata: str) -> Fault:
        """The refusal of this request."""
        return Fault(kind, message, metadata, self.raw_id)


class Asked(NamedTuple):
    """How a request came."""

    operation: Operation
    binding: Binding
    revision: Revision
    raw_id: bytes = NO_ID


def read_jsonrpc(body: bytes, headers: Mapping[str, str], query: str = "") -> A2aRequest | Fault:
    """A body of JSON-RPC. Names of headers are in lower case."""
    document = _decoded(body)
    if isinstance(document, Fault):
        return document
    if type(document) is not dict:
        batch = " (batches are not of A2A)" if type(document) is list else ""
        return _invalid(f"a request is a JSON object{batch}")
    raw_id = _raw_id(document, body)
    if raw_id is None:
        return _invalid("an id is a string, a number or null")
    if document.get("jsonrpc") != "2.0":
        return _invalid('a request says "jsonrpc":"2.0"', raw_id)
    method = document.get("method")
    if type(method) is not str:
        return _invalid("a method is a text", raw_id)
    wrong = spelling.misspelt(document, spelling.ENVELOPE)
    if wrong:
        return _invalid(f"{wrong[:64]!r} could be read as a member of JSON-RPC", raw_id)
    revision = revision_of(headers, query)
    if isinstance(revision, Fault):
        return msgspec.structs.replace(revision, raw_id=raw_id)
    known = JSONRPC_METHODS.get(method)
    if known is None or known[1] is not revision:
        return _no_method(method, revision, known, raw_id)
    params = document.get("params")
    if params is None:
        params = {}
    elif type(params) is not dict:
        return Fault(ErrorKind.INVALID_PARAMS, "params are an object", raw_id=raw_id)
    asked = Asked(known[0], Binding.JSONRPC, revision, raw_id)
    return of_document(asked, params, headers)


def read_http(
    method: str, path: str, query: str, body: bytes, headers: Mapping[str, str]
) -> A2aRequest | Fault:
    """A request of HTTP+JSON; the path is behind the agent's, the query without its `?`."""
    found = http_paths.read(method, path)
    if found is None:
        return Fault(ErrorKind.METHOD_NOT_FOUND, "there is no such operation")
    revision = revision_of(headers, query)
    if isinstance(revision, Fault):
        return revision
    if revision is not found.revision:
        return _other_revision(found.revision, revision)
    asked = Asked(found.operation, Binding.HTTP_JSON, revision)
    document: object = {}
    if method == "POST":
        document = _decoded(body) if body.strip() or OPERATIONS[found.operation].has_message else {}
    elif body.strip():
        return _invalid(f"a {method} has no body")
    if isinstance(document, Fault):
        return document
    if type(document) is not dict:
        return _invalid("a body is a JSON object")
    if revision is Revision.V0_3 and document:
        try:
            document = spelling.in_json(document, found.operation)
        except SaidTwice as error:
            return Fault(ErrorKind.INVALID_PARAMS, str(error))
    wrong = _merge_query(document, query, is_read=method != "POST") or _merge_path(document, found)
    if wrong:
        return Fault(ErrorKind.INVALID_PARAMS, wrong)
    return of_document(asked, document, headers)


def of_document(
    asked: Asked, document: Mapping[str, object], headers: Mapping[str, str]
) -> A2aRequest | Fault:
    """A request whose document was read; it is looked at here."""
    kind = form(asked.binding, asked.revision)
    # a message of protobuf has no names of its own
    is_json = asked.binding is not Binding.GRPC
    wrong = spelling.misspelt_in(document, kind, asked.operation) if is_json else ""
    if wrong:
        why = f"{wrong[:64]!r} could be read as another member"
        return Fault(ErrorKind.INVALID_PARAMS, why, raw_id=asked.raw_id)
    row = OPERATIONS[asked.operation]
    places = PLACES[kind][asked.operation]
    try:
        task_id, push_id = _ids(document, places)
        message: Mapping[str, object] | None = None
        modes: tuple[str, ...] = ()
        references: tuple[str, ...] = ()
        push_url = _text(document, places.push_url)
        if row.has_message:
            message, modes, references = _message(document, kind)
            push_id, push_url = _inline_push(document, kind)
        elif kind is Form.V0_3_PROTO and asked.operation is Operation.CREATE_PUSH:
            push_id, push_url = _created_push(document, task_id, push_id)
        if row.is_about_task and not task_id:
            raise _Wrong("no task is named")
        return A2aRequest(
            asked.operation,
            asked.binding,
            asked.revision,
            asked.raw_id,
            document,
            message,
            _text(document, places.tenant),
            task_id,
            _text(document, places.context_id),
            push_id,
            push_url,
            modes,
            references,
            _extensions(headers),
        )
    except _Wrong as wrong_type:
        return Fault(ErrorKind.INVALID_PARAMS, str(wrong_type), raw_id=asked.raw_id)


def revision_of(headers: Mapping[str, str], query: str = "") -> Revision | Fault:
    """What a request says that it is of: §3.6. Nothing said is 0.3; patch numbers do not matter."""
    said = headers.get(VERSION, "").strip()
    if query and VERSION in query.lower():
        asked = [value for name, value in _parameters(query) if name.lower() == VERSION]
        if len({*asked, said} - {""}) > 1:
            return _invalid("A2A-Version is said twice, and differently")
        said = said or asked[0].strip()
    known = _REVISIONS.get(said)
    if known is not None:
        return known
    if "," in said:  # a header that was sent twice
        lines = {each.strip() for each in said.split(",")}
        if len(lines) > 1:
            return _invalid("A2A-Version is said twice, and differently")
        said = lines.pop()
    major, _, rest = said.partition(".")
    minor, _, patch = rest.partition(".")
    if not patch or (patch.isascii() and patch.isdigit()):
        known = _REVISIONS.get(f"{major}.{minor}")
        if known is not None:
            return known
    return Fault(
        ErrorKind.VERSION_NOT_SUPPORTED,
        f"A2A {said[:64]!r} is not supported; supported are {', '.join(Revision)}",
        {"supportedVersions": ", ".join(Revision)},
    )


class _Wrong(ValueError):
    """A parameter of the wrong type."""


def _decoded(body: bytes) -> object:
    try:
        document = json_spans.decode_any(body)
    except (DuplicateKey, TooDeep, TooComplex) as error:
        return _invalid(f"the request is refused: {error}")
    except InvalidJson as error:
        return Fault(ErrorKind.PARSE_ERROR, f"the request is not JSON: {error}")
    if json_spans.is_deeper(body, MAX_DEPTH):
        return _invalid(f"the request is nested deeper than {MAX_DEPTH}")
    return document


def _raw_id(document: Mapping[str, object], body: bytes) -> bytes | None:
    """The id in JSON, numbers as they were written; None: it is none."""
    said = document.get("id")
    if said is None:
        return NO_ID
    if isinstance(said, int) and not isinstance(said, bool):
        return b"%d" % said
    if isinstance(said, str):
        return msgspec.json.encode(said)
    if isinstance(said, float) and math.isfinite(said):
        return json_spans.value_at(body, ("id",)) or NO_ID
    return None


def _invalid(why: str, raw_id: bytes = NO_ID) -> Fault:
    return Fault(ErrorKind.INVALID_REQUEST, why, raw_id=raw_id)


def _no_method(
    method: str, revision: Revision, known: tuple[Operation, Revision] | None, raw_id: bytes
) -> Fault:
    why = f"there is no method {method[:64]!r} in A2A {revision}"
    if known is not None:
        why = f"{why}; it is of {known[1]}, which A2A-Version has to say"
    return Fault(ErrorKind.METHOD_NOT_FOUND, why, raw_id=raw_id)


def _other_revision(of_path: Revision, said: Revision) -> Fault:
    return Fault(
        ErrorKind.VERSION_NOT_SUPPORTED,
        f"this is of A2A {of_path}, and A2A-Version says {said}",
        {"supportedVersions": of_path},
    )


def other_revision(of_path: Revision, headers: Mapping[str, str]) -> Fault | None:
    """Why a request of gRPC at a path of a revision is refused; None: its headers say that one, or
    nothing, since the path leaves no doubt."""
    if not headers.get(VERSION, "").strip():
        return None
    said = revision_of(headers)
    if isinstance(said, Fault):
        return said
    return None if said is of_path else _other_revision(of_path, said)


# --- HTTP+JSON -----------------------------------------------------------------------------


def _parameters(query: str) -> list[tuple[str, str]]:
    """Of a query; what is not UTF-8 stays recognizable as such."""
    pairs = [each.partition("=") for each in query.split("&") if each]
    return [(unquote_plus(name), unquote_plus(value)) for name, _, value in pairs]


def _merge_query(document: dict[str, object], query: str, *, is_read: bool) -> str:
    """Adds what the query says to what is asked; why that is refused, or nothing."""
    if not query:
        return ""
    said: set[str] = set()
    for name, value in _parameters(query):
        if name.lower() == VERSION or not is_read:
            continue
        if ";" in value:
            return "the query has a ';', which separates for some"
        if name in said:
            return f"the query says {name[:64]!r} twice"
        said.add(name)
        if name in _NUMBERS:
            digits = value.removeprefix("-")
            if not (digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS):
                return f"{name!r} is a whole number"
            document[name] = int(value)
        elif name == "includeArtifacts":
            if value not in _TRUTHS:
                return f"{name!r} is true or false"
            document[name] = _TRUTHS[value]
        else:
            document[name] = value
    return ""


def _merge_path(document: dict[str, object], found: http_paths.Found) -> str:
    """The same of what the path says."""
    places = PLACES[form(Binding.HTTP_JSON, found.revision)][found.operation]
    said: list[tuple[Names, str]] = []
    if found.tenant:
        said.append((places.tenant, found.tenant))
    if places.resource and found.task_id:
        said.append((places.resource, resource(found.task_id, found.push_id)))
    elif found.task_id:
        said.append((places.task_id, found.task_id))
        if found.push_id:
            said.append((places.push_id, found.push_id))
    for (name,), value in said:
        other = document.setdefault(name, value)
        if other != value:
            if other:
                return f"the path says another {name!r}"
            document[name] = value
    return ""


# --- documents -----------------------------------------------------------------------------


def _text(document: Mapping[str, object], path: Names) -> str:
    value: object = document if path else None
    for name in path:
        if not isinstance(value, dict):
            return ""
        value = value.get(name)
    if type(value) is str:
        return value
    if value is None:
        return ""
    raise _Wrong(f"{path[-1]!r} is a text")


def _texts(document: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = document.get(name)
    if value is None:
        return ()
    if type(value) is not list or not all(type(each) is str for each in value):
        raise _Wrong(f"{name!r} is a list of texts")
    return tuple(value)


def _object(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Empty where it is absent."""
    value = document.get(name)
    if value is None:
        return _EMPTY
    if not isinstance(value, dict):
        raise _Wrong(f"{name!r} is an object")
    return value


def _ids(document: Mapping[str, object], places: Places) -> tuple[str, str]:
    if not places.resource:
        return _text(document, places.task_id), _text(document, places.push_id)
    name = _text(document, places.resource)
    task_id, push_id = read_resource(name)
    if name and not task_id:
        raise _Wrong(f"{places.resource[-1]!r} names no task")
    return task_id, push_id or _text(document, places.push_id)


def _message(
    document: Mapping[str, object], kind: Form
) -> tuple[Mapping[str, object], tuple[str, ...], tuple[str, ...]]:
    message = _object(document, "message")
    if not message:
        raise _Wrong("there is no message")
    parts = message.get("parts")
    if kind is Form.V0_3_PROTO and "content" in message:
        if parts is not None:
            raise _Wrong("a message says 'content' or 'parts', not both")
        parts = message["content"]
    if type(parts) is not list or not all(type(each) is dict for each in parts):
        raise _Wrong("the parts of a message are a list of objects")
    configuration = _object(document, "configuration")
    modes = _texts(configuration, "acceptedOutputModes")
    return message, modes, _texts(message, "referenceTaskIds")


def _inline_push(document: Mapping[str, object], kind: Form) -> tuple[str, str]:
    """The id and the URL of a webhook that is said with a message."""
    configuration = _object(document, "configuration")
    said = [_object(configuration, name) for name in PUSHES[kind] if name in configuration]
    if len(said) > 1:
        raise _Wrong("a webhook is said twice")
    return (_text(said[0], ("id",)), _text(said[0], ("url",))) if said else ("", "")


def _created_push(document: Mapping[str, object], task_id: str, push_id: str) -> tuple[str, str]:
    """The same of one that is created; what it is in may be left out, as the `.proto` of 0.3 maps
    it to HTTP."""
    inner = _object(document, "config") if "config" in document else document
    if inner is not document and "pushNotificationConfig" in document:
        raise _Wrong("a webhook is said twice")
    name = _text(inner, ("name",))
    if name and read_resource(name)[0] != task_id:
        raise _Wrong("'name' is of another task")
    config = _object(inner, "pushNotificationConfig")
    return push_id or _text(config, ("id",)), _text(config, ("url",))


def _extensions(headers: Mapping[str, str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for header in EXTENSIONS:
        said = headers.get(header)
        if said:
            found.update(dict.fromkeys(each.strip() for each in said.split(",")))
    found.pop("", None)
    return tuple(found)[:MAX_EXTENSIONS]
