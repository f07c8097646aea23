"""The tries of a plan, and what is forwarded to all of them."""

from __future__ import annotations

from dataclasses import replace

from extproc.tries import Try, forwarded_of, of_one_form, once, readdressed
from extproc.wire import Said
from gateway import names
from gateway.model import BodyForm, Dialect
from gateway.operations import Operation

CHAT, CLAUDE = Dialect.OPENAI_CHAT, Dialect.ANTHROPIC


def tried(provider: str, said: Said, **more: object) -> Try:
    made = Try("", provider, said.model, Operation.CHAT, said, "/x", None, None)
    return replace(made, **more)  # type: ignore[arg-type]


OWN, OTHER = tried("own", Said(CHAT, "gpt")), tried("other", Said(CLAUDE, "opus"))


def test_each_target_is_tried_once() -> None:
    again = replace(OWN, path="/y")
    assert once([(1, OWN), (2, OTHER), (3, again)]) == [(1, OWN), (2, OTHER)]


def test_what_all_want_is_forwarded_as_the_first_wants_it() -> None:
    newer = tried("other", Said(CLAUDE, "sonnet"))
    assert forwarded_of([OTHER, newer], CHAT) == OTHER.said
    assert forwarded_of([OTHER, OWN], CHAT) == OWN.said
    assert forwarded_of([OTHER, tried("gemini", Said(Dialect.GEMINI, ""))], CHAT) == (
        Said(CHAT, "opus")
    )


def test_what_is_forwarded_says_for_whom_it_is_written() -> None:
    first = replace(OTHER, vendor="mistral", target="opus")
    newer = tried("other", Said(CLAUDE, "sonnet"), vendor="openai", target="sonnet")
    assert forwarded_of([first, newer], CHAT) == first.written
    assert first.written == Said(CLAUDE, "opus", vendor="mistral", target="opus")
    assert forwarded_of([first, OWN], CHAT) == OWN.said


def test_after_a_rewritten_body_the_length_is_put_back() -> None:
    first = replace(OTHER, cluster=names.attempt_cluster("other", 1))
    second = replace(OWN, cluster=names.provider_cluster("own"))
    turned = readdressed([first, second], [(1, first), (2, second)])
    assert [each.cluster for each in turned] == [first.cluster, names.addressed_cluster("own")]
    assert readdressed([second, first], [(1, first), (2, second)]) == [second, first]


def test_only_those_are_tried_that_can_be_told_the_same_body() -> None:
    instead = replace(OTHER, is_instead=True)
    assert of_one_form([(1, instead), (2, OWN)]) == [(2, OWN)]
    assert of_one_form([(1, instead), (2, instead)]) == [(1, instead)]
    counted = replace(OWN, operation=Operation.COUNT_TOKENS)
    renamed = replace(counted, said=Said(CHAT, "gpt-2"))
    assert of_one_form([(1, counted), (2, renamed)]) == [(1, counted)]
    assert of_one_form([(1, OWN), (2, OTHER)]) == [(1, OWN), (2, OTHER)]


def test_an_answer_in_other_frames_is_foreign_too() -> None:
    assert OTHER.is_foreign(CHAT)
    assert not OWN.is_foreign(CHAT)
    framed = replace(OTHER, said=Said(CLAUDE, "", BodyForm.BEDROCK_CLAUDE))
    assert framed.is_foreign(CLAUDE)
