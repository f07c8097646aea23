from __future__ import annotations

from openai.types.responses import InputTokenCountResponse

from extproc.llm.dialect import Call
from extproc.llm.openai_responses.counting import READING, encode_count


def test_a_count_is_what_the_library_expects() -> None:
    count = InputTokenCountResponse.model_validate_json(encode_count(11), strict=True)
    assert count.input_tokens == 11


def test_what_is_counted_is_read_like_what_is_asked() -> None:
    call = READING.decode(b'{"model":"fast","input":"hello"}', "", is_stream=False)
    assert isinstance(call, Call)
    assert READING.texts(call.document) == ("hello",)
    assert READING.estimate_input_tokens(call) > 1
