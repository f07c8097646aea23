"""Guards that need nobody else: words, lengths, and the form of answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
import yaml
from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from gateway.config.block import refusal
from gateway.config.policies import GuardTermsBlock
from gateway.config.referenced import FileText, TextFile
from gateway.config.scalars import Flag, Globs, Text
from gateway.guards import GuardAction, Phase, SchemaSubject
from gateway.json_schemas import LARGEST_SCHEMA_BYTES, InvalidSchema, Schema

LONGEST_WORD = 200
MOST_WORDS = 10_000
_OF_TOOLS = (SchemaSubject.TOOL_INPUT, SchemaSubject.TOOL_OUTPUT)


def _word(value: str) -> str:
    if len(value) > LONGEST_WORD:
        raise refusal(f"must be at most {LONGEST_WORD} characters", is_shown=False)
    if not any(character.isalnum() for character in value):
        raise refusal("must have a letter or a digit")
    return value


def _schema(value: Mapping[str, Any]) -> Mapping[str, Any]:
    mistake = schema_mistake(value)
    if mistake is not None:
        raise refusal(f"is no JSON Schema that can be used: {mistake}", is_shown=False)
    return value


def schema_mistake(document: object) -> str | None:
    """What is wrong with a schema; None: nothing."""
    if not isinstance(document, dict):
        return "it must be an object"
    try:
        if len(msgspec.json.encode(document)) > LARGEST_SCHEMA_BYTES:
            return f"it is larger than {LARGEST_SCHEMA_BYTES} bytes"
        Schema(document)
    except (InvalidSchema, TypeError) as error:
        return str(error)
    return None


Word = Annotated[Text, AfterValidator(_word)]
SchemaDocument = Annotated[
    dict[str, Any],
    AfterValidator(_schema),
    WithJsonSchema({"type": "object", "format": "json-schema"}),
]


class KeywordGuardBlock(GuardTermsBlock):
    """Topics that are not to be spoken of, by their words. They are found as whole words, in any
    case and spelling (accents as one character or two, full width, invisible ones within)."""

    type: Literal["keywords"]
    """Words."""
    words: Annotated[tuple[Word, ...], Field(max_length=MOST_WORDS)] = ()
    """Words and phrases; a space stands for any space, also a line's end."""
    file: TextFile | None = None
    """A file with more of them, one on each line; lines that begin with `#` are left out."""
    action: GuardAction = GuardAction.BLOCK
    """`block` refuses the request, `mask` replaces what was found and goes on."""
    replacement: str = "[redacted]"
    """What `mask` writes instead."""
    message: Text | None = None
    """What the client is told when blocked."""

    @model_validator(mode="after")
    def _has_words(self) -> KeywordGuardBlock:
        if not self.all_words:
            raise refusal("needs words, or a file of them", is_shown=False)
        if len(self.all_words) > MOST_WORDS:
            raise refusal(f"has more than {MOST_WORDS} words", is_shown=False)
        for word in _lines(self.file):
            _word(word)
        return self

    @property
    def all_words(self) -> tuple[str, ...]:
        """With those of the file."""
        return (*self.words, *_lines(self.file))


def _lines(file: FileText | None) -> Iterator[str]:
    for line in file.text.split("\n") if file is not None else ():
        word = line.strip()
        if word and not word.startswith("#"):
            yield word


class LengthGuardBlock(GuardTermsBlock):
    """How long texts may be, in characters, in tokens, or both. A rule bounds the tokens of all
    that a request says (`require: llm.estimated_input_tokens <= 8000`)."""

    type: Literal["max_length"]
    """Length."""
    characters: Annotated[int, Field(ge=1, le=2**31)] | None = None
    """How many characters (code points) all texts that it reads may have together, of a request, or
    of an answer. A stream is cut before the event that has more."""
    tokens: Annotated[int, Field(ge=1, le=2**31)] | None = None
    """How many tokens, as they are estimated here: about a tenth more or fewer than a model counts,
    of which tokenizers differ."""
    message: Text | None = None
    """What the client is told."""

    @model_validator(mode="after")
    def _has_a_length(self) -> LengthGuardBlock:
        if self.characters is None and self.tokens is None:
            raise refusal("needs characters, or tokens", is_shown=False)
        return self


class SchemaGuardBlock(GuardTermsBlock):
    """What answers or requests must be, as a JSON Schema (draft 2020-12, or as `$schema` says).
    Nothing is fetched for it, and patterns have no look-around or back-references."""

    type: Literal["json_schema"]
    """A schema."""
    phase: Phase = Phase.RESPONSE
    """`response`: answers; `request`: requests, of which it judges `body` or `tool_input`; `both`:
    the calls of requests and of answers. Of MCP, `tool_input` is of requests, `tool_output` of
    responses."""
    scope: None = None
    """Is said by `of`."""
    of: SchemaSubject = SchemaSubject.ANSWER
    """`answer`: what the model says, of each choice; `tool_input`: the arguments of each call;
    `body`: a request as it goes on, in the words of its client's API; `tool_output`: the structured
    result of each call of an MCP server's tool that did not fail."""
    schema_: SchemaDocument | None = Field(default=None, alias="schema")
    """The schema."""
    file: TextFile | None = None
    """A file that holds it, as JSON or YAML."""
    from_request: Flag = False
    """What the request asks for: its own structured output, or the parameters of its tools. Where
    it asks for none, nothing is checked; calls of tools that it does not have are refused."""
    from_server: Flag = False
    """Of MCP: what the server says of its tool, as it lists it: `inputSchema` for `tool_input`,
    `outputSchema` for `tool_output`. A tool that has none is not judged; calls of tools that it
    does not list are refused."""
    tools: Globs = ("*",)
    """Of `tool_input` and `tool_output`: whose calls, `*` stands for anything. Of MCP, tools have
    the names by which their servers know them."""
    stream: Literal["hold", "cut"] = "hold"
    """`hold`: a stream waits until its end, and none of it goes on when it is refused; `cut`: it
    goes on as it comes, and ends with an error in the place of its last event."""
    message: Text | None = None
    """What the client is told, before what does not hold."""

    @model_validator(mode="after")
    def _has_one_schema(self) -> SchemaGuardBlock:
        own = (self.from_request, self.from_server)
        if sum((self.schema_ is not None, self.file is not None, *own)) != 1:
            needed = "schema, file, from_request and from_server"
            raise refusal(f"needs one of {needed}", is_shown=False)
        if self.file is not None:
            mistake = schema_mistake(self._read())
            if mistake is not None:
                hint = "JSON or YAML, of JSON Schema's draft 2020-12"
                raise refusal(f"has a file that is no schema: {mistake}", hint, is_shown=False)
        if self.of not in _OF_TOOLS and self.tools != ("*",):
            raise refusal("names tools, which `of: tool_input` is about", is_shown=False)
        return self

    @model_validator(mode="after")
    def _judges_what_there_is(self) -> SchemaGuardBlock:
        wanted = {
            SchemaSubject.ANSWER: Phase.RESPONSE,
            SchemaSubject.BODY: Phase.REQUEST,
            SchemaSubject.TOOL_OUTPUT: Phase.RESPONSE,
        }
        if wanted.get(self.of, self.phase) is not self.phase:
            hint = f"of: {self.of} is judged in phase: {wanted[self.of]}"
            raise refusal(f"judges of: {self.of} in phase: {self.phase}", hint, is_shown=False)
        if self.of is SchemaSubject.BODY and self.from_request:
            raise refusal("needs a schema: no request has one of its body", is_shown=False)
        if self.phase is Phase.REQUEST and "stream" in self.model_fields_set:
            raise refusal("has a stream, which is an answer's", is_shown=False)
        return self

    def _read(self) -> object:
        try:
            return None if self.file is None else yaml.load(self.file.text, yaml.CSafeLoader)
        except yaml.YAMLError:
            return None

    @property
    def document(self) -> Mapping[str, Any] | None:
        """The schema; None: what the request asks for."""
        if self.schema_ is not None:
            return self.schema_
        found = self._read()
        return found if isinstance(found, dict) else None

    @property
    def text(self) -> str | None:
        """The same as JSON."""
        document = self.document
        return None if document is None else msgspec.json.encode(document, order="sorted").decode()


LocalBlock: TypeAlias = KeywordGuardBlock | LengthGuardBlock | SchemaGuardBlock


def inline(written: Iterable[dict[str, Any]], blocks: Iterable[object]) -> None:
    """Put what stands in files into guards as they are written."""
    for guard, block in zip(written, blocks, strict=False):
        if isinstance(block, KeywordGuardBlock) and guard.pop("file", None) is not None:
            guard["words"] = list(block.all_words)
        if isinstance(block, SchemaGuardBlock) and guard.pop("file", None) is not None:
            guard["schema"] = block.document
