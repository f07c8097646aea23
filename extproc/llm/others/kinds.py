"""The operations that are no conversation: what their requests must have, ask for, and may cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from extproc.facts import NO_DEMANDS
from extproc.llm import estimate, faults
from extproc.llm import texts as walk
from extproc.llm.dialect import Call
from extproc.llm.others import shapes
from extproc.llm.shapes import Fields
from extproc.protocols.json_spans import InvalidJson
from extproc.verdict import Deny
from gateway.usage import Usage

BYTES_PER_TOKEN = 3
"""Where texts are not weighed."""
IMAGE_TOKENS = 6500
"""For one image to be edited, with its details kept."""
AUDIO_BYTES_PER_SECOND = 2000
"""Of a recording: 16 kbit/s, as speech at its most compressed."""
AUDIO_TOKENS_PER_SECOND = 10
DEFAULT_COMPLETION_TOKENS = 16
"""What a completion is limited to that sets no limit."""
DOCUMENTS_PER_SEARCH = 100
TOKENS_PER_DOCUMENT = 500
"""Cohere counts a longer document, with the query, as several."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a request asks for."""

    tokens: int | None = 0
    """At most, for each of the choices; None: it does not say."""
    choices: int = 1


@dataclass(frozen=True, slots=True)
class Kind:
    """One operation, as far as policies need it."""

    shape: Fields
    decided_on: frozenset[str]
    """The names that no other reader may find elsewhere."""
    fault: Callable[[Mapping[str, object]], Deny | None]
    """What is wrong with a request, beside its model."""
    input_tokens: Callable[[Call], int]
    """Rather too many than too few."""
    output: Callable[[Mapping[str, object]], Output]
    demands: Callable[[Mapping[str, object]], Usage]
    """What else is paid for: images, characters, sound, searches."""
    default_model: str = ""
    """What a request means that names none."""
    opaque: str = ""
    """The field that may hold ids of tokens, which no guard can read."""
    needs_to_ask_usage: bool = False
    """A stream tells its usage only when it is asked to."""


def is_tokens(value: object) -> bool:
    """Ids of tokens, or lists of them."""
    if type(value) is not list or not value:
        return False
    first = value[0]
    return type(first) is int or (type(first) is list and is_tokens(first))


def _no_fault(document: Mapping[str, object]) -> Deny | None:
    return None


def _no_demands(document: Mapping[str, object]) -> Usage:
    return NO_DEMANDS


def _no_output(document: Mapping[str, object]) -> Output:
    return Output()


def _text_tokens(call: Call, shape: Fields) -> int:
    try:
        texts = walk.texts(call.document, shape)
    except InvalidJson:  # too much of it to be read
        return -(-call.size_bytes // BYTES_PER_TOKEN)
    return estimate.upper(texts, estimate.family_of(call.model))


def _tokens(size: int) -> int:
    return -(-size // BYTES_PER_TOKEN)


def _count(document: Mapping[str, object], name: str, default: int = 1) -> int:
    value = document.get(name)
    return value if type(value) is int else default


def _texts_fault(document: Mapping[str, object], name: str) -> Deny | None:
    """Of a text, texts, ids of tokens, lists of them, or objects, which have forms of their own."""
    value = document.get(name)
    if type(value) is str:
        return None
    if type(value) is not list:
        return faults.not_a(str, document, name)
    if not value:
        return faults.wrong_value(name, "must not be empty")
    kind = type(value[0])
    if kind not in (str, int, list, dict):
        return faults.wrong_type(str, value[0], f"{name}[0]")
    for index, each in enumerate(value):
        if type(each) is not kind:
            return faults.wrong_value(f"{name}[{index}]", "must be of the type of the others")
        if kind is list and not (each and all(type(token) is int for token in each)):
            return faults.wrong_value(f"{name}[{index}]", "must be an array of integers")
    return None


def _counts_fault(document: Mapping[str, object], names: Iterable[str]) -> Deny | None:
    found = (faults.of_count(document.get(name), name) for name in names)
    return next((fault for fault in found if fault is not None), None)


def _counted(call: Call, name: str, shape: Fields) -> int:
    """Ids of tokens count themselves."""
    value = call.document.get(name)
    if type(value) is list and is_tokens(value):
        return sum(len(each) if type(each) is list else 1 for each in value)
    return _text_tokens(call, shape)


def _text_fault(document: Mapping[str, object], name: str) -> Deny | None:
    return None if type(document.get(name)) is str else faults.not_a(str, document, name)


def _completion_fault(document: Mapping[str, object]) -> Deny | None:
    if document.get("prompt") is not None:
        fault = _texts_fault(document, "prompt")
        if fault is not None:
            return fault
    options = document.get("stream_options")
    if options is not None and type(options) is not dict:
        return faults.not_a(dict, document, "stream_options")
    return _counts_fault(document, ("best_of", "max_tokens", "n"))


def _completion_output(document: Mapping[str, object]) -> Output:
    prompt = document.get("prompt")
    prompts = 1
    if type(prompt) is list and type(prompt[0]) is not int:
        prompts = len(prompt)
    choices = max(_count(document, "n"), _count(document, "best_of"))
    limit = _count(document, "max_tokens", DEFAULT_COMPLETION_TOKENS)
    return Output(limit, choices * prompts)


def _moderation_fault(document: Mapping[str, object]) -> Deny | None:
    value = document.get("input")
    is_there = type(value) is str or type(value) is list
    return None if is_there else faults.not_a(str, document, "input")


def _image_fault(document: Mapping[str, object]) -> Deny | None:
    return _text_fault(document, "prompt") or _counts_fault(document, ("n",))


def _image_output(document: Mapping[str, object]) -> Output:
    return Output(None, _count(document, "n"))


def _image_demands(document: Mapping[str, object]) -> Usage:
    return Usage(0, 0, images=_count(document, "n"), image_kind=image_kind(document))


def image_kind(document: Mapping[str, object]) -> str:
    """Size and quality of images as catalogs name them, of a request for some or of its answer."""
    said = (document.get("quality"), document.get("size"))
    return "/".join(each for each in said if type(each) is str and each not in ("", "auto"))


def _edit_tokens(call: Call) -> int:
    """Images are counted, whatever they weigh; so are those that are fetched by the provider."""
    images = 0
    for name in ("image", "image[]", "images", "mask", "markup"):
        value = call.document.get(name)
        images += len(value) if type(value) is list else value is not None
    return _text_tokens(call, shapes.IMAGE_EDITS) + images * IMAGE_TOKENS


def _speech_demands(document: Mapping[str, object]) -> Usage:
    text = document.get("input")
    return Usage(0, 0, characters=len(text) if type(text) is str else 0)


def _seconds(document: Mapping[str, object]) -> int:
    file = document.get("file")
    size = file.get("bytes") if type(file) is dict else len(file) if type(file) is str else 0
    return -(-size // AUDIO_BYTES_PER_SECOND) if type(size) is int else 0


def _sound_tokens(call: Call) -> int:
    seconds = _seconds(call.document)
    return _text_tokens(call, shapes.TRANSCRIPTIONS) + seconds * AUDIO_TOKENS_PER_SECOND


def _sound_demands(document: Mapping[str, object]) -> Usage:
    return Usage(0, 0, milliseconds=_seconds(document) * 1000)


def _sound_output(document: Mapping[str, object]) -> Output:
    return Output(_seconds(document) * AUDIO_TOKENS_PER_SECOND)


def _rerank_fault(document: Mapping[str, object]) -> Deny | None:
    if type(document.get("query")) not in (str, dict):
        return faults.not_a(str, document, "query")
    documents = document.get("documents")
    if type(documents) is not list:
        return faults.not_a(list, document, "documents")
    return None if documents else faults.wrong_value("documents", "must not be empty")


def _documents(document: Mapping[str, object]) -> list[object]:
    documents = document.get("documents")
    return documents if type(documents) is list else []


def _query_tokens(document: Mapping[str, object]) -> int:
    return _tokens(len(str(document.get("query", "")).encode()))


def _rerank_tokens(call: Call) -> int:
    """The query is read with each document."""
    queries = max(len(_documents(call.document)) - 1, 0)
    return _text_tokens(call, shapes.RERANK) + _query_tokens(call.document) * queries


def _rerank_demands(document: Mapping[str, object]) -> Usage:
    query = _query_tokens(document)
    count = sum(
        -(-(query + _tokens(len(str(each).encode()))) // TOKENS_PER_DOCUMENT)
        for each in _documents(document)
    )
    return Usage(0, 0, searches=-(-count // DOCUMENTS_PER_SEARCH))


def _names(*names: str) -> frozenset[str]:
    return frozenset({"model", *names})


COMPLETIONS = Kind(
    shapes.COMPLETIONS,
    _names("best_of", "max_tokens", "n", "prompt", "stream", "stream_options"),
    _completion_fault,
    lambda call: _counted(call, "prompt", shapes.COMPLETIONS),
    _completion_output,
    _no_demands,
    opaque="prompt",
    needs_to_ask_usage=True,
)
EMBEDDINGS = Kind(
    shapes.EMBEDDINGS,
    _names("input"),
    lambda document: _texts_fault(document, "input"),
    lambda call: _counted(call, "input", shapes.EMBEDDINGS),
    _no_output,
    _no_demands,
    opaque="input",
)
MODERATIONS = Kind(
    shapes.MODERATIONS,
    _names("input"),
    _moderation_fault,
    lambda call: _text_tokens(call, shapes.MODERATIONS),
    _no_output,
    _no_demands,
    default_model="omni-moderation-latest",
)
IMAGE_GENERATIONS = Kind(
    shapes.IMAGE_GENERATIONS,
    _names("n", "prompt", "stream", "svg"),
    _image_fault,
    lambda call: _text_tokens(call, shapes.IMAGE_GENERATIONS),
    _image_output,
    _image_demands,
)
IMAGE_EDITS = Kind(
    shapes.IMAGE_EDITS,
    _names("n", "prompt", "stream", "svg"),
    _image_fault,
    _edit_tokens,
    _image_output,
    _image_demands,
)
IMAGE_VARIATIONS = Kind(
    shapes.IMAGE_EDITS,
    _names("n"),
    lambda document: _counts_fault(document, ("n",)),
    _edit_tokens,
    _image_output,
    _image_demands,
)
SPEECH = Kind(
    shapes.SPEECH,
    _names("input", "stream_format"),
    lambda document: _text_fault(document, "input"),
    lambda call: _text_tokens(call, shapes.SPEECH),
    lambda document: Output(None),
    _speech_demands,
)
TRANSCRIPTIONS = Kind(
    shapes.TRANSCRIPTIONS,
    _names("prompt", "stream"),
    _no_fault,
    _sound_tokens,
    _sound_output,
    _sound_demands,
)
TRANSLATIONS = TRANSCRIPTIONS
RERANK = Kind(
    shapes.RERANK,
    _names("documents", "query"),
    _rerank_fault,
    _rerank_tokens,
    _no_output,
    _rerank_demands,
)
