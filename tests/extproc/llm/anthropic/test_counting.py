from __future__ import annotations

from anthropic.types import MessageTokensCount

from extproc.llm.anthropic.counting import READING, encode_count
from extproc.llm.dialect import Call


def test_a_count_is_what_anthropics_library_reads() -> None:
    assert MessageTokensCount.model_validate_json(encode_count(2095)).input_tokens == 2095


def test_the_request_is_one_without_a_limit() -> None:
    call = READING.decode(
        b'{"model":"claude-opus-5-5","messages":[{"role":"user","content":"hi"}]}',
        "",
        is_stream=False,
    )
    assert isinstance(call, Call)
    assert READING.texts(call.document) == ("hi",)
    assert READING.estimate_input_tokens(call) > 0
