"""What an OpenAPI document means: operations, and where their arguments go in a request.

Specification: https://spec.openapis.org/oas/v3.1.1.html#parameter-object and #encoding-object
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Location(StrEnum):
    """Where in a request a parameter is."""

    PATH = "path"
    QUERY = "query"
    HEADER = "header"
    COOKIE = "cookie"


class Style(StrEnum):
    """How a value becomes text."""

    MATRIX = "matrix"
    LABEL = "label"
    SIMPLE = "simple"
    FORM = "form"
    SPACE_DELIMITED = "spaceDelimited"
    PIPE_DELIMITED = "pipeDelimited"
    DEEP_OBJECT = "deepObject"
    TAB_DELIMITED = "tabDelimited"
    """Swagger's `collectionFormat: tsv`."""
    COOKIE = "cookie"
    """OpenAPI 3.2's: like `form`, without percent-encoding."""


class BodyKind(StrEnum):
    """How a body is written."""

    JSON = "json"
    FORM = "form"
    """`application/x-www-form-urlencoded`"""
    MULTIPART = "multipart"
    TEXT = "text"
    BINARY = "binary"
    """The argument is its base64."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, and the argument that fills it in."""

    argument: str
    name: str
    location: Location
    style: Style
    explode: bool
    allows_reserved: bool = False
    media_type: str = ""
    """Of its `content`; empty: the style says how it is written."""
    is_required: bool = False
    default: str = ""
    """JSON of what a required one is when nothing is said; empty: there is none."""


@dataclass(frozen=True, slots=True)
class Field:
    """A property of a body."""

    name: str
    argument: str = ""
    """Empty: it is within the argument `Body.argument`."""
    style: Style | None = None
    """Of forms; None: `media_type` says how it is written."""
    explode: bool = True
    allows_reserved: bool = False
    media_type: str = ""
    """Of forms; empty: by the kind of the value."""
    is_file: bool = False
    """Of multipart forms: the argument is the file's base64."""
    filename_argument: str = ""
    """The argument with the file's name; empty: none can be given."""


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent after the headers."""

    kind: BodyKind
    media_type: str
    is_required: bool
    argument: str = ""
    """The one that is all of the body; empty: each field has an argument of its own."""
    fields: tuple[Field, ...] = ()
    media_types: tuple[str, ...] = ()
    """Of a binary body that may be of several kinds."""
    media_type_argument: str = ""
    """The argument that says which of them."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: one tool."""

    name: str
    """Of the tool."""
    method: str
    """In capitals."""
    path: str
    """As the document has it, below the base path: `/pets/{id}`."""
    base_path: str
    """Without a slash at its end; empty: none."""
    title: str = ""
    description: str = ""
    operation_id: str = ""
    tags: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    input_schema: str = '{"type":"object"}'
    """JSON Schema 2020-12, as JSON."""
    output_schema: str = ""
    """The same, of `structuredContent`; empty: none."""
    is_wrapped: bool = False
    """The answer is no object, so it is `result` of one."""
    accept: str = "*/*"
    reserved: frozenset[str] = frozenset()
    """Names in the query that no free-form argument may set: parameters, and keys of the API."""
    reserved_cookies: frozenset[str] = frozenset()

    @property
    def is_read_only(self) -> bool:
        """RFC 9110 §9.2.1."""
        return self.method in ("GET", "HEAD", "OPTIONS", "TRACE", "QUERY")

    @property
    def is_idempotent(self) -> bool:
        """RFC 9110 §9.2.2."""
        return self.is_read_only or self.method in ("PUT", "DELETE")

    @property
    def is_destructive(self) -> bool:
        """Whether it may take something away."""
        return self.method in ("DELETE", "PUT", "PATCH")


@dataclass(frozen=True, slots=True)
class Scheme:
    """How callers of the API say who they are."""

    name: str
    kind: str
    """`apiKey`, `http`, `oauth2`, `openIdConnect`, `mutualTLS`, `basic`."""
    location: str = ""
    """Of an `apiKey`: `header`, `query`, `cookie`."""
    parameter: str = ""


@dataclass(frozen=True, slots=True)
class Api:
    """All that is read of a document."""

    title: str
    version: str
    description: str = ""
    url: str = ""
    """Where the document says that the API is, without a path: `https://api.example`; empty: it
    does not say."""
    operations: tuple[Operation, ...] = ()
    schemes: tuple[Scheme, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """Operations, by globs; one must fit in each that has any."""

    names: tuple[str, ...] = ()
    """Of the operationId, or of the tool."""
    tags: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """What the operator says about a document."""

    include: tuple[Selection, ...] = ()
    """Empty: all."""
    exclude: tuple[Selection, ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    """Names of tools, by operationId or `METHOD /path`."""
    base_path: str | None = None
    """Instead of that of the document."""
    has_output_schemas: bool = True
    own_query: tuple[str, ...] = ()
    """Names of what the gateway itself sends in the query: no arguments."""
