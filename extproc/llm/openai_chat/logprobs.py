"""Log probabilities of tokens, as OpenAI tells them.

https://platform.openai.com/docs/api-reference/chat/object#chat/object-choices-logprobs
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from extproc.llm.answer import Logprob


def logprobs_of(choice: Mapping[str, object]) -> tuple[Logprob, ...] | None:
    """Of a choice, of what it said or refused; None when there are none."""
    told = choice.get("logprobs")
    if type(told) is not dict:
        return None
    found = [*_tokens(told.get("content")), *_tokens(told.get("refusal"))]
    return tuple(found)


def logprobs_object(logprobs: Sequence[Logprob]) -> dict[str, object]:
    """The `logprobs` of a choice."""
    return {
        "content": [
            {**_object(each), "top_logprobs": [_object(other) for other in each.top]}
            for each in logprobs
        ],
        "refusal": None,
    }


def _tokens(tokens: object) -> list[Logprob]:
    if type(tokens) is not list:
        return []
    return [found for token in tokens if (found := _logprob(token)) is not None]


def _logprob(token: object) -> Logprob | None:
    if type(token) is not dict:
        return None
    text, value = token.get("token"), token.get("logprob")
    if type(text) is not str or (type(value) is not float and type(value) is not int):
        return None
    raw = token.get("bytes")
    return Logprob(text, value, _bytes(raw), tuple(_tokens(token.get("top_logprobs"))))


def _bytes(raw: object) -> bytes | None:
    if type(raw) is not list:
        return None
    if all(type(each) is int and 0 <= each < 256 for each in raw):
        return bytes(raw)
    return None


def _object(logprob: Logprob) -> dict[str, object]:
    raw = logprob.raw
    return {
        "token": logprob.token,
        "logprob": logprob.logprob,
        "bytes": list(logprob.token.encode() if raw is None else raw),
    }
