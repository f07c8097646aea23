"""REST APIs that are served as MCP servers, by their OpenAPI documents."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from gateway.config.block import Block, block_or_text, refusal
from gateway.config.fetched import AskingHeader, HeaderSecret, Refresh, RemoteDocument
from gateway.config.referenced import FileText, TextFile
from gateway.config.scalars import Flag, Globs, Secret, Text
from gateway.config.urls import is_exposed, place
from gateway.openapi.load import load_api
from gateway.openapi.values import Api, Selection, Terms
from gateway.problem import Problem

_OF_DOCUMENT = ("file", "inline", "url", "headers", "refresh", "ca")
_OF_URL = ("headers", "refresh", "ca")
_UNKNOWN = Api("", "")


class OperationsBlock(Block):
    """Operations of a document: those that fit in all that is said."""

    names: Globs = ()
    """Their operationId, or the name of the tool: `pets*`."""
    tags: Globs = ()
    """One of their tags."""
    methods: Globs = ()
    """`GET`, `POST` …, in any case."""
    paths: Globs = ()
    """Their path, as the document has it: `/pets/*`, in which `*` is anything, with slashes."""

    @model_validator(mode="after")
    def _says_something(self) -> OperationsBlock:
        if not (self.names or self.tags or self.methods or self.paths):
            raise refusal("needs one of names, tags, methods and paths", is_shown=False)
        return self

    @property
    def meaning(self) -> Selection:
        """The same as a value."""
        return Selection(self.names, self.tags, self.methods, self.paths)


class OpenApiBlock(Block):
    """A REST API as an MCP server: each operation of its document is a tool. OpenAPI 3.0 to 3.2,
    and Swagger 2. The path of a file alone is short for a block with this `file`."""

    is_named_by_file: ClassVar[bool] = True

    file: TextFile | None = None
    """The document, as JSON or YAML. All of it is in this one file: nothing that it refers to is
    fetched. One of file, url and inline."""
    url: RemoteDocument | None = None
    """Where the control plane fetches the document: `https://api.example.com/openapi.json`. The
    last one is kept in the state directory, for when it cannot be fetched."""
    refresh: Refresh = 300.0
    """How often the URL is asked whether the document has changed; 10s or longer."""
    headers: dict[AskingHeader, HeaderSecret] = Field(default={})
    """Sent to the URL: `{authorization: "Bearer ${TOKEN}"}`."""
    ca: TextFile | None = None
    """Certificate authorities in PEM that the URL's certificate is checked against. Default: the
    system's."""
    inline: str | None = None
    """The document itself, as text."""
    include: tuple[OperationsBlock, ...] = ()
    """Which operations become tools: those that one of these means. Default: all."""
    exclude: tuple[OperationsBlock, ...] = ()
    """Which do not, whatever `include` says. They need not even be right."""
    names: dict[Text, Text] = Field(default={})
    """Names of tools, by operationId or `METHOD /path`. Default: the operationId, or what method
    and path make (`get_pets_by_id`), in letters, digits, `_` and `-`, at most 64."""
    secret_query: dict[Text, Secret] = Field(default={})
    """What every request has in its query, for APIs that want their key there: `{api_key:
    "${KEY}"}`. Tools have no arguments of these names. Workers add it; keys in headers (`key`,
    `auth` of the server) are given to Envoy alone."""
    output_schemas: Flag = True
    """Whether tools say what their answers look like. Answers that are not so are errors then, with
    what is wrong and the answer in them."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return block_or_text(core_schema, handler, "file")

    @model_validator(mode="before")
    @classmethod
    def _from_file(cls, data: object) -> object:
        return {"file": data} if isinstance(data, FileText) else data

    @model_validator(mode="after")
    def _has_one_document(self) -> OpenApiBlock:
        if sum(each is not None for each in (self.file, self.url, self.inline)) != 1:
            raise refusal("needs exactly one of file, url and inline", is_shown=False)
        for name in _OF_URL:
            if self.url is None and name in self.model_fields_set:
                raise refusal(f"has no url, and '{name}' is for one", is_shown=False)
        if self.url is not None and self.ca is not None and not self.url.url.startswith("https:"):
            raise refusal("has a ca, and no https url", is_shown=False)
        if self.url is not None and self.headers and is_exposed(self.url.url):
            raise refusal("has headers, and a url without TLS", "use https", is_shown=False)
        return self

    @property
    def text(self) -> str:
        """The document; empty: nobody has fetched it."""
        if self.url is not None:
            return self.url.text or ""
        return self.file.text if self.file is not None else self.inline or ""

    @property
    def path(self) -> str:
        """Where it is."""
        if self.url is not None:
            return self.url.url
        return "inline" if self.file is None else self.file.path

    @property
    def origin(self) -> str:
        """Where the API is, if the document does not say; empty: nobody knows."""
        return "" if self.url is None else place(self.url.url).origin

    @cached_property
    def _by_base_path(self) -> dict[str | None, Api | tuple[Problem, ...]]:
        return {}

    def read(self, base_path: str | None) -> Api | tuple[Problem, ...]:
        """What the document means, with this base path instead of its own; read once. Of one that
        nobody has fetched, nothing is known."""
        if self.url is not None and self.url.text is None:
            return _UNKNOWN
        known = self._by_base_path
        if base_path not in known:
            terms = Terms(
                tuple(each.meaning for each in self.include),
                tuple(each.meaning for each in self.exclude),
                tuple(self.names.items()),
                base_path,
                self.output_schemas,
                tuple(self.secret_query),
            )
            known[base_path] = load_api(self.text, terms, file=self.path)
        return known[base_path]


def told(block: OpenApiBlock) -> dict[str, str]:
    """What stands in queries."""
    return {name: each.get_secret_value() for name, each in block.secret_query.items()}


def inlined(written: object, block: OpenApiBlock) -> dict[str, object]:
    """The block as it is written, with the document in it."""
    rest = written.items() if isinstance(written, dict) else ()
    return {
        "inline": block.text,
        **{name: each for name, each in rest if name not in _OF_DOCUMENT},
    }
