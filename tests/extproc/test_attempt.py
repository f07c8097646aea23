"""The body of a try, as its provider is to be told it."""

from __future__ import annotations

import json

import pytest

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
