"""AgentGateway's CEL → ours."""

from __future__ import annotations

import pytest

from gateway.importers.agentgateway.cel import Untranslated, translate


def translated(text: str, *, is_llm: bool = True, unusable: frozenset[str] = frozenset()) -> str:
    found = translate(text, is_llm=is_llm, unusable=unusable)
    return f"no: {found.reason}" if isinstance(found, Untranslated) else found


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("request.method == 'GET'", "request.method == 'GET'"),
        ('request.headers["X-Team"] == "a"', 'request.headers["x-team"] == "a"'),
        ("apiKey.owner in ['a']", "principal.tags.owner in ['a']"),
        ('apiKey["team name"] == "a"', 'principal.tags["team name"] == "a"'),
        ("apiKey.key.unredacted() == 'a'", "apiKey.key.unredacted() == 'a'"),
        ("has(request.headers.cookie)", "has(request.headers.cookie)"),
        ("request.headers.cookie == 'a'", "request.headers.cookie.unredacted() == 'a'"),
        (
            "request.headers['Authorization'].unredacted() == 'a'",
            "request.headers[\"authorization\"].unredacted() == 'a'",
        ),
        ("has(apiKey.owner)", "has(principal.tags.owner)"),
        ('llmRequest.model.startsWith("gpt")', 'llm.model.startsWith("gpt")'),
        ("llm.requestModel == 'a' && !llm.streaming", "llm.model == 'a' && !llm.is_stream"),
        ("[1, 2].exists(x, x == 1)", "[1, 2].exists(x, x == 1)"),
        ('request.path == "//" // why', 'request.path == "//"'),
        ('  source.address == "10.0.0.1"\n', 'source.address == "10.0.0.1"'),
        ("request.path == 'jwt.sub'", "request.path == 'jwt.sub'"),
        (
            "cidr('10.0.0.0/8').containsIP(source.address)",
            "cidr('10.0.0.0/8').containsIP(source.address)",
        ),
    ],
)
def test_what_means_the_same_is_renamed(theirs: str, ours: str) -> None:
    assert translated(theirs) == ours


@pytest.mark.parametrize(
    "theirs",
    [
        "jwt.sub == 'a'",
        "request.host == 'a'",
        "request.headers.x.y == 'a'",
        "request.headers == {}",
        "request.body == 'a'",
        "apiKey.key == 'a'",
        "apiKey.a.b == 'a'",
        "mcp.tool.name == 'a'",
        "env.podName == 'a'",
        "llm.provider == 'a'",
        "llmRequest.max_tokens < 10",
        "random() < 0.5",
        "principal.name == 'a'",
        "resource.kind == 'llm'",
        "nothing == 'a'",
        "request.path",
        "request.path ==",
        '"${VAR}" == request.path',
        "",
    ],
)
def test_what_does_not_is_refused(theirs: str) -> None:
    assert translated(theirs).startswith("no: ")


def test_models_are_unknown_to_plain_routes() -> None:
    assert translated("llmRequest.model == 'a'", is_llm=False).startswith("no: ")


def test_what_would_say_something_else_here_is_refused() -> None:
    unusable = frozenset({"source.address", "apiKey.level"})
    assert translated("source.address == 'a'", unusable=unusable).startswith("no: ")
    assert translated("apiKey.level == 'a'", unusable=unusable).startswith("no: ")
    assert translated('apiKey["level"] == "a"', unusable=unusable).startswith("no: ")
