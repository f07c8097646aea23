"""The body of a try, as its provider is to be told it."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from extproc.attempt import rewritten
from extproc.verdict import Deny
from extproc.wire import Order, Said
from gateway.model import BodyForm, Dialect, Lossiness

BODY = b'{ "x_new": [1.50, 2],\n "model" : "ma", "messages": [{"role":"user","content": "model"}] }'
FIRST = Said(Dialect.OPENAI_CHAT, "ma")


def told(wanted: Said, body: bytes = BODY, lossiness: Lossiness = Lossiness.ALL) -> bytes:
    found = rewritten(body, Order(FIRST, wanted, False), lossiness)
    assert isinstance(found, bytes)
    return found


def test_in_the_same_dialect_only_the_model_is_spliced() -> None:
    assert told(Said(Dialect.OPENAI_CHAT, "mb")) == BODY.replace(b'"ma"', b'"mb"')


def test_a_body_that_is_no_conversation_is_renamed_too() -> None:
    order = Order(Said(None, "ma"), Said(None, "mb"), False)
    assert rewritten(b'{"model":"ma","input":[]}', order, Lossiness.HINTS) == (
        b'{"model":"mb","input":[]}'
    )


@pytest.mark.parametrize("model", ['quo"te', "back\\slash", "日本", "a\nb", "org/name:tag"])
def test_any_name_stays_one_json_string(model: str) -> None:
    assert json.loads(told(Said(Dialect.OPENAI_CHAT, model))) == json.loads(BODY) | {"model": model}


def test_a_model_inside_the_messages_is_left_alone() -> None:
    body = b'{"messages":[{"model":"ma"}],"model":"ma"}'
    assert told(Said(Dialect.OPENAI_CHAT, "mb"), body) == (
        b'{"messages":[{"model":"ma"}],"model":"mb"}'
    )


def test_another_dialect_is_told_in_its_own_words() -> None:
    said = json.loads(told(Said(Dialect.ANTHROPIC, "opus")))
    assert said["model"] == "opus"
    assert said["messages"][0]["role"] == "user"
    assert "x_new" not in said
    assert said["max_tokens"] > 0


def test_servers_are_told_in_their_own_form_of_a_dialect() -> None:
    body = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'
    client = Said(Dialect.ANTHROPIC, "m")
    for vendor, name in (("openai", "max_completion_tokens"), ("mistral", "max_tokens")):
        wanted = Said(Dialect.OPENAI_CHAT, "m2", vendor=vendor)
        said = rewritten(body, Order(client, wanted, False), Lossiness.HINTS)
        assert isinstance(said, bytes)
        assert json.loads(said)[name] == 9


def test_what_is_written_for_one_server_is_written_anew_for_another() -> None:
    body = b'{"model":"m","max_completion_tokens":9,"messages":[{"role":"user","content":"hi"}]}'
    first = Said(Dialect.OPENAI_CHAT, "m", vendor="openai")
    alike, other = replace(first, model="m2", vendor="groq"), replace(first, vendor="mistral")
    assert rewritten(body, Order(first, alike, False), Lossiness.HINTS) == (
        body.replace(b'"m"', b'"m2"')
    )
    said = rewritten(body, Order(first, other, False), Lossiness.HINTS)
    assert isinstance(said, bytes)
    assert json.loads(said).keys() == {"model", "max_tokens", "messages"}


def test_what_was_added_for_several_servers_stays() -> None:
    body = b'{"model":"m","safe_prompt":true,"messages":[]}'
    added = '{"fields":{"overrides":[["safe_prompt","true"]]}}'
    first = Said(Dialect.OPENAI_CHAT, "m", additions=added, vendor="openai")
    order = Order(first, replace(first, vendor="mistral"), False)
    said = rewritten(body, order, Lossiness.NONE)
    assert isinstance(said, bytes)
    assert json.loads(said) == json.loads(body)


def test_where_the_path_names_the_model_the_body_does_not() -> None:
    assert "model" not in json.loads(told(Said(Dialect.GEMINI, "")))


def test_a_model_that_the_path_names_is_not_looked_for_in_a_body_that_has_another() -> None:
    order = Order(Said(Dialect.OPENAI_CHAT, ""), Said(Dialect.GEMINI, ""), False)
    said = rewritten(BODY, order, Lossiness.ALL)
    assert isinstance(said, bytes)
    assert "contents" in json.loads(said)


def test_a_body_whose_path_names_the_model_needs_none() -> None:
    body = BODY.replace(b' "model" : "ma",', b"")
    order = Order(Said(Dialect.OPENAI_CHAT, ""), Said(Dialect.ANTHROPIC, "opus"), False)
    said = rewritten(body, order, Lossiness.ALL)
    assert isinstance(said, bytes)
    assert json.loads(said)["model"] == "opus"


def test_claude_elsewhere_has_its_form() -> None:
    said = json.loads(told(Said(Dialect.ANTHROPIC, "", BodyForm.VERTEX_CLAUDE)))
    assert said["anthropic_version"].startswith("vertex-")
    assert "model" not in said


def test_what_may_not_be_lost_is_refused() -> None:
    order = Order(FIRST, Said(Dialect.ANTHROPIC, "opus"), False)
    body = b'{"model":"ma","messages":[{"role":"user","content":"hi"}],"n":3}'
    assert isinstance(rewritten(body, order, Lossiness.HINTS), Deny)


ADDITIONS = '{"fields":{"overrides":[["service_tier","\\"auto\\""]]},"marks":null}'


@pytest.mark.parametrize("dialect", [Dialect.OPENAI_CHAT, Dialect.ANTHROPIC])
def test_what_a_provider_is_sent_with_every_body_is_added_last(dialect: Dialect) -> None:
    said = json.loads(told(Said(dialect, "mb", BodyForm.PLAIN, ADDITIONS)))
    assert (said["model"], said["service_tier"]) == ("mb", "auto")


CLIENT = Said(Dialect.ANTHROPIC, "m")
MESSAGES = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'
CLAUDE = "us.anthropic.claude-opus-4-5-v1:0"


def asked_for(forwarded: Said, wanted: Said, body: bytes, header: str = "") -> dict[str, object]:
    betas = tuple(header.split(",")) if header else ()
    found = rewritten(body, Order(forwarded, wanted, False), Lossiness.HINTS, betas)
    assert isinstance(found, bytes)
    said: dict[str, object] = json.loads(found)
    return said


def test_what_a_header_says_of_betas_bedrock_reads_in_the_body() -> None:
    claude = Said(Dialect.ANTHROPIC, "", BodyForm.BEDROCK_CLAUDE, betas="a-1,c-*")
    said = asked_for(CLIENT, claude, MESSAGES, "a-1,b-2,c-3")
    assert said["anthropic_beta"] == ["a-1", "c-3"]
    assert "anthropic_beta" not in asked_for(CLIENT, claude, MESSAGES, "b-2")
    converse = Said(Dialect.BEDROCK, CLAUDE, betas="*")
    said = asked_for(CLIENT, converse, MESSAGES, "a-1,b-2")
    assert said["additionalModelRequestFields"] == {"anthropic_beta": ["a-1", "b-2"]}


@pytest.mark.parametrize("form", [BodyForm.PLAIN, BodyForm.VERTEX_CLAUDE])
def test_where_the_header_goes_on_the_body_says_nothing_of_betas(form: BodyForm) -> None:
    wanted = Said(Dialect.ANTHROPIC, "m2", form)
    assert "anthropic_beta" not in asked_for(CLIENT, wanted, MESSAGES, "a-1")


def test_what_converse_says_of_betas_goes_where_claude_reads_it() -> None:
    fields = b'"additionalModelRequestFields":{"anthropic_beta":["a-1"]}'
    body = b'{"messages":[{"role":"user","content":[{"text":"hi"}]}],%s}' % fields
    forwarded = Said(Dialect.BEDROCK, "", betas="*")
    invoked = Said(Dialect.ANTHROPIC, "", BodyForm.BEDROCK_CLAUDE, betas="*")
    assert asked_for(forwarded, invoked, body, "a-1")["anthropic_beta"] == ["a-1"]
    plain = Said(Dialect.ANTHROPIC, "opus")
    assert "anthropic_beta" not in asked_for(forwarded, plain, body, "a-1")


def test_what_is_written_for_one_model_is_written_anew_for_another() -> None:
    body = b'{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":'
    body += b'{"maxOutputTokens":9000,"thinkingConfig":{"thinkingLevel":"high"}}}'
    newer = Said(Dialect.GEMINI, "", target="gemini-3-pro-preview")
    older = replace(newer, target="gemini-2.5-pro")
    thinking = asked_for(newer, older, body)["generationConfig"]
    assert isinstance(thinking, dict)
    assert "thinkingBudget" in thinking["thinkingConfig"]
    assert "thinkingLevel" not in thinking["thinkingConfig"]
    assert rewritten(body, Order(newer, newer, False), Lossiness.HINTS) == body


def test_claude_elsewhere_is_written_anew_for_another_model_in_its_own_form() -> None:
    body = b'{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["a-1"],"max_tokens":9000,'
    body += b'"thinking":{"type":"adaptive"},"output_config":{"effort":"high"},'
    body += b'"messages":[{"role":"user","content":"hi"}]}'
    form = BodyForm.BEDROCK_CLAUDE
    newer = Said(Dialect.ANTHROPIC, "", form, target="anthropic.claude-opus-5-5-v1:0")
    older = replace(newer, target="anthropic.claude-sonnet-4-5-v1:0")
    said = rewritten(body, Order(newer, older, True), Lossiness.NONE)
    assert isinstance(said, bytes)
    found = json.loads(said)
    assert found["thinking"] == {"type": "enabled", "budget_tokens": 4096}
    assert (found["anthropic_version"], found["anthropic_beta"]) == ("bedrock-2023-05-31", ["a-1"])
    assert not {"model", "stream"} & found.keys()


def test_where_the_path_names_the_model_the_body_is_still_written_for_it() -> None:
    body = b'{"model":"m","max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":2048}'
    body += b',"messages":[{"role":"user","content":"hi"}]}'
    wanted = Said(Dialect.BEDROCK, "", target=CLAUDE, betas="*")
    fields = asked_for(CLIENT, wanted, body)["additionalModelRequestFields"]
    assert fields == {"thinking": {"type": "enabled", "budget_tokens": 2048}}
    assert "additionalModelRequestFields" not in asked_for(
        CLIENT, replace(wanted, target="amazon.nova-pro-v1:0"), body
    )
