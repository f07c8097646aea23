"""Whose an id is: said in it, and read again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from extproc.a2a.operations import Operation
from extproc.a2a.owners import Owned, Owners, shown
from extproc.a2a.requests import A2aRequest
from gateway.a2a import Binding, Revision

KEYS = ("blue", "green", "blue~travel", "green~travel", "hotels")
OWNERS = Owners(KEYS)
ids = some.text(min_size=1).filter(lambda own: own.strip("."))


@given(ids, some.sampled_from(KEYS))
def test_what_was_shown_of_a_task_leads_to_its_owner(own: str, key: str) -> None:
    assert OWNERS.task(shown(key).task_id(own)) == Owned(key, own)


@given(ids.filter(lambda own: not own.endswith("~")), some.sampled_from(KEYS))
def test_what_was_shown_of_an_agents_context_leads_to_its_owner(own: str, key: str) -> None:
    assert OWNERS.context(shown(key).context_id(own)) == Owned(key, own)


@given(ids.filter(lambda said: not OWNERS.task(said).key), some.sampled_from(KEYS))
def test_a_context_that_a_client_has_named_stays_as_the_client_says_it(said: str, key: str) -> None:
    found = OWNERS.context(said)
    assert found.key == ""
    assert shown(key).context_id(found.own) == said


def test_an_id_that_says_nothing_is_nobodys() -> None:
    for said in ("", "plain", "~blue", "x~red", "x~", "xblue", "..~blue"):
        assert OWNERS.task(said) == Owned("", said)
    assert OWNERS.context("") == Owned("", "")


def test_instances_in_a_group_are_not_those_outside_it() -> None:
    assert OWNERS.task("x~blue~travel") == Owned("blue~travel", "x")
    assert OWNERS.task("x~blue") == Owned("blue", "x")


def asking(task: str = "", context: str = "", *references: str) -> A2aRequest:
    return A2aRequest(
        Operation.SEND,
        Binding.JSONRPC,
        Revision.V1_0,
        b"1",
        {},
        None,
        task_id=task,
        context_id=context,
        reference_task_ids=references,
    )


def test_a_request_is_for_the_owner_of_its_task_then_of_its_context_then_of_others() -> None:
    assert OWNERS.asked(asking("t~blue", "c~green", "r~hotels")) == "blue"
    assert OWNERS.asked(asking("t", "c~green", "r~hotels")) == "green"
    assert OWNERS.asked(asking("", "mine", "r", "r~hotels")) == "hotels"
    assert OWNERS.asked(asking("t", "mine", "r")) == ""
