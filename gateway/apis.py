"""Where clients find the APIs: method and path → operation. One table; prefixes are configuration.

Both processes read it: Envoy's routes are made of it, and extproc knows by it what is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from urllib.parse import unquote

from gateway.operations import Operation


class Family(StrEnum):
    """A vendor's API as clients of that vendor expect it."""

    OPENAI = "openai"
    AZURE = "azure"
    """OpenAI's as Azure serves it: the model in the path."""
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    """Google's, of both of its services: Gemini and Vertex."""
    VERTEX = "vertex"
    """Anthropic's as Vertex serves it: the model in the path."""
    BEDROCK = "bedrock"
    COHERE = "cohere"


DEFAULT_PREFIXES: Mapping[Family, tuple[str, ...]] = MappingProxyType(
    {
        Family.OPENAI: ("/v1",),
        Family.AZURE: (),
        Family.ANTHROPIC: ("/v1",),
        Family.GEMINI: ("/v1beta", "/v1", "/v1beta1"),
        Family.VERTEX: (),
        Family.BEDROCK: ("",),
        Family.COHERE: ("/v1", "/v2"),
    }
)
"""Those of the vendors' own libraries; Azure's is `/openai`, Vertex's for Claude `/v1`. None: the
family is not served."""

UPLOAD_COMMAND_HEADER = "x-goog-upload-command"
UPLOAD_URL_HEADER = "x-goog-upload-url"
UPLOAD_HEADERS = frozenset(
    {":authority", ":scheme", "x-forwarded-proto", UPLOAD_COMMAND_HEADER, UPLOAD_URL_HEADER}
)
"""What extproc reads of uploads to Gemini and their answers."""

_BELOW = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._~:-]*)*/?")
"""What follows a path that has all below: ids and words. No dot segments and nothing encoded, by
which a provider could find another operation than was decided on."""
_CANCEL = re.compile(r"/[A-Za-z0-9_-]+/cancel")


@dataclass(frozen=True, slots=True)
class Row:
    """One operation of a family: where it is, after the prefix."""

    family: Family
    path: str
    """`{model}` stands for a name that may hold slashes, a last `/*` for the path itself and all
    below."""
    operation: Operation
    methods: tuple[str, ...] = ("POST",)
    is_stream: bool = False
    below: re.Pattern[str] = _BELOW
    """What a last `/*` stands for."""

    publisher: str = ""
    """Of the models, where the path says it; empty: whoever's."""

    def at(self, prefix: str) -> str:
        """The path at a prefix."""
        if self.operation is Operation.GEMINI_UPLOADS:
            prefix = uploads(prefix)
        return prefix + self.path


def uploads(prefix: str) -> str:
    """Where Google takes uploads for an API: `/upload/v1beta` for `/v1beta`."""
    before, _, version = prefix.rpartition("/")
    return f"{before}/upload/{version}" if version else "/upload"


_ANY = ("DELETE", "GET", "POST", "PUT", "PATCH")
_ON_OPENAI_AND_AZURE = (
    ("/chat/completions", Operation.CHAT),
    ("/completions", Operation.COMPLETIONS),
    ("/embeddings", Operation.EMBEDDINGS),
    ("/images/generations", Operation.IMAGE_GENERATIONS),
    ("/images/edits", Operation.IMAGE_EDITS),
    ("/images/variations", Operation.IMAGE_VARIATIONS),
    ("/audio/speech", Operation.SPEECH),
    ("/audio/transcriptions", Operation.TRANSCRIPTIONS),
    ("/audio/translations", Operation.TRANSLATIONS),
)
_LISTS = (
    (Family.OPENAI, ""),
    (Family.AZURE, ""),
    (Family.AZURE, "/v1"),
    (Family.ANTHROPIC, ""),
    (Family.GEMINI, ""),
)
"""Who lists models, and where."""

ROWS: tuple[Row, ...] = (
    *(Row(Family.OPENAI, path, operation) for path, operation in _ON_OPENAI_AND_AZURE),
    Row(Family.OPENAI, "/responses", Operation.RESPONSES),
    Row(Family.OPENAI, "/responses/input_tokens", Operation.RESPONSE_TOKENS),
    # of stored ones; what makes new ones is not for passing unread
    Row(Family.OPENAI, "/responses/*", Operation.RESPONSE, ("GET", "DELETE")),
    Row(Family.OPENAI, "/responses/*", Operation.RESPONSE, ("POST",), below=_CANCEL),
    Row(Family.OPENAI, "/moderations", Operation.MODERATIONS),
    Row(Family.OPENAI, "/realtime", Operation.REALTIME, ("GET",)),
    Row(Family.OPENAI, "/files/*", Operation.FILES, _ANY),
    Row(Family.OPENAI, "/uploads/*", Operation.UPLOADS, _ANY),
    Row(Family.OPENAI, "/batches/*", Operation.BATCHES, _ANY),
    *(
        Row(Family.AZURE, f"/deployments/{{model}}{path}", operation)
        for path, operation in _ON_OPENAI_AND_AZURE
    ),
    *(Row(Family.AZURE, f"/v1{path}", operation) for path, operation in _ON_OPENAI_AND_AZURE),
    Row(Family.AZURE, "/v1/responses", Operation.RESPONSES),
    *(
        Row(Family.AZURE, f"{above}{path}/*", operation, _ANY)
        for above in ("", "/v1")
        for path, operation in (("/files", Operation.FILES), ("/batches", Operation.BATCHES))
    ),
    *(
        Row(Family.AZURE, f"{above}/realtime", Operation.REALTIME, ("GET",))
        for above in ("", "/v1")
    ),
    Row(Family.ANTHROPIC, "/messages", Operation.MESSAGES),
    Row(Family.ANTHROPIC, "/messages/count_tokens", Operation.MESSAGE_TOKENS),
    Row(Family.ANTHROPIC, "/messages/batches/*", Operation.MESSAGE_BATCHES, _ANY),
    Row(Family.ANTHROPIC, "/files/*", Operation.MESSAGE_FILES, _ANY),
    Row(Family.COHERE, "/rerank", Operation.RERANK),
    Row(Family.GEMINI, "/models/{model}:generateContent", Operation.GENERATE),
    Row(
        Family.GEMINI,
        "/models/{model}:streamGenerateContent",
        Operation.GENERATE_STREAM,
        is_stream=True,
    ),
    Row(Family.GEMINI, "/models/{model}:countTokens", Operation.COUNT_TOKENS),
    Row(Family.GEMINI, "/models/{model}:embedContent", Operation.EMBED_CONTENT),
    Row(Family.GEMINI, "/models/{model}:batchEmbedContents", Operation.BATCH_EMBED_CONTENTS),
    Row(Family.GEMINI, "/files/*", Operation.GEMINI_FILES, ("GET", "DELETE")),
    Row(Family.GEMINI, "/files/*", Operation.GEMINI_UPLOADS),
    Row(Family.GEMINI, "/cachedContents", Operation.GEMINI_CACHE),
    # of those that are there; what is told to a model is not for passing unread
    Row(Family.GEMINI, "/cachedContents/*", Operation.GEMINI_CACHES, ("DELETE", "GET", "PATCH")),
    *(
        Row(
            Family.VERTEX,
            f"/models/{{model}}:{verb}",
            operation,
            is_stream=verb == "streamRawPredict",
            publisher=publisher,
        )
        for publisher, operation in (
            ("anthropic", Operation.MESSAGES),
            ("mistralai", Operation.CHAT),  # of OpenAI's form
        )
        for verb in ("rawPredict", "streamRawPredict")
    ),
    Row(Family.BEDROCK, "/model/{model}/converse", Operation.CONVERSE),
    Row(
        Family.BEDROCK,
        "/model/{model}/converse-stream",
        Operation.CONVERSE_STREAM,
        is_stream=True,
    ),
    Row(Family.BEDROCK, "/model/{model}/invoke", Operation.INVOKE),
    Row(
        Family.BEDROCK,
        "/model/{model}/invoke-with-response-stream",
        Operation.INVOKE_STREAM,
        is_stream=True,
    ),
    *(Row(each, f"{path}/models", Operation.MODELS, ("GET",)) for each, path in _LISTS),
    *(
        Row(family, f"{path}/models/{{model}}", Operation.MODEL, ("GET",))
        for family, path in _LISTS
    ),
)
"""In order: of two rows that fit a path, the first that has the method counts."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a request line asks for."""

    operation: Operation
    family: Family
    model: str = ""
    """Of the path, percent-decoded; empty where the body says it."""
    is_stream: bool = False
    rest: str = ""
    """What follows the operation's own path where all below belongs to it, with the query."""


class WrongMethod:
    """There is something at this path, but not for this method."""


WRONG_METHOD = WrongMethod()

_MODELS = "/models/"
_UNSAID = ("", "anthropic")
"""Publishers whose models need no publisher in the path."""
_VERTEX = ("/projects/", "/publishers/")
"""What stands between a prefix and the models of Vertex."""


@dataclass(frozen=True, slots=True)
class _Named:
    """A row at a prefix whose path has a name in it."""

    prefix: str
    before: str
    """What stands before the name, prefix included."""
    after: str
    """What stands behind it."""
    row: Row

    def name(self, path: str) -> str:
        """The name in a path; empty: the path is another."""
        if not path.endswith(self.after):
            return ""
        end = len(path) - len(self.after)
        if path.startswith(self.before):
            return path[len(self.before) : end] if self.row.publisher in _UNSAID else ""
        if self.after.startswith(":") and path.startswith(_VERTEX, len(self.prefix)):
            start = path.rfind(_MODELS, len(self.prefix), end)
            if start >= 0 and path.startswith(self.prefix):
                publisher = self.row.publisher
                if publisher and not path[:start].endswith(f"/publishers/{publisher}"):
                    return ""
                return path[start + len(_MODELS) : end]
        return ""


class Paths:
    """The table at the prefixes of a configuration."""

    def __init__(self, prefixes: Mapping[Family, Sequence[str]]) -> None:
        self._exact: dict[str, list[tuple[Row, Found]]] = {}
        self._named: dict[str, list[_Named]] = {}
        """By the last word of what stands behind the name."""
        self._below: list[tuple[str, Row]] = []
        whole = (*prefixes.get(Family.OPENAI, ()), *prefixes.get(Family.AZURE, ()))
        self._whole = tuple(sorted(whole, key=len, reverse=True))
        placed = [(each, family) for family in Family for each in prefixes.get(family, ()) if each]
        self._closest = tuple(sorted(placed, key=lambda each: -len(each[0])))
        for row, prefix in _placed(prefixes):
            path = row.at(prefix)
            before, name, after = path.partition("{model}")
            if name:
                named = _Named(prefix, before, after, row)
                self._named.setdefault(_last_word(after), []).append(named)
            elif path.endswith("/*"):
                self._below.append((path[:-2], row))
            else:
                self._add(path, row)

    def find(self, method: str, path: str) -> Found | WrongMethod | None:
        """What is at a path; its query is not looked at. None: nothing is."""
        bare = path.partition("?")[0]
        is_there = False
        for row, found in self._exact.get(bare, ()):
            if method in row.methods:
                return found
            is_there = True
        for ending in (_last_word(bare), ""):
            for named in self._named.get(ending, ()):
                name = named.name(bare)
                if name:
                    row = named.row
                    if method in row.methods:
                        return Found(row.operation, row.family, unquote(name), row.is_stream)
                    is_there = True
        for before, row in self._below:
            if bare.startswith(before) and row.below.fullmatch(bare, len(before)):
                if method in row.methods:
                    return Found(row.operation, row.family, rest=path[len(before) :])
                is_there = True
        return WRONG_METHOD if is_there else None

    def find_below(self, family: Family, method: str, path: str) -> Found | None:
        """The same of one family alone, where all below belongs to an operation."""
        bare = path.partition("?")[0]
        for before, row in self._below:
            is_theirs = row.family is family and method in row.methods
            if is_theirs and bare.startswith(before) and row.below.fullmatch(bare, len(before)):
                return Found(row.operation, row.family, rest=path[len(before) :])
        return None

    def is_disguised(self, path: str) -> bool:
        """Whether an unknown path could be a known one to a reader who is less strict."""
        bare = unquote(unquote(path.partition("?")[0].partition("#")[0])).replace("\\", "/")
        segments: list[str] = []
        for segment in bare.split("/"):
            if segment == "..":
                segments = segments[:-1]
            elif segment not in ("", "."):
                segments.append(segment.partition(";")[0].strip())
        plain = "/" + "/".join(segments)
        return any(self._is_known(each) for each in (plain, bare.rstrip("/")))

    def _is_known(self, path: str) -> bool:
        folded = path.casefold()
        return self.find("POST", path) is not None or any(
            folded == known.casefold() for known in self._exact
        )

    def family(self, path: str) -> Family | None:
        """Whose clients ask at an unknown path: who has the closest prefix before it, and of those
        who share one the first. None: nobody."""
        for prefix, family in self._closest:
            if path.startswith(f"{prefix}/"):
                return family
        return None

    def below(self, path: str) -> str:
        """What follows the prefix of OpenAI's API in a path that is none of its own."""
        prefix = next((each for each in self._whole if path.startswith(f"{each}/")), "")
        return path[len(prefix) :]

    def _add(self, path: str, row: Row) -> None:
        found = Found(row.operation, row.family, is_stream=row.is_stream)
        self._exact.setdefault(path, []).append((row, found))


def _placed(prefixes: Mapping[Family, Sequence[str]]) -> Iterator[tuple[Row, str]]:
    for row in ROWS:
        for prefix in prefixes.get(row.family, ()):
            yield row, prefix


def _last_word(path: str) -> str:
    """`:generateContent` of a path of Gemini, `/converse` of one of Bedrock."""
    return path[max(path.rfind(":"), path.rfind("/"), 0) :]
