"""Documents that the configuration names by a URL, and whose content is part of what it means.

Nothing is fetched here: whoever loads a configuration says who is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path as FilePath
from typing import Annotated, Protocol, TypeAlias
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    ValidationError,
    WithJsonSchema,
)

from gateway.config.block import Block, refusal
from gateway.config.finding import Path
from gateway.config.gathering import Content
from gateway.config.referenced import TextFile, at, places
from gateway.config.scalars import Duration, Header
from gateway.config.urls import upstream_url

_SHORTEST_REFRESH = 10.0
_NOT_SENT = ("host", "content-length", "transfer-encoding", "connection", "accept-encoding")


def _refresh(value: float) -> float:
    if value < _SHORTEST_REFRESH:
        raise refusal("must be 10s or longer")
    return value


def _asking(value: str) -> str:
    if value in _NOT_SENT or value.startswith("if-"):
        raise refusal("is said by who fetches", is_shown=False)
    return value


def _header_value(value: SecretStr) -> SecretStr:
    said = value.get_secret_value()
    if not said.isascii() or not said.isprintable() or said != said.strip() or not said:
        raise refusal(
            "must be printable ascii, without spaces around it",
            "does the variable end with a line break?",
            is_shown=False,
        )
    return value


def _document_url(value: str) -> str:
    """With a query, in which there is no secret."""
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = urlsplit("")
    if parts.fragment or not value.isprintable() or " " in value:
        raise refusal("must have no fragment and no spaces", is_shown=False)
    upstream_url(parts._replace(query="").geturl())
    return value


class Form(Enum):
    """What a document has to be; the values are the names of the blocks that name one."""

    OPENAPI = "openapi"
    DISCOVERY = "discovery"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for."""

    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """May be secrets."""
    refresh_seconds: float = 300.0
    ca: str = field(default="", repr=False)
    """Certificate authorities in PEM; empty: the system's."""
    form: Form = Form.OPENAPI


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document, as it was fetched."""

    url: str
    text: str | None = field(default=None, repr=False)
    """None: nobody was asked for it."""


Found: TypeAlias = Content | str | None
"""A document; or why there is none, such as `cannot be fetched: …`; or None: nobody was asked."""


class Documents(Protocol):
    """Who is asked for documents."""

    def file(self, wanted: Wanted) -> FilePath | None:
        """Where it is kept; what is newer comes there, so it is watched. None: nowhere."""

    def read(self, wanted: Sequence[Wanted]) -> Mapping[Wanted, Found]:
        """All that one configuration wants. May wait for others, but not for long."""

    def accept(self, digests: Mapping[str, str]) -> None:
        """Documents with these digests, by URL, are in force."""

    def fall_back(self) -> bool:
        """What was fetched cannot be used: from now on, until it changes, `read` gives what was in
        force before. False: that is what it gave."""


_INSTEAD = {
    Form.OPENAPI: "have a copy of it, as 'file'",
    Form.DISCOVERY: "write endpoints and jwks",
}


class _Nobody:
    """Who fetches nothing."""

    def file(self, wanted: Wanted) -> FilePath | None:
        return None

    def accept(self, digests: Mapping[str, str]) -> None:
        return

    def fall_back(self) -> bool:
        return False


class NotFetched(_Nobody):
    """For those who take their configuration from somebody who has fetched."""

    def read(self, wanted: Sequence[Wanted]) -> Mapping[Wanted, Found]:
        return {each: f"is not fetched here: {_INSTEAD[each.form]}" for each in wanted}


class NotAsked(_Nobody):
    """For those to whom it does not matter what is in documents: they count as empty."""

    def read(self, wanted: Sequence[Wanted]) -> Mapping[Wanted, Found]:
        return dict.fromkeys(wanted)


def _was_fetched(value: object) -> Fetched:
    if isinstance(value, Fetched):
        return value
    if not isinstance(value, str):
        raise refusal("must be a url", "such as https://api.example.com/openapi.json")
    return Fetched(_document_url(value))


def _written(document: Fetched) -> str:
    return document.url


RemoteDocument: TypeAlias = Annotated[
    Fetched,
    PlainValidator(_was_fetched),
    PlainSerializer(_written),
    WithJsonSchema({"type": "string", "format": "url"}),
]
"""A URL. The loader puts the document in its place."""
Refresh: TypeAlias = Annotated[Duration, AfterValidator(_refresh)]
HeaderSecret: TypeAlias = Annotated[
    SecretStr,
    AfterValidator(_header_value),
    WithJsonSchema({"type": "string", "format": "secret"}),
]
AskingHeader: TypeAlias = Annotated[Header, AfterValidator(_asking)]


class _WantedBlock(Block):
    """Of a block with a `RemoteDocument` as its `url`, what says how it is fetched."""

    url: Annotated[str, AfterValidator(_document_url)]
    headers: dict[AskingHeader, HeaderSecret] = Field(default={})
    refresh: Refresh = 300.0
    ca: TextFile | None = None


def named_documents(kind: object, value: object) -> Iterator[tuple[Path, Wanted]]:
    """Every document in a value of the type `kind`, in which files are read, and where its URL
    stands. What the schema will refuse is left out."""
    for path, url in places(kind, value, Fetched):
        block = at(value, path[:-1])
        written = {key: each for key, each in block.items() if key in _WantedBlock.model_fields}
        try:
            said = _WantedBlock.model_validate({**written, "url": url})
        except ValidationError:
            continue
        headers = ((name, each.get_secret_value()) for name, each in said.headers.items())
        ca = "" if said.ca is None else said.ca.text
        yield path, Wanted(said.url, tuple(headers), said.refresh, ca, Form(path[-2]))
