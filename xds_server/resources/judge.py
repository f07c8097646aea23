"""Reads what a provider answers instead of an answer: how long it wants to be left alone, for
extproc, and whether the prompt is too long for it or refused, for Envoy, which then tries the next
target.

A script in the provider's cluster. It reads the body of a 400 or 422 alone, never on the last try,
whose answer is the client's as it is, and none that says it is larger than `LARGEST_ERROR_BYTES`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway import names
from gateway.failover import Cause, Failover
from gateway.model import Dialect, Provider, dialect_of
from gateway.operations import Operation
from xds_server.resources.extension import Json
from xds_server.resources.lua import lua, lua_text

LARGEST_ERROR_BYTES = 64 << 10
JUDGED = frozenset({Cause.CONTEXT_LENGTH, Cause.CONTENT_FILTER})
"""What no status says."""

_CONTEXT_LENGTH: Mapping[Dialect, tuple[str, ...]] = {
    Dialect.OPENAI_CHAT: (
        "context_length_exceeded",
        "maximum context length",  # vLLM, Mistral, DeepSeek
        "maximum prompt length",  # xAI
        "too many tokens",  # Cohere
    ),
    Dialect.OPENAI_RESPONSES: ("context_length_exceeded", "exceeds the context window"),
    Dialect.ANTHROPIC: ("prompt is too long", "exceed context limit"),
    Dialect.GEMINI: ("exceeds the maximum number of tokens",),
    Dialect.BEDROCK: (
        "Input is too long",
        "prompt is too long",
        "maximum context length",
        "Too many input tokens",
    ),
}
_CONTENT_FILTER: Mapping[Dialect, tuple[str, ...]] = {
    Dialect.OPENAI_CHAT: (
        '"content_filter"',
        "content_policy_violation",
        "ResponsibleAIPolicyViolation",
    ),
    Dialect.OPENAI_RESPONSES: ('"content_filter"', '"invalid_prompt"'),
    Dialect.ANTHROPIC: ("blocked by content filtering policy",),
    Dialect.GEMINI: ("PROHIBITED_CONTENT",),
    Dialect.BEDROCK: ("blocked by content filtering policy",),
}
"""What an error says, in the vendors' documented words, and is never said otherwise."""

_JUDGE = """\
function envoy_on_response(handle)
  local headers = handle:headers()
  headers:remove({retry})
  local status = tonumber(headers:get(":status"))
  if status < 400 then
    return
  end
  local metadata = handle:streamInfo():dynamicMetadata()
  local failure = {{status = status}}
  for _, name in ipairs({{{told}}}) do
    failure[name] = headers:get(name)
  end
  metadata:set({failures}, {cluster}, failure)
  local last = (metadata:get({request}) or {{}})["last"]
  if last == nil or last == {cluster} then
    return
  end
{causes}\
end
"""
_TOO_LARGE = """\
  if status == 413 then
    headers:replace({retry}, "context_length")
    return
  end
"""
_READ = """\
  local length = tonumber(headers:get("content-length") or "0")
  if (status ~= 400 and status ~= 422) or length > {largest} then
    return
  end
  local body = handle:body()
  local text = body and body:getBytes(0, body:length()) or ""
  for _, words in ipairs({{{words}}}) do
    if text:find(words[2], 1, true) then
      handle:headers():replace({retry}, words[1])
      return
    end
  end
"""


_WORDS: tuple[tuple[Cause, Mapping[Dialect, tuple[str, ...]]], ...] = (
    (Cause.CONTEXT_LENGTH, _CONTEXT_LENGTH),
    (Cause.CONTENT_FILTER, _CONTENT_FILTER),
)


@dataclass(frozen=True, slots=True)
class Judge:
    """What failures are looked at for, beside how long to wait."""

    causes: frozenset[Cause]


def judge_of(failover: Failover) -> Judge | None:
    """None: nobody asks."""
    causes = failover.causes & JUDGED
    return Judge(causes) if causes or failover.health.failures else None


def judge(cluster: str, provider: Provider, looked_for: Judge) -> Json:
    """The filter of a try at this provider, which the plan knows as `cluster`."""
    retry = lua_text(names.RETRY_HEADER)
    causes = ""
    if Cause.CONTEXT_LENGTH in looked_for.causes:
        causes += _TOO_LARGE.format(retry=retry)
    if words := words_of((each for each, _ in provider.offers), looked_for.causes):
        listed = ", ".join(f"{{{lua_text(cause)}, {lua_text(text)}}}" for cause, text in words)
        causes += _READ.format(retry=retry, largest=LARGEST_ERROR_BYTES, words=listed)
    script = _JUDGE.format(
        retry=retry,
        told=", ".join(map(lua_text, names.RETRY_AFTER_HEADERS)),
        failures=lua_text(names.FAILURES_NAMESPACE),
        request=lua_text(names.REQUEST_NAMESPACE),
        cluster=lua_text(cluster),
        causes=causes,
    )
    return lua(names.JUDGE_FILTER, script)


def words_of(offered: Iterable[Operation], causes: frozenset[Cause]) -> list[tuple[Cause, str]]:
    """What says which cause, in every dialect that is spoken for these operations."""
    spoken = set(map(dialect_of, offered))
    return [
        (cause, text)
        for cause, table in _WORDS
        if cause in causes
        for text in dict.fromkeys(
            text for dialect, texts in table.items() if dialect in spoken for text in texts
        )
    ]
