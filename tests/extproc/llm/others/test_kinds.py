from __future__ import annotations

import json

import pytest

from extproc.llm.dialect import Call
from extproc.llm.others import kinds
from extproc.llm.others.kinds import AUDIO_BYTES_PER_SECOND, IMAGE_TOKENS, Kind, Output
from extproc.verdict import Deny
from gateway.usage import Usage


def call(document: dict[str, object]) -> Call:
    return Call("m", False, document, len(json.dumps(document)))


@pytest.mark.parametrize(
    ("kind", "document", "param"),
    [
        (kinds.COMPLETIONS, {"prompt": 1}, "prompt"),
        (kinds.COMPLETIONS, {"prompt": []}, "prompt"),
        (kinds.COMPLETIONS, {"prompt": ["a", 1]}, "prompt[1]"),
        (kinds.COMPLETIONS, {"prompt": [[1], ["a"]]}, "prompt[1]"),
        (kinds.COMPLETIONS, {"prompt": [[]]}, "prompt[0]"),
        (kinds.COMPLETIONS, {"prompt": [True]}, "prompt[0]"),
        (kinds.COMPLETIONS, {"prompt": "a", "n": "2"}, "n"),
        (kinds.COMPLETIONS, {"prompt": "a", "best_of": 0}, "best_of"),
        (kinds.COMPLETIONS, {"prompt": "a", "max_tokens": 2**31}, "max_tokens"),
        (kinds.COMPLETIONS, {"prompt": "a", "stream_options": []}, "stream_options"),
        (kinds.EMBEDDINGS, {}, "input"),
        (kinds.EMBEDDINGS, {"input": None}, "input"),
        (kinds.EMBEDDINGS, {"input": ["a", ["b"]]}, "input[1]"),
        (kinds.MODERATIONS, {}, "input"),
        (kinds.MODERATIONS, {"input": 1}, "input"),
        (kinds.IMAGE_GENERATIONS, {}, "prompt"),
        (kinds.IMAGE_GENERATIONS, {"prompt": "a", "n": 1.5}, "n"),
        (kinds.SPEECH, {"input": ["a"]}, "input"),
        (kinds.RERANK, {"documents": ["a"]}, "query"),
        (kinds.RERANK, {"query": "a"}, "documents"),
        (kinds.RERANK, {"query": "a", "documents": []}, "documents"),
    ],
)
def test_what_is_decided_on_must_be_there(
    kind: Kind, document: dict[str, object], param: str
) -> None:
    fault = kind.fault(document)
    assert isinstance(fault, Deny)
    assert (fault.status, fault.param) == (400, param)


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        (kinds.COMPLETIONS, {}),
        (kinds.COMPLETIONS, {"prompt": None}),
        (kinds.COMPLETIONS, {"prompt": [[1, 2], [3]], "n": 2, "stream_options": {}}),
        (kinds.EMBEDDINGS, {"input": "a"}),
        (kinds.EMBEDDINGS, {"input": ["a", "b"]}),
        (kinds.EMBEDDINGS, {"input": [{"text": "a"}, {"image": "b"}]}),
        (kinds.MODERATIONS, {"input": [{"type": "text", "text": "a"}]}),
        (kinds.IMAGE_VARIATIONS, {"n": 1}),
        (kinds.TRANSCRIPTIONS, {"file": {"bytes": 1}}),
        (kinds.RERANK, {"query": "a", "documents": ["b", {"text": "c"}]}),
    ],
)
def test_what_is_documented_is_accepted(kind: Kind, document: dict[str, object]) -> None:
    assert kind.fault(document) is None


@pytest.mark.parametrize("value", ["a", ["a"], [], [[]], {}, None, [1.5]])
def test_texts_are_no_ids_of_tokens(value: object) -> None:
    assert not kinds.is_tokens(value)


def test_ids_of_tokens_are_counted() -> None:
    assert kinds.EMBEDDINGS.input_tokens(call({"input": list(range(100_000, 100_500))})) == 500
    assert kinds.COMPLETIONS.input_tokens(call({"prompt": [[1, 2], [3]]})) == 3
    prose = "The interpreter stood beside the envoy and said nothing. " * 10
    assert 100 < kinds.EMBEDDINGS.input_tokens(call({"input": prose})) < 250


def test_a_completion_is_made_for_each_prompt() -> None:
    output = kinds.COMPLETIONS.output
    assert output({"prompt": "a"}) == Output(16, 1)
    assert output({"prompt": [1, 2, 3], "max_tokens": 5}) == Output(5, 1)
    assert output({"prompt": ["a", "b"], "n": 2, "best_of": 5}) == Output(16, 10)
    assert output({"prompt": [[1], [2]], "n": 3}) == Output(16, 6)


@pytest.mark.parametrize("kind", [kinds.EMBEDDINGS, kinds.MODERATIONS, kinds.RERANK])
def test_some_write_nothing(kind: Kind) -> None:
    assert kind.output({"input": "a"}) == Output(0, 1)


def test_images_are_asked_for() -> None:
    document: dict[str, object] = {"prompt": "a", "n": 3, "size": "1024x1024", "quality": "hd"}
    demanded = kinds.IMAGE_GENERATIONS.demands(document)
    assert demanded == Usage(0, 0, images=3, image_kind="hd/1024x1024")
    assert kinds.IMAGE_GENERATIONS.demands({"size": "auto"}) == Usage(0, 0, images=1)
    assert kinds.IMAGE_GENERATIONS.output(document) == Output(None, 3)


def test_images_to_edit_are_counted_and_not_weighed() -> None:
    file = {"filename": "a.png", "content_type": "image/png", "bytes": 9_000}
    tokens = kinds.IMAGE_EDITS.input_tokens(
        Call("m", False, {"image[]": [file, file], "mask": file, "prompt": "x" * 30}, 27_330)
    )
    assert 3 * IMAGE_TOKENS < tokens < 3 * IMAGE_TOKENS + 200
    url = f"data:image/png;base64,{'A' * 9_000}"
    in_json = call({"images": [{"image_url": url}], "prompt": "x"})
    assert kinds.IMAGE_EDITS.input_tokens(in_json) < IMAGE_TOKENS + 50


def test_speech_is_paid_by_the_character() -> None:
    assert kinds.SPEECH.demands({"input": "Grüße"}) == Usage(0, 0, characters=5)


def test_sound_is_estimated_by_its_size() -> None:
    document: dict[str, object] = {"file": {"bytes": AUDIO_BYTES_PER_SECOND * 60}, "prompt": "a"}
    assert kinds.TRANSCRIPTIONS.demands(document).milliseconds == 60_000
    tokens = kinds.TRANSCRIPTIONS.input_tokens(
        Call("m", False, document, AUDIO_BYTES_PER_SECOND * 60 + 300)
    )
    assert 600 < tokens < 650
    assert kinds.TRANSCRIPTIONS.output(document) == Output(600)


def test_a_search_is_of_a_hundred_documents() -> None:
    def searches(count: int, size: int) -> int:
        document: dict[str, object] = {"query": "a", "documents": ["x" * size] * count}
        return kinds.RERANK.demands(document).searches

    assert searches(1, 10) == 1
    assert searches(100, 10) == 1
    assert searches(101, 10) == 2
    assert searches(100, 2 * 1500) == 3


def test_a_query_is_read_with_each_document() -> None:
    document: dict[str, object] = {"query": "why is it so? " * 20, "documents": ["y"] * 10}
    alone = kinds.RERANK.input_tokens(call({**document, "documents": ["y"]}))
    assert kinds.RERANK.input_tokens(call(document)) > 5 * alone
